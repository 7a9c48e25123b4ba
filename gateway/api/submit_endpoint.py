"""Every submit of every surface: read and parse the body, submit it, report what was not done as asked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal
from urllib.parse import quote

from starlette.requests import Request

from gateway.accounts.callers import Caller
from gateway.api.context import services, submit_order
from gateway.api.schemas.body_parser import read_object
from gateway.api.schemas.requests import parse_generation, parse_reuse
from gateway.core.byte_ranges import content_length
from gateway.core.errors import GatewayError, invalid
from gateway.tasks.idempotency import fingerprint_of
from gateway.tasks.order import Derivation, SubmitOrder
from gateway.tasks.view import Submitted
from providers.contract.errors import FieldProblem, FieldReason
from providers.contract.requests import FieldWarning, VideoRequest
from providers.offload import INLINE_BYTES, offload

WARNINGS_HEADER = "x-gateway-warnings"
_MAX_HEADER = 1500
"""Characters: proxies refuse an answer whose headers together exceed 4 KB. The body has every warning."""


@dataclass(frozen=True, slots=True)
class SubmitOutcome:
    """A submitted task. `prompt` is as the client wrote it, `wait` whether the client waits for the end (None: it does
    not say), `warnings` what was not done as asked, by the client's names of the fields."""

    submitted: Submitted
    prompt: str
    wait: bool | None = None
    warnings: tuple[FieldWarning, ...] = ()


async def submit_generation(request: Request, caller: Caller, *, nearest: bool) -> SubmitOutcome:
    """Submit the video that a body asks for. Frees the body, which may be large. Raises GatewayError."""
    async with read_object(request, services(request).settings.limits.body_bytes) as fields:
        parsed = parse_generation(fields, services(request).settings.api.unknown_fields)
        fingerprint = await _fingerprint(request, "video", parsed.request)
        order = submit_order(request, caller, parsed.request, fingerprint, nearest=nearest)
        submitted = await _submit(request, order, parsed.names)
    warnings = _by_names(parsed.names, (*parsed.warnings, *submitted.warnings))
    return SubmitOutcome(submitted, parsed.prompt, parsed.wait, warnings)


async def submit_derived(
    request: Request, caller: Caller, operation: Literal["remix", "edit", "extend"], video_id: str | None = None
) -> tuple[SubmitOutcome, str | None]:
    """Submit a video that is made of another one; `video_id` is its id where the path names it. The id of the earlier
    video comes with the outcome. Raises GatewayError."""
    async with read_object(request, services(request).settings.limits.body_bytes) as fields:
        parsed = parse_reuse(fields, services(request).settings.api.unknown_fields)
        if video_id is not None and (parsed.clip or parsed.video_id not in (None, video_id)):
            raise invalid([FieldProblem("video", FieldReason.CONFLICT, (video_id,))], code="conflict")
        derivation = parsed.derivation(operation, video_id)
        fingerprint = await _fingerprint(request, operation, derivation)
        order = submit_order(request, caller, derivation, fingerprint, nearest=True)
        submitted = await _submit(request, order, parsed.names)
    warnings = _by_names(parsed.names, (*parsed.warnings, *submitted.warnings))
    return SubmitOutcome(submitted, parsed.prompt, warnings=warnings), derivation.video_id


async def _fingerprint(request: Request, operation: str, content: VideoRequest | Derivation) -> bytes:
    """The fingerprint of a parsed body, in a thread where the body is large: it takes a pass over its text."""
    size = content_length(request.headers)
    return await offload(INLINE_BYTES if size is None else size, partial(fingerprint_of, operation, content))


async def _submit(request: Request, order: SubmitOrder, names: Mapping[str, str]) -> Submitted:
    try:
        return await services(request).tasks.submit(order)
    except GatewayError as error:
        error.rename_fields(names)
        raise


def _by_names(names: Mapping[str, str], warnings: Iterable[FieldWarning]) -> tuple[FieldWarning, ...]:
    renamed = (FieldWarning(one.code, names.get(one.field, one.field), one.value) for one in warnings)
    return tuple(dict.fromkeys(renamed))


def warning_fields(warnings: Iterable[FieldWarning]) -> dict[str, Any]:
    """The `warnings` of an answer, empty where there are none."""
    rows = [{"code": one.code, "field": one.field, **({"value": one.value} if one.value else {})} for one in warnings]
    return {"warnings": rows} if rows else {}


def warning_headers(warnings: Iterable[FieldWarning]) -> dict[str, str]:
    """The same as a header, for clients with strict schemas: `ignored_field fps, adjusted_value resolution=720p`."""
    texts = [f"{one.code} {quote(one.field)}" + (f"={quote(one.value)}" if one.value else "") for one in warnings]
    while len(joined := ", ".join(texts)) > _MAX_HEADER:
        texts.pop()
    return {WARNINGS_HEADER: joined} if joined else {}
