"""aiohttp connections, direct or through any kind of proxy. A failure to connect is raised as UNREACHABLE."""

from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohttp_socks import ProxyConnector, ProxyType

from providers.contract.errors import ErrorKind, ProviderError
from providers.transport.proxy_urls import is_socks


def session(proxy: str | None, *, once: bool) -> aiohttp.ClientSession:
    """A connection pool; with `once` no connection is kept alive. Raises ProviderError for an invalid proxy URL."""
    try:
        connector = _connector(proxy, once)
        # By default aiohttp stores cookies and would send one account's with the calls of another.
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=proxy if proxy and not is_socks(proxy) else None,
        )
    except ValueError as error:
        raise ProviderError(ErrorKind.UNREACHABLE, detail="the proxy URL is invalid") from error


def _connector(proxy: str | None, once: bool) -> aiohttp.BaseConnector:
    if proxy is None or not is_socks(proxy):
        return _Connector(limit=0, force_close=once)
    # aiohttp_socks' own URL parser supports neither socks4a and socks5h nor a user without a password, as in SOCKS4.
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
    """Raises UNREACHABLE for any failure before the connection to the upstream is established: nothing was sent.

    Only the connector can tell: the libraries raise the same errors if a proxy closes the connection during CONNECT and
    if an upstream closes it during a request.
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
