"""Clients that disconnect, stall or are slow, and file names in headers."""

import asyncio
import logging

import httpx
import pytest

from gateway.api.file_responses import MAX_NAME, safe_name
from tests.gateway.api.file_responses.host import READ_TIMEOUT, START, Gateway, Host, connected, endless, running


class TestClients:
    @pytest.mark.parametrize("pause", [0.01, 0.15], ids=["dripping host", "nearly silent host"])
    async def test_client_that_leaves_ends_the_fetch(
        self, gateway: Gateway, caplog: pytest.LogCaptureFixture, pause: float
    ) -> None:
        async def drip(host: Host, head: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + START)
            for _ in range(1000):
                writer.write(b"x" * 100)
                await writer.drain()
                await asyncio.sleep(pause)

        async with running(drip) as host, httpx.AsyncClient() as client:
            async with client.stream("GET", gateway.address(host.url)) as answer:
                await anext(answer.aiter_raw())
                assert host.connections == 1
            assert await host.until_left() < 0.4
        assert not [record for record in caplog.records if record.levelno >= logging.WARNING]

    async def test_client_that_leaves_while_reading_nothing_ends_the_fetch(self, gateway: Gateway) -> None:
        async with running(endless) as host:
            reader, writer = await connected(gateway, host)
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
            assert await host.until_left() < 0.4

    async def test_slow_client_slows_the_host_and_gets_everything(self, gateway: Gateway) -> None:
        size = 48 * 1024 * 1024

        async def send(host: Host, head: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (size + len(START)) + START)
            while host.sent < size:
                writer.write(bytes(65536))
                await writer.drain()
                host.sent += 65536

        async with running(send) as host:
            reader, writer = await connected(gateway, host)
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(READ_TIMEOUT + 0.1)
            # What lies in the kernel's buffers is not the gateway's.
            assert host.sent < size * 2 // 3
            received = 0
            while received < size + len(START):
                piece = await reader.read(1 << 20)
                assert piece, f"broken off after {received} bytes"
                received += len(piece)
            writer.close()

    async def test_client_that_never_sends_its_announced_body_is_served(self, gateway: Gateway) -> None:
        async with running(endless) as host:
            reader, writer = await connected(gateway, host, "Content-Length: 99999999")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.close()
            assert await host.until_left() < 0.4


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("video.mp4", "video.mp4"),
        ('a "b"\r\nX: y/../c.mp4', "a_b_X_y_.._c.mp4"),
        ("即梦.mp4", "mp4"),
        ("../../etc/passwd", "etc_passwd"),
        ("", "file"),
        ("视频", "file"),
        ("x" * 200 + ".mp4", "x" * 60 + ".mp4"),
        ("x." + "y" * 200, "x." + "y" * 62),
    ],
)
def test_file_names_are_short_and_need_no_quoting(given: str, safe: str) -> None:
    assert safe_name(given) == safe
    assert len(safe_name(given)) <= MAX_NAME
