"""Requests at a fixed rate: `python -m tests.bench.fixed_rate ORDER`. Prints the latencies as JSON.

Open loop: a request is due by the clock, however slow the answers are, and its latency counts from that moment. So a
server that stalls is charged with every request that had to wait (no coordinated omission).
"""

import asyncio
import json
import sys
import time
from collections import deque
from pathlib import Path
from typing import cast

import uvloop

from tests.bench.answers import read_answer
from tests.bench.percentiles import percentile
from tests.bench.requests import Order, counted

_TICK_SECONDS = 0.0005


class Schedule:
    """The requests of an order, those that are due and wait for a connection, and what came of them."""

    def __init__(self, order: Order) -> None:
        self.latencies: list[float] = []
        self.errors = 0
        self.sent = 0
        self.idle: list[Connection] = []
        self.waiting: deque[float] = deque()
        self._texts = [text.encode() for text in order.texts]
        self._parts = tuple(part.encode() for part in order.parts) if order.parts else None

    def next(self) -> bytes:
        self.sent += 1
        if self._parts:
            # Ids of another generator at the same server must differ.
            return (
                self._parts[0]
                + counted((time.monotonic_ns() >> 10 << 16) % (1 << 47) + self.sent).encode()
                + self._parts[1]
            )
        return self._texts[self.sent % len(self._texts)]

    def send_waiting(self) -> None:
        while self.waiting and self.idle:
            self.idle.pop().send(self.waiting.popleft(), self.next())


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._received = b""
        self._due: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is no subclass of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._schedule.idle.append(self)

    def send(self, due: float, request: bytes) -> None:
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        answer = read_answer(self._received)
        if answer is None or self._due is None:
            return
        schedule = self._schedule
        schedule.latencies.append(time.perf_counter() - self._due)
        schedule.errors += not answer.good
        self._received, self._due = b"", None
        if schedule.waiting:
            self.send(schedule.waiting.popleft(), schedule.next())
        else:
            schedule.idle.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._schedule.errors += 1
        if self in self._schedule.idle:
            self._schedule.idle.remove(self)

    def close(self) -> None:
        self._transport.abort()


async def run(order: Order) -> dict[str, float]:
    schedule = Schedule(order)
    loop = asyncio.get_running_loop()
    for _ in range(order.connections):
        await loop.create_connection(lambda: Connection(schedule), "127.0.0.1", order.port)
    total = int(order.rate * order.seconds)
    started, made = time.perf_counter(), 0
    while made < total:
        due = min(total, int((time.perf_counter() - started) * order.rate) + 1)
        schedule.waiting.extend(started + number / order.rate for number in range(made, due))
        made = due
        schedule.send_waiting()
        await asyncio.sleep(_TICK_SECONDS)
    seconds = time.perf_counter() - started
    in_time, lost = len(schedule.latencies), schedule.errors
    deadline = time.perf_counter() + order.last_seconds
    while len(schedule.latencies) < total and time.perf_counter() < deadline and not lost:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return {
        "answers": in_time - schedule.errors,
        "errors": schedule.errors + total - len(schedule.latencies),
        "seconds": seconds,
        "p50_ms": percentile(schedule.latencies, 50) * 1000,
        "p99_ms": percentile(schedule.latencies, 99) * 1000,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(Order.read(Path(sys.argv[1]))))))
