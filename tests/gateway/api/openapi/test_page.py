"""The page shows the whole OpenAPI document, in both languages, and its links lead somewhere."""

import re
from typing import Any

import pytest

from gateway.api.openapi.document import document
from gateway.api.openapi.operations import all_operations
from gateway.api.openapi.page import docs_page

ROOT = "http://gateway.test"


def shown(language: Any = "en") -> str:
    return docs_page(document(language), language, ROOT)


def section(name: str) -> str:
    return shown().partition(f"<section id={name}>")[2].partition("</section>")[0].replace("&quot;", '"')


def test_page_shows_every_operation_and_every_schema() -> None:
    page = shown()
    for operation in all_operations():
        assert f"<code>{operation.path}</code>" in page
    for name in document()["components"]["schemas"]:
        assert f"id={name}" in page


def test_page_shows_lists_formats_and_optional_fields() -> None:
    page = shown()
    assert '<td><a href="#TokenLive">TokenLive</a> | list of <a href="#TokenChecked">TokenChecked</a><td>' in page
    assert "<code>ready | full | rate_limited" in page
    assert page.count("(optional)") == 1


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


@pytest.mark.parametrize("language", ["zh", "en"])
def test_links_within_the_page_lead_to_a_section(language: str) -> None:
    page = shown(language)
    targets = set(re.findall(r"<(?:section|h2) id=([^ >]+)", page))
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert {operation.id for operation in all_operations()} <= links
    assert links <= targets


@pytest.mark.parametrize(
    ("operation", "request_body", "response_body"),
    [
        ("editVideo", '"video": {"id": "video_', '"status": "queued"'),
        ("extendVideo", '"seconds": 5', '"status": "queued"'),
        ("submitVideo", '"ratio": "16:9"', '"status": "pending"'),
        ("createChatCompletion", '"messages": [', '"object": "chat.completion"'),
        ("checkToken", '{"token": "&lt;credential&gt;"}', '"live": true'),
        ("dashscopeSubmitVideo", '"input": {', '"task_status": "PENDING"'),
        ("getHealth", f"curl {ROOT}/healthz", '"status": "ok"'),
    ],
)
def test_operation_has_examples_of_its_own(operation: str, request_body: str, response_body: str) -> None:
    text = section(operation)
    assert request_body in text
    assert response_body in text


def test_page_in_chinese_has_the_same_operations_and_no_english_words_of_its_own() -> None:
    page = shown("zh")
    assert "<html lang=zh>" in page
    for operation in all_operations():
        assert f"<code>{operation.path}</code>" in page
    for word in ("meaning", "Needs ", "Schemas", "Example request"):
        assert word not in page
