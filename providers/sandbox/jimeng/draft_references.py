"""The reference mode of a draft: materials, and a prompt in parts that refer to them."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from providers.sandbox.jimeng.draft_json import as_object
from providers.sandbox.jimeng.draft_metrics import MATERIAL_TYPES
from providers.sandbox.jimeng.errors import DRAFT, PARAMETER, Refused, need
from providers.sandbox.jimeng.model_rows import Limit, Materials, Model
from providers.sandbox.jimeng.resources import Resources, uploaded
from providers.sandbox.media import Kind

Json = dict[str, Any]

UNREFERENCED: frozenset[Kind] = frozenset({"video"})
"""Kinds that need no part in `meta_list`: a capture of 2026-09-18 shows videos without one, images and audio before the
text. A single text with an image was last seen in February 2026."""

Use = tuple[Kind, float]
"""A material's kind, and its seconds."""


@dataclass(frozen=True, slots=True)
class References:
    """The text of all parts, and the materials' kinds in their order."""

    prompt: str
    kinds: tuple[Kind, ...]


def check_references(unified: Json, model: Model, resources: Resources) -> References:
    """Raises `Refused` for materials that the model does not take, and if the parts do not refer to all of them."""
    allowed = model.materials
    if allowed is None:
        raise Refused(PARAMETER, "unified_edit_input: this model takes no references")
    materials, metas = unified.get("material_list"), unified.get("meta_list")
    if not isinstance(materials, list) or not isinstance(metas, list) or not metas:
        raise Refused(DRAFT, "material_list or meta_list")
    # Text alone has no unified_edit_input, also under functionMode omni_reference (2026-09-20).
    need(materials, "material_list is empty")
    uses = [_use(as_object(item, "material"), resources) for item in materials]
    _check_limits(uses, allowed)
    kinds = tuple(kind for kind, _ in uses)
    return References(_check_metas(metas, kinds), kinds)


def _use(material: Json, resources: Resources) -> Use:
    for kind in MATERIAL_TYPES:
        if material.get("material_type") == kind:
            info = as_object(material.get(f"{kind}_info"), f"{kind}_info")
            found = uploaded(info.get("image_uri" if kind == "image" else "vid"), kind, resources)
            given = 0 if kind == "image" else info.get("duration", 0)
            need(isinstance(given, int) and not isinstance(given, bool), "duration of a material", DRAFT)
            return kind, given / 1000 if found.seconds is None else found.seconds
    raise Refused(DRAFT, "material_type")


def _check_limits(uses: list[Use], allowed: Materials) -> None:
    need(len(uses) <= allowed.total, f"at most {allowed.total} materials")
    limits: dict[Kind, Limit | None] = {"image": allowed.images, "video": allowed.clips, "audio": allowed.sounds}
    counts = Counter(kind for kind, _ in uses)
    for kind, count in counts.items():
        limit = limits[kind]
        if limit is None:
            raise Refused(PARAMETER, f"this model takes no {kind}")
        need(count <= limit.count, f"at most {limit.count} of kind {kind}")
        seconds = [length for one, length in uses if one == kind]
        if limit.max_seconds:
            within = all(limit.min_seconds <= length <= limit.max_seconds for length in seconds)
            need(within, f"{kind} of {limit.min_seconds:g} to {limit.max_seconds:g} seconds")
            need(sum(seconds) <= limit.total_seconds, f"at most {limit.total_seconds:g} seconds of {kind}")
    need(not allowed.lead_required or counts["image"] or counts["video"], "sounds need a picture or a clip beside them")


def _check_metas(metas: list[Any], kinds: tuple[Kind, ...]) -> str:
    texts: list[str] = []
    named: set[int] = set()
    for meta in (as_object(item, "meta") for item in metas):
        if meta.get("meta_type") == "text":
            need(isinstance(meta.get("text"), str), "text of a part", DRAFT)
            texts.append(meta["text"])
            continue
        index = as_object(meta.get("material_ref"), "material_ref").get("material_idx")
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(kinds):
            raise Refused(PARAMETER, "material_idx")
        need(kinds[index] == meta.get("meta_type"), "material of another type")
        named.add(index)
    missing = [index for index, kind in enumerate(kinds) if index not in named and kind not in UNREFERENCED]
    need(not missing, f"meta_list does not name the materials {missing}")
    return "".join(texts)
