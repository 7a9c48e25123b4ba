"""The addresses of a finished video, in the forms that the site has had."""

import base64
import json
from typing import Any

import pytest

from providers.sandbox.clips import DEFAULT
from tests.providers.sandbox.clients import Clock, JimengClient, Json

LOCAL = "/mweb/v1/get_local_item_list"
BEST, PREVIEW = DEFAULT.size("best.mp4"), DEFAULT.size("preview.mp4")


async def finished(jimeng: JimengClient, clock: Clock, directives: str = "") -> Json:
    task = await jimeng.submit(f"a cat {directives}")
    clock.tick(8)
    item: Json = (await jimeng.records(task))[task]["item_list"][0]
    return item


async def best_quality(jimeng: JimengClient, item: Json, *, download: bool = True) -> Json:
    body = {
        "item_id_list": [item["common_attr"]["id"], "1"],
        "pack_item_opt": {"scene": 1, "need_data_integrity": True},
        "is_for_video_download": download,
    }
    (found,) = (await jimeng.call(LOCAL, body))["data"]["item_list"]
    assert found["common_attr"]["id"] == item["common_attr"]["id"]
    assert isinstance(found, dict)
    return found


def addresses(video: Json) -> dict[str, str]:
    """Definition → address, out of `video_model`."""
    listed = json.loads(video["video_model"])["video_list"]
    return {one["definition"]: base64.b64decode(one["main_url"]).decode() for one in listed.values()}


async def bytes_of(jimeng: JimengClient, url: str) -> int:
    return len((await jimeng.http.get(url)).content)


async def test_item_of_a_record(jimeng: JimengClient, clock: Clock) -> None:
    item = await finished(jimeng, clock)
    assert item["common_attr"] | {
        "effect_type": 53, "status": 144, "item_urls": [""], "cover_width": 1280, "cover_height": 720,
        "review_info": {"review_status": 1, "review_code_list": []},
    } == item["common_attr"]  # fmt: skip
    video = item["video"]
    assert video | {"duration_ms": 5000, "origin_video": None, "watermark_type": 1, "is_mute": False} == video
    assert item["gen_result_data"] == {"result_code": 0, "result_msg": "Success"}
    assert item["aigc_draft"]["version"] == "3.3.28"


async def test_by_default_the_model_leads_to_the_best_and_the_transcoded_to_previews(
    jimeng: JimengClient, clock: Clock
) -> None:
    video = (await finished(jimeng, clock))["video"]
    model = json.loads(video["video_model"])
    assert model | {"status": 10, "video_duration": 5.0, "media_type": "video", "key_seed": ""} == model
    assert model["video_list"].keys() == {"video_1"}
    only = model["video_list"]["video_1"]
    assert only | {"definition": "origin", "vtype": "mp4", "vwidth": 1280, "vheight": 720, "size": BEST} == only
    assert only["url_expire"] == model["url_expire"] == int(clock.now) + 86_400
    assert await bytes_of(jimeng, addresses(video)["origin"]) == BEST
    assert base64.b64decode(only["backup_url_1"]) == base64.b64decode(only["main_url"])
    transcoded = video["transcoded_video"]
    assert {name: (one["width"], one["height"]) for name, one in transcoded.items()} == {
        "360p": (640, 360), "720p": (1280, 720),
    }  # fmt: skip
    assert {await bytes_of(jimeng, one["video_url"]) for one in transcoded.values()} == {PREVIEW}


async def test_form_of_two_sizes(jimeng: JimengClient, clock: Clock) -> None:
    video = (await finished(jimeng, clock, "#form=transcoded"))["video"]
    assert (video["video_model"], video["transcoded_video"].keys()) == ("", {"360p", "720p"})


@pytest.mark.parametrize("directive", ["#form", "#form=origin"])
async def test_older_form(jimeng: JimengClient, clock: Clock, directive: str) -> None:
    video = (await finished(jimeng, clock, directive))["video"]
    assert (video["video_model"], video["transcoded_video"].keys()) == ("", {"origin"})
    origin = video["transcoded_video"]["origin"]
    assert (await bytes_of(jimeng, origin["video_url"]), origin["size"]) == (PREVIEW, PREVIEW)


@pytest.mark.parametrize("directives", ["", "#form=transcoded", "#form=origin"])
async def test_best_quality_call_gives_the_best_file(jimeng: JimengClient, clock: Clock, directives: str) -> None:
    item = await finished(jimeng, clock, directives)
    video = (await best_quality(jimeng, item))["video"]
    assert await bytes_of(jimeng, video["transcoded_video"]["origin"]["video_url"]) == BEST
    if not directives:
        sizes = {name: await bytes_of(jimeng, url) for name, url in addresses(video).items()}
        assert sizes == {"360p": PREVIEW, "720p": PREVIEW, "origin": BEST}
        assert list(json.loads(video["video_model"])["video_list"]) == ["video_1", "video_2", "video_3"]
    assert (await best_quality(jimeng, item, download=False))["video"] == item["video"]


async def test_best_quality_call_wants_ids(jimeng: JimengClient) -> None:
    wrong: tuple[object, ...] = ([], None, "1")
    for ids in wrong:
        assert (await jimeng.call(LOCAL, {"item_id_list": ids}))["ret"] == "1000"


async def test_result_without_any_address(jimeng: JimengClient, clock: Clock) -> None:
    video: dict[str, Any] = (await finished(jimeng, clock, "#nourl"))["video"]
    assert video["video_model"] == ""
    assert {one["video_url"] for one in video["transcoded_video"].values()} == {""}


async def test_result_without_a_best_file(jimeng: JimengClient, clock: Clock) -> None:
    item = await finished(jimeng, clock, "#nohd")
    assert item["video"]["video_model"] == ""
    assert await bytes_of(jimeng, item["video"]["transcoded_video"]["720p"]["video_url"]) == PREVIEW
    assert (await jimeng.call(LOCAL, {"item_id_list": [item["common_attr"]["id"]]}))["ret"] == "2002"


async def test_expired_link_says_so(jimeng: JimengClient, clock: Clock) -> None:
    video = (await finished(jimeng, clock, "#link-expired"))["video"]
    assert json.loads(video["video_model"])["url_expire"] < clock.now
    assert (await jimeng.http.get(addresses(video)["origin"])).status_code == 403
