"""Inputs of a request: in whatever form a client gives pictures, clips and sounds, `Media` comes out."""

import re
from collections.abc import Iterator
from typing import Any, TypeGuard
from urllib.parse import unquote, urlsplit

from gateway.api.schemas.body_parser import UnreadableFile
from gateway.api.schemas.field_aliases import KIND_WORDS, MAX_INPUTS, REFERENCE_WORD, ROLES, InputField
from gateway.api.schemas.field_values import json_of
from gateway.media.unreadable import READABLE, unreadable
from providers.contract.errors import FieldProblem, FieldReason
from providers.contract.localized_text import LocalizedText
from providers.contract.media import MediaRole
from providers.contract.requests import Media
from providers.media_files import NAMES, TYPES, MediaFile, MediaKind

Given = str | MediaFile
"""An input as a client gives it: an address (`https://`, `data:`, …), or a file in a form."""

ADDRESSES = ("https://", "http://", "oss://", "data:")
_ADDRESS_KEYS = ("url", "image_url", "video_url", "audio_url", "image", "video", "audio", "data", "uri")
"""Where an object that stands for an input holds its address, the first that is there."""
_ROLE_KEYS = ("type", "role", "frame_type", "refer_type")
_PLAIN_WORDS = frozenset({"url", "file", "base64", "input_file"})
"""In their places: words that say how an input is given. A media type is one as well."""
_MAX_NESTING = 4
_SHOWN_CHARACTERS = 60

_ENDINGS = {
    MediaKind.VIDEO: ("mp4", "mov", "webm", "m4v", "avi", "mkv"),
    MediaKind.AUDIO: ("mp3", "wav", "m4a", "aac", "ogg", "flac"),
    MediaKind.IMAGE: ("png", "jpg", "jpeg", "webp", "gif", "bmp", "heic", "avif", "tiff"),
}
_REFERENCES = {
    MediaKind.IMAGE: MediaRole.REFERENCE_IMAGE,
    MediaKind.VIDEO: MediaRole.REFERENCE_VIDEO,
    MediaKind.AUDIO: MediaRole.REFERENCE_AUDIO,
}
# A data: URL has a comma of its own, which no scheme follows. Each run of blanks is gone through once.
_BETWEEN_ADDRESSES = re.compile(r"(?:[,;]|(?<!\s)\s)\s*+(?=(?:https?|oss)://|data:)", re.IGNORECASE)

_WANTED_ADDRESS = "https://…, data:image/…;base64,…"
_ONE_ONLY = LocalizedText(
    "该字段只接受一个输入；多个请用 images[]（或 image_file_1、image_file_2 …）",
    "This field takes one input: several go into images[], or image_file_1, image_file_2, …",
)
_NO_FILE_IDS = LocalizedText(
    "网关不保存文件，没有 file_id；请直接上传文件，或提供 https 地址、data: URL",
    "The gateway stores no files and has no file_id: send the file itself, an https address or a data: URL",
)


class InputError(Exception):
    """A value that is no input. `value` is shown to the client where it is text or a number."""

    def __init__(self, wanted: str, value: object, hint: LocalizedText | None = None) -> None:
        super().__init__(wanted)
        self.wanted = wanted
        self.value = value
        self.hint = hint

    def problem(self, param: str) -> FieldProblem:
        shown = "" if self.hint else shown_value(self.value)
        return FieldProblem(param, FieldReason.NOT_ALLOWED, (self.wanted,) if self.wanted else (), shown, self.hint)


def shown_value(value: object) -> str:
    """A client's value in an error message, as JSON writes it: a short text, never binary."""
    if value is None:
        return ""
    if isinstance(value, MediaFile):
        return NAMES[value.media_type]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return "{…}" if isinstance(value, dict) else "[…]"
    if not isinstance(value, str | int | float):
        return ""
    text = str(value)[:_SHOWN_CHARACTERS]
    return text if text.isprintable() else ""


def is_address(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value[:8].lower().startswith(ADDRESSES)


def kind_of(given: Given) -> MediaKind:
    """What an input of a field for any kind is: a file by its content, an address by its ending, else a picture."""
    if isinstance(given, MediaFile):
        return given.kind
    return kind_by_address(given) or MediaKind.IMAGE


def kind_by_address(address: str) -> MediaKind | None:
    """What an address says of its kind; None where it says nothing."""
    if address[:5].lower() == "data:":
        kind = address[len("data:") :].partition("/")[0].lower()
        return MediaKind(kind) if kind in set(MediaKind) else None
    ending = _path(address).rpartition(".")[2].lower()
    return next((kind for kind, endings in _ENDINGS.items() if ending in endings), None)


def read_inputs(field: InputField, path: str, value: Any) -> list[Media]:
    """The inputs that a client's value for a field holds. `path` is the name under which it came.

    Takes an address, a `data:` URL, a file, an object around one (`{url}`, `{image_url: {url}}`, `{type, url}`), JSON
    text of such an object, and lists and comma-separated texts of them where the field takes several. Blank ones are
    left out. Raises InputError.
    """
    if isinstance(value, str) and value.startswith(ADDRESSES) and value.find(":", len("https:")) < 0:
        # The common case: one address, which needs no cleaning.
        return [_place(field, path, value.rstrip(), "")]
    found = [read for element in _elements(value) if (read := _read(element)) is not None]
    if len(found) > 1 and not field.many:
        raise InputError("1", value, _ONE_ONLY)
    if len(found) > MAX_INPUTS:
        raise InputError(f"≤ {MAX_INPUTS}", value)
    return [_place(field, path, given, word) for given, word in found]


def media(kind: MediaKind, given: Given, param: str, role: MediaRole | None = None) -> Media:
    """An input as the providers take it."""
    if isinstance(given, MediaFile):
        return Media(kind, "", param, role, given, name=given.client_name)
    return Media(kind, given, param, role, name="" if given.startswith("data:") else _file_name(given))


def holds_inputs(value: Any) -> bool:
    """True if a JSON value holds a file, or at any depth a text that is an address or a `data:` URL, in JSON texts as
    well."""
    return any(is_file(leaf) or (isinstance(leaf, str) and is_address(leaf.lstrip())) for leaf in leaves(value))


def leaves(value: Any) -> Iterator[Any]:
    """What is no list or object in a value, those that are JSON text taken apart as well."""
    level: list[Any] = [value]
    while level:
        item = json_of(level.pop())
        if isinstance(item, dict):
            level += item.values()
        elif isinstance(item, list):
            level += item
        else:
            yield item


def is_file(value: object) -> TypeGuard[MediaFile | UnreadableFile]:
    return isinstance(value, MediaFile | UnreadableFile)


def _elements(value: Any, depth: int = 0) -> list[Any]:
    if isinstance(value, str):
        text = value.strip()
        if is_address(text):
            # A data: URL of megabytes has no other colon.
            return _BETWEEN_ADDRESSES.split(text, MAX_INPUTS) if text.find(":", len("https:")) >= 0 else [text]
        value = json_of(text)
    if not isinstance(value, list | tuple):
        return [value]
    if depth >= _MAX_NESTING:
        raise InputError(_WANTED_ADDRESS, value)
    return [element for item in value for element in _elements(item, depth + 1)]


def _read(element: Any) -> tuple[Given | UnreadableFile, str] | None:
    """An input with the word for its role; None for one that was left empty."""
    value, word = element, ""
    for _ in range(_MAX_NESTING):
        if not isinstance(value, dict):
            break
        value, own_word = _unwrapped(value)
        word = word or own_word
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, MediaFile | UnreadableFile):
        return value, word
    text = value.strip() if isinstance(value, str) else ""
    if not is_address(text):
        raise InputError(_WANTED_ADDRESS, value)
    scheme, _, rest = text.partition(":")
    return f"{scheme.lower()}:{rest}", word


def _unwrapped(value: dict[str, Any]) -> tuple[Any, str]:
    """What stands for the input in an object, and the word for its role. Another address beside it would be lost: it is
    refused."""
    if value.get("file_id"):
        raise InputError("", value, _NO_FILE_IDS)
    keys = [key for key in _ADDRESS_KEYS if key in value]
    if not keys:
        raise InputError(_WANTED_ADDRESS, value)
    key = next((key for key in keys if value[key]), keys[0])
    if any(name != key and item != value[key] and holds_inputs(item) for name, item in value.items()):
        raise InputError("1", value, _ONE_ONLY)
    given = [word for name in _ROLE_KEYS if (word := value.get(name)) is not None]
    for word in given:
        if not isinstance(word, str):
            raise InputError(", ".join(sorted(ROLES)), word)
    words = [word.lower() for word in given]
    telling = [word for word in words if word and word not in _PLAIN_WORDS and "/" not in word]
    return value[key], next((word for word in telling if word not in KIND_WORDS), telling[0] if telling else "")


def _place(field: InputField, path: str, given: Given | UnreadableFile, word: str) -> Media:
    """An input with its kind and its role, by its own word for it, else by the field. Raises InputError."""
    if isinstance(given, UnreadableFile):
        types = ", ".join(TYPES[field.kind]) if field.kind else READABLE
        raise InputError(types, given, unreadable(given.head, types))
    role = ROLES.get(word) if word else None
    kind = role.kind if role else field.kind or (KIND_WORDS.get(word) if word else None) or kind_of(given)
    if role is None:
        if word == REFERENCE_WORD or (field.reference and field.role is None):
            role = _REFERENCES[kind]
        elif word and word not in KIND_WORDS:
            raise InputError(", ".join(sorted(ROLES)), word)
        else:
            role = field.role
    if isinstance(given, MediaFile) and given.kind is not kind:
        raise InputError(", ".join(TYPES[kind]), given)
    return media(kind, given, path, role)


def _file_name(address: str) -> str:
    name = address.partition("#")[0].partition("?")[0].rpartition("/")[2]
    return unquote(name) if "%" in name else name


def _path(address: str) -> str:
    try:
        return urlsplit(address).path
    except ValueError:
        return ""
