"""Request bodies: JSON, multipart and URL-encoded forms become the same nested object."""

import asyncio
import itertools
import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any, cast

import orjson
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from gateway.errors import GatewayError, refused
from gateway.messages import ERRORS
from providers.files import MediaFile

MAX_FIELDS = 1000
MAX_FILES = 20
MAX_DEPTH = 8

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")


@asynccontextmanager
async def read_object(request: Request, limit: int) -> AsyncGenerator[dict[str, Any], None]:
    """The body as an object, whatever its Content-Type. Raises GatewayError.

    In forms, `name[a][b]` nests, `name[]` and repeated names make lists, and a file is a `MediaFile`, which is open
    until the context is left. `limit` bounds the texts of a form together, in bytes; the whole body is bounded by the
    application.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        async with AsyncExitStack() as opened:
            yield await _read_multipart(request, limit, opened)
        return
    body = await request.body()
    if kind == "application/x-www-form-urlencoded" and not body.lstrip().startswith(b"{"):
        yield await _read_urlencoded(request, limit)
        return
    # curl calls a JSON body a form unless told otherwise: what looks like JSON is read as JSON.
    if kind not in ("", "application/json", "text/plain", "application/x-www-form-urlencoded") and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        raise refused("unsupported_media_type")
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise refused("invalid_json") from None
    if not isinstance(parsed, dict):
        raise refused("invalid_json")
    yield parsed


class _FormParser(MultiPartParser):
    """Files go to disk as they come; what is in memory, the texts, is bounded for all of them together."""

    text_bytes = 0

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current_part.file is None:
            self.text_bytes += end - start
            if self.text_bytes > self.max_part_size:
                raise GatewayError("too_large", values={"limit": self.max_part_size})
        super().on_part_data(data, start, end)


async def _read_multipart(request: Request, limit: int, opened: AsyncExitStack) -> dict[str, Any]:
    try:
        async with aclosing(request.stream()) as stream:
            parser = _FormParser(
                request.headers, stream, max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=limit
            )
            form = await parser.parse()
    except (MultiPartException, UnicodeError, LookupError):
        raise refused("invalid_form") from None
    opened.push_async_callback(form.close)
    items: list[tuple[str, Any]] = []
    for name, value in form.multi_items():
        if isinstance(value, str):
            items.append((name, value))
        elif value.size or value.filename:
            items.append((name, await _inspect(value, name)))
        # Browsers send a file without name and content for a field that was left empty.
    return _fields(items)


async def _inspect(upload: UploadFile, name: str) -> MediaFile:
    file = await asyncio.to_thread(MediaFile.inspect, upload.file)
    if file is None:
        raise GatewayError("invalid_value", ERRORS["not_media"], param=name, values={"param": name})
    return file


async def _read_urlencoded(request: Request, limit: int) -> dict[str, Any]:
    try:
        form = await request.form(max_fields=MAX_FIELDS, max_part_size=limit)
    except (HTTPException, UnicodeError, LookupError):
        raise refused("invalid_form") from None
    return _fields(cast("list[tuple[str, Any]]", form.multi_items()))


def _fields(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    fields = nest(items)
    # A form has texts only, and the upstream's own parameters have types.
    if isinstance(fields.get("provider_options"), dict):
        fields["provider_options"] = _typed(fields["provider_options"])
    return fields


def _typed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _typed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_typed(item) for item in value]
    if isinstance(value, MediaFile):
        raise refused("invalid_form")
    try:
        typed = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
    return typed if isinstance(typed, bool | int | float) else value


def nest(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Form fields as one nested object. Raises GatewayError when names contradict each other.

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
            raise refused("invalid_form")
        holder = root
        for key, following in itertools.pairwise(path):
            holder = _next_element(holder, following) if key == "" else holder.setdefault(key, {})
            if not isinstance(holder, dict):
                raise refused("invalid_form")
        present = holder.get(path[-1])
        if isinstance(present, dict):
            raise refused("invalid_form")
        if isinstance(present, list):
            present.append(value)
        elif present is not None:
            holder[path[-1]] = [present, value]
        else:
            holder[path[-1]] = [value] if as_list else value
    return {name: _numbered_as_list(value) for name, value in root.items()}


def _next_element(elements: dict[str, Any], name: str) -> Any:
    """Of `images[][url]`, the object that `url` belongs to: a new one where the last one has it already."""
    last = elements.get(str(len(elements) - 1))
    if not isinstance(last, dict) or name in last:
        last = elements[str(len(elements))] = {}
    return last


def _numbered_as_list(value: Any) -> Any:
    """`images[0]`, `images[1]` are a list as well."""
    if not isinstance(value, dict):
        return value
    inner = {name: _numbered_as_list(item) for name, item in value.items()}
    if all(name.isascii() and name.isdigit() and len(name) < 4 for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner
