"""The OpenAPI document describes the application, and the page shows the document."""

import json
import re
from typing import Any

import pytest

from gateway.api.openapi.document import document
from gateway.api.openapi.operations import all_operations
from gateway.api.openapi.page import docs_page
from gateway.app import all_routes
from gateway.core.errors import ERROR_SPECS
from gateway.core.webhook_secrets import encode_secret
from gateway.live.webhooks.events import make_event, signed_headers
from providers.contract.tasks import Phase

CONVERTOR = re.compile(r":path}")
PREFIXES = ("/v1", "/api", "/token", "/healthz", "/ping", "/metrics", "/openapi", "/docs")
"""Prefixes of documented paths. Those without /v1 are not documented."""


def test_every_route_is_documented() -> None:
    served = {
        (method, CONVERTOR.sub("}", route.path))
        for route in all_routes()
        for method in route.methods or ()
        if method != "HEAD" and route.path.startswith(PREFIXES) and route.include_in_schema
    }
    assert {(operation.method.upper(), operation.path) for operation in all_operations()} == served


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if "$ref" in value else set()
        return own.union(*(references(item) for item in value.values()))
    if isinstance(value, list | tuple):
        return set().union(*(references(item) for item in value))
    return set()


def test_document_is_openapi_3_1_and_every_reference_resolves() -> None:
    described = document()
    assert described["openapi"].startswith("3.1")
    for reference in references(described):
        name = reference.removeprefix("#/components/schemas/")
        assert name in described["components"]["schemas"], reference


@pytest.mark.parametrize("operation", all_operations(), ids=lambda operation: operation.id)
def test_documented_error_statuses_exist(operation: Any) -> None:
    assert set(operation.error_statuses) <= {shape.status for shape in ERROR_SPECS.values()}


def test_every_field_of_a_submit_is_described() -> None:
    properties = document()["components"]["schemas"]["GenerationBody"]["properties"]
    for name in ("model", "prompt", "duration", "filePaths", "functionMode", "image_file_9", "provider_options"):
        assert name in properties


def test_event_of_a_webhook_is_described_with_the_headers_that_are_sent() -> None:
    described = document()["webhooks"]["taskEnded"]["post"]
    event = make_event("evt_1", Phase.COMPLETED, {}, 0)
    sent = signed_headers(event, encode_secret(b"k" * 32), 0)
    assert {parameter["name"] for parameter in described["parameters"]} == set(sent)
    schema = document()["components"]["schemas"]["TaskEvent"]
    assert set(json.loads(event.body)) == set(schema["required"])


def test_page_shows_every_operation_and_every_schema() -> None:
    page = docs_page(document())
    for operation in all_operations():
        assert f"<code>{operation.path}</code>" in page
    for name in document()["components"]["schemas"]:
        assert f"id={name}" in page


def test_page_shows_lists_formats_and_optional_fields() -> None:
    page = docs_page(document())
    assert "<td>TokenLive | list of TokenChecked<td>" in page
    assert "<code>ready | full | rate_limited" in page
    assert page.count("(optional)") == 1
    assert "{&quot;token&quot;: &quot;&lt;credential&gt;&quot;}" in page


def test_page_escapes_html() -> None:
    page = docs_page(
        {
            "info": {"title": "<script>", "version": "1", "description": "a & b"},
            "paths": {},
            "components": {"schemas": {}},
        }
    )
    assert "<script>" not in page
    assert "a &amp; b" in page
