"""Pipelined requests: each is answered in turn, and all end with their connection."""

import asyncio
import logging
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway.cli.server.background import BackgroundServer
from gateway.cli.server.http_protocol import LimitedProtocol

FIRST = b"GET /first HTTP/1.1\r\nHost: x\r\n\r\n"
SECOND = b"GET /second HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = SECOND.replace(b"Host", b"Connection: close\r\nHost")


class Application:
    """`/first` begins its answer when `go_on` is set, `/second` a little after its request. Each notes how it found its
    client."""

    def __init__(self) -> None:
        self.begun, self.go_on, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.seen: list[str] = []
        routes = [
            Route("/first", self._first),
            Route("/second", self._second),
            Route("/stream", self._stream, methods=["GET", "POST"]),
        ]
        self.server = BackgroundServer(Starlette(routes=routes), protocol=LimitedProtocol)

    async def _first(self, request: Request) -> Response:
        self.begun.set()
        await asyncio.to_thread(self.go_on.wait, 5)
        return PlainTextResponse("first")

    async def _second(self, request: Request) -> Response:
        await asyncio.sleep(0.1)
        self.seen.append("gone" if await request.is_disconnected() else "there")
        self.ended.set()
        return PlainTextResponse("second")

    async def _stream(self, request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"x"
            self.begun.set()
            await asyncio.to_thread(self.go_on.wait, 5)
            yield b"y"

        return StreamingResponse(pieces(), headers={"content-length": "2"})

    def connect(self) -> socket.socket:
        host, port = self.server.url.removeprefix("http://").split(":")
        return socket.create_connection((host, int(port)), timeout=5)


@pytest.fixture
def application() -> Iterator[Application]:
    made = Application()
    with made.server:
        yield made


def received(connection: socket.socket) -> bytes:
    found = b""
    while piece := connection.recv(65536):
        found += piece
    return found


def abort(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_requests_are_answered_in_turn(application: Application) -> None:
    application.go_on.set()
    with application.connect() as connection:
        connection.sendall(FIRST + SECOND + LAST)
        bodies = [part[-6:] for part in received(connection).split(b"HTTP/1.1 200")[1:]]
    assert bodies == [b"\nfirst", b"second", b"second"]
    assert application.seen == ["there", "there"]


@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("behind", [SECOND, SECOND * 3, FIRST, SECOND + b"GET /sec"])
def test_client_that_aborts_a_pipeline_is_no_error(
    application: Application, behind: bytes, reset: bool, caplog: pytest.LogCaptureFixture
) -> None:
    connection = application.connect()
    application.go_on.set()
    connection.sendall(FIRST + SECOND + behind)
    read = b""
    while b"first" not in read:
        read += connection.recv(65536)
    if reset:
        abort(connection)
    else:
        connection.close()
    assert application.ended.wait(5)
    with application.connect() as other:
        other.sendall(LAST)
        assert received(other).endswith(b"second")
    # The running request finds its client gone, and what is behind it does not start.
    assert application.seen == ["gone", "there"]
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_rejection_behind_a_response_waits_for_its_turn(application: Application) -> None:
    with application.connect() as connection:
        connection.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        assert application.begun.wait(5)
        connection.sendall(SECOND[:-2] + b"X: y\r\n" * 200 + b"\r\n" + SECOND)
        application.go_on.set()
        first, second, *others = received(connection).split(b"HTTP/1.1 ")[1:]
    assert first.endswith(b"\r\n\r\nxy")
    assert second.startswith(b"431 ")
    assert others == []


@pytest.mark.parametrize("rest", [b"zz\r\n", b"0\r\n" + b"x: a\r\n" * 20_000], ids=["invalid", "trailers"])
def test_error_in_a_body_does_not_write_into_the_response(application: Application, rest: bytes) -> None:
    with application.connect() as connection:
        connection.sendall(b"POST /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert application.begun.wait(5)
        connection.sendall(rest)
        head, _, body = received(connection).partition(b"\r\n\r\n")
        application.go_on.set()
    assert head.startswith(b"HTTP/1.1 200")
    assert body == b"x"
