"""A file host with scripted responses, and a gateway that streams its files."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

import httpx

from providers.sandbox.clips import CLIPS

VIDEO = (CLIPS / "best.mp4").read_bytes()
START = VIDEO[:100]
"""The first bytes of a video."""
READ_TIMEOUT = 0.2

# --- the host ---------------------------------------------------------------------------------------------------


@dataclass
class Host:
    """A file host that responds with `answer`, and records requests and open connections."""

    url: str = ""
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    sent: int = 0

    @property
    def methods(self) -> list[bytes]:
        return [head.partition(b" ")[0] for head in self.heads]

    async def until_left(self) -> float:
        """Seconds until the last connection is gone."""
        started = time.monotonic()
        await until(lambda: not self.connections)
        return time.monotonic() - started


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(400):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came to that")


Answer = Callable[[Host, bytes, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def running(answer: Answer) -> AsyncIterator[Host]:
    host = Host()
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host.connections += 1
        writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                host.heads.append(head)
                await answer(host, head, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            host.connections -= 1
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v.mp4"
    try:
        yield host
    finally:
        server.close()
        for writer in writers:
            writer.close()


def says(*answers: bytes) -> Answer:
    """Each request gets the next of these, and all later ones the last."""
    left = list(answers)

    async def answer(host: Host, head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])

    return answer


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


# --- the gateway ------------------------------------------------------------------------------------------------


@dataclass
class Gateway:
    url: str
    renewals: list[str]

    def address(self, link: str, fresh: str = "", **more: str) -> str:
        return f"{self.url}/content?{urlencode({'link': link, 'fresh': fresh, **more})}"

    async def ask(
        self, link: str, fresh: str = "", *, method: str = "GET", headers: dict[str, str] | None = None, **more: str
    ) -> httpx.Response:
        async with httpx.AsyncClient(timeout=5) as client:
            asked = {"Accept-Encoding": "identity", **(headers or {})}
            return await client.request(method, self.address(link, fresh, **more), headers=asked)


Link = Callable[..., str]


async def collect(answer: httpx.Response, received: bytearray) -> None:
    async for piece in answer.aiter_raw():
        received += piece


async def endless(host: Host, head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + START)
    while True:
        writer.write(bytes(65536))
        await writer.drain()


async def connected(gateway: Gateway, host: Host, *headers: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that reads only a few bytes. Returns once the host has the request."""
    address = httpx.URL(gateway.address(host.url))
    reader, writer = await asyncio.open_connection(address.host, address.port, limit=65536)
    lines = [f"GET {address.raw_path.decode()} HTTP/1.1", "Host: h", *headers]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
    await until(lambda: bool(host.heads))
    return reader, writer
