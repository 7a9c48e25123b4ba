"""Reading JSON that somebody else wrote: a value where it is of the kind that is wanted, never an exception."""

from typing import Any


def dig(value: Any, *path: str) -> Any:
    """What lies at the end of the path, None where it does not lead anywhere."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def first(value: Any) -> Any:
    """The first of a list, None where there is none."""
    return value[0] if isinstance(value, list) and value else None


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
