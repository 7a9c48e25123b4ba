"""Every text of the OpenAPI document has its Chinese, and nothing but texts is translated."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.api.openapi.document import document
from gateway.api.openapi.translations import DocumentTranslator

TEXTS = ("summary", "description", "x-displayName")
WORDS = re.compile(r"[A-Za-z]{2,} [a-z]{2,}")


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name in TEXTS and isinstance(item, str):
                yield item
            else:
                yield from texts(item)


def without_texts(value: Any) -> Any:
    if isinstance(value, list):
        return [without_texts(item) for item in value]
    if isinstance(value, dict):
        return {
            name: "" if name in TEXTS and isinstance(item, str) else without_texts(item) for name, item in value.items()
        }
    return value


def test_every_text_is_translated() -> None:
    same = set(texts(document("zh"))) & set(texts(document("en")))
    assert [text for text in sorted(same) if WORDS.search(text)] == []


def test_only_texts_are_translated() -> None:
    assert without_texts(document("zh")) == without_texts(document("en"))


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("Seconds.", "秒。"),
        ("Seconds. Also: a, `b`.", "秒。其他名称：a, `b`。"),
        ("Seconds. In a form also a file. Also: a.", "秒。表单中也可以直接传文件。其他名称：a。"),
        ("Seconds.\n\nPixels.", "秒。\n\n像素。"),
        ("A `{id}` of an upstream.", "上游的 `{id}`。"),
    ],
)
def test_text_is_put_together_from_its_parts(english: str, chinese: str) -> None:
    assert DocumentTranslator({"A `{id}` of an upstream.": "上游的 `{id}`。"}).text(english) == chinese


def test_text_without_a_translation_stays_english() -> None:
    assert DocumentTranslator({}).text("No such text.") is None
    assert DocumentTranslator({}).document({"description": "No such text."}) == {"description": "No such text."}
