"""The models that a caller can use, with what each can do."""

from dataclasses import fields
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import caller, json_answer, services
from providers.contract.media import MediaLimits
from providers.contract.models import ModelCard

_CREATED = 1735689600
"""OpenAI's model objects have a time of making; upstreams tell none. 2025-01-01."""


async def models(request: Request) -> Response:
    """GET /v1/models"""
    cards = (await services(request).tasks.catalog.offer(caller(request))).cards()
    return json_answer({"object": "list", "data": [describe_model(name, card) for name, card in cards.items()]})


async def model(request: Request) -> Response:
    """GET /v1/models/{id}"""
    name, offer = request.path_params["id"], await services(request).tasks.catalog.offer(caller(request))
    return json_answer(describe_model(name, offer.cards().get(name) or offer.card(name)))


def describe_model(name: str, card: ModelCard) -> dict[str, Any]:
    """A model object; `name` is what clients write, which may be an alias."""
    described: dict[str, Any] = {"id": name, "object": "model", "created": _CREATED, "owned_by": card.provider}
    if name != card.name:
        described["alias_of"] = card.name
    if card.title:
        described["title"] = card.title
    if card.key and card.key != card.name:
        described["upstream_model"] = card.key
    described["status"] = "available" if card.available else "unavailable"
    if card.max_prompt:
        described["max_prompt"] = card.max_prompt
    if card.max_prompt and card.han_weight > 1:
        described["han_weight"] = card.han_weight
    if card.max_negative_prompt:
        described["max_negative_prompt"] = card.max_negative_prompt
    described["durations"] = card.durations
    if card.duration is not None:
        described["default_duration"] = card.duration
    described["resolutions"] = card.resolutions
    if card.resolution is not None:
        described["default_resolution"] = card.resolution
    described["ratios"] = card.ratios
    if card.ratio is not None:
        described["default_ratio"] = card.ratio
    return described | {
        "sizes": list(dict.fromkeys(card.sizes.values())),
        "inputs": [sorted(roles) for roles in card.media_sets],
        "input_counts": {role.value: card.media_limits.get(role, 1) for role in sorted(card.roles)},
        **_describe_rules(card),
        "takes_files": card.takes_files,
        "files": {kind.value: _describe_limits(limits) for kind, limits in card.media_files.items()},
        "parameters": sorted(card.fields),
    }


def _describe_rules(card: ModelCard) -> dict[str, Any]:
    """What an input or a resolution changes for the rest; what changes nothing is left out."""
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


def _describe_limits(limits: MediaLimits) -> dict[str, Any]:
    """What one file may be; what is not limited is left out."""
    return {field.name: value for field in fields(limits) if (value := getattr(limits, field.name))}
