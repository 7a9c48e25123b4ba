"""The body of a submit, against the wire."""

import itertools
from typing import Any

import orjson
import pytest

from providers.contract import Media, MediaRole, VideoRequest
from providers.files import MediaKind
from providers.jimeng.draft import FRAMES, REFERENCES, mode_of, submit_body
from providers.jimeng.models import MODELS, JimengModel, raw_key
from providers.jimeng.regions import REGIONS
from providers.jimeng.upload_answers import Uploaded
from tests.providers.jimeng.files import clip, first_frame, last_frame, picture, reference, sound

SUBMIT_ID = "0b5b6c3e-9d6f-5d5e-8d5e-1f2e3d4c5b6a"
BY_NAME = {model.card.name: model for model in MODELS}
KEY_30 = "dreamina_ic_generate_video_model_vgfm_3.0"


def build(
    request: VideoRequest, model: JimengModel, region: str = "cn", uploaded: tuple[Uploaded, ...] = ()
) -> dict[str, Any]:
    ids = (f"id-{number}" for number in itertools.count())
    return submit_body(
        request,
        model,
        REGIONS[region],
        uploaded=uploaded,
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


# --- inputs -----------------------------------------------------------------------------------------------------

SEEDANCE = "jimeng-video-seedance-2.0"
IMAGE = Uploaded(MediaKind.IMAGE, "tos-cn-i-x/1", 8, 6, "png")
OTHER_IMAGE = Uploaded(MediaKind.IMAGE, "tos-cn-i-x/2", 16, 9, "jpeg")
CLIP = Uploaded(MediaKind.VIDEO, "v1", 1280, 720, milliseconds=5042)
SOUND = Uploaded(MediaKind.AUDIO, "v2", milliseconds=3000)


def opened(body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The draft, its one input, the metrics and the scene of a body."""
    draft, metrics = orjson.loads(body["draft_content"]), orjson.loads(body["metrics_extra"])
    (gen_input,) = draft["component_list"][0]["abilities"]["gen_video"]["text_to_video_params"]["video_gen_inputs"]
    (scene,) = orjson.loads(metrics["sceneOptions"])
    return draft, gen_input, metrics, scene


def ids_of(value: Any) -> list[str]:
    if isinstance(value, list):
        return [id for item in value for id in ids_of(item)]
    if isinstance(value, dict):
        return [id for item in value.values() for id in ids_of(item)] + ([value["id"]] if "id" in value else [])
    return []


def frame(found: Uploaded, id: str) -> dict[str, Any]:
    return {
        "format": "",
        "height": 0,
        "id": id,
        "image_uri": found.id,
        "name": "",
        "platform_type": 1,
        "source_from": "upload",
        "type": "image",
        "uri": found.id,
        "width": 0,
    }


def test_frames_stand_beside_the_prompt() -> None:
    request = VideoRequest("jimeng-video-3.0", "跑", duration=5, media=(first_frame(), last_frame()))
    draft, gen_input, metrics, scene = opened(
        build(request, BY_NAME["jimeng-video-3.0"], uploaded=(IMAGE, OTHER_IMAGE))
    )
    first, last = gen_input["first_frame_image"], gen_input["end_frame_image"]
    assert first == frame(IMAGE, first["id"])
    assert last == frame(OTHER_IMAGE, last["id"])
    assert gen_input["prompt"] == "跑"
    assert gen_input["min_version"] == draft["min_version"] == "3.0.5"
    assert draft["min_features"] == []
    assert metrics["functionMode"] == "first_last_frames"
    assert scene["materialTypes"] == []
    ids = ids_of(draft)
    assert len(set(ids)) == len(ids)


def test_one_frame_alone() -> None:
    request = VideoRequest("jimeng-video-3.0", media=(first_frame(),))
    _, gen_input, _, _ = opened(build(request, BY_NAME["jimeng-video-3.0"], uploaded=(IMAGE,)))
    assert gen_input["first_frame_image"]["uri"] == IMAGE.id
    assert "end_frame_image" not in gen_input
    assert "unified_edit_input" not in gen_input


def test_the_last_frame_may_come_first() -> None:
    request = VideoRequest("jimeng-video-3.0", media=(last_frame(), first_frame()))
    _, gen_input, _, _ = opened(build(request, BY_NAME["jimeng-video-3.0"], uploaded=(IMAGE, OTHER_IMAGE)))
    assert gen_input["end_frame_image"]["uri"] == IMAGE.id
    assert gen_input["first_frame_image"]["uri"] == OTHER_IMAGE.id


REFERENCE_MEDIA = (
    reference(picture(), "image_file_1"),
    reference(clip(), "video_file_1"),
    reference(picture(colour="blue"), "image_file_3"),
    reference(sound(), "audio_url"),
)


def test_references_are_materials_and_the_prompt_is_cut_at_its_marks() -> None:
    request = VideoRequest(SEEDANCE, "@image_file_3像@视频1", duration=5, media=REFERENCE_MEDIA)
    draft, gen_input, metrics, scene = opened(
        build(request, BY_NAME[SEEDANCE], uploaded=(IMAGE, CLIP, OTHER_IMAGE, SOUND))
    )
    unified = gen_input["unified_edit_input"]
    materials = unified["material_list"]
    assert gen_input == {
        "type": "",
        "id": gen_input["id"],
        "min_version": "3.3.9",
        "prompt": "",
        "video_mode": 2,
        "fps": 24,
        "duration_ms": 5000,
        "idip_meta_list": [],
        "unified_edit_input": {
            "type": "",
            "id": unified["id"],
            "material_list": materials,
            "meta_list": [
                {"meta_type": "image", "text": "", "material_ref": {"material_idx": 2}},
                {"meta_type": "text", "text": "像"},
                {"meta_type": "video", "text": "", "material_ref": {"material_idx": 1}},
            ],
        },
    }
    assert materials == [
        {
            "type": "",
            "id": materials[0]["id"],
            "material_type": "image",
            "image_info": {
                "type": "image",
                "id": materials[0]["image_info"]["id"],
                "source_from": "upload",
                "platform_type": 1,
                "name": "",
                "image_uri": "tos-cn-i-x/1",
                "width": 8,
                "height": 6,
                "format": "png",
                "uri": "tos-cn-i-x/1",
            },
        },
        {
            "type": "",
            "id": materials[1]["id"],
            "material_type": "video",
            "video_info": {
                "type": "video",
                "id": materials[1]["video_info"]["id"],
                "source_from": "upload",
                "name": "",
                "vid": "v1",
                "fps": 0,
                "width": 1280,
                "height": 720,
                "duration": 5042,
            },
        },
        materials[2],
        {
            "type": "",
            "id": materials[3]["id"],
            "material_type": "audio",
            "audio_info": {"type": "audio", "source_from": "upload", "vid": "v2", "duration": 3000, "name": ""},
        },
    ]
    assert draft["min_version"] == "3.3.9"
    assert draft["min_features"] == ["AIGC_Video_UnifiedEdit"]
    assert metrics["functionMode"] == "omni_reference"
    assert scene["materialTypes"] == [1, 2, 3]
    ids = ids_of(draft)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("model", "benefit"),
    [
        (SEEDANCE, "dreamina_video_seedance_20_video_add"),
        ("jimeng-video-seedance-2.0-fast", "dreamina_seedance_20_fast_with_video"),
    ],
)
def test_references_are_charged_as_such_unless_the_options_say_otherwise(model: str, benefit: str) -> None:
    def charged(request: VideoRequest, *uploaded: Uploaded) -> str:
        body = build(request, BY_NAME[model], uploaded=uploaded)
        return str(body["extend"]["m_video_commerce_info"]["benefit_type"])

    by_reference = VideoRequest(model, media=REFERENCE_MEDIA[:1])
    assert charged(by_reference, IMAGE) == benefit
    assert charged(VideoRequest(model, media=(first_frame(),)), IMAGE) == BY_NAME[model].benefit_type
    options = {"benefit_type": "of_my_own"}
    assert charged(VideoRequest(model, media=REFERENCE_MEDIA[:1], options=options), IMAGE) == "of_my_own"


def test_a_raw_key_has_one_benefit_for_both() -> None:
    model = raw_key("dreamina_seedance_45_pro")
    body = build(VideoRequest("dreamina_seedance_45_pro", media=REFERENCE_MEDIA[:1]), model, uploaded=(IMAGE,))
    assert body["extend"]["m_video_commerce_info"]["benefit_type"] == model.benefit_type


@pytest.mark.parametrize(
    ("roles", "mode"),
    [
        ((), FRAMES),
        (("first_frame",), FRAMES),
        (("first_frame", "last_frame"), FRAMES),
        (("reference_image",), REFERENCES),
        (("first_frame", "reference_video"), REFERENCES),
        (("first_frame", "last_frame", "reference_image"), REFERENCES),
        (("video",), REFERENCES),
        ((None,), REFERENCES),
    ],
)
def test_anything_but_frames_is_a_reference(roles: tuple[str | None, ...], mode: object) -> None:
    media = tuple(Media(MediaKind.IMAGE, "", "x", MediaRole(role) if role else None) for role in roles)
    assert mode_of(VideoRequest("m", media=media)) is mode
