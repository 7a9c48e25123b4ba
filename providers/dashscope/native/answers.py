"""Answers of the task API in the service's words: states, times, rows of the list. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.native import NativeTask
from providers.contract.tasks import Phase, Result
from providers.dashscope.models import PROVIDER
from providers.dashscope.native.errors import INTERNAL, invalid_parameter
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
    return {"code": _FAILURE_CODES.get(error.kind, INTERNAL), "message": task.failure}


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
