"""As many requests as go, where there is no wrk: `python -m tests.bench.closed_loop ORDER`. Prints a `Measured`."""

import asyncio
import json
import sys
import time
from pathlib import Path

from tests.bench.answers import read_answer
from tests.bench.percentiles import percentile
from tests.bench.requests import Order, counted


class Tally:
    """What all connections have met, and what they send next."""

    def __init__(self, order: Order) -> None:
        self.latencies: list[float] = []
        self.good = 0
        self.errors = 0
        self.running = True
        self._texts = [text.encode() for text in order.texts]
        self._parts = tuple(part.encode() for part in order.parts) if order.parts else None
        self._sent = -1

    def next(self) -> bytes:
        self._sent += 1
        if self._parts:
            return self._parts[0] + counted(self._sent).encode() + self._parts[1]
        return self._texts[self._sent % len(self._texts)]


class Connection(asyncio.Protocol):
    """Sends the next request as soon as the last one is answered."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._received = b""
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._tally.next())

    def data_received(self, data: bytes) -> None:
        self._received += data
        answer = read_answer(self._received)
        if answer is None:
            return
        self._received = b""
        tally = self._tally
        if not tally.running:
            return
        tally.latencies.append(time.perf_counter() - self._sent_at)
        if answer.good:
            tally.good += 1
        else:
            tally.errors += 1
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    def close(self) -> None:
        self._transport.abort()


async def run(order: Order) -> dict[str, float]:
    tally = Tally(order)
    loop = asyncio.get_running_loop()
    open_ones: set[Connection] = set()

    async def keep_one_open() -> None:
        while tally.running:
            try:
                _, connection = await loop.create_connection(lambda: Connection(tally), "127.0.0.1", order.port)
            except OSError:
                tally.errors += 1
                await asyncio.sleep(0.1)
                continue
            open_ones.add(connection)
            await connection.closed
            open_ones.discard(connection)
            tally.errors += tally.running

    started = time.perf_counter()
    keepers = [asyncio.create_task(keep_one_open()) for _ in range(order.connections)]
    await asyncio.sleep(order.seconds)
    tally.running = False
    seconds = time.perf_counter() - started
    for connection in list(open_ones):
        connection.close()
    await asyncio.gather(*keepers)
    return {
        "answers": tally.good,
        "errors": tally.errors,
        "seconds": seconds,
        "p50_ms": percentile(tally.latencies, 50) * 1000,
        "p99_ms": percentile(tally.latencies, 99) * 1000,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(Order.read(Path(sys.argv[1]))))))
