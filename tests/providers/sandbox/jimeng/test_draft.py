"""What a generate body is refused for, and what passes because a capture shows it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.sandbox.jimeng.draft import Draft, read_draft
from providers.sandbox.jimeng.errors import Refused
from providers.sandbox.jimeng.models import MODELS
from providers.sandbox.jimeng.resources import Resource
from providers.sandbox.jimeng.sites import Site
from tests.providers.sandbox.clients import (
    MODEL,
    Json,
    draft,
    generate_body,
    image,
    wrap,
)

SEEDANCE_25, SEEDANCE_25_DRAFT = "dreamina_seedance_45_pro", "dreamina_seedance_45_pro_draft"
VGFM = "dreamina_ic_generate_video_model_"
PRO = "basic_video_operation_vgfm_v_three_pro"
DRAFT_FEATURE = "AIGC_Video_Seedance25ResultAction"
DRAFT_BENEFIT = "seedance_25_draft_480p_no_input_video_output"

KNOWN = {
    "tos/known.png": Resource(),
    "v0known": Resource(),
    "tos/mine.png": Resource("image", 0.0),
    "tos/unsafe.png": Resource("image", 0.0, unsafe=True),
    "v0film": Resource("video", 9.0),
    "v0sound": Resource("audio", 15.0),
}.get


def read(body: Json, query: dict[str, str] | None = None, site: Site = "cn") -> Draft:
    def find(key: str) -> Any:
        return next((model for model in MODELS[site] if model.key == key), None)

    return read_draft(body, query or {}, site, find, KNOWN)


def ret_of(body: Json, query: dict[str, str] | None = None, site: Site = "cn") -> str:
    try:
        read(body, query, site)
    except Refused as refused:
        return refused.ret
    return "0"


def changed(body: Json, change: Callable[[Json, Json, Json], object]) -> Json:
    """The body with its draft, the text_to_video_params and the input changed in place."""
    content = json.loads(body["draft_content"])
    params = content["component_list"][0]["abilities"]["gen_video"]["text_to_video_params"]
    change(content, params, params["video_gen_inputs"][0])
    return body | {"draft_content": json.dumps(content)}


def test_good_body_is_read() -> None:
    found = read(generate_body("a cat", seconds=10), {"da_version": "3.3.28"})
    assert (found.prompt, found.seconds, found.ratio, found.resolution) == ("a cat", 10, "16:9", "720p")
    assert (found.model.key, found.version, found.features, found.kinds) == (MODEL, "3.3.28", (), ())


@pytest.mark.parametrize(
    ("change", "ret"),
    [
        ({"draft_content": draft({"prompt": "x", "duration_ms": 5000})}, "1002"),
        ({"draft_content": "{"}, "1002"),
        ({"draft_content": "[]"}, "1002"),
        ({"draft_content": None}, "1002"),
        ({"metrics_extra": {}}, "1002"),
        ({"metrics_extra": "[]"}, "1002"),
        ({"extend": None}, "1002"),
        ({"submit_id": "not-a-uuid"}, "1000"),
        ({"submit_id": None}, "1000"),
        ({"http_common_info": {"aid": 1}}, "1000"),
        ({"http_common_info": None}, "1002"),
    ],
)
def test_bodies_that_are_refused(change: Json, ret: str) -> None:
    assert ret_of(generate_body() | change) == ret


def test_http_common_info_may_be_absent() -> None:
    body = generate_body()
    del body["http_common_info"]
    assert ret_of(body) == "0"


@pytest.mark.parametrize(
    "change",
    [
        {"type": "picture"},
        {"id": ""},
        {"main_component_id": "another"},
        {"component_list": []},
        {"component_list": [1]},
        {"version": None},
        {"version": "3.3"},
        {"version": "3.3.8", "min_version": "3.0.5"},
        {"min_version": None},
        {"min_version": "3.0.4"},
        {"min_version": "3.3.29"},
        {"min_features": None},
        {"min_features": ["AIGC_Video_Something"]},
        {"min_features": [["AIGC_Video_UnifiedEdit"]]},
    ],
)
def test_drafts_that_are_refused(change: Json) -> None:
    assert ret_of(changed(generate_body(), lambda content, *_: content.update(change))) == "1002"


@pytest.mark.parametrize(
    ("query", "written", "ret"),
    [
        ("3.3.28", "3.3.9", "0"),
        ("3.3.9", "3.3.28", "0"),
        ("3.3.9", "3.3.9", "0"),
        ("3.4.0", "3.3.20", "0"),
        ("3.3.8", "3.3.28", "1000"),
        ("3.3", "3.3.28", "1000"),
        ("latest", "3.3.28", "1000"),
        ("3.3.28", "3.2.99", "1002"),
    ],
)
def test_versions_of_query_and_draft_stand_apart(query: str, written: str, ret: str) -> None:
    body = changed(generate_body(), lambda content, *_: content.update(version=written))
    assert ret_of(body, {"da_version": query}) == ret


@pytest.mark.parametrize(
    ("fields", "ret"),
    [
        ({"duration_ms": 7000}, "0"),
        ({"duration_ms": 15_000}, "0"),
        ({"duration_ms": 16_000}, "1000"),
        ({"duration_ms": 3000}, "1000"),
        ({"duration_ms": 5500}, "1000"),
        ({"duration_ms": -1}, "1000"),
        ({"duration_ms": "5000"}, "1000"),
        ({"duration_ms": True}, "1000"),
        ({"resolution": None}, "1000"),
        ({"resolution": "480p"}, "1000"),
        ({"resolution": "720P"}, "1000"),
        ({"resolution": 720}, "1000"),
        ({"resolution": ["720p"]}, "1000"),
        ({"min_version": None}, "1002"),
        ({"min_version": "3.0.4"}, "1002"),
        ({"video_mode": 0}, "0"),
        ({"video_mode": 1}, "1000"),
        ({"fps": 30}, "1000"),
        ({"is_draft_mode": True}, "1000"),
        ({"idip_meta_list": []}, "0"),
        ({"prompt": None}, "1002"),
        ({"prompt": ""}, "1000"),
        ({"prompt": "x" * 4000}, "0"),
        ({"prompt": "x" * 4001}, "1000"),
    ],
)
def test_video_inputs(fields: Json, ret: str) -> None:
    assert ret_of(changed(generate_body(), lambda _content, _params, given: given.update(fields))) == ret


END: Json = {"end_frame_image": image("tos/known.png")}


@pytest.mark.parametrize(
    ("fields", "ret"),
    [
        ({"first_frame_image": image("tos/known.png")}, "0"),
        ({"first_frame_image": image("tos/known.png"), **END, "ending_control": "1.0"}, "0"),
        ({"prompt": "", **END, "ending_control": "1.0"}, "0"),
        (END, "1000"),
        ({**END, "ending_control": "0.5"}, "1000"),
        ({"first_frame_image": image("tos/known.png"), "ending_control": "1.0"}, "1000"),
        ({"first_frame_image": image("tos/mine.png")}, "0"),
        ({"first_frame_image": image("tos/strange.png")}, "1000"),
        ({"first_frame_image": image("v0film")}, "1000"),
        ({"first_frame_image": image("tos/unsafe.png")}, "2039"),
        ({"first_frame_image": image("tos/known.png") | {"uri": "tos/mine.png"}}, "1000"),
        ({"first_frame_image": "tos/known.png"}, "1002"),
    ],
)
def test_frames(fields: Json, ret: str) -> None:
    assert ret_of(generate_body(**fields)) == ret


def pro(**more: Any) -> Json:
    return generate_body(key=VGFM + "vgfm_3.0_pro", benefit=PRO, resolution="1080p", **more)


def test_model_takes_the_frames_that_its_entry_offers() -> None:
    assert ret_of(pro()) == "0"
    assert ret_of(pro(first_frame_image=image("tos/known.png"))) == "0"
    assert ret_of(pro(**END, ending_control="1.0")) == "1000"
    happy: Json = {"key": "dreamina_happyhorse_v1_1", "benefit": "happyhorse_11_720p_output", "resolution": "720P"}
    assert ret_of(generate_body(**happy, first_frame_image=image("tos/known.png"))) == "0"
    assert ret_of(generate_body(**happy, **END, ending_control="1.0")) == "1000"


@pytest.mark.parametrize(
    ("key", "benefit", "resolution", "accepted", "refused", "site"),
    [
        (SEEDANCE_25, "seedance_25_720p_no_input_video_output", "720p", (4, 30), (3, 31, 60), "cn"),
        (VGFM + "vgfm_3.0_pro", PRO, "1080p", (5, 6, 10), (4, 11, 12), "cn"),
        (VGFM + "vgfm_3.5_pro", "dreamina_video_seedance_15_pro", "720p", (5, 7, 12), (4, 13), "us"),
        ("dreamina_minimax_h3", "minimax_h3_768p_output", "768P", (4, 15), (3, 16), "cn"),
        ("dreamina_seedance_40_mini", "seedance_20_mini_720p_output", "720p", (4, 15), (3, 16), "asia"),
    ],
)
def test_each_model_has_seconds_of_its_own(
    key: str, benefit: str, resolution: str, accepted: tuple[int, ...], refused: tuple[int, ...], site: Site
) -> None:
    def ret(seconds: int) -> str:
        aid = 513695 if site == "cn" else 513641
        body = generate_body(key=key, benefit=benefit, resolution=resolution, seconds=seconds, aid=aid)
        return ret_of(body, site=site)

    assert {ret(seconds) for seconds in accepted} == {"0"}
    assert {ret(seconds) for seconds in refused} == {"1000"}


def test_ratio_is_the_models_and_matters_without_a_frame_only() -> None:
    happy: Json = {"key": "dreamina_happyhorse_v1_1", "benefit": "happyhorse_11_720p_output", "resolution": "720P"}
    assert ret_of(generate_body(ratio="3:2")) == "1000"
    assert ret_of(generate_body(ratio="9:21")) == "1000"
    assert ret_of(generate_body(**happy, ratio="9:21")) == "0"
    assert ret_of(generate_body(ratio="adaptive")) == "1000"
    assert ret_of(generate_body(ratio="adaptive", first_frame_image=image("tos/known.png"))) == "0"


@pytest.mark.parametrize(
    ("key", "site"),
    [
        ("dreamina_later", "cn"),
        (VGFM + "vgfm_3.5_pro", "cn"),
        (VGFM + "vgfm_3.0", "cn"),
        (VGFM + "vgfm_lite", "cn"),
        (VGFM + "vgfm1.0", "cn"),
        ("dreamina_seedance_40_pro_vision", "us"),
        ("dreamina_wan_30", "asia"),
        ("dreamina_veo3_generate_video", "asia"),
        ("dreamina_sora2_generate_video", "us"),
    ],
)
def test_model_that_the_site_does_not_have_is_gone(key: str, site: Site) -> None:
    aid = 513695 if site == "cn" else 513641
    assert ret_of(generate_body(key=key, benefit="x", aid=aid), site=site) == "2061"


def test_model_is_the_same_in_both_places() -> None:
    body = generate_body()
    assert ret_of(body | {"extend": body["extend"] | {"root_model": SEEDANCE_25}}) == "1000"
    assert ret_of(changed(body, lambda _content, params, _given: params.update(model_req_key=7))) == "1000"


@pytest.mark.parametrize("seed", [-1, 2**32, "7", True])
def test_seed_has_thirty_two_bits(seed: object) -> None:
    assert ret_of(changed(generate_body(), lambda _content, params, _given: params.update(seed=seed))) == "1000"


def draft_run(since: str = "3.3.28", features: tuple[str, ...] = (DRAFT_FEATURE,), **fields: Any) -> Json:
    shape = {"prompt": "a cat", "duration_ms": 5000, "resolution": "480p", "is_draft_mode": True, **fields}
    content = draft(shape, key=SEEDANCE_25_DRAFT, features=features, since=since)
    metrics = {"functionMode": "omni_reference", "videoStage": "draft"}
    return wrap(content, key=SEEDANCE_25_DRAFT, benefit=DRAFT_BENEFIT, metrics=metrics)


def test_draft_run_of_seedance_25() -> None:
    assert ret_of(draft_run()) == "0"
    assert ret_of(draft_run(is_draft_mode=False)) == "1000"
    assert ret_of(draft_run(resolution="720p")) == "1000"
    assert ret_of(draft_run(features=())) == "1002"
    assert ret_of(draft_run(since="3.0.5")) == "1002"
    assert ret_of(changed(draft_run(), lambda content, *_: content.update(version="3.3.27"))) == "1002"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["extend", "submit_id", "metrics_extra", "draft_content", "http_common_info", "min_version", "version",
     "min_features", "component_list", "main_component_id", "prompt", "duration_ms", "resolution", "first_frame_image",
     "unified_edit_input", "video_aspect_ratio", "seed", "ending_control", "m_video_commerce_info", "video_mode",
     "m_video_commerce_info_list", "fps", "is_draft_mode", "benefit_type", "functionMode", "sceneOptions"]
)  # fmt: skip


@settings(deadline=None)
@given(FIELDS, JSON)
def test_anything_in_a_field_is_accepted_or_refused(field: str, value: Any) -> None:
    def put(content: Json, params: Json, given: Json) -> None:
        for where in (content, params, given):
            if field in where or (where is given and field in ("unified_edit_input", "first_frame_image")):
                where[field] = value

    body = changed(generate_body(), put)
    billed = body["extend"]["m_video_commerce_info"]
    for where in (body, body["extend"], billed):
        if field in where:
            where[field] = value
    if field in ("functionMode", "sceneOptions"):
        body["metrics_extra"] = json.dumps({field: value})
    assert ret_of(body).isdigit()
