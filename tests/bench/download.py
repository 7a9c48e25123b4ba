"""A file, read and dropped several times: `python -m tests.bench.download ORDER`. Prints MB/s of each time.

Here `connections` of the order is how often; each time a new connection.
"""

import json
import socket
import sys
import time
from pathlib import Path

from tests.bench import wire
from tests.bench.answers import read_head
from tests.bench.requests import Order

_PIECE = 1 << 20


def read_once(port: int, request: bytes, seconds: float) -> float:
    """MB/s. Raises SystemExit when that was not the whole file."""
    piece = memoryview(bytearray(_PIECE))
    started = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        connection.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            more = connection.recv(65536)
            if not more:
                raise SystemExit(f"no answer but {received[:300]!r}")
            received += more
        answer = read_head(received)
        count, length = len(answer.body), answer.number(b"content-length")
        while length is None or count < length:
            read = connection.recv_into(piece)
            if not read:
                break
            count += read
    if not answer.good or count < wire.FILE_BYTES:
        raise SystemExit(f"status {answer.status}, {count} bytes: {answer.body[:300]!r}")
    return count / 2**20 / (time.perf_counter() - started)


if __name__ == "__main__":
    order = Order.read(Path(sys.argv[1]))
    request = order.texts[0].encode()
    print(json.dumps({"speeds": [read_once(order.port, request, order.seconds) for _ in range(order.connections)]}))
