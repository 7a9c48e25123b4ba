"""The table of the cross-check: prices, cards, and the request that each of them is to become."""

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from providers.contract.errors import ProviderError
from providers.contract.models import ModelCard
from providers.contract.requests import Media, VideoRequest
from providers.jimeng.configuration import parse_configuration
from providers.jimeng.draft import build_draft
from providers.jimeng.models import MODELS, name_of
from providers.jimeng.site.regions import REGIONS
from providers.jimeng.uploads.answers import Uploaded
from providers.media_files import MediaKind
from providers.validation import validate
from tests.providers.jimeng.files import clip, first_frame, last_frame, picture, reference, sound

RECORDED = Path(__file__).parent / "recorded"
VGFM = "dreamina_ic_generate_video_model_vgfm"
BASIC = "basic_video_operation_vgfm_v_three"
MAINLAND_AID, ABROAD_AID = 513695, 513641

# --- whole submits ----------------------------------------------------------------------------------------------

IMAGE = Uploaded(MediaKind.IMAGE, "tos-cn-i-x/1", 1280, 720, "png")
OTHER_IMAGE = Uploaded(MediaKind.IMAGE, "tos-cn-i-x/2", 1024, 1024, "jpeg")
CLIP = Uploaded(MediaKind.VIDEO, "v02aaa", 1280, 720, milliseconds=5042)
SOUND = Uploaded(MediaKind.AUDIO, "v02bbb", milliseconds=4000)
A_PICTURE, A_CLIP = reference(picture(), "image_file_1"), reference(clip(), "video_file_1")
A_SOUND = reference(sound(), "audio_file_1")


class Inputs(NamedTuple):
    """One way to make a video: what a client hands in, and what the uploads made of it."""

    media: tuple[Media, ...] = ()
    frames: tuple[Uploaded, ...] = ()
    materials: tuple[Uploaded, ...] = ()


WAYS: Mapping[str, Inputs] = {
    "text": Inputs(),
    "first": Inputs((first_frame(),), frames=(IMAGE,)),
    "first-last": Inputs((first_frame(), last_frame()), frames=(IMAGE, OTHER_IMAGE)),
    "picture": Inputs((A_PICTURE,), materials=(IMAGE,)),
    "picture-sound": Inputs((A_PICTURE, A_SOUND), materials=(IMAGE, SOUND)),
    "clip-picture-sound": Inputs((A_CLIP, A_PICTURE, A_SOUND), materials=(CLIP, IMAGE, SOUND)),
}


class Price(NamedTuple):
    """What a resolution in the site's spelling is charged as, without and with a clip."""

    resolution: str
    plain: str
    with_clip: str


def by_resolution(pattern: str, *resolutions: str) -> list[Price]:
    return [Price(one, pattern.format(one.lower()), pattern.format(one.lower())) for one in resolutions]


SEEDANCE_2_5 = [
    Price(one, f"seedance_25_{one}_no_input_video_output", f"seedance_25_{one}_output")
    for one in ("480p", "720p", "1080p")
]
DRAFT = [Price("480p", "seedance_25_draft_480p_no_input_video_output", "seedance_25_draft_480p_output")]
BOTH_SITES: Mapping[str, list[Price]] = {
    "dreamina_seedance_45_pro": SEEDANCE_2_5,
    "dreamina_seedance_45_pro_draft": DRAFT,
    "dreamina_seedance_40_mini": by_resolution("seedance_20_mini_{}_output", "720p"),
    f"{VGFM}_3.0_pro": [Price("1080p", f"{BASIC}_pro", f"{BASIC}_pro")],
    f"{VGFM}_3.0_fast": [Price("720p", BASIC, BASIC), Price("1080p", f"{BASIC}_1080", f"{BASIC}_1080")],
}
PRICES: Mapping[str, Mapping[str, list[Price]]] = {
    "cn": {
        **BOTH_SITES,
        "dreamina_seedance_40_pro": [
            Price("720p", "dreamina_video_seedance_20_pro", "dreamina_video_seedance_20_video_add")
        ],
        "dreamina_seedance_40": [Price("720p", "dreamina_seedance_20_fast", "dreamina_seedance_20_fast_with_video")],
        "dreamina_seedance_40_pro_vision": by_resolution("seedance_20_pro_{}_output", "720p", "1080p", "4k"),
        "dreamina_seedance_40_vision": by_resolution("seedance_20_fast_{}_output", "720p"),
        "dreamina_minimax_h3": by_resolution("minimax_h3_{}_output", "768P", "2K"),
        "dreamina_happyhorse_v1_1": by_resolution("happyhorse_11_{}_output", "720P", "1080P"),
        "dreamina_wan_30": by_resolution("wan_30_{}_output", "720P", "1080P"),
    },
    "abroad": {
        **BOTH_SITES,
        "dreamina_seedance_40_pro": by_resolution("seedance_20_pro_{}_output", "720p", "1080p", "4k"),
        "dreamina_seedance_40": by_resolution("seedance_20_fast_{}_output", "720p"),
        f"{VGFM}_3.5_pro": [
            Price(one, "dreamina_video_seedance_15_pro", "dreamina_video_seedance_15_pro") for one in ("720p", "1080p")
        ],
    },
}
"""The mainland list of 2026-09-30 with details of 2026-08-30, and that of Dreamina of 2026-08-30."""

WITHOUT_REFERENCES = {f"{VGFM}_3.5_pro", f"{VGFM}_3.0_pro", f"{VGFM}_3.0_fast"}


def prices_of(site: str) -> Mapping[str, list[Price]]:
    return PRICES["cn" if site == "cn" else "abroad"]


def cards_of(site: str) -> Iterator[tuple[str, ModelCard]]:
    """The cards of a site from the table, and from what was recorded of its configuration."""
    for card in MODELS:
        if site in card.regions:
            yield "table", card
    name = "configuration_mainland.json" if site == "cn" else "configuration_abroad.json"
    for model in parse_configuration(json.loads((RECORDED / name).read_text("utf-8"))["answer"]["data"]):
        yield "live", model.card(name_of(model.key))


EVERY_CARD = [
    pytest.param(site, card, id=f"{site}-{source}-{card.key}") for site in REGIONS for source, card in cards_of(site)
]
every_card = pytest.mark.parametrize(("site", "card"), EVERY_CARD)


def obj(**fields: Any) -> dict[str, Any]:
    """An object of a draft, as each is that has no type of its own."""
    return {"type": "", "id": "U", **fields}


def the_price(benefit: str, amount: int) -> dict[str, Any]:
    return {
        "resource_sub_type": "aigc",
        "resource_id_type": "str",
        "resource_id": "generate_video",
        "benefit_type": benefit,
        "amount": amount,
    }


def the_frame(found: Uploaded) -> dict[str, Any]:
    return {
        "type": "image",
        "id": "U",
        "source_from": "upload",
        "platform_type": 1,
        "name": "",
        "image_uri": found.id,
        "aigc_image": obj(),
        "width": found.width,
        "height": found.height,
        "format": "",
        "uri": found.id,
    }


def the_material(found: Uploaded) -> dict[str, Any]:
    info: dict[str, Any] = {"type": found.kind.value, "id": "U", "source_from": "upload", "name": ""}
    if found.kind is MediaKind.IMAGE:
        info = the_frame(found) | {"format": found.format, "title": ""}
    elif found.kind is MediaKind.VIDEO:
        size = {"width": found.width, "height": found.height}
        info |= {"vid": found.id, "fps": 0, **size, "duration": found.milliseconds, "cover_image_url": ""}
    else:
        info |= {"vid": found.id, "duration": found.milliseconds}
    return obj(material_type=found.kind.value, **{f"{found.kind.value}_info": info})


def the_input(inputs: Inputs, resolution: str, *, preview: bool) -> dict[str, Any]:
    """What the captures have for one video of five seconds."""
    made = obj(
        min_version="3.3.28" if preview else "3.3.9" if inputs.materials else "3.0.5",
        prompt="" if inputs.materials else "a cat",
        video_mode=2,
        fps=24,
        duration_ms=5000,
        resolution=resolution,
        idip_meta_list=[],
    )
    if preview:
        made["is_draft_mode"] = True
    for name, found in zip(("first_frame_image", "end_frame_image"), inputs.frames, strict=False):
        made[name] = the_frame(found)
    if len(inputs.frames) > 1:
        made["ending_control"] = "1.0"
    if inputs.materials:
        parts = [
            obj(meta_type=found.kind.value, text="", material_ref=obj(material_idx=index))
            for index, found in enumerate(inputs.materials)
        ]
        made["unified_edit_input"] = obj(
            material_list=[the_material(found) for found in inputs.materials],
            meta_list=[*parts, obj(meta_type="text", text="a cat")],
        )
    return made


def the_metrics(key: str, inputs: Inputs, resolution: str, *, preview: bool) -> dict[str, Any]:
    by_reference = bool(inputs.materials) or (not inputs.frames and key not in WITHOUT_REFERENCES)
    with_clip = CLIP in inputs.materials
    scene = {
        "type": "video",
        "scene": "BasicVideoGenerateButton",
        "resolution": resolution,
        "modelReqKey": key,
        "videoDuration": 5,
        "batchNumber": 1,
        "inputVideoDuration": 5 if with_clip else 0,
        "chargeInputVideoDuration": True,
        "isLongVideo": False,
        "hasInputVideo": with_clip,
        "useSeedanceFast5sFreeTrial": key == "dreamina_seedance_40_vision",
        "reportParams": {
            "enterSource": "generate",
            "vipSource": "generate",
            "extraVipFunctionKey": f"{key}-{resolution}",
            "useVipFunctionDetailsReporterHoc": True,
        },
        "materialTypes": [list(MediaKind).index(found.kind) + 1 for found in inputs.materials],
    }
    return {
        "isDefaultSeed": 1,
        "originSubmitId": "U",
        "isRegenerate": False,
        "enterFrom": "click",
        "position": "page_bottom_box",
        "promptType": "original_prompt",
        "functionMode": "omni_reference" if by_reference else "first_last_frames",
        "generatorFeature": "omniReference" if by_reference else "firstLastFrames",
        "batchNumber": 1,
        "submitGroupId": "U",
        "hasRejectedAudit": 0,
        "sceneOptions": [scene],
        **({"videoStage": "draft"} if preview else {}),
    }


def the_body(key: str, inputs: Inputs, price: Price, aid: int) -> dict[str, Any]:
    """A submit with its texts expanded and every fresh id as U."""
    preview, with_clip = key.endswith("_draft"), CLIP in inputs.materials
    charged = the_price(price.with_clip if with_clip else price.plain, 10 if with_clip else 5)
    features = ["AIGC_Video_UnifiedEdit"] if inputs.materials else []
    features += ["AIGC_Video_Seedance25ResultAction"] if preview else []
    gen_input = the_input(inputs, price.resolution, preview=preview)
    params = obj(video_gen_inputs=[gen_input], video_aspect_ratio="16:9", seed=7, model_req_key=key, priority=0)
    component = {
        "type": "video_base_component",
        "id": "U",
        "min_version": "1.0.0",
        "aigc_mode": "workbench",
        "metadata": obj(
            created_platform=3, created_platform_version="", created_time_in_ms="1790000000000", created_did=""
        ),
        "generate_type": "gen_video",
        "abilities": obj(gen_video=obj(text_to_video_params=params, video_task_extra="the metrics")),
        "process_type": 1,
    }
    return {
        "extend": {"root_model": key, "m_video_commerce_info": charged, "m_video_commerce_info_list": [charged]},
        "submit_id": "U",
        "metrics_extra": the_metrics(key, inputs, price.resolution, preview=preview),
        "draft_content": {
            "type": "draft",
            "id": "U",
            "min_version": gen_input["min_version"],
            "min_features": features,
            "is_from_tsn": True,
            "version": "3.3.28",
            "main_component_id": "U",
            "component_list": [component],
        },
        "http_common_info": {"aid": aid},
    }


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _with_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_ids(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_ids(item) for item in value]
    return "U" if isinstance(value, str) and _UUID.fullmatch(value) else value


def expanded(body: Mapping[str, Any]) -> Any:
    """The body with its four texts opened; each has to be a text."""
    found = dict(body)
    draft, metrics = orjson.loads(found["draft_content"]), orjson.loads(found["metrics_extra"])
    metrics["sceneOptions"] = orjson.loads(metrics["sceneOptions"])
    (component,) = draft["component_list"]
    assert draft["main_component_id"] == component["id"]
    gen_video = component["abilities"]["gen_video"]
    assert gen_video["video_task_extra"] == found["metrics_extra"]
    gen_video["video_task_extra"] = "the metrics"
    return _with_ids(found | {"draft_content": draft, "metrics_extra": metrics})


def built(site: str, card: ModelCard, inputs: Inputs, resolution: str | None) -> Any:
    """The body that the provider makes, expanded; None where the model takes no such inputs."""
    request = VideoRequest(card.name, "a cat", resolution=resolution, media=inputs.media, seed=7)
    try:
        validated = validate(card, request)
    except ProviderError:
        return None
    return expanded(
        build_draft(
            validated,
            card,
            REGIONS[site],
            uploaded=inputs.frames or inputs.materials,
            seed=7,
            now_ms=1790000000000,
            new_id=lambda: str(uuid.uuid4()),
        ).body(str(uuid.uuid4()))
    )
