"""What a generate body is refused for."""

import json
from typing import Any

import pytest

from providers.sandbox.jimeng_draft import Refused, read_draft
from tests.providers.sandbox.clients import BASIC, MODEL, Json, draft, generate_body, image, wrap

KNOWN = frozenset({"tos/known.png", "v0known"})
SEEDANCE, SEEDANCE_BENEFIT = "dreamina_seedance_40_pro", "dreamina_video_seedance_20_pro"


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
        ([material("video", vid="v0known", duration=9000)] * 2, [TEXT], "1000"),
        ([IMAGE] * 9 + [VIDEO] * 3 + [material("audio", vid="v0known")], [TEXT], "1000"),
    ],
)
def test_references(materials: list[Json], metas: list[Json], ret: str) -> None:
    unified = {"material_list": materials, "meta_list": metas}
    shape = {"prompt": "", "duration_ms": 5000, "unified_edit_input": unified}
    content = draft(shape, key=SEEDANCE, features=("AIGC_Video_UnifiedEdit",))
    assert ret_of(wrap(content, key=SEEDANCE, benefit=SEEDANCE_BENEFIT)) == ret


def test_references_need_their_feature_and_their_model() -> None:
    unified = {"material_list": [IMAGE], "meta_list": [TEXT, REF]}
    shape = {"prompt": "", "duration_ms": 5000, "unified_edit_input": unified}
    assert ret_of(wrap(draft(shape, key=SEEDANCE), key=SEEDANCE, benefit=SEEDANCE_BENEFIT)) == "1002"
    content = draft(shape, features=("AIGC_Video_UnifiedEdit",))
    assert ret_of(wrap(content, benefit=BASIC)) == "3018"


def test_the_words_of_a_reference_prompt_are_read() -> None:
    unified = {"material_list": [IMAGE], "meta_list": [TEXT, REF, {"meta_type": "text", "text": "#slow"}]}
    shape = {"prompt": "", "duration_ms": 5000, "unified_edit_input": unified}
    content = draft(shape, key=SEEDANCE, features=("AIGC_Video_UnifiedEdit",))
    read = read_draft(wrap(content, key=SEEDANCE, benefit=SEEDANCE_BENEFIT), {}, "cn", KNOWN)
    assert read.prompt == "like #slow"
