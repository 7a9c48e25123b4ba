"""What chat through the gateway costs: `python -m tests.bench.chat_streams`.

A gateway in a process of its own on one core; the upstream (`chat_upstream`) and the clients on another. Printed are
the time to the first chunk directly and through the gateway; for 1,000 concurrent streams of 20 chunks a second how
many chunks were lost or merged, the gateway's memory and its share of the core; and answers without a stream per
second, beside LiteLLM's where LITELLM_PYTHON names a Python that has its proxy. Linux only: it reads /proc.
"""

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from tests.bench.chat_upstream import EVENTS, INTERVAL
from tests.bench.litellm import ENVIRONMENT, MASTER_KEY
from tests.bench.processes import BenchError, Server, end_on_signals, free_port, module

STREAMS, CHUNKS = 1000, 200
FIRST_CHUNK_TARGET_MS, MEMORY_TARGET_MB, LITELLM_TARGET = 1.0, 300, 30
KEY = "sk-bench"

_CORES = sorted(os.sched_getaffinity(0))
_SERVER, _LOAD = frozenset(_CORES[:1]), frozenset(_CORES[1:2] or _CORES[:1])
_CONNECTIONS = 32


def request(port: int, path: str, key: str, **fields: object) -> bytes:
    body = {"model": "qwen-plus", "messages": [{"role": "user", "content": "hello"}], **fields}
    text = json.dumps(body, separators=(",", ":"))
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}"
    ).encode()


class Client(asyncio.Protocol):
    """One connection that sends a request at a time. Of a streamed answer it counts the events and the HTTP chunks, and
    notes when each event arrived."""

    def __init__(self) -> None:
        self.events: list[bytes] = []
        self.chunks = 0
        self.arrived: list[float] = []
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def send(self, data: bytes) -> "asyncio.Future[float]":
        """Send a request. The future resolves with the time of its first chunk once its answer has ended."""
        self.events, self.chunks, self.arrived, self._data, self._head = [], 0, [], b"", True
        self.done: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.transport.write(data)
        return self.done

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self._data += data
        if self._head:
            head, end, rest = self._data.partition(b"\r\n\r\n")
            if not end:
                return
            self._head, self._data = False, rest
            if not head.startswith(b"HTTP/1.1 200"):
                self.done.set_exception(BenchError(self._data.decode("utf-8", "replace")))
                return
        while True:
            size, end, rest = self._data.partition(b"\r\n")
            length = int(size, 16) if end else -1
            if length < 0 or len(rest) < length + 2:
                return
            self._data = rest[length + 2 :]
            if length == 0:
                self.done.set_result(self.arrived[0])
                return
            self.chunks += 1
            self.arrived.append(now)
            self.events += [event + b"\n\n" for event in rest[:length].split(b"\n\n") if event]

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(BenchError("the connection was closed"))


@contextlib.asynccontextmanager
async def clients(port: int, count: int) -> AsyncIterator[list[Client]]:
    loop, found = asyncio.get_running_loop(), list[Client]()
    for _ in range(count):
        found.append((await loop.create_connection(Client, "127.0.0.1", port))[1])
    try:
        yield found
    finally:
        for client in found:
            client.transport.abort()


async def first_chunk(gateway: int, upstream: int, rounds: int) -> tuple[float, float]:
    """The median time to the first chunk in ms, directly and through the gateway, taken in turns."""
    taken: dict[int, list[float]] = {upstream: [], gateway: []}
    paths = {upstream: "/compatible-mode/v1/chat/completions", gateway: "/v1/chat/completions"}
    async with clients(gateway, 1) as ours, clients(upstream, 1) as direct:
        for number in range(rounds + 50):
            for port, (client,) in ((upstream, direct), (gateway, ours)):
                began = time.perf_counter()
                first = await client.send(request(port, paths[port], KEY, stream=True, n=1))
                if number >= 50:
                    taken[port].append(1000 * (first - began))
    return statistics.median(taken[upstream]), statistics.median(taken[gateway])


async def many_streams(server: Server, port: int) -> None:
    async with clients(port, STREAMS) as open_clients:
        used, began = server.cpu_seconds(), time.monotonic()
        answers = []
        # Over one interval: real streams do not beat together.
        for number, client in enumerate(open_clients):
            body = request(port, "/v1/chat/completions", KEY, stream=True, n=CHUNKS)
            answers.append(client.send(body))
            if number % 20 == 19:
                await asyncio.sleep(INTERVAL * 20 / STREAMS)
        memory = 0.0
        while not all(answer.done() for answer in answers):
            await asyncio.sleep(0.5)
            memory = max(memory, server.memory_mb())
        await asyncio.gather(*answers)
        seconds = time.monotonic() - began
        core = (server.cpu_seconds() - used) / seconds
        whole = [b"".join(client.events) == _EXPECTED for client in open_clients]
        lost = sum(CHUNKS - len(client.events) for client in open_clients)
        merged = sum(len(client.events) - client.chunks for client in open_clients)
        gaps = sorted(
            after - before
            for client in open_clients
            for before, after in zip(client.arrived, client.arrived[1:], strict=False)
        )
    middle, late = (1000 * gaps[int(len(gaps) * share)] for share in (0.5, 0.99))
    print(
        f"{STREAMS} streams of {1 / INTERVAL:.0f} chunks/s for {seconds:.1f} s: {lost} lost, {merged} merged of "
        f"{STREAMS * CHUNKS}; {sum(whole)} streams are byte-true; gap between chunks: median {middle:.0f} ms, p99 "
        f"{late:.0f} ms; {memory:.0f} MB (target < {MEMORY_TARGET_MB}), {core:.2f} of a core"
    )


_EXPECTED = b"".join(event.partition(b"\r\n")[2][:-2] for event in EVENTS[:CHUNKS])


class Counter(asyncio.Protocol):
    """Sends the next request as soon as the answer, which has a Content-Length, has arrived."""

    def __init__(self, data: bytes) -> None:
        self._request = data
        self.answered = self.failed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self._data = cast(asyncio.Transport, transport), b""
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        if not end or len(body) < length:
            return
        self._data = b""
        self.answered += 1
        self.failed += not head.startswith(b"HTTP/1.1 200")
        self.transport.write(self._request)


async def answers_per_second(port: int, path: str, key: str, seconds: float) -> float:
    loop, data = asyncio.get_running_loop(), request(port, path, key)
    made = [(await loop.create_connection(lambda: Counter(data), "127.0.0.1", port))[1] for _ in range(_CONNECTIONS)]
    await asyncio.sleep(1)
    before, began = sum(one.answered for one in made), time.monotonic()
    await asyncio.sleep(seconds)
    rate = (sum(one.answered for one in made) - before) / (time.monotonic() - began)
    failed = sum(one.failed for one in made)
    for one in made:
        one.transport.abort()
    if failed:
        raise BenchError(f"{failed} answers are errors")
    return rate


@contextlib.contextmanager
def litellm(folder: Path, upstream: int) -> Iterator[int | None]:
    """The port of LiteLLM's proxy before the upstream, None without LITELLM_PYTHON."""
    python = os.environ.get("LITELLM_PYTHON")
    if python is None:
        yield None
        return
    port, base = free_port(), f"http://127.0.0.1:{upstream}/compatible-mode/v1"
    model = {"model": "openai/qwen-plus", "api_base": base, "api_key": KEY}
    file = folder / "litellm.yaml"
    listed = [{"model_name": "qwen-plus", "litellm_params": model}]
    file.write_text(json.dumps({"model_list": listed, "general_settings": {"master_key": MASTER_KEY}}), "utf-8")
    options = ["--config", str(file), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    command = [python, "-c", "from litellm import run_server; run_server()", *options, "--telemetry", "False"]
    with Server("litellm", command, _SERVER, folder, ENVIRONMENT) as server:
        server.listening(port, 120)
        yield port


async def measure(folder: Path, seconds: float) -> None:
    port = free_port()
    with Server("upstream", module("chat_upstream", str(port)), _LOAD, folder) as upstream:
        upstream.listening(port)
        environment = {
            "DASHSCOPE_COMPATIBLE_URL": f"http://127.0.0.1:{port}/compatible-mode/v1",
            "GATEWAY_LOG_LEVEL": "warning",
            "GATEWAY_PORT": "0",
        }
        command = [sys.executable, "-m", "gateway", "serve"]
        with Server("gateway", command, _SERVER, folder, environment | {"GATEWAY_LOG_LEVEL": "info"}) as gateway:
            own = urlsplit(gateway.said(r"listening on (http://[0-9.]+:\d+)")).port or 0
            direct, through = await first_chunk(own, port, 1000)
            print(
                f"first chunk, median of 1,000: {direct:.2f} ms directly, {through:.2f} ms through the gateway, "
                f"{through - direct:.2f} ms added (target < {FIRST_CHUNK_TARGET_MS:g})"
            )
            await many_streams(gateway, own)
            ours = await answers_per_second(own, "/v1/chat/completions", KEY, seconds)
        print(f"answers without a stream, {_CONNECTIONS} connections: {ours:,.0f}/s")
        with litellm(folder, port) as other:
            if other is not None:
                theirs = await answers_per_second(other, "/v1/chat/completions", MASTER_KEY, seconds)
                print(f"LiteLLM: {theirs:,.1f}/s; {ours / theirs:.0f} times as many (target {LITELLM_TARGET})")


def main() -> int:
    import uvloop

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each rate measurement")
    options = parser.parse_args()
    end_on_signals()
    os.sched_setaffinity(0, _LOAD)
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(measure(Path(folder), options.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
