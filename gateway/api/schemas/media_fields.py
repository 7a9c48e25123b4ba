"""Fields for pictures, clips and sounds: in whatever form a client gives them, one address or file comes out."""

from collections.abc import Callable
from typing import Annotated, Any, TypeGuard
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.api.schemas.body_parser import UnreadableFile
from gateway.media.unreadable import READABLE, unreadable
from providers.contract.localized_text import LocalizedText
from providers.contract.media import MediaRole
from providers.contract.requests import Media
from providers.media_files import TYPES, MediaFile, MediaKind

MAX_INPUTS = 50
"""Of one list: what Seedance 2.5 takes in all."""

Given = str | MediaFile
"""An input as a client gives it: an address (`https://`, `data:`, …), or a file in a form."""

ADDRESSES = ("https://", "http://", "oss://", "data:")

WANTED: dict[str, str] = {
    "address": "https://…, data:image/…;base64,…",
    "one_only": "1",
    "file_id": "https://…, data:image/…;base64,…",
    "not_media": READABLE,
    **{f"not_{kind}": ", ".join(TYPES[kind]) for kind in MediaKind},
}
"""What is allowed instead, by the kind of the problem."""

_ONE_ONLY = LocalizedText(
    "该字段只接受一个输入；多个请用 images[]（或 image_file_1、image_file_2 …）",
    "This field takes one input: several go into images[], or image_file_1, image_file_2, …",
)


def hint_for(value: object, kind: str) -> LocalizedText | None:
    """A sentence on the way out of a problem of the kind `kind`, where there is more to say than what is allowed."""
    if isinstance(value, UnreadableFile):
        return unreadable(value.head, WANTED.get(kind) or WANTED["not_media"])
    return _ONE_ONLY if kind == "one_only" else None


_ENDINGS = {MediaKind.VIDEO: ("mp4", "mov", "webm", "m4v"), MediaKind.AUDIO: ("mp3", "wav", "m4a")}


def is_address(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value[:8].lower().startswith(ADDRESSES)


def media(kind: MediaKind, given: Given, param: str, role: MediaRole | None = None) -> Media:
    """An input in the words of the providers."""
    if isinstance(given, MediaFile):
        return Media(kind, "", param, role, given)
    return Media(kind, given, param, role)


def kind_of(given: Given) -> MediaKind:
    """What an input of a field for any kind is: a file by its content, an address by its ending, else a picture."""
    if isinstance(given, MediaFile):
        return given.kind
    if given.startswith("data:"):
        kind = given[len("data:") :].partition("/")[0]
        return MediaKind(kind) if kind in set(MediaKind) else MediaKind.IMAGE
    ending = _path(given).rpartition(".")[2].lower()
    return next((kind for kind, endings in _ENDINGS.items() if ending in endings), MediaKind.IMAGE)


def _path(address: str) -> str:
    try:
        return urlsplit(address).path
    except ValueError:
        return ""


def _unwrapped(value: Any) -> Any:
    """What stands inside the shapes in which clients send a picture: text, `{"url"}`, `{"image_url"}`."""
    for _ in range(3):
        if not isinstance(value, dict):
            break
        if value.get("file_id"):
            raise PydanticCustomError("file_id", "files are not kept here")
        names = [name for name in ("image_url", "video_url", "audio_url", "url") if name in value]
        if not names:
            raise PydanticCustomError("address", "an address is missing")
        value = next((value[name] for name in names if value[name]), None)
    return None if isinstance(value, str) and not value.strip() else value


def _given(value: Any) -> Given | None:
    """An address or a file of any kind; None for a field that was left empty."""
    value = _unwrapped(value[0] if isinstance(value, list) and len(value) == 1 else value)
    if isinstance(value, UnreadableFile):
        raise PydanticCustomError("not_media", "no file that anybody reads")
    if value is None or isinstance(value, MediaFile):
        return value
    if isinstance(value, list) and len(value) > 1:
        raise PydanticCustomError("one_only", "one input")
    text = value.strip() if isinstance(value, str) else ""
    if is_address(text):
        scheme, _, rest = text.partition(":")
        return f"{scheme.lower()}:{rest}"
    raise PydanticCustomError("address", "an https:// address or a data: URL")


def _given_as(kind: MediaKind) -> Callable[[Any], Given | None]:
    def given(value: Any) -> Given | None:
        found = value if isinstance(value, UnreadableFile) else _given(value)
        if isinstance(found, UnreadableFile):
            raise PydanticCustomError(f"not_{kind}", "no file that anybody reads")
        if isinstance(found, MediaFile) and found.kind is not kind:
            raise PydanticCustomError(f"not_{kind}", "a file of another kind")
        return found

    return given


def _listed(value: Any) -> Any:
    if value is None or (isinstance(value, str) and not value.strip()):
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _earlier_video(value: Any) -> Any:
    """An id, an object around one, an address, or a file."""
    if isinstance(value, UnreadableFile) or (isinstance(value, MediaFile) and value.kind is not MediaKind.VIDEO):
        raise PydanticCustomError("not_video", "a file of another kind")
    if value is None or isinstance(value, str | dict | MediaFile):
        return value
    raise PydanticCustomError("address", "an https:// address")


FILE_MARK = "x-takes-file"
"""In the schema of a field: in a form it takes a file as well."""

_TEXT = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}, {"type": "null"}], FILE_MARK: True})

Input = Annotated[Any, PlainValidator(_given), _TEXT]
Picture = Annotated[Any, PlainValidator(_given_as(MediaKind.IMAGE)), _TEXT]
Clip = Annotated[Any, PlainValidator(_given_as(MediaKind.VIDEO)), _TEXT]
Sound = Annotated[Any, PlainValidator(_given_as(MediaKind.AUDIO)), _TEXT]
Inputs = Annotated[tuple[Input, ...], Field(max_length=MAX_INPUTS), BeforeValidator(_listed)]
EarlierVideo = Annotated[
    Any,
    PlainValidator(_earlier_video),
    WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "string"}, {"type": "null"}], FILE_MARK: True}),
]
