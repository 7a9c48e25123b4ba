"""Unknown fields: which of them decide the video or its price, and which field the client may have meant."""

from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from gateway.api.schemas import field_aliases as aliases
from gateway.api.schemas.body_parser import UnreadableFile
from gateway.api.schemas.field_aliases import Field, InputField
from gateway.api.schemas.media_fields import holds_inputs, is_address, kind_by_address
from providers.media_files import MediaFile

_TEXTS = frozenset(
    {"prompt", "negative_prompt", "motion_prompt", "camera_movement", "lighting", "provider_options", "audio"}
)
"""Scalar fields in which an address is a text like any other, or an input."""

_NEAREST = 3
_LIKENESS = 0.8
_MISSPELLED = 0.85
_SHOWN_NAME = 64
_LONGEST_NAME = 256
"""Characters of a name that are looked at: names are in the caches below."""


def holds_media(value: Any) -> bool:
    """True for a label that holds a file, a `data:` URL or the address of a picture, a clip or a sound."""
    level: list[Any] = [value]
    while level:
        item = level.pop()
        if isinstance(item, dict):
            level += item.values()
        elif isinstance(item, list):
            level += item
        elif isinstance(item, str):
            if is_address(item.lstrip()) and kind_by_address(item.strip()) is not None:
                return True
        elif isinstance(item, MediaFile | UnreadableFile):
            return True
    return False


def holds_misplaced_inputs(own: str, value: Any) -> bool:
    """True for a value of a scalar field that is or holds an input, where the field takes none."""
    if isinstance(value, str):
        return ":" in value and own not in _TEXTS and is_address(value.lstrip())
    return isinstance(value, dict | list) and own not in _TEXTS and holds_inputs(value)


def holds_files(value: Any) -> bool:
    """True for a file of a form, or a list or an object that holds one."""
    if isinstance(value, dict):
        return any(map(holds_files, value.values()))
    if isinstance(value, list):
        return any(map(holds_files, value))
    return isinstance(value, MediaFile | UnreadableFile)


@lru_cache(1024)
def is_misspelled(name: str) -> bool:
    """True for a name that differs from one of ours by a letter or two."""
    return bool(get_close_matches(name[:_SHOWN_NAME].lower(), aliases.all_names(), 1, _MISSPELLED))


def decides(name: str, value: Any) -> bool:
    """True for an unknown field that decides the video or its price, by what it holds or by its name."""
    if name.lower() in aliases.WEBHOOKS:
        return False
    if holds_inputs(value):
        return True
    if value is False or name.lower() in aliases.IGNORED:
        return False
    return bool(_deciding(name[:_LONGEST_NAME]) or _alike(name[:_SHOWN_NAME]))


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


def nearest_fields(name: str) -> tuple[str, ...]:
    """The fields that an unknown name may mean, the likeliest first; at most three."""
    alike = _alike(name[:_SHOWN_NAME])
    by_words = tuple(own for own in aliases.DECIDING_WORDS if own in _deciding(name[:_LONGEST_NAME]))
    return tuple(dict.fromkeys((*alike, *by_words)))[:_NEAREST]


def _shown(declared: Field, found: str) -> str:
    return found if isinstance(declared, InputField) and declared.numbered else declared.name


def input_names() -> Iterator[str]:
    """The names of the fields that take inputs, as error messages show them."""
    for declared in aliases.INPUTS:
        yield f"{declared.name}N" if declared.numbered else declared.name
