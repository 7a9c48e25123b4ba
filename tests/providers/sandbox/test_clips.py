"""Which clip the links of a task lead to."""

import asyncio
import base64
from pathlib import Path

import httpx
import pytest

from providers.sandbox import clips
from providers.sandbox.clips import (
    BEST,
    CLIPS,
    COVER,
    DEFAULT,
    MEDIA_TYPES,
    SECONDS,
    SHIPPED,
    WIDE,
    Clip,
    Clips,
    Scene,
    Shape,
    read_shape,
    shipped_clip,
)
from providers.sandbox.mp4 import Film, film_of
from tests.providers.sandbox.clients import Clock, DashScopeClient, JimengClient, image
from tests.providers.sandbox.jimeng.uploader import Uploader
from tests.providers.sandbox.samples import picture

TALL: Shape = (9, 16)


def scene(shape: Shape = TALL) -> Scene:
    return Scene("wan2.6-t2v", "a cat", shape, 5)


class FakeArtist:
    """Draws when told to."""

    def __init__(self, *, able: bool = True) -> None:
        self.allowed = asyncio.Event()
        self.begun: list[Scene] = []
        self.discarded: list[Clip] = []
        self.closed = False
        self._able = able

    async def draw(self, scene: Scene) -> Clip | None:
        self.begun.append(scene)
        await self.allowed.wait()
        return Clip({BEST: Path(f"{len(self.begun)}")}, 1, 2, 3) if self._able else None

    def discard(self, clip: Clip) -> None:
        self.discarded.append(clip)

    def close(self) -> None:
        self.closed = True


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("ratio", SHIPPED, ids=str)
def test_shipped_clips_are_small_playable_and_in_their_shape(ratio: Shape) -> None:
    clip = SHIPPED[ratio]
    assert clip.width / clip.height == pytest.approx(ratio[0] / ratio[1], rel=0.01)
    video = clip.files[BEST].read_bytes()
    assert film_of(video[:4096]) == Film(SECONDS, clip.width, clip.height)
    assert video[4:8] == b"ftyp"
    assert 0 < video.index(b"moov") < video.index(b"mdat")
    assert b"avc1" in video
    assert clip.files[COVER].read_bytes()[:3] == b"\xff\xd8\xff"
    assert clip is DEFAULT or clip.size(BEST) < 30_000
    assert clip.size(COVER) < 10_000


def test_all_shipped_files_are_used_and_small() -> None:
    used = {path for clip in SHIPPED.values() for path in clip.files.values()}
    assert used == set(CLIPS.iterdir())
    assert sum(path.stat().st_size for path in used) < 300_000


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("9:16", (9, 16)),
        ("720*1280", (720, 1280)),
        ("1280x720", (1280, 720)),
        ("adaptive", None),
        ("", None),
        ("0:9", None),
        ("9:0", None),
        ("16:9:1", None),
        ("-1:9", None),
        ("100000:9", None),
    ],
)
def test_shapes_are_read_from_ratios_and_sizes(text: str, shape: Shape | None) -> None:
    assert read_shape(text) == shape


@pytest.mark.parametrize(
    ("shape", "ratio"),
    [((832, 480), WIDE), ((1088, 832), (4, 3)), ((1, 99999), (9, 21)), ((1000, 1001), (1, 1)), ((1920, 822), (21, 9))],
)
def test_nearest_shipped_clip_is_chosen(shape: Shape, ratio: Shape) -> None:
    assert shipped_clip(shape) is SHIPPED[ratio]


async def test_clip_that_is_drawn_by_the_first_link_is_used() -> None:
    artist = FakeArtist()
    found = Clips(artist)
    found.begin("t", scene(), 8)
    artist.allowed.set()
    await settle()
    assert found.of("t").files[BEST] == Path("1")
    assert artist.begun == [scene()]


async def test_clip_that_comes_too_late_changes_nothing() -> None:
    """Ranges of one link must be of one file."""
    artist = FakeArtist()
    found = Clips(artist)
    found.begin("t", scene(), 8)
    await settle()
    assert found.of("t") is SHIPPED[TALL]
    artist.allowed.set()
    await settle()
    assert found.of("t") is SHIPPED[TALL]


async def test_clip_that_cannot_be_drawn_is_a_shipped_one() -> None:
    artist = FakeArtist(able=False)
    artist.allowed.set()
    found = Clips(artist)
    found.begin("t", scene(), 8)
    await settle()
    assert found.of("t") is SHIPPED[TALL]
    assert found.of("unknown") is DEFAULT


async def test_short_tasks_and_too_many_at_once_are_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "MAX_WAITING", 2)
    artist = FakeArtist()
    found = Clips(artist)
    found.begin("short", scene(), 0.5)
    for name in "abc":
        found.begin(name, scene(), 8)
    await settle()
    assert len(artist.begun) == 2
    artist.allowed.set()
    await settle()
    found.begin("d", scene(), 8)
    await settle()
    assert len(artist.begun) == 3
    assert [found.of(name) is SHIPPED[TALL] for name in ("short", "a", "b", "c", "d")] == [
        True,
        False,
        False,
        True,
        False,
    ]


async def test_drawn_clips_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "MAX_DRAWN", 2)
    artist = FakeArtist()
    artist.allowed.set()
    found = Clips(artist)
    for name in "abcd":
        found.begin(name, scene(), 8)
        await settle()
    assert [clip.files[BEST] for clip in artist.discarded] == [Path("1"), Path("2")]
    assert [found.of(name) is SHIPPED[TALL] for name in "abcd"] == [True, True, False, False]
    found.close()
    assert artist.closed


async def test_dashscope_size_chooses_the_shape(
    http: httpx.AsyncClient, dashscope: DashScopeClient, clock: Clock
) -> None:
    task = await dashscope.submit(parameters={"size": "720*1280"})
    clock.tick(8)
    url = (await dashscope.task(task))["output"]["video_url"]
    assert (await http.get(url)).content == SHIPPED[TALL].files[BEST].read_bytes()


async def test_dashscope_picture_chooses_the_shape(
    http: httpx.AsyncClient, dashscope: DashScopeClient, clock: Clock
) -> None:
    data = "data:image/png;base64," + base64.b64encode(picture("PNG", 300, 400)).decode()
    task = (await dashscope.post("wan2.6-i2v", {"img_url": data})).json()["output"]["task_id"]
    clock.tick(8)
    url = (await dashscope.task(task))["output"]["video_url"]
    assert (await http.get(url)).content == SHIPPED[3, 4].files[BEST].read_bytes()


async def test_jimeng_record_tells_the_size_of_the_file(jimeng: JimengClient, clock: Clock) -> None:
    task = await jimeng.submit(ratio="9:16")
    clock.tick(8)
    item = (await jimeng.records(task))[task]["item_list"][0]
    transcoded = item["video"]["transcoded_video"]["720p"]
    assert (transcoded["width"], transcoded["height"]) == (480, 854)
    assert (item["common_attr"]["cover_width"], item["common_attr"]["cover_height"]) == (480, 854)
    for url, name in ((transcoded["video_url"], BEST), (item["common_attr"]["cover_url"], COVER)):
        answer = await jimeng.http.get(url)
        assert answer.content == SHIPPED[TALL].files[name].read_bytes()
        assert answer.headers["content-type"] == MEDIA_TYPES[name]


async def test_jimeng_first_frame_chooses_the_shape_and_not_the_ratio(jimeng: JimengClient, clock: Clock) -> None:
    address, _ = await Uploader(jimeng, clock).upload(picture("PNG", 400, 400))
    task = await jimeng.submit(ratio="9:16", first_frame_image=image(address.uri))
    clock.tick(8)
    video = (await jimeng.records(task))[task]["item_list"][0]["video"]
    assert video["transcoded_video"]["360p"]["width"] == video["transcoded_video"]["360p"]["height"] == 240
