"""Every submit of every surface: read and parse the body, submit it, report what was not done as asked."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from typing import Any, Literal
from urllib.parse import quote

from starlette.requests import Request

from gateway.accounts.callers import Caller
from gateway.api.context import language_of, services, submit_order
from gateway.api.renderers.task import render_task
from gateway.api.renderers.video import render_video
from gateway.api.schemas.body_parser import read_object
from gateway.api.schemas.requests import Generation, Reuse, parse_generation, parse_reuse
from gateway.core.byte_ranges import content_length
from gateway.core.errors import GatewayError, invalid
from gateway.core.localization import Language, localize
from gateway.live.webhooks.service import Followed
from gateway.prompts.draft import PromptDraft
from gateway.tasks.idempotency import fingerprint_of
from gateway.tasks.order import Derivation, SubmitOrder
from gateway.tasks.view import Submitted, Task
from providers.contract.errors import FieldProblem, FieldReason
from providers.contract.requests import FieldWarning, VideoRequest
from providers.offload import INLINE_BYTES, offload

WARNINGS_HEADER = "x-gateway-warnings"
_MAX_HEADER = 1500
"""Characters: proxies refuse an answer whose headers together exceed 4 KB. The body has every warning."""


@dataclass(frozen=True, slots=True)
class SubmitOutcome:
    """A submitted task. `prompt` is as the client wrote it, `wait` whether the client waits for the end (None: it does
    not say), `warnings` what was not done as asked, by the client's names of the fields. `webhook_secret` is for the
    client, None where it has none of its own."""

    submitted: Submitted
    prompt: str
    wait: bool | None = None
    warnings: tuple[FieldWarning, ...] = ()
    webhook_secret: str | None = None


@dataclass(frozen=True, slots=True)
class EventForm:
    """What the events of a surface look like: the public id of a task, and its status object."""

    id_of: Callable[[Submitted], str]
    render: Callable[[Task, Language], Mapping[str, Any]]


TASK_EVENTS = EventForm(attrgetter("id"), render_task)
VIDEO_EVENTS = EventForm(attrgetter("signed_id"), render_video)


async def submit_generation(
    request: Request, caller: Caller, *, nearest: bool, events: EventForm = TASK_EVENTS
) -> SubmitOutcome:
    """Submit the video that a body asks for. Frees the body, which may be large. `events` is the form of the webhook's
    event. Raises GatewayError."""
    async with read_object(request, services(request).settings.limits.body_bytes) as fields:
        parsed = parse_generation(fields, services(request).settings.api.unknown_fields)
        draft = parsed.draft if parsed.enhance else None
        fingerprint = await _fingerprint(request, "video", parsed.request, parsed.webhook_url, draft)
        order = submit_order(request, caller, parsed.request, fingerprint, nearest=nearest, draft=draft)
        submitted, secret = await _submit(request, order, parsed, events)
    warnings = _by_names(parsed.names, (*parsed.warnings, *submitted.warnings))
    return SubmitOutcome(submitted, parsed.prompt, parsed.wait, warnings, secret)


async def submit_native(request: Request, caller: Caller, parsed: Generation, fingerprint: bytes) -> SubmitOutcome:
    """Submit what a client of an upstream's own SDK asks for, which resends a submit without a mark. Raises
    GatewayError."""
    order = submit_order(request, caller, parsed.request, fingerprint, unmarked_retries=True)
    submitted, secret = await _submit(request, order, parsed, TASK_EVENTS)
    warnings = _by_names(parsed.names, (*parsed.warnings, *submitted.warnings))
    return SubmitOutcome(submitted, parsed.prompt, warnings=warnings, webhook_secret=secret)


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
        draft = PromptDraft(parsed.prompt, operation=operation) if parsed.enhance else None
        fingerprint = await _fingerprint(request, operation, derivation, parsed.webhook_url, draft)
        order = submit_order(request, caller, derivation, fingerprint, nearest=True, draft=draft)
        submitted, secret = await _submit(request, order, parsed, VIDEO_EVENTS)
    warnings = _by_names(parsed.names, (*parsed.warnings, *submitted.warnings))
    outcome = SubmitOutcome(submitted, parsed.prompt, warnings=warnings, webhook_secret=secret)
    return outcome, derivation.video_id


async def _fingerprint(
    request: Request,
    operation: str,
    content: VideoRequest | Derivation,
    webhook_url: str | None,
    draft: PromptDraft | None,
) -> bytes:
    """The fingerprint of a parsed body, in a thread where the body is large: it takes a pass over its text."""
    size = content_length(request.headers)
    work = partial(fingerprint_of, operation, content, webhook_url, draft)
    return await offload(INLINE_BYTES if size is None else size, work)


async def _submit(
    request: Request, order: SubmitOrder, parsed: Generation | Reuse, events: EventForm
) -> tuple[Submitted, str | None]:
    """Submit an order, and follow its task for a webhook. The webhook's secret for the client comes with the task."""
    tasks, webhooks, language = services(request).tasks, services(request).webhooks, language_of(request)
    try:
        if parsed.webhook_url is None:
            return await tasks.submit(order), None
        # What is wrong with the webhook is said before anything is charged.
        with webhooks.reserve(order.caller, parsed.webhook_url, repeat=tasks.is_repeat(order)) as place:
            submitted = await tasks.submit(order)
            id, key = events.id_of(submitted), tasks.task_key(order.caller, submitted)
            followed = Followed(id, submitted.signed_id, key, lambda task: events.render(task, language))
            return submitted, place.follow(followed)
    except GatewayError as error:
        error.rename_fields(parsed.names)
        raise


def secret_field(outcome: SubmitOutcome) -> dict[str, str]:
    """The `webhook_secret` of an answer, empty where there is none."""
    return {"webhook_secret": outcome.webhook_secret} if outcome.webhook_secret else {}


def _by_names(names: Mapping[str, str], warnings: Iterable[FieldWarning]) -> tuple[FieldWarning, ...]:
    renamed = (replace(one, field=names.get(one.field, one.field)) for one in warnings)
    return tuple(dict.fromkeys(renamed))


def revised_field(outcome: SubmitOutcome) -> dict[str, str]:
    """The `revised_prompt` of an answer, empty where the prompt is the client's own."""
    revised = outcome.submitted.revised_prompt
    return {} if revised is None else {"revised_prompt": revised}


def warning_fields(warnings: Iterable[FieldWarning], language: Language) -> dict[str, Any]:
    """The `warnings` of an answer, empty where there are none."""
    rows = [_warning(one, language) for one in warnings]
    return {"warnings": rows} if rows else {}


def _warning(warning: FieldWarning, language: Language) -> dict[str, str]:
    row: dict[str, str] = {"code": warning.code, "field": warning.field}
    if warning.value:
        row["value"] = warning.value
    if warning.message is not None:
        row["message"] = localize(warning.message, language)
    return row


def warning_headers(warnings: Iterable[FieldWarning]) -> dict[str, str]:
    """The same as a header, for clients with strict schemas: `ignored_field fps, adjusted_value resolution=720p`."""
    texts = [f"{one.code} {quote(one.field)}" + (f"={quote(one.value)}" if one.value else "") for one in warnings]
    while len(joined := ", ".join(texts)) > _MAX_HEADER:
        texts.pop()
    return {WARNINGS_HEADER: joined} if joined else {}
