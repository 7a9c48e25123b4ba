"""Connections by aiohttp, direct or through any kind of proxy. A failure to connect is reported as UNREACHABLE."""

from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohttp_socks import ProxyConnector, ProxyType

from providers.contract.errors import ErrorKind, ProviderError
from providers.transport.proxy_urls import is_socks


def session(proxy: str | None, *, once: bool) -> aiohttp.ClientSession:
    """A pool of connections; with `once` none is kept. Raises ProviderError for an invalid proxy address."""
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
    """Raises UNREACHABLE for any failure before the connection to the upstream is established: nothing was sent.

    Only the connector can tell: the libraries have the same errors for a proxy that hangs up while it is asked for a
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
