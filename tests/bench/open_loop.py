"""Polls by the clock: `python -m tests.bench.open_loop ORDER`. Prints a `Paced`.

Each request of the order is sent once a second, as by a client of its own: while its last answer is still to come it
is left out, and counted as such. One that finds every connection busy waits its turn, and its latency counts from when
it was due, so that a server that falls behind cannot hide it.
"""

import asyncio
import json
import sys
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

from tests.bench.answers import read_answer
from tests.bench.percentiles import percentile
from tests.bench.requests import Order

_TICK_SECONDS = 0.002


class Polls:
    """The polls that wait for a connection, the connections that wait for a poll, and what came of it all."""

    def __init__(self, order: Order) -> None:
        self.connections_allowed = order.connections
        self.port = order.port
        self.requests = [text.encode() for text in order.texts]
        self.waiting: deque[tuple[float, int]] = deque()
        # By their place in the order; from when they are due until they are answered.
        self.under_way: set[int] = set()
        self.left_out = 0
        self.idle: list[Connection] = []
        self.connections = 0
        self.statuses: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.good = 0
        self.lost = 0
        self.stale = 0
        self.oldest: int | None = None
        self._connecting: set[asyncio.Task[None]] = set()

    def due(self, at: float, number: int) -> None:
        """A request's next turn has come."""
        if number in self.under_way:
            self.left_out += 1
            return
        self.under_way.add(number)
        self.waiting.append((at, number))

    def send_waiting(self) -> None:
        while self.waiting and self.idle:
            self.idle.pop().send(*self.waiting.popleft())
        for _ in range(min(len(self.waiting), self.connections_allowed - self.connections)):
            self.connections += 1
            connecting = asyncio.create_task(self._connect())
            self._connecting.add(connecting)
            connecting.add_done_callback(self._connecting.discard)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.port)
        except OSError:
            self.connections -= 1
            await asyncio.sleep(0.1)


class Connection(asyncio.Protocol):
    """One poll at a time."""

    def __init__(self, polls: Polls) -> None:
        self._polls = polls
        self._received = b""
        self._due: float | None = None
        self._number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._polls.idle.append(self)
        self._polls.send_waiting()

    def send(self, due: float, number: int) -> None:
        self._due, self._number = due, number
        self._transport.write(self._polls.requests[number])

    def data_received(self, data: bytes) -> None:
        self._received += data
        answer = read_answer(self._received)
        if answer is None or self._due is None:
            return
        polls = self._polls
        polls.under_way.discard(self._number)
        polls.latencies.append(time.perf_counter() - self._due)
        polls.statuses[str(answer.status)] += 1
        polls.good += answer.good
        polls.stale += b'"stale":true' in answer.body
        age = answer.number(b"age")
        if age is not None:
            polls.oldest = max(age, polls.oldest or 0)
        self._received, self._due = b"", None
        polls.idle.append(self)
        polls.send_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        polls = self._polls
        polls.connections -= 1
        if self in polls.idle:
            polls.idle.remove(self)
        if self._due is not None:
            polls.under_way.discard(self._number)
            polls.lost += 1


async def run(order: Order) -> dict[str, Any]:
    polls = Polls(order)
    count = len(polls.requests)
    pause, total = 1.0 / count, int(count * order.seconds)
    began, started, turns = time.time(), time.perf_counter(), 0
    while turns < total:
        now = time.perf_counter()
        while turns < total and started + turns * pause <= now:
            polls.due(started + turns * pause, turns % count)
            turns += 1
        polls.send_waiting()
        await asyncio.sleep(_TICK_SECONDS)
    seconds, in_time = time.perf_counter() - started, polls.good
    deadline = time.perf_counter() + order.last_seconds
    while polls.under_way and time.perf_counter() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(_TICK_SECONDS)
    return {
        "began": began,
        "seconds": seconds,
        "statuses": dict(polls.statuses),
        "in_time": in_time,
        "unanswered": len(polls.under_way) + polls.lost,
        "left_out": polls.left_out,
        "stale": polls.stale,
        "oldest": polls.oldest,
        "p50_ms": percentile(polls.latencies, 50) * 1000,
        "p99_ms": percentile(polls.latencies, 99) * 1000,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(Order.read(Path(sys.argv[1]))))))
