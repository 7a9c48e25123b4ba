"""A relay in front of an upstream, or a proxy on the way to it, that breaks what it is told to break.

It reads one request of a connection, forwards it, and returns the answer; a fault puts something else in place of the
answer, before the upstream has seen the request or after that. To a client that speaks SOCKS5 it is a SOCKS proxy.
"""

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.faults.wire import Answer, End, Response
from tests.ports import reserved

_HEAD_LIMIT = 1024 * 1024
_READ_BYTES = 64 * 1024
_START_SECONDS = 10.0
_FILLERS = 8
_LISTEN_ATTEMPTS = 100
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: a close is then a reset."""

_SOCKS = b"\x05"

T = TypeVar("T")


class Stage(Enum):
    """Whether the upstream has seen the request when the fault happens."""

    BEFORE = "before"
    AFTER = "after"


class Connecting(Enum):
    """Faults of a connection, before a request."""

    REFUSED = "refused"
    NEVER_ACCEPTED = "never accepted"
    """The listening socket has a full backlog: packets of new connections are dropped."""


@dataclass(frozen=True, slots=True)
class Request:
    """The request line, and all bytes of the request as they came."""

    method: str
    path: str
    head: bytes
    body: bytes


@dataclass(slots=True)
class Breakage:
    """A fault in force. `matches` says by method and path which requests it affects; `times` is for how many of them,
    None for all. With `greeting` the connection is answered with these bytes instead, one after each that the client
    sends, and closed; with `sending` it ends in the middle of the request."""

    answer: Answer | None = None
    stage: Stage = Stage.BEFORE
    matches: Callable[[str, str], bool] = lambda method, path: True
    times: int | None = None
    greeting: tuple[bytes, ...] | None = None
    sending: End | None = None
    seen: int = 0
    """Requests that it has affected."""


class Loop:
    """An event loop in a thread, for the relays of a process. A context manager."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relays", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine that runs in the loop."""
        done: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return done.result(_START_SECONDS)


class Relay:
    """One relay on a loopback port. A context manager; a fault is in force from `break_with` or `break_connections`
    to `mend`. With `tls` it serves TLS instead of plain HTTP."""

    def __init__(self, loop: Loop, upstream: str, tls: ssl.SSLContext | None = None) -> None:
        """`upstream` is a URL whose host and port are used."""
        host, _, port = upstream.removeprefix("http://").partition("/")[0].partition(":")
        self._loop = loop
        self._upstream = (host, int(port))
        self._tls = tls
        self._breakage: Breakage | None = None
        self._mended = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._port = reserved()
        self._blocking: list[socket.socket] = []
        """What takes the place of the server where connections are never accepted."""
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self.port: int = self._port.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._loop.run(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.run(self._stop())

    def break_with(self, breakage: Breakage) -> Breakage:
        """Break requests from now on."""
        self._loop.run(self._break(breakage))
        return breakage

    def break_connections(self, how: Connecting) -> None:
        """Take no connections, and close the ones that are open."""
        self._loop.run(self._block(how))

    def mend(self) -> None:
        """End the fault. What hangs is closed."""
        self._loop.run(self._mend())

    # --- in the loop --------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        listening = await _listening(self.port, 256)
        self._server = await asyncio.start_server(self._welcome, sock=listening, limit=_HEAD_LIMIT, ssl=self._tls)

    async def _break(self, breakage: Breakage) -> None:
        self._mended = asyncio.Event()
        self._breakage = breakage

    async def _mend(self) -> None:
        self._breakage = None
        self._mended.set()
        for one in self._blocking:
            one.close()
        self._blocking.clear()
        if self._server is None:
            await self._listen()

    async def _block(self, how: Connecting) -> None:
        await self._close()
        if how is Connecting.NEVER_ACCEPTED:
            self._blocking.append(await _listening(self.port, 0))
            for _ in range(_FILLERS):
                filler = socket.socket()
                filler.setblocking(False)
                with suppress(BlockingIOError):
                    filler.connect(("127.0.0.1", self.port))
                self._blocking.append(filler)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._connections.values():
            writer.transport.abort()

    async def _stop(self) -> None:
        self._mended.set()
        await self._close()
        for one in (*self._blocking, self._port):
            one.close()
        if self._connections:
            await asyncio.wait(self._connections, timeout=1)
        for task in list(self._connections):
            task.cancel()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass
        finally:
            del self._connections[task]
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        breakage = self._breakage
        if breakage is not None and breakage.greeting is not None:
            breakage.seen += 1
            await _greet(reader, writer, breakage.greeting)
            return
        first = await reader.readexactly(1)
        if first == _SOCKS:
            await _be_socks_proxy(reader, writer)
            first = b""
        request = await _read_head(reader, first)
        breakage = self._breakage_for(request)
        if breakage is not None and breakage.sending is not None:
            await self._end(writer, breakage.sending)
            return
        request = await _read_body(reader, request)
        if breakage is None or breakage.answer is None:
            await self._forward(request, reader, writer)
            return
        real = Response()
        if breakage.stage is Stage.AFTER:
            real = _parsed(await self._exchange(request))
        wire = breakage.answer(real)
        for number, part in enumerate(wire.parts):
            if number and wire.pause:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._mended.wait(), wire.pause)
            writer.write(part)
            await writer.drain()
        await self._end(writer, wire.end)

    def _breakage_for(self, request: Request) -> Breakage | None:
        breakage = self._breakage
        if breakage is None or not breakage.matches(request.method, request.path):
            return None
        if breakage.times is not None and breakage.seen >= breakage.times:
            return None
        breakage.seen += 1
        return breakage

    async def _end(self, writer: asyncio.StreamWriter, end: End) -> None:
        if end is End.HANG:
            await self._mended.wait()
        elif end is End.RESET:
            connection: socket.socket = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    async def _exchange(self, request: Request) -> bytes:
        """The whole response of the upstream."""
        reader, writer = await asyncio.open_connection(*self._upstream)
        try:
            writer.write(request.head + request.body)
            return await reader.read()
        finally:
            writer.close()

    async def _forward(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass the response on as it comes; a client that disconnects ends it."""
        answers, upstream = await asyncio.open_connection(*self._upstream)

        async def carry() -> None:
            upstream.write(request.head + request.body)
            while data := await answers.read(_READ_BYTES):
                writer.write(data)
                await writer.drain()

        carrying, leaving = asyncio.ensure_future(carry()), asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait((carrying, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            upstream.close()
            for task in (carrying, leaving):
                task.cancel()
            await asyncio.gather(carrying, leaving, return_exceptions=True)


async def _listening(port: int, backlog: int) -> socket.socket:
    """A listening socket. The one before it may be open for a moment longer in a process that has just been forked."""
    for _ in range(_LISTEN_ATTEMPTS):
        try:
            return socket.create_server(("127.0.0.1", port), backlog=backlog)
        except OSError:
            await asyncio.sleep(0.01)
    return socket.create_server(("127.0.0.1", port), backlog=backlog)


async def _greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: tuple[bytes, ...]) -> None:
    for answer in answers:
        await reader.read(_READ_BYTES)
        writer.write(answer)
        await writer.drain()


async def _be_socks_proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let the client in and say that it is connected; the first byte has been read. The target is an IPv4 address."""
    await reader.readexactly(int.from_bytes(await reader.readexactly(1)))
    writer.write(_SOCKS + b"\0")
    await reader.readexactly(10)
    writer.write(_SOCKS + b"\0\0\x01\0\0\0\0\0\0")


async def _read_head(reader: asyncio.StreamReader, first_byte: bytes) -> Request:
    """The head of a request, made one without an address and for a single exchange."""
    head = first_byte + await reader.readuntil(b"\r\n\r\n")
    first, _, lines = head.partition(b"\r\n")
    method, target, version = first.decode("latin-1").split(" ")
    path = target
    if method != "CONNECT" and not target.startswith("/"):
        path = "/" + target.split("://", 1)[-1].partition("/")[2]
    kept = [line for line in lines.split(b"\r\n") if line and not line.lower().startswith((b"connection:", b"proxy-"))]
    lines = b"".join(line + b"\r\n" for line in kept)
    return Request(method, path, f"{method} {path} {version}\r\nConnection: close\r\n".encode() + lines + b"\r\n", b"")


async def _read_body(reader: asyncio.StreamReader, request: Request) -> Request:
    """The request with its body, in the form in which it came."""
    headers = _headers(request.head)
    body = b""
    if "chunked" in headers.get("transfer-encoding", ""):
        length = 1
        while length:
            size = await reader.readuntil(b"\r\n")
            length = int(size, 16)
            body += size + await reader.readexactly(length + 2)
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(request.method, request.path, request.head, body)


def _headers(head: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in lines if name}


def _parsed(data: bytes) -> Response:
    head, _, body = data.partition(b"\r\n\r\n")
    headers = _headers(head)
    if "chunked" in headers.get("transfer-encoding", ""):
        body = _joined(body)
    return Response(int(head.split(b" ", 2)[1]), body, headers.get("content-type", ""), headers)


def _joined(chunks: bytes) -> bytes:
    body = b""
    while chunks:
        size, _, rest = chunks.partition(b"\r\n")
        length = int(size, 16)
        body, chunks = body + rest[:length], rest[length + 2 :]
        if not length:
            break
    return body
