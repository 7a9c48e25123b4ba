"""Requests that come through a reverse proxy: the client's own address, scheme and host instead of the proxy's.

They are read from X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host, and only if the connection comes from a
trusted proxy: anybody else could write any address there.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

_HOST, _FORWARDED_HOST = b"host", b"x-forwarded-host"
_FORWARDED = frozenset({b"x-forwarded-for", b"x-forwarded-proto", _FORWARDED_HOST})


class ForwardedHeaders:
    """Sets `client`, `scheme` and the Host header of a request from a trusted proxy. Plain ASGI, in front of everything
    that reads them.

    The client is the last address of X-Forwarded-For that is not a trusted proxy itself, so that what a client writes
    there has no effect. IPv4 addresses are written as such, also on an IPv6 socket.
    """

    def __init__(self, app: ASGIApp, trusted: Sequence[IPv4Network | IPv6Network]) -> None:
        """`trusted` are the networks of the proxies."""
        self._app = app
        self._trusted = trusted
        self._behind_proxy = ProxyHeadersMiddleware(app, [str(network) for network in trusted])  # type: ignore[arg-type]
        self._read_peer = lru_cache(4096)(self._read_peer_uncached)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client is None:
            await self._app(scope, receive, send)
            return
        address, is_trusted = self._read_peer(client[0])
        if address != client[0]:
            scope["client"] = (address, client[1])
        forwarded = [(name, value) for name, value in scope["headers"] if name in _FORWARDED] if is_trusted else []
        if not forwarded:
            # From a proxy's machine, too, requests may come that no proxy has written: clients, and health checks.
            await self._app(scope, receive, send)
            return
        # Of several proxies the first writes what its client asked for, the others add theirs.
        written = next((value for name, value in forwarded if name == _FORWARDED_HOST), b"")
        host = written.partition(b",")[0].strip()
        if host:
            scope["headers"] = [(_HOST, host), *(one for one in scope["headers"] if one[0] != _HOST)]
        await self._behind_proxy(scope, receive, send)  # type: ignore[arg-type]

    def _read_peer_uncached(self, host: str) -> tuple[str, bool]:
        """The address of a peer, and whether it is a trusted proxy."""
        try:
            address: IPv4Address | IPv6Address = ip_address(host)
        except ValueError:
            return host, False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return str(address), any(address in network for network in self._trusted)
