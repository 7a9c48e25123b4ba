"""Download the URLs that clients name, without reaching the internal network: `gateway.media.url_policy` decides.

Every address is judged where its socket is made, after the last look-up and before the first packet: no name can
answer one thing to a check and another to the connection. aiohttp asks for each candidate of a name, and for
addresses as they are; one that is refused is like one that cannot be reached, so that the next is tried.

No proxy, cookie, credential or kept connection comes into it. Redirects are followed here, each as a URL of its own.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from functools import partial
from typing import IO
from urllib.parse import urljoin
from weakref import WeakValueDictionary

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from gateway.core.errors import GatewayError
from gateway.core.logs import GATEWAY
from gateway.core.messages import ERRORS, format_bytes
from gateway.media.spool import spool
from gateway.media.url_policy import Refused, UrlPolicy

MAX_REDIRECTS = 3
"""How often a file may lie elsewhere before that is taken for a circle."""

LOOK_UPS = 64
"""Names that are looked up at a time. One whose name server is slow keeps its place long after its fetch has ended."""

FETCHES = 64
"""Files that are fetched at a time, for everybody together. Whoever waits longer for a turn than a fetch may take is
told to come back."""

FETCHES_EACH = 16
"""The same for one caller, whose slow addresses then hold up nobody else."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PIECE_BYTES = 64 * 1024
_SHOWN_HOST = 100
_END_OF_HOST = re.compile(r"[/?#\\]")
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "video-gateway"}


class Fetcher:
    """Fetches files for clients from where `url_policy` allows.

    `max_seconds` bounds a whole fetch with its redirects, `connect_seconds` each look-up and connection together.
    `tls` replaces the system's certificates, `resolver` its look-ups; who hands one in closes it. `url_policy` and
    `max_seconds` can be set anew at any time: what is being fetched is judged by the new one from its next hop on.
    """

    def __init__(
        self,
        url_policy: UrlPolicy,
        *,
        max_seconds: float = 30.0,
        connect_seconds: float = 10.0,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.url_policy = url_policy
        self.max_seconds = max_seconds
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_seconds)
        self._own_resolver = None if resolver else _Resolver()
        self._resolver = resolver or self._own_resolver
        self._tls = tls
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self._turns = asyncio.Semaphore(FETCHES)
        self._turns_each: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        """By caller, for as long as anybody holds one."""

    async def aclose(self) -> None:
        """What is being fetched breaks off, and no more is."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()
        if self._own_resolver:
            await self._own_resolver.close()

    async def fetch(self, url: str, *, max_bytes: int, param: str, client: str = "") -> IO[bytes]:
        """The file at a client's URL, at its beginning; who gets it closes it. `client` tells callers apart.

        Raises GatewayError with `param`: `too_large` for more than `max_bytes`, else `invalid_value`. An address that
        is refused, a name that is not found and a host that does not answer are the same to a client: nobody can feel
        for what there is inside.
        """
        own = self._turns_each.setdefault(client, asyncio.Semaphore(FETCHES_EACH))
        async with AsyncExitStack() as turn:
            try:
                async with asyncio.timeout(self.max_seconds):
                    await turn.enter_async_context(own)
                    await turn.enter_async_context(self._turns)
            except TimeoutError as error:
                raise _error("too_many_downloads", param, code="upstream_unavailable") from error
            return await self._fetch(url, max_bytes, param)

    async def _fetch(self, url: str, max_bytes: int, param: str) -> IO[bytes]:
        max_seconds = self.max_seconds
        try:
            async with asyncio.timeout(max_seconds):
                return await self._follow(url, max_bytes, param)
        except Refused as error:
            _log(url, param, error)
            raise _error("url_not_fetchable", param) from error
        except TimeoutError as error:
            raise _error("url_download_timeout", param, seconds=f"{max_seconds:g}") from error

    async def _follow(self, url: str, max_bytes: int, param: str) -> IO[bytes]:
        for _ in range(MAX_REDIRECTS + 1):
            target = self.url_policy.check_url(url)
            async with self._get(target) as answer:
                location = answer.headers.get("Location")
                if answer.status in _REDIRECTS and location:
                    url = _join(target, location)
                    continue
                if answer.status != 200:
                    raise _error("url_http_error", param, status=answer.status)
                if answer.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
                    raise _error("url_compressed", param)
                if (answer.content_length or 0) > max_bytes:
                    raise _too_large(param, max_bytes)
                async with aclosing(_pieces(answer, param)) as pieces:
                    return await spool(pieces, max_bytes, partial(_too_large, param, max_bytes))
        raise Refused(f"more than {MAX_REDIRECTS} redirects")

    @asynccontextmanager
    async def _get(self, url: URL) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        """The head of an answer, its body still to come. Raises Refused where there is none."""
        try:
            answer = await self._session(url.scheme).get(url, allow_redirects=False)
        except (aiohttp.ClientError, OSError) as error:
            raise Refused(type(error).__name__) from error
        try:
            yield answer
        finally:
            answer.close()

    def _session(self, scheme: str) -> aiohttp.ClientSession:
        """One for each scheme: where a socket is made, nothing else tells what it is for."""
        session = self._sessions.get(scheme)
        if session is None:
            session = self._sessions[scheme] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=self._resolver,
                    use_dns_cache=False,
                    ssl=self._tls or True,
                    socket_factory=partial(self._socket, scheme),
                    force_close=True,
                    limit=0,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_HEADERS,
                auto_decompress=False,
                read_bufsize=_PIECE_BYTES,
                timeout=self._timeout,
                trust_env=False,
            )
        return session

    def _socket(self, scheme: str, candidate: aiohttp.AddrInfoType) -> socket.socket:
        """A socket for the one address it is then connected to. Raises PermissionError: of an OSError aiohttp knows
        that the next candidate is to be tried."""
        family, type_, proto, _, address = candidate
        if not self.url_policy.allows(str(address[0]), scheme):
            raise PermissionError("not an address that may be reached")
        return socket.socket(family, type_, proto)


class _Resolver(AbstractResolver):
    """The system's look-ups, in threads of their own: a client's name server that takes its time would otherwise hold
    up whatever else runs in the common ones, look-ups of the upstreams among it."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOK_UPS, "look-up")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        look_up = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=family,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for family, _, proto, _, address in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


async def _pieces(answer: aiohttp.ClientResponse, param: str) -> AsyncGenerator[bytes, None]:
    try:
        async for piece in answer.content.iter_any():
            yield piece
    except (aiohttp.ClientError, OSError) as error:
        raise _error("url_download_interrupted", param) from error


def _join(target: URL, location: str) -> str:
    try:
        return urljoin(str(target), location)
    except ValueError:
        raise Refused("a redirect to nowhere") from None


def _too_large(param: str, max_bytes: int) -> GatewayError:
    return _error("url_too_large", param, code="too_large", limit=format_bytes(max_bytes))


def _log(url: str, param: str, refused: Refused) -> None:
    """For the operator, whose lists it may be: the client is not told why. No path or query, which may be signed, and
    nothing of an address in which a password may stand anywhere."""
    host = "" if "@" in url else _END_OF_HOST.split(url.partition("://")[2], maxsplit=1)[0][:_SHOWN_HOST]
    fields = {"param": param, "host": host, "cause": refused.reason}
    GATEWAY.info("media fetch failed", extra={"fields": fields})


def _error(key: str, param: str, *, code: str = "invalid_value", **values: object) -> GatewayError:
    return GatewayError(code, ERRORS[key], param=param, values={"param": param, **values})
