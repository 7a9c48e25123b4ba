"""The types of request fields: what they accept beyond JSON's own types, and their limits."""

from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.core.webhook_secrets import PATTERN, is_secret
from gateway.task_ids.signed import MAX_MODEL_BYTES

MAX_SECONDS = 100_000
"""Longer durations are capped to this. The model card has the durations that a model supports."""
MAX_OPTIONS_DEPTH = 16
MAX_SEED = 2**32 - 1


def _object_in_text(value: Any) -> Any:
    """Forms carry an object as JSON text."""
    if isinstance(value, str):
        if not value.strip():
            return None
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def _shallow(value: dict[str, Any]) -> dict[str, Any]:
    """Refuses an object nested deeper than any upstream's parameters are."""
    level: list[Any] = [value]
    for _ in range(MAX_OPTIONS_DEPTH):
        level = [
            item
            for held in level
            for item in (held.values() if isinstance(held, dict) else held)
            if isinstance(item, dict | list)
        ]
        if not level:
            return value
    raise PydanticCustomError("depth", "nested too deeply")


def _no_switch(value: Any) -> Any:
    """Refuses true and false, which Python takes for 1 and 0."""
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "a number")
    return value


def _resolution(value: str) -> str:
    text = value.strip().lower()
    return f"{text}p" if text.isdigit() else text


def _fits_an_id(value: str) -> str:
    if len(value.encode("utf-8", "surrogateescape")) > MAX_MODEL_BYTES:
        raise PydanticCustomError("too_many_bytes", "at most {limit} bytes", {"limit": MAX_MODEL_BYTES})
    return value.strip()


def _stripped(value: str) -> str:
    return value.strip()


def _webhook_secret(value: str) -> str:
    if not is_secret(value):
        raise PydanticCustomError("webhook_secret", "whsec_ and base64")
    return value


Text = str | None
Secret = Annotated[
    str,
    AfterValidator(_webhook_secret),
    WithJsonSchema({"type": "string", "pattern": PATTERN}),
]
WebhookUrl = Annotated[str, AfterValidator(_stripped)] | None
# Limits stand before validators: after one they would not be known to JSON schema.
Duration = (
    Annotated[int, Field(ge=-1), BeforeValidator(_no_switch), AfterValidator(lambda seconds: min(seconds, MAX_SECONDS))]
    | None
)
Switch = bool | None
ReusedDuration = Annotated[int, Field(ge=1, le=60), BeforeValidator(_no_switch)] | None
Seed = Annotated[int, Field(ge=0, le=MAX_SEED), BeforeValidator(_no_switch)] | None
Options = Annotated[
    Annotated[dict[str, Any], AfterValidator(_shallow)] | None,
    BeforeValidator(_object_in_text),
]
Resolution = Annotated[str, AfterValidator(_resolution)]
ModelName = Annotated[str, AfterValidator(_fits_an_id)]
