"""Reading the nested JSON texts of a submit: each step gives the part, or refuses the draft."""

import re
from typing import Any

import orjson

from providers.sandbox.jimeng.errors import DRAFT, Refused, need

Json = dict[str, Any]
Version = tuple[int, ...]

_VERSION = re.compile(r"\d{1,4}(\.\d{1,4}){2}", re.ASCII)


def as_object(value: object, name: str) -> Json:
    """A JSON object. Raises `Refused`, as all here do."""
    if not isinstance(value, dict):
        raise Refused(DRAFT, f"{name} is not an object")
    return value


def first_of(value: object, name: str) -> Json:
    """The only object that counts of a list."""
    if not isinstance(value, list) or not value:
        raise Refused(DRAFT, f"{name} is empty")
    return as_object(value[0], f"{name}[0]")


def from_text(value: object, name: str) -> Any:
    """What a JSON text holds; an object in its place is refused."""
    if not isinstance(value, str):
        raise Refused(DRAFT, f"{name} is not a text")
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise Refused(DRAFT, f"{name} is not JSON") from None


def version(value: object, name: str, ret: str = DRAFT) -> Version:
    """Three numbers with dots, as a tuple that compares."""
    need(isinstance(value, str) and _VERSION.fullmatch(value), f"{name} is not a version", ret)
    return tuple(int(part) for part in str(value).split("."))
