"""The OpenAPI document describes the application, and the page shows the document."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.api.openapi.document import document
from gateway.api.openapi.operations import all_operations
from gateway.app import all_routes
from gateway.core.errors import ERROR_SPECS
from gateway.core.webhook_secrets import PATTERN, encode_secret, is_secret
from gateway.live.webhooks.events import make_event, signed_headers
from providers.contract.tasks import Phase

CONVERTOR = re.compile(r":path}")
PREFIXES = ("/v1", "/api", "/token", "/healthz", "/readyz", "/ping", "/metrics", "/openapi", "/docs")
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
    properties = document()["components"]["schemas"]["VideoGenerationRequest"]["properties"]
    for name in ("model", "prompt", "duration", "filePaths", "functionMode", "image_file_9", "provider_options"):
        assert name in properties


def test_event_of_a_webhook_is_described_with_the_headers_that_are_sent() -> None:
    described = document()["webhooks"]["taskEnded"]["post"]
    event = make_event("evt_1", Phase.COMPLETED, {}, 0)
    sent = signed_headers(event, encode_secret(b"k" * 32), 0)
    assert {parameter["name"] for parameter in described["parameters"]} == set(sent)
    schema = document()["components"]["schemas"]["TaskEvent"]
    assert set(json.loads(event.body)) == set(schema["required"])


def schemas() -> Iterator[tuple[str, Any]]:
    yield from document()["components"]["schemas"].items()


def sent() -> set[str]:
    """The schemas of responses, with all that they refer to."""
    found: set[str] = set()
    every = dict(schemas())
    waiting = [operation["responses"] for path in document()["paths"].values() for operation in path.values()]
    while waiting:
        for name in {reference.rpartition("/")[2] for reference in references(waiting.pop())} - found:
            found.add(name)
            waiting.append(every[name])
    return found


def test_titles_are_unique_and_the_names_of_the_schemas() -> None:
    assert {name: schema["title"] for name, schema in schemas()} == {name: name for name, _ in schemas()}


def test_response_may_get_further_fields_and_its_optional_fields_are_absent_rather_than_null() -> None:
    for name in sent():
        schema = document()["components"]["schemas"][name]
        assert schema.get("additionalProperties", True) is not False, name
        for field, described in schema.get("properties", {}).items():
            if field not in schema.get("required", ()):
                assert {"type": "null"} not in described.get("anyOf", ()), (name, field)
                assert described.get("default", "") is not None, (name, field)


def test_required_field_of_a_response_may_be_null() -> None:
    video = document()["components"]["schemas"]["VideoObject"]
    assert {"type": "null"} in video["properties"]["completed_at"]["anyOf"]
    assert video["properties"]["url"] == {
        "description": "The finished video. Fetch it without `Authorization`.",
        "title": "Url",
        "type": "string",
    }


def bare_objects(value: Any) -> Iterator[Any]:
    """Objects of which no name is known, which generators cannot name either."""
    if isinstance(value, dict):
        if "anyOf" in value:
            yield from (choice for choice in value["anyOf"] if choice == {"type": "object"})
        for item in value.values():
            yield from bare_objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from bare_objects(item)


def test_alternatives_have_no_objects_without_a_name() -> None:
    assert list(bare_objects(document())) == []


def test_every_operation_belongs_to_one_group() -> None:
    names = [tag["name"] for tag in document()["tags"]]
    assert len(names) == len(set(names))
    for path in document()["paths"].values():
        for operation in path.values():
            assert len(operation["tags"]) == 1
            assert operation["tags"][0] in names


def test_parameters_of_lists_have_the_types_and_values_that_they_take() -> None:
    parameters = {row["name"]: row["schema"] for row in document()["paths"]["/v1/videos"]["get"]["parameters"]}
    assert parameters["limit"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    assert parameters["order"] == {"type": "string", "enum": ["asc", "desc"], "default": "desc"}


def test_limits_of_numbers_have_the_words_of_json_schema() -> None:
    schema = document()["components"]["schemas"]["VideoReuseRequest"]["properties"]["seconds"]
    assert {"type": "integer", "minimum": 1, "maximum": 60} in schema["anyOf"]
    assert not {"ge", "le", "gt", "lt"} & set(json.dumps(document()).replace('"', " ").split())


def test_form_has_no_null() -> None:
    for name, schema in schemas():
        if name.endswith("Form"):
            for field, described in schema["properties"].items():
                assert {"type": "null"} not in described.get("anyOf", ()), (name, field)


def test_links_lead_to_operations_that_take_an_id() -> None:
    operations = {row["operationId"]: row for path in document()["paths"].values() for row in path.values()}
    links = (
        operations["submitVideo"]["responses"]["200"]["links"] | operations["createVideo"]["responses"]["200"]["links"]
    )
    assert {"getTask", "retrieveVideo", "downloadVideo"} <= set(links)
    for link in links.values():
        assert operations[link["operationId"]]["parameters"][0]["name"] == "id"


@pytest.mark.parametrize("length", range(20, 70))
def test_pattern_of_a_webhook_secret_is_what_is_taken(length: int) -> None:
    secret = encode_secret(b"k" * length)
    assert (re.search(PATTERN, secret) is not None) == is_secret(secret)
