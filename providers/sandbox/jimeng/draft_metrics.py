"""`metrics_extra`: the page's metrics of a submit. They must agree with the draft; every field is optional, and unknown
fields are accepted."""

from collections.abc import Sequence
from typing import Any

from providers.sandbox.jimeng.draft_json import as_object, first_of, from_text
from providers.sandbox.jimeng.errors import need
from providers.sandbox.media import Kind

Json = dict[str, Any]

FRAMES_MODE, REFERENCE_MODE = "first_last_frames", "omni_reference"
MATERIAL_TYPES: dict[Kind, int] = {"image": 1, "video": 2, "audio": 3}
"""Kind of a material → its number in `materialTypes`."""


def check_metrics(metrics: Json, modes: frozenset[str], kinds: Sequence[Kind], expected: Json) -> None:
    """Raises `Refused` if the metrics contradict the draft.

    `modes`: what `functionMode` may be. `kinds`: the draft's materials. `expected`: `modelReqKey`, `resolution` and
    `videoDuration` as the draft has them.
    """
    mode = metrics.get("functionMode")
    known = mode is None or (isinstance(mode, str) and mode in modes)
    need(known, f"functionMode should be {' or '.join(sorted(modes))}")
    if "sceneOptions" not in metrics:
        return
    scene = first_of(from_text(metrics["sceneOptions"], "sceneOptions"), "sceneOptions")
    for name, value in expected.items():
        need(name not in scene or scene[name] == value, f"{name} of the scene is not the draft's")
    _check_materials(scene, kinds)


def _check_materials(scene: Json, kinds: Sequence[Kind]) -> None:
    """`materialTypes` has a number for each material (2026-09-18), or one for each kind (spring 2026)."""
    numbers = [MATERIAL_TYPES[kind] for kind in kinds]
    types = scene.get("materialTypes", numbers)
    whole = isinstance(types, list) and all(isinstance(one, int) and not isinstance(one, bool) for one in types)
    need(whole and (sorted(types) == sorted(numbers) or sorted(types) == sorted(set(numbers))), "materialTypes")
    need(scene.get("hasInputVideo", "video" in kinds) is ("video" in kinds), "hasInputVideo")


def read_metrics(body: Json, generation: Json) -> Json:
    """The metrics. Raises `Refused`: they are a JSON text, and the draft repeats this very text where it has it."""
    text = body.get("metrics_extra")
    metrics = as_object(from_text(text, "metrics_extra"), "metrics_extra")
    need(generation.get("video_task_extra", text) == text, "video_task_extra is not metrics_extra")
    return metrics
