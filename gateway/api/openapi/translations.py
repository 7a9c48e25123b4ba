"""The Chinese of the texts in the OpenAPI document, looked up by their English.

A text of `chinese.json` may have `{}` in place of words: names of fields and paths stay as they are, other words are
looked up as texts of their own. Texts without a translation stay English.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

_TEXTS = frozenset({"summary", "description", "x-displayName"})


class Translator:
    """Translates with the gateway's own texts and further ones."""

    def __init__(self, further: Mapping[str, str]) -> None:
        self._texts = {**_own_texts(), **further}
        self._patterns = [
            (re.compile("(.+)".join(re.escape(part) for part in english.split("{}")), re.DOTALL), chinese)
            for english, chinese in self._texts.items()
            if "{}" in english
        ]

    def text(self, english: str) -> str | None:
        """The Chinese of a text; None without one."""
        if english in self._texts:
            return self._texts[english]
        if "\n\n" in english:
            return "\n\n".join(self.text(part) or part for part in english.split("\n\n"))
        for pattern, chinese in self._patterns:
            found = pattern.fullmatch(english)
            if found is not None:
                parts = chinese.split("{}")
                words = [self.text(words) or words for words in found.groups()]
                return parts[0] + "".join(word + part for word, part in zip(words, parts[1:], strict=True))
        return None

    def document(self, value: Any) -> Any:
        """A document, or a part of one, with its texts in Chinese."""
        if isinstance(value, list):
            return [self.document(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            name: self.text(item) or item if name in _TEXTS and isinstance(item, str) else self.document(item)
            for name, item in value.items()
        }


@cache
def _own_texts() -> dict[str, str]:
    texts: dict[str, str] = orjson.loads(files("gateway.api.openapi").joinpath("chinese.json").read_bytes())
    return texts
