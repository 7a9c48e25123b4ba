"""The Chinese of the texts in the OpenAPI document: those of `chinese.json`, see `gateway.core.translations`."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from gateway.core.translations import Translator

_TEXTS = frozenset({"summary", "description", "x-displayName"})


class DocumentTranslator(Translator):
    """Translates with the gateway's own texts and further ones."""

    def __init__(self, further: Mapping[str, str]) -> None:
        super().__init__({**_own_texts(), **further})

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
