"""Webhooks, for the operator: send a sample event."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.admin_auth import require_operator
from gateway.api.context import json_response, language_of, services
from gateway.api.renderers.task import render_task
from gateway.api.schemas.body_parser import read_object
from gateway.api.schemas.requests import parse_webhook_test
from gateway.core.localization import localize
from gateway.tasks.view import Task
from providers.contract.tasks import Phase, Result, TaskState

_STATE = TaskState("sample", Phase.COMPLETED, result=Result("https://example.com/video.mp4", duration=5))
_TASK = Task("sample", "sample", _STATE, 100, model="sample")


async def test(request: Request) -> Response:
    """POST /v1/webhooks/test: one attempt, without retries."""
    require_operator(request)
    language = language_of(request)
    async with read_object(request, services(request).settings.limits.body_bytes, files=False) as fields:
        asked = parse_webhook_test(fields)
    webhooks = services(request).webhooks
    event, attempt, secret = await webhooks.send_sample(asked.url.strip(), asked.secret, render_task(_TASK, language))
    answer: dict[str, Any] = {
        "delivered": attempt.delivered,
        "status": attempt.status,
        "duration_ms": round(attempt.seconds * 1000),
        "headers": dict(attempt.headers),
        "body": event.body.decode(),
    }
    if secret:
        answer["secret"] = secret
    if attempt.error:
        answer["error"] = localize(attempt.error, language)
    return json_response(answer, headers={"cache-control": "no-store"})
