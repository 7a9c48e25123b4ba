"""The body of a submit, from a settled request. Pure: ids, seed and time are arguments."""

from collections.abc import Callable
from typing import Any

import orjson

from providers.contract import VideoRequest
from providers.jimeng.models import JimengModel
from providers.jimeng.regions import Region
from providers.jimeng.session import DA_VERSION

_MIN_VERSION = "3.0.5"
_COMPONENT_MIN_VERSION = "1.0.0"
_FRAMES_PER_SECOND = 24
DEFAULT_SECONDS = 5
DEFAULT_RATIO = "16:9"
MAX_SEED = 2**32 - 1
BENEFIT_OPTION = "benefit_type"
"""The one of `options` that stands elsewhere than among the parameters."""


def submit_body(
    request: VideoRequest,
    model: JimengModel,
    region: Region,
    *,
    submit_id: str,
    seed: int,
    now_ms: int,
    new_id: Callable[[], str],
) -> dict[str, Any]:
    """The JSON body of /mweb/v1/aigc_draft/generate.

    `submit_id` is the handle by which the task can be looked up later; `seed` is in [0, 2^32). `draft_content` and
    `metrics_extra` are JSON texts, not objects: the site refuses objects.
    """
    key = model.card.key
    benefit = {
        "benefit_type": str(request.options.get(BENEFIT_OPTION) or model.benefit_type),
        "resource_id": "generate_video",
        "resource_id_type": "str",
        "resource_sub_type": "aigc",
    }
    metrics = _text(_metrics(request, key, submit_id))
    draft = _draft(request, key, metrics, seed=seed, now_ms=now_ms, new_id=new_id)
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


def _metrics(request: VideoRequest, key: str, submit_id: str) -> dict[str, Any]:
    resolution = request.resolution
    scene = {
        "type": "video",
        "scene": "BasicVideoGenerateButton",
        **({"resolution": resolution} if resolution else {}),
        "modelReqKey": key,
        "videoDuration": request.duration or DEFAULT_SECONDS,
        "materialTypes": [],
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
        "functionMode": "first_last_frames",
        "sceneOptions": _text([scene]),
    }


def _draft(
    request: VideoRequest, key: str, metrics: str, *, seed: int, now_ms: int, new_id: Callable[[], str]
) -> dict[str, Any]:
    component_id = new_id()
    gen_input = {
        "type": "",
        "id": new_id(),
        "min_version": _MIN_VERSION,
        "prompt": request.prompt,
        "video_mode": 2,
        "fps": _FRAMES_PER_SECOND,
        "duration_ms": (request.duration or DEFAULT_SECONDS) * 1000,
        **({"resolution": request.resolution} if request.resolution else {}),
        "idip_meta_list": [],
    }
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
        "min_version": _MIN_VERSION,
        "min_features": [],
        "is_from_tsn": True,
        "version": DA_VERSION,
        "main_component_id": component_id,
        "component_list": [component],
    }


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()
