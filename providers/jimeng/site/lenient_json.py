"""Lenient reading of upstream JSON: a value if it has the expected type, never an exception."""

import base64
import binascii
import re
from typing import Any

import orjson

_LONGEST_LINK = 8192
_LINK = re.compile(r"https?://[^/?#\s\x00-\x1f\x7f][^\s\x00-\x1f\x7f]*")


def dig(value: Any, *path: str) -> Any:
    """The value at a path of keys, None if there is none."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def first(value: Any) -> Any:
    """The first element of a list, None if there is none."""
    return value[0] if isinstance(value, list) and value else None


def json_text(value: Any) -> Any:
    """The decoded value of a JSON text, None for invalid JSON; a value of another type is returned unchanged."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except ValueError:
        return None


def link_text(value: Any) -> str:
    """An http or https URL, plain or in base64 (standard or URL-safe alphabet, with or without padding); "" for
    anything else."""
    text = string(value)
    if len(text) > 2 * _LONGEST_LINK:
        return ""
    text = text.strip()
    if _is_link(text):
        return text
    try:
        raw = base64.b64decode(text.translate(_STANDARD_ALPHABET) + "=" * (-len(text) % 4), validate=True)
        decoded = raw.decode().strip()
    except (binascii.Error, ValueError):
        return ""
    return decoded if _is_link(decoded) else ""


_STANDARD_ALPHABET = str.maketrans("-_", "+/")


def _is_link(text: str) -> bool:
    return len(text) <= _LONGEST_LINK and _LINK.fullmatch(text) is not None


def string(value: Any) -> str:
    """A text, "" for anything else."""
    return value if isinstance(value, str) else ""


def number_text(value: Any) -> str:
    """An id or a code as text, whether it came as text or as a number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, float):
        return str(int(value)) if value == value and abs(value) < 2**63 else ""
    return str(value).strip()


def id_text(value: Any) -> str:
    """An id as text; 0 is none."""
    text = number_text(value)
    return "" if text == "0" else text


def integer(value: Any) -> int | None:
    """A whole number that came as number or as text, None for anything else; a fraction is cut off."""
    found = number(value)
    return None if found is None else int(found)


def known_time(value: Any) -> float | None:
    """A time or a length in seconds; the site writes 0 for "not known"."""
    return number(value) or None


def number(value: Any) -> float | None:
    """A number that came as number or as text, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if abs(found) < 2**63 else None
