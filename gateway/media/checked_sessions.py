"""aiohttp sessions for URLs of clients, which may not lead into the internal network (SSRF).

Every address is checked when its socket is created, after DNS and before the first packet, so that DNS rebinding has
no effect. aiohttp creates a socket for each address of a name. A disallowed one counts as unreachable, so that the
next one is tried.

There are no proxies, cookies, credentials or persistent connections.
"""

import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

from providers.on_demand import load
from providers.transport.address_policy import socket_factory

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import AbstractResolver

    from gateway.media.system_resolver import SystemResolver

_PIECE_BYTES = 64 * 1024
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "video-gateway"}


class CheckedSessions:
    """One session for each scheme: the socket factory gets the scheme from nowhere else.

    `allows` is called with an address, in the notation of sockets, and the scheme. `connect_seconds` limits each DNS
    lookup with its connection; there is no other timeout. `tls` replaces the system's
    certificates, `resolver` the system's DNS; the caller closes the resolver.
    """

    def __init__(
        self,
        allows: Callable[[str, str], bool],
        *,
        connect_seconds: float | None = None,
        resolver: "AbstractResolver | None" = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allows = allows
        self._connect_seconds = connect_seconds
        self._own_resolver: SystemResolver | None = None
        self._resolver = resolver
        self._tls = tls
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def of(self, scheme: str) -> "aiohttp.ClientSession":
        await load("gateway.media.system_resolver")
        import aiohttp

        from gateway.media.system_resolver import SystemResolver

        session = self._sessions.get(scheme)
        if session is None:
            if self._resolver is None:
                self._resolver = self._own_resolver = SystemResolver()
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
                timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_seconds),
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
