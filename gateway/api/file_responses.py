"""Streams a finished video from the upstream's link, or from the archive, to the client in constant memory.

The link's host may reject HEAD, ignore ranges, compress unasked, redirect, find the link expired, or send a page in
place of the file. A failure before the first byte is an ordinary error response; after it the client's connection is
closed, so that the client sees an incomplete file.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from yarl import URL

from gateway.api.error_responses import error_response
from gateway.api.relay import Relay
from gateway.archive.archive import OpenedFile
from gateway.core.byte_ranges import content_length, parse_range
from gateway.core.errors import GatewayError
from gateway.core.logs import GATEWAY
from gateway.core.messages import ERRORS
from gateway.core.request_record import request_fields
from gateway.media.result_files import detect_type, is_plausible, parse_type, read_head, tells_type
from gateway.task_ids.links import LinkExpiredError, NoFreshLinkError, check_expired, with_fresh_link
from providers.contract.accounts import Proxy
from providers.contract.errors import ErrorKind, ProviderError
from providers.media_files import MediaKind
from providers.transport.address_policy import LINK_DISALLOWED
from providers.transport.client import Download, HttpClient

if TYPE_CHECKING:
    import httpx

CACHE_CONTROL = "private, max-age=3600"
"""A video is immutable, but only its owner may cache it."""

MAX_NAME = 64
_MAX_TYPE = 60

_NO_HEAD = frozenset({403, 405, 501})
"""HEAD on a link signed for GET fails with these: retry it as GET."""

_TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})

_FORWARDED_HEADERS = ("accept-ranges", "content-encoding", "content-range", "etag", "last-modified")
_CONTENT_RANGE = re.compile(r"bytes\s+(?:[0-9]+-[0-9]+|\*)/([0-9]{1,18})", re.IGNORECASE)
_FROM_START = re.compile(r"bytes\s+0-", re.IGNORECASE)
_IMAGE = re.compile(r"image/[a-z0-9.+-]{1,64}")
_MULTIPART = re.compile(r"multipart/byteranges;\s*boundary=[!-~]{1,80}", re.IGNORECASE)


async def stream_content(
    fetch: HttpClient,
    link: str,
    request: Request,
    *,
    filename: str,
    media_type: str,
    proxy: Proxy | None,
    renew: Callable[[], Awaitable[str | None]],
) -> Response:
    """Respond to a GET or HEAD of the file at `link`: 200, 206 or 416, with the client's ranges passed through.

    `renew` returns a renewed link, or None if there is none; it is called at most once, when the host reports `link`
    expired, and its errors propagate. `media_type` is the Content-Type of the response, except for an image, whose type
    the host knows. `filename` is cut to MAX_NAME characters.

    Raises GatewayError: 404 if the file is gone, 502 if the host is unreachable, rejects the download or sends
    something else.
    """
    async with AsyncExitStack() as opened:
        source = _Source(fetch, request.method, _range_headers(request), proxy, opened)
        try:
            found = await with_fresh_link(link, renew, source.open)
        except NoFreshLinkError as error:
            raise GatewayError("not_found", ERRORS["file_expired"], upstream_code=str(error.status)) from None
        except LinkExpiredError as error:
            raise _status_error(error.status) from None
        part_unasked = found.status == 206 and not source.range_headers
        if found.status not in (200, 206, 416) or part_unasked:
            raise _status_error(found.status, found.retry_after)
        headers = _headers(found, filename, media_type)
        if found.status == 416:
            return error_response(request, GatewayError("range_not_satisfiable"), headers)
        kind = MediaKind(media_type.partition("/")[0])
        if request.method == "HEAD":
            if found.length == 0 or not is_plausible(found.content_type, kind):
                raise _wrong_file(found)
            return Relay(found.status, headers)
        try:
            # A failure before the first piece is still an error response, so the response starts with that piece.
            first = await read_head(found.pieces)
        except ProviderError as error:
            raise _download_error(error) from error
        if not _is_media(found, first, kind):
            raise _wrong_file(found)
        return Relay(found.status, headers, first, found.pieces, opened.pop_all())


async def archived_content(request: Request, opened: OpenedFile, *, filename: str, media_type: str) -> Response:
    """Respond to a GET or HEAD with a file of the archive, or with the range of it that was opened."""
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
        return Relay(status, headers)
    stack = AsyncExitStack()
    await stack.enter_async_context(aclosing(opened.pieces))
    try:
        first = await anext(opened.pieces, b"")
    except ProviderError as error:
        await stack.aclose()
        raise _download_error(error) from error
    return Relay(status, headers, first, opened.pieces, stack)


def range_not_satisfiable(request: Request, size: int) -> Response:
    """The response (416) to a range outside of a file of `size` bytes."""
    headers = {"accept-ranges": "bytes", "content-range": f"bytes */{size}"}
    return error_response(request, GatewayError("range_not_satisfiable"), headers)


@dataclass(frozen=True, slots=True)
class _HostResponse:
    """A host's response to a link. `length` is its body's length in bytes, None if unknown."""

    status: int
    headers: "httpx.Headers"
    length: int | None
    pieces: AsyncIterator[bytes]
    retry_after: float | None

    @property
    def content_type(self) -> str:
        return str(self.headers.get("content-type", ""))

    @property
    def is_from_start(self) -> bool:
        """True where the body begins with the first bytes of the file, as they are."""
        if self.headers.get("content-encoding", "identity").strip().lower() != "identity":
            return False
        return self.status == 200 or bool(_FROM_START.match(self.headers.get("content-range", "").strip()))


@dataclass(frozen=True, slots=True)
class _Source:
    """Sends the client's request to hosts. `opened` holds the one connection that is in use."""

    fetch: HttpClient
    method: str
    range_headers: dict[str, str]
    proxy: Proxy | None
    opened: AsyncExitStack

    async def open(self, link: str) -> _HostResponse:
        """Raises LinkExpiredError, and GatewayError if no response arrives."""
        try:
            answer = await self._send(self.method, link, self.range_headers)
            if self.method == "HEAD" and answer.status in _NO_HEAD:
                found = _as_head(await self._send("GET", link, {"Range": "bytes=0-0"}))
            else:
                found = _host_response(answer, answer.status, content_length(answer.headers))
        except ProviderError as error:
            raise _open_error(error, link) from error
        check_expired(found.status)
        return found

    async def _send(self, method: str, link: str, headers: dict[str, str]) -> Download:
        await self.opened.aclose()
        return await self.opened.enter_async_context(self.fetch.stream(method, link, headers=headers, proxy=self.proxy))


def _range_headers(request: Request) -> dict[str, str]:
    """The client's range headers. An invalid range is ignored, as RFC 9110 demands: the response is the whole file."""
    byte_range, condition = request.headers.get("range", ""), request.headers.get("if-range", "")
    if not parse_range(byte_range) or not _is_safe(condition):
        return {}
    return {"Range": byte_range, "If-Range": condition} if condition else {"Range": byte_range}


def _host_response(answer: Download, status: int, length: int | None) -> _HostResponse:
    return _HostResponse(status, answer.headers, length, answer.pieces, answer.retry_after)


def _as_head(answer: Download) -> _HostResponse:
    """The response to a HEAD, derived from that to a GET of the first byte."""
    total = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", "").strip())
    length = int(total[1]) if total else None
    if answer.status == 206 or (answer.status == 416 and length == 0):
        answer.headers.pop("content-range", None)
        return _host_response(answer, 200, length)
    return _host_response(answer, answer.status, content_length(answer.headers))


def _is_media(found: _HostResponse, first: bytes, kind: MediaKind) -> bool:
    """True for a file of this kind, by the first bytes of the body; for a part from the middle, by its Content-Type."""
    if found.is_from_start and tells_type(first, whole=found.status == 200):
        return detect_type(first, kind) is not None
    return bool(first) and is_plausible(found.content_type, kind)


def _headers(found: _HostResponse, filename: str, media_type: str) -> dict[str, str]:
    forwarded = {name: value for name in _FORWARDED_HEADERS if (value := found.headers.get(name)) and _is_safe(value)}
    if found.status != 200:
        forwarded["accept-ranges"] = "bytes"
    if found.status == 416:
        return {name: forwarded[name] for name in ("accept-ranges", "content-range") if name in forwarded}
    if found.length is not None:
        forwarded["content-length"] = str(found.length)
    return forwarded | {
        "content-type": _content_type(found.content_type, media_type),
        "content-disposition": f'attachment; filename="{safe_name(filename)}"',
        "cache-control": CACHE_CONTROL,
    }


def _content_type(given: str, media_type: str) -> str:
    """The Content-Type of the response: `media_type`, since hosts send videos as application/octet-stream. Of several
    ranges at once, only the host's own type has the boundary of the parts."""
    if _MULTIPART.fullmatch(given):
        return given
    image = parse_type(given)
    return image if media_type.startswith("image/") and _IMAGE.fullmatch(image) else media_type


def safe_name(filename: str) -> str:
    """A file name of at most MAX_NAME characters that needs no quoting, with its extension; `file` if none is left."""
    stem, dot, extension = re.sub(r"[^A-Za-z0-9._-]+", "_", filename).strip("._-").rpartition(".")
    if not stem or len(extension) > 8:
        stem, dot, extension = f"{stem}{dot}{extension}", "", ""
    ending = dot + extension
    return f"{stem[: MAX_NAME - len(ending)]}{ending}" or "file"


def _is_safe(value: str) -> bool:
    """True if a foreign value may be sent in a header: visible ASCII and spaces."""
    return value.isascii() and value.isprintable() and len(value) <= 1024


def _open_error(error: ProviderError, link: str) -> GatewayError:
    """The error for a link without a response. For one that the address policy forbids, the log names the host."""
    if error.detail != LINK_DISALLOWED:
        return _download_error(error)
    fields = {"host": URL(link, encoded=True).raw_host, "cause": error.detail, **request_fields()}
    GATEWAY.warning("a link of an upstream was refused", extra={"fields": fields})
    return GatewayError("upstream_error", ERRORS["link_not_allowed"])


def _download_error(error: ProviderError) -> GatewayError:
    if error.kind is ErrorKind.UPSTREAM_ERROR:
        return GatewayError("upstream_error", ERRORS["file_download_rejected"], detail=error.detail)
    return GatewayError("upstream_unavailable", ERRORS["file_unavailable"], detail=error.detail)


def _wrong_file(found: _HostResponse) -> GatewayError:
    """The error for a response that is neither a video nor an image, but a page."""
    given = parse_type(found.content_type)
    detail = given if _is_safe(given) and len(given) <= _MAX_TYPE else ""
    return GatewayError("upstream_error", ERRORS["file_is_no_media"], detail=detail)


def _status_error(status: int, retry_after: float | None = None) -> GatewayError:
    """The error for an upstream status without a file."""
    code = str(status)
    if status in (404, 410):
        return GatewayError("not_found", ERRORS["file_expired"], upstream_code=code)
    if status in _TRANSIENT_STATUSES:
        return GatewayError(
            "upstream_unavailable",
            ERRORS["file_unavailable"],
            upstream_code=code,
            detail=f"HTTP {code}",
            retry_after=retry_after,
        )
    return GatewayError("upstream_error", ERRORS["file_download_rejected"], upstream_code=code, detail=f"HTTP {code}")
