"""WebSocket connections of the server's protocol, with a real client."""

import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from gateway.cli.server.counted_connection import CountedConnection
from tests.gateway.cli.server.connections import Connect, Start, answer
from tests.process import running

Place = tuple[str, int]


async def _echo(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(f"echo {text}")


async def _flood(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        await websocket.send_text("x" * 100_000)


async def _denied(websocket: WebSocket) -> None:
    await websocket.close()


async def _page(request: Request) -> Response:
    return PlainTextResponse("page")


APP = Starlette(
    routes=[
        WebSocketRoute("/ws", _echo),
        WebSocketRoute("/flood", _flood),
        WebSocketRoute("/denied", _denied),
        Route("/", _page),
    ]
)
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def client(place: Place, path: str = "/ws") -> ClientConnection:
    return connect(f"ws://{place[0]}:{place[1]}{path}", proxy=None)


def eventually(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_messages_pass_both_ways_beyond_the_limits_of_a_request(start: Start) -> None:
    place = start(APP, head_bytes=1000, head_seconds=0.1, write_seconds=0.1)
    with client(place) as websocket:
        for text in ("one", "x" * 100_000, "three"):
            websocket.send(text)
            assert websocket.recv() == f"echo {text}"
        time.sleep(0.3)
        websocket.send("later")
        assert websocket.recv() == "echo later"


def test_upgrade_follows_an_ordinary_request(start: Start, connect: Connect) -> None:
    connection = connect(start(APP))
    connection.sendall(GET + UPGRADE)
    received = b""
    while b"HTTP/1.1 101" not in received:
        received += connection.recv(65536)
    assert received.startswith(b"HTTP/1.1 200")
    # A text frame with "hi", masked with zeros.
    connection.sendall(b"\x81\x82\0\0\0\0hi")
    assert b"echo hi" in connection.recv(65536)


def test_websockets_count_as_connections(start: Start, connect: Connect) -> None:
    place = start(APP, connections=2)
    with client(place) as first, client(place):
        assert answer(connect(place))[0] == 503
        first.send("there")
        assert first.recv() == "echo there"


def test_websocket_that_has_ended_leaves_its_address(start: Start, connect: Connect) -> None:
    place = start(APP, connections_per_address=1)
    before = sum(CountedConnection._by_address.values())
    for _ in range(3):
        with client(place) as websocket:
            websocket.send("a")
            assert websocket.recv() == "echo a"
            assert answer(connect(place))[0] == 503
        assert eventually(lambda: sum(CountedConnection._by_address.values()) == before)
        with pytest.raises(InvalidStatus):
            client(place, "/denied")
        assert eventually(lambda: sum(CountedConnection._by_address.values()) == before)


def test_websocket_whose_client_does_not_read_is_aborted(start: Start, connect: Connect) -> None:
    place = start(APP, connections=1, write_seconds=0.2)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with connection:
        connection.connect(place)
        connection.sendall(UPGRADE.replace(b"/ws", b"/flood"))
        assert connection.recv(12) == b"HTTP/1.1 101"

        def is_served() -> bool:
            other = connect(place)
            other.sendall(GET)
            return answer(other)[0] == 200

        assert eventually(is_served)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_serve_upgrades_connections(tmp_path: Path, workers: str) -> None:
    with running(tmp_path, "serve", "--port", "0", "--workers", workers) as process:
        url = process.find(r"listening on http://(127\.0\.0\.1:\d+)")
        headers = {"authorization": "Bearer sk-one"}
        with connect(f"ws://{url}/v1/videos/tasks/ws", additional_headers=headers, proxy=None) as websocket:
            assert websocket.ping().wait(10)
        assert process.end() == 0
