"""Validate the body of Jimeng's generate call. Pure: returns a draft or raises `Refused`.

The rules are those of submits captured on the three sites from 2026-09-18 to 2026-10-02; what a capture shows is valid.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from providers.sandbox.clips import WIDE, Shape, read_shape
from providers.sandbox.jimeng.draft_billing import check_billing
from providers.sandbox.jimeng.draft_frames import check_frames
from providers.sandbox.jimeng.draft_json import Version, as_object, first_of, from_text, version
from providers.sandbox.jimeng.draft_metrics import FRAMES_MODE, REFERENCE_MODE, check_metrics, read_metrics
from providers.sandbox.jimeng.draft_references import check_references
from providers.sandbox.jimeng.errors import DRAFT, GONE, PARAMETER, Refused, need
from providers.sandbox.jimeng.model_entries import FPS
from providers.sandbox.jimeng.model_rows import Model
from providers.sandbox.jimeng.resources import Resource, Resources
from providers.sandbox.jimeng.sites import AIDS, Site
from providers.sandbox.media import Kind

Json = dict[str, Any]

OLDEST: Version = (3, 3, 9)
"""Of the query's `da_version` and the draft's `version`: 3.3.9 still worked on 2026-09-30, beside 3.3.28."""

FRAMES_SINCE, REFERENCES_SINCE, DRAFTS_SINCE = (3, 0, 5), (3, 3, 9), (3, 3, 28)
"""The least `min_version` of each mode."""

REFERENCE_FEATURE, DRAFT_FEATURE = "AIGC_Video_UnifiedEdit", "AIGC_Video_Seedance25ResultAction"
FEATURES = frozenset({REFERENCE_FEATURE, DRAFT_FEATURE})

LENIENT_REFERENCES: frozenset[Site] = frozenset({"asia"})
"""Sites where reference mode passes with the draft's `min_version` of frames mode and without its feature (captured in
autumn 2026 in Singapore)."""

VIDEO_MODES = (0, 2)
"""2 in the captures of autumn 2026, 0 beside frames in one program of June."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What the site keeps of a submit. `seconds` of video, `ratio` as asked (ignored with a frame), `shape` of the
    video; `content` and `metrics` are the JSON texts as they came."""

    submit_id: str
    model: Model
    prompt: str
    seconds: float
    ratio: str
    resolution: str
    shape: Shape
    kinds: tuple[Kind, ...]
    version: str
    features: tuple[str, ...]
    content: str
    metrics: str


def read_draft(
    body: Json, query: Mapping[str, str], site: Site, find: Callable[[str], Model | None], resources: Resources
) -> Draft:
    """Check a generate call the way the site does. `find` gives the site's model of a key, `resources` what the
    session has uploaded. Raises `Refused`."""
    submit_id = body.get("submit_id")
    need(isinstance(submit_id, str) and _is_uuid(submit_id), "submit_id")
    if "http_common_info" in body:
        need(str(as_object(body["http_common_info"], "http_common_info").get("aid")) == AIDS[site], "aid")
    if "da_version" in query:
        need(version(query["da_version"], "da_version", PARAMETER) >= OLDEST, "da_version is too old")
    draft = as_object(from_text(body.get("draft_content"), "draft_content"), "draft_content")
    generation, params, video_input = _parts(draft)
    metrics = read_metrics(body, generation)

    extend = as_object(body.get("extend"), "extend")
    key = params.get("model_req_key")
    need(isinstance(key, str) and key == extend.get("root_model"), "model_req_key and root_model")
    model = find(str(key))
    if model is None:
        raise Refused(GONE)

    by_reference = "unified_edit_input" in video_input
    _check_versions(draft, video_input, model, site, by_reference=by_reference)
    _check_numbers(params, video_input)
    kinds: tuple[Kind, ...] = ()
    frame: Resource | None = None
    if by_reference:
        need(video_input.get("prompt", "") == "", "prompt beside unified_edit_input")
        found = check_references(as_object(video_input["unified_edit_input"], "unified_edit_input"), model, resources)
        prompt, kinds = found.prompt, found.kinds
        modes = frozenset({REFERENCE_MODE})
    else:
        prompt, frame = check_frames(video_input, model, resources)
        modes = frozenset({FRAMES_MODE} if frame is not None else {FRAMES_MODE, REFERENCE_MODE})
    need(not model.prompt_chars or len(prompt) <= model.prompt_chars, f"at most {model.prompt_chars} characters")
    seconds = _seconds(video_input.get("duration_ms"), model)
    resolution = video_input.get("resolution")
    # Every submit captured in autumn 2026 to a model with this option names it; the last one without is of February.
    need(resolution in model.resolutions, f"resolution should be one of {', '.join(model.resolutions)}")
    ratio = params.get("video_aspect_ratio")
    need(frame is not None or ratio in model.ratios, "video_aspect_ratio")
    check_billing(extend, model, str(resolution), site, with_clip="video" in kinds)
    expected = {"modelReqKey": key, "resolution": resolution, "videoDuration": seconds}
    check_metrics(metrics, modes, kinds, expected)
    return Draft(
        submit_id=str(submit_id),
        model=model,
        prompt=prompt,
        seconds=seconds,
        ratio=str(ratio),
        resolution=str(resolution),
        shape=_shape(frame, str(ratio)),
        kinds=kinds,
        version=draft["version"],
        features=tuple(draft["min_features"]),
        content=body["draft_content"],
        metrics=body["metrics_extra"],
    )


def _shape(frame: Resource | None, ratio: str) -> Shape:
    """The frame's, where its pixels are known, else the ratio's."""
    if frame and frame.width and frame.height:
        return frame.width, frame.height
    return read_shape(ratio) or WIDE


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _parts(draft: Json) -> tuple[Json, Json, Json]:
    """`gen_video`, `text_to_video_params` and the input, through the layers around them. Raises `Refused`."""
    need(draft.get("type") == "draft" and draft.get("id"), "draft type or id", DRAFT)
    component = first_of(draft.get("component_list"), "component_list")
    need(draft.get("main_component_id") == component.get("id"), "main_component_id", DRAFT)
    need(component.get("type") == "video_base_component", "component type", DRAFT)
    need(component.get("generate_type", "gen_video") == "gen_video", "generate_type", DRAFT)
    generation = as_object(as_object(component.get("abilities"), "abilities").get("gen_video"), "gen_video")
    params = as_object(generation.get("text_to_video_params"), "text_to_video_params")
    return generation, params, first_of(params.get("video_gen_inputs"), "video_gen_inputs")


def _check_versions(draft: Json, video_input: Json, model: Model, site: Site, *, by_reference: bool) -> None:
    """`version`, `min_version` of draft and input, and `min_features`: each mode needs its own. Raises `Refused`."""
    written = version(draft.get("version"), "version")
    need(written >= OLDEST, "version is too old", DRAFT)
    features = draft.get("min_features")
    listed = isinstance(features, list) and all(isinstance(one, str) for one in features)
    need(listed and set(features or ()) <= FEATURES, "min_features", DRAFT)
    since, needed = FRAMES_SINCE, set[str]()
    if by_reference and site not in LENIENT_REFERENCES:
        since, needed = REFERENCES_SINCE, {REFERENCE_FEATURE}
    if model.draft_mode:
        # Captured with text alone: of reference mode's own feature beside it nothing is known.
        since, needed = DRAFTS_SINCE, {DRAFT_FEATURE}
    need(needed <= set(features or ()), f"min_features should have {', '.join(needed)}", DRAFT)
    for where, name in ((draft, "min_version of the draft"), (video_input, "min_version of the input")):
        least = version(where.get("min_version"), name)
        need(since <= least <= written, f"{name} should be from {'.'.join(map(str, since))} to version", DRAFT)
    need(video_input.get("is_draft_mode", False) is model.draft_mode, "is_draft_mode")


def _check_numbers(params: Json, video_input: Json) -> None:
    seed = params.get("seed", 0)
    need(isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 2**32, "seed")
    need(video_input.get("video_mode", 2) in VIDEO_MODES, "video_mode")
    need(video_input.get("fps", FPS) == FPS, "fps")


def _seconds(duration_ms: object, model: Model) -> float:
    """Whole seconds within the model's. Long videos and the edit mode (`duration_ms` -1) are in no capture of a
    submit, so they are refused."""
    whole = isinstance(duration_ms, int) and not isinstance(duration_ms, bool) and duration_ms % 1000 == 0
    first, last = model.seconds.first, model.seconds.last
    need(whole and first * 1000 <= int(str(duration_ms)) <= last * 1000, f"duration_ms: {first} to {last} seconds")
    return int(str(duration_ms)) / 1000
