"""Clips that ffmpeg draws, and what happens where it cannot."""

import asyncio
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from providers.sandbox import drawing
from providers.sandbox.app import create_sandbox
from providers.sandbox.clips import BEST, COVER, SHIPPED, Clips, Scene
from providers.sandbox.drawing import Ffmpeg, arguments, find_ffmpeg, pixels
from providers.sandbox.mp4 import Film, film_of
from providers.sandbox.settings import SandboxSettings
from tests.providers.sandbox.clients import Clock, DashScopeClient

HAS_FFMPEG = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
HAS_FFPROBE = pytest.mark.skipif(not shutil.which("ffprobe"), reason="ffprobe is not installed")
SHORT = Scene("wan2.6-t2v", "a cat", (9, 16), 1)
HARMFUL = 'a cat\', [0]; %{pts} \\: drawtext=textfile=/etc/hostname,movie=/dev/zero "$(id)" \u202e\x00'


@pytest.fixture
def ffmpeg() -> Iterator[Ffmpeg]:
    found = find_ffmpeg()
    assert found is not None
    yield found
    found.close()


def fake(tmp_path: Path, script: str) -> Ffmpeg:
    """A program that does this in the folder of the clip."""
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Ffmpeg(str(program))


def leftovers(ffmpeg: Ffmpeg) -> list[Path]:
    return list(ffmpeg._folder.iterdir())


async def number_of(ffmpeg: Ffmpeg) -> int:
    """The process id that a fake program has written."""
    while True:
        for file in ffmpeg._folder.glob("*/running"):
            if text := file.read_text():
                return int(text)
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("shape", "size"),
    [((9, 16), (480, 854)), ((16, 9), (854, 480)), ((1, 1), (480, 480)), ((720, 1280), (480, 854)),
     ((1, 100), (480, 1200)), ((100, 1), (1200, 480)), ((1000, 999), (480, 480))],
)  # fmt: skip
def test_pixels_are_even_and_small(shape: tuple[int, int], size: tuple[int, int]) -> None:
    assert pixels(shape) == size


@pytest.mark.parametrize("text", [True, False])
def test_prompt_is_in_no_argument(text: bool) -> None:
    given = arguments(Scene("model'name", HARMFUL, (9, 16), 5), text=text)
    assert not any(word in argument for argument in given for word in ("cat", "model'name", "hostname", "pts"))


@HAS_FFMPEG
async def test_clip_is_a_small_video_in_the_shape_asked_for(ffmpeg: Ffmpeg) -> None:
    clip = await ffmpeg.draw(SHORT)
    assert clip is not None
    video = clip.files[BEST].read_bytes()
    assert film_of(video[:4096]) == Film(1.0, 480, 854) == Film(clip.seconds, clip.width, clip.height)
    assert video.index(b"moov") < video.index(b"mdat")
    assert len(video) < 60_000
    assert clip.files[COVER].read_bytes()[:3] == b"\xff\xd8\xff"
    ffmpeg.discard(clip)
    assert leftovers(ffmpeg) == []


@HAS_FFMPEG
@HAS_FFPROBE
async def test_clip_is_playable_whatever_the_prompt_is(ffmpeg: Ffmpeg) -> None:
    clip = await ffmpeg.draw(Scene("m", HARMFUL, (1, 1), 1))
    assert clip is not None
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", str(clip.files[BEST])]
    done = subprocess.run(command, capture_output=True, check=True)  # noqa: ASYNC221 - nothing else runs
    (stream,) = json.loads(done.stdout)["streams"]
    assert (stream["codec_name"], stream["pix_fmt"], stream["nb_read_frames"]) == ("h264", "yuv420p", "24")
    assert done.stderr == b""


@HAS_FFMPEG
async def test_clips_of_two_prompts_differ(ffmpeg: Ffmpeg) -> None:
    first, second = [await ffmpeg.draw(Scene("m", prompt, (1, 1), 1)) for prompt in ("a cat", "a dog")]
    assert first is not None
    assert second is not None
    assert first.files[BEST].read_bytes() != second.files[BEST].read_bytes()


@HAS_FFMPEG
async def test_task_of_the_sandbox_has_its_own_clip(clock: Clock) -> None:
    app = create_sandbox(SandboxSettings(draw_clips=True), clock)
    clips: Clips = app.state.clips
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://upstream.test") as http:
        dashscope = DashScopeClient(http)
        task = await dashscope.submit(parameters={"size": "720*1280", "duration": 2})
        await asyncio.gather(*clips._jobs.values())
        clock.tick(8)
        url = (await dashscope.task(task))["output"]["video_url"]
        whole = (await http.get(url)).content
        assert film_of(whole[:4096]) == Film(2.0, 480, 854)
        part = await http.get(url, headers={"Range": "bytes=1000-1999"})
        assert (part.status_code, part.content) == (206, whole[1000:2000])
    clips.close()


async def test_failing_program_gives_no_clip_and_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = fake(tmp_path, "echo 'no such encoder' >&2; exit 1")
    assert [await broken.draw(SHORT), await broken.draw(SHORT)] == [None, None]
    assert leftovers(broken) == []
    (record,) = caplog.records
    assert "no such encoder" in record.getMessage()


async def test_missing_program_gives_no_clip(tmp_path: Path) -> None:
    assert await Ffmpeg(str(tmp_path / "none")).draw(SHORT) is None


async def test_program_that_cannot_draw_text_draws_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def written(lines: list[str], folder: Path) -> bool:
        return True

    monkeypatch.setattr(drawing, "write_caption", written)
    plain = fake(tmp_path, 'case "$*" in *drawtext*) exit 1;; esac; echo video > best.mp4; echo cover > cover.jpg')
    clip = await plain.draw(SHORT)
    assert clip is not None
    assert clip.files[BEST].read_text() == "video\n"


async def test_program_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "DRAW_SECONDS", 0.1)
    started = time.monotonic()
    assert await fake(tmp_path, "exec sleep 60").draw(SHORT) is None
    assert time.monotonic() - started < 10


async def test_first_link_ends_the_program(tmp_path: Path) -> None:
    hanging = fake(tmp_path, "echo $$ > running; exec sleep 60")
    clips = Clips(hanging)
    clips.begin("t", SHORT, 8)
    (job,) = clips._jobs.values()
    number = await number_of(hanging)
    assert clips.of("t") is SHIPPED[9, 16]
    with suppress(asyncio.CancelledError):
        await job
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
    assert leftovers(hanging) == []


async def test_polls_go_on_while_a_clip_is_drawn(tmp_path: Path) -> None:
    hanging = fake(tmp_path, "exec sleep 60")
    clips = Clips(hanging)
    for name in "abc":
        clips.begin(name, SHORT, 8)
    started = time.monotonic()
    await asyncio.sleep(0.05)
    assert time.monotonic() - started < 1
    for name in "abc":
        jobs = list(clips._jobs.values())
        assert clips.of(name) is SHIPPED[9, 16]
        await asyncio.gather(*jobs[:1], return_exceptions=True)
    assert leftovers(hanging) == []
    clips.close()
    assert not hanging._folder.exists()
