"""Draw the clip of a task with ffmpeg: a moving square, and a caption.

The caption reaches ffmpeg in a file and is never a part of a filter's own syntax; so does the font's path, by a link in
the folder where ffmpeg runs.
"""

import asyncio
import hashlib
import logging
import shutil
import tempfile
import weakref
from pathlib import Path

from providers.sandbox.captions import caption, write_caption
from providers.sandbox.clips import BEST, COVER, FPS, PREVIEW, Clip, Scene, Shape
from providers.sandbox.subprocesses import run

SHORT_SIDE = 480
"""Pixels."""

MAX_RATIO = 2.5
"""The long side to the short one."""

MIN_SECONDS, MAX_SECONDS = 1.0, 5.0
DRAW_SECONDS = 10.0
"""After which ffmpeg is ended. It takes less than a second."""

AT_ONCE = 1

_FONT_SIZE = SHORT_SIDE // 16
_MARGIN = SHORT_SIDE // 20
_COLUMN = 0.62 * _FONT_SIZE
"""Width of a usual letter."""

_COLOURS = (
    ("0x10243f", "0xe0a458"), ("0x1f4d3a", "0xf2c14e"), ("0x4a1d3f", "0x7bd3c0"), ("0x2b2d6b", "0xf28f79"),
    ("0x5a2a1b", "0x8ecae6"), ("0x1d3b4f", "0xd9ed92"), ("0x3d2645", "0xffd166"), ("0x274029", "0xf4a6c0"),
)  # fmt: skip
"""Background and square, chosen by model and prompt."""

_log = logging.getLogger("sandbox")


def pixels(shape: Shape) -> tuple[int, int]:
    """Width and height of a clip, both even."""
    width, height = shape
    ratio = min(max(shape) / min(shape), MAX_RATIO)
    long = round(SHORT_SIDE * ratio / 2) * 2
    return (long, SHORT_SIDE) if width >= height else (SHORT_SIDE, long)


def columns_of(shape: Shape) -> int:
    """How many letters a line has room for."""
    return int((pixels(shape)[0] - 2 * _MARGIN) / _COLUMN)


def seconds_of(scene: Scene) -> float:
    """How long the clip of a scene is."""
    return min(max(scene.seconds, MIN_SECONDS), MAX_SECONDS)


def arguments(scene: Scene, *, text: bool) -> list[str]:
    """The arguments of ffmpeg: a video and its first frame, into the working folder. `text`: `text` and `font` are
    there."""
    (width, height), seconds = pixels(scene.shape), seconds_of(scene)
    digest = hashlib.sha256(f"{scene.model}\n{scene.prompt}".encode(errors="replace")).digest()
    background, square = _COLOURS[digest[0] % len(_COLOURS)]
    steps = [
        f"[0][1]overlay=x='(W-w)/2+(W-w)*0.4*sin(2*PI*t/{seconds:g}+{digest[1] % 6})'"
        f":y='(H-h)/2+(H-h)*0.4*sin(4*PI*t/{seconds:g}+{digest[2] % 6})'"
    ]
    if text:
        steps.append(
            f"drawtext=fontfile=font:textfile=text:expansion=none:fontsize={_FONT_SIZE}:fontcolor=white:line_spacing=6"
            f":x={_MARGIN}:y={_MARGIN}:box=1:boxcolor=black@0.45:boxborderw=10"
        )
    steps.append("split[video][still]")
    return [
        "-nostdin", "-v", "error", "-y", "-threads", "1", "-filter_complex_threads", "1",
        "-f", "lavfi", "-i", f"color=c={background}:s={width}x{height}:r={FPS}:d={seconds:g}",
        "-f", "lavfi", "-i", f"color=c={square}:s=96x96:r={FPS}:d={seconds:g}",
        "-filter_complex", ",".join(steps),
        "-map", "[video]", "-c:v", "libx264", "-preset", "veryfast", "-crf", "28", "-pix_fmt", "yuv420p",
        "-threads", "1", "-movflags", "+faststart", "-fflags", "+bitexact", "-flags:v", "+bitexact", BEST,
        "-map", "[still]", "-frames:v", "1", "-q:v", "6", "-update", "1", COVER,
    ]  # fmt: skip


class Ffmpeg:
    """Draws with this program, `AT_ONCE` clips at a time, into a temporary folder."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._folder = Path(tempfile.mkdtemp(prefix="video-gateway-sandbox-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._failed = False

    async def draw(self, scene: Scene) -> Clip | None:
        """The clip of a scene; None if it cannot be drawn."""
        async with self._turns:
            clip, folder = None, None
            try:
                folder = Path(tempfile.mkdtemp(dir=self._folder))
                clip = await self._draw(scene, folder)
            except (OSError, TimeoutError) as error:
                self._report(repr(error))
            finally:
                if clip is None and folder is not None:
                    shutil.rmtree(folder, ignore_errors=True)
            return clip

    async def _draw(self, scene: Scene, folder: Path) -> Clip | None:
        """With the caption if there is a font, and without it if ffmpeg cannot draw text: not every build can."""
        has_text = await write_caption(caption(scene, columns_of(scene.shape)), folder)
        for text in (True, False) if has_text else (False,):
            command = (self._program, *arguments(scene, text=text))
            done = await run(*command, seconds=DRAW_SECONDS, folder=folder)
            if done.code == 0:
                files = {BEST: folder / BEST, PREVIEW: folder / BEST, COVER: folder / COVER}
                return Clip(files, *pixels(scene.shape), seconds_of(scene))
            self._report(done.errors.decode(errors="replace").strip()[-300:])
        return None

    def _report(self, problem: str) -> None:
        """Log the first failure: the others are most likely the same."""
        if not self._failed:
            self._failed = True
            _log.warning("ffmpeg cannot draw the sandbox's clips, shipped ones are used: %s", problem)

    def discard(self, clip: Clip) -> None:
        """Delete the files of a clip."""
        shutil.rmtree(clip.files[BEST].parent, ignore_errors=True)

    def close(self) -> None:
        """Delete all files."""
        self._remove()


def find_ffmpeg() -> Ffmpeg | None:
    """The installed ffmpeg, None without one."""
    program = shutil.which("ffmpeg")
    return Ffmpeg(program) if program else None
