"""The generations API: submit, poll and cancel videos."""

import asyncio
import re
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.accounts.callers import Caller
from gateway.api.context import (
    add_log_fields,
    caller_of,
    forces_refresh,
    json_response,
    language_of,
    poll_headers,
    services,
)
from gateway.api.paths import link_to
from gateway.api.poll_endpoint import cancel_task
from gateway.api.renderers.task import render_task
from gateway.api.submit_endpoint import (
    SubmitOutcome,
    revised_field,
    secret_field,
    submit_generation,
    warning_fields,
    warning_headers,
)
from gateway.core.errors import gateway_error
from gateway.live.waiting import wait_for_end
from providers.contract.tasks import Phase

MAX_IDS = 100

_PREFER_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,9})", re.IGNORECASE)


async def submit(request: Request) -> Response:
    """POST /v1/videos/generations"""
    caller = caller_of(request)
    outcome = await submit_generation(request, caller, nearest=False)
    add_log_fields(request, outcome.submitted.log_fields(outcome.submitted.id))
    seconds = _seconds_to_wait(request, caller, outcome.wait)
    if seconds is None:
        return _accepted(request, outcome)
    try:
        current = services(request)
        task = await wait_for_end(current.watches, current.clock, caller, outcome.submitted, seconds, request.receive)
    except asyncio.CancelledError:
        # The process stops; the task continues.
        return _accepted(request, outcome, 202)
    fields = render_task(task, language_of(request)) | _extras(request, outcome)
    if "data" in fields:
        fields["data"] = [link | revised_field(outcome) for link in fields["data"]]
    headers = poll_headers(task) | warning_headers(outcome.warnings) | {"preference-applied": f"wait={seconds:g}"}
    return json_response(fields, 200 if task.state.phase.ended else 202, headers)


def _extras(request: Request, outcome: SubmitOutcome) -> dict[str, Any]:
    """What an answer to a submit has beside the task."""
    return revised_field(outcome) | secret_field(outcome) | warning_fields(outcome.warnings, language_of(request))


def _accepted(request: Request, outcome: SubmitOutcome, status: int = 200) -> Response:
    submitted = outcome.submitted
    fields = {
        "created": submitted.created,
        "task_id": submitted.id,
        "status": Phase.QUEUED.status,
        "model": submitted.model,
        "provider": submitted.provider,
    }
    location = link_to(request.scope, f"/v1/videos/tasks/{submitted.id}")
    headers = {"location": location} | warning_headers(outcome.warnings)
    return json_response(fields | _extras(request, outcome), status, headers)


async def method_not_allowed(request: Request) -> Response:
    """GET /v1/videos/generations: only POST is allowed."""
    raise HTTPException(405, headers={"Allow": "POST"})


async def statuses(request: Request) -> Response:
    """GET /v1/videos/tasks?ids=a,b,c, or ?status=unfinished"""
    caller = caller_of(request)
    status_filter = request.query_params.get("status")
    if status_filter == "unfinished":
        return await _unfinished(request, caller)
    if status_filter:
        raise gateway_error("invalid_status_filter", param="status")
    ids = [id for value in request.query_params.getlist("ids") for id in value.split(",") if id]
    if not ids or len(ids) > MAX_IDS:
        raise gateway_error("ids_required", param="ids", limit=MAX_IDS)
    found = await services(request).tasks.statuses(caller, ids, force_refresh=forces_refresh(request))
    language = language_of(request)
    data = [
        render_task(task, language) if task is not None else {"task_id": id, "status": "not_found"}
        for id, task in found.items()
    ]
    running = [task for task in found.values() if task is not None and task.poll_after_ms is not None]
    soonest = min(running, key=lambda task: task.poll_after_ms or 0, default=None)
    return json_response({"object": "list", "data": data}, headers=poll_headers(soonest))


async def _unfinished(request: Request, caller: Caller) -> Response:
    """The recent tasks of the caller's accounts that have not ended, as the upstreams list them now."""
    recent, _ = await services(request).tasks.list(caller, limit=MAX_IDS, native=True)
    language = language_of(request)
    data = [render_task(task, language) for task in recent if not task.state.phase.ended]
    return json_response({"object": "list", "data": data}, headers={"cache-control": "no-store"})


async def cancel(request: Request) -> Response:
    """POST /v1/videos/tasks/{id}/cancel"""
    task = await cancel_task(request)
    return json_response(render_task(task, language_of(request)), headers=poll_headers(task))


def _seconds_to_wait(request: Request, caller: Caller, wait: bool | None) -> float | None:
    """How long to hold the response, in seconds; None to respond at once. The `Prefer` header takes precedence over the
    body, and the body over the configuration."""
    settings = services(request).settings
    longest = settings.video_timeout / 1000
    prefer = request.headers.get("prefer", "")
    match = _PREFER_WAIT.search(prefer)
    if match:
        return min(float(match[1]), longest)
    if "respond-async" in prefer.lower():
        return None
    return longest if (settings.api.holds_submits(caller.name) if wait is None else wait) else None
