"""What a generate body is refused for."""

import json
from typing import Any

import pytest

from providers.sandbox.jimeng.draft import Refused, read_draft
from providers.sandbox.jimeng.resources import Resource
from tests.providers.sandbox.clients import (
    BASIC,
    MODEL,
    SEEDANCE,
    SEEDANCE_FRAMES,
    SEEDANCE_REFERENCES,
    Json,
    draft,
    generate_body,
    image,
    reference_body,
    wrap,
)

KNOWN = {
    "tos/known.png": Resource(),
    "v0known": Resource(),
    "tos/mine.png": Resource("image", 0.0),
    "tos/unsafe.png": Resource("image", 0.0, unsafe=True),
    "v0film": Resource("video", 9.0),
    "v0short": Resource("video", 6.0),
    "v0sound": Resource("audio", 15.0),
    "v0long": Resource("audio", 15.1),
}.get


def ret_of(body: Json, query: dict[str, str] | None = None) -> str:
    try:
        read_draft(body, query or {}, "cn", KNOWN)
    except Refused as refused:
        return refused.ret
    return "0"


def test_a_good_body_is_read() -> None:
    read = read_draft(generate_body("a cat", seconds=10, resolution="720p"), {"da_version": "3.3.9"}, "cn", KNOWN)
    assert (read.prompt, read.seconds, read.ratio, read.resolution) == ("a cat", 10, "16:9", "720p")
    assert (read.model_key, read.model_name) == (MODEL, "3.0")


@pytest.mark.parametrize(
    ("change", "ret"),
    [
        ({"draft_content": draft({"prompt": "x", "duration_ms": 5000})}, "1002"),
        ({"draft_content": "{"}, "1002"),
        ({"draft_content": "[]"}, "1002"),
        ({"draft_content": None}, "1002"),
        ({"metrics_extra": {}}, "1002"),
        ({"extend": None}, "1002"),
        ({"submit_id": "not-a-uuid"}, "1000"),
        ({"submit_id": None}, "1000"),
        ({"http_common_info": {"aid": 1}}, "1000"),
        ({"http_common_info": None}, "1000"),
    ],
)
def test_bodies_that_are_refused(change: Json, ret: str) -> None:
    assert ret_of(generate_body() | change) == ret


@pytest.mark.parametrize(
    ("change", "ret"),
    [
        ({"type": "picture"}, "1002"),
        ({"version": None}, "1002"),
        ({"main_component_id": "another"}, "1002"),
        ({"component_list": []}, "1002"),
        ({"component_list": [1]}, "1002"),
    ],
)
def test_drafts_that_are_refused(change: Json, ret: str) -> None:
    content = draft({"prompt": "x", "duration_ms": 5000}) | change
    assert ret_of(wrap(content)) == ret


@pytest.mark.parametrize(
    ("fields", "ret"),
    [
        ({"duration_ms": 7000}, "1161"),
        ({"duration_ms": 5500}, "1161"),
        ({"duration_ms": "5000"}, "1161"),
        ({"duration_ms": True}, "1161"),
        ({"resolution": "480p"}, "1162"),
        ({"resolution": 720}, "1162"),
        ({"prompt": None}, "1002"),
        ({"prompt": ""}, "1000"),
        ({"first_frame_image": image("tos/strange.png")}, "1000"),
        ({"first_frame_image": "tos/known.png"}, "1002"),
        ({"first_frame_image": image("tos/known.png")}, "0"),
        ({"prompt": "", "end_frame_image": image("tos/known.png")}, "0"),
    ],
)
def test_video_inputs(fields: Json, ret: str) -> None:
    body = generate_body()
    content = json.loads(body["draft_content"])
    params = content["component_list"][0]["abilities"]["gen_video"]["text_to_video_params"]
    params["video_gen_inputs"][0] |= fields
    assert ret_of(body | {"draft_content": json.dumps(content)}) == ret


def test_the_query_names_the_drafts_version() -> None:
    assert ret_of(generate_body(), {"da_version": "3.0.0"}) == "1000"


def test_the_model_is_the_same_in_both_places_and_billed_as_itself() -> None:
    body = generate_body()
    assert ret_of(body | {"extend": body["extend"] | {"root_model": SEEDANCE}}) == "1000"
    assert ret_of(generate_body(benefit="generate_video_veo3")) == "1000"
    assert ret_of(generate_body(benefit="")) == "1000"
    assert ret_of(body | {"extend": body["extend"] | {"m_video_commerce_info_list": []}}) == "1000"


def test_a_model_without_a_resolution_field_takes_none() -> None:
    key = "dreamina_ic_generate_video_model_vgfm_3.0_pro"
    assert ret_of(generate_body(key=key)) == "0"
    assert ret_of(generate_body(key=key, resolution="720p")) == "1162"
    assert ret_of(generate_body(key="dreamina_later", benefit="x", resolution="4k", seconds=30)) == "0"


def test_the_ratio_matters_without_an_image_only() -> None:
    shape: dict[str, Any] = {"prompt": "x", "duration_ms": 5000}
    assert ret_of(wrap(draft(shape, ratio="3:2"))) == "1162"
    assert ret_of(wrap(draft(shape | {"first_frame_image": image("tos/known.png")}, ratio="3:2"))) == "0"


def material(kind: str, **info: Any) -> Json:
    return {"material_type": kind, f"{kind}_info": info}


IMAGE = material("image", image_uri="tos/known.png")
VIDEO = material("video", vid="v0known", duration=5000)
TEXT = {"meta_type": "text", "text": "like "}
REF = {"meta_type": "image", "text": "", "material_ref": {"material_idx": 0}}


def film(vid: str, duration: int = 1) -> Json:
    return material("video", vid=vid, duration=duration)


def sound(vid: str) -> Json:
    return material("audio", vid=vid, duration=1)


@pytest.mark.parametrize(
    ("materials", "metas", "ret"),
    [
        ([IMAGE], [TEXT, REF], "0"),
        ([IMAGE, VIDEO], [TEXT], "0"),
        ([], [TEXT], "0"),
        ([], [{"meta_type": "text", "text": ""}], "1000"),
        ([IMAGE], [], "1002"),
        ([IMAGE], [{**REF, "material_ref": {"material_idx": 1}}], "1000"),
        ([VIDEO], [REF], "1000"),
        ([material("image", image_uri="tos/strange.png")], [TEXT], "1000"),
        ([material("smell", uri="x")], [TEXT], "1002"),
        ([IMAGE] * 10, [TEXT], "1000"),
        ([VIDEO] * 4, [TEXT], "1000"),
        ([film("v0known", 9000)] * 2, [TEXT], "1000"),
        ([film("v0known", 9000)], [TEXT], "0"),
        ([material("video", vid="v0known", duration="long")], [TEXT], "1002"),
        ([IMAGE] * 9 + [VIDEO] * 3 + [material("audio", vid="v0known")], [TEXT], "1000"),
    ],
)
def test_references(materials: list[Json], metas: list[Json], ret: str) -> None:
    assert ret_of(reference_body(materials, metas)) == ret


@pytest.mark.parametrize(
    ("materials", "ret"),
    [
        ([film("v0film"), film("v0short"), sound("v0sound")], "0"),
        ([film("v0film"), film("v0film")], "1000"),
        ([film("v0film", 90_000)], "0"),
        ([sound("v0long")], "1000"),
        ([film("v0sound")], "1000"),
        ([film("tos/mine.png")], "1000"),
        ([sound("v0film")], "1000"),
        ([material("image", image_uri="v0film")], "1000"),
        ([material("image", image_uri="tos/mine.png")], "0"),
        ([material("image", image_uri="tos/unsafe.png")], "2039"),
        ([material("image", image_uri=7)], "1000"),
    ],
)
def test_a_resource_is_what_the_site_knows_it_is(materials: list[Json], ret: str) -> None:
    assert ret_of(reference_body(materials, [TEXT])) == ret


@pytest.mark.parametrize(
    ("uri", "ret"), [("tos/mine.png", "0"), ("tos/unsafe.png", "2039"), ("v0film", "1000"), ("tos/strange.png", "1000")]
)
def test_a_frame_is_a_picture(uri: str, ret: str) -> None:
    assert ret_of(generate_body(first_frame_image=image(uri))) == ret


def scene(*types: object) -> Json:
    return {"sceneOptions": json.dumps([{"type": "video", "materialTypes": list(types)}])}


@pytest.mark.parametrize(
    ("metrics", "ret"),
    [
        (scene(1, 2), "0"),
        (scene(1, 1, 2), "0"),
        (scene(2, 1), "0"),
        (scene(1), "1000"),
        (scene(1, 2, 3), "1000"),
        (scene(), "1000"),
        (scene("1", "2"), "1000"),
        (scene([1], [2]), "1000"),
        ({"sceneOptions": json.dumps([{"materialTypes": {"1": 2}}])}, "1000"),
        ({"sceneOptions": json.dumps([{}])}, "0"),
        ({"sceneOptions": "[]"}, "1002"),
        ({"sceneOptions": "["}, "1002"),
        ({"sceneOptions": [{"materialTypes": [1, 2]}]}, "1002"),
        ({"functionMode": "first_last_frames"}, "1000"),
    ],
)
def test_the_metrics_tell_the_same_as_the_draft(metrics: Json, ret: str) -> None:
    assert ret_of(reference_body([IMAGE, IMAGE, VIDEO], [TEXT], metrics=metrics)) == ret


def test_frames_are_no_references() -> None:
    body = generate_body()
    assert ret_of(body | {"metrics_extra": json.dumps({"functionMode": "omni_reference"})}) == "1000"
    assert ret_of(body | {"metrics_extra": "{}"}) == "0"


def test_each_mode_is_billed_as_itself() -> None:
    assert ret_of(generate_body(key=SEEDANCE, benefit=SEEDANCE_FRAMES)) == "0"
    assert ret_of(generate_body(key=SEEDANCE, benefit=SEEDANCE_REFERENCES)) == "1000"
    assert ret_of(reference_body([IMAGE], [TEXT], benefit=SEEDANCE_FRAMES)) == "1000"
    fast: Json = {"key": "dreamina_seedance_40", "benefit": "dreamina_seedance_20_fast_with_video"}
    assert ret_of(reference_body([IMAGE], [TEXT], **fast)) == "0"
    assert ret_of(reference_body([IMAGE], [TEXT], key="dreamina_later", benefit="x")) == "0"


def test_references_need_their_feature_and_their_model() -> None:
    body = reference_body([IMAGE], [TEXT, REF])
    content = json.loads(body["draft_content"]) | {"min_features": []}
    assert ret_of(body | {"draft_content": json.dumps(content)}) == "1002"
    assert ret_of(reference_body([IMAGE], [TEXT, REF], key=MODEL, benefit=BASIC)) == "3018"


def test_the_words_of_a_reference_prompt_are_read() -> None:
    body = reference_body([IMAGE], [TEXT, REF, {"meta_type": "text", "text": "#slow"}])
    assert read_draft(body, {}, "cn", KNOWN).prompt == "like #slow"
