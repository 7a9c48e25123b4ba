"""What the server knows of each connection, be it HTTP or, after an upgrade, WebSocket."""

import asyncio
import functools
import ipaddress
from collections import Counter
from typing import Any, ClassVar, cast

from gateway.cli.server.write_progress import WriteProgress

_LAST_WORDS_SECONDS = 0.05
"""Between the begin of a stop and the close of the connections; less than uvicorn waits for them."""


class CountedConnection:
    """Mixin for a protocol of uvicorn: counts the connections of each client address, and tells the application that
    the server begins to stop."""

    _by_address: ClassVar[Counter[str]] = Counter()

    transport: asyncio.Transport
    client: tuple[str, int] | None
    app_state: dict[str, Any]
    loop: asyncio.AbstractEventLoop

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.address = ""
        self.write_progress = WriteProgress()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)  # type: ignore[misc]
        self.address = _network(self.client[0]) if self.client else ""
        self._by_address[self.address] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._uncount()
        super().connection_lost(exc)  # type: ignore[misc]

    def _uncount(self) -> None:
        self._by_address[self.address] -= 1
        if not self._by_address[self.address]:
            del self._by_address[self.address]

    def shutdown(self) -> None:
        """The server begins to stop: the application ends its event streams, which would go on for minutes. What it
        tells them is sent before a WebSocket is closed."""
        on_stop = self.app_state.get("on_stop")
        if on_stop is not None:
            on_stop()
        self.loop.call_later(_LAST_WORDS_SECONDS, super().shutdown)  # type: ignore[misc]

    @property
    def address_connections(self) -> int:
        """Connections of the address of this one."""
        return self._by_address[self.address]


def open_websocket(**options: Any) -> asyncio.Protocol:
    """The protocol of a connection that becomes a WebSocket, which is counted. Few processes need its library."""
    protocol: asyncio.Protocol = _counted_websocket()(**options)
    return protocol


@functools.cache
def _counted_websocket() -> type[Any]:
    from uvicorn.protocols.websockets.auto import AutoWebSocketsProtocol

    return type("CountedWebSocket", (CountedConnection, cast(type[Any], AutoWebSocketsProtocol)), {})


def _network(host: str) -> str:
    """The host; of an IPv6 address the first 64 bits, which one client has to itself."""
    if ":" not in host:
        return host
    address = ipaddress.IPv6Address(host)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return address.packed[:8].hex()
