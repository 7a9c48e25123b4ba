"""The body of a submit, against the wire as captured on the mainland site, 2026-09-18 to 2026-10-09."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest

from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.contract.requests import Media, VideoRequest
from providers.jimeng.draft import FRAMES, REFERENCES, build_draft, mode_of, wire_of
from providers.jimeng.models import MODELS, raw_key
from providers.jimeng.site.regions import REGIONS
from providers.jimeng.uploads.answers import Uploaded
from providers.media_files import MediaKind
from providers.validation import validate
from tests.providers.jimeng.files import clip, first_frame, last_frame, picture, reference, sound

SUBMIT_ID = "0b5b6c3e-9d6f-5d5e-8d5e-1f2e3d4c5b6a"
CARDS = {card.name: card for card in reversed(MODELS) if "cn" in card.regions}
ABROAD = {card.name: card for card in reversed(MODELS) if "sg" in card.regions}
SEEDANCE_2_5, SEEDANCE, FAST_3 = "jimeng-video-seedance-2.5", "jimeng-video-seedance-2.0", "jimeng-video-3.0-fast"
KEY_2_5, KEY_FAST_3 = "dreamina_seedance_45_pro", "dreamina_ic_generate_video_model_vgfm_3.0_fast"


def build(
    request: VideoRequest,
    card: ModelCard | None = None,
    region: str = "cn",
    uploaded: Sequence[Uploaded] = (),
    **options: Any,
) -> dict[str, Any]:
    """The body of a request, settled against its card."""
    card = card or CARDS[request.model]
    ids = (f"id-{number}" for number in itertools.count())
    return build_draft(
        validate(card, request),
        card,
        REGIONS[region],
        uploaded=uploaded,
        seed=1234,
        now_ms=1757737934123,
        new_id=lambda: next(ids),
        **options,
    ).body(SUBMIT_ID)


def price(benefit: str, amount: int) -> dict[str, Any]:
    return {
        "resource_sub_type": "aigc",
        "resource_id_type": "str",
        "resource_id": "generate_video",
        "benefit_type": benefit,
        "amount": amount,
    }


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


def without_ids(value: Any) -> Any:
    """The value with the fresh ids of its objects taken out, which are looked at by themselves."""
    if isinstance(value, list):
        return [without_ids(item) for item in value]
    if isinstance(value, dict):
        return {name: without_ids(item) for name, item in value.items() if name != "id"}
    return value


def test_whole_body_from_text_with_seedance_2_5() -> None:
    body = build(VideoRequest(SEEDANCE_2_5, "a cat", ratio="16:9"))
    benefit = price("seedance_25_720p_no_input_video_output", 5)
    draft, _, metrics, scene = opened(body)
    assert {name: body[name] for name in body if name not in ("metrics_extra", "draft_content")} == {
        "extend": {
            "root_model": KEY_2_5,
            "m_video_commerce_info": benefit,
            "m_video_commerce_info_list": [benefit],
        },
        "submit_id": SUBMIT_ID,
        "http_common_info": {"aid": 513695},
    }
    assert metrics == {
        "isDefaultSeed": 1,
        "originSubmitId": SUBMIT_ID,
        "isRegenerate": False,
        "enterFrom": "click",
        "position": "page_bottom_box",
        "promptType": "original_prompt",
        "functionMode": "omni_reference",
        "generatorFeature": "omniReference",
        "batchNumber": 1,
        "submitGroupId": metrics["submitGroupId"],
        "hasRejectedAudit": 0,
        "sceneOptions": metrics["sceneOptions"],
    }
    assert scene == {
        "type": "video",
        "scene": "BasicVideoGenerateButton",
        "resolution": "720p",
        "modelReqKey": KEY_2_5,
        "videoDuration": 5,
        "batchNumber": 1,
        "inputVideoDuration": 0,
        "chargeInputVideoDuration": True,
        "isLongVideo": False,
        "hasInputVideo": False,
        "useSeedanceFast5sFreeTrial": False,
        "reportParams": {
            "enterSource": "generate",
            "vipSource": "generate",
            "extraVipFunctionKey": f"{KEY_2_5}-720p",
            "useVipFunctionDetailsReporterHoc": True,
        },
        "materialTypes": [],
    }
    component = draft["component_list"][0]
    assert draft["main_component_id"] == component["id"]
    assert component["abilities"]["gen_video"]["video_task_extra"] == body["metrics_extra"]
    assert without_ids(draft) == {
        "type": "draft",
        "min_version": "3.0.5",
        "min_features": [],
        "is_from_tsn": True,
        "version": "3.3.28",
        "main_component_id": component["id"],
        "component_list": [
            {
                "type": "video_base_component",
                "min_version": "1.0.0",
                "aigc_mode": "workbench",
                "metadata": {
                    "type": "",
                    "created_platform": 3,
                    "created_platform_version": "",
                    "created_time_in_ms": "1757737934123",
                    "created_did": "",
                },
                "generate_type": "gen_video",
                "process_type": 1,
                "abilities": {
                    "type": "",
                    "gen_video": {
                        "type": "",
                        "text_to_video_params": {
                            "type": "",
                            "video_gen_inputs": [
                                {
                                    "type": "",
                                    "min_version": "3.0.5",
                                    "prompt": "a cat",
                                    "video_mode": 2,
                                    "fps": 24,
                                    "duration_ms": 5000,
                                    "resolution": "720p",
                                    "idip_meta_list": [],
                                }
                            ],
                            "video_aspect_ratio": "16:9",
                            "seed": 1234,
                            "model_req_key": KEY_2_5,
                            "priority": 0,
                        },
                        "video_task_extra": body["metrics_extra"],
                    },
                },
            }
        ],
    }
    ids = ids_of(draft)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("card", MODELS, ids=lambda card: f"{card.name}-{len(card.regions)}")
def test_every_model_sends_its_key_its_resolution_and_what_it_is_charged_as(card: ModelCard) -> None:
    for resolution in card.resolutions:
        body = build(VideoRequest(card.name, "x", resolution=resolution), card)
        draft, gen_input, _, scene = opened(body)
        params = draft["component_list"][0]["abilities"]["gen_video"]["text_to_video_params"]
        assert body["extend"]["root_model"] == params["model_req_key"] == card.key
        charged = body["extend"]["m_video_commerce_info"]["benefit_type"]
        assert charged == wire_of(card).benefits.of(resolution, clip=False)
        assert gen_input["resolution"] == scene["resolution"] == wire_of(card).resolutions[resolution]
        assert gen_input["duration_ms"] == (card.duration or 0) * 1000


def test_model_without_the_reference_mode_names_the_other_form() -> None:
    _, _, metrics, _ = opened(build(VideoRequest(FAST_3, "x")))
    assert (metrics["functionMode"], metrics["generatorFeature"]) == ("first_last_frames", "firstLastFrames")


def test_third_parties_spell_their_resolution_in_capitals() -> None:
    _, gen_input, _, _ = opened(build(VideoRequest("jimeng-video-minimax-h3", "x", resolution="2k")))
    assert gen_input["resolution"] == "2K"


def test_preview_of_seedance_2_5_is_a_draft_of_its_own() -> None:
    body = build(VideoRequest("jimeng-video-seedance-2.5-draft", "x"))
    draft, gen_input, metrics, _ = opened(body)
    assert body["extend"]["m_video_commerce_info"] == price("seedance_25_draft_480p_no_input_video_output", 5)
    assert draft["min_version"] == gen_input["min_version"] == "3.3.28"
    assert draft["min_features"] == ["AIGC_Video_Seedance25ResultAction"]
    assert (gen_input["is_draft_mode"], gen_input["resolution"], metrics["videoStage"]) == (True, "480p", "draft")


def test_only_the_fast_vip_model_asks_for_the_free_trial() -> None:
    asking = {name for name in CARDS if opened(build(VideoRequest(name, "x")))[3]["useSeedanceFast5sFreeTrial"]}
    assert asking == {"jimeng-video-seedance-2.0-fast-vip"}


def test_draft_version_can_be_raised() -> None:
    draft, gen_input, _, _ = opened(build(VideoRequest(FAST_3, "x"), draft_version="3.4.1"))
    assert (draft["version"], draft["min_version"], gen_input["min_version"]) == ("3.4.1", "3.0.5", "3.0.5")


def test_text_fields_are_texts() -> None:
    body = build(VideoRequest(FAST_3, "x"))
    assert isinstance(body["draft_content"], str)
    assert isinstance(body["metrics_extra"], str)


def test_international_sites_have_their_own_aid() -> None:
    body = build(VideoRequest(FAST_3, "x"), region="us")
    assert body["http_common_info"] == {"aid": 513641}


def test_raw_key_may_bring_its_own_benefit_type() -> None:
    request = VideoRequest("dreamina_new", "x", options={"benefit_type": "seedance_25"})
    body = build(request, raw_key("dreamina_new"))
    assert body["extend"]["root_model"] == "dreamina_new"
    assert body["extend"]["m_video_commerce_info_list"][0]["benefit_type"] == "seedance_25"


# --- inputs -----------------------------------------------------------------------------------------------------

IMAGE = Uploaded(MediaKind.IMAGE, "tos-cn-i-x/1", 8, 6, "png")
OTHER_IMAGE = Uploaded(MediaKind.IMAGE, "tos-cn-i-x/2", 16, 9, "jpeg")
CLIP = Uploaded(MediaKind.VIDEO, "v1", 1280, 720, milliseconds=5042)
SOUND = Uploaded(MediaKind.AUDIO, "v2", milliseconds=3000)


def frame(found: Uploaded) -> dict[str, Any]:
    return {
        "type": "image",
        "source_from": "upload",
        "platform_type": 1,
        "name": "",
        "image_uri": found.id,
        "aigc_image": {"type": ""},
        "width": found.width,
        "height": found.height,
        "format": "",
        "uri": found.id,
    }


def test_frames_stand_beside_the_prompt() -> None:
    request = VideoRequest(SEEDANCE, "跑", duration=5, media=(first_frame(), last_frame()))
    draft, gen_input, metrics, scene = opened(build(request, uploaded=(IMAGE, OTHER_IMAGE)))
    assert without_ids(gen_input["first_frame_image"]) == frame(IMAGE)
    assert without_ids(gen_input["end_frame_image"]) == frame(OTHER_IMAGE)
    assert gen_input["ending_control"] == "1.0"
    assert gen_input["prompt"] == "跑"
    assert gen_input["min_version"] == draft["min_version"] == "3.0.5"
    assert draft["min_features"] == []
    assert (metrics["functionMode"], metrics["generatorFeature"]) == ("first_last_frames", "firstLastFrames")
    assert scene["materialTypes"] == []
    ids = ids_of(draft)
    assert len(set(ids)) == len(ids)


def test_one_frame_alone_has_no_ending() -> None:
    _, gen_input, _, _ = opened(build(VideoRequest(FAST_3, media=(first_frame(),)), uploaded=(IMAGE,)))
    assert gen_input["first_frame_image"]["uri"] == IMAGE.id
    assert not {"end_frame_image", "ending_control", "unified_edit_input"} & gen_input.keys()


def test_first_frame_goes_before_a_last_frame_that_came_first() -> None:
    request = VideoRequest(FAST_3, media=(last_frame(), first_frame()))
    _, gen_input, _, _ = opened(build(request, uploaded=(IMAGE, OTHER_IMAGE)))
    assert gen_input["first_frame_image"]["uri"] == IMAGE.id
    assert gen_input["end_frame_image"]["uri"] == OTHER_IMAGE.id


REFERENCE_MEDIA = (
    reference(picture(), "image_file_1"),
    reference(clip(), "video_file_1"),
    reference(picture(colour="blue"), "image_file_3"),
    reference(sound(), "audio_url"),
)


def test_prompt_of_frames_has_a_word_for_each_reference() -> None:
    frame = replace(first_frame(), name="cat.png")
    _, gen_input, _, _ = opened(build(VideoRequest(SEEDANCE, "@cat.png 走向镜头", media=(frame,)), uploaded=(IMAGE,)))
    assert gen_input["prompt"] == "图片 走向镜头"


def test_references_are_materials_and_the_prompt_is_split_at_its_tags() -> None:
    request = VideoRequest(SEEDANCE, "@image_file_3像@视频1", duration=5, media=REFERENCE_MEDIA)
    body = build(request, uploaded=(IMAGE, CLIP, OTHER_IMAGE, SOUND))
    draft, gen_input, metrics, scene = opened(body)
    materials = gen_input["unified_edit_input"]["material_list"]
    assert without_ids(gen_input) == {
        "type": "",
        "min_version": "3.3.9",
        "prompt": "",
        "video_mode": 2,
        "fps": 24,
        "duration_ms": 5000,
        "resolution": "720p",
        "idip_meta_list": [],
        "unified_edit_input": {
            "type": "",
            "material_list": without_ids(materials),
            "meta_list": [
                # Materials that the prompt does not name lead.
                {"type": "", "meta_type": "image", "text": "", "material_ref": {"type": "", "material_idx": 0}},
                {"type": "", "meta_type": "audio", "text": "", "material_ref": {"type": "", "material_idx": 3}},
                {"type": "", "meta_type": "image", "text": "", "material_ref": {"type": "", "material_idx": 2}},
                {"type": "", "meta_type": "text", "text": "像"},
                {"type": "", "meta_type": "video", "text": "", "material_ref": {"type": "", "material_idx": 1}},
            ],
        },
    }
    image, video, _, audio = without_ids(materials)
    assert image == {
        "type": "",
        "material_type": "image",
        "image_info": {
            "type": "image",
            "source_from": "upload",
            "platform_type": 1,
            "name": "",
            "image_uri": "tos-cn-i-x/1",
            "aigc_image": {"type": ""},
            "width": 8,
            "height": 6,
            "format": "png",
            "title": "",
            "uri": "tos-cn-i-x/1",
        },
    }
    assert video == {
        "type": "",
        "material_type": "video",
        "video_info": {
            "type": "video",
            "source_from": "upload",
            "name": "",
            "vid": "v1",
            "fps": 0,
            "width": 1280,
            "height": 720,
            "duration": 5042,
            "cover_image_url": "",
        },
    }
    assert audio == {
        "type": "",
        "material_type": "audio",
        "audio_info": {"type": "audio", "source_from": "upload", "vid": "v2", "duration": 3000, "name": ""},
    }
    assert draft["min_version"] == "3.3.9"
    assert draft["min_features"] == ["AIGC_Video_UnifiedEdit"]
    assert metrics["functionMode"] == "omni_reference"
    assert scene["materialTypes"] == [1, 2, 1, 3]
    assert (scene["hasInputVideo"], scene["inputVideoDuration"]) == (True, 5)
    # The length of the video and of its clip.
    assert body["extend"]["m_video_commerce_info"]["amount"] == 10
    ids = ids_of(draft)
    assert len(set(ids)) == len(ids)


def test_references_without_a_tag_lead_the_text() -> None:
    request = VideoRequest(SEEDANCE, "let the person sing", media=REFERENCE_MEDIA)
    _, gen_input, _, _ = opened(build(request, uploaded=(IMAGE, CLIP, OTHER_IMAGE, SOUND)))
    metas = gen_input["unified_edit_input"]["meta_list"]
    assert [meta["meta_type"] for meta in metas] == ["image", "video", "image", "audio", "text"]
    assert metas[-1]["text"] == "let the person sing"


@pytest.mark.parametrize(
    ("name", "resolution", "plain", "with_clip"),
    [
        (SEEDANCE, None, "dreamina_video_seedance_20_pro", "dreamina_video_seedance_20_video_add"),
        (f"{SEEDANCE}-fast", None, "dreamina_seedance_20_fast", "dreamina_seedance_20_fast_with_video"),
        (f"{SEEDANCE}-mini", None, "seedance_20_mini_720p_output", "seedance_20_mini_720p_output"),
        (f"{SEEDANCE}-vip", "4k", "seedance_20_pro_4k_output", "seedance_20_pro_4k_output"),
        (SEEDANCE_2_5, "1080p", "seedance_25_1080p_no_input_video_output", "seedance_25_1080p_output"),
    ],
)
def test_only_a_video_is_charged_as_one(name: str, resolution: str | None, plain: str, with_clip: str) -> None:
    def charged(*media: Media, uploaded: tuple[Uploaded, ...] = (), options: dict[str, Any] | None = None) -> str:
        request = VideoRequest(name, "x", resolution=resolution, media=media, options=options or {})
        return str(build(request, uploaded=uploaded)["extend"]["m_video_commerce_info"]["benefit_type"])

    assert charged() == plain
    assert charged(first_frame(), uploaded=(IMAGE,)) == plain
    assert charged(REFERENCE_MEDIA[0], uploaded=(IMAGE,)) == plain
    assert charged(*REFERENCE_MEDIA[:2], uploaded=(IMAGE, CLIP)) == with_clip
    options = {"benefit_type": "of_my_own"}
    assert charged(*REFERENCE_MEDIA[:2], uploaded=(IMAGE, CLIP), options=options) == "of_my_own"


def test_sites_abroad_price_seedance_2_0_by_resolution() -> None:
    card = ABROAD[SEEDANCE]
    body = build(VideoRequest(SEEDANCE, "x", resolution="1080p"), card, "sg")
    assert body["extend"]["m_video_commerce_info"]["benefit_type"] == "seedance_20_pro_1080p_output"


def test_preview_from_references_needs_the_features_of_both() -> None:
    request = VideoRequest("jimeng-video-seedance-2.5-draft", "x", media=REFERENCE_MEDIA[:1])
    draft, _, _, _ = opened(build(request, uploaded=(IMAGE,)))
    assert draft["min_features"] == ["AIGC_Video_UnifiedEdit", "AIGC_Video_Seedance25ResultAction"]


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
