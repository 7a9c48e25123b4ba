"""aiohttp connections, direct or through any kind of proxy. A failure to connect is raised as UNREACHABLE."""

import asyncio
import socket
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyType

from providers.contract.errors import ErrorKind, ProviderError
from providers.transport.address_policy import (
    LINK_DISALLOWED,
    PROXY_DISALLOWED,
    Allows,
    DisallowedAddressError,
    socket_factory,
)
from providers.transport.failures import LibraryErrors
from providers.transport.proxy_urls import is_socks
from providers.transport.timeouts import IDLE_SECONDS

AIOHTTP_ERRORS = LibraryErrors(
    not_sent=(aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError),
    silence=(aiohttp.SocketTimeoutError,),
)


def session(proxy: str | None, *, once: bool, allows: Allows | None = None) -> aiohttp.ClientSession:
    """A connection pool; with `once` no connection is kept alive. `allows` is asked for each address that it connects
    to: the proxy's, or without a proxy the host's. Raises ProviderError for an invalid proxy URL."""
    try:
        connector = _connector(proxy, once, allows)
        # By default aiohttp stores cookies and would send one account's with the calls of another.
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=proxy if proxy and not is_socks(proxy) else None,
        )
    except ValueError as error:
        raise ProviderError(ErrorKind.UNREACHABLE, detail="the proxy URL is invalid") from error


def _connector(proxy: str | None, once: bool, allows: Allows | None) -> aiohttp.BaseConnector:
    if proxy is None or not is_socks(proxy):
        kind = _LinkConnector if proxy is None else _Connector
        factory = socket_factory(allows) if allows else None
        return kind(limit=0, socket_factory=factory, **_keep_alive(once))
    # aiohttp_socks' own URL parser supports neither socks4a and socks5h nor a user without a password, as in SOCKS4.
    parts = urlsplit(proxy)
    if not parts.hostname or not parts.port:
        raise ValueError("no host or no port")
    return _SocksConnector(
        allows=allows,
        host=parts.hostname,
        port=parts.port,
        proxy_type=ProxyType.SOCKS4 if parts.scheme in ("socks4", "socks4a") else ProxyType.SOCKS5,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        rdns=parts.scheme != "socks4",
        limit=0,
        **_keep_alive(once),
    )


def _keep_alive(once: bool) -> dict[str, Any]:
    # aiohttp rejects the two together.
    return {"force_close": True} if once else {"keepalive_timeout": IDLE_SECONDS}


class _Connecting(aiohttp.BaseConnector):
    """Raises UNREACHABLE for any failure before the connection to the upstream is established: nothing was sent.
    `disallowed` is raised where a policy allows none of the addresses.

    Only the connector can tell: the libraries raise the same errors if a proxy closes the connection during CONNECT and
    if an upstream closes it during a request.
    """

    disallowed = ErrorKind.UNREACHABLE, PROXY_DISALLOWED

    async def connect(self, *args: Any, **options: Any) -> aiohttp.connector.Connection:
        try:
            while not _is_usable(connection := await super().connect(*args, **options)):
                connection.close()
            return connection
        except Exception as error:
            if isinstance(getattr(error, "os_error", error), DisallowedAddressError):
                kind, detail = self.disallowed
            else:
                kind, detail = ErrorKind.UNREACHABLE, type(error).__name__
            raise ProviderError(kind, detail=detail) from error


def _is_usable(connection: aiohttp.connector.Connection) -> bool:
    """Stop the read timer that a response larger than the buffer leaves behind on an idle connection. False where it
    has expired: the next call would fail at once, as if the upstream had been silent for the whole read timeout."""
    protocol = connection.protocol
    if protocol is None or protocol.should_close:
        return False
    protocol.read_timeout = None
    protocol.start_timeout()
    return True


class _Connector(_Connecting, aiohttp.TCPConnector):
    pass


class _LinkConnector(_Connector):
    """Without a proxy it connects to the host of a link."""

    disallowed = ErrorKind.UPSTREAM_ERROR, LINK_DISALLOWED


class _SocksConnector(_Connecting, ProxyConnector):
    """aiohttp_socks creates the socket itself, by the proxy's name. With `allows` the name is resolved here, and the
    socket created by an address that was checked."""

    def __init__(self, *, allows: Allows | None, host: str, port: int, **options: Any) -> None:
        super().__init__(host, port, **options)
        self._allows = allows
        self._name, self._port = host, port

    async def _connect_via_proxy(self, *args: Any, **options: Any) -> Any:
        if self._allows is None:
            return await super()._connect_via_proxy(*args, **options)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._name, self._port, type=socket.SOCK_STREAM)
        error: Exception = DisallowedAddressError()
        for address in dict.fromkeys(str(address[0]) for *_, address in found):
            if not self._allows(address):
                continue
            # Read before the first await of the call, so that no concurrent connection changes it.
            self._proxy_host = address
            try:
                return await super()._connect_via_proxy(*args, **options)
            except ProxyConnectionError as failed:
                error = failed
        try:
            raise error
        finally:
            del error
