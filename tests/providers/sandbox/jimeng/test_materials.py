"""The site's checks of what was uploaded: of pictures, before a generation, and as a job."""

import json
from typing import Any

import httpx
import pytest

from tests.providers.sandbox.clients import MODEL, Clock, JimengClient, Json, image
from tests.providers.sandbox.jimeng.uploader import Uploader
from tests.providers.sandbox.samples import mp4, png, wav

SAFETY, JOB = "/mweb/v1/algo_proxy", "/mweb/v1/imagex/submit_audit_job"
AUDIT = "/mweb/v1/execute_generate_audit"
SAFETY_BODY = {
    "scene": "image_face_ip",
    "options": {"ip_check": True},
    "req_key": "benchmark_test_user_upload_image_input",
    "req_params": {},
}
SITE_WORDS = {
    "scenario": "image_video_generation",
    "feature_key": "aigc_to_image",
    "feature_entrance": "to-generate",
    "feature_entrance_detail": "to-generate-algo_proxy",
}


async def checked(
    client: JimengClient, uri: str, babi: str = '{"scenario":"image_video_generation"}', **changed: Any
) -> str:
    client.query = {**client.query, "babi_param": babi}
    return str((await client.call(SAFETY, SAFETY_BODY | {"file_list": [{"file_uri": uri}]} | changed))["ret"])


async def test_safety_check(jimeng: JimengClient, images: Uploader, videos: Uploader) -> None:
    uri = (await images.upload(png()))[0].uri
    assert await checked(jimeng, uri) == "0"
    assert await checked(jimeng, "tos/known.png", json.dumps(SITE_WORDS)) == "0"
    assert await checked(jimeng, uri + "x") == "1000"
    assert await checked(jimeng, (await videos.upload(mp4()))[0].vid) == "1000"
    wrong: tuple[Json, ...] = (
        {"scene": "x"}, {"req_key": None}, {"options": []}, {"req_params": None}, {"file_list": []},
        {"file_list": [uri]}, {"file_list": {}},
    )  # fmt: skip
    for changed in wrong:
        assert await checked(jimeng, uri, **changed) == "1000"
    for babi in ("", "[]", "{"):
        assert await checked(jimeng, uri, babi) == "1000"


async def test_safety_check_is_the_chinese_sites(http: httpx.AsyncClient, clock: Clock) -> None:
    abroad = JimengClient(http, region="US")
    assert await checked(abroad, (await Uploader(abroad, clock).upload(png()))[0].uri) == "1000"


async def test_unsafe_image(jimeng: JimengClient, images: Uploader) -> None:
    uri = (await images.upload(png(text="#unsafe")))[0].uri
    jimeng.query = {**jimeng.query, "babi_param": json.dumps(SITE_WORDS)}
    answer = await jimeng.call(SAFETY, {**SAFETY_BODY, "file_list": [{"file_uri": uri}]})
    assert (answer["ret"], answer["errmsg"]) == ("2003", "risk not pass")
    assert (await jimeng.generate(first_frame_image=image(uri)))["ret"] == "2039"


async def test_image_whose_check_fails_can_be_used(jimeng: JimengClient, images: Uploader) -> None:
    uri = (await images.upload(png(text="#shaky")))[0].uri
    assert await checked(jimeng, uri) == "2002"
    assert (await jimeng.generate(first_frame_image=image(uri)))["ret"] == "0"


@pytest.mark.parametrize(("region", "ret"), [("cn", "0"), ("SG", "")])
async def test_audit_job_takes_images_in(http: httpx.AsyncClient, clock: Clock, region: str, ret: str) -> None:
    client = JimengClient(http, region=region)
    uri = (await Uploader(client, clock).upload(png()))[0].uri
    assert (await client.call(JOB, {"uri_list": [uri, "tos/known.png"]}))["ret"] == ret
    bodies: tuple[Json, ...] = (
        {}, {"uri_list": []}, {"uri_list": uri}, {"uri_list": ["tos/strange.png"]}, {"uri_list": [7]},
    )  # fmt: skip
    for body in bodies:
        assert (await client.call(JOB, body))["ret"] == "1000"


async def test_audit_before_a_generation(jimeng: JimengClient, images: Uploader, videos: Uploader) -> None:
    good = (await images.upload(png()))[0].uri
    bad = (await images.upload(png(text="#unsafe")))[0].uri
    clip, sound = (await videos.upload(mp4(3)))[0].vid, (await videos.upload(wav()))[0].vid
    body: Json = {
        "scene": 2,
        "model_key": MODEL,
        "material_list": [
            {"uri": good, "material_type": 1},
            {"uri": bad, "material_type": 1},
            {"vid": clip, "material_type": 2},
            {"vid": sound, "material_type": 3},
            {"subject_data_id": "7", "material_type": 4},
        ],
    }
    answer = await jimeng.call(AUDIT, body)
    assert answer["ret"] == "0"
    assert [one["audit_decision"] for one in answer["data"]["result_list"]] == [1, 2, 1, 1, 1]
    assert [bool(one["reason_detail"]) for one in answer["data"]["result_list"]] == [False, True, False, False, False]
    wrong: tuple[tuple[Json, str], ...] = (
        ({"scene": 1}, "1000"),
        ({"model_key": "never_there"}, "2061"),
        ({"material_list": []}, "1000"),
        ({"material_list": [{"uri": good, "material_type": 5}]}, "1000"),
        ({"material_list": [{"vid": sound, "material_type": 2}]}, "1000"),
        ({"material_list": [{"uri": "tos/strange.png", "material_type": 1}]}, "1000"),
        ({"material_list": [{"subject_data_id": "", "material_type": 4}]}, "1000"),
        ({"material_list": ["x"]}, "1000"),
    )
    for changed, ret in wrong:
        assert (await jimeng.call(AUDIT, body | changed))["ret"] == ret
