"""aiohttp sessions for URLs of clients, which may not lead into the internal network (SSRF).

Every address is checked when its socket is created, after DNS and before the first packet, so that DNS rebinding has
no effect. aiohttp creates a socket for each address of a name. A disallowed one counts as unreachable, so that the
next one is tried.

There are no proxies, cookies, credentials or persistent connections.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from providers.transport.address_policy import socket_factory

MAX_LOOKUPS = 64
"""Concurrent DNS lookups. A lookup of a slow name server goes on long after its request has ended."""

_PIECE_BYTES = 64 * 1024
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "video-gateway"}


class CheckedSessions:
    """One session for each scheme: the socket factory gets the scheme from nowhere else.

    `allows` is called with an address, in the notation of sockets, and the scheme. `tls` replaces the system's
    certificates, `resolver` the system's DNS; the caller closes the resolver.
    """

    def __init__(
        self,
        allows: Callable[[str, str], bool],
        timeout: aiohttp.ClientTimeout,
        *,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allows = allows
        self._timeout = timeout
        self._own_resolver = None if resolver else _Resolver()
        self._resolver = resolver or self._own_resolver
        self._tls = tls
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    def of(self, scheme: str) -> aiohttp.ClientSession:
        session = self._sessions.get(scheme)
        if session is None:
            session = self._sessions[scheme] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=self._resolver,
                    use_dns_cache=False,
                    ssl=self._tls or True,
                    socket_factory=socket_factory(lambda address: self._allows(address, scheme)),
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

    async def aclose(self) -> None:
        """Abort running requests, and start no more."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()
        if self._own_resolver:
            await self._own_resolver.close()


class _Resolver(AbstractResolver):
    """The system's DNS lookups, in separate threads: in the default executor, lookups of slow name servers would block
    other work, such as lookups of the upstreams."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MAX_LOOKUPS, "dns-lookup")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        lookup = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, lookup)
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
