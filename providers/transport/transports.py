"""Network routes: implementations of one call to an upstream.

DirectRoute   pyreqwest, without a proxy: by far the cheapest
ProxyRoute    aiohttp, which supports every kind of proxy
MockRoute     an httpx transport, for tests
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Protocol

import aiohttp
import httpx
import orjson
from pyreqwest import exceptions as reqwest
from pyreqwest.client import Client, ClientBuilder
from yarl import URL

from providers.contract.errors import ErrorKind, ProviderError
from providers.transport.connectors import session

MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""Largest JSON response; reading stops there."""

GAVE_UP_STATUSES = frozenset({408, 425, 499})
"""The 4xx by which a server in front of an upstream says that it gave a request up, perhaps after passing it on."""

_CHUNK_BYTES = 256 * 1024

_NOT_SENT_ERRORS = (
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
    reqwest.PoolTimeoutError,
    reqwest.BuilderError,
)
_CONNECT_FAILURE = "client error (Connect)"
"""The cause in reqwest's errors if no connection was established. The error class does not tell: a connection closed
during a request is a ConnectError as well."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `connect` until the connection is established, `read` between two chunks of a response, `total` for a
    call, or for a file until its body starts."""

    connect: float = 10.0
    read: float = 45.0
    total: float = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A response of any status with its body. `retry_after` is in seconds, None if the upstream sent no number."""

    status: int
    body: bytes
    retry_after: float | None = None

    def json(self) -> Any:
        """The body as JSON, with an optional byte order mark. Raises ValueError for invalid JSON."""
        return orjson.loads(self.body.removeprefix(b"\xef\xbb\xbf"))


class NetworkRoute(Protocol):
    async def call(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send one call and return the response; redirects are not followed. Raises ProviderError: UNREACHABLE if
        nothing was sent, ANSWER_LOST if the call may have arrived. For an invalid URL or header each library raises
        its own errors."""

    async def aclose(self) -> None: ...


class DirectRoute:
    """Without a proxy, over kept-alive connections; with `once` over a new connection for each call."""

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
            announced = answer.get_header("content-length")
            if announced and announced.isdigit() and int(announced) <= MAX_ANSWER_BYTES:
                return Reply(answer.status, (await answer.bytes()).to_bytes(), retry_after)
            pieces = Pieces()
            while piece := await answer.body_reader.read_chunk():
                pieces.add(piece.to_bytes())
            return Reply(answer.status, pieces.whole(), retry_after)

    async def aclose(self) -> None:
        await self._client.close()


class ProxyRoute:
    """Through a proxy, over a connection pool that no other proxy shares; with `once` over new connections."""

    def __init__(self, timeouts: Timeouts, proxy: str, *, once: bool) -> None:
        self._session = session(proxy, once=once)
        self._timeout = aiohttp.ClientTimeout(
            total=timeouts.total, connect=timeouts.connect, sock_connect=timeouts.connect, sock_read=timeouts.read
        )

    async def call(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        content: bytes | AsyncIterator[bytes] | None = body or None
        if len(body) > _CHUNK_BYTES:
            # A single write would block every other request of the process.
            content, headers = _in_chunks(body), {**headers, "Content-Length": str(len(body))}
        async with self._session.request(
            method,
            URL(url, encoded=True),
            headers=headers,
            data=content,
            allow_redirects=False,
            timeout=self._timeout,
        ) as answer:
            raise_for_proxy_status(answer.status)
            pieces = Pieces()
            async for piece in answer.content.iter_any():
                pieces.add(piece)
            return Reply(answer.status, pieces.whole(), read_retry_after(answer.headers.get("retry-after")))

    async def aclose(self) -> None:
        await self._session.close()


class MockRoute:
    """Over an httpx transport."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._client = client_over(transport, Timeouts())

    async def call(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        answer = await self._client.request(method, url, headers=headers, content=body or None)
        return Reply(answer.status_code, answer.content, read_retry_after(answer.headers.get("retry-after")))

    async def aclose(self) -> None:
        await self._client.aclose()


class Pieces:
    """The body of a response, collected in chunks up to MAX_ANSWER_BYTES."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        """Raises ProviderError (ANSWER_LOST) if the body exceeds MAX_ANSWER_BYTES."""
        self._size += len(piece)
        if self._size > MAX_ANSWER_BYTES:
            raise ProviderError(ErrorKind.ANSWER_LOST, detail=f"answer larger than {MAX_ANSWER_BYTES} bytes")
        self._pieces.append(piece)

    def whole(self) -> bytes:
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


def client_over(transport: httpx.AsyncBaseTransport, timeouts: Timeouts) -> httpx.AsyncClient:
    """A client without cookies, redirects and environment variables."""
    return httpx.AsyncClient(
        transport=transport,
        timeout=httpx.Timeout(timeouts.read, connect=timeouts.connect, pool=timeouts.connect),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        trust_env=False,
    )


def read_retry_after(value: str | None) -> float | None:
    """Seconds if the header is a number, else None."""
    return float(value) if value and value.isascii() and value.isdigit() and len(value) < 8 else None


def raise_for_proxy_status(status: int) -> None:
    """Raise ProviderError for a 407: the proxy rejected its credentials. Without a tunnel it is a plain response."""
    if status == 407:
        raise ProviderError(ErrorKind.UNREACHABLE, detail="the proxy rejected its user or password")


def failure(error: Exception, timeouts: Timeouts) -> ProviderError:
    """The error as UNREACHABLE or ANSWER_LOST. An unknown one is ANSWER_LOST: a charged call may have arrived."""
    if isinstance(error, _NOT_SENT_ERRORS) or _failed_to_connect(error):
        return ProviderError(ErrorKind.UNREACHABLE, detail=type(error).__name__)
    if isinstance(error, TimeoutError):
        return ProviderError(ErrorKind.ANSWER_LOST, detail=f"no answer within {timeouts.total:g} s")
    return ProviderError(ErrorKind.ANSWER_LOST, detail=type(error).__name__)


def _failed_to_connect(error: Exception) -> bool:
    if not isinstance(error, reqwest.DetailedPyreqwestError):
        return False
    return any(cause["message"] == _CONNECT_FAILURE for cause in error.details["causes"] or ())


async def _in_chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _CHUNK_BYTES):
        yield body[start : start + _CHUNK_BYTES]
