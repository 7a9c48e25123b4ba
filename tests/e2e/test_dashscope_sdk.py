"""Alibaba's own SDK as the client of the sandbox: what it reads without complaint is DashScope's wire."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dashscope as dashscope_module
import httpx
import pytest
from dashscope.aigc import video_synthesis
from dashscope.api_entities.aio_session import close_shared_aio_session
from dashscope.client import base_api
from dashscope.v2 import errors
from dashscope.v2.resources import _jobs

from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from tests import pictures

# The package's own stubs leave out part of what it has.
dashscope: Any = dashscope_module
VideoSynthesis: Any = video_synthesis.VideoSynthesis

KEY = "sk-sdk"
PICTURE = "https://example.com/first.png"
LAST = "https://example.com/last.png"
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxSettings(task_seconds=0.06, queries_per_second=0)) as running:
        yield running


@pytest.fixture(autouse=True)
def sdk(server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK pointed at the sandbox: no other host can be reached, nothing is told about the machine, and the
    pauses between polls last milliseconds."""
    connect = socket.socket.connect

    def connect_loopback(self: socket.socket, address: Any) -> None:
        assert isinstance(address, (str, bytes)) or address[0] in LOOPBACK, f"left loopback for {address}"
        connect(self, address)

    async def nap(seconds: float) -> None:
        await asyncio.sleep(0.005)

    quick_time = SimpleNamespace(**{**vars(time), "sleep": lambda seconds: time.sleep(0.005)})
    quick_asyncio = SimpleNamespace(**{**vars(asyncio), "sleep": nap})
    monkeypatch.setattr(socket.socket, "connect", connect_loopback)
    monkeypatch.setattr(base_api, "time", quick_time)
    monkeypatch.setattr(base_api, "asyncio", quick_asyncio)
    monkeypatch.setattr(_jobs, "time", quick_time)
    monkeypatch.setattr(_jobs, "asyncio", quick_asyncio)
    monkeypatch.setattr(dashscope, "base_http_api_url", server.dashscope_url)
    monkeypatch.setattr(dashscope, "api_key", KEY)
    monkeypatch.setenv("DASHSCOPE_DISABLE_SDK_HEADERS", "1")
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def client(server: SandboxServer) -> Iterator[Any]:
    with dashscope.Client(api_key=KEY, base_url=server.dashscope_url, max_retries=0) as made:
        yield made


@pytest.fixture
async def aio() -> AsyncIterator[Any]:
    """`AioVideoSynthesis`, whose session would stay open on the test's loop otherwise."""
    yield video_synthesis.AioVideoSynthesis
    await close_shared_aio_session()


def assert_is_video(url: str) -> None:
    answer = httpx.get(url)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")


VIDEOS: dict[str, dict[str, Any]] = {
    "text": {"model": "wan2.5-t2v-preview", "prompt": "a cat", "size": "1280*720", "duration": 5},
    "text, media protocol": {"model": "wan2.7-t2v", "prompt": "a cat", "resolution": "720P", "ratio": "9:16"},
    "image": {"model": "wan2.6-i2v-flash", "prompt": "a cat", "img_url": PICTURE, "resolution": "720P"},
    "image without a prompt": {"model": "wan2.2-i2v-flash", "img_url": pictures.data_url()},
    "first and last frame": {"model": "wan2.2-kf2v-flash", "first_frame_url": PICTURE, "last_frame_url": LAST},
    "media": {
        "model": "wan2.7-i2v",
        "prompt": "a cat",
        "media": [{"type": "first_frame", "url": PICTURE}, {"type": "last_frame", "url": LAST}],
    },
    "references": {"model": "wan2.6-r2v", "prompt": "character1 runs", "reference_urls": [PICTURE]},
}


@pytest.mark.parametrize("kind", VIDEOS)
def test_call_waits_for_the_video(kind: str) -> None:
    answer = VideoSynthesis.call(**VIDEOS[kind])
    assert answer.status_code == 200, answer
    assert answer.output.task_status == "SUCCEEDED"
    assert_is_video(answer.output.video_url)
    assert answer.usage.video_count == 1


@pytest.mark.parametrize("kind", VIDEOS)
async def test_aio_call_waits_for_the_video(aio: Any, kind: str) -> None:
    answer = await aio.call(**VIDEOS[kind])
    assert answer.status_code == 200, answer
    assert answer.output.task_status == "SUCCEEDED"
    assert answer.output.video_url.startswith("http://127.0.0.1:")


def test_submit_fetch_and_wait() -> None:
    submitted = VideoSynthesis.async_call(model="wan2.6-t2v", prompt="a cat #seconds=0.2")
    assert submitted.output.task_status == "PENDING"
    fetched = VideoSynthesis.fetch(submitted)
    assert (fetched.output.task_id, fetched.output.task_status) == (submitted.output.task_id, "PENDING")
    done = VideoSynthesis.wait(submitted.output.task_id)
    assert done.output.task_status == "SUCCEEDED"
    assert (done.usage["duration"], done.usage["SR"]) == (5.0, 1080)


def test_cancel() -> None:
    task = VideoSynthesis.async_call(model="wan2.6-t2v", prompt="a cat #pending")
    assert VideoSynthesis.cancel(task).status_code == 200
    assert VideoSynthesis.wait(task).output.task_status == "CANCELED"
    again = VideoSynthesis.cancel(task)
    assert (again.status_code, again.code) == (400, "UnsupportedOperation")


async def test_aio_submit_fetch_list_and_cancel(aio: Any) -> None:
    task = await aio.async_call(model="wan2.6-t2v", prompt="a cat #pending", api_key="sk-aio")
    fetched = await aio.fetch(task, api_key="sk-aio")
    assert fetched.output.task_status == "PENDING"
    listed = await aio.list(api_key="sk-aio")
    assert [row["task_id"] for row in listed.output["data"]] == [task.output.task_id]
    assert (await aio.cancel(task, api_key="sk-aio")).status_code == 200
    assert (await aio.wait(task, api_key="sk-aio")).output.task_status == "CANCELED"


def test_list() -> None:
    how = {"api_key": "sk-list"}
    task = VideoSynthesis.async_call(model="wan2.6-t2v", prompt="a cat", **how)
    VideoSynthesis.async_call(model="wan2.5-t2v-preview", prompt="a cat", **how)
    assert VideoSynthesis.wait(task, **how).output.task_status == "SUCCEEDED"
    page = VideoSynthesis.list(page_size=1, **how).output
    assert (page["total"], page["total_page"], len(page["data"])) == (2, 2, 1)
    found = VideoSynthesis.list(model_name="wan2.6-t2v", status="SUCCEEDED", **how).output
    assert [row["task_id"] for row in found["data"]] == [task.output.task_id]


def test_failures_and_error_responses_are_raised() -> None:
    failed = VideoSynthesis.call(model="wan2.6-t2v", prompt="a cat #fail=DataInspectionFailed")
    assert (failed.status_code, failed.output.task_status) == (200, "FAILED")
    assert failed.output.code == "DataInspectionFailed"
    refused = VideoSynthesis.async_call(model="wan2.6-t2v", prompt="a cat", duration=1)
    assert (refused.status_code, refused.code, bool(refused.request_id)) == (400, "InvalidParameter", True)
    stranger = VideoSynthesis.async_call(model="wan2.6-t2v", prompt="a cat", api_key="other")
    assert (stranger.status_code, stranger.code) == (401, "InvalidApiKey")
    assert VideoSynthesis.fetch("no-such-task").output.task_status == "UNKNOWN"


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "first.png"
    path.write_bytes(pictures.picture())
    return path.as_uri()


def test_local_file_is_uploaded_first(picture: str, client: Any) -> None:
    answer = VideoSynthesis.call(model="wan2.6-i2v", prompt="a cat", img_url=picture)
    assert answer.output.task_status == "SUCCEEDED", answer
    assert client.videos.generate(model="wan2.7-i2v", image_url=picture).succeeded


def test_v2_generates(client: Any) -> None:
    job = client.videos.generate(model="wan2.6-t2v", prompt="a cat", size="1280*720")
    assert job.succeeded
    assert job.submitted_at < job.scheduled_at < job.finished_at
    assert_is_video(job.video_url)
    job = client.videos.generate(model="wan2.6-i2v", prompt="a cat", image_url=PICTURE, resolution="720P")
    assert job.succeeded


def test_v2_generates_between_two_frames(client: Any) -> None:
    media = [{"type": "first_frame", "url": PICTURE}, {"type": "last_frame", "url": LAST}]
    assert client.videos.generate(model="wan2.7-i2v", prompt="a cat", media=media).succeeded
    assert client.videos.generate(model="wan2.7-i2v", image_url=PICTURE).succeeded


def test_v2_jobs(client: Any) -> None:
    job = client.videos.jobs.create(model="wan2.6-t2v", prompt="a cat")
    assert (job.status, client.videos.jobs.fetch(job.task_id).task_id) == ("PENDING", job.task_id)
    assert client.videos.jobs.wait(job).succeeded
    waiting = client.videos.jobs.create(model="wan2.6-t2v", prompt="a cat #pending")
    client.videos.jobs.cancel(waiting.task_id)
    assert client.videos.jobs.fetch(waiting.task_id).status == "CANCELED"
    assert client.videos.jobs.list(model_name="wan2.6-t2v").total >= 2
    assert client.videos.jobs.wait("no-such-task").status == "UNKNOWN"


def test_v2_raises_on_errors(client: Any, server: SandboxServer) -> None:
    with pytest.raises(errors.ContentFilterError):
        client.videos.generate(model="wan2.6-t2v", prompt="a cat #fail=DataInspectionFailed")
    with pytest.raises(errors.BadRequestError) as caught:
        client.videos.jobs.create(model="wan2.2-kf2v-flash", prompt="x", extra_input={"first_frame_url": PICTURE})
    assert (caught.value.code, "url error" in str(caught.value)) == ("InvalidParameter", True)
    with pytest.raises(errors.RateLimitError):
        client.videos.jobs.create(model="wan2.6-t2v", prompt="a cat #throttle")
    with pytest.raises(errors.AuthenticationError):
        client.videos.jobs.create(model="wan2.6-t2v", prompt="a cat", api_key="other")


def test_sdk_sends_no_identification(server: SandboxServer) -> None:
    VideoSynthesis.fetch("no-such-task", api_key="sk-quiet")
    entry = server.sandbox.log(1)[0]
    assert not any(name.startswith("x-dashscope-sdk") for name in entry["headers"])
