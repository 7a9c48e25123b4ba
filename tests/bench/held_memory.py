"""How much memory a gateway keeps of what failed: `python -m tests.bench.held_memory`.

A gateway in a process of its own. Printed is how far its resident memory rises over 200 submits of 8 MB that fail, for
each way to fail, and over one header of 200 MB, with the slowest `/healthz` meanwhile. Linux only: it reads /proc.
"""

import argparse
import base64
import contextlib
import itertools
import os
import re
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.bench.processes import Server, free_port
from tests.bench.stream_memory import resident_mb
from tests.pictures import picture

SUBMITS_TARGET_MB, HEADER_TARGET_MB, HEALTH_TARGET_SECONDS = 30, 5, 0.1
_MB = 1024 * 1024
_CORES = frozenset(os.sched_getaffinity(0))


@contextlib.contextmanager
def gateway(folder: Path, upstream_port: int) -> Iterator[tuple[str, int]]:
    """The address and process id of a gateway whose upstreams are at this port."""
    nowhere = f"http://127.0.0.1:{upstream_port}"
    environment = {
        "GATEWAY_PORT": "0",
        "JIMENG_BASE_URL": nowhere,
        "DASHSCOPE_BASE_URL": f"{nowhere}/api/v1",
    }
    with Server("gateway", [sys.executable, "-m", "gateway", "serve"], _CORES, folder, environment) as server:
        url = server.said(r"listening on (\S+?),")
        yield url, server.pid


@contextlib.contextmanager
def garbage() -> Iterator[int]:
    """The port of an upstream that answers every call with a page of 1 MB."""
    page = b"<html>" + b"x" * _MB
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(page)}\r\nconnection: close\r\n\r\n".encode()

    def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(10)
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(65536)
            headers, _, body = request.partition(b"\r\n\r\n")
            found = re.search(rb"content-length: (\d+)", headers, re.IGNORECASE)
            left = int(found[1]) - len(body) if found else 0
            while left > 0 and (piece := connection.recv(1024 * 1024)):
                left -= len(piece)
            connection.sendall(head + page)

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener, ThreadPoolExecutor(8) as threads:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threads.submit(answer, listener.accept()[0])

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(5)


@dataclass(frozen=True, slots=True)
class Case:
    """Submits that fail: of a model with a credential, `upstream_port` is that of the upstreams."""

    what: str
    upstream_port: int
    model: str
    credential: str


def growth_by_submits(url: str, pid: int, case: Case, *, count: int, keyed: bool) -> float:
    """Growth in MB over `count` failed submits of 8 MB, four at a time, from the idle gateway."""
    image = base64.b64encode(picture().ljust(6 * _MB, b"\0")).decode()

    def submit(number: int) -> None:
        # No two are alike.
        body = {"model": case.model, "prompt": f"video {number}", "image": f"data:image/png;base64,{image}"}
        headers = {"Authorization": f"Bearer {case.credential}"} | ({"Idempotency-Key": str(number)} if keyed else {})
        answer = httpx.post(f"{url}/v1/videos/generations", json=body, headers=headers, timeout=120)
        assert answer.status_code == 502, answer.text[:300]

    httpx.get(f"{url}/healthz").raise_for_status()
    before = resident_mb(pid)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(submit, range(count)))
    time.sleep(0.25)
    return resident_mb(pid) - before


def growth_by_header(url: str, pid: int, megabytes: int) -> tuple[float, float]:
    """Growth in MB at the peak of one header that is sent as far as the gateway takes it, and the slowest `/healthz`
    meanwhile in seconds."""
    address = urlsplit(url)
    httpx.get(f"{url}/healthz").raise_for_status()
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    before, slowest, ended = resident_mb(pid), 0.0, threading.Event()

    def send() -> None:
        with (
            socket.create_connection((address.hostname, address.port), timeout=30) as connection,
            contextlib.suppress(OSError),
        ):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: here\r\nx: ")
            for _ in range(megabytes):
                connection.sendall(b"x" * _MB)
        ended.set()

    sender = threading.Thread(target=send)
    with httpx.Client(base_url=url, timeout=60) as client:
        sender.start()
        for number in itertools.count():
            began = time.perf_counter()
            client.get("/healthz").raise_for_status()
            slowest = max(slowest, time.perf_counter() - began)
            if ended.is_set() and number > 20:
                break
            time.sleep(0.002)
    sender.join()
    return resident_mb(pid, "VmHWM") - before, slowest


def verdict(met: bool) -> str:
    return "met" if met else "MISSED"


def measure(count: int, megabytes: int) -> bool:
    all_met = True
    with tempfile.TemporaryDirectory(prefix="bench-held-") as name, garbage() as page_port:
        nowhere = free_port()
        through_proxy = f"http://127.0.0.1:{nowhere}@benchsession"
        cases = [
            Case("to Jimeng through a dead proxy", nowhere, "jimeng-video-3.0-fast", through_proxy),
            Case("to a DashScope that cannot be reached", nowhere, "wan2.6-i2v", "sk-bench"),
            Case("to a DashScope that answers with a page of 1 MB", page_port, "wan2.6-i2v", "sk-bench"),
        ]
        for case, keyed in itertools.product(cases, (False, True)):
            with gateway(Path(name), case.upstream_port) as (url, pid):
                growth = growth_by_submits(url, pid, case, count=count, keyed=keyed)
            met = growth <= SUBMITS_TARGET_MB
            all_met &= met
            what = case.what + (", each with a key" if keyed else "")
            target = f"target at most {SUBMITS_TARGET_MB} MB: {verdict(met)}"
            print(f"{count} submits of 8 MB {what}: {growth:+.1f} MB, {target}", flush=True)
        with gateway(Path(name), nowhere) as (url, pid):
            growth, slowest = growth_by_header(url, pid, megabytes)
        met = growth <= HEADER_TARGET_MB and slowest <= HEALTH_TARGET_SECONDS
        targets = f"targets {HEADER_TARGET_MB} MB, {HEALTH_TARGET_SECONDS * 1000:.0f} ms: {verdict(met)}"
        print(f"a header of {megabytes} MB: {growth:+.1f} MB, slowest /healthz {slowest * 1000:.0f} ms, {targets}")
    return all_met and met


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.held_memory", description=__doc__)
    parser.add_argument("--submits", type=int, default=200)
    parser.add_argument("--header", type=int, default=200, help="MB of the header")
    given = parser.parse_args()
    sys.exit(not measure(given.submits, given.header))


if __name__ == "__main__":
    main()
