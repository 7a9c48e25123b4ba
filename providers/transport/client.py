"""The outgoing HTTP client: one connection pool per proxy, and a new connection for calls that must be made once.

Unlike general clients it tells whether a failed call may have reached the upstream: `UNREACHABLE` means that nothing
was sent, `ANSWER_LOST` that something was. Charged submits depend on it.

It stores no cookies and follows no redirects of calls: providers send their accounts' cookies, and an API does not
redirect. Redirects of files are followed: object stores use them.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar, cast
from urllib.parse import quote, urlencode

import aiohttp
import httpx
import orjson
from yarl import URL

from providers.contract.errors import ErrorKind, ProviderError
from providers.transport.connectors import session
from providers.transport.transports import (
    DirectRoute,
    MockRoute,
    NetworkRoute,
    Pieces,
    ProxyRoute,
    Reply,
    Timeouts,
    client_over,
    failure,
    raise_for_proxy_status,
    read_retry_after,
)

MAX_REDIRECTS = 3
"""Redirects followed for a file; one more counts as a redirect loop."""

MAX_POOLS = 128
"""Connection pools, one for each proxy in use; beyond it the least recently used pool is closed."""

SLOWEST_UPLOAD = 100 * 1024
"""Bytes a second. A slower upload is aborted."""

_LONGEST_DOWNLOAD = 3600.0
_DOWNLOAD_CHUNK_BYTES = 64 * 1024

_TRANSPORT_ERRORS: tuple[type[Exception], ...] = (
    httpx.HTTPError,
    httpx.InvalidURL,
    aiohttp.ClientError,
    OSError,
)


@dataclass(frozen=True, slots=True)
class Download:
    """A response with a streamed body, in chunks of at most 64 KiB, as the host sent them.

    `pieces` can be read once, and raises ProviderError (ANSWER_LOST) if the connection breaks or times out.
    """

    status: int
    headers: httpx.Headers
    pieces: AsyncIterator[bytes]

    @property
    def retry_after(self) -> float | None:
        """Seconds, None if the host sent no number."""
        return read_retry_after(self.headers.get("retry-after"))


TransportFactory = Callable[[str | None], httpx.AsyncBaseTransport]
"""Creates the transport for a proxy URL or None. Only tests pass one."""


class _Closable(Protocol):
    async def aclose(self) -> None: ...


C = TypeVar("C", bound=_Closable)


class HttpClient:
    """Calls upstreams. Proxies do not share connection pools."""

    def __init__(self, timeouts: Timeouts | None = None, transport: TransportFactory | None = None) -> None:
        self.timeouts = timeouts or Timeouts()
        self._transport = transport
        self._routes: dict[tuple[str | None, bool], NetworkRoute] = {}
        self._downloads: dict[str | None, httpx.AsyncClient] = {}
        self._closing: set[asyncio.Future[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        pools: list[_Closable] = [*self._routes.values(), *self._downloads.values()]
        self._routes, self._downloads = {}, {}
        for pool in pools:
            await pool.aclose()
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
        """Send one call and return the response.

        `once` is for calls that must not be repeated: it uses a new connection, since with a pooled one that the
        upstream has just closed it is unknown whether the call arrived.

        Raises ProviderError: UNREACHABLE if nothing was sent, ANSWER_LOST if the call may have arrived,
        INVALID_REQUEST if `json` is not serializable.
        """
        try:
            body = b"" if json is None else orjson.dumps(json)
        except TypeError as error:
            # Integers beyond 64 bits and lone surrogates, which only fields from a client can contain.
            raise ProviderError(ErrorKind.INVALID_REQUEST, detail=str(error)) from error
        if params:
            url += "?" + urlencode(params, quote_via=quote)
        try:
            return await self._route(proxy, once).call(method, url, headers, body)
        except ProviderError:
            raise
        except Exception as error:
            raise failure(error, self.timeouts) from error

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, *, headers: Mapping[str, str], proxy: str | None = None
    ) -> AsyncGenerator[Download, None]:
        """Stream a file without decompressing it. Leaving the context closes an unfinished response.

        The headers must arrive within the total timeout, redirects included. The body has no total timeout, but the
        read timeout between chunks; time in which the reader does not wait for a chunk does not count.

        Raises ProviderError: UNREACHABLE and ANSWER_LOST as in `send`, UPSTREAM_ERROR for an invalid redirect.
        """
        client = self._download_client(proxy)
        async with AsyncExitStack() as opened:
            try:
                request = client.build_request(method, url, headers={**headers, "Accept-Encoding": "identity"})
                async with asyncio.timeout(self.timeouts.total):
                    response = await _find(client, request)
                opened.push_async_callback(response.aclose)
            except _TRANSPORT_ERRORS as error:
                raise failure(error, self.timeouts) from error
            except ValueError as error:
                # Each library raises its own ValueError for an invalid URL.
                raise ProviderError(ErrorKind.UNREACHABLE, detail="InvalidURL") from error
            pieces = await opened.enter_async_context(aclosing(_download_pieces(response)))
            yield Download(response.status_code, response.headers, pieces)

    async def upload(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: AsyncIterable[bytes],
        length: int,
        proxy: str | None = None,
    ) -> Reply:
        """Send a file of `length` bytes in chunks and return the response. Redirects are not followed.

        The timeout is the total one plus the time at SLOWEST_UPLOAD; between chunks it is the total one. Raises
        ProviderError: UNREACHABLE if nothing was sent, ANSWER_LOST if something was.
        """
        client = self._download_client(proxy)
        loop, longest = asyncio.get_running_loop(), self.timeouts.total
        try:
            async with asyncio.timeout(longest + length / SLOWEST_UPLOAD), asyncio.timeout(longest) as stalled:

                async def watched() -> AsyncIterator[bytes]:
                    async for piece in content:
                        # The response may arrive before the end of the request.
                        with suppress(RuntimeError):
                            stalled.reschedule(loop.time() + longest)
                        yield piece

                sent = {**headers, "Accept-Encoding": "identity", "Content-Length": str(length)}
                request = client.build_request(method, url, headers=sent, content=watched())
                response = await client.send(request, stream=True)
                try:
                    raise_for_proxy_status(response.status_code)
                    pieces = Pieces()
                    async for piece in _download_pieces(response):
                        pieces.add(piece)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise ProviderError(ErrorKind.ANSWER_LOST, detail="the upload stalled or took too long") from error
        except ProviderError:
            raise
        except Exception as error:
            raise failure(error, self.timeouts) from error
        return Reply(response.status_code, pieces.whole(), read_retry_after(response.headers.get("retry-after")))

    def _route(self, proxy: str | None, once: bool) -> NetworkRoute:
        route = self._routes.get((proxy, once))
        if route is not None and len(self._routes) < MAX_POOLS:
            return route
        if route is None:
            route = self._new_route(proxy, once)
        self._use(self._routes, (proxy, once), route, self.timeouts.total)
        return route

    def _new_route(self, proxy: str | None, once: bool) -> NetworkRoute:
        if self._transport is not None:
            return MockRoute(self._transport(proxy))
        if proxy is None:
            return DirectRoute(self.timeouts, once=once)
        return ProxyRoute(self.timeouts, proxy, once=once)

    def _download_client(self, proxy: str | None) -> httpx.AsyncClient:
        client = self._downloads.get(proxy)
        if client is None:
            transport = self._transport(proxy) if self._transport else _DownloadTransport(proxy)
            client = client_over(transport, self.timeouts)
        self._use(self._downloads, proxy, client, _LONGEST_DOWNLOAD)
        return client

    def _use(self, pools: dict[Any, C], key: Any, pool: C, grace: float) -> None:
        """Mark a pool as most recently used and evict the least recently used ones: the number of proxies is not
        limited. Calls in flight over an evicted pool have `grace` seconds to finish."""
        pools.pop(key, None)
        pools[key] = pool
        while len(pools) > MAX_POOLS:
            oldest = pools.pop(next(iter(pools)))
            closing = asyncio.ensure_future(_close_later(oldest, grace))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


async def _close_later(pool: _Closable, seconds: float) -> None:
    try:
        await asyncio.sleep(seconds)
    finally:
        await pool.aclose()


async def _find(client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    """The response after redirects. Credentials in the headers are not sent to another host."""
    for _ in range(MAX_REDIRECTS + 1):
        response = await client.send(request, stream=True)
        raise_for_proxy_status(response.status_code)
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
    except _TRANSPORT_ERRORS as error:
        raise failure(error, Timeouts()) from error


class _DownloadTransport(httpx.AsyncBaseTransport):
    """aiohttp for files. URLs are sent unchanged: by default aiohttp normalizes escapes (%2F, %7E), which breaks
    signed URLs."""

    def __init__(self, proxy: str | None) -> None:
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._session is None:
            self._session = session(self._proxy, once=False)
        timeout = request.extensions["timeout"]
        answer = await self._session.request(
            request.method,
            URL(str(request.url), encoded=True),
            headers=request.headers,
            # A streamed body; aiohttp would treat an empty one as one of unknown length.
            data=request.stream if "content-length" in request.headers else None,
            allow_redirects=False,
            auto_decompress=False,
            read_bufsize=_DOWNLOAD_CHUNK_BYTES,
            timeout=aiohttp.ClientTimeout(
                connect=timeout["pool"], sock_connect=timeout["connect"], sock_read=timeout["read"]
            ),
        )
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=_Body(answer))

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()


class _Body(httpx.AsyncByteStream):
    """If closed before its end, the connection is closed too, so that the host stops sending."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._answer.content.iter_chunked(_DOWNLOAD_CHUNK_BYTES):
            yield piece

    async def aclose(self) -> None:
        self._answer.release()
