"""JSON of the usage of a gateway key."""

from typing import Any

from gateway.limits.key_usage import KeyUsage, Quantity


def render_usage(usage: KeyUsage) -> dict[str, Any]:
    """What a key uses, its limits and what is left. Limits that are not set are absent."""
    fields: dict[str, Any] = {
        "object": "usage",
        "key": usage.name,
        "day": usage.day,
        "time_zone": usage.calendar.name,
        "resets_at": int(usage.resets_at),
        "submits": _render(usage.submits),
        "video_seconds": _render(usage.video_seconds),
        "running_tasks": _render(usage.running_tasks),
    }
    rate = usage.rate
    if rate is not None:
        fields["requests"] = {"per_second": rate.per_second, "limit": rate.burst, "remaining": rate.remaining}
    allowed = usage.allowed
    patterns = {"models": allowed.models, "providers": allowed.providers}
    return fields | {name: list(found) for name, found in patterns.items() if found}


def _render(quantity: Quantity) -> dict[str, int]:
    if quantity.limit is None:
        return {"used": quantity.used}
    return {"used": quantity.used, "limit": quantity.limit, "remaining": quantity.remaining or 0}
