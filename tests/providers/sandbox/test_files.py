"""The videos behind their links: real, in ranges, for a time."""

import httpx
import pytest

from providers.sandbox.clips import CLIPS
from providers.sandbox.files import PICTURE_TYPES, PICTURES
from providers.sandbox.media import content_of
from tests.providers.sandbox.clients import Clock, DashScopeClient

BEST = (CLIPS / "best.mp4").read_bytes()


@pytest.fixture
async def link(dashscope: DashScopeClient, clock: Clock) -> str:
    task = await dashscope.submit()
    clock.tick(8)
    return str((await dashscope.task(task))["output"]["video_url"])


async def test_link_gives_the_whole_file(http: httpx.AsyncClient, link: str) -> None:
    answer = await http.get(link)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
    assert answer.content == BEST
    head = await http.head(link)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(BEST)))
    assert head.headers["accept-ranges"] == "bytes"


async def test_ranges(http: httpx.AsyncClient, link: str) -> None:
    answer = await http.get(link, headers={"Range": "bytes=100-199"})
    assert (answer.status_code, answer.content) == (206, BEST[100:200])
    assert answer.headers["content-range"] == f"bytes 100-199/{len(BEST)}"
    assert (await http.get(link, headers={"Range": "bytes=-10"})).content == BEST[-10:]
    beyond = await http.get(link, headers={"Range": f"bytes={len(BEST)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(BEST)}")
    changed = {"Range": "bytes=0-9", "If-Range": '"another"'}
    assert (await http.get(link, headers=changed)).status_code == 200
    same = {"Range": "bytes=0-9", "If-Range": answer.headers["etag"]}
    assert (await http.get(link, headers=same)).status_code == 206


async def test_link_expires(http: httpx.AsyncClient, link: str, clock: Clock) -> None:
    clock.tick(86_399)
    assert (await http.get(link)).status_code == 200
    clock.tick(1)
    answer = await http.get(link)
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/xml")
    assert "<Code>AccessDenied</Code>" in answer.text


async def test_link_cannot_be_changed(http: httpx.AsyncClient, link: str) -> None:
    for changed in (
        link.replace("best.mp4", "preview.mp4"), link.replace("Expires=1", "Expires=2"), link + "x",
        link.replace("Signature=", "Signature=%C3%A4"),
    ):  # fmt: skip
        answer = await http.get(changed)
        assert (answer.status_code, "SignatureDoesNotMatch" in answer.text) == (403, True)
    assert (await http.get(link.partition("?")[0])).status_code == 403


async def test_new_query_gives_a_fresh_link(dashscope: DashScopeClient, clock: Clock) -> None:
    task = await dashscope.submit()
    clock.tick(8)
    first = (await dashscope.task(task))["output"]["video_url"]
    clock.tick(100)
    assert (await dashscope.task(task))["output"]["video_url"] != first


@pytest.mark.parametrize("name", PICTURE_TYPES)
async def test_sample_images_are_real_and_small_and_for_all(http: httpx.AsyncClient, name: str) -> None:
    answer = await http.get(f"/files/pictures/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, PICTURE_TYPES[name])
    assert answer.content == (PICTURES / name).read_bytes()
    assert len(answer.content) < 10_000
    media = content_of(answer.content, b"", len(answer.content)).media
    assert media
    assert (PICTURE_TYPES[name], media.width, media.height) == (f"image/{media.format}", 640, 480)
    head = await http.head(f"/files/pictures/{name}")
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(answer.content)))


async def test_no_other_file_is_among_the_images(http: httpx.AsyncClient) -> None:
    assert (await http.get("/files/pictures/dog.png")).status_code == 404
