"""How much memory the relay of files takes: `python -m tests.bench.stream_memory`.

An upstream that makes a file on the fly, the relay in a process of its own, and clients in this one that read and drop.
Printed are the relay's resident memory before, its maximum during, and the growth. Linux only: it reads /proc.
"""

import argparse
import asyncio
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api.file_responses import stream_content
from providers.transport.client import HttpClient

TARGET_MB = 30
PIECE = bytes(range(256)) * 256
STALL_SECONDS = 3.0


def relay(link: str) -> None:
    """The process that is measured: one route, served as the gateway is."""
    fetch = HttpClient()

    async def content(request: Request) -> Response:
        return await stream_content(
            fetch, link, request, filename="v.mp4", media_type="video/mp4", proxy=None, renew=_no_other
        )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with fetch:
            yield

    app = Starlette(routes=[Route("/", content)], lifespan=lifespan)
    server = uvicorn.Server(uvicorn.Config(app, port=0, access_log=False, log_level="warning"))

    async def serve() -> None:
        task = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        print(server.servers[0].sockets[0].getsockname()[1], flush=True)
        await task

    asyncio.run(serve())


async def _no_other() -> str | None:
    return None


@asynccontextmanager
async def file_host() -> AsyncIterator[str]:
    """Serves `/N`: N bytes that are nowhere stored."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                left = int(head.split(b" ", 2)[1].strip(b"/"))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % left)
                while left:
                    writer.write(PIECE[:left])
                    left -= min(left, len(PIECE))
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def read_and_drop(url: str, stall: float) -> int:
    """Bytes of the body, read after `stall` seconds. Raises AssertionError when the announced length is another one."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    announced = re.search(rb"content-length: (\d+)", head)
    await asyncio.sleep(stall)
    received = 0
    while piece := await reader.read(1 << 20):
        received += len(piece)
    writer.close()
    assert announced is not None and int(announced[1]) == received, (head, received)
    return received


def resident_mb(pid: int, name: str = "VmRSS") -> float:
    """`VmRSS` is the memory now, `VmHWM` the most there ever was."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("ascii"), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


async def measure(clients: int, megabytes: int, stalled: int) -> float:
    """The growth in MB."""
    each = megabytes * 1024 * 1024 // clients
    async with file_host() as host:
        command = [sys.executable, "-m", "tests.bench.stream_memory", "--relay", f"{host}/{each}"]
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            url = f"http://127.0.0.1:{int(await process.stdout.readline())}/"
            before = resident_mb(process.pid)
            started = time.perf_counter()
            # Some do not read at first, so that everything fills up that can.
            stalls = [STALL_SECONDS if number < stalled else 0.0 for number in range(clients)]
            received = sum(await asyncio.gather(*(read_and_drop(url, stall) for stall in stalls)))
            seconds = time.perf_counter() - started
            after, highest = resident_mb(process.pid), resident_mb(process.pid, "VmHWM")
        finally:
            process.terminate()
            await process.wait()
    growth = highest - before
    print(f"{clients} clients at once, {received / 2**20:.0f} MB in all, {stalled} of them stalled at first")
    print(f"{seconds:.1f} s, {received / 2**20 / seconds:.0f} MB/s")
    print(f"resident before {before:.1f} MB, maximum {highest:.1f} MB, after {after:.1f} MB")
    print(f"growth {growth:.1f} MB, target below {TARGET_MB} MB: {'met' if growth < TARGET_MB else 'MISSED'}")
    return growth


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.stream_memory", description=__doc__)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--each", type=int, default=1024, help="MB that each client reads")
    parser.add_argument("--stalled", type=int, default=5, help="how many of the clients do not read at first")
    parser.add_argument("--relay", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.relay:
        relay(given.relay)
        return
    growth = asyncio.run(measure(given.clients, given.each * given.clients, given.stalled))
    sys.exit(growth >= TARGET_MB)


if __name__ == "__main__":
    main()
