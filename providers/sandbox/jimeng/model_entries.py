"""A row of the model table as an entry of the configuration answer. Pure.

The forms are those of the mainland site's configuration, captured 2026-08-30: every option carries its kind and its
value in a field of its own, a price is an object whose `amount` is always 0.
"""

from typing import Any

from providers.sandbox.jimeng.model_rows import Limit, Materials, Model, Price

Json = dict[str, Any]

EDITOR = "dreamina_seedance_45_pro"
"""`extend_config` and `edit_config` stand on every model and name this one."""

FPS = 24
_KINDS = {"images": 1, "clips": 2, "sounds": 3}


def entry(model: Model) -> Json:
    """One element of `model_list`."""
    made: Json = {
        "icon": _icon(),
        "model_name": model.name,
        "model_name_starling_key": f"name_{model.key}",
        "model_tip": model.tip,
        "model_tip_starling_key": f"tip_{model.key}",
        "feature_key": "",
        "icon_tag": model.icon_tag,
        "options": options(model),
        "commercial_config": commercial_config(model),
        "model_req_key": model.key,
        "extra": _extra(model),
        "model_status": 0,
        "generation_category_name": "",
        "icon_svg": _icon(),
        "pre_audit_policy": model.audit_policy,
        "subject_pre_audit_policy": model.audit_policy if model.materials else "",
    }
    if model.mutex:
        option, mode = model.mutex
        condition = {"operation": "in", "value": [mode]}
        pair = [{"option_key": option}, {"option_key": "input_media_type", "condition": condition}]
        made["mutex_conf"] = {"mutex_list": [pair]}
    return made


def _icon() -> Json:
    return {"image_uri": "", "image_url": "", "width": 0, "height": 0, "format": "", "smart_crop_loc": None}


def _option(key: str, kind: str, field: str, value: Json, *, hidden: bool = False) -> Json:
    return {"key": key, "value_type": kind, "forbidden_display": hidden, "lens_motion_val": None, field: value}


def _enum(key: str, values: tuple[str, ...] | tuple[int, ...], default: int = 0, *, hidden: bool = False) -> Json:
    textual = bool(values) and isinstance(values[0], str)
    value = {
        "enum_type": "string" if textual else "int",
        "string_value": list(values) if textual else None,
        "double_value": None,
        "int_value": None if textual else list(values),
        "default_val_idx": default,
    }
    return _option(key, "enum", "enum_val", value, hidden=hidden)


def _slider(key: str, first: int, last: int, step: int) -> Json:
    value = {"min": first, "max": last, "step": step, "default": first}
    return _option(key, "slide_bar", "slide_bar_val", value)


def options(model: Model) -> list[Json]:
    """`options` of the entry; also `video_model_options` of a submit's answer."""
    made: list[Json] = []
    for frame in ("first_frame", "end_frame"):
        if frame in model.inputs:
            name = f"{frame}_config"
            made.append(_option(name, name, name, {"video_aspect_ratio_mode": "adaptive"}))
    extend: Json = {"default_model_req_key": EDITOR, "support_model_req_key": [EDITOR]}
    edit = dict(extend)
    if "edit" in model.inputs:
        extend["video_aspect_ratio_mode"] = "adaptive"
        edit |= {
            "max_prompt_length": 2000,
            "video_aspect_ratio_mode": "adaptive",
            "duration_mode": "adaptive",
            "edit_min_video_duration": model.seconds.first,
            "edit_max_video_duration": model.seconds.last,
        }
    made.append(_option("extend_config", "extend_config", "extend_config_val", extend))
    made.append(_option("edit_config", "edit_config", "edit_config_val", edit))
    made.append(_enum("resolution", model.resolutions))
    if model.long_seconds:
        first, last = (second * 1000 for second in model.long_seconds)
        long = {"duration_ms": {"min": first, "max": last, "step": 1000, "default": first}}
        made.append(_option("long_video", "long_video", "long_video_config", long))
    if model.materials:
        made.append(_option("unified_edit", "unified_edit", "unified_edit_config", _materials(model.materials)))
    if "multi_frames" in model.inputs:
        made.append(_option("multi_frames", "multi_frames", "multi_frames_config", {}))
    made.append(_enum("input_media_type", model.inputs))
    first, last = model.seconds.first, model.seconds.last
    made.append(_slider("frames_slide_bar", first * FPS, last * FPS, FPS))
    made.append(_enum("frames", tuple(range(first * FPS, last * FPS + 1, FPS))))
    if model.seconds.in_ms:
        made.append(_slider("duration_ms", first * 1000, last * 1000, 1000))
    made.append(_enum("fps", (FPS,), hidden=True))
    made.append(_enum("video_aspect_ratio", model.ratios, model.ratio_default))
    return made


def _materials(materials: Materials) -> Json:
    listed = []
    for name, number in _KINDS.items():
        limit: Limit | None = getattr(materials, name)
        if limit is not None:
            listed.append({"material_type": number, "limit": _limit(limit)})
    made: Json = {"supported_materials": listed, "max_total_count": materials.total}
    if materials.clips:
        made["max_total_video_duration"] = materials.clips.total_seconds
    if materials.sounds:
        made["max_total_audio_duration"] = materials.sounds.total_seconds
    if materials.lead_required:
        made["required_material_types"] = {"any_of": [1, 2], "tips_starling_key": "web_material_lead_required"}
    return made


def _limit(limit: Limit) -> Json:
    made: Json = {"max_count": limit.count, "max_file_size": limit.megabytes, "support_formats": list(limit.formats)}
    if limit.max_seconds:
        made |= {"max_duration": limit.max_seconds, "min_duration": limit.min_seconds}
    return made | dict(limit.pixels)


def _price(benefit: str) -> Json:
    return {
        "resource_sub_type": "aigc",
        "resource_id_type": "str",
        "resource_id": "generate_video",
        "benefit_type": benefit,
        "amount": 0,
    }


def commercial_config(model: Model) -> Json:
    """`commercial_config` of the entry and of a submit's answer."""
    by_resolution = {name: _price(benefit) for name, benefit in model.by_resolution.items()}
    made: Json = {
        "default": _price(model.benefit),
        "format": "{resolution}" if by_resolution else "",
        "format_conf": by_resolution,
        "additional_conf": None,
    }
    if model.clip_benefit:
        made["format_conf"] = {"unified_edit_input_video": _price(model.clip_benefit)}
    if len(by_resolution) > 1:
        above = [name for name in model.resolutions[1:] if name in by_resolution]
        made["additional_conf"] = [
            {
                "option_key": "resolution",
                "condition": {"operation": "in", "value": above},
                "commerce_info": _price(f"{by_resolution[above[-1]]['benefit_type']}_add"),
            }
        ]
    if model.prices:
        made["resolution_price_configs"] = [_price_row(price) for price in model.prices]
    return made


def _price_row(price: Price) -> Json:
    made: Json = {"resolution": price.resolution, "price": _price(price.price)}
    named = {
        "long_video_price": price.long,
        "no_input_video_price": price.no_clip,
        "no_input_video_long_video_price": price.long_no_clip,
    }
    return made | {field: _price(benefit) for field, benefit in named.items() if benefit}


def _extra(model: Model) -> Json:
    made: Json = {
        "pop_icon": None,
        "model_source": model.source,
        "raw_model_source": "",
        "aigc_compliance_confirmation_required": model.confirmation,
        "enable_task_cancel": model.cancellable,
    }
    if model.prompt_chars:
        made |= {
            "max_batch_gen_count": 4,
            "support_prompt_enhancement": True,
            "max_prompt_length": model.prompt_chars,
        }
    if model.switch_to:
        made["switch_guide_config"] = {"target_model_req_key": model.switch_to, "source_queue_length_threshold": 1000}
    if model.draft_mode:
        made["is_draft_mode"] = True
    return made
