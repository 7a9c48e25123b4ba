"""JSON of a task in the OpenAI Videos API: the video object."""

import math
from typing import Any

from gateway.core.errors import CODES, describe
from gateway.core.localization import Language
from gateway.tasks.view import Task
from providers.contract.errors import ProviderError
from providers.contract.tasks import Phase, Result
from providers.registry import find_spec

_STATUS = {"pending": "queued", "processing": "in_progress", "completed": "completed", "failed": "failed"}


def render_video(task: Task, language: Language) -> dict[str, Any]:
    """A video object: one of four statuses, integers, `seconds` as a string."""
    state = task.state
    size, seconds = task.size, task.seconds
    if state.result:
        result = state.result
        size = f"{result.width}x{result.height}" if result.width and result.height else size
        seconds = seconds or round(result.duration or 0)
    status = _STATUS[state.phase.status]
    video = video_object(task.id, task.created or 0, task.model or "", status, task.progress, seconds, size)
    if state.phase.ended and state.ended_at:
        video["completed_at"] = int(state.ended_at)
    if state.phase is Phase.COMPLETED and state.result:
        video["expires_at"] = None if task.archived else _expiry(task.provider, state.result, state.ended_at)
        video["url"] = state.result.url
    if state.error:
        video["error"] = _error(state.error, language)
    if task.archived:
        video["archived"] = True
    if task.stale:
        video["stale"] = True
    return video | {"provider": task.provider}


def video_object(
    id: str, created: int, model: str, status: str, progress: int, seconds: int, size: str
) -> dict[str, Any]:
    """The fields of every video object. `created` is in unix seconds, `size` is WxH."""
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


def _error(error: ProviderError, language: Language) -> dict[str, Any]:
    fields = {"code": CODES[error.kind], "message": describe(error, language)}
    return fields | {"upstream_code": error.code} if error.code else fields


def _expiry(provider: str, result: Result, ended_at: float | None) -> int | None:
    spec = find_spec(provider)
    if result.expires_at or not ended_at or spec is None or spec.result_link_seconds is None:
        return result.expires_at
    return math.floor(ended_at) + spec.result_link_seconds
