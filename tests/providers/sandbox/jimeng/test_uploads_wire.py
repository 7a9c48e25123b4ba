"""Uploads over a real connection, and large ones: lost, broken, given up by the client."""

import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest

from providers.sandbox.app import create_sandbox
from providers.sandbox.jimeng.upload_services import VOD
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from tests.providers.sandbox.clients import Clock, JimengClient
from tests.providers.sandbox.jimeng.uploader import Uploader, denied
from tests.providers.sandbox.samples import png

BASE = "http://upstream.test:81"


@pytest.fixture
def wired(wire: httpx.AsyncClient) -> Uploader:
    return Uploader(JimengClient(wire, "wired"), time.time)


async def test_image_over_a_connection(wired: Uploader) -> None:
    assert (await wired.upload(png(padding=700_000)))[1]["Results"][0]["UriStatus"] == 2000


@pytest.mark.parametrize("padding", [0, 5_000_000])
async def test_lost_upload(wired: Uploader, server: SandboxServer, padding: int) -> None:
    data = png(text="#lost-upload", padding=padding)
    await wired.keys()
    address = await wired.address(len(data))
    for _ in range(2):
        with pytest.raises(httpx.TransportError):
            await wired.send(address, data)
    denied(await wired.commit(address), 400, "FileNotUploaded")


@pytest.mark.parametrize("padding", [0, 5_000_000])
async def test_failed_upload_succeeds_the_second_time(wired: Uploader, padding: int) -> None:
    data = png(text=f"#bad-upload {padding} #times=1 ", padding=padding)
    await wired.keys()
    address = await wired.address(len(data))
    answers = [await wired.send(address, data) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [500, 200]
    assert (await wired.commit(address)).status_code == 200


async def test_client_that_goes_away(wired: Uploader) -> None:
    await wired.keys()
    address = await wired.address(1_000_000)

    async def half() -> AsyncIterator[bytes]:
        yield bytes(100_000)
        raise ConnectionAbortedError

    headers = {"Authorization": address.auth, "Content-CRC32": "00000000", "Content-Type": "application/octet-stream"}
    with pytest.raises(ConnectionAbortedError):
        await wired.client.http.post(f"http://{address.host}/upload/v1/{address.uri}", content=half(), headers=headers)
    denied(await wired.commit(address), 400, "FileNotUploaded")


async def test_large_upload_takes_no_memory(clock: Clock) -> None:
    piece, pieces = bytes(1_000_000), 60
    data_crc = 0
    for _ in range(pieces):
        data_crc = zlib.crc32(piece, data_crc)

    app = create_sandbox(SandboxSettings(), clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as http:
        videos = Uploader(JimengClient(http), clock, VOD)
        await videos.keys()
        address = await videos.address(len(piece) * pieces)

        async def body() -> AsyncIterator[bytes]:
            for _ in range(pieces):
                yield piece

        headers = {"Authorization": address.auth, "Content-CRC32": f"{data_crc:08x}"}
        headers["Content-Type"] = "application/octet-stream"
        tracemalloc.start()
        answer = await http.post(f"{BASE}/upload/v1/{address.uri}", content=body(), headers=headers)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert answer.json()["code"] == 2000
    assert peak < 8_000_000
