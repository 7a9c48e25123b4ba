"""The body of a chat or embedding request: read for two fields, and passed on as it is, see `providers.json_text`."""

import json
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.core.errors import GatewayError, gateway_error
from gateway.core.json_values import has_more_values
from gateway.core.messages import ERRORS
from providers.json_text import with_model

MAX_VALUES = 1_000_000
"""Approximate values of a body: its commas and opening brackets, also those inside of strings. To parse so many takes
0.1 s, in which no other request runs. An embedding of token numbers has some 300,000."""

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
        return self.text if name == self.model else with_model(self.text, name)


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
