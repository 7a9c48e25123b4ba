"""How much of what a client sends at once is parsed, kept and answered ahead of what it reads."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import uvicorn.config
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.cli.server.background import BackgroundServer
from gateway.cli.server.connection_limits import ConnectionLimits
from gateway.cli.server.http_protocol import LimitedProtocol


class Application:
    """Counts the requests that are parsed and the bytes that are read. `/wait` looks for a disconnect until `go_on` is
    set, `/echo` answers with the body, `/large` with 200 KB."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.parsed = self.bytes_read = 0
        self.disconnected = False
        counts = self

        class Counting(LimitedProtocol):
            def data_received(self, data: bytes) -> None:
                counts.bytes_read += len(data)
                super().data_received(data)

            def on_headers_complete(self) -> None:
                counts.parsed += 1
                super().on_headers_complete()

        routes = [
            Route("/wait", self._wait, methods=["GET", "POST"]),
            Route("/echo", self._echo, methods=["GET", "POST"]),
            Route("/large", self._large),
        ]
        self.server = BackgroundServer(Starlette(routes=routes), protocol=Counting)

    async def _wait(self, request: Request) -> Response:
        while not self.go_on.is_set() and not await request.is_disconnected():
            await asyncio.to_thread(self.go_on.wait, 0.002)
        self.disconnected = await request.is_disconnected()
        return PlainTextResponse("waited")

    async def _echo(self, request: Request) -> Response:
        return Response(await request.body())

    async def _large(self, request: Request) -> Response:
        return Response(b"x" * 200_000)

    def connect(self, receive_buffer: int = 0) -> socket.socket:
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(5)
        host, port = self.server.url.removeprefix("http://").split(":")
        connection.connect((host, int(port)))
        return connection


@pytest.fixture(params=["uvloop", "asyncio"])
def application(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    monkeypatch.setitem(uvicorn.config.LOOP_FACTORIES, "auto", uvicorn.config.LOOP_FACTORIES[request.param])
    made = Application()
    with made.server:
        yield made
        made.go_on.set()


def wait_until(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def get(path: str, **headers: str) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode()


def post(body: bytes, chunk_bytes: int = 0, path: bytes = b"/echo") -> bytes:
    head = b"POST " + path + b" HTTP/1.1\r\nHost: x\r\n"
    if not chunk_bytes:
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    pieces = [body[begin : begin + chunk_bytes] for begin in range(0, len(body), chunk_bytes)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def responses(connection: socket.socket, count: int) -> list[bytes]:
    """Bodies of so many responses, each of which has a Content-Length."""
    found: list[bytes] = []
    buffered = b""
    while len(found) < count:
        head, end, body = buffered.partition(b"\r\n\r\n")
        if end:
            assert head.startswith(b"HTTP/1.1 200 OK\r\n"), head
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            if len(body) >= length:
                found.append(body[:length])
                buffered = body[length:]
                continue
        piece = connection.recv(1 << 20)
        assert piece, f"ended after {len(found)} responses"
        buffered += piece
    assert buffered == b""
    return found


def send_as_much_as_fits(connection: socket.socket, data: bytes, quiet_seconds: float = 0.15) -> None:
    """Sends until nothing is taken for so long."""
    connection.settimeout(quiet_seconds)
    with contextlib.suppress(TimeoutError):
        connection.sendall(data)


def test_requests_behind_a_running_one_are_not_parsed(application: Application) -> None:
    with application.connect() as connection:
        connection.sendall(get("/wait") + get("/echo") * 3000)
        wait_until(lambda: application.bytes_read > 60_000)
        assert application.parsed == 1
        application.go_on.set()
        assert responses(connection, 3001)[0] == b"waited"
        assert application.parsed == 3001


@pytest.mark.parametrize("chunk_bytes", [0, 2, 100])
def test_requests_behind_a_body_are_not_parsed(application: Application, chunk_bytes: int) -> None:
    sent = post(b"abc", chunk_bytes, b"/wait") + get("/echo") * 3
    with application.connect() as connection:
        connection.sendall(sent)
        wait_until(lambda: application.bytes_read == len(sent))
        assert application.parsed == 1
        application.go_on.set()
        assert responses(connection, 4) == [b"waited", b"", b"", b""]


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_request_behind_a_head_that_ends_in_another_packet_is_not_parsed(
    application: Application, missing: int
) -> None:
    first, sent = get("/wait"), get("/wait") + get("/echo") * 3
    with application.connect() as connection:
        connection.sendall(first[:-missing])
        wait_until(lambda: application.bytes_read == len(first) - missing)
        connection.sendall(sent[len(first) - missing :])
        wait_until(lambda: application.bytes_read == len(sent))
        assert application.parsed == 1
        application.go_on.set()
        assert responses(connection, 4) == [b"waited", b"", b"", b""]


def test_bytes_behind_a_running_request_are_limited(application: Application) -> None:
    """Also where the application looks for a disconnect, for which it reads on."""
    with application.connect() as connection:
        send_as_much_as_fits(connection, get("/wait") + get("/echo", padding="x" * 200) * 40_000)
        assert application.bytes_read < 400_000


def test_disconnect_is_seen_behind_a_short_pipeline(application: Application) -> None:
    with application.connect() as connection:
        connection.sendall(get("/wait") + get("/echo") * 10)
        wait_until(lambda: application.parsed == 1)
    wait_until(lambda: application.disconnected)
    assert application.parsed == 1


def test_next_request_waits_for_a_client_that_does_not_read(application: Application) -> None:
    with application.connect(receive_buffer=4096) as connection:
        connection.sendall(get("/large") * 200)
        time.sleep(0.2)
        parsed = application.parsed
        # What the system buffers, at most 4 MB, counts as read.
        assert parsed < 40
        assert [len(body) for body in responses(connection, 200)] == [200_000] * 200


BODIES = [
    b"",
    b"\r\n\r\n",
    get("/wait") * 3,
    b"0\r\n\r\n" * 20 + b"\r",
    b"x" * 1000 + b"\r\n\r\n" + b"y" * 70_000,
    b"\n\r\n\r",
]


@pytest.mark.parametrize("piece_bytes", [1, 2, 3, 7, 100, 65_000, 10_000_000])
def test_responses_do_not_depend_on_the_packets(application: Application, piece_bytes: int) -> None:
    bodies = [body for body in BODIES if piece_bytes > 10 or len(body) < 1000]
    sent = b"".join(
        get("/echo") + post(body) + b"\r\n" + post(body, chunk_bytes=5) + post(body, chunk_bytes=40_000)
        for body in bodies
    )
    expected = [found for body in bodies for found in (b"", body, body, body)]
    with application.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def send() -> None:
            for begin in range(0, len(sent), piece_bytes):
                connection.sendall(sent[begin : begin + piece_bytes])

        sender = threading.Thread(target=send)
        sender.start()
        assert responses(connection, len(expected)) == expected
        sender.join()


def test_body_behind_a_kept_request_is_read(application: Application) -> None:
    body = b"z" * 3_000_000
    with application.connect() as connection:
        sender = threading.Thread(target=connection.sendall, args=(get("/wait") + post(body) + get("/echo"),))
        sender.start()
        wait_until(lambda: application.bytes_read > 60_000)
        application.go_on.set()
        assert responses(connection, 3) == [b"waited", body, b""]
        sender.join()


def test_empty_lines_without_a_request_have_the_time_of_a_head(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LimitedProtocol, "limits", ConnectionLimits(head_seconds=0.1))
    with application.connect() as connection:
        connection.sendall(get("/echo"))
        responses(connection, 1)
        connection.sendall(b"\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 408")
