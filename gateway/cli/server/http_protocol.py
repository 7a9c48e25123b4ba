"""The HTTP protocol of the server: uvicorn's, with limits on what a connection may cost before a caller is known."""

import asyncio
import resource
import time
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Self
from weakref import WeakKeyDictionary

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.core.errors import GatewayError
from gateway.core.localization import Language
from gateway.core.settings import Settings

_RATE_SECONDS = 10.0
"""Interval at which the rate of a body is checked."""
_SWEEP_SECONDS = 1.0
"""Longest interval at which the connections of a process are checked: a timer for each request would cost more."""
_MAX_DESCRIPTORS = 65_536
_OTHER_DESCRIPTORS = 64
"""Descriptors that are left for upstream connections and files."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits of connections and requests.

    `head_seconds` bounds a request up to the first byte of its body, or to its end without a body. A body slower than
    `body_bytes_per_second` ends its request. `connections` are those of the process, `connections_per_address` those
    of one client address, which is that of the proxy where there is one. `language` is that of the error responses.
    """

    head_bytes: int = 64 * 1024
    headers: int = 100
    head_seconds: float = 60.0
    body_bytes_per_second: int = 1024
    connections: int = 1024
    connections_per_address: int = 1024
    language: Language = "zh"

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The limits of a configuration. Without a number of connections, the descriptors of the process decide."""
        limits = settings.limits
        connections = limits.connections or _connections_by_descriptors()
        return cls(
            limits.head_bytes,
            limits.headers,
            limits.head_seconds,
            limits.body_bytes_per_second,
            connections,
            limits.connections_per_address or connections,
            settings.language,
        )


def _connections_by_descriptors() -> int:
    """Raise the soft limit of descriptors as far as allowed; the connections that it leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    descriptors = wanted if soft == resource.RLIM_INFINITY else soft
    return max(16, descriptors * 3 // 4 - _OTHER_DESCRIPTORS)


class _Reading(Enum):
    """What the server waits for on a connection."""

    HEAD = 1
    """The rest of a request, up to the first byte of its body."""
    BODY = 2
    NOTHING = 3
    """The next request, or the end of the response."""


class LimitedProtocol(HttpToolsProtocol):
    """One connection. A request that exceeds a limit gets 431 or 408, and the connection is closed.

    Where all connections are taken, the one that has been without a complete request head for the longest time makes
    room; only where there is none the new one gets 503.
    """

    limits: ClassVar[ConnectionLimits] = ConnectionLimits()
    """Of the process: set before the server starts."""
    _by_address: ClassVar[Counter[str]] = Counter()
    _sweeps: ClassVar[WeakKeyDictionary[Any, asyncio.TimerHandle]] = WeakKeyDictionary()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._in_head = True
        self._is_complete = False
        self._head_bytes = 0
        self._body_bytes = 0
        self._unread_bytes = 0
        """Bytes since the last piece of the body: trailers, or extensions of a chunk."""
        self._rejected = False
        self._running: RequestResponseCycle | None = None
        self._address = ""
        self._reading = _Reading.HEAD
        self._since = 0.0

    # --- connections ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self._by_address[self._address] += 1
        self._since = time.monotonic()
        if self._is_full() and not self._make_room():
            self._reject("too_many_connections")
        elif self.server_state not in self._sweeps:
            self._schedule_sweep()

    def connection_lost(self, exc: Exception | None) -> None:
        self._by_address[self._address] -= 1
        if not self._by_address[self._address]:
            del self._by_address[self._address]
        self._disconnect()
        super().connection_lost(exc)

    def _disconnect(self) -> bool:
        """Tell the running request that its client has gone, and drop those that are pipelined behind it. Uvicorn tells
        only the last one that it has read. True where a response has begun that is not complete."""
        self.pipeline.clear()
        cycle = self._running
        if cycle is None or cycle.response_complete:
            return False
        cycle.disconnected = True
        cycle.message_event.set()
        return cycle.response_started

    def _is_full(self) -> bool:
        limits = self.limits
        return (
            len(self.connections) > limits.connections
            or self._by_address[self._address] > limits.connections_per_address
        )

    def _make_room(self) -> bool:
        """Close the connection that waits for the longest time: any where all are taken, else one of this address."""
        any_address = len(self.connections) > self.limits.connections
        waiting = [
            one
            for one in self.connections
            if isinstance(one, LimitedProtocol)
            and one is not self
            and one._in_head
            and not one._rejected
            and (any_address or one._address == self._address)
        ]
        if not waiting:
            return False
        min(waiting, key=lambda one: one._since)._reject("too_many_connections")
        return True

    def shutdown(self) -> None:
        """The server begins to stop: the application ends its event streams, which would go on for minutes."""
        on_stop = self.app_state.get("on_stop")
        if on_stop is not None:
            on_stop()
        super().shutdown()

    # --- requests ------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._rejected:
            return
        if self._in_head:
            room = self.limits.head_bytes - self._head_bytes
            piece, data = data[:room], data[room:]
            self._head_bytes += len(piece)
            super().data_received(piece)
            if self._in_head and self._head_bytes >= self.limits.head_bytes:
                self._reject("headers_too_large")
            if not data or self._rejected:
                return
        self._unread_bytes += len(data)
        super().data_received(data)
        if self._unread_bytes > self.limits.head_bytes and not self._in_head and not self._rejected:
            self._reject("headers_too_large")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._unread_bytes = 0
        self._reading, self._since = _Reading.HEAD, time.monotonic()

    def on_headers_complete(self) -> None:
        if self._rejected:
            return
        self._in_head, self._is_complete, self._head_bytes, self._body_bytes = False, False, 0, 0
        if len(self.headers) > self.limits.headers:
            self._reject("headers_too_large")
        else:
            super().on_headers_complete()
            if not self.parser.should_upgrade():
                # Trailers are dropped: uvicorn would add them to the headers of the running request.
                self.headers = []

    def on_body(self, body: bytes) -> None:
        if self._rejected:
            return
        if self._reading is _Reading.HEAD:
            self._reading, self._since = _Reading.BODY, time.monotonic()
        self._body_bytes += len(body)
        self._unread_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._reading = _Reading.NOTHING
        self._is_complete = True
        self._unread_bytes = 0
        if not self._rejected:
            super().on_message_complete()
            if not self._should_upgrade():
                self._wait_for_next()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Called for each request when its turn has come."""
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait_for_next()

    def _wait_for_next(self) -> None:
        """Between two requests a connection waits as well. A response may end before the body of its request."""
        if self._is_complete and self.cycle.response_complete:
            self._in_head, self._since = True, time.monotonic()

    # --- time ----------------------------------------------------------------------------------------------------

    def _schedule_sweep(self) -> None:
        interval = min(_SWEEP_SECONDS, self.limits.head_seconds / 4, _RATE_SECONDS / 4)
        self._sweeps[self.server_state] = self.loop.call_later(interval, self._sweep)

    def _sweep(self) -> None:
        """Check every connection of the server, and come back while there are any."""
        del self._sweeps[self.server_state]
        now = time.monotonic()
        for one in list(self.connections):
            if isinstance(one, LimitedProtocol):
                one._check_time(now)
        if self.connections:
            self._schedule_sweep()

    def _check_time(self, now: float) -> None:
        waited = now - self._since
        if self._reading is _Reading.HEAD and waited > self.limits.head_seconds:
            self._reject("request_timeout")
        elif self._reading is _Reading.BODY and waited >= _RATE_SECONDS:
            # While reading is paused, it is the application that is slow.
            if self._body_bytes < self.limits.body_bytes_per_second * waited and not self.flow.read_paused:
                self._reject("request_timeout")
            self._body_bytes, self._since = 0, now

    def _reject(self, code: str) -> None:
        """Answer with an error, unless an answer has begun, and close the connection."""
        self._rejected, self._reading = True, _Reading.NOTHING
        response_started = self._disconnect()
        if not self.transport.is_closing():
            if not response_started:
                self.transport.write(_response(code, self.limits.language))
            self.transport.close()


def _response(code: str, language: Language) -> bytes:
    error = GatewayError(code)
    body = orjson.dumps(error.body(language, ""))
    headers = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers | error.headers()).items())
    return STATUS_LINE[error.spec.status] + lines.encode() + b"\r\n" + body
