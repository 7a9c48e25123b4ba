"""OpenAI's own libraries, unchanged, against the gateway: the newest Python, an old one, and JavaScript.

The old Python and JavaScript need environments of their own, which `.ci/run` makes: OPENAI_OLD_PYTHON is a Python
with openai 2.8, OPENAI_JS a folder with the npm package `openai`.
"""

import asyncio
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import openai
import pytest

from gateway.api.schemas.responses import VideoDeleted, VideoObject
from providers.sandbox.server import SandboxServer
from tests.e2e.journeys import journey

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API is scheduled:DeprecationWarning")

JOURNEYS = Path(journey.__file__).parent
ERRORS = {
    "no such video": ["NotFoundError", 404, "task_not_found", True],
    "unknown model": ["NotFoundError", 404, "model_not_found", True],
    "bad seconds": ["BadRequestError", 400, "invalid_value", True],
    "content": ["BadRequestError", 400, "content_policy_violation", True],
    "risk control": ["PermissionDeniedError", 403, "account_restricted", True],
    "credits": ["RateLimitError", 429, "insufficient_quota", True],
    "too many": ["RateLimitError", 429, "rate_limit_exceeded", True],
    "unreadable": ["InternalServerError", 504, "submission_unconfirmed", True],
    "not ready": ["BadRequestError", 400, "not_ready", True],
    "not deletable": ["ConflictError", 409, "not_cancellable", True],
    "key": ["AuthenticationError", 401, "invalid_api_key", True],
}


def boxes(data: bytes) -> dict[bytes, bytes]:
    """The top-level boxes of an MP4 file. Their sizes must add up to the file."""
    found: dict[bytes, bytes] = {}
    offset = 0
    while offset < len(data):
        size = int.from_bytes(data[offset : offset + 4])
        assert 8 <= size <= len(data) - offset, "a box reaches beyond the file"
        found[data[offset + 4 : offset + 8]] = data[offset + 8 : offset + size]
        offset += size
    return found


def check(seen: dict[str, Any], folder: Path) -> None:
    """What every library must have seen."""
    created, polled = seen["created"], seen["polled"]
    for name in ("created", "polled", "retrieved", "with_file", "with_url", "remixed", "after_delete"):
        VideoObject.model_validate({key: value for key, value in seen[name].items() if not key.startswith("_")})
    assert (created["status"], created["progress"], created["model"]) == ("queued", 0, "jimeng-video-seedance-2.0-fast")
    assert (created["seconds"], created["size"]) == ("8", "1280x720")
    assert created["prompt"] == "a cat"
    assert (polled["status"], polled["progress"], polled["id"]) == ("completed", 100, created["id"])
    assert (polled["created_at"], polled["model"], polled["seconds"]) == (
        created["created_at"],
        created["model"],
        "8",
    )
    assert polled["expires_at"] > polled["created_at"]
    assert seen["retrieved"]["status"] == "completed"
    assert (seen["with_file"]["status"], seen["with_file"]["model"]) == ("completed", "wan2.6-i2v")
    assert seen["with_sides"]["size"] == "720x1280"
    assert seen["with_sides"]["warnings"] == [{"code": "ignored_field", "field": "fps"}]
    assert (seen["with_frames"]["status"], seen["with_frames"]["model"]) == ("completed", "wan2.7-i2v")
    assert seen["unknown_field"] == "num_frames"
    video = boxes((folder / "video.mp4").read_bytes())
    assert {b"ftyp", b"moov", b"mdat"} <= set(video)
    assert b"avc1" in video[b"moov"]
    assert (folder / "thumbnail.jpg").read_bytes()[:3] == b"\xff\xd8\xff"
    assert seen["remixed"]["remixed_from_video_id"] == created["id"]
    listed = seen["listed"]
    assert len(listed) == len(set(listed)) == 5
    assert seen["listed_ascending"] == listed[::-1]
    VideoDeleted.model_validate({key: value for key, value in seen["deleted"].items() if not key.startswith("_")})
    assert (seen["after_delete"]["status"], seen["after_delete"]["error"]["upstream_code"]) == ("failed", "cancelled")
    assert seen["errors"] == ERRORS


def run(command: list[str], url: str, session: str, key: str, folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [*command, f"{url}/v1", session, key, str(folder)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_the_newest_python_library(url: str, session: str, key: str, tmp_path: Path) -> None:
    check(journey.main(f"{url}/v1", session, key, str(tmp_path)), tmp_path)


def test_a_base_url_without_the_version(url: str, session: str, key: str, tmp_path: Path) -> None:
    check(journey.main(url, session, key, str(tmp_path)), tmp_path)


@pytest.mark.clients
@pytest.mark.skipif("OPENAI_OLD_PYTHON" not in os.environ, reason="OPENAI_OLD_PYTHON names no Python with openai 2.8")
def test_an_old_python_library(url: str, session: str, key: str, tmp_path: Path) -> None:
    seen = run([os.environ["OPENAI_OLD_PYTHON"], str(JOURNEYS / "journey.py")], url, session, key, tmp_path)
    assert seen["version"].startswith("2.8.")
    check(seen, tmp_path)


@pytest.mark.clients
@pytest.mark.skipif("OPENAI_JS" not in os.environ, reason="OPENAI_JS names no folder with the npm package openai")
def test_the_javascript_library(url: str, session: str, key: str, tmp_path: Path) -> None:
    check(run(["node", str(JOURNEYS / "journey.mjs")], url, session, key, tmp_path), tmp_path)


async def test_the_asynchronous_library(url: str, session: str, key: str, tmp_path: Path) -> None:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=session) as client:
        video = await client.videos.create_and_poll(prompt="a cat", model="jimeng-video-3.0-fast", poll_interval_ms=20)
        assert video.status == "completed"
        content = await client.videos.download_content(video.id)
        assert b"moov" in boxes(await content.aread())
        thumbnail = await client.videos.download_content(video.id, variant="thumbnail")
        assert (await thumbnail.aread())[:3] == b"\xff\xd8\xff"
        created = await asyncio.gather(*(client.videos.create(prompt=f"x {n}") for n in range(4)))
        await asyncio.sleep(0.2)  # The site shows a task only a little after its submit.
        listed = [item.id async for item in client.videos.list(limit=3)]
        assert len(listed) == len(set(listed)) == 5
        remixed = await client.videos.remix(video.id, prompt="a dog")
        assert remixed.remixed_from_video_id == video.id
        assert len({item.id for item in created}) == 4
        with pytest.raises(openai.NotFoundError):
            await client.videos.retrieve("video_nothing")
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key) as client:
        waiting = await client.videos.create(prompt="x #pending", model="wan2.6-t2v")
        assert (await client.videos.delete(waiting.id)).deleted
        picture = await client.videos.create_and_poll(
            prompt="x", model="sora-2", input_reference=("a.png", journey.PNG, "image/png"), poll_interval_ms=20
        )
        assert (picture.status, picture.model) == ("completed", "wan2.6-i2v")


Connect = Callable[..., openai.OpenAI]


@pytest.fixture
def connect(url: str) -> Iterator[Connect]:
    """Clients of the gateway, closed after the test."""
    with ExitStack() as stack:
        yield lambda key, timeout=20.0: stack.enter_context(
            openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=2, timeout=timeout)
        )


class TestFailures:
    """The libraries repeat what fails; the upstream must see one accepted submit at most."""

    @pytest.mark.parametrize(
        ("word", "code"), [("fail=5001", "generation_failed"), ("fail=2038", "content_policy_violation")]
    )
    def test_failed_task_is_a_status_and_not_an_exception(
        self, connect: Connect, upstream: SandboxServer, session: str, word: str, code: str
    ) -> None:
        video = connect(session).videos.create_and_poll(prompt=f"x #{word}", poll_interval_ms=20)
        assert video.status == "failed"
        assert video.error
        assert (video.error.code, bool(video.error.message)) == (code, True)
        assert upstream.sandbox.submits("jimeng", session) == 1

    @pytest.mark.parametrize(
        ("word", "error"),
        [("refuse=2003", openai.BadRequestError), ("refuse=5000", openai.RateLimitError)],
    )
    def test_client_error_is_raised_and_not_retried(
        self, connect: Connect, upstream: SandboxServer, session: str, word: str, error: type[openai.APIStatusError]
    ) -> None:
        with pytest.raises(error):
            connect(session).videos.create_and_poll(prompt=f"x #{word}", poll_interval_ms=20)
        assert upstream.sandbox.submits("jimeng", session) == 0
        assert upstream.sandbox.calls("jimeng", "/mweb/v1/aigc_draft/generate", session) == 1

    @pytest.mark.parametrize("word", ["status=500 #times=1", "status-after=500", "lost", "status-after=500 #times=3"])
    def test_upstream_500_or_lost_answer_leaves_one_task(
        self, connect: Connect, upstream: SandboxServer, session: str, word: str
    ) -> None:
        video = connect(session).videos.create_and_poll(prompt=f"x #{word}", poll_interval_ms=20)
        assert video.status == "completed"
        assert upstream.sandbox.submits("jimeng", session) == 1

    def test_upstream_that_always_answers_500_has_no_task(
        self, connect: Connect, upstream: SandboxServer, session: str
    ) -> None:
        with pytest.raises(openai.InternalServerError) as caught:
            connect(session).videos.create(prompt="x #status=500")
        assert caught.value.code == "submission_unconfirmed"
        assert upstream.sandbox.submits("jimeng", session) == 0
        assert upstream.sandbox.calls("jimeng", "/mweb/v1/aigc_draft/generate", session) == 2

    def test_lost_answer_of_dashscope_is_reported_and_not_retried(
        self, connect: Connect, upstream: SandboxServer, key: str
    ) -> None:
        with pytest.raises(openai.InternalServerError) as caught:
            connect(key).videos.create(prompt="x #status-after=500", model="wan2.6-t2v")
        assert caught.value.code == "submission_unconfirmed"
        assert upstream.sandbox.submits("dashscope", key) == 1
        assert upstream.sandbox.calls("dashscope", credential=key) == 1

    def test_poll_continues_after_a_500(self, connect: Connect, session: str) -> None:
        video = connect(session).videos.create_and_poll(prompt="x #poll-500 #poll-times=3", poll_interval_ms=20)
        assert video.status == "completed"

    def test_retry_after_a_client_timeout_returns_the_first_task(
        self, connect: Connect, upstream: SandboxServer, key: str
    ) -> None:
        """The library's read timeout ends while the upstream is still answering; its repeat joins the first."""
        video = connect(key, 0.1).videos.create(prompt="x #delay=0.2", model="wan2.6-t2v")
        assert video.status == "queued"
        assert upstream.sandbox.submits("dashscope", key) == 1
