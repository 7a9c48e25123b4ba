"""A relay in front of a gateway that cuts the connection of a submit which is being made."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_SECONDS = 10.0


class CuttingRelay:
    """A context manager. The first `cuts` requests of a POST are forwarded, and both connections are closed as soon as
    `is_begun` is true; everything else passes."""

    def __init__(self, target: str, is_begun: Callable[[], bool], cuts: int = 1) -> None:
        parts = urlsplit(target)
        self._target = (str(parts.hostname), int(parts.port or 80))
        self._is_begun = is_begun
        self._cuts = cuts
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.cut = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._target, _SECONDS) as upstream:
            client.settimeout(_SECONDS)
            back = threading.Thread(target=_carry, args=(upstream, client), daemon=True)
            back.start()
            while data := _received(client):
                upstream.sendall(data)
                if data.startswith(b"POST ") and self.cut < self._cuts:
                    self.cut += 1
                    _wait(self._is_begun)
                    for one in (upstream, client):
                        with suppress(OSError):
                            one.shutdown(socket.SHUT_RDWR)
                    return


def _received(source: socket.socket) -> bytes:
    try:
        return source.recv(65536)
    except OSError:
        return b""


def _carry(source: socket.socket, sink: socket.socket) -> None:
    while data := _received(source):
        with suppress(OSError):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _wait(is_true: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + _SECONDS
    while not is_true() and time.monotonic() < ends_at:
        time.sleep(0.005)
