"""Which clip the result links of a task lead to: in the shape asked for, and drawn for its task where ffmpeg is installed.

All shipped clips are H.264 (yuv420p), 24 frames a second, 5 s, no sound, index in front. `best.mp4` and its smaller
`preview.mp4` are 1280x720. They were made once with

    ffmpeg -f lavfi -i "gradients=s=1280x720:r=24:d=5:c0=0x10243f:c1=0x2f6f8f:c2=0xe0a458:n=3:speed=0.02:seed=7" \
      -f lavfi -i "color=c=0xf4e9d8:s=160x160:r=24:d=5" \
      -filter_complex "[0][1]overlay=x='560+420*sin(2*PI*t/5)':y='280+180*sin(4*PI*t/5)'" \
      -c:v libx264 -preset veryslow -crf 30 -pix_fmt yuv420p -movflags +faststart \
      -fflags +bitexact -flags:v +bitexact best.mp4
    ffmpeg -i best.mp4 -c:v libx264 -preset veryslow -crf 50 -pix_fmt yuv420p -movflags +faststart \
      -fflags +bitexact -flags:v +bitexact preview.mp4
    ffmpeg -ss 2 -i best.mp4 -frames:v 1 -vf scale=640:-1 -q:v 6 -bitexact cover.jpg

and one of another shape, such as 9:16 in 480x854, with

    ffmpeg -f lavfi -i "gradients=s=480x854:r=24:d=5:c0=0x10243f:c1=0x2f6f8f:n=2:speed=0.00001:seed=7:x0=0:y0=0:x1=480:y1=854" \
      -f lavfi -i "color=c=0xe0a458:s=96x96:r=24:d=5" \
      -filter_complex "[0][1]overlay=x='(W-w)/2+(W-w)*0.4*sin(2*PI*t/5)':y='(H-h)/2+(H-h)*0.4*sin(4*PI*t/5)',\
      drawtext=font=Sans:text='9\\:16':fontsize=60:fontcolor=white:x=30:y=30" \
      -c:v libx264 -preset veryslow -crf 30 -pix_fmt yuv420p -movflags +faststart \
      -fflags +bitexact -flags:v +bitexact 9x16.mp4
    ffmpeg -ss 2 -i 9x16.mp4 -frames:v 1 -q:v 8 -bitexact 9x16.jpg
"""  # noqa: E501 - a command is one line

import asyncio
import math
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

BEST, PREVIEW, COVER = "best.mp4", "preview.mp4", "cover.jpg"
MEDIA_TYPES = {BEST: "video/mp4", PREVIEW: "video/mp4", COVER: "image/jpeg"}
CLIPS = Path(__file__).parent / "clip"
FPS, SECONDS = 24, 5.0

MIN_TASK_SECONDS = 1.0
"""A shorter task is over before its clip can be drawn, so that none is begun."""

MAX_WAITING = 20
"""Clips that are being drawn or wait for it. Further tasks get a shipped clip."""

MAX_DRAWN = 200
"""Drawn clips on disk. The task of the oldest one gets a shipped clip instead."""

Shape = tuple[int, int]
"""Width to height: a ratio, or pixels."""

WIDE: Shape = (16, 9)
_SHAPE = re.compile(r"(\d{1,5})[:*x](\d{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Clip:
    """The files of a result by their names in `MEDIA_TYPES`; pixels and seconds of its video."""

    files: Mapping[str, Path]
    width: int
    height: int
    seconds: float

    def size(self, name: str) -> int:
        """Bytes of one of the files."""
        return self.files[name].stat().st_size


@dataclass(frozen=True, slots=True)
class Scene:
    """What a task asks for: the video's shape, its length in seconds, and what is drawn into it."""

    model: str
    prompt: str
    shape: Shape
    seconds: float


class Artist(Protocol):
    """Draws the clips of tasks."""

    async def draw(self, scene: Scene) -> Clip | None:
        """The clip of a scene, in files of its own; None if it cannot be drawn."""

    def discard(self, clip: Clip) -> None:
        """Delete the files of a clip."""

    def close(self) -> None:
        """Delete all files."""


def _other(width: int, height: int, name: str) -> Clip:
    video = CLIPS / f"{name}.mp4"
    return Clip({BEST: video, PREVIEW: video, COVER: CLIPS / f"{name}.jpg"}, width, height, SECONDS)


DEFAULT = Clip({name: CLIPS / name for name in MEDIA_TYPES}, 1280, 720, SECONDS)
SHIPPED: Mapping[Shape, Clip] = {
    WIDE: DEFAULT,
    (21, 9): _other(1120, 480, "21x9"),
    (4, 3): _other(640, 480, "4x3"),
    (5, 4): _other(600, 480, "5x4"),
    (1, 1): _other(480, 480, "1x1"),
    (4, 5): _other(480, 600, "4x5"),
    (3, 4): _other(480, 640, "3x4"),
    (9, 16): _other(480, 854, "9x16"),
    (9, 21): _other(480, 1120, "9x21"),
}


def read_shape(text: str) -> Shape | None:
    """The shape of `9:16`, `720*1280` or `720x1280`; None for any other text, such as `adaptive`."""
    found = _SHAPE.fullmatch(text)
    width, height = (int(found[1]), int(found[2])) if found else (0, 0)
    return (width, height) if width and height else None


def nearest_ratio(shape: Shape) -> Shape:
    """The ratio among the shipped clips that is nearest to a shape."""
    return min(SHIPPED, key=lambda ratio: abs(math.log(ratio[0] * shape[1] / (ratio[1] * shape[0]))))


def shipped_clip(shape: Shape) -> Clip:
    """The shipped clip whose shape is nearest."""
    return SHIPPED[nearest_ratio(shape)]


class Clips:
    """The clip of every task, by the folder in its links. It is drawn from the submit on, and settled by the first
    link: what is not drawn by then is a shipped one, so that all links of a task lead to the same bytes."""

    def __init__(self, artist: Artist | None = None) -> None:
        self._artist = artist
        self._found: dict[str, Clip] = {}
        self._drawn: deque[tuple[str, Clip, Clip]] = deque()
        """(folder, drawn clip, shipped clip), oldest first."""
        self._jobs: dict[str, asyncio.Task[None]] = {}

    def begin(self, folder: str, scene: Scene, task_seconds: float) -> None:
        """Note the scene of an accepted task that takes `task_seconds`, and begin to draw it."""
        shipped = shipped_clip(scene.shape)
        if shipped is not DEFAULT:
            self._found[folder] = shipped
        if self._artist is not None and task_seconds >= MIN_TASK_SECONDS and len(self._jobs) < MAX_WAITING:
            self._jobs[folder] = asyncio.create_task(self._draw(self._artist, folder, scene, shipped))

    async def _draw(self, artist: Artist, folder: str, scene: Scene, shipped: Clip) -> None:
        try:
            clip = await artist.draw(scene)
        finally:
            self._jobs.pop(folder, None)
        if clip is None:
            return
        self._found[folder] = clip
        self._drawn.append((folder, clip, shipped))
        while len(self._drawn) > MAX_DRAWN:
            oldest, clip, self._found[oldest] = self._drawn.popleft()
            artist.discard(clip)

    def of(self, folder: str) -> Clip:
        """The clip behind the links of a folder, from now on always the same; 16:9 for an unknown folder."""
        if job := self._jobs.pop(folder, None):
            job.cancel()
        return self._found.get(folder, DEFAULT)

    def close(self) -> None:
        """Delete the drawn clips."""
        for job in self._jobs.values():
            job.cancel()
        if self._artist is not None:
            self._artist.close()
