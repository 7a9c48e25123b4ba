"""The upstream where there is no nginx: `python -m tests.bench.plain_upstream PORT FILE`. It answers as `wire` says."""

import asyncio
import itertools
import sys
from pathlib import Path

from tests.bench import wire
from tests.bench.answers import number_of

_TASKS = f"GET {wire.TASKS_PATH}".encode()
_SUBMIT = f"POST {wire.SUBMIT_PATH}".encode()
_FILE = f"GET {wire.FILE_PATH} ".encode()
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"


class Upstream(asyncio.Protocol):
    """One connection of a client that sends its next request when the last one is answered."""

    numbers = itertools.count()
    sending: set["asyncio.Task[None]"] = set()  # noqa: RUF012

    def __init__(self, port: int, file: Path) -> None:
        self._port = port
        self._file = file
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        request = self._received = self._received + data
        end = request.find(b"\r\n\r\n")
        if end < 0 or len(request) < end + 4 + (number_of(request[:end].lower(), b"content-length") or 0):
            return
        self._received = b""
        if request.startswith(_TASKS):
            id = request[len(_TASKS) : request.index(b" ", len(_TASKS))].decode("ascii", "replace")
            self._answer(wire.succeeded(id, self._port) if id.startswith("f") else wire.running(id))
        elif request.startswith(_SUBMIT):
            self._answer(wire.pending(f"00000000-0000-4000-8000-{next(self.numbers):012x}"))
        elif request.startswith(_FILE):
            sending = asyncio.create_task(self._send_file())
            self.sending.add(sending)
            sending.add_done_callback(self.sending.discard)
        else:
            self._transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    def _answer(self, text: str) -> None:
        self._transport.write(_HEAD % (len(text), text.encode()))

    async def _send_file(self) -> None:
        length = self._file.stat().st_size
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n\r\n" % length)
        with self._file.open("rb") as file:
            await asyncio.get_running_loop().sendfile(self._transport, file)


async def serve(port: int, file: Path) -> None:
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: Upstream(port, file), "127.0.0.1", port, backlog=2048) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
