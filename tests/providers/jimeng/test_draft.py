"""The body of a submit, against the wire."""

import itertools
from typing import Any

import orjson
import pytest

from providers.contract import VideoRequest
from providers.jimeng.draft import submit_body
from providers.jimeng.models import MODELS, JimengModel, raw_key
from providers.jimeng.regions import REGIONS

SUBMIT_ID = "0b5b6c3e-9d6f-5d5e-8d5e-1f2e3d4c5b6a"
BY_NAME = {model.card.name: model for model in MODELS}
KEY_30 = "dreamina_ic_generate_video_model_vgfm_3.0"


def build(request: VideoRequest, model: JimengModel, region: str = "cn") -> dict[str, Any]:
    ids = (f"id-{number}" for number in itertools.count())
    return submit_body(
        request,
        model,
        REGIONS[region],
        submit_id=SUBMIT_ID,
        seed=1234,
        now_ms=1757737934123,
        new_id=lambda: next(ids),
    )


def test_the_whole_body_of_a_text_to_video_submit() -> None:
    request = VideoRequest("jimeng-video-3.0", "一只猫", duration=10, ratio="9:16", resolution="1080p")
    body = build(request, BY_NAME["jimeng-video-3.0"])
    benefit = {
        "benefit_type": "basic_video_operation_vgfm_v_three",
        "resource_id": "generate_video",
        "resource_id_type": "str",
        "resource_sub_type": "aigc",
    }
    metrics = body["metrics_extra"]
    assert orjson.loads(metrics) == {
        "promptSource": "custom",
        "isDefaultSeed": 1,
        "originSubmitId": SUBMIT_ID,
        "isRegenerate": False,
        "enterFrom": "click",
        "position": "page_bottom_box",
        "functionMode": "first_last_frames",
        "sceneOptions": orjson.loads(metrics)["sceneOptions"],
    }
    assert orjson.loads(orjson.loads(metrics)["sceneOptions"]) == [
        {
            "type": "video",
            "scene": "BasicVideoGenerateButton",
            "resolution": "1080p",
            "modelReqKey": KEY_30,
            "videoDuration": 10,
            "materialTypes": [],
            "reportParams": {
                "enterSource": "generate",
                "vipSource": "generate",
                "extraVipFunctionKey": f"{KEY_30}-1080p",
                "useVipFunctionDetailsReporterHoc": True,
            },
        }
    ]
    draft = orjson.loads(body["draft_content"])
    component = draft["component_list"][0]
    assert draft["main_component_id"] == component["id"]
    assert {name: body[name] for name in body if name not in ("metrics_extra", "draft_content")} == {
        "extend": {
            "root_model": KEY_30,
            "m_video_commerce_info": benefit,
            "m_video_commerce_info_list": [benefit],
        },
        "submit_id": SUBMIT_ID,
        "http_common_info": {"aid": 513695},
    }
    assert draft == {
        "type": "draft",
        "id": draft["id"],
        "min_version": "3.0.5",
        "min_features": [],
        "is_from_tsn": True,
        "version": "3.3.9",
        "main_component_id": component["id"],
        "component_list": [component],
    }
    gen_video = component["abilities"]["gen_video"]
    params = gen_video["text_to_video_params"]
    (gen_input,) = params["video_gen_inputs"]
    assert component == {
        "type": "video_base_component",
        "id": component["id"],
        "min_version": "1.0.0",
        "aigc_mode": "workbench",
        "metadata": {
            "type": "",
            "id": component["metadata"]["id"],
            "created_platform": 3,
            "created_platform_version": "",
            "created_time_in_ms": "1757737934123",
            "created_did": "",
        },
        "generate_type": "gen_video",
        "process_type": 1,
        "abilities": {"type": "", "id": component["abilities"]["id"], "gen_video": gen_video},
    }
    assert gen_video == {
        "id": gen_video["id"],
        "type": "",
        "text_to_video_params": params,
        "video_task_extra": metrics,
    }
    assert params == {
        "type": "",
        "id": params["id"],
        "video_gen_inputs": [gen_input],
        "video_aspect_ratio": "9:16",
        "seed": 1234,
        "model_req_key": KEY_30,
        "priority": 0,
    }
    assert gen_input == {
        "type": "",
        "id": gen_input["id"],
        "min_version": "3.0.5",
        "prompt": "一只猫",
        "video_mode": 2,
        "fps": 24,
        "duration_ms": 10000,
        "resolution": "1080p",
        "idip_meta_list": [],
    }
    ids = [draft["id"], component["id"], component["metadata"]["id"], component["abilities"]["id"]]
    ids += [gen_video["id"], params["id"], gen_input["id"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.card.name)
def test_every_model_sends_its_key_and_what_it_is_charged_as(model: JimengModel) -> None:
    card = model.card
    request = VideoRequest(card.name, "x", duration=card.duration, ratio=card.ratio, resolution=card.resolution)
    body = build(request, model)
    draft = orjson.loads(body["draft_content"])
    params = draft["component_list"][0]["abilities"]["gen_video"]["text_to_video_params"]
    assert body["extend"]["root_model"] == params["model_req_key"] == card.key
    assert body["extend"]["m_video_commerce_info"]["benefit_type"] == model.benefit_type
    assert ("resolution" in params["video_gen_inputs"][0]) == bool(card.resolutions)
    assert params["video_gen_inputs"][0]["duration_ms"] == (card.duration or 0) * 1000


def test_the_text_fields_are_texts() -> None:
    body = build(VideoRequest("jimeng-video-3.0", "x"), BY_NAME["jimeng-video-3.0"])
    assert isinstance(body["draft_content"], str)
    assert isinstance(body["metrics_extra"], str)


def test_the_international_sites_have_their_own_aid() -> None:
    body = build(VideoRequest("jimeng-video-3.0", "x"), BY_NAME["jimeng-video-3.0"], "us")
    assert body["http_common_info"] == {"aid": 513641}


def test_a_raw_key_may_bring_its_own_benefit_type() -> None:
    request = VideoRequest("dreamina_seedance_45_pro", "x", options={"benefit_type": "seedance_25"})
    body = build(request, raw_key("dreamina_seedance_45_pro"))
    assert body["extend"]["root_model"] == "dreamina_seedance_45_pro"
    assert body["extend"]["m_video_commerce_info_list"][0]["benefit_type"] == "seedance_25"
