"""Network routes: implementations of one call to an upstream.

DirectRoute                   pyreqwest, without a proxy: by far the cheapest
session_route.SessionRoute    aiohttp, which supports every kind of proxy, and a check of each address
httpx_clients.MockRoute       an httpx transport, for tests

The libraries of the last two are imported on demand.
"""

import re
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import orjson
from pyreqwest.client import Client, ClientBuilder

from providers.contract.errors import ErrorKind, ProviderError
from providers.transport.failures import LibraryErrors
from providers.transport.timeouts import IDLE_SECONDS, Timeouts

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""Largest JSON response. The largest ones have hundreds of Jimeng's records, with 4 to 20 KB each."""

MAX_ERROR_BYTES = 64 * 1024
"""Bytes read of a response with an error status, which has a code and a sentence; the rest is dropped."""

GAVE_UP_STATUSES = frozenset({408, 425, 499})
"""The 4xx by which a server in front of an upstream says that it gave a request up, perhaps after passing it on."""

_NUMBER = re.compile(r"[0-9]{1,7}(?:\.[0-9]*)?")
_MAX_RETRY_AFTER_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Reply:
    """A response of any status with its body. `retry_after` is in seconds, None if the upstream sent neither a number
    nor a date."""

    status: int
    body: bytes
    retry_after: float | None = None

    def json(self) -> Any:
        """The body as JSON, with an optional byte order mark. Raises ValueError for invalid JSON."""
        return orjson.loads(self.body.removeprefix(b"\xef\xbb\xbf"))


@dataclass(frozen=True, slots=True)
class Opened:
    """A response whose body is not read yet. `pieces` are its chunks as they arrive, decompressed, and can be read
    once; they raise the errors of the library."""

    status: int
    headers: Mapping[str, str]
    pieces: AsyncGenerator[bytes, None]


class NetworkRoute(Protocol):
    errors: LibraryErrors

    async def call(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send one call and return the response; redirects are not followed. Raises ProviderError: UNREACHABLE if
        nothing was sent, ANSWER_LOST if the call may have arrived. For an invalid URL or header each library raises
        its own errors."""

    async def aclose(self) -> None: ...


class OpenRoute(Protocol):
    """A route for calls whose response is read chunk by chunk."""

    errors: LibraryErrors

    def open(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> AbstractAsyncContextManager[Opened]:
        """Send one call. There is no limit for the whole call. Leaving the context, or cancelling it at any time, ends
        the call at the upstream. Errors as in `NetworkRoute.call`."""

    async def aclose(self) -> None: ...


class DirectRoute:
    """Without a proxy, over kept-alive connections; with `once` over a new connection for each call.

    Not for open calls: reqwest does not end a call that is cancelled before its response begins.
    """

    errors = LibraryErrors()

    def __init__(self, timeouts: Timeouts, *, once: bool) -> None:
        builder = (
            ClientBuilder()
            .no_proxy()
            .follow_redirects(False)
            .referer(False)
            .http1_only()
            .connect_timeout(timedelta(seconds=timeouts.connect))
            .read_timeout(timedelta(seconds=timeouts.read))
            .timeout(timedelta(seconds=timeouts.total))
            .pool_idle_timeout(timedelta(seconds=IDLE_SECONDS))
        )
        if once:
            builder = builder.pool_max_idle_per_host(0)
        self._client: Client = builder.build()

    async def call(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        request = self._client.request(method, url).headers(headers)
        if body:
            request = request.body_bytes(body)
        async with request.build_streamed() as answer:
            retry_after = read_retry_after(answer.get_header("retry-after")) if answer.status >= 400 else None
            pieces = Pieces(answer.status)
            announced = answer.get_header("content-length")
            if announced and announced.isdigit() and int(announced) <= pieces.limit:
                return Reply(answer.status, (await answer.bytes()).to_bytes(), retry_after)
            while not pieces.full and (piece := await answer.body_reader.read_chunk()):
                pieces.add(piece.to_bytes())
            return Reply(answer.status, pieces.whole(), retry_after)

    async def aclose(self) -> None:
        await self._client.close()


class Pieces:
    """The body of a response, collected in chunks. What exceeds the limit is dropped from an error, which is no reason
    to lose its status."""

    def __init__(self, status: int) -> None:
        self.limit = MAX_ANSWER_BYTES if status < 400 else MAX_ERROR_BYTES
        self._truncate = status >= 400
        self._pieces: list[bytes] = []
        self._left = self.limit

    @property
    def full(self) -> bool:
        """True once further chunks are dropped."""
        return self._truncate and self._left <= 0

    def add(self, piece: bytes) -> None:
        """Raises ProviderError (ANSWER_LOST) if the body of a response without an error exceeds MAX_ANSWER_BYTES."""
        if len(piece) > self._left:
            if not self._truncate:
                # The traceback of the error holds this object.
                self._pieces.clear()
                raise ProviderError(ErrorKind.ANSWER_LOST, detail=f"answer larger than {self.limit} bytes")
            piece, self._left = piece[: self._left], 0
        else:
            self._left -= len(piece)
        self._pieces.append(piece)

    def whole(self) -> bytes:
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


def read_retry_after(value: str | None, now: float | None = None) -> float | None:
    """Seconds of a Retry-After header: a number, or an HTTP date, from `now` on in unix seconds. None for anything
    else."""
    if not value or len(value) > _MAX_RETRY_AFTER_LENGTH:
        return None
    if _NUMBER.fullmatch(value):
        return float(value)
    try:
        at = parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, at - (time.time() if now is None else now))
