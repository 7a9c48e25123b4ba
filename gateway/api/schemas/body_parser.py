"""Request bodies: JSON, multipart and URL-encoded forms become the same nested object."""

import itertools
import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from gateway.core.errors import GatewayError, gateway_error
from gateway.core.json_values import has_more_values
from gateway.core.localization import format_bytes
from gateway.core.messages import ERRORS
from providers.media_files import HEAD_BYTES, MediaFile
from providers.offload import offload

MAX_FIELDS = 1000
MAX_FILES = 20
MAX_DEPTH = 8
MAX_URLENCODED_BYTES = 1024 * 1024
"""Parsing such a form is slow for its size, and images have better ways."""

MAX_VALUES = 50_000
"""Approximate values of a JSON body: its commas and opening brackets, including those inside of strings.
For a form, those of its JSON texts together."""

JSON, MULTIPART, URLENCODED = "application/json", "multipart/form-data", "application/x-www-form-urlencoded"

_BOM = b"\xef\xbb\xbf"
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([^\s\"';]+)", re.IGNORECASE)
_UTF8_NAMES = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_FILE_TYPES = (b"image/", b"video/", b"audio/", b"application/octet-stream")
"""Media types of form parts that are files, with or without a file name."""

_FILE_NAME = re.compile(rb";\s*filename\s*=", re.IGNORECASE)
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    """A file of a form that is no image, video or audio, with its first bytes. Its field rejects it."""

    head: bytes = b""


def body_kind(headers: Headers) -> str:
    """JSON, MULTIPART, URLENCODED, or "" for anything else, by the Content-Type."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in (MULTIPART, URLENCODED):
        return kind
    is_json = kind in ("", JSON, "text/plain") or (kind.startswith("application/") and kind.endswith("+json"))
    return JSON if is_json else ""


def require_utf8_charset(content_type: str) -> None:
    """Raises GatewayError (400) for a declared charset that is not UTF-8: clients do not choose the decoder."""
    if any(declared.lower() not in _UTF8_NAMES for declared in _CHARSET.findall(content_type)):
        raise gateway_error("not_utf8")


def body_too_large(limit: int, kind: str) -> GatewayError:
    """Build the error (413) for a body of more than `limit` bytes."""
    message = ERRORS["form_too_large" if kind == MULTIPART else "too_large"]
    return GatewayError("too_large", message, values={"limit": format_bytes(limit)})


@asynccontextmanager
async def read_object(request: Request, limit: int, *, files: bool = True) -> AsyncGenerator[dict[str, Any], None]:
    """The body as an object, whatever its Content-Type. Raises GatewayError.

    In forms, `name[a][b]` nests, `name[]` and repeated names make lists, and a file is a `MediaFile`, which is open
    inside of the context, or an `UnreadableFile`. `limit` is the maximum size of the body in bytes; of a multipart form
    it is that of its text fields together, and `BodyLimit` limits the rest. Without `files`, a file is an error.
    """
    kind = body_kind(request.headers)
    require_utf8_charset(request.headers.get("content-type", ""))
    if kind == MULTIPART:
        async with AsyncExitStack() as opened:
            yield await _read_multipart(request, limit, MAX_FILES if files else 0, opened)
        return
    if not kind:
        raise gateway_error("unsupported_media_type")
    # No local variable holds the body, which may be large, while its request runs.
    yield await _read_fields(request, kind, limit)


async def read_json(request: Request, limit: int) -> tuple[bytes, dict[str, Any]]:
    """The body as it is, without a byte order mark, and the JSON object in it, whatever its Content-Type. Raises
    GatewayError."""
    body = await read_body(request, limit)
    return bytes(_without_mark(body)), await offload(len(body), partial(_read_json, body))


async def read_body(request: Request, limit: int) -> bytes:
    """The body as it is, whatever its Content-Type. Raises GatewayError: 413 for more than `limit` bytes, also where
    `BodyLimit` takes it for a form, and 400 for a declared charset other than UTF-8."""
    require_utf8_charset(request.headers.get("content-type", ""))
    return bytes(await _read(request, limit))


async def _read_fields(request: Request, kind: str, limit: int) -> dict[str, Any]:
    """The fields of a body that is no multipart form."""
    body = await _read(request, limit)
    # curl sends JSON as a form unless told otherwise: what looks like JSON is read as JSON.
    if kind == URLENCODED and not _starts_object(body):
        return _read_urlencoded(bytes(body).removeprefix(_BOM))
    return await offload(len(body), partial(_read_json, body))


def _starts_object(body: bytearray) -> bool:
    return re.match(rb"(?:\xef\xbb\xbf)?\s*\{", body) is not None


def _read_json(body: bytes | bytearray) -> dict[str, Any]:
    """Parse a JSON object. Raises GatewayError."""
    # A data: URL has one comma: a body of so many values is no request, and would take long to validate.
    if has_more_values(body, MAX_VALUES):
        raise gateway_error("invalid_json")
    try:
        parsed = orjson.loads(_without_mark(body))
    except orjson.JSONDecodeError:
        raise gateway_error("invalid_json" if _is_utf8(body) else "not_utf8") from None
    if not isinstance(parsed, dict):
        raise gateway_error("invalid_json")
    return parsed


def _without_mark(body: bytes | bytearray) -> memoryview:
    """The body without a byte order mark."""
    return memoryview(body)[len(_BOM) if body.startswith(_BOM) else 0 :]


def _is_utf8(body: bytes | bytearray) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


async def _read(request: Request, limit: int) -> bytearray:
    """The whole body. `request` does not keep it, since its response may take long."""
    body = bytearray()
    async with aclosing(request.stream()) as stream:
        async for piece in stream:
            body += piece
            if len(body) > limit:
                raise body_too_large(limit, JSON)
    return body


class _FormParser(MultiPartParser):
    """Spools files to disk as they arrive; text fields stay in memory, and their total size is limited."""

    text_bytes = 0
    is_complete = True
    """False from the first part to the last boundary: a form that ends between them lacks a part."""

    def on_part_begin(self) -> None:
        self.is_complete = False
        super().on_part_begin()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current_part.file is None:
            self.text_bytes += end - start
            if self.text_bytes > self.max_part_size:
                raise body_too_large(self.max_part_size, MULTIPART)
        super().on_part_data(data, start, end)

    def on_headers_finished(self) -> None:
        part = self._current_part
        media_type = next((value for name, value in part.item_headers if name == b"content-type"), b"").lower()
        if media_type.startswith(_FILE_TYPES) and not _FILE_NAME.search(part.content_disposition or b""):
            part.content_disposition = (part.content_disposition or b"") + b'; filename=""'
        require_utf8_charset(media_type.decode("latin-1"))
        super().on_headers_finished()

    def on_part_end(self) -> None:
        part = self._current_part
        if part.file is None:
            self.items.append((part.field_name, bytes(part.data).decode("utf-8")))
        else:
            super().on_part_end()

    def on_end(self) -> None:
        self.is_complete = True


async def _read_multipart(request: Request, limit: int, max_files: int, opened: AsyncExitStack) -> dict[str, Any]:
    try:
        async with aclosing(request.stream()) as stream:
            parser = _FormParser(
                request.headers, stream, max_files=max_files, max_fields=MAX_FIELDS, max_part_size=limit
            )
            form = await parser.parse()
            opened.push_async_callback(form.close)
    except MultiPartException as error:
        # Only the message tells the cases apart.
        if "Too many files" in error.message:
            raise gateway_error("too_many_files", limit=max_files) from None
        raise gateway_error("invalid_form") from None
    except UnicodeError:
        raise gateway_error("not_utf8") from None
    if not parser.is_complete:
        raise gateway_error("invalid_form")
    items: list[tuple[str, Any]] = []
    for name, value in form.multi_items():
        if isinstance(value, str):
            items.append((name, value))
        elif value.size or value.filename:
            file = await offload(value.size or 0, partial(MediaFile.inspect, value.file))
            if file is not None:
                file.client_name = value.filename or ""
            items.append((name, file or UnreadableFile(await _head(value))))
        # Browsers send a file without name and content for an empty file field.
    return _fields(items)


async def _head(upload: UploadFile) -> bytes:
    await upload.seek(0)
    return await upload.read(HEAD_BYTES)


def _read_urlencoded(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_URLENCODED_BYTES:
        raise body_too_large(MAX_URLENCODED_BYTES, URLENCODED)
    try:
        items = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise gateway_error("not_utf8") from None
    except ValueError:
        raise gateway_error("invalid_form") from None
    return _fields(items)


def _fields(items: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    texts = (value for _, value in items if isinstance(value, str) and value.lstrip().startswith(("{", "[")))
    if sum(text.count(sign) for text in texts for sign in (",", "[", "{")) > MAX_VALUES:
        raise gateway_error("invalid_form")
    # Browsers send each line break of a form field as CRLF, whatever was typed (HTML, "Multipart form data").
    fields = nest((name, value.replace("\r\n", "\n") if isinstance(value, str) else value) for name, value in items)
    # Form values are strings, but the upstream's parameters have types.
    if isinstance(fields.get("provider_options"), dict):
        fields["provider_options"] = _typed(fields["provider_options"])
    return fields


def _typed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _typed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_typed(item) for item in value]
    if not isinstance(value, str):
        raise gateway_error("invalid_form")
    try:
        typed = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
    return typed if isinstance(typed, bool | int | float) else value


def nest(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Form fields as one nested object. Raises GatewayError for contradictory names.

    >>> nest([("a", "1"), ("b[]", "2"), ("b[]", "3"), ("c[d][e]", "4")])
    {'a': '1', 'b': ['2', '3'], 'c': {'d': {'e': '4'}}}
    """
    root: dict[str, Any] = {}
    for name, value in items:
        match = _NAME.fullmatch(name)
        path = [match[1], *_PART.findall(match[2])] if match else [name]
        as_list = len(path) > 1 and path[-1] == ""
        if as_list:
            path.pop()
        if len(path) > MAX_DEPTH or path[0] == "":
            raise gateway_error("invalid_form")
        holder = root
        for key, following in itertools.pairwise(path):
            holder = _next_element(holder, following) if key == "" else holder.setdefault(key, {})
            if not isinstance(holder, dict):
                raise gateway_error("invalid_form")
        present = holder.get(path[-1])
        if isinstance(present, dict):
            raise gateway_error("invalid_form")
        if isinstance(present, list):
            present.append(value)
        elif present is not None:
            holder[path[-1]] = [present, value]
        else:
            holder[path[-1]] = [value] if as_list else value
    return {name: _numbered_as_list(value) for name, value in root.items()}


def _next_element(elements: dict[str, Any], name: str) -> Any:
    """The element that `url` of `images[][url]` belongs to: the last one, or a new one if the last one has `url`."""
    last = elements.get(str(len(elements) - 1))
    if not isinstance(last, dict) or name in last:
        last = elements[str(len(elements))] = {}
    return last


def _numbered_as_list(value: Any) -> Any:
    """`images[0]`, `images[1]` as a list."""
    if not isinstance(value, dict):
        return value
    inner = {name: _numbered_as_list(item) for name, item in value.items()}
    if all(name.isascii() and name.isdigit() and len(name) < 4 for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner
