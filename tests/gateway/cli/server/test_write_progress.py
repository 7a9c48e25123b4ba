"""Progress of writing, as the buffers of the transport and of the system tell it."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.cli.server.write_progress import WriteProgress


class FakeTransport:
    def __init__(self, connection: socket.socket | None = None) -> None:
        self.buffered = 0
        self._connection = connection

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def get_extra_info(self, name: str) -> Any:
        return self._connection if name == "socket" else None


def stalled(buffered: list[int]) -> list[float]:
    """Stalled seconds at one look a second, at each of which so many bytes are buffered."""
    transport, progress = FakeTransport(), WriteProgress()
    seconds = []
    for now, transport.buffered in enumerate(buffered):
        seconds.append(progress.stalled_seconds(transport, float(now)))  # type: ignore[arg-type]
    return seconds


@pytest.mark.parametrize(
    ("buffered", "expected"),
    [
        ([0, 0, 0], [0, 0, 0]),
        ([9, 9, 9], [0, 1, 2]),
        ([9, 9, 8, 8], [0, 1, 0, 1]),
        ([9, 9, 0, 9, 9], [0, 1, 0, 0, 1]),
        # The application writes more, which the client does not read.
        ([9, 10, 30, 30], [0, 1, 2, 3]),
        ([9, 30, 20, 20], [0, 1, 0, 1]),
    ],
)
def test_only_a_smaller_buffer_is_progress(buffered: list[int], expected: list[float]) -> None:
    assert stalled(buffered) == expected


@pytest.fixture
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(5)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            yield server, client


def test_bytes_that_the_client_acknowledges_are_progress(connected: tuple[socket.socket, socket.socket]) -> None:
    """Though the buffer of the transport stays as it is."""
    server, client = connected
    server.setblocking(False)
    while True:
        try:
            server.send(b"x" * 65536)
        except BlockingIOError:
            break
    transport, progress = FakeTransport(server), WriteProgress()
    transport.buffered = 1000
    look = progress.stalled_seconds
    assert [look(transport, 0.0), look(transport, 5.0)] == [0.0, 5.0]  # type: ignore[arg-type]
    while look(transport, 6.0) == 6.0:  # type: ignore[arg-type]
        client.recv(65536)
    assert look(transport, 7.0) == 1.0  # type: ignore[arg-type]


def test_closed_socket_has_no_progress() -> None:
    with socket.socket() as closed:
        pass
    transport, progress = FakeTransport(closed), WriteProgress()
    transport.buffered = 10
    assert [progress.stalled_seconds(transport, now) for now in (1.0, 3.0)] == [0.0, 2.0]  # type: ignore[arg-type]
