"""The HTTP protocol of the server: uvicorn's, with limits on what a connection may cost before a caller is known."""

import asyncio
import time
from enum import Enum
from functools import partial
from typing import Any, ClassVar, cast
from weakref import WeakKeyDictionary, ref

import orjson
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.api.context import IS_DISCONNECTED
from gateway.cli.server.connection_limits import ConnectionLimits
from gateway.cli.server.counted_connection import CountedConnection, open_websocket
from gateway.core.errors import GatewayError
from gateway.core.localization import Language

_RATE_SECONDS = 10.0
"""Interval at which the rate of a body is checked, and time without write progress after which a client is slow."""
_SWEEP_SECONDS = 1.0
"""Longest interval at which the connections of a process are checked: a timer for each request would cost more."""


class _Reading(Enum):
    """What the server waits for on a connection."""

    HEAD = 1
    """The rest of a request, up to the first byte of its body."""
    BODY = 2
    NOTHING = 3
    """The next request, or the end of the response."""


class _HeldFlow(FlowControl):
    """Flow control that keeps reading paused while `held`, also when the application waits for a disconnect."""

    held = False

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()


class LimitedProtocol(CountedConnection, HttpToolsProtocol):
    """One connection. A request that exceeds a limit gets 431 or 408, and the connection is closed.

    A pipelined request is parsed when the response before it is complete, which waits for a client that does not read.
    Until then its bytes are kept as they came, and reading pauses when there are many: a parsed request takes a hundred
    times the memory of its bytes.

    Where all connections are taken, the one whose client is waited for the longest makes room: for a complete request
    head, or to take its response. Only where there is none the new one gets 503.
    """

    limits: ClassVar[ConnectionLimits] = ConnectionLimits()
    """Of the process: set before the server starts."""
    _sweeps: ClassVar[WeakKeyDictionary[Any, asyncio.TimerHandle]] = WeakKeyDictionary()

    flow: _HeldFlow

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._in_head = True
        self._is_complete = True
        self._head_bytes = 0
        self._body_bytes = 0
        self._body_left: int | None = None
        """Bytes to come of a body with a length; -1 for a chunked one, None while that is not looked up."""
        self._unread_bytes = 0
        """Bytes since the last piece of the body: trailers, or extensions of a chunk."""
        self._unparsed = b""
        self._parsed_bytes = 0
        """Bytes at the start of `_unparsed` that are parsed already."""
        self._rejected = False
        self._reading = _Reading.HEAD
        self._since = 0.0

    # --- connections ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _HeldFlow(transport)
        self._since = time.monotonic()
        if self._is_full() and not self._make_room():
            self._reject("too_many_connections")
        elif self.server_state not in self._sweeps:
            self._schedule_sweep()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unparsed = b""
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        self._uncount()
        self.ws_protocol_class = open_websocket  # type: ignore[assignment]
        super().handle_websocket_upgrade()

    def _disconnect(self) -> bool:
        """Tell the running request that its client has gone. True where a response has begun that is not complete."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        cycle.disconnected = True
        cycle.message_event.set()
        return cycle.response_started

    def _is_full(self) -> bool:
        limits = self.limits
        return len(self.connections) > limits.connections or self.address_connections > limits.connections_per_address

    def _make_room(self) -> bool:
        """Close the connection that waits for the longest time: any where all are taken, else one of this address."""
        any_address = len(self.connections) > self.limits.connections
        now = time.monotonic()
        waiting = [
            (since, id(one), one)
            for one in self.connections
            if isinstance(one, LimitedProtocol)
            and one is not self
            and (any_address or one.address == self.address)
            and (since := one._waiting_since(now)) is not None
        ]
        if not waiting:
            return False
        one = min(waiting)[2]
        if one.transport.get_write_buffer_size():
            # What is written would never leave.
            one.transport.abort()
        else:
            one._reject("too_many_connections")
        return True

    def _waiting_since(self, now: float) -> float | None:
        """Since when the server waits for the client, None where the client waits for the server."""
        if self.transport.get_write_buffer_size():
            stalled = self.write_progress.stalled_seconds(self.transport, now)
            return now - stalled if stalled >= _RATE_SECONDS else None
        return self._since if self._in_head and not self._rejected else None

    # --- requests ------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._rejected:
            return
        if self._unparsed:
            data = self._unparsed[self._parsed_bytes :] + data
        self._parse(data, 0)

    def _parse(self, data: bytes, begin: int) -> None:
        """Parse from `begin` on, up to a request that has to wait, and keep the rest."""
        self._unparsed = b""
        size = len(data)
        while begin < size:
            if self._is_complete and self.cycle is not None and not self.cycle.response_complete:
                self._unset_keepalive_if_required()
                break
            end = self._end_of_piece(data, begin)
            if end == begin:
                break
            self._parse_piece(data[begin:end])
            begin = end
            if begin < size and (self.transport.is_closing() or self.parser.should_upgrade()):
                # What follows an upgrade is of another protocol.
                begin = size
        rest = size - begin
        self.flow.held = rest > HIGH_WATER_LIMIT
        if self.flow.held:
            self.flow.pause_reading()
        if rest > begin:
            self._unparsed, self._parsed_bytes = data, begin
        elif rest:
            self._unparsed, self._parsed_bytes = data[begin:], 0

    def _end_of_piece(self, data: bytes, begin: int) -> int:
        """Where to stop parsing: no request ends before. Equal to `begin` where that takes more bytes to tell."""
        size = len(data)
        if not self._in_head and not self._is_complete:
            if self._body_left is None:
                lengths = [int(value) for name, value in self.scope["headers"] if name == b"content-length"]
                self._body_left = lengths[0] if lengths else -1
            if self._body_left >= 0:
                end = min(size, begin + self._body_left)
                self._body_left -= end - begin
                return end
            limit = size
        else:
            limit = min(size, begin + self.limits.head_bytes - self._head_bytes)
        # A head and a chunked body both end with an empty line, which the parser takes with CRLF only.
        end = data.find(b"\r\n\r\n", begin, limit)
        if end >= 0:
            return end + 4
        if limit == size:
            for part in (b"\r\n\r", b"\r\n", b"\r"):
                if data.endswith(part):
                    return max(begin, size - len(part))
        return limit

    def _parse_piece(self, piece: bytes) -> None:
        if not self._in_head:
            self._unread_bytes += len(piece)
            super().data_received(piece)
            if self._unread_bytes > self.limits.head_bytes and not self._rejected:
                self._reject("headers_too_large")
            return
        self._head_bytes += len(piece)
        super().data_received(piece)
        if self._in_head and not self._rejected:
            if self._head_bytes >= self.limits.head_bytes:
                self._reject("headers_too_large")
            elif self._reading is _Reading.NOTHING:
                # Empty lines before a request, for which the parser has no event.
                self._reading, self._since = _Reading.HEAD, time.monotonic()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_complete = False
        self._unread_bytes = 0
        self._reading, self._since = _Reading.HEAD, time.monotonic()

    def on_headers_complete(self) -> None:
        if self._rejected:
            return
        self._in_head, self._head_bytes, self._body_bytes, self._body_left = False, 0, 0, None
        if len(self.headers) > self.limits.headers:
            self._reject("headers_too_large")
        else:
            super().on_headers_complete()
            if not self.parser.should_upgrade():
                # Trailers are dropped: uvicorn would add them to the headers of the running request.
                self.headers = []
                if self.scope["method"] == "POST":
                    # Not the cycle itself, which holds its scope: the garbage collector would have to free both.
                    cast(dict[str, Any], self.scope)[IS_DISCONNECTED] = partial(_is_disconnected, ref(self.cycle))

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
            self._wait_for_next()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait_for_next()
        if self._unparsed and not self.transport.is_closing():
            self._parse(self._unparsed, self._parsed_bytes)

    def send_400_response(self, msg: str) -> None:
        if self._disconnect():
            self.transport.close()
        else:
            super().send_400_response(msg)

    def _wait_for_next(self) -> None:
        """Between two requests a connection waits as well. A response may end before the body of its request."""
        if self._is_complete and (self.cycle is None or self.cycle.response_complete):
            self._in_head, self._since = True, time.monotonic()

    # --- time ----------------------------------------------------------------------------------------------------

    def _schedule_sweep(self) -> None:
        limits = self.limits
        interval = min(_SWEEP_SECONDS, limits.head_seconds / 4, limits.write_seconds / 4, _RATE_SECONDS / 4)
        self._sweeps[self.server_state] = self.loop.call_later(interval, self._sweep)

    def _sweep(self) -> None:
        """Check every connection of the server, and come back while there are any."""
        del self._sweeps[self.server_state]
        now = time.monotonic()
        for one in list(self.connections):
            if isinstance(one, CountedConnection):
                if one.write_progress.stalled_seconds(one.transport, now) > self.limits.write_seconds:
                    # Also where it is closing, for which its client has to take what is written.
                    one.transport.abort()
                elif isinstance(one, LimitedProtocol):
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
        self._rejected, self._reading, self._unparsed = True, _Reading.NOTHING, b""
        response_started = self._disconnect()
        if not self.transport.is_closing():
            if not response_started:
                self.transport.write(_response(code, self.limits.language))
            self.transport.close()


def _is_disconnected(cycle: "ref[RequestResponseCycle]") -> bool:
    """True where the client of a request can no longer receive its response."""
    running = cycle()
    return running is None or running.disconnected


def _response(code: str, language: Language) -> bytes:
    """An error response. The path may not be known yet: it has the form of every API, with `error` or without."""
    error = GatewayError(code)
    flat = {"code": code, "message": error.message(language), "request_id": ""}
    body = orjson.dumps(error.body(language, "") | flat)
    headers = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers | error.headers()).items())
    return STATUS_LINE[error.spec.status] + lines.encode() + b"\r\n" + body
