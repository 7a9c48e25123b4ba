"""The OpenAI Videos API, as its client libraries use it. Ids are signed; nothing is stored."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import add_log_fields, caller_of, json_response, language_of, services
from gateway.api.file_responses import archived_content, range_not_satisfiable, stream_content
from gateway.api.paths import link_to
from gateway.api.poll_endpoint import cancel_task
from gateway.api.renderers.video import render_video, video_object
from gateway.api.submit_endpoint import (
    VIDEO_EVENTS,
    SubmitOutcome,
    revised_field,
    secret_field,
    submit_derived,
    submit_generation,
    warning_fields,
    warning_headers,
)
from gateway.core.byte_ranges import UnsatisfiableRangeError
from gateway.core.errors import GatewayError, gateway_error, invalid
from gateway.core.messages import ERRORS
from gateway.tasks.derived import finished
from providers.contract.errors import FieldProblem, FieldReason
from providers.contract.tasks import Result

DEFAULT_LIMIT, MAX_LIMIT = 20, 100


async def create(request: Request) -> Response:
    """POST /v1/videos"""
    caller = caller_of(request)
    return _created(request, await submit_generation(request, caller, nearest=True, events=VIDEO_EVENTS))


async def list_videos(request: Request) -> Response:
    """GET /v1/videos"""
    caller = caller_of(request)
    query = request.query_params
    limit, order = query.get("limit", str(DEFAULT_LIMIT)), query.get("order", "desc")
    problems = []
    if not (limit.isascii() and limit.isdigit() and len(limit) < 4 and 1 <= int(limit) <= MAX_LIMIT):
        problems.append(FieldProblem("limit", FieldReason.NOT_ALLOWED, (f"1–{MAX_LIMIT}",), limit[:60]))
    if order not in ("asc", "desc"):
        problems.append(FieldProblem("order", FieldReason.NOT_ALLOWED, ("asc", "desc"), order[:60]))
    if problems:
        raise invalid(problems)
    page, more = await services(request).tasks.list(
        caller, limit=int(limit), after=query.get("after") or None, ascending=order == "asc"
    )
    language = language_of(request)
    data = [render_video(task, language) for task in page]
    return json_response(
        {
            "object": "list",
            "data": data,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
            "has_more": more,
        }
    )


async def delete(request: Request) -> Response:
    """DELETE /v1/videos/{id}: cancels the task, or 409 if it can no longer be cancelled."""
    await cancel_task(request)
    return json_response({"id": request.path_params["id"], "object": "video.deleted", "deleted": True})


async def content(request: Request) -> Response:
    """GET and HEAD /v1/videos/{id}/content"""
    caller = caller_of(request)
    variant = request.query_params.get("variant") or "video"
    if variant not in ("video", "thumbnail"):
        raise invalid([FieldProblem("variant", FieldReason.NOT_ALLOWED, ("video", "thumbnail"), variant[:60])])
    tasks, id = services(request).tasks, request.path_params["id"]
    task = await tasks.status(caller, id)
    link = _link(finished(task), variant)
    filename = f"{task.provider}-{task.state.id}.{'mp4' if variant == 'video' else 'jpg'}"
    media_type = "video/mp4" if variant == "video" else "image/jpeg"
    headers = request.headers
    try:
        opened = await tasks.open_archived(
            caller,
            id,
            "video" if variant == "video" else "thumbnail",
            range=headers.get("range", ""),
            if_range=headers.get("if-range", ""),
            head=request.method == "HEAD",
        )
    except UnsatisfiableRangeError as error:
        return range_not_satisfiable(request, error.size)
    if opened is not None:
        return await archived_content(request, opened, filename=filename, media_type=media_type)
    if link is None:
        raise gateway_error("no_thumbnail")
    if not link.startswith(("https://", "http://")):
        # A path of this gateway: the archived file is gone since the status was read.
        raise GatewayError("not_found", ERRORS["file_expired"])

    async def renew() -> str | None:
        """A renewed link to the same file."""
        return _link(await tasks.fresh_result(caller, id), variant)

    return await stream_content(
        services(request).http,
        link,
        request,
        filename=filename,
        media_type=media_type,
        proxy=task.proxy,
        renew=renew,
    )


async def remix(request: Request) -> Response:
    """POST /v1/videos/{id}/remix"""
    caller, id = caller_of(request), request.path_params["id"]
    return _created(request, *await submit_derived(request, caller, "remix", id))


async def edits(request: Request) -> Response:
    """POST /v1/videos/edits, for models that edit a video."""
    return _created(request, *await submit_derived(request, caller_of(request), "edit"))


async def extensions(request: Request) -> Response:
    """POST /v1/videos/extensions, for models that extend a clip."""
    return _created(request, *await submit_derived(request, caller_of(request), "extend"))


async def characters(request: Request) -> Response:
    """/v1/videos/characters: no upstream has characters."""
    caller_of(request)
    raise GatewayError("not_supported", ERRORS["characters_not_supported"])


def _created(request: Request, outcome: SubmitOutcome, remixed_from: str | None = None) -> Response:
    """The response for a new video."""
    submitted = outcome.submitted
    id = submitted.signed_id
    add_log_fields(request, submitted.log_fields(id))
    video = video_object(id, submitted.created, submitted.model, "queued", 0, submitted.seconds, submitted.size)
    video["prompt"] = outcome.prompt
    if remixed_from:
        video["remixed_from_video_id"] = remixed_from
    video |= revised_field(outcome) | {"provider": submitted.provider} | secret_field(outcome)
    fields = video | warning_fields(outcome.warnings, language_of(request))
    location = link_to(request.scope, f"/v1/videos/{id}")
    return json_response(fields, headers={"location": location} | warning_headers(outcome.warnings))


def _link(result: Result | None, variant: str) -> str | None:
    if result is None:
        return None
    return result.url if variant == "video" else result.cover_url
