"""Build the body of a submit from a validated request and its uploads. Pure: ids, seed and time are arguments.

There are two generation modes: frames (text, a first and a last frame) and references (images, videos and audio that
the prompt may refer to). `submit_metrics` builds the metrics.

Forms as captured on the mainland site 2026-09-18 to 2026-10-09 and on Dreamina in autumn 2026.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.contract.requests import VideoRequest
from providers.jimeng.references import Material, meta_list, plain_prompt
from providers.jimeng.site.regions import Region
from providers.jimeng.site.session import CURRENT
from providers.jimeng.site_model import RATIO, SECONDS, Benefits, ModelWire
from providers.jimeng.submit_metrics import metrics_of
from providers.jimeng.uploads.answers import Uploaded
from providers.media_files import MediaKind

_COMPONENT_MIN_VERSION = "1.0.0"
_FRAMES_PER_SECOND = 24
MAX_SEED = 2**32 - 1
BENEFIT_OPTION = "benefit_type"
"""The one of `options` that is not sent among the parameters."""

NewId = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Mode:
    """A generation mode: the lowest page version that reads its draft, and the features that this page needs."""

    min_version: str
    min_features: tuple[str, ...]


FRAMES = Mode("3.0.5", ())
REFERENCES = Mode("3.3.9", ("AIGC_Video_UnifiedEdit",))
_DRAFT_MODE = Mode("3.3.28", ("AIGC_Video_Seedance25ResultAction",))
"""Additional requirements of a model's low-cost preview. Captured with text alone; that the features of both modes add
up is an assumption."""

_FRAME_FIELDS = {MediaRole.FIRST_FRAME: "first_frame_image", MediaRole.LAST_FRAME: "end_frame_image"}
_ENDING_CONTROL = "1.0"
"""Sent with a last frame."""


def mode_of(request: VideoRequest) -> Mode:
    """REFERENCES if any input is not a frame; frames beside it then count as references."""
    return FRAMES if all(item.role in _FRAME_FIELDS for item in request.media) else REFERENCES


def wire_of(card: ModelCard) -> ModelWire:
    """The model's wire fields that its card does not have."""
    return card.wire if isinstance(card.wire, ModelWire) else ModelWire(Benefits(""))


def has_video(uploaded: Sequence[Uploaded]) -> bool:
    """True if a video is among the inputs: the site charges differently then."""
    return any(upload.kind is MediaKind.VIDEO for upload in uploaded)


@dataclass(frozen=True, slots=True)
class SubmitDraft:
    """A submit without its id: billing fields, metrics, and the draft, whose `video_task_extra` is still empty."""

    commerce: Mapping[str, Any]
    metrics: Mapping[str, Any]
    draft: Mapping[str, Any]
    aid: int

    def body(self, submit_id: str) -> dict[str, Any]:
        """The JSON body of /mweb/v1/aigc_draft/generate.

        The task can later be looked up by `submit_id`. `draft_content` and `metrics_extra` are JSON texts: the site
        rejects objects.
        """
        metrics = _text({**self.metrics, "originSubmitId": submit_id})
        return {
            "extend": self.commerce,
            "submit_id": submit_id,
            "metrics_extra": metrics,
            "draft_content": _text(_with_metrics(self.draft, metrics)),
            "http_common_info": {"aid": self.aid},
        }


def build_draft(
    request: VideoRequest,
    card: ModelCard,
    region: Region,
    *,
    uploaded: Sequence[Uploaded] = (),
    seed: int,
    now_ms: int,
    new_id: NewId,
    draft_version: str = CURRENT.draft_version,
) -> SubmitDraft:
    """The draft of a validated request.

    `card` is the model as the account's site has it. `uploaded` are the uploads of the request's media, in their
    order. `seed` is in [0, 2^32); `now_ms` is in unix milliseconds.
    """
    wire, mode = wire_of(card), mode_of(request)
    benefit = _benefit(request, wire, uploaded)
    resolution = wire.resolutions.get(request.resolution or "", request.resolution)
    metrics = metrics_of(
        request,
        card.key,
        wire,
        uploaded,
        resolution,
        by_reference=mode is REFERENCES or (wire.by_reference and not request.media),
        group_id=new_id(),
    )
    gen_input = _gen_input(request, uploaded, mode, resolution, wire, new_id)
    draft = _draft(request, gen_input, card.key, _draft_mode(mode, wire), seed, now_ms, new_id, draft_version)
    commerce = {
        "root_model": card.key,
        "m_video_commerce_info": benefit,
        "m_video_commerce_info_list": [benefit],
    }
    return SubmitDraft(commerce, metrics, draft, region.aid)


def _with_metrics(draft: Mapping[str, Any], metrics: str) -> dict[str, Any]:
    """A copy of a draft whose component carries the metrics as a JSON text."""
    (component,) = draft["component_list"]
    abilities = component["abilities"]
    abilities = {**abilities, "gen_video": {**abilities["gen_video"], "video_task_extra": metrics}}
    return {**draft, "component_list": [{**component, "abilities": abilities}]}


def _benefit(request: VideoRequest, wire: ModelWire, uploaded: Sequence[Uploaded]) -> dict[str, Any]:
    """The billing fields. `amount` is the duration of the video plus that of all input videos, in seconds."""
    charged_as = wire.benefits.of(request.resolution, clip=has_video(uploaded))
    return {
        "resource_sub_type": "aigc",
        "resource_id_type": "str",
        "resource_id": "generate_video",
        "benefit_type": str(request.options.get(BENEFIT_OPTION) or charged_as),
        "amount": (request.duration or SECONDS) + video_seconds(uploaded),
    }


def video_seconds(uploaded: Sequence[Uploaded]) -> int:
    """The total duration of all input videos, in whole seconds."""
    return round(sum(upload.milliseconds for upload in uploaded if upload.kind is MediaKind.VIDEO) / 1000)


def _draft_mode(mode: Mode, wire: ModelWire) -> Mode:
    if not wire.draft_mode:
        return mode
    return Mode(_DRAFT_MODE.min_version, (*mode.min_features, *_DRAFT_MODE.min_features))


def _gen_input(
    request: VideoRequest,
    uploaded: Sequence[Uploaded],
    mode: Mode,
    resolution: str | None,
    wire: ModelWire,
    new_id: NewId,
) -> dict[str, Any]:
    by_references = mode is REFERENCES
    materials = [
        Material(upload.kind, item.param, item.name) for item, upload in zip(request.media, uploaded, strict=True)
    ]
    gen_input: dict[str, Any] = {
        "type": "",
        "id": new_id(),
        "min_version": _draft_mode(mode, wire).min_version,
        "prompt": "" if by_references else plain_prompt(request.prompt, materials),
        "video_mode": 2,
        "fps": _FRAMES_PER_SECOND,
        "duration_ms": (request.duration or SECONDS) * 1000,
        **({"resolution": resolution} if resolution else {}),
        **({"is_draft_mode": True} if wire.draft_mode else {}),
        "idip_meta_list": [],
    }
    if by_references:
        gen_input["unified_edit_input"] = {
            "type": "",
            "id": new_id(),
            "material_list": [_material(upload, new_id) for upload in uploaded],
            "meta_list": [_meta(part, new_id) for part in meta_list(request.prompt, materials)],
        }
        return gen_input
    for item, upload in zip(request.media, uploaded, strict=True):
        if item.role:
            gen_input[_FRAME_FIELDS[item.role]] = _frame(upload, new_id)
        if item.role is MediaRole.LAST_FRAME:
            gen_input["ending_control"] = _ENDING_CONTROL
    return gen_input


def _meta(part: dict[str, Any], new_id: NewId) -> dict[str, Any]:
    """A part of the prompt with the fields that every object of a draft has."""
    reference = {"material_ref": {"type": "", "id": new_id(), **part["material_ref"]}} if "material_ref" in part else {}
    return {"type": "", "id": new_id(), **part, **reference}


def _frame(upload: Uploaded, new_id: NewId) -> dict[str, Any]:
    return {
        "type": "image",
        "id": new_id(),
        "source_from": "upload",
        "platform_type": 1,
        "name": "",
        "image_uri": upload.id,
        "aigc_image": {"type": "", "id": new_id()},
        "width": upload.width,
        "height": upload.height,
        "format": "",
        "uri": upload.id,
    }


def _material(upload: Uploaded, new_id: NewId) -> dict[str, Any]:
    return {
        "type": "",
        "id": new_id(),
        "material_type": upload.kind.value,
        f"{upload.kind.value}_info": _MATERIAL_INFOS[upload.kind](upload, new_id),
    }


def _image_info(upload: Uploaded, new_id: NewId) -> dict[str, Any]:
    return {
        "type": "image",
        "id": new_id(),
        "source_from": "upload",
        "platform_type": 1,
        "name": "",
        "image_uri": upload.id,
        "aigc_image": {"type": "", "id": new_id()},
        "width": upload.width,
        "height": upload.height,
        "format": upload.format,
        "title": "",
        "uri": upload.id,
    }


def _video_info(upload: Uploaded, new_id: NewId) -> dict[str, Any]:
    return {
        "type": "video",
        "id": new_id(),
        "source_from": "upload",
        "name": "",
        "vid": upload.id,
        "fps": 0,
        "width": upload.width,
        "height": upload.height,
        "duration": upload.milliseconds,
        "cover_image_url": "",
    }


def _audio_info(upload: Uploaded, new_id: NewId) -> dict[str, Any]:
    return {
        "type": "audio",
        "id": new_id(),
        "source_from": "upload",
        "vid": upload.id,
        "duration": upload.milliseconds,
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
    seed: int,
    now_ms: int,
    new_id: NewId,
    version: str,
) -> dict[str, Any]:
    component_id = new_id()
    params = {
        "type": "",
        "id": new_id(),
        "video_gen_inputs": [gen_input],
        "video_aspect_ratio": request.ratio or RATIO,
        "seed": seed,
        "model_req_key": key,
        "priority": 0,
        **{name: value for name, value in request.options.items() if name != BENEFIT_OPTION},
    }
    gen_video = {"id": new_id(), "type": "", "text_to_video_params": params, "video_task_extra": ""}
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
        "version": version,
        "main_component_id": component_id,
        "component_list": [component],
    }


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()
