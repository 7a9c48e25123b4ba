"""The one outgoing HTTP client: httpx over aiohttp's transport, one connection pool per proxy.

It knows one thing that no general client tells: whether a failed call may have reached the upstream. `UNREACHABLE`
means that nothing was sent, `ANSWER_LOST` that something was. Whoever submits charged work depends on it.

No cookie is ever kept and no redirect of a call followed: an account's cookies are sent by its provider, and an answer
that points elsewhere is no answer of an API. A file is another matter: object stores do point elsewhere.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Self, cast
from urllib.parse import unquote, urlsplit

import aiohttp
import httpx
import orjson
from aiohttp_socks import ProxyConnector, ProxyType
from httpx_aiohttp import AiohttpTransport
from yarl import URL

from providers.contract import ErrorKind, ProviderError
from providers.proxies import is_socks

MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""A JSON answer larger than this is not one of an API; reading stops there."""

MAX_REDIRECTS = 3
"""How often a file may be said to lie elsewhere before that is taken for a circle."""

MAX_POOLS = 128
"""Pools of kept connections, one for each proxy in use."""

_UNUSED_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""The transport would read all certificates for one of its own, 30 ms for every pool. aiohttp's is the one in use."""

_LONGEST_DOWNLOAD = 3600.0
_PIECE_BYTES = 256 * 1024
_DOWNLOAD_PIECE_BYTES = 64 * 1024

_NOTHING_SENT_AIOHTTP = (
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
)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `connect` until the connection stands, `read` between two pieces of an answer, `total` for a call, or
    for a file until its body begins."""

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
        return _retry_after(self.headers)


@dataclass(frozen=True, slots=True)
class Download:
    """An answer whose body is still to come, in pieces of at most 64 KiB, as the host sent them.

    `pieces` can be read once, and raises ProviderError (ANSWER_LOST) when the host breaks off or falls silent.
    """

    status: int
    headers: httpx.Headers
    pieces: AsyncIterator[bytes]

    @property
    def retry_after(self) -> float | None:
        """Seconds, where the host sent a number."""
        return _retry_after(self.headers)


def _retry_after(headers: httpx.Headers) -> float | None:
    value = headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) < 8 else None


TransportFactory = Callable[[str | None], httpx.AsyncBaseTransport]
"""Makes the transport for a proxy URL, or for none. Tests hand in a mock; the application leaves it out."""


class HttpClient:
    """Calls upstreams. One pool of kept connections per proxy, so that no two proxies ever share one."""

    def __init__(self, timeouts: Timeouts | None = None, transport: TransportFactory | None = None) -> None:
        self.timeouts = timeouts or Timeouts()
        self._transport = transport
        self._clients: dict[tuple[str | None, bool], httpx.AsyncClient] = {}
        self._downloads: dict[str | None, httpx.AsyncClient] = {}
        self._closing: set[asyncio.Future[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        clients = [*self._clients.values(), *self._downloads.values()]
        self._clients, self._downloads = {}, {}
        for client in clients:
            await client.aclose()
        for closing in self._closing:
            closing.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)

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
        try:
            body = b"" if json is None else orjson.dumps(json)
        except TypeError as error:
            # Whole numbers beyond 64 bits and half characters, which only a client's own fields can hold.
            raise ProviderError(ErrorKind.INVALID_REQUEST, detail=str(error)) from error
        try:
            client = self._client(proxy, once)
            request = client.build_request(method, url, headers=headers, params=params, content=_content(body))
        except Exception as error:
            # An address, a header or a proxy that a library finds fault with, each in its own way.
            raise ProviderError(ErrorKind.UNREACHABLE, detail=type(error).__name__) from error
        if len(body) > _PIECE_BYTES:
            request.headers["content-length"] = str(len(body))
            request.headers.pop("transfer-encoding", None)
        try:
            async with asyncio.timeout(self.timeouts.total):
                return await self._exchange(client, request)
        except ProviderError:
            raise
        except TimeoutError as error:
            raise ProviderError(ErrorKind.ANSWER_LOST, detail=f"no answer within {self.timeouts.total:g} s") from error
        except Exception as error:
            # What no library announces counts as what may have arrived: the call may be a charged one.
            raise _failure(error) from error

    async def _exchange(self, client: httpx.AsyncClient, request: httpx.Request) -> Reply:
        response = await _answer(client, request)
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

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, *, headers: Mapping[str, str], proxy: str | None = None
    ) -> AsyncGenerator[Download, None]:
        """A file, piece by piece and never decompressed. Leaving the context closes what was not read to its end.

        The head must be there within the total timeout, redirects included; the body has all the time it needs, as
        long as no two pieces are further apart than the read timeout. Only while somebody waits for one: a reader
        that takes its time holds the host up and is not held against it.

        Raises ProviderError: UNREACHABLE and ANSWER_LOST as in `send`, UPSTREAM_ERROR for a redirect to nowhere.
        """
        client = self._download_client(proxy)
        async with AsyncExitStack() as opened:
            try:
                request = client.build_request(method, url, headers={**headers, "Accept-Encoding": "identity"})
                async with asyncio.timeout(self.timeouts.total):
                    response = await _find(client, request)
                opened.push_async_callback(response.aclose)
            except _TROUBLE as error:
                raise _failure(error) from error
            except ValueError as error:
                # An address that each library in turn finds fault with in its own way.
                raise ProviderError(ErrorKind.UNREACHABLE, detail="InvalidURL") from error
            pieces = await opened.enter_async_context(aclosing(_download_pieces(response)))
            yield Download(response.status_code, response.headers, pieces)

    def _client(self, proxy: str | None, once: bool) -> httpx.AsyncClient:
        client = self._clients.get((proxy, once))
        if client is None:
            transport = self._transport(proxy) if self._transport else _aiohttp_transport(proxy, once)
            client = self._over(transport)
        self._clients.pop((proxy, once), None)
        self._clients[proxy, once] = client
        self._retire(self._clients, self.timeouts.total)
        return client

    def _download_client(self, proxy: str | None) -> httpx.AsyncClient:
        client = self._downloads.get(proxy)
        if client is None:
            transport = self._transport(proxy) if self._transport else _DownloadTransport(proxy)
            client = self._over(transport)
        self._downloads.pop(proxy, None)
        self._downloads[proxy] = client
        self._retire(self._downloads, _LONGEST_DOWNLOAD)
        return client

    def _retire(self, clients: dict[Any, httpx.AsyncClient], grace: float) -> None:
        """Drop the pools that were used longest ago: callers bring proxies of their own, any number of them. What
        runs over one has `grace` seconds to end."""
        while len(clients) > MAX_POOLS:
            client = clients.pop(next(iter(clients)))
            closing = asyncio.ensure_future(_close_later(client, grace))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def _over(self, transport: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
        timeouts = self.timeouts
        return httpx.AsyncClient(
            transport=transport,
            timeout=httpx.Timeout(timeouts.read, connect=timeouts.connect, pool=timeouts.connect),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
            trust_env=False,
        )


async def _close_later(client: httpx.AsyncClient, seconds: float) -> None:
    try:
        await asyncio.sleep(seconds)
    finally:
        await client.aclose()


async def _answer(client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    """The answer, its body still to come. A 407 is no upstream's but of a proxy that refuses its user: it comes as an
    answer where no tunnel was asked for."""
    response = await client.send(request, stream=True)
    if response.status_code == 407:
        await response.aclose()
        raise ProviderError(ErrorKind.UNREACHABLE, detail="the proxy refused its user or password")
    return response


async def _find(client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    """The answer at the end of the redirects. A credential in the headers does not travel to another host."""
    for _ in range(MAX_REDIRECTS + 1):
        response = await _answer(client, request)
        if response.next_request is None:
            return response
        await response.aclose()
        request = response.next_request
        if request.url.scheme not in ("http", "https"):
            raise ProviderError(ErrorKind.UPSTREAM_ERROR, detail="redirected to what is neither http nor https")
    raise ProviderError(ErrorKind.UPSTREAM_ERROR, detail=f"redirected more than {MAX_REDIRECTS} times")


async def _download_pieces(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    # The stream itself: httpx's own iterators know no raw bytes of a body that a test has made up whole.
    stream = cast(httpx.AsyncByteStream, response.stream)
    try:
        async for piece in stream:
            yield piece
    except _TROUBLE as error:
        raise _failure(error) from error


def _content(body: bytes) -> bytes | AsyncIterator[bytes] | None:
    """A large body in pieces, since one write of it would hold up every other request of the process."""
    return _pieces(body) if len(body) > _PIECE_BYTES else body or None


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _PIECE_BYTES):
        yield body[start : start + _PIECE_BYTES]


def _aiohttp_transport(proxy: str | None, once: bool) -> httpx.AsyncBaseTransport:
    return AiohttpTransport(client=lambda: _session(proxy, once), verify=_UNUSED_TLS)


class _DownloadTransport(httpx.AsyncBaseTransport):
    """aiohttp's for files. A link goes out byte for byte: aiohttp left to itself respells the escapes in it (%2F, %7E),
    which a signature over the address as it was written does not survive."""

    def __init__(self, proxy: str | None) -> None:
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._session is None:
            self._session = _session(self._proxy, once=False)
        timeout = request.extensions["timeout"]
        answer = await self._session.request(
            request.method,
            URL(str(request.url), encoded=True),
            headers=request.headers,
            allow_redirects=False,
            auto_decompress=False,
            read_bufsize=_DOWNLOAD_PIECE_BYTES,
            timeout=aiohttp.ClientTimeout(
                connect=timeout["pool"], sock_connect=timeout["connect"], sock_read=timeout["read"]
            ),
        )
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=_Body(answer))

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()


class _Body(httpx.AsyncByteStream):
    """Closed before its end it takes the connection with it, so that the host stops sending."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._answer.content.iter_chunked(_DOWNLOAD_PIECE_BYTES):
            yield piece

    async def aclose(self) -> None:
        self._answer.release()


def _session(proxy: str | None, once: bool) -> aiohttp.ClientSession:
    try:
        connector = _connector(proxy, once)
        # aiohttp keeps cookies of its own unless told otherwise, and would send one account's to the next.
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=proxy if proxy and not is_socks(proxy) else None,
        )
    except ValueError as error:
        raise ProviderError(ErrorKind.UNREACHABLE, detail="the address of the proxy cannot be read") from error


def _connector(proxy: str | None, once: bool) -> aiohttp.BaseConnector:
    if proxy is None or not is_socks(proxy):
        return _Connector(limit=0, force_close=once)
    # Not by aiohttp_socks' own reading of the address: that knows neither socks4a and socks5h nor a name without a
    # password, which is all that SOCKS4 has.
    parts = urlsplit(proxy)
    if not parts.hostname or not parts.port:
        raise ValueError("no host or no port")
    return _SocksConnector(
        host=parts.hostname,
        port=parts.port,
        proxy_type=ProxyType.SOCKS4 if parts.scheme in ("socks4", "socks4a") else ProxyType.SOCKS5,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        rdns=parts.scheme != "socks4",
        limit=0,
        force_close=once,
    )


class _Connecting(aiohttp.BaseConnector):
    """Whatever fails before a connection to the upstream stands has sent nothing to it.

    Only here it can be told: the libraries have the same errors for a proxy that hangs up while it is asked for a
    tunnel and for an upstream that hangs up on a request.
    """

    async def connect(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().connect(*args, **options)
        except Exception as error:
            raise ProviderError(ErrorKind.UNREACHABLE, detail=type(error).__name__) from error


class _Connector(_Connecting, aiohttp.TCPConnector):
    pass


class _SocksConnector(_Connecting, ProxyConnector):
    pass


def _failure(error: Exception) -> ProviderError:
    """Which of the two it was. The transport renames aiohttp's errors, some of them wrongly: the cause decides."""
    cause = error if isinstance(error, aiohttp.ClientError) else error.__cause__
    if isinstance(cause, aiohttp.ClientError):
        nothing_sent = isinstance(cause, _NOTHING_SENT_AIOHTTP)
    else:
        nothing_sent = isinstance(error, (*_NOTHING_SENT_HTTPX, *_NOTHING_SENT_AIOHTTP))
    kind = ErrorKind.UNREACHABLE if nothing_sent else ErrorKind.ANSWER_LOST
    return ProviderError(kind, detail=type(cause or error).__name__)
