"""Answers of the task API in the service's words: states, times, rows of the list, errors. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from providers.contract.errors import Blame, ErrorKind, ProviderError
from providers.contract.native import NativeAnswer, NativeError, NativeTask
from providers.contract.tasks import Phase, Result
from providers.dashscope.errors import meaning_of
from providers.dashscope.models import PROVIDER
from providers.dashscope.tasks import LIST_SECONDS, service_time, unix_time_of_query

MAX_PAGE_SIZE = 100

_STATUS_WORDS = {
    Phase.QUEUED: "PENDING",
    Phase.PROCESSING: "RUNNING",
    Phase.POST_PROCESSING: "RUNNING",
    Phase.FINALIZING: "RUNNING",
    Phase.COMPLETED: "SUCCEEDED",
    Phase.FAILED: "FAILED",
}

_FAILURE_CODES = {
    ErrorKind.INVALID_REQUEST: "InvalidParameter",
    ErrorKind.CONTENT_REFUSED: "DataInspectionFailed",
    ErrorKind.NO_CREDITS: "Arrearage",
}
"""The code of a failed task of another provider, by kind."""
_INTERNAL = "InternalError"

_CODES: dict[str, tuple[int, str]] = {
    "content_policy_violation": (400, "DataInspectionFailed"),
    "invalid_api_key": (401, "InvalidApiKey"),
    "account_restricted": (403, "AccessDenied"),
    "not_found": (404, "NotFound"),
    "model_not_found": (404, "ModelNotFound"),
    "task_not_found": (400, "UnsupportedOperation"),
    "method_not_allowed": (405, "MethodNotAllowed"),
    "not_cancellable": (400, "UnsupportedOperation"),
    "idempotency_mismatch": (409, "Conflict"),
    "too_large": (400, "BadRequest.TooLarge"),
    "request_timeout": (408, "RequestTimeOut"),
    "insufficient_quota": (400, "Arrearage"),
    "rate_limit_exceeded": (429, "Throttling.RateQuota"),
    "upstream_unavailable": (503, "ModelUnavailable"),
    "too_many_connections": (503, "ModelUnavailable"),
    "submission_unconfirmed": (500, "ResponseTimeout"),
}
"""HTTP status and code of the service, by the gateway's code. Of the others, 4xx are InvalidParameter."""

_OWN_WORDS = frozenset({"upstream_unavailable", "submission_unconfirmed"})
"""Errors that say whether something was created. What the upstream said instead would mislead."""

_STATUSES: tuple[tuple[str, int], ...] = (
    ("InvalidApiKey", 401),
    ("NOT AUTHORIZED", 401),
    ("AccessDenied", 403),
    ("Model.AccessDenied", 403),
    ("Workspace.AccessDenied", 403),
    ("App.AccessDenied", 403),
    ("AllocationQuota.FreeTierOnly", 403),
    ("ModelNotFound", 404),
    ("WorkSpaceNotFound", 404),
    ("NotFound", 404),
    ("Conflict", 409),
    ("Throttling", 429),
    ("CommodityNotPurchased", 429),
    ("PrepaidBillOverdue", 429),
    ("PostpaidBillOverdue", 429),
    ("ModelServingError", 503),
    ("ModelUnavailable", 503),
)
"""HTTP status of the service's codes by their beginnings. Others are 400, or 500 where the fault is the service's."""

_CODE = re.compile(r"[A-Z][A-Za-z]*(?:[. ][A-Za-z]+)*")
"""The service's codes are words, those of other upstreams are numbers."""


def status_word(task: NativeTask) -> str:
    """PENDING, RUNNING, SUCCEEDED, FAILED or CANCELED."""
    error = task.state.error
    if error is not None and error.kind is ErrorKind.CANCELLED:
        return "CANCELED"
    return _STATUS_WORDS[task.state.phase]


def status_answer(task: NativeTask) -> dict[str, Any]:
    """The body of a poll. Of a task of this service that has ended, it is the service's own, with the public id."""
    state = task.state
    if state.native and task.provider == PROVIDER:
        own: dict[str, Any] = orjson.loads(state.native)
        own["output"]["task_id"] = task.id
        return own
    output: dict[str, Any] = {"task_id": task.id, "task_status": status_word(task)}
    times = {
        "submit_time": state.created_at or task.created,
        "scheduled_time": state.started_at,
        "end_time": state.ended_at,
    }
    output |= {name: service_time(at) for name, at in times.items() if at}
    if state.result is not None:
        return {"output": {**output, "video_url": state.result.url}, "usage": _usage(state.result)}
    if state.error is not None and state.error.kind is not ErrorKind.CANCELLED:
        output |= _failure(task, state.error)
    return {"output": output}


def _failure(task: NativeTask, error: ProviderError) -> dict[str, str]:
    if task.provider == PROVIDER and error.code:
        return {"code": error.code, "message": error.detail or task.failure}
    return {"code": _FAILURE_CODES.get(error.kind, _INTERNAL), "message": task.failure}


def _usage(result: Result) -> dict[str, Any]:
    usage: dict[str, Any] = {"video_count": 1}
    if result.duration:
        usage["duration"] = result.duration
    if result.width and result.height:
        usage |= {"size": f"{result.width}*{result.height}", "SR": min(result.width, result.height)}
    return usage


def list_page(tasks: Sequence[NativeTask], query: Mapping[str, str], now: float) -> dict[str, Any]:
    """The body of a list: the page of the tasks that `query` selects. Raises ProviderError for a bad parameter."""
    number, size = _positive(query, "page_no", 1), _positive(query, "page_size", 10)
    if size > MAX_PAGE_SIZE:
        raise invalid_parameter(f"page_size must be in [1, {MAX_PAGE_SIZE}]")
    start, end = _span(query, now)
    wanted = {name: query[name] for name in ("task_id", "model_name", "status") if query.get(name)}
    rows = [row for task in tasks if start <= _created(task) < end and wanted.items() <= (row := _row(task)).items()]
    return {
        "total": len(rows),
        "data": rows[(number - 1) * size : number * size],
        "total_page": -(-len(rows) // size),
        "page_no": number,
        "page_size": size,
    }


def _created(task: NativeTask) -> float:
    return task.state.created_at or task.created or 0.0


def _row(task: NativeTask) -> dict[str, Any]:
    """A row of the list. Its times are milliseconds."""
    created = int(_created(task) * 1000)
    row: dict[str, Any] = {
        "task_id": task.id,
        "model_name": task.model or "",
        "status": status_word(task),
        "gmt_create": created,
        "start_time": created,
    }
    return row | ({"end_time": int(task.state.ended_at * 1000)} if task.state.ended_at else {})


def _positive(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise invalid_parameter(f"{name} must be a positive integer")
    return int(text)


def _span(query: Mapping[str, str], now: float) -> tuple[float, float]:
    """The time of the list in unix seconds: the last 24 hours; those after or before the only end that is given."""
    given = {name: query[name] for name in ("start_time", "end_time") if query.get(name)}
    times = {name: unix_time_of_query(text) for name, text in given.items()}
    for name, at in times.items():
        if at is None:
            raise invalid_parameter(f"{name} must be YYYYMMDDhhmmss")
    start, end = times.get("start_time"), times.get("end_time")
    if end is not None:
        # The second that it names belongs to it.
        end += 1
    if start is None:
        start = (now + 1 if end is None else end) - LIST_SECONDS - 1
    if end is None:
        end = start + LIST_SECONDS + 2
    if not 0 <= end - start <= LIST_SECONDS + 2:
        raise invalid_parameter("the span of start_time and end_time must be within 24 hours")
    return start, end


def invalid_parameter(text: str) -> ProviderError:
    """The service's error for a parameter."""
    return ProviderError(ErrorKind.INVALID_REQUEST, code="InvalidParameter", detail=text)


def error_answer(error: NativeError) -> NativeAnswer:
    """Status and body of an error: code and text are the service's where the error comes from it."""
    upstream = error.upstream_code
    meaning = meaning_of(upstream, error.detail) if upstream else None
    if upstream and error.code not in _OWN_WORDS and (meaning is not None or _CODE.fullmatch(upstream)):
        beginnings = [status for beginning, status in _STATUSES if upstream.startswith(beginning)]
        fault = meaning.kind.blame is Blame.UPSTREAM if meaning is not None else error.status >= 500
        status = beginnings[0] if beginnings else 500 if fault else 400
        return NativeAnswer(status, {"code": upstream, "message": error.detail or error.message})
    fallback = (500, _INTERNAL) if error.status >= 500 else (error.status, "InvalidParameter")
    status, code = _CODES.get(error.code, fallback)
    return NativeAnswer(status, {"code": code, "message": error.message})
