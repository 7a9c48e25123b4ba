"""The ways by which one call gets to an upstream and its answer back.

Direct    pyreqwest, where there is no proxy: the cheapest by far
Proxied   aiohttp, which knows every kind of proxy
Mocked    a transport of httpx, for tests
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
"""A JSON answer larger than this is not one of an API; reading stops there."""

_PIECE_BYTES = 256 * 1024

_NOTHING_SENT = (
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
_CONNECTING = "client error (Connect)"
"""How reqwest says, among the causes of an error, that no connection came about. Its classes do not tell: a connection
that was closed under a request is a ConnectError as well."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `connect` until the connection stands, `read` between two pieces of an answer, `total` for a call, or
    for a file until its body begins."""

    connect: float = 10.0
    read: float = 45.0
    total: float = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with its whole body, whatever its status. `retry_after` is in seconds, where the upstream sent a
    number."""

    status: int
    body: bytes
    retry_after: float | None = None

    def json(self) -> Any:
        """The body as JSON, a byte order mark in front allowed. Raises ValueError when it is something else."""
        return orjson.loads(self.body.removeprefix(b"\xef\xbb\xbf"))


class NetworkRoute(Protocol):
    async def call(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """One call, one answer; redirects are answers. Raises ProviderError: UNREACHABLE when nothing was sent,
        ANSWER_LOST when the call may have arrived. What an address or a header is found fault with, each library
        raises in its own way."""

    async def aclose(self) -> None: ...


class Direct:
    """Over connections that are kept; with `once` over a new one for each call, and no other."""

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


class Proxied:
    """The same through a proxy, over connections that no other proxy shares."""

    def __init__(self, timeouts: Timeouts, proxy: str, *, once: bool) -> None:
        self._session = session(proxy, once=once)
        self._timeout = aiohttp.ClientTimeout(
            total=timeouts.total, connect=timeouts.connect, sock_connect=timeouts.connect, sock_read=timeouts.read
        )

    async def call(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        content: bytes | AsyncIterator[bytes] | None = body or None
        if len(body) > _PIECE_BYTES:
            # One write of it would hold up every other request of the process.
            content, headers = _in_pieces(body), {**headers, "Content-Length": str(len(body))}
        async with self._session.request(
            method,
            URL(url, encoded=True),
            headers=headers,
            data=content,
            allow_redirects=False,
            timeout=self._timeout,
        ) as answer:
            refuse_proxys_word(answer.status)
            pieces = Pieces()
            async for piece in answer.content.iter_any():
                pieces.add(piece)
            return Reply(answer.status, pieces.whole(), read_retry_after(answer.headers.get("retry-after")))

    async def aclose(self) -> None:
        await self._session.close()


class Mocked:
    """Over a transport of httpx."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._client = client_over(transport, Timeouts())

    async def call(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        answer = await self._client.request(method, url, headers=headers, content=body or None)
        return Reply(answer.status_code, answer.content, read_retry_after(answer.headers.get("retry-after")))

    async def aclose(self) -> None:
        await self._client.aclose()


class Pieces:
    """An answer as it comes in."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        """Raises ProviderError (ANSWER_LOST) when it is too much."""
        self._size += len(piece)
        if self._size > MAX_ANSWER_BYTES:
            raise ProviderError(ErrorKind.ANSWER_LOST, detail=f"answer larger than {MAX_ANSWER_BYTES} bytes")
        self._pieces.append(piece)

    def whole(self) -> bytes:
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


def client_over(transport: httpx.AsyncBaseTransport, timeouts: Timeouts) -> httpx.AsyncClient:
    """A client that keeps no cookies, follows no redirects and reads nothing of the environment."""
    return httpx.AsyncClient(
        transport=transport,
        timeout=httpx.Timeout(timeouts.read, connect=timeouts.connect, pool=timeouts.connect),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        trust_env=False,
    )


def read_retry_after(value: str | None) -> float | None:
    """Seconds, where the header is a number."""
    return float(value) if value and value.isascii() and value.isdigit() and len(value) < 8 else None


def refuse_proxys_word(status: int) -> None:
    """A 407 is no upstream's but of a proxy that refuses its user: it comes as an answer where no tunnel was asked
    for. Raises ProviderError."""
    if status == 407:
        raise ProviderError(ErrorKind.UNREACHABLE, detail="the proxy refused its user or password")


def failure(error: Exception, timeouts: Timeouts) -> ProviderError:
    """Which of the two it was. What no library announces counts as what may have arrived: the call may be a charged
    one."""
    if isinstance(error, ProviderError):
        return error
    if isinstance(error, _NOTHING_SENT) or _failed_to_connect(error):
        return ProviderError(ErrorKind.UNREACHABLE, detail=type(error).__name__)
    if isinstance(error, TimeoutError):
        return ProviderError(ErrorKind.ANSWER_LOST, detail=f"no answer within {timeouts.total:g} s")
    return ProviderError(ErrorKind.ANSWER_LOST, detail=type(error).__name__)


def _failed_to_connect(error: Exception) -> bool:
    if not isinstance(error, reqwest.DetailedPyreqwestError):
        return False
    return any(cause["message"] == _CONNECTING for cause in error.details["causes"] or ())


async def _in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _PIECE_BYTES):
        yield body[start : start + _PIECE_BYTES]
