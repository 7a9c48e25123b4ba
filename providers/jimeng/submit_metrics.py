"""The metrics of a submit: what the site's page reports of its form. Pure.

They have no known effect, and are sent twice: in `metrics_extra` and in the draft's `video_task_extra`. Forms as
captured on the mainland site, 2026-09-20.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from providers.contract.requests import VideoRequest
from providers.jimeng.site_model import SECONDS, ModelWire
from providers.jimeng.uploads.answers import Uploaded
from providers.media_files import MediaKind


class _Form(NamedTuple):
    """The names of one form of the page."""

    function: str
    feature: str


_BY_FRAMES = _Form("first_last_frames", "firstLastFrames")
_BY_REFERENCE = _Form("omni_reference", "omniReference")

_MATERIAL_TYPES = {MediaKind.IMAGE: 1, MediaKind.VIDEO: 2, MediaKind.AUDIO: 3}
_FREE_TRIAL_KEY = "dreamina_seedance_40_vision"
"""The one model of which the page asks for a free trial."""


def metrics_of(
    request: VideoRequest,
    key: str,
    wire: ModelWire,
    uploaded: Sequence[Uploaded],
    resolution: str | None,
    *,
    by_reference: bool,
    group_id: str,
) -> dict[str, Any]:
    """The metrics as an object. `resolution` is in the site's spelling. `by_reference` says that the form is that of
    the reference mode, which a model that has this mode shows for text alone as well. `originSubmitId` is left empty:
    each submit has its own."""
    form = _BY_REFERENCE if by_reference else _BY_FRAMES
    scene = _scene(request, key, uploaded if by_reference else (), resolution)
    return {
        "isDefaultSeed": 1,
        "originSubmitId": "",
        "isRegenerate": False,
        "enterFrom": "click",
        "position": "page_bottom_box",
        "promptType": "original_prompt",
        "functionMode": form.function,
        "generatorFeature": form.feature,
        "batchNumber": 1,
        "submitGroupId": group_id,
        "hasRejectedAudit": 0,
        **({"videoStage": "draft"} if wire.draft_mode else {}),
        "sceneOptions": orjson.dumps([scene]).decode(),
    }


def _scene(request: VideoRequest, key: str, materials: Sequence[Uploaded], resolution: str | None) -> dict[str, Any]:
    clips = [found.milliseconds for found in materials if found.kind is MediaKind.VIDEO]
    return {
        "type": "video",
        "scene": "BasicVideoGenerateButton",
        **({"resolution": resolution} if resolution else {}),
        "modelReqKey": key,
        "videoDuration": request.duration or SECONDS,
        "batchNumber": 1,
        "inputVideoDuration": round(sum(clips) / 1000),
        "chargeInputVideoDuration": True,
        "isLongVideo": False,
        "hasInputVideo": bool(clips),
        "useSeedanceFast5sFreeTrial": key == _FREE_TRIAL_KEY,
        "reportParams": {
            "enterSource": "generate",
            "vipSource": "generate",
            "extraVipFunctionKey": f"{key}-{resolution}" if resolution else key,
            "useVipFunctionDetailsReporterHoc": True,
        },
        "materialTypes": [_MATERIAL_TYPES[found.kind] for found in materials],
    }
