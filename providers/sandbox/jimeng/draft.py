"""What Jimeng's generate call looks at in a request's body. Pure: a body and a site in, a draft or a refusal out."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from providers.sandbox.jimeng.resources import Resource, Resources
from providers.sandbox.jimeng.tables import (
    AIDS,
    DRAFT,
    DURATION,
    MODELS,
    NOT_OPEN,
    PARAMETER,
    RATIOS,
    UNSAFE,
    VALUE,
    Model,
    Site,
)
from providers.sandbox.media import Kind

REFERENCE_FEATURE = "AIGC_Video_UnifiedEdit"
MAX_IMAGES, MAX_VIDEOS, MAX_MATERIALS, MAX_MS = 9, 3, 12, 15_000
"""Of a draft in reference mode. The milliseconds are those of all videos together, and of each sound."""

FRAMES_MODE, REFERENCE_MODE = "first_last_frames", "omni_reference"
MATERIAL_TYPES: dict[Kind, int] = {"image": 1, "video": 2, "audio": 3}
"""Kind of a material → its number in `materialTypes` of the metrics."""

Json = dict[str, Any]


class Refused(Exception):  # noqa: N818
    """The call is refused with this `ret`; `detail` names what was wrong."""

    def __init__(self, ret: str, detail: str) -> None:
        super().__init__(f"{ret}: {detail}")
        self.ret = ret
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Draft:
    """What the site keeps of a draft. `seconds` of video, `ratio` as asked (ignored with an image)."""

    submit_id: str
    model_key: str
    model_name: str
    prompt: str
    seconds: float
    ratio: str
    resolution: str


def _need(condition: object, ret: str, detail: str) -> None:
    if not condition:
        raise Refused(ret, detail)


def _object(value: object, name: str) -> Json:
    if not isinstance(value, dict):
        raise Refused(DRAFT, f"{name} is not an object")
    return value


def _first(value: object, name: str) -> Json:
    if not isinstance(value, list) or not value:
        raise Refused(DRAFT, f"{name} is empty")
    return _object(value[0], f"{name}[0]")


def _json_text(value: object, name: str) -> Json:
    if not isinstance(value, str):
        raise Refused(DRAFT, f"{name} is not a text")
    try:
        return _object(orjson.loads(value), name)
    except orjson.JSONDecodeError:
        raise Refused(DRAFT, f"{name} is not JSON") from None


def read_draft(body: Json, query: Mapping[str, str], site: Site, resources: Resources) -> Draft:
    """Check a generate call the way the site does; `resources` is what the session has uploaded. Raises `Refused`."""
    submit_id = body.get("submit_id")
    _need(isinstance(submit_id, str) and _is_uuid(submit_id), PARAMETER, "submit_id")
    common = body.get("http_common_info")
    _need(isinstance(common, dict) and str(common.get("aid")) == AIDS[site], PARAMETER, "http_common_info.aid")
    metrics = _json_text(body.get("metrics_extra"), "metrics_extra")
    draft = _json_text(body.get("draft_content"), "draft_content")
    _need(draft.get("type") == "draft" and draft.get("id"), DRAFT, "draft type or id")
    _need(isinstance(draft.get("version"), str), DRAFT, "draft version")
    _need(query.get("da_version", draft["version"]) == draft["version"], PARAMETER, "da_version")
    component = _first(draft.get("component_list"), "component_list")
    _need(draft.get("main_component_id") == component.get("id"), DRAFT, "main_component_id")
    _need(component.get("type") == "video_base_component", DRAFT, "component type")
    abilities = _object(component.get("abilities"), "abilities")
    params = _object(
        _object(abilities.get("gen_video"), "gen_video").get("text_to_video_params"), "text_to_video_params"
    )
    video_input = _first(params.get("video_gen_inputs"), "video_gen_inputs")

    key = params.get("model_req_key")
    extend = _object(body.get("extend"), "extend")
    _need(isinstance(key, str) and key == extend.get("root_model"), PARAMETER, "model_req_key and root_model")
    model = _model(str(key), site)
    by_reference = "unified_edit_input" in video_input
    _check_benefit(extend, model, by_reference=by_reference)
    mode = REFERENCE_MODE if by_reference else FRAMES_MODE
    _need(metrics.get("functionMode", mode) == mode, PARAMETER, "functionMode of another mode")
    seed = params.get("seed", 0)
    _need(isinstance(seed, int) and 0 <= seed < 2**32, PARAMETER, "seed")

    if by_reference:
        _need(REFERENCE_FEATURE in (draft.get("min_features") or []), DRAFT, "min_features")
        prompt, kinds = _check_references(_object(video_input["unified_edit_input"], "unified_edit_input"), resources)
        _check_scene(metrics, kinds)
        has_image = False
    else:
        prompt, has_image = _check_frames(video_input, resources)
    seconds = _seconds(video_input.get("duration_ms"), model)
    resolution = _resolution(video_input.get("resolution"), model)
    ratio = params.get("video_aspect_ratio")
    _need(has_image or ratio in RATIOS, VALUE, "video_aspect_ratio")
    name = model.name if model else str(key)
    return Draft(str(submit_id), str(key), name, prompt, seconds, str(ratio), resolution)


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _model(key: str, site: Site) -> Model | None:
    """The model, None for a key that only the site's newer tables have."""
    model = MODELS.get(key)
    if model is None:
        _need(key.startswith("dreamina_"), PARAMETER, "model_req_key")
        return None
    _need(site in model.sites, NOT_OPEN, "model not on this site")
    return model


def _check_benefit(extend: Json, model: Model | None, *, by_reference: bool) -> None:
    _need(model is None or not by_reference or model.reference_benefit, NOT_OPEN, "references with this model")
    info = _object(extend.get("m_video_commerce_info"), "m_video_commerce_info")
    benefit = info.get("benefit_type")
    _need(isinstance(benefit, str) and benefit, PARAMETER, "benefit_type")
    if model is not None:
        expected = model.reference_benefit if by_reference else model.benefit
        _need(benefit == expected, PARAMETER, "benefit_type of another model or mode")
    _need(extend.get("m_video_commerce_info_list") == [info], PARAMETER, "m_video_commerce_info_list")


def _seconds(duration_ms: object, model: Model | None) -> float:
    if isinstance(duration_ms, bool) or not isinstance(duration_ms, int) or not 0 < duration_ms <= 60_000:
        raise Refused(DURATION, "duration_ms")
    _need(model is None or duration_ms / 1000 in model.seconds, DURATION, "duration not offered by the model")
    return duration_ms / 1000


def _resolution(value: object, model: Model | None) -> str:
    if value is None:
        return ""
    _need(isinstance(value, str), VALUE, "resolution")
    _need(model is None or value in model.resolutions, VALUE, "resolution not offered by the model")
    return str(value)


def _check_frames(video_input: Json, resources: Resources) -> tuple[str, bool]:
    prompt = video_input.get("prompt")
    if not isinstance(prompt, str):
        raise Refused(DRAFT, "prompt is not a text")
    images = [video_input[field] for field in ("first_frame_image", "end_frame_image") if field in video_input]
    for image in images:
        _uploaded(_object(image, "frame image").get("image_uri"), "image", resources)
    _need(prompt or images, PARAMETER, "neither a prompt nor an image")
    return prompt, bool(images)


def _uploaded(uri: object, kind: Kind, resources: Resources) -> Resource:
    found = resources(uri) if isinstance(uri, str) else None
    if found is None:
        raise Refused(PARAMETER, "resource was not uploaded")
    _need(found.kind in (None, kind), PARAMETER, f"resource is no {kind}")
    _need(not found.unsafe, UNSAFE, "")
    return found


def _check_references(unified: Json, resources: Resources) -> tuple[str, list[Kind]]:
    """The prompt, and the kinds of the materials in their order."""
    materials, metas = unified.get("material_list"), unified.get("meta_list")
    if not isinstance(materials, list) or not isinstance(metas, list) or not metas:
        raise Refused(DRAFT, "material_list or meta_list")
    kinds: list[Kind] = []
    video_ms = 0
    for material in (_object(item, "material") for item in materials):
        kind = _kind(material)
        info = _object(material.get(f"{kind}_info"), f"{kind}_info")
        found = _uploaded(info.get("image_uri" if kind == "image" else "vid"), kind, resources)
        kinds.append(kind)
        milliseconds = _milliseconds(info) if found.seconds is None else round(found.seconds * 1000)
        _need(kind != "audio" or milliseconds <= MAX_MS, PARAMETER, "audio is too long")
        video_ms += milliseconds if kind == "video" else 0
    _need(kinds.count("image") <= MAX_IMAGES and kinds.count("video") <= MAX_VIDEOS, PARAMETER, "too many materials")
    _need(len(kinds) <= MAX_MATERIALS and video_ms <= MAX_MS, PARAMETER, "too many materials")
    return _check_metas(metas, kinds), kinds


def _kind(material: Json) -> Kind:
    for kind in MATERIAL_TYPES:
        if material.get("material_type") == kind:
            return kind
    raise Refused(DRAFT, "material_type")


def _milliseconds(info: Json) -> int:
    given = info.get("duration") or 0
    _need(isinstance(given, int), DRAFT, "duration of a material")
    return int(given)


def _check_metas(metas: list[Any], kinds: list[Kind]) -> str:
    texts: list[str] = []
    for meta in (_object(item, "meta") for item in metas):
        if meta.get("meta_type") == "text":
            texts.append(str(meta.get("text", "")))
            continue
        index = _object(meta.get("material_ref"), "material_ref").get("material_idx")
        _need(isinstance(index, int) and 0 <= index < len(kinds), PARAMETER, "material_idx")
        _need(kinds[index or 0] == meta.get("meta_type"), PARAMETER, "material of another type")
    _need(kinds or any(texts), PARAMETER, "neither a prompt nor a material")
    return "".join(texts)


def _check_scene(metrics: Json, kinds: list[Kind]) -> None:
    """`materialTypes` of the scene, where the metrics have one, tells the kinds that the draft has."""
    options = metrics.get("sceneOptions")
    if options is None:
        return
    try:
        scene = _first(orjson.loads(options), "sceneOptions")
    except (orjson.JSONDecodeError, TypeError):
        raise Refused(DRAFT, "sceneOptions is not JSON") from None
    types = scene.get("materialTypes", [MATERIAL_TYPES[kind] for kind in kinds])
    told = isinstance(types, list) and all(isinstance(one, int) for one in types)
    _need(told and set(types) == {MATERIAL_TYPES[kind] for kind in kinds}, PARAMETER, "materialTypes")
