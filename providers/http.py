"""The one outgoing HTTP client: httpx over aiohttp's transport, one connection pool per proxy.

It knows one thing that no general client tells: whether a failed call may have reached the upstream. `UNREACHABLE`
means that nothing was sent, `ANSWER_LOST` that something was. Whoever submits charged work depends on it.

No cookie is ever kept and no redirect followed: an account's cookies are sent by its provider, and an answer that
points elsewhere is no answer of an API.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import httpx
import orjson
from httpx_aiohttp import AiohttpTransport

from providers.contract import ErrorKind, ProviderError

try:
    import aiohttp_socks

    _SOCKS_ERRORS: tuple[type[Exception], ...] = (
        aiohttp_socks.ProxyError,
        aiohttp_socks.ProxyConnectionError,
        aiohttp_socks.ProxyTimeoutError,
    )
except ModuleNotFoundError:
    aiohttp_socks = None  # type: ignore[assignment]
    _SOCKS_ERRORS = ()

MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""A JSON answer larger than this is not one of an API; reading stops there."""

_PIECE_BYTES = 256 * 1024

_NOTHING_SENT_AIOHTTP = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)
_NOTHING_SENT_HTTPX = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
_TROUBLE: tuple[type[Exception], ...] = (
    httpx.HTTPError,
    httpx.InvalidURL,
    aiohttp.ClientError,
    OSError,
    *_SOCKS_ERRORS,
)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `connect` until the connection stands, `read` between two pieces of an answer, `total` for a call."""

    connect: float = 10.0
    read: float = 45.0
    total: float = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with its whole body, whatever its status."""

    status: int
    headers: httpx.Headers
    body: bytes

    def json(self) -> Any:
        """The body as JSON, a byte order mark in front allowed. Raises ValueError when it is something else."""
        return orjson.loads(self.body.removeprefix(b"\xef\xbb\xbf"))

    @property
    def retry_after(self) -> float | None:
        """Seconds, where the upstream sent a number."""
        value = self.headers.get("retry-after", "")
        return float(value) if value.isascii() and value.isdigit() else None


TransportFactory = Callable[[str | None], httpx.AsyncBaseTransport]
"""Makes the transport for a proxy URL, or for none. Tests hand in a mock; the application leaves it out."""


class HttpClient:
    """Calls upstreams. One pool of kept connections per proxy, so that no two proxies ever share one."""

    def __init__(self, timeouts: Timeouts | None = None, transport: TransportFactory | None = None) -> None:
        self.timeouts = timeouts or Timeouts()
        self._transport = transport
        self._clients: dict[tuple[str | None, bool], httpx.AsyncClient] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
        proxy: str | None = None,
        once: bool = False,
    ) -> Reply:
        """One call, one answer.

        `once` is for calls that must not be made twice: it takes a new connection, since a kept one that the
        upstream has just closed would leave open whether the call arrived.

        Raises ProviderError: UNREACHABLE when nothing was sent, ANSWER_LOST when the call may have arrived,
        INVALID_REQUEST when `json` holds what JSON cannot carry.
        """
        client = self._client(proxy, once)
        try:
            body = b"" if json is None else orjson.dumps(json)
        except TypeError as error:
            # Whole numbers beyond 64 bits and half characters, which only a client's own fields can hold.
            raise ProviderError(ErrorKind.INVALID_REQUEST, detail=str(error)) from error
        try:
            request = client.build_request(method, url, headers=headers, params=params, content=_content(body))
            if len(body) > _PIECE_BYTES:
                request.headers["content-length"] = str(len(body))
                request.headers.pop("transfer-encoding", None)
            async with asyncio.timeout(self.timeouts.total):
                return await self._exchange(client, request)
        except TimeoutError as error:
            raise ProviderError(ErrorKind.ANSWER_LOST, detail=f"no answer within {self.timeouts.total:g} s") from error
        except _TROUBLE as error:
            raise _failure(error) from error

    async def _exchange(self, client: httpx.AsyncClient, request: httpx.Request) -> Reply:
        response = await client.send(request, stream=True)
        try:
            chunks: list[bytes] = []
            size = 0
            async for chunk in response.aiter_bytes():
                size += len(chunk)
                if size > MAX_ANSWER_BYTES:
                    raise ProviderError(ErrorKind.ANSWER_LOST, detail=f"answer larger than {MAX_ANSWER_BYTES} bytes")
                chunks.append(chunk)
            return Reply(response.status_code, response.headers, b"".join(chunks))
        finally:
            await response.aclose()

    def _client(self, proxy: str | None, once: bool) -> httpx.AsyncClient:
        client = self._clients.get((proxy, once))
        if client is None:
            timeouts = self.timeouts
            client = httpx.AsyncClient(
                transport=self._transport(proxy) if self._transport else _aiohttp_transport(proxy, once),
                timeout=httpx.Timeout(timeouts.read, connect=timeouts.connect, pool=timeouts.connect),
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                follow_redirects=False,
                trust_env=False,
            )
            self._clients[proxy, once] = client
        return client


def _content(body: bytes) -> bytes | AsyncIterator[bytes] | None:
    """A large body in pieces, since one write of it would hold up every other request of the process."""
    return _pieces(body) if len(body) > _PIECE_BYTES else body or None


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _PIECE_BYTES):
        yield body[start : start + _PIECE_BYTES]


def _aiohttp_transport(proxy: str | None, once: bool) -> httpx.AsyncBaseTransport:
    def session() -> aiohttp.ClientSession:
        # aiohttp keeps cookies of its own unless told otherwise, and would send one account's to the next.
        return aiohttp.ClientSession(
            connector=_connector(proxy, once),
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=proxy if proxy and not _is_socks(proxy) else None,
        )

    return AiohttpTransport(client=session)


def _connector(proxy: str | None, once: bool) -> aiohttp.BaseConnector:
    if proxy is not None and _is_socks(proxy):
        if aiohttp_socks is None:
            raise ProviderError(
                ErrorKind.UNREACHABLE,
                detail="a SOCKS proxy needs the extra `socks`: pip install 'video-gateway[socks]'",
            )
        return aiohttp_socks.ProxyConnector.from_url(proxy, limit=0, force_close=once)
    return aiohttp.TCPConnector(limit=0, force_close=once)


def _is_socks(proxy: str) -> bool:
    return urlsplit(proxy).scheme in ("socks4", "socks5", "socks4a", "socks5h")


def _failure(error: Exception) -> ProviderError:
    """Which of the two it was. The transport renames aiohttp's errors, some of them wrongly: the cause decides."""
    cause = error.__cause__
    if isinstance(cause, aiohttp.ClientError):
        nothing_sent = isinstance(cause, _NOTHING_SENT_AIOHTTP)
    else:
        nothing_sent = isinstance(error, (*_NOTHING_SENT_HTTPX, *_NOTHING_SENT_AIOHTTP, *_SOCKS_ERRORS))
    kind = ErrorKind.UNREACHABLE if nothing_sent else ErrorKind.ANSWER_LOST
    return ProviderError(kind, detail=type(cause or error).__name__)
