"""The OpenAI Videos API, as its client libraries speak it: ids are sealed, and nothing is stored."""

import math
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.accounts.callers import Caller
from gateway.api.context import caller, insists, json_answer, language, note, parts, poll_headers, submit_once
from gateway.api.file_responses import archived_content, not_satisfiable, stream_content
from gateway.api.schemas.body_parser import read_object
from gateway.api.schemas.requests import parse_generation, parse_reuse
from gateway.archive.archive import UnsatisfiableRangeError
from gateway.core.errors import CODES, GatewayError, describe, invalid, refused
from gateway.core.messages import ERRORS, Language
from gateway.tasks.derived import Derivation, edit_request, extension_request, finished, remix_request
from gateway.tasks.idempotency import fingerprint_of
from gateway.tasks.service import Tasks
from gateway.tasks.view import Task
from providers.contract.errors import FieldProblem, FieldReason, ProviderError
from providers.contract.requests import VideoRequest
from providers.contract.tasks import Phase, Result
from providers.registry import find_spec

DEFAULT_LIMIT, MAX_LIMIT = 20, 100

_STATUS = {"pending": "queued", "processing": "in_progress", "completed": "completed", "failed": "failed"}


async def create(request: Request) -> Response:
    """POST /v1/videos"""
    who = caller(request)
    async with read_object(request, parts(request).settings.limits.body_bytes) as fields:
        body = parse_generation(fields)
        wish = body.video_request()

        async def wished() -> VideoRequest:
            return wish

        return await _submit(request, who, ("video", wish), wished, prompt=body.prompt)


async def retrieve(request: Request) -> Response:
    """GET /v1/videos/{id}"""
    task = await parts(request).tasks.status(caller(request), request.path_params["id"], ask=insists(request))
    return json_answer(render(task, language(request)), headers=poll_headers(task))


async def list_videos(request: Request) -> Response:
    """GET /v1/videos"""
    who = caller(request)
    query = request.query_params
    limit, order = query.get("limit", str(DEFAULT_LIMIT)), query.get("order", "desc")
    problems = []
    if not (limit.isascii() and limit.isdigit() and len(limit) < 4 and 1 <= int(limit) <= MAX_LIMIT):
        problems.append(FieldProblem("limit", FieldReason.NOT_ALLOWED, (f"1–{MAX_LIMIT}",), limit[:60]))
    if order not in ("asc", "desc"):
        problems.append(FieldProblem("order", FieldReason.NOT_ALLOWED, ("asc", "desc"), order[:60]))
    if problems:
        raise invalid(problems)
    page, more = await parts(request).tasks.list(
        who, limit=int(limit), after=query.get("after") or None, ascending=order == "asc"
    )
    spoken = language(request)
    data = [render(task, spoken) for task in page]
    return json_answer(
        {
            "object": "list",
            "data": data,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
            "has_more": more,
        }
    )


async def delete(request: Request) -> Response:
    """DELETE /v1/videos/{id}: cancels a task that still can be cancelled; else 409."""
    id = request.path_params["id"]
    await parts(request).tasks.cancel(caller(request), id)
    return json_answer({"id": id, "object": "video.deleted", "deleted": True})


async def content(request: Request) -> Response:
    """GET and HEAD /v1/videos/{id}/content"""
    who = caller(request)
    variant = request.query_params.get("variant") or "video"
    if variant not in ("video", "thumbnail"):
        raise invalid([FieldProblem("variant", FieldReason.NOT_ALLOWED, ("video", "thumbnail"), variant[:60])])
    tasks, id = parts(request).tasks, request.path_params["id"]
    task = await tasks.status(who, id)
    link = _link(finished(task), variant)
    filename = f"{task.provider}-{task.state.id}.{'mp4' if variant == 'video' else 'jpg'}"
    media_type = "video/mp4" if variant == "video" else "image/jpeg"
    headers = request.headers
    try:
        opened = await tasks.open_archived(
            who,
            id,
            "video" if variant == "video" else "thumbnail",
            range=headers.get("range", ""),
            if_range=headers.get("if-range", ""),
            head=request.method == "HEAD",
        )
    except UnsatisfiableRangeError as error:
        return await not_satisfiable(request, error.size)
    if opened is not None:
        return await archived_content(request, opened, filename=filename, media_type=media_type)
    if link is None:
        raise refused("no_thumbnail")
    if not link.startswith(("https://", "http://")):
        # A path of this gateway, which the archive gave a moment ago.
        raise GatewayError("not_found", ERRORS["file_gone"])

    async def renew() -> str | None:
        """The same link, signed anew."""
        again = await tasks.status(who, id, ask=True)
        return _link(again.state.result, variant) if again.state.result else None

    return await stream_content(
        parts(request).http,
        link,
        request,
        filename=filename,
        media_type=media_type,
        proxy=task.proxy,
        renew=renew,
    )


async def remix(request: Request) -> Response:
    """POST /v1/videos/{id}/remix"""
    who, id, tasks = caller(request), request.path_params["id"], parts(request).tasks
    async with read_object(request, parts(request).settings.limits.body_bytes) as fields:
        body = parse_reuse(fields)

        async def wished() -> VideoRequest:
            return await remix_request(tasks, who, id, body.prompt)

        return await _submit(request, who, ("remix", id, body.prompt), wished, prompt=body.prompt, remixed_from=id)


async def edits(request: Request) -> Response:
    """POST /v1/videos/edits, for models that work on a video."""
    return await _reuse(request, "edit", edit_request)


async def extensions(request: Request) -> Response:
    """POST /v1/videos/extensions, for models that go on from a clip."""
    return await _reuse(request, "extend", extension_request)


async def characters(request: Request) -> Response:
    """/v1/videos/characters: no upstream keeps characters."""
    caller(request)
    raise GatewayError("not_supported", ERRORS["no_characters"])


async def _reuse(
    request: Request, what: str, make: Callable[[Tasks, Caller, Derivation], Awaitable[VideoRequest]]
) -> Response:
    who = caller(request)
    async with read_object(request, parts(request).settings.limits.body_bytes) as fields:
        body = parse_reuse(fields)

        async def wished() -> VideoRequest:
            return await make(parts(request).tasks, who, body.derivation())

        asked = (what, dict(body))
        return await _submit(request, who, asked, wished, prompt=body.prompt, remixed_from=body.video_id)


async def _submit(
    request: Request,
    who: Caller,
    asked: tuple[Any, ...],
    wished: Callable[[], Awaitable[VideoRequest]],
    *,
    prompt: str,
    remixed_from: str | None = None,
) -> Response:
    submitted = await submit_once(request, who, fingerprint_of(*asked), wished, nearest=True)
    id = submitted.sealed_id
    note(request, submitted.mark(id))
    video = _video(id, submitted.created, submitted.model, "queued", 0, submitted.seconds, submitted.size)
    video["prompt"] = prompt
    if remixed_from:
        video["remixed_from_video_id"] = remixed_from
    return json_answer(video | {"provider": submitted.provider}, headers={"location": f"/v1/videos/{id}"})


def render(task: Task, spoken: Language) -> dict[str, Any]:
    """A video object: only the four statuses, whole numbers, `seconds` as text."""
    state = task.state
    size, seconds = task.size, task.seconds
    if state.result:
        result = state.result
        size = f"{result.width}x{result.height}" if result.width and result.height else size
        seconds = seconds or round(result.duration or 0)
    status = _STATUS[state.phase.status]
    video = _video(task.id, task.created or 0, task.model or "", status, task.progress, seconds, size)
    if state.phase.ended and state.ended_at:
        video["completed_at"] = int(state.ended_at)
    if state.phase is Phase.COMPLETED and state.result:
        video["expires_at"] = None if task.archived else _expiry(task.provider, state.result, state.ended_at)
        video["url"] = state.result.url
    if state.error:
        video["error"] = _error(state.error, spoken)
    if task.archived:
        video["archived"] = True
    if task.stale:
        video["stale"] = True
    return video | {"provider": task.provider}


def _video(id: str, created: int, model: str, status: str, progress: int, seconds: int, size: str) -> dict[str, Any]:
    return {
        "id": id,
        "object": "video",
        "created_at": created,
        "model": model,
        "status": status,
        "progress": progress,
        "seconds": str(seconds),
        "size": size,
        "completed_at": None,
        "expires_at": None,
        "remixed_from_video_id": None,
        "error": None,
    }


def _error(error: ProviderError, spoken: Language) -> dict[str, Any]:
    answer = {"code": CODES[error.kind], "message": describe(error, spoken)}
    return answer | {"upstream_code": error.code} if error.code else answer


def _expiry(provider: str, result: Result, ended_at: float | None) -> int | None:
    spec = find_spec(provider)
    if result.expires_at or not ended_at or spec is None or spec.result_link_seconds is None:
        return result.expires_at
    return math.floor(ended_at) + spec.result_link_seconds


def _link(result: Result | None, variant: str) -> str | None:
    if result is None:
        return None
    return result.url if variant == "video" else result.cover_url
