"""Request bodies: JSON, multipart and URL-encoded forms become the same nested object."""

import itertools
import re
from collections.abc import Iterable
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request

from gateway.errors import GatewayError, refused
from gateway.messages import ERRORS
from gateway.pictures import data_url

MAX_FIELDS = 1000
MAX_FILES = 16
VIDEO_FIELDS = frozenset({"video", "video_file_1", "video_file_2", "video_file_3"})
MAX_DEPTH = 8

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")


async def read_object(request: Request, limit: int) -> dict[str, Any]:
    """The body as an object, whatever its Content-Type. Raises GatewayError.

    In forms, `name[a][b]` nests, `name[]` and repeated names make lists. `limit` bounds a text part, in bytes; the
    whole body is bounded by the application.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _read_form(request, limit)
    body = await request.body()
    if kind == "application/x-www-form-urlencoded" and not body.lstrip().startswith(b"{"):
        return await _read_form(request, limit)
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
    return parsed


async def _read_form(request: Request, limit: int) -> dict[str, Any]:
    """The form; an uploaded picture becomes a `data:` URL, so that every field is text."""
    items: list[tuple[str, str]] = []
    try:
        async with request.form(max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=limit) as form:
            for name, value in form.multi_items():
                if isinstance(value, str):
                    items.append((name, value))
                elif name in VIDEO_FIELDS:
                    raise GatewayError("unsupported_parameter", ERRORS["no_video_uploads"], param=name)
                else:
                    items.append((name, data_url(await value.read(), name)))
    except (HTTPException, UnicodeError, LookupError):
        raise refused("invalid_form") from None
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
    try:
        typed = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
    return typed if isinstance(typed, bool | int | float) else value


def nest(items: Iterable[tuple[str, str]]) -> dict[str, Any]:
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
