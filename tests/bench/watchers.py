"""What watching costs: `python -m tests.bench.watchers`.

A gateway in a process of its own on one core, with the project's sandbox as upstream. Printed are, for event streams of
500 Jimeng tasks whose progress changes at every query, one every 2 s, the gateway's memory, its share of a core and the
upstream calls; the memory of streams without a change; and how long after its end a task's last event arrives.
Linux only: it reads /proc.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import httpx

from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from tests.bench.processes import Server, end_on_signals

TASKS, WATCHERS, IDLE_WATCHERS = 500, 5000, 10_000
INTERVAL = 2.0
MEMORY_TARGET_MB, IDLE_MEMORY_TARGET_MB, CORE_TARGET, LATENCY_TARGET = 250, 400, 0.3, INTERVAL + 0.05
SESSION = "0123456789abcdef0123456789abcdef"
HEADERS = {"Authorization": f"Bearer {SESSION}"}

_FOR_EVER = 1e6
_BUSY_SECONDS, _QUEUED = 120.0, 0.27
"""Length of a task, so that its progress rises by one percent in less than INTERVAL, and its share in the queue."""
_QUERY = "/mweb/v1/get_history_by_ids"
_CONNECTING = 200
_CORES = sorted(os.sched_getaffinity(0))


def _settings(task_seconds: float) -> SandboxSettings:
    return SandboxSettings(
        task_seconds=task_seconds, max_running=2 * TASKS, credits=10**9, ids_per_call=50, log_size=1, visible_after=0
    )


class Upstream:
    """The sandbox in a process of its own: with thousands of clients in one interpreter it would be the limit."""

    def __init__(self, task_seconds: float) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve_upstream, args=(theirs, task_seconds), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self.environment: dict[str, str] = self._pipe.recv()
        return self

    def __exit__(self, *exc: object) -> None:
        self._pipe.send("end")
        self._process.join(10)

    def queries(self) -> int:
        """Status queries so far."""
        self._pipe.send("queries")
        return int(self._pipe.recv())


def _serve_upstream(pipe: Connection, task_seconds: float) -> None:
    with SandboxServer(_settings(task_seconds)) as server:
        pipe.send(dict(server.environment()))
        while pipe.recv() == "queries":
            pipe.send(server.sandbox.calls("jimeng", _QUERY))


class Stream(asyncio.Protocol):
    """One client that counts what it gets."""

    def __init__(self, port: int, path: str) -> None:
        self._request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {SESSION}\r\n\r\n"
        self.events = 0
        self.first = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request.encode())

    def data_received(self, data: bytes) -> None:
        self.events += data.count(b"event: status")
        if b"event: end" in data:
            self.ended.set_result(time.monotonic())
        if self.events and not self.first.done():
            self.first.set_result(None)


@dataclass
class Streams:
    """Any number of open streams."""

    port: int
    open: list[Stream] = field(default_factory=list)

    async def add(self, paths: Sequence[str]) -> None:
        """Open a stream for each path and wait for the first event of each."""
        loop = asyncio.get_running_loop()
        for start in range(0, len(paths), _CONNECTING):
            made = await asyncio.gather(
                *(
                    loop.create_connection(lambda path=path: Stream(self.port, path), "127.0.0.1", self.port)  # type: ignore[misc]
                    for path in paths[start : start + _CONNECTING]
                )
            )
            self.open += [stream for _, stream in made]
        async with asyncio.timeout(60):
            await asyncio.gather(*(stream.first for stream in self.open))

    def leave(self, count: int) -> None:
        """Close the newest streams."""
        for stream in self.open[-count:]:
            stream.transport.abort()
        del self.open[-count:]

    @property
    def events(self) -> int:
        return sum(stream.events for stream in self.open)


@contextlib.asynccontextmanager
async def streams(port: int) -> AsyncIterator[Streams]:
    found = Streams(port)
    try:
        yield found
    finally:
        for stream in found.open:
            stream.transport.abort()


@contextlib.contextmanager
def gateway(folder: Path, upstream: Upstream) -> Iterator[tuple[Server, int]]:
    environment = {
        **upstream.environment,
        "GATEWAY_PORT": "0",
        "VIDEO_POLL_INTERVAL": str(int(INTERVAL * 1000)),
        "VIDEO_TIMEOUT": "3600000",
        # The default, 5 a second, is less than these tasks need.
        "JIMENG_QPS": "20",
        "GATEWAY_LIVE": f'{{"watchers": {2 * IDLE_WATCHERS}, "watchers_per_caller": {2 * IDLE_WATCHERS}}}',
    }
    with Server(
        "gateway", [sys.executable, "-m", "gateway", "serve"], frozenset(_CORES[:1]), folder, environment
    ) as one:
        yield one, urlsplit(one.said(r"listening on (\S+?),")).port or 0


async def submit(port: int, count: int, model: str = "jimeng-video-3.0-fast") -> list[str]:
    """The ids of new tasks."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=HEADERS, timeout=60) as client:

        async def one(number: int) -> str:
            body = {"model": model, "prompt": f"a cat, number {number}"}
            answer = await client.post("/v1/videos/generations", json=body)
            answer.raise_for_status()
            return str(answer.json()["task_id"])

        found: list[str] = []
        for start in range(0, count, 10):
            found += await asyncio.gather(*(one(number) for number in range(start, min(start + 10, count))))
        return found


def events_path(id: str) -> str:
    return f"/v1/videos/tasks/{id}/events"


async def busy(folder: Path, seconds: float) -> bool:
    """Watchers of running tasks."""
    with Upstream(_BUSY_SECONDS) as upstream, gateway(folder, upstream) as (server, port):
        ids = await submit(port, TASKS)
        begun = time.monotonic()
        async with streams(port) as one:
            await one.add([events_path(ids[number % TASKS]) for number in range(WATCHERS)])
            await asyncio.sleep(max(2 * INTERVAL, begun + _BUSY_SECONDS * _QUEUED - time.monotonic()))
            found = await measure(server, upstream, one, seconds)
            memory = server.memory_mb()
            one.leave(WATCHERS - TASKS)
            await asyncio.sleep(2 * INTERVAL)
            alone = await measure(server, upstream, one, seconds)
    print(f"{TASKS} tasks with one watcher each: {alone.core:.1%} of a core, {alone.calls:.1f} upstream calls/s")
    print(
        f"{WATCHERS} watchers of {TASKS} tasks: {memory:.0f} MB (at most {MEMORY_TARGET_MB}), {found.core:.1%} of a "
        f"core (at most {CORE_TARGET:.0%}), {found.calls:.1f} upstream calls/s, {found.events:.0f} events/s"
    )
    as_if_alone = found.calls <= alone.calls * 1.1 + 0.2
    return (
        memory <= MEMORY_TARGET_MB
        and found.core <= CORE_TARGET
        and as_if_alone
        and found.events > 0.8 * WATCHERS / INTERVAL
    )


@dataclass(frozen=True, slots=True)
class Rates:
    core: float
    calls: float
    events: float


async def measure(server: Server, upstream: Upstream, one: Streams, seconds: float) -> Rates:
    used, calls, events = server.cpu_seconds(), upstream.queries(), one.events
    started = time.monotonic()
    await asyncio.sleep(seconds)
    took = time.monotonic() - started
    return Rates(
        (server.cpu_seconds() - used) / took,
        (upstream.queries() - calls) / took,
        (one.events - events) / took,
    )


async def idle(folder: Path) -> bool:
    """Watchers of tasks that do not change: the upstream's queue is full."""
    with Upstream(_FOR_EVER) as upstream, gateway(folder, upstream) as (server, port):
        ids = await submit(port, 20)
        async with streams(port) as one:
            await one.add([events_path(ids[number % len(ids)]) for number in range(IDLE_WATCHERS)])
            await asyncio.sleep(1)
            memory = server.memory_mb()
    print(f"{IDLE_WATCHERS} watchers of {len(ids)} tasks: {memory:.0f} MB (at most {IDLE_MEMORY_TARGET_MB})")
    return memory <= IDLE_MEMORY_TARGET_MB


async def latency(folder: Path) -> bool:
    """From the end of a task at the upstream to the event."""
    task_seconds = 4.3
    with Upstream(task_seconds) as upstream, gateway(folder, upstream) as (_, port):
        async with streams(port) as one:
            ends: list[float] = []
            for number in range(10):
                (id,) = await submit(port, 1)
                ends.append(time.monotonic() + task_seconds)
                await one.add([events_path(id)])
                await asyncio.sleep(0.1 + 0.05 * number)
            async with asyncio.timeout(30):
                ended = [await stream.ended for stream in one.open]
            found = [at - end for at, end in zip(ended, ends, strict=True)]
    print(f"from the end of a task to its last event: at most {max(found):.2f} s (at most {LATENCY_TARGET:.2f} s)")
    return max(found) <= LATENCY_TARGET


async def run(folder: Path, seconds: float) -> bool:
    results = [await busy(folder, seconds), await idle(folder), await latency(folder)]
    return all(results)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    asked = parser.parse_args()
    end_on_signals()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 3 * IDLE_WATCHERS
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard) if hard != resource.RLIM_INFINITY else wanted, hard))
    os.sched_setaffinity(0, frozenset(_CORES[-1:]))
    with tempfile.TemporaryDirectory() as folder:
        met = asyncio.run(run(Path(folder), asked.seconds))
    print("all met" if met else "not all met")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
