"""Values of fields in the forms that clients write them: switches, whole numbers, resolutions, ratios, sizes."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from gateway.api.schemas.field_aliases import fold

TIER = re.compile(r"\d{3,4}p|\dk", re.IGNORECASE | re.ASCII)
_BARE_TIER = re.compile(r"\d{3,4}p?|\dk", re.IGNORECASE | re.ASCII)
RATIO = re.compile(r"(\d{1,2})[:/xX×](\d{1,2})", re.ASCII)
PIXELS = re.compile(r"\d{2,5}[x*×]\d{2,5}", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(r"\d{1,6}(?:\.0+)?", re.ASCII)
_KLING_MODES = {"std": "720p", "pro": "1080p"}
_ON, _OFF = frozenset({"true", "1", "on", "yes", "y", "t"}), frozenset({"false", "0", "off", "no", "n", "f"})


def is_blank(value: Any) -> bool:
    """Forms send an empty text, and some clients null, for a field that was left empty."""
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None


def is_empty(value: Any) -> bool:
    """True for a list or an object without elements."""
    return isinstance(value, list | dict) and not value


def json_of(value: Any) -> Any:
    """A value, or the list or object that it holds as JSON text: forms carry them so."""
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def object_of(value: Any) -> Mapping[str, Any] | None:
    """An object, or the JSON text of one."""
    parsed = json_of(value)
    return parsed if isinstance(parsed, dict) else None


def switch_of(value: Any) -> bool | None:
    """True or false where a value is one or says so; None otherwise."""
    text = str(value).strip().lower() if isinstance(value, bool | int | str) else ""
    return True if text in _ON else False if text in _OFF else None


def whole_number(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    text = str(value).strip()
    return int(float(text)) if _NUMBER.fullmatch(text) else None


def tier_of(value: Any) -> str | None:
    """The resolution that `quality` or Kling's `mode` names."""
    text = value.strip().lower() if isinstance(value, str) else ""
    return _KLING_MODES.get(text) or (text if TIER.fullmatch(text) else None)


def is_random_seed(value: Any) -> bool:
    """True for the seed -1, with which clients of several upstreams ask for a random one."""
    return not isinstance(value, bool) and str(value).strip() == "-1"


def comparable(own: str, value: Any) -> Any:
    """What two values of a field are compared by: 5 and "5.0" are one length, 720 and 720P one resolution."""
    if own == "provider_options":
        return object_of(value)
    if own == "webhook_url":
        return str(value).strip()
    text = str(value).strip().lower()
    if own in ("duration", "seed"):
        number = _NUMBER.fullmatch(text)
        return float(text) if number else text
    if own == "resolution":
        return f"{text}p" if text.isdigit() else text
    if own == "size":
        return re.sub(r"[*×]", "x", text)
    switch = switch_of(value)
    return text if switch is None else switch


def is_read_of_metadata(own: str, name: str, value: Any) -> bool:
    """True for what `metadata` says of the shape and the length of the video: a value that cannot be read as its field
    is a label. `own` is our name of the field, `name` the client's."""
    text = str(value).strip() if isinstance(value, str | int | float) else ""
    match own:
        case "resolution" if fold(name) in ("mode", "quality"):
            return tier_of(value) is not None
        case "resolution":
            return bool(_BARE_TIER.fullmatch(text))
        case "size" if fold(name) in ("width", "height"):
            return bool(whole_number(value))
        case "size":
            return bool(PIXELS.fullmatch(text) or TIER.fullmatch(text) or RATIO.fullmatch(text))
        case "ratio":
            return bool(RATIO.fullmatch(text))
        case "duration":
            return bool(_NUMBER.fullmatch(text))
    return False
