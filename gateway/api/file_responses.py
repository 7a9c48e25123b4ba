"""A finished file from the upstream's link to the client, in constant memory.

The link's host may want no HEAD, know no ranges, compress unasked, point elsewhere, or find its link too old. A
failure before the first byte is an ordinary error response. After it the client's connection is closed early, so that
the client sees an incomplete file.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.api.error_responses import error_response
from gateway.archive.archive import OpenedFile
from gateway.core.byte_ranges import content_length, parse_range
from gateway.core.errors import GatewayError
from gateway.core.messages import ERRORS
from gateway.task_ids.links import EXPIRED_STATUSES
from providers.contract.errors import ErrorKind, ProviderError
from providers.transport.client import Download, HttpClient

CACHE_CONTROL = "private, max-age=3600"
"""A video never changes, but only its owner may cache it."""

MAX_NAME = 64

_NO_HEAD = frozenset({403, 405, 501})
"""HEAD on a link signed for GET fails with these: retry it as GET."""

_TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})

_FORWARDED_HEADERS = ("accept-ranges", "content-encoding", "content-range", "etag", "last-modified")
_CONTENT_RANGE = re.compile(r"bytes\s+(?:\d+-\d+|\*)/(\d+)", re.IGNORECASE)
_IMAGE = re.compile(r"image/[a-z0-9.+-]{1,64}")
_MULTIPART = re.compile(r"multipart/byteranges;\s*boundary=[!-~]{1,80}", re.IGNORECASE)


class BrokenOff(Exception):  # noqa: N818
    """The host failed in the middle of a file. Raised to the server, which then closes the client's connection."""


async def stream_content(
    fetch: HttpClient,
    link: str,
    request: Request,
    *,
    filename: str,
    media_type: str,
    proxy: str | None,
    renew: Callable[[], Awaitable[str | None]],
) -> Response:
    """Respond to a GET or HEAD of the file at `link`: 200, 206 or 416, with the client's ranges passed through.

    `renew` gives a fresh link, or None where there is none; it is asked at most once, when the host finds `link` too
    old, and what it raises is passed on. `media_type` is what the client is told, except for a picture, whose host
    knows better. `filename` is cut to what every client can store.

    Raises GatewayError: 404 when the file is gone, 502 when the host cannot be reached or will not give it.
    """
    head_only = request.method == "HEAD"
    async with AsyncExitStack() as opened:
        source = _Source(fetch, request.method, _asked(request), proxy, opened)
        found = await source.open(link)
        if found.status in EXPIRED_STATUSES:
            fresh = await renew()
            if fresh is None:
                raise GatewayError("not_found", ERRORS["file_expired"], upstream_code=str(found.status))
            found = await source.open(fresh)
        if found.status not in (200, 206, 416):
            raise _status_error(found)
        headers = _headers(found, filename, media_type)
        if found.status == 416:
            return error_response(request, GatewayError("range_not_satisfiable"), headers)
        if head_only:
            return _Relay(found.status, headers)
        try:
            # Trouble before the first piece can still be told, so nothing is answered until it is there.
            first = await anext(found.pieces, b"")
        except ProviderError as error:
            raise _download_error(error) from error
        return _Relay(found.status, headers, first, found.pieces, opened.pop_all())


async def archived_content(request: Request, opened: OpenedFile, *, filename: str, media_type: str) -> Response:
    """The same for a file of the archive, or the part of it that was opened."""
    headers = {
        "accept-ranges": "bytes",
        "content-length": str(opened.length),
        "etag": opened.etag,
        "content-type": _content_type(opened.media_type, media_type),
        "content-disposition": f'attachment; filename="{safe_name(filename)}"',
        "cache-control": CACHE_CONTROL,
    }
    if opened.content_range:
        headers["content-range"] = opened.content_range
    status = 206 if opened.content_range else 200
    if request.method == "HEAD":
        return _Relay(status, headers)
    stack = AsyncExitStack()
    await stack.enter_async_context(aclosing(opened.pieces))
    try:
        first = await anext(opened.pieces, b"")
    except ProviderError as error:
        await stack.aclose()
        raise _download_error(error) from error
    return _Relay(status, headers, first, opened.pieces, stack)


def range_not_satisfiable(request: Request, size: int) -> Response:
    """The response (416) to a range that lies outside of a file of `size` bytes."""
    headers = {"accept-ranges": "bytes", "content-range": f"bytes */{size}"}
    return error_response(request, GatewayError("range_not_satisfiable"), headers)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a host said to a link. `length` is None where it did not say."""

    status: int
    headers: httpx.Headers
    length: int | None
    pieces: AsyncIterator[bytes]
    retry_after: float | None


@dataclass(frozen=True, slots=True)
class _Source:
    """Asks hosts what the client asked. `opened` holds the one connection that is in use."""

    fetch: HttpClient
    method: str
    asked: dict[str, str]
    proxy: str | None
    opened: AsyncExitStack

    async def open(self, link: str) -> _Found:
        """Raises GatewayError when no answer comes."""
        try:
            answer = await self._send(self.method, link, self.asked)
            if self.method == "HEAD" and answer.status in _NO_HEAD:
                return _head_of(await self._send("GET", link, {"Range": "bytes=0-0"}))
        except ProviderError as error:
            raise _download_error(error) from error
        return _found(answer, answer.status, content_length(answer.headers))

    async def _send(self, method: str, link: str, headers: dict[str, str]) -> Download:
        await self.opened.aclose()
        return await self.opened.enter_async_context(self.fetch.stream(method, link, headers=headers, proxy=self.proxy))


class _Relay(Response):
    """Head, then piece by piece; a piece is only asked for when the client has taken the one before."""

    def __init__(
        self,
        status: int,
        headers: dict[str, str],
        first: bytes = b"",
        pieces: AsyncIterator[bytes] | None = None,
        opened: AsyncExitStack | None = None,
    ) -> None:
        self.status_code = status
        self.background = None
        self._first = first
        self._pieces = pieces
        self._opened = opened or AsyncExitStack()
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._opened:
            sending = asyncio.create_task(self._send(send))
            watching = asyncio.create_task(_gone(receive))
            try:
                await asyncio.wait((sending, watching), return_when=asyncio.FIRST_COMPLETED)
            finally:
                sending.cancel()
                watching.cancel()
                await asyncio.gather(sending, watching, return_exceptions=True)
        if not sending.cancelled():
            sending.result()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if self._pieces is not None:
            await send({"type": "http.response.body", "body": self._first, "more_body": True})
            try:
                async for piece in self._pieces:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            except ProviderError as error:
                raise BrokenOff(str(error)) from None
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _asked(request: Request) -> dict[str, str]:
    """The client's range. One that nobody can read is left out, as HTTP wants it: the whole file is the answer."""
    wanted, condition = request.headers.get("range", ""), request.headers.get("if-range", "")
    if not parse_range(wanted) or not _plain(condition):
        return {}
    return {"Range": wanted, "If-Range": condition} if condition else {"Range": wanted}


def _found(answer: Download, status: int, length: int | None) -> _Found:
    return _Found(status, answer.headers, length, answer.pieces, answer.retry_after)


def _head_of(answer: Download) -> _Found:
    """What a HEAD would have said, read off the answer to a GET of the first byte."""
    total = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", "").strip())
    length = int(total[1]) if total else None
    if answer.status == 206 or (answer.status == 416 and length == 0):
        answer.headers.pop("content-range", None)
        return _found(answer, 200, length)
    return _found(answer, answer.status, content_length(answer.headers))


def _headers(found: _Found, filename: str, media_type: str) -> dict[str, str]:
    forwarded = {name: value for name in _FORWARDED_HEADERS if (value := found.headers.get(name)) and _plain(value)}
    if found.status != 200:
        forwarded["accept-ranges"] = "bytes"
    if found.status == 416:
        return {name: forwarded[name] for name in ("accept-ranges", "content-range") if name in forwarded}
    if found.length is not None:
        forwarded["content-length"] = str(found.length)
    return forwarded | {
        "content-type": _content_type(found.headers.get("content-type", ""), media_type),
        "content-disposition": f'attachment; filename="{safe_name(filename)}"',
        "cache-control": CACHE_CONTROL,
    }


def _content_type(given: str, media_type: str) -> str:
    """Ours, for hosts call a video a stream of octets. Several ranges at once are in parts that only the host's own
    type tells how to separate."""
    if _MULTIPART.fullmatch(given):
        return given
    image = given.partition(";")[0].strip().lower()
    return image if media_type.startswith("image/") and _IMAGE.fullmatch(image) else media_type


def safe_name(filename: str) -> str:
    """At most MAX_NAME characters that need no quoting anywhere, the extension kept; `file` where nothing is left."""
    stem, dot, extension = re.sub(r"[^A-Za-z0-9._-]+", "_", filename).strip("._-").rpartition(".")
    if not stem or len(extension) > 8:
        stem, dot, extension = f"{stem}{dot}{extension}", "", ""
    ending = dot + extension
    return f"{stem[: MAX_NAME - len(ending)]}{ending}" or "file"


def _plain(value: str) -> bool:
    """Whether a foreign value may stand in a header: visible ASCII and spaces."""
    return value.isascii() and value.isprintable() and len(value) <= 1024


def _download_error(error: ProviderError) -> GatewayError:
    if error.kind is ErrorKind.UPSTREAM_ERROR:
        return GatewayError("upstream_error", ERRORS["file_download_rejected"], detail=error.detail)
    return GatewayError("upstream_unavailable", ERRORS["file_unavailable"], detail=error.detail)


def _status_error(found: _Found) -> GatewayError:
    """The error for an upstream status without a file."""
    code = str(found.status)
    if found.status in (404, 410):
        return GatewayError("not_found", ERRORS["file_expired"], upstream_code=code)
    if found.status in _TRANSIENT_STATUSES:
        return GatewayError(
            "upstream_unavailable",
            ERRORS["file_unavailable"],
            upstream_code=code,
            detail=f"HTTP {code}",
            retry_after=found.retry_after,
        )
    return GatewayError("upstream_error", ERRORS["file_download_rejected"], upstream_code=code, detail=f"HTTP {code}")
