"""The body of a submit, from a settled request and what its inputs became by their upload. Pure: ids, seed and time
are arguments.

There are two ways to make a video: by frames, which is from text, a first and a last frame; and by references, which
are pictures, clips and sounds that the prompt may name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from providers.contract import MediaRole, VideoRequest
from providers.files import MediaKind
from providers.jimeng.models import JimengModel
from providers.jimeng.references import Material, meta_list
from providers.jimeng.regions import Region
from providers.jimeng.session import DA_VERSION
from providers.jimeng.upload_answers import Uploaded

_COMPONENT_MIN_VERSION = "1.0.0"
_FRAMES_PER_SECOND = 24
DEFAULT_SECONDS = 5
DEFAULT_RATIO = "16:9"
MAX_SEED = 2**32 - 1
BENEFIT_OPTION = "benefit_type"
"""The one of `options` that stands elsewhere than among the parameters."""

NewId = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Mode:
    """One of the two ways: the draft version that it needs, and its names."""

    min_version: str
    min_features: tuple[str, ...]
    function: str


FRAMES = Mode("3.0.5", (), "first_last_frames")
REFERENCES = Mode("3.3.9", ("AIGC_Video_UnifiedEdit",), "omni_reference")

_FRAME_FIELDS = {MediaRole.FIRST_FRAME: "first_frame_image", MediaRole.LAST_FRAME: "end_frame_image"}
_MATERIAL_TYPES = {MediaKind.IMAGE: 1, MediaKind.VIDEO: 2, MediaKind.AUDIO: 3}


def mode_of(request: VideoRequest) -> Mode:
    """References as soon as one input is something else than a frame: a frame beside it is then a reference, too."""
    return FRAMES if all(item.role in _FRAME_FIELDS for item in request.media) else REFERENCES


def submit_body(
    request: VideoRequest,
    model: JimengModel,
    region: Region,
    *,
    uploaded: Sequence[Uploaded] = (),
    submit_id: str,
    seed: int,
    now_ms: int,
    new_id: NewId,
) -> dict[str, Any]:
    """The JSON body of /mweb/v1/aigc_draft/generate.

    `uploaded` is what each of the request's media became, in their order. `submit_id` is the handle by which the task
    can be looked up later; `seed` is in [0, 2^32). `draft_content` and `metrics_extra` are JSON texts, not objects: the
    site refuses objects.
    """
    key = model.card.key
    mode = mode_of(request)
    charged_as = (mode is REFERENCES and model.reference_benefit) or model.benefit_type
    benefit = {
        "benefit_type": str(request.options.get(BENEFIT_OPTION) or charged_as),
        "resource_id": "generate_video",
        "resource_id_type": "str",
        "resource_sub_type": "aigc",
    }
    metrics = _text(_metrics(request, uploaded, key, mode, submit_id))
    gen_input = _gen_input(request, uploaded, mode, new_id)
    draft = _draft(request, gen_input, key, mode, metrics, seed=seed, now_ms=now_ms, new_id=new_id)
    return {
        "extend": {
            "root_model": key,
            "m_video_commerce_info": benefit,
            "m_video_commerce_info_list": [benefit],
        },
        "submit_id": submit_id,
        "metrics_extra": metrics,
        "draft_content": _text(draft),
        "http_common_info": {"aid": region.aid},
    }


def _metrics(
    request: VideoRequest, uploaded: Sequence[Uploaded], key: str, mode: Mode, submit_id: str
) -> dict[str, Any]:
    materials = uploaded if mode is REFERENCES else ()
    resolution = request.resolution
    scene = {
        "type": "video",
        "scene": "BasicVideoGenerateButton",
        **({"resolution": resolution} if resolution else {}),
        "modelReqKey": key,
        "videoDuration": request.duration or DEFAULT_SECONDS,
        "materialTypes": list(dict.fromkeys(_MATERIAL_TYPES[found.kind] for found in materials)),
        "reportParams": {
            "enterSource": "generate",
            "vipSource": "generate",
            "extraVipFunctionKey": f"{key}-{resolution}" if resolution else key,
            "useVipFunctionDetailsReporterHoc": True,
        },
    }
    return {
        "promptSource": "custom",
        "isDefaultSeed": 1,
        "originSubmitId": submit_id,
        "isRegenerate": False,
        "enterFrom": "click",
        "position": "page_bottom_box",
        "functionMode": mode.function,
        "sceneOptions": _text([scene]),
    }


def _gen_input(request: VideoRequest, uploaded: Sequence[Uploaded], mode: Mode, new_id: NewId) -> dict[str, Any]:
    by_references = mode is REFERENCES
    gen_input = {
        "type": "",
        "id": new_id(),
        "min_version": mode.min_version,
        "prompt": "" if by_references else request.prompt,
        "video_mode": 2,
        "fps": _FRAMES_PER_SECOND,
        "duration_ms": (request.duration or DEFAULT_SECONDS) * 1000,
        **({"resolution": request.resolution} if request.resolution else {}),
        "idip_meta_list": [],
    }
    if by_references:
        materials = [Material(found.kind, item.param) for item, found in zip(request.media, uploaded, strict=True)]
        gen_input["unified_edit_input"] = {
            "type": "",
            "id": new_id(),
            "material_list": [_material(found, new_id) for found in uploaded],
            "meta_list": meta_list(request.prompt, materials),
        }
        return gen_input
    for item, found in zip(request.media, uploaded, strict=True):
        if item.role:
            gen_input[_FRAME_FIELDS[item.role]] = _frame(found, new_id)
    return gen_input


def _frame(found: Uploaded, new_id: NewId) -> dict[str, Any]:
    return {
        "format": "",
        "height": 0,
        "id": new_id(),
        "image_uri": found.id,
        "name": "",
        "platform_type": 1,
        "source_from": "upload",
        "type": "image",
        "uri": found.id,
        "width": 0,
    }


def _material(found: Uploaded, new_id: NewId) -> dict[str, Any]:
    return {
        "type": "",
        "id": new_id(),
        "material_type": found.kind.value,
        f"{found.kind.value}_info": _MATERIAL_INFOS[found.kind](found, new_id),
    }


def _image_info(found: Uploaded, new_id: NewId) -> dict[str, Any]:
    return {
        "type": "image",
        "id": new_id(),
        "source_from": "upload",
        "platform_type": 1,
        "name": "",
        "image_uri": found.id,
        "width": found.width,
        "height": found.height,
        "format": found.format,
        "uri": found.id,
    }


def _video_info(found: Uploaded, new_id: NewId) -> dict[str, Any]:
    return {
        "type": "video",
        "id": new_id(),
        "source_from": "upload",
        "name": "",
        "vid": found.id,
        "fps": 0,
        "width": found.width,
        "height": found.height,
        "duration": found.milliseconds,
    }


def _audio_info(found: Uploaded, new_id: NewId) -> dict[str, Any]:
    return {
        "type": "audio",
        "source_from": "upload",
        "vid": found.id,
        "duration": found.milliseconds,
        "name": "",
    }


_MATERIAL_INFOS = {
    MediaKind.IMAGE: _image_info,
    MediaKind.VIDEO: _video_info,
    MediaKind.AUDIO: _audio_info,
}


def _draft(
    request: VideoRequest,
    gen_input: dict[str, Any],
    key: str,
    mode: Mode,
    metrics: str,
    *,
    seed: int,
    now_ms: int,
    new_id: NewId,
) -> dict[str, Any]:
    component_id = new_id()
    params = {
        "type": "",
        "id": new_id(),
        "video_gen_inputs": [gen_input],
        "video_aspect_ratio": request.ratio or DEFAULT_RATIO,
        "seed": seed,
        "model_req_key": key,
        "priority": 0,
        **{name: value for name, value in request.options.items() if name != BENEFIT_OPTION},
    }
    gen_video = {"id": new_id(), "type": "", "text_to_video_params": params, "video_task_extra": metrics}
    component = {
        "type": "video_base_component",
        "id": component_id,
        "min_version": _COMPONENT_MIN_VERSION,
        "aigc_mode": "workbench",
        "metadata": {
            "type": "",
            "id": new_id(),
            "created_platform": 3,
            "created_platform_version": "",
            "created_time_in_ms": str(now_ms),
            "created_did": "",
        },
        "generate_type": "gen_video",
        "process_type": 1,
        "abilities": {"type": "", "id": new_id(), "gen_video": gen_video},
    }
    return {
        "type": "draft",
        "id": new_id(),
        "min_version": mode.min_version,
        "min_features": list(mode.min_features),
        "is_from_tsn": True,
        "version": DA_VERSION,
        "main_component_id": component_id,
        "component_list": [component],
    }


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()
