"""The body of a chat or embedding request: read for two fields, and passed on as it is.

Only the value of `model` is ever replaced, in the text itself: a second serialization could change numbers, the order
of fields and the escapes of characters.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.core.errors import GatewayError, gateway_error
from gateway.core.json_values import has_more_values
from gateway.core.messages import ERRORS

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]]', re.DOTALL)
_VALUE = re.compile(rb'\s*+:\s*+("(?:[^"\\]++|\\.)*+"|null)', re.DOTALL)
_BEGIN, _SPACE = re.compile(rb"\s*\{"), re.compile(rb"\s*")

MAX_VALUES = 1_000_000
"""Approximate values of a body: its commas and opening brackets, also those inside of strings. To parse so many takes
0.1 s, in which no other request runs. An embedding of token numbers has some 300,000."""

_LONGEST_ESCAPED = len('""') + len("model") * len(r"\u006d")
"""Bytes of the text `model` with each of its characters escaped."""
_LONGEST_NAME, _SHOWN_NAME = 200, 64
"""Characters of a model's name: pauses of a model are kept by it."""


@dataclass(frozen=True, slots=True)
class LanguageBody:
    """A request. `model` is the name as the client wrote it, "" where it is missing or null."""

    text: bytes
    model: str
    stream: bool

    def with_model(self, name: str) -> bytes:
        """The text with this model, and every other byte unchanged. Takes as long as it takes to parse the text."""
        return self.text if name == self.model else _replaced(self.text, orjson.dumps(name))


def parse_body(text: bytes) -> LanguageBody:
    """Read a body. Raises GatewayError: 400 for one that is not a JSON object in UTF-8 and for a model that is no text,
    404 for a name that is too long, 413 for more than MAX_VALUES values."""
    fields = _object(text)
    model = fields.get("model")
    if model is not None and not isinstance(model, str):
        raise GatewayError("invalid_value", ERRORS["model_not_a_text"], param="model")
    if model and len(model) > _LONGEST_NAME:
        raise GatewayError("model_not_found", param="model", values={"model": f"{model[:_SHOWN_NAME]}…"})
    return LanguageBody(text, model or "", fields.get("stream") is True)


def _object(text: bytes) -> dict[str, Any]:
    if has_more_values(text, MAX_VALUES):
        raise gateway_error("too_many_values", limit=MAX_VALUES)
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError:
        fields = _lenient(text)
    if not isinstance(fields, dict):
        raise gateway_error("invalid_json")
    return fields


def _lenient(text: bytes) -> Any:
    """What the standard library reads beyond orjson: NaN, and halves of surrogate pairs. The upstream decides on it."""
    try:
        return json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        raise gateway_error("invalid_json") from None


def _is_model(token: bytes) -> bool:
    """True for the text `model`, also with escapes."""
    if b"\\" not in token or len(token) > _LONGEST_ESCAPED:
        return token == b'"model"'
    return bool(json.loads(token, strict=False) == "model")


def _replaced(text: bytes, value: bytes) -> bytes:
    """The text of an object with another value of its top-level `model`, at each place where it is named; added at the
    beginning where it is not."""
    depth, end, parts = 0, 0, list[bytes]()
    position = 0
    while (token := _TOKEN.search(text, position)) is not None:
        position = token.end()
        if token[0] in b"{[":
            depth += 1
        elif token[0] in b"}]":
            depth -= 1
        elif depth == 1:
            found = _VALUE.match(text, position) if _is_model(token[0]) else None
            if found is not None:
                parts += (text[end : found.start(1)], value)
                position = end = found.end(1)
    if parts:
        return b"".join((*parts, text[end:]))
    begin = _BEGIN.match(text)
    if begin is None:
        raise gateway_error("invalid_json")
    rest = text[begin.end() :]
    comma = b"" if rest[_SPACE.match(rest).end() :].startswith(b"}") else b","  # type: ignore[union-attr]
    return b"".join((begin[0], b'"model":', value, comma, rest))
