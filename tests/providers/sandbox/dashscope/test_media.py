"""What DashScope finds when it looks at the media of a submit."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from providers.sandbox.app import create_sandbox
from providers.sandbox.dashscope.media import is_loopback
from providers.sandbox.dashscope.rules import IMAGE
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from tests.providers.sandbox import clients
from tests.providers.sandbox.clients import Clock, DashScopeClient, Json, refused
from tests.providers.sandbox.samples import mp4, picture, png, wav

I2V = "wan2.6-i2v"
MEGABYTE = 1024 * 1024


def data_url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "data", [png(), picture("JPEG"), picture("WEBP"), picture("BMP"), png(240, 8000), png(8000, 240)]
)
async def test_image_in_the_submit(dashscope: DashScopeClient, data: bytes) -> None:
    assert (await dashscope.post(I2V, {"img_url": data_url(data)})).status_code == 200


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"no picture", "InvalidFile.Format"),
        (picture("GIF"), "InvalidFile.Format"),
        (mp4(), "InvalidFile.Format"),
        (png()[:20], "InvalidParameter.DataInspection"),
        (png(239, 400), "InvalidFile.Resolution"),
        (png(400, 239), "InvalidFile.Resolution"),
        (png(8001, 240), "InvalidFile.Resolution"),
        (png(padding=20 * MEGABYTE), "InvalidFile.Size"),
        (png(text="#unsafe"), "DataInspectionFailed"),
    ],
    ids=range(9),
)
async def test_what_is_no_good_image_in_the_submit(dashscope: DashScopeClient, data: bytes, code: str) -> None:
    refused(await dashscope.post(I2V, {"img_url": data_url(data)}), 400, code)


async def test_older_models_take_smaller_images(dashscope: DashScopeClient) -> None:
    large = data_url(png(padding=10 * MEGABYTE))
    assert (await dashscope.post("wan2.5-i2v-preview", {"img_url": large})).status_code == 200
    for model in ("wan2.2-i2v-flash", "wanx2.1-i2v-turbo", "wan2.1-i2v-turbo"):
        refused(await dashscope.post(model, {"img_url": large}), 400, "InvalidFile.Size", "10 MB")
    answer = await dashscope.post("wan2.2-kf2v-flash", {"first_frame_url": large}, path=clients.IMAGE)
    refused(answer, 400, "InvalidFile.Size")


async def test_images_in_every_protocol(dashscope: DashScopeClient) -> None:
    small = data_url(png(100, 100))
    frames: Json = {"first_frame_url": data_url(png()), "last_frame_url": small}
    refused(await dashscope.post("wan2.2-kf2v-flash", frames, path=clients.IMAGE), 400, "InvalidFile.Resolution")
    media: Json = {"media": [{"type": "first_frame", "url": small}]}
    for model in ("wan2.7-i2v", "wan3.0-video", "happyhorse-1.1-i2v"):
        refused(await dashscope.post(model, media), 400, "InvalidFile.Resolution")


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:1/a.png", True),
        ("https://127.9.9.9/a", True),
        ("http://[::1]:80/", True),
        ("http://LOCALHOST/a", True),
        ("http://user:pw@127.0.0.1/a", True),
        ("https://example.com/a", False),
        ("http://10.0.0.1/a", False),
        ("http://localhost.example.com/", False),
        ("http://[::2/", False),
        ("http:///a", False),
    ],
)
def test_what_is_on_this_machine(url: str, here: bool) -> None:
    assert is_loopback(url) is here


@asynccontextmanager
async def site(answer: bytes | None) -> AsyncIterator[str]:
    """A server on this machine that gives every request the same answer, or none."""
    over = asyncio.Event()
    served: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            if answer is None:
                await over.wait()
            writer.write(answer or b"")
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.add(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/a.png"
        over.set()
        server.close()
        # A client that gave up may have connected a moment ago: its connection comes to `accept` a little later.
        for _ in range(3):
            await asyncio.sleep(0)
        await asyncio.gather(*served)


def ok(data: bytes, promised: int = 0) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (promised or len(data)) + data


@pytest.fixture
async def quick(clock: Clock) -> AsyncIterator[DashScopeClient]:
    """A client of a sandbox that does not wait long for a download."""
    app = create_sandbox(SandboxSettings(download_seconds=0.1), clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
        yield DashScopeClient(http)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (ok(png()), ""),
        (ok(b"<html>"), "InvalidFile.Format"),
        (ok(png(100, 100)), "InvalidFile.Resolution"),
        (ok(png(), 10_000_000), "InvalidFile.DownloadFailed"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "InvalidParameter.DataInspection"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "InvalidParameter.DataInspection"),
        (b"HTTP/1.1 302 Found\r\nLocation: /a.png\r\nContent-Length: 0\r\n\r\n", "InvalidParameter.DataInspection"),
        (b"HTTP/1.1 302 Found\r\nLocation: https://h/a.png\r\nContent-Length: 0\r\n\r\n", ""),
        (b"", "InvalidFile.DownloadFailed"),
    ],
    ids=range(9),
)
async def test_address_on_this_machine_is_fetched(dashscope: DashScopeClient, answer: bytes, code: str) -> None:
    async with site(answer) as url:
        given = await dashscope.post(I2V, {"img_url": url})
    if code:
        refused(given, 400, code)
    else:
        assert given.status_code == 200


async def test_address_that_does_not_answer(quick: DashScopeClient) -> None:
    async with site(None) as url:
        refused(await quick.post(I2V, {"img_url": url}), 400, "InvalidURL.Timeout")
    refused(await quick.post(I2V, {"img_url": url}), 400, "InvalidURL.ConnectionRefused")
    refused(await quick.post(I2V, {"img_url": url.replace("http:", "https:")}), 400, "InvalidURL.ConnectionRefused")
    refused(await quick.post(I2V, {"img_url": "http://127.0.0.1:99999/a.png"}), 400, "InvalidURL")


async def test_download_has_an_end(dashscope: DashScopeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("providers.sandbox.dashscope.media.MAX_DOWNLOAD_BYTES", 1000)
    async with site(ok(png(padding=10_000))) as url:
        refused(await dashscope.post(I2V, {"img_url": url}), 400, "InvalidFile.Size")


async def test_what_is_elsewhere_is_taken_as_good(dashscope: DashScopeClient) -> None:
    given: Json = {"prompt": "x", "reference_urls": ["https://h/a.mp4", "https://h/b.png"]}
    assert (await dashscope.post("wan2.6-r2v", given)).status_code == 200


async def test_video_and_a_audio_on_this_machine(dashscope: DashScopeClient) -> None:
    async with site(ok(mp4())) as film, site(ok(wav())) as sound:
        given: Json = {"prompt": "x", "reference_urls": [film]}
        assert (await dashscope.post("wan2.6-r2v", given)).status_code == 200
        given = {"prompt": "x", "reference_urls": [sound]}
        refused(await dashscope.post("wan2.6-r2v", given), 400, "InvalidFile.Format")
        given = {"image_url": "https://h/a.png", "audio_url": film}
        refused(await dashscope.post("wan2.2-s2v", given, path=clients.IMAGE), 400, "InvalidFile.Format")
        given = {"image_url": "https://h/a.png", "audio_url": sound}
        assert (await dashscope.post("wan2.2-s2v", given, path=clients.IMAGE)).status_code == 200
        voice: Json = {"type": "reference_image", "url": "https://h/a.png", "reference_voice": film}
        refused(await dashscope.post("wan2.7-r2v", {"prompt": "x", "media": [voice]}), 400, "InvalidFile.Format")
    assert IMAGE in clients.IMAGE


async def test_sandboxs_own_images_can_be_used(server: SandboxServer, wire: httpx.AsyncClient) -> None:
    client = DashScopeClient(wire, "sk-own-pictures")
    for name in ("cat.png", "cat.jpg", "cat.webp"):
        await client.submit(model=I2V, given={"img_url": f"{server.url}/files/pictures/{name}"})
    answer = await client.post(I2V, {"img_url": f"{server.url}/files/pictures/dog.png"})
    refused(answer, 400, "InvalidParameter.DataInspection")
