"""Connections that wait in the pool between two calls."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from providers.transport import connectors, transports
from providers.transport.client import HttpClient
from providers.transport.timeouts import Timeouts
from tests.providers.raw import OK, upstream

_SIZE = 700_000
"""Bytes, more than a connection buffers: aiohttp pauses reading, and starts its read timer when it resumes."""


async def read_slowly(http: HttpClient, url: str) -> int:
    """The bytes of a file of which a part waits in the buffer when its last byte arrives."""
    size = 0
    async with http.stream("GET", url, headers={}) as download:
        async for piece in download.pieces:
            size += len(piece)
            await asyncio.sleep(0.005)
    return size


async def send_file(head: bytes, writer: asyncio.StreamWriter) -> None:
    if head.startswith(b"GET"):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % _SIZE + bytes(_SIZE))


async def test_read_timeout_does_not_expire_between_two_files() -> None:
    async with upstream(send_file) as url, HttpClient(Timeouts(read=0.1)) as http:
        for pause in (0.2, 0.2, 0.0):
            assert await read_slowly(http, url) == _SIZE
            await asyncio.sleep(pause)


async def test_read_timeout_of_the_last_file_does_not_end_an_upload() -> None:
    """While a body is sent, the upstream is silent: no read timeout applies."""
    pieces = [b"piece\r\n\r\n"] * 5 + [b"last!\r\n\r\n"]

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        await send_file(head, writer)
        if head == pieces[-1]:
            writer.write(OK)

    async def slow() -> AsyncIterator[bytes]:
        for piece in pieces:
            await asyncio.sleep(0.05)
            yield piece

    async with upstream(answer) as url, HttpClient(Timeouts(read=0.2)) as http:
        assert await read_slowly(http, url) == _SIZE
        reply = await http.upload("POST", url, headers={}, content=slow(), length=sum(map(len, pieces)))
        assert reply.status == 200


async def send(http: HttpClient, url: str) -> None:
    await http.send("POST", url, headers={}, json={})


async def open_call(http: HttpClient, url: str) -> None:
    async with http.open("POST", url, headers={}, body=b"{}") as answer:
        assert [piece async for piece in answer.pieces]


async def fetch(http: HttpClient, url: str) -> None:
    async with http.stream("GET", url, headers={}) as download:
        assert [piece async for piece in download.pieces]


@pytest.mark.parametrize("call", [send, open_call, fetch])
@pytest.mark.parametrize(("idle_seconds", "connections"), [(0.05, 2), (5.0, 1)])
async def test_connection_that_was_idle_too_long_is_not_used_again(
    call: Callable[[HttpClient, str], Awaitable[None]],
    idle_seconds: float,
    connections: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    peers: set[object] = set()

    async def note_peer(head: bytes, writer: asyncio.StreamWriter) -> None:
        peers.add(writer.get_extra_info("peername"))
        writer.write(OK)

    for module in (connectors, transports):
        monkeypatch.setattr(module, "IDLE_SECONDS", idle_seconds)
    async with upstream(note_peer) as url, HttpClient() as http:
        await call(http, url)
        await asyncio.sleep(0.12)
        await call(http, url)
    assert len(peers) == connections
