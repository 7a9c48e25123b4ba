"""The outgoing HTTP client: one connection pool per proxy, and a new connection for calls that must be made once.

Unlike general clients it tells whether a failed call may have reached the upstream: `UNREACHABLE` means that nothing
was sent, `ANSWER_LOST` that something was. Charged submits depend on it.

It stores no cookies and follows no redirects of calls: providers send their accounts' cookies, and an API does not
redirect. Redirects of files are followed: object stores use them.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Hashable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote, urlencode

import orjson
from yarl import URL

from providers.contract.accounts import CallerProxy, Proxy
from providers.contract.errors import ErrorKind, ProviderError
from providers.on_demand import load
from providers.transport.address_policy import PROXY_DISALLOWED, Allows, Policies, check_link
from providers.transport.failures import LibraryErrors, failure, of_caller_proxy, raise_for_proxy_status
from providers.transport.pools import Closable, PoolCache, PoolLease
from providers.transport.proxy_urls import host_and_port
from providers.transport.timeouts import Timeouts
from providers.transport.transports import (
    DirectRoute,
    NetworkRoute,
    OpenRoute,
    Pieces,
    Reply,
    read_retry_after,
)

if TYPE_CHECKING:
    import httpx

    from providers.transport.httpx_clients import MockRoute

MAX_POOLS = 128
"""Connection pools for the operator's proxies, and as many for those of callers; of each kind, as files have their own.
Beyond it the least recently used pool is closed."""

SESSION_ROUTE, FILES = "providers.transport.session_route", "providers.transport.files"
"""Modules that are imported on demand: for calls through proxies, to checked hosts and with a streamed response; and
for files."""

SLOWEST_UPLOAD = 100 * 1024
"""Bytes a second. A slower upload is aborted."""


@dataclass(frozen=True, slots=True)
class Download:
    """A response with a streamed body, in chunks of at most 64 KiB. A file is as the host sent it, an answer is
    decompressed.

    `pieces` can be read once, and raises ProviderError (ANSWER_LOST) if the connection breaks or times out.
    """

    status: int
    headers: "httpx.Headers"
    pieces: AsyncIterator[bytes]

    @property
    def retry_after(self) -> float | None:
        """Seconds, None if the host sent neither a number nor a date."""
        return read_retry_after(self.headers.get("retry-after"))


TransportFactory = Callable[[str | None], "httpx.AsyncBaseTransport"]
"""Creates the transport for a proxy URL or None. Only tests pass one."""


K = TypeVar("K", bound=Hashable)
P = TypeVar("P", bound=Closable)


class HttpClient:
    """Calls upstreams. Proxies do not share connection pools.

    `policies` are for hosts that an upstream names, and for proxies of callers; by default everything is allowed.
    """

    def __init__(
        self,
        timeouts: Timeouts | None = None,
        transport: TransportFactory | None = None,
        policies: Policies | None = None,
    ) -> None:
        self.timeouts = timeouts or Timeouts()
        self._transport = transport
        self._policies = policies or Policies()
        self._routes = PoolCache[tuple[Proxy | None, bool, bool], NetworkRoute](MAX_POOLS)
        """By proxy, whether they are for calls that are sent once, and whether they check the host's addresses."""
        self._open_routes = PoolCache[Proxy | None, OpenRoute](MAX_POOLS)
        self._files = PoolCache[Proxy | None, "httpx.AsyncClient"](MAX_POOLS)

    @property
    def policies(self) -> Policies:
        return self._policies

    @policies.setter
    def policies(self, policies: Policies) -> None:
        """Calls in flight end under the policies that they began with. Later calls reuse none of their connections."""
        if policies != self._policies:
            self._policies = policies
            self._routes.evict_all()
            self._open_routes.evict_all()
            self._files.evict_all()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._routes.aclose()
        await self._open_routes.aclose()
        await self._files.aclose()

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
        content: bytes = b"",
        proxy: Proxy | None = None,
        once: bool = False,
        is_link: bool = False,
    ) -> Reply:
        """Send one call and return the response. `content`, if not empty, is a body as it is, in place of `json`.

        `once` is for calls that must not be repeated: it uses a new connection, since with a pooled one that the
        upstream has just closed it is unknown whether the call arrived. `is_link` marks a URL whose host an upstream
        names: the policy for links applies.

        Raises ProviderError: UNREACHABLE if nothing was sent, ANSWER_LOST if the call may have arrived,
        INVALID_REQUEST if `json` is not serializable, UPSTREAM_ERROR for a link to a host that is not allowed.
        """
        try:
            body = content or (b"" if json is None else orjson.dumps(json))
        except TypeError as error:
            # Integers beyond 64 bits and lone surrogates, which only fields from a client can contain.
            raise ProviderError(ErrorKind.INVALID_REQUEST, detail=str(error)) from error
        if params:
            url += "?" + urlencode(params, quote_via=quote)
        # Through a proxy the address of the host is the proxy's business.
        key = proxy, once, is_link and self._check(url) and proxy is None
        if proxy is not None or key[-1]:
            await self._load(SESSION_ROUTE, proxy)
        lease = self._lease(self._routes, key, proxy, partial(self._new_route, *key))
        began = time.monotonic()
        try:
            return await lease.pool.call(method, url, headers, body)
        except ProviderError as error:
            if isinstance(proxy, CallerProxy):
                raise of_caller_proxy(error, proxy) from error
            raise
        except Exception as error:
            raise self._failure(error, lease.pool.errors, proxy, time.monotonic() - began) from error
        finally:
            self._routes.release(lease)

    @asynccontextmanager
    async def open(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, proxy: Proxy | None = None
    ) -> AsyncGenerator[Download, None]:
        """Send one call and stream its response, each chunk as it arrives. Leaving the context ends the call.

        The first byte, and each further chunk, must arrive within the timeout for answers. A redirect is a response.
        Raises ProviderError as `send` does.
        """
        await self._load(SESSION_ROUTE, proxy)
        lease = self._lease(self._open_routes, proxy, proxy, partial(self._new_open_route, proxy))
        began = time.monotonic()
        async with AsyncExitStack() as opened:
            opened.callback(self._open_routes.release, lease)
            try:
                async with asyncio.timeout(self.timeouts.answer):
                    found = await opened.enter_async_context(lease.pool.open(method, url, headers, body))
            except ProviderError as error:
                if isinstance(proxy, CallerProxy):
                    raise of_caller_proxy(error, proxy) from error
                raise
            except Exception as error:
                raise self._open_failure(error, lease.pool.errors, proxy, time.monotonic() - began) from error

            async def pieces() -> AsyncGenerator[bytes, None]:
                try:
                    async for piece in found.pieces:
                        yield piece
                except Exception as error:
                    raise self._open_failure(error, lease.pool.errors, proxy) from error

            chunks = await opened.enter_async_context(aclosing(pieces()))
            yield Download(found.status, _headers(found.headers), chunks)

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, *, headers: Mapping[str, str], proxy: Proxy | None = None
    ) -> AsyncGenerator[Download, None]:
        """Stream a file of an upstream without decompressing it. Leaving the context closes an unfinished response.

        The policy for links applies to the URL and to its redirects. The headers must arrive within the total timeout,
        redirects included. The body has no total timeout, but the read timeout between chunks; time in which the
        reader does not wait for a chunk does not count.

        Raises ProviderError: UNREACHABLE and ANSWER_LOST as in `send`, UPSTREAM_ERROR for an invalid redirect and for
        a host that is not allowed.
        """
        await self._load(FILES, proxy)
        from providers.transport import files

        async with AsyncExitStack() as opened:
            policies, began = self._policies, time.monotonic()
            lease = self._lease(self._files, proxy, proxy, partial(self._new_file_client, proxy))
            opened.callback(self._files.release, lease)
            try:
                sent = {**headers, "Accept-Encoding": "identity"}
                request = lease.pool.build_request(method, url, headers=sent)
                async with asyncio.timeout(self.timeouts.total):
                    response = await files.find(lease.pool, request, policies, proxy)
                opened.push_async_callback(response.aclose)
            except ProviderError as error:
                if isinstance(proxy, CallerProxy):
                    raise of_caller_proxy(error, proxy) from error
                raise
            except files.TRANSPORT_ERRORS as error:
                raise self._failure(error, files.FILE_ERRORS, proxy, time.monotonic() - began) from error
            except ValueError as error:
                # Each library raises its own ValueError for an invalid URL.
                raise ProviderError(ErrorKind.UNREACHABLE, detail="InvalidURL") from error
            pieces = files.pieces_of(response, partial(self._failure, library=files.FILE_ERRORS, proxy=proxy))
            await opened.enter_async_context(aclosing(pieces))
            yield Download(response.status_code, response.headers, pieces)

    async def upload(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: AsyncIterable[bytes],
        length: int,
        proxy: Proxy | None = None,
    ) -> Reply:
        """Send a file of `length` bytes in chunks and return the response. Redirects are not followed. The policy for
        links applies: the upstream names the host that takes its files.

        The timeout is the total one plus the time at SLOWEST_UPLOAD; between chunks it is the total one. Raises
        ProviderError: UNREACHABLE if nothing was sent, ANSWER_LOST if something was, UPSTREAM_ERROR for a host that is
        not allowed.
        """
        self._check(url)
        await self._load(FILES, proxy)
        from providers.transport import files

        lease = self._lease(self._files, proxy, proxy, partial(self._new_file_client, proxy))
        loop, longest, began = asyncio.get_running_loop(), self.timeouts.total, time.monotonic()
        try:
            async with asyncio.timeout(longest + length / SLOWEST_UPLOAD), asyncio.timeout(longest) as stalled:

                async def watched() -> AsyncIterator[bytes]:
                    async for piece in content:
                        # The response may arrive before the end of the request.
                        with suppress(RuntimeError):
                            stalled.reschedule(loop.time() + longest)
                        yield piece

                sent = {**headers, "Accept-Encoding": "identity", "Content-Length": str(length)}
                request = lease.pool.build_request(method, url, headers=sent, content=watched())
                response = await lease.pool.send(request, stream=True)
                try:
                    raise_for_proxy_status(response.status_code, response.headers, url, proxy)
                    pieces = Pieces(response.status_code)
                    failed = partial(self._failure, library=files.FILE_ERRORS, proxy=proxy)
                    async for piece in files.pieces_of(response, failed):
                        pieces.add(piece)
                        if pieces.full:
                            break
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise ProviderError(ErrorKind.ANSWER_LOST, detail="the upload stalled or took too long") from error
        except ProviderError as error:
            if isinstance(proxy, CallerProxy):
                raise of_caller_proxy(error, proxy) from error
            raise
        except Exception as error:
            raise self._failure(error, files.FILE_ERRORS, proxy, time.monotonic() - began) from error
        finally:
            self._files.release(lease)
        return Reply(response.status_code, pieces.whole(), read_retry_after(response.headers.get("retry-after")))

    def _open_failure(
        self, error: Exception, library: LibraryErrors, proxy: Proxy | None, seconds: float = 0.0
    ) -> ProviderError:
        limit = self.timeouts.answer
        failed = failure(error, library, replace(self.timeouts, read=limit, total=limit), seconds)
        return of_caller_proxy(failed, proxy) if isinstance(proxy, CallerProxy) else failed

    def _failure(
        self, error: Exception, library: LibraryErrors, proxy: Proxy | None = None, seconds: float = 0.0
    ) -> ProviderError:
        failed = failure(error, library, self.timeouts, seconds)
        return of_caller_proxy(failed, proxy) if isinstance(proxy, CallerProxy) else failed

    def _check(self, url: str) -> bool:
        """True where the policy for links applies to a URL. Raises ProviderError for one that it forbids."""
        try:
            link = URL(url, encoded=True)
            check_link(link, self._policies)
        except ValueError as error:
            raise ProviderError(ErrorKind.UNREACHABLE, detail="InvalidURL") from error
        return self._policies.of_link(link) is not None

    async def _load(self, module: str, proxy: Proxy | None) -> None:
        """Import a module on demand. Raises ProviderError, for example where there are no file descriptors left."""
        try:
            await load(module)
        except Exception as error:
            failed = ProviderError(ErrorKind.UNREACHABLE, detail=type(error).__name__)
            raise (of_caller_proxy(failed, proxy) if isinstance(proxy, CallerProxy) else failed) from error

    def _lease(self, pools: PoolCache[K, P], key: K, proxy: Proxy | None, make: Callable[[], P]) -> PoolLease[P]:
        """The pool for a call. Raises ProviderError: whatever fails here, nothing was sent."""
        try:
            return pools.acquire(key, make, guest=isinstance(proxy, CallerProxy))
        except ProviderError as error:
            if isinstance(proxy, CallerProxy):
                raise of_caller_proxy(error, proxy) from error
            raise
        except Exception as error:
            raise ProviderError(ErrorKind.UNREACHABLE, detail=type(error).__name__) from error

    def _new_route(self, proxy: Proxy | None, once: bool, checked: bool) -> NetworkRoute:
        allows = self._checked_proxy(proxy)
        if self._transport is not None:
            return _mock_route(self._transport, proxy, self.timeouts)
        links = self._policies.links if checked else None
        if proxy is None and links is None:
            return DirectRoute(self.timeouts, once=once)
        from providers.transport.session_route import SessionRoute

        return SessionRoute(self.timeouts, proxy, once=once, allows=links.allows if links else allows)

    def _new_open_route(self, proxy: Proxy | None) -> OpenRoute:
        allows = self._checked_proxy(proxy)
        if self._transport is not None:
            return _mock_route(self._transport, proxy, self.timeouts)
        from providers.transport.session_route import SessionRoute

        return SessionRoute(self.timeouts, proxy, allows=allows)

    def _new_file_client(self, proxy: Proxy | None) -> "httpx.AsyncClient":
        from providers.transport.files import FileTransport
        from providers.transport.httpx_clients import client_over

        allows = self._checked_proxy(proxy)
        if self._transport is not None:
            return client_over(self._transport(str(proxy) if proxy else None), self.timeouts)
        return client_over(FileTransport(proxy, allows, self._policies), self.timeouts)

    def _checked_proxy(self, proxy: Proxy | None) -> Allows | None:
        """What allows the addresses of a proxy; None for every address. Raises ProviderError for a caller's proxy whose
        host is not allowed."""
        policy = self._policies.proxies
        if not isinstance(proxy, CallerProxy) or policy is None:
            return None
        if not policy.permits_host(*host_and_port(proxy.url)):
            raise ProviderError(ErrorKind.UNREACHABLE, detail=PROXY_DISALLOWED)
        return policy.allows


def _mock_route(transport: TransportFactory, proxy: Proxy | None, timeouts: Timeouts) -> "MockRoute":
    from providers.transport.httpx_clients import MockRoute

    return MockRoute(transport(str(proxy) if proxy else None), timeouts)


def _headers(headers: Mapping[str, str]) -> "httpx.Headers":
    """The headers of aiohttp, whose values may have any bytes."""
    import httpx

    return httpx.Headers([(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in headers.items()])
