"""JSON of a model of `/v1/models` with its capabilities."""

from dataclasses import fields as dataclass_fields
from typing import Any

from providers.contract.language import LanguageModel
from providers.contract.media import MediaLimits
from providers.contract.models import ModelCard

_CREATED = 1735689600
"""2025-01-01. OpenAI's model objects have a creation time, which upstreams do not give."""


def render_model(name: str, card: ModelCard) -> dict[str, Any]:
    """A model object. `name` is the name for clients, which may be an alias."""
    fields = _common(name, "video", card.provider)
    if name != card.name:
        fields["alias_of"] = card.name
    if card.title:
        fields["title"] = card.title
    if card.key and card.key != card.name:
        fields["upstream_model"] = card.key
    fields["status"] = "available" if card.available else "unavailable"
    if card.max_prompt:
        fields["max_prompt"] = card.max_prompt
    if card.max_prompt and card.han_weight > 1:
        fields["han_weight"] = card.han_weight
    if card.max_negative_prompt:
        fields["max_negative_prompt"] = card.max_negative_prompt
    fields["durations"] = card.durations
    if card.duration is not None:
        fields["default_duration"] = card.duration
    fields["resolutions"] = card.resolutions
    if card.resolution is not None:
        fields["default_resolution"] = card.resolution
    fields["ratios"] = card.ratios
    if card.ratio is not None:
        fields["default_ratio"] = card.ratio
    return fields | {
        "sizes": list(dict.fromkeys(card.sizes.values())),
        "inputs": [sorted(roles) for roles in card.media_sets],
        "input_counts": {role.value: card.media_limits.get(role, 1) for role in sorted(card.roles)},
        **_render_rules(card),
        "takes_files": card.takes_files,
        "files": {kind.value: _render_limits(limits) for kind, limits in card.media_files.items()},
        "parameters": sorted(card.fields),
    }


def render_language_model(name: str, model: LanguageModel) -> dict[str, Any]:
    """The object of a language model. `name` is the name for clients, which may be an alias."""
    fields = _common(name, model.kind.value, model.provider)
    fields["input_modalities"] = ["text", "image"] if model.sees_pictures else ["text"]
    return fields if name == model.name else fields | {"alias_of": model.name}


def _common(name: str, kind: str, provider: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": provider, "type": kind}


def _render_rules(card: ModelCard) -> dict[str, Any]:
    """Limits that depend on an input or a resolution; those without effect are left out."""
    rules: dict[str, Any] = {
        "max_inputs": card.media_total,
        "max_references": card.references_total,
        "input_counts_with": {
            other.value: {role.value: count for role, count in counts.items() if role in card.roles}
            for other, counts in card.media_limits_with.items()
            if other in card.roles and counts.keys() & card.roles
        },
        "durations_with": {role.value: lengths for role, lengths in card.durations_with.items()},
        "durations_at": dict(card.durations_at),
        "ratio_from": sorted(card.shape_from),
        "silent_with": sorted(card.silent_with),
    }
    return {name: rule for name, rule in rules.items() if rule}


def _render_limits(limits: MediaLimits) -> dict[str, Any]:
    """Limits of one input file; an absent field is not limited."""
    return {field.name: value for field in dataclass_fields(limits) if (value := getattr(limits, field.name))}
