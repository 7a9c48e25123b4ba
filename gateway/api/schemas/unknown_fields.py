"""Unknown fields: which of them decide the video or its price, and which field the client may have meant."""

from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from gateway.api.schemas import field_aliases as aliases
from gateway.api.schemas.field_aliases import Field, InputField
from gateway.api.schemas.field_values import json_of
from gateway.api.schemas.media_fields import holds_inputs, is_address, is_file, kind_by_address, leaves

_MAY_HOLD_ADDRESSES = frozenset(
    {
        *("prompt", "negative_prompt", "motion_prompt", "camera_movement", "lighting", "provider_options", "audio"),
        "webhook_url",
    }
)
"""Scalar fields in which an address is a text like any other, an input, or the client's own."""

_SHAPE = frozenset({"size", "ratio", "resolution", "duration"})
_NEAREST = 3
_LIKENESS = 0.8
_MISSPELLED = 0.85
_SHOWN_NAME = 64
_LONGEST_NAME = 256
"""Characters of a name that are looked at: names are in the caches below."""


def holds_media(value: Any) -> bool:
    """True for a label that holds a file, a `data:` URL or the address of a picture, a clip or a sound."""
    return any(is_file(leaf) or (isinstance(leaf, str) and _is_media_address(leaf.strip())) for leaf in leaves(value))


def _is_media_address(text: str) -> bool:
    return is_address(text) and kind_by_address(text) is not None


def holds_misplaced_inputs(own: str, value: Any) -> bool:
    """True for a value of a scalar field that is or holds an input, where the field takes none."""
    if own in _MAY_HOLD_ADDRESSES:
        return False
    if isinstance(value, str) and value.lstrip()[:1] not in ("[", "{"):
        return is_address(value.lstrip())
    return holds_inputs(value)


def holds_files(value: Any) -> bool:
    """True for a file of a form, or a list or an object that holds one."""
    return any(map(is_file, leaves(value)))


@lru_cache(1024)
def is_misspelled(name: str) -> bool:
    """True for a name that differs from one of ours by a letter or two."""
    return bool(get_close_matches(name[:_SHOWN_NAME].lower(), aliases.all_names(), 1, _MISSPELLED))


def decides(name: str, value: Any) -> bool:
    """True for an unknown field that decides the video or its price, by what it holds or by its name."""
    if holds_inputs(value):
        return True
    if value is False or aliases.is_one_of(name, aliases.IGNORED):
        return False
    return bool(_deciding(name[:_LONGEST_NAME]) or _alike(name[:_SHOWN_NAME]) or shape_inside(value))


def shape_inside(value: Any) -> tuple[str, ...]:
    """Our names of the fields of shape and length that an object has, at any depth, such as
    `{"aspect_ratio": "9:16"}`."""
    found: dict[str, None] = {}
    level: list[Any] = [value]
    while level:
        item = json_of(level.pop())
        if isinstance(item, dict):
            named = (aliases.field_of(name) for name in item if not aliases.is_one_of(name, aliases.IGNORED))
            found |= {declared.name: None for declared in named if declared is not None and declared.name in _SHAPE}
            level += item.values()
        elif isinstance(item, list):
            level += item
    return tuple(found)


@lru_cache(1024)
def _deciding(name: str) -> frozenset[str]:
    """The fields that the words of a name speak of."""
    words = aliases.words_of(name)
    return frozenset(own for own, listed in aliases.DECIDING_WORDS.items() if not words.isdisjoint(listed))


@lru_cache(1024)
def _alike(name: str) -> tuple[str, ...]:
    """Our names of the fields that a name is almost one of."""
    close = get_close_matches(name.lower(), aliases.all_names(), _NEAREST, _LIKENESS)
    return tuple(dict.fromkeys(_shown(aliases.all_names()[found], found) for found in close))


def nearest_fields(name: str, value: Any = None) -> tuple[str, ...]:
    """The fields that an unknown name, or the names in its value, may mean, the likeliest first; at most three."""
    alike = _alike(name[:_SHOWN_NAME])
    by_words = tuple(own for own in aliases.DECIDING_WORDS if own in _deciding(name[:_LONGEST_NAME]))
    return tuple(dict.fromkeys((*alike, *by_words, *shape_inside(value))))[:_NEAREST]


def _shown(declared: Field, found: str) -> str:
    return found if isinstance(declared, InputField) and declared.numbered else declared.name


def input_names() -> Iterator[str]:
    """The names of the fields that take inputs, as error messages show them."""
    for declared in aliases.INPUTS:
        yield f"{declared.name}N" if declared.numbered else declared.name
