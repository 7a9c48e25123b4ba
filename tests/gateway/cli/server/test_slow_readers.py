"""Clients that do not read lose their connection; those that read slowly, or have nothing to read, keep it."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import uvicorn.config
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from gateway.cli.server import http_protocol
from tests.gateway.cli.server.connections import Connect, Start, answer

LARGE_BYTES = 8_000_000
"""More than the system buffers."""
WRITE_SECONDS = 0.2


async def _large(request: Request) -> Response:
    return Response(b"x" * LARGE_BYTES)


async def _stream(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(LARGE_BYTES // 100_000):
            yield b"x" * 100_000

    return StreamingResponse(pieces())


async def _events(request: Request) -> Response:
    async def events() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"data: %d\n\n" % number
            await asyncio.sleep(WRITE_SECONDS * 1.5)

    return StreamingResponse(events(), media_type="text/event-stream")


async def _hold(request: Request) -> Response:
    await asyncio.to_thread(request.app.state.go_on.wait, 10)
    return Response(b"held")


async def _slow(request: Request) -> Response:
    await asyncio.sleep(WRITE_SECONDS * 2)
    return Response(b"done")


APP = Starlette(
    routes=[
        Route("/large", _large),
        Route("/stream", _stream),
        Route("/events", _events),
        Route("/slow", _slow),
        Route("/hold", _hold),
    ]
)


@pytest.fixture(params=["uvloop", "asyncio"], autouse=True)
def _loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(uvicorn.config.LOOP_FACTORIES, "auto", uvicorn.config.LOOP_FACTORIES[request.param])


@contextlib.contextmanager
def unread(place: tuple[str, int], request: bytes) -> Iterator[socket.socket]:
    """A connection with a small receive buffer that has sent a request."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(5)
        connection.connect(place)
        connection.sendall(request)
        yield connection


def get(path: str, more: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: h\r\n{more}\r\n".encode()


def received_bytes(connection: socket.socket) -> int:
    """Until the connection ends."""
    count = 0
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(1 << 20):
            count += len(piece)
    return count


def served(place: tuple[str, int], connect: Connect) -> bool:
    """Whether a new connection is, within some seconds."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        other = connect(place)
        with contextlib.suppress(ConnectionError):
            other.sendall(get("/slow"))
            if answer(other) == (200, b"done"):
                return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    "request_",
    [get("/large"), get("/stream"), get("/large", "Connection: close\r\n"), get("/large") * 3],
    ids=["one write", "many writes", "closing", "pipelined"],
)
def test_client_that_does_not_read_is_aborted(start: Start, connect: Connect, request_: bytes) -> None:
    place = start(APP, connections=1, write_seconds=WRITE_SECONDS)
    with unread(place, request_) as connection:
        assert connection.recv(12) == b"HTTP/1.1 200"
        assert served(place, connect)
        assert received_bytes(connection) < LARGE_BYTES


def test_slow_reader_gets_everything(start: Start) -> None:
    place = start(APP, write_seconds=WRITE_SECONDS * 2)
    with unread(place, get("/stream", "Connection: close\r\n")) as connection:
        begun = time.monotonic()
        count = 0
        while time.monotonic() < begun + WRITE_SECONDS * 5:
            count += len(connection.recv(10_000))
            time.sleep(WRITE_SECONDS / 10)
        assert count < 1_000_000
        assert count + received_bytes(connection) > LARGE_BYTES


@pytest.mark.parametrize(("path", "end"), [("/events", b"data: 2"), ("/slow", b"done")])
def test_silence_of_the_application_does_not_end_a_response(
    start: Start, connect: Connect, path: str, end: bytes
) -> None:
    connection = connect(start(APP, write_seconds=WRITE_SECONDS))
    connection.sendall(get(path))
    received = b""
    while end not in received:
        piece = connection.recv(65536)
        assert piece
        received += piece


def test_client_that_does_not_read_makes_room(start: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "_RATE_SECONDS", 0.1)
    place = start(APP, connections=2)
    APP.state.go_on = threading.Event()
    busy = connect(place)
    busy.sendall(get("/hold"))
    with unread(place, get("/large")) as connection:
        assert connection.recv(12) == b"HTTP/1.1 200"
        assert served(place, connect)
        assert received_bytes(connection) < LARGE_BYTES
    APP.state.go_on.set()
    assert answer(busy) == (200, b"held")


def test_slow_reader_does_not_make_room(start: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "_RATE_SECONDS", 0.4)
    place = start(APP, connections=1)
    with unread(place, get("/stream", "Connection: close\r\n")) as connection:
        count = 0
        for _ in range(10):
            count += len(connection.recv(10_000))
            time.sleep(0.02)
            assert answer(connect(place))[0] == 503
        assert count + received_bytes(connection) > LARGE_BYTES
