"""Parse the responses of `GET /tasks/{id}` and `GET /tasks` to TaskStates. Pure, never raises: an unreadable task is a
ProviderError in place of a state, an unreadable row of the list is skipped.

The HTTP status is 200 for every state of a task, UNKNOWN included. Times of a task, and of the list's query, are texts
in UTC+8 without a zone; times in the list's rows are epoch milliseconds.
"""

import math
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from providers.compact_json import compact_json
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.contract.tasks import Phase, Result, TaskState
from providers.dashscope.errors import code_and_message, error_from, text_of
from providers.sizes import parse_size

STATES: dict[str, tuple[Phase, int]] = {
    "PENDING": (Phase.QUEUED, 0),
    "PRE-PROCESSING": (Phase.PROCESSING, 50),
    "RUNNING": (Phase.PROCESSING, 50),
    "SUSPENDED": (Phase.PROCESSING, 50),
    "POST-PROCESSING": (Phase.POST_PROCESSING, 80),
    "SUCCEEDED": (Phase.COMPLETED, 100),
    "FAILED": (Phase.FAILED, 0),
    "CANCELED": (Phase.FAILED, 0),
    "CANCELLED": (Phase.FAILED, 0),
}
"""Phase and progress of each `task_status`. Any other status is `OTHER`."""

OTHER = (Phase.PROCESSING, 50)

UNKNOWN = "UNKNOWN"
"""Status of a task that never existed, is older than 24 hours, or belongs to another main account."""

NO_LINK = LocalizedText("视频生成完成但未获取到URL", "The video was generated, but the upstream returned no link to it")
CANCELLED = LocalizedText("任务已取消", "The task was cancelled")

LINK_SECONDS = 24 * 3600
"""Lifetime of a link on Alibaba's storage. Models of other makers use other storage, with longer lifetimes."""

LIST_SECONDS = 24 * 3600
"""The longest time window of the list."""

MAX_NATIVE_BYTES = 16 * 1024

_ZONE = timezone(timedelta(hours=8))
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?")
_MAX_TIME = 40
"""Characters of a time that is read: an upstream may send any text."""
_QUERY_TIME = "%Y%m%d%H%M%S"
_DIGITS = re.compile(r"[0-9]{14}")
_LATEST_MS = 10**14
"""Larger times of a row are ignored: this is some three thousand years from now."""
_UNIX = re.compile(r"[0-9]{9,11}")
_LINK_SCHEMES = ("http://", "https://")
_LINKS = ("video_url", "output_video_url")
_DURATIONS = ("output_video_duration", "output_seconds", "video_duration", "duration")
"""Fields of `usage` with the duration of the video. `duration` is last: it includes the input's seconds."""


def parse(id: str, body: Any, redact: Callable[[str], str] = str) -> TaskState | ProviderError:
    """The state of the task `id` from the decoded JSON `body`.

    `redact` is applied to the upstream's texts. Returns ProviderError(TASK_NOT_FOUND) for a task that the upstream does
    not know, UPSTREAM_ERROR or the error's own kind for a body without a state.
    """
    output = _object(_object(body).get("output"))
    status = text_of(output.get("task_status")).upper()
    if not status:
        return _no_state(body, redact)
    if status == UNKNOWN:
        return ProviderError(ErrorKind.TASK_NOT_FOUND)

    phase, progress = STATES.get(status, OTHER)
    ended_at = unix_time(output.get("end_time")) if phase.ended else None
    result: Result | None = None
    error: ProviderError | None = None
    if phase is Phase.COMPLETED:
        result = _result(output, _object(_object(body).get("usage")), ended_at)
        if result is None:
            phase, progress = Phase.FAILED, 0
            error = ProviderError(ErrorKind.GENERATION_FAILED, message=NO_LINK)
    elif phase is Phase.FAILED:
        error = _failure(status, output, redact)
    return TaskState(
        id,
        phase,
        progress,
        created_at=unix_time(output.get("submit_time")),
        started_at=None if phase is Phase.QUEUED else unix_time(output.get("scheduled_time")),
        ended_at=ended_at,
        result=result,
        error=error,
        native=_native(body, redact) if phase.ended else b"",
    )


def _native(body: Any, redact: Callable[[str], str]) -> bytes:
    """Output and usage of a task that has ended, for clients of this API; empty for more than MAX_NATIVE_BYTES."""
    own = {name: body[name] for name in ("output", "usage") if isinstance(body.get(name), dict)}
    try:
        native = compact_json(_redacted(own, redact))
    except (TypeError, RecursionError):
        # An integer that no JSON writer of the gateway takes, or too many levels.
        return b""
    return native if len(native) <= MAX_NATIVE_BYTES else b""


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    """A decoded body with `redact` applied to its texts, except for links."""
    if isinstance(value, str):
        return value if value.startswith(_LINK_SCHEMES) else redact(value)
    if isinstance(value, dict):
        return {name: _redacted(item, redact) for name, item in value.items()}
    return [_redacted(item, redact) for item in value] if isinstance(value, list) else value


class Page(NamedTuple):
    """One page of the list.

    `states` are the readable rows, in the order of the response; `ids` are those of every row, so that a repeated page
    can be detected. `pages` is the number of pages, `size` that of the rows of a full one, which may be less than was
    asked for; None if unknown.
    """

    states: tuple[TaskState, ...]
    ids: frozenset[str]
    pages: int | None
    size: int | None = None

    @property
    def newest_first(self) -> bool:
        """False if the page is clearly in the opposite order."""
        times = [state.created_at or 0.0 for state in self.states]
        return not times or times[0] >= times[-1]


def parse_page(body: Any, redact: Callable[[str], str] = str) -> Page:
    """The page in a successful response; empty if there is nothing to read."""
    rows = _object(body).get("data")
    rows = rows if isinstance(rows, list) else []
    states = (parse_row(row, redact) for row in rows)
    pages, size = (_positive(_object(body).get(name)) for name in ("total_page", "page_size"))
    return Page(
        states=tuple(state for state in states if state is not None),
        ids=frozenset(id for row in rows if (id := text_of(_object(row).get("task_id")))),
        pages=int(pages) if pages is not None else None,
        size=int(size) if size is not None else None,
    )


def parse_row(row: Any, redact: Callable[[str], str] = str) -> TaskState | None:
    """The state of a row of the list. A finished task has no result here, a failed one no reason.

    None for a row without an id, a status or a time, and for status UNKNOWN.
    """
    row = _object(row)
    id, status = text_of(row.get("task_id")), text_of(row.get("status")).upper()
    created_at = _from_milliseconds(row.get("gmt_create")) or _from_milliseconds(row.get("start_time"))
    if not id or not status or status == UNKNOWN or created_at is None:
        return None
    phase, progress = STATES.get(status, OTHER)
    return TaskState(
        id,
        phase,
        progress,
        created_at=created_at,
        ended_at=_from_milliseconds(row.get("end_time")) if phase.ended else None,
        model=text_of(row.get("model_name")) or None,
        error=_failure(status, row, redact) if phase is Phase.FAILED else None,
    )


def list_window(before: float) -> dict[str, str]:
    """The query for the LIST_SECONDS up to `before` (unix seconds).

    It ends after the second of `before`: whether the service includes that second is undocumented.
    """
    end = max(int(before), LIST_SECONDS) + 1
    return {"start_time": _wire_time(end - LIST_SECONDS), "end_time": _wire_time(end)}


def _wire_time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, _ZONE).strftime(_QUERY_TIME)


def unix_time_of_query(text: str) -> float | None:
    """Unix seconds of a time in a query, "20261020173824" in UTC+8; None for anything else."""
    if not _DIGITS.fullmatch(text):
        return None
    try:
        return datetime.strptime(text, _QUERY_TIME).replace(tzinfo=_ZONE).timestamp()
    except (ValueError, OverflowError):
        return None


@lru_cache(4096)
def service_time(at: float) -> str:
    """Unix seconds as the service writes them: "2026-10-20 17:38:24.817" in UTC+8."""
    return datetime.fromtimestamp(at, _ZONE).isoformat(" ", "milliseconds")[:23]


def unix_time(value: Any) -> float | None:
    """Unix seconds of "2026-10-20 17:38:24.817", milliseconds optional, in UTC+8; None for anything else."""
    return _unix_time(value) if isinstance(value, str) and len(value) <= _MAX_TIME else None


@lru_cache(4096)
def _unix_time(text: str) -> float | None:
    """Each poll of a task has the same times."""
    if not _TIME.fullmatch(text.strip()):
        return None
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=_ZONE).timestamp()
    except (ValueError, OverflowError):
        return None


def _from_milliseconds(value: Any) -> float | None:
    milliseconds = _positive(value)
    return milliseconds / 1000 if milliseconds is not None and milliseconds < _LATEST_MS else None


def _failure(status: str, source: dict[str, Any], redact: Callable[[str], str]) -> ProviderError:
    """Why a task ended without a video, from its status, code and message."""
    if status == "FAILED":
        return error_from(None, redact(text_of(source.get("code"))), redact(text_of(source.get("message"))))
    return ProviderError(ErrorKind.CANCELLED, code="cancelled", message=CANCELLED)


def _no_state(body: Any, redact: Callable[[str], str]) -> ProviderError:
    code, message = code_and_message(body)
    if code:
        return error_from(200, redact(code), redact(message))
    return ProviderError(ErrorKind.UPSTREAM_ERROR, detail="the response has no task_status")


def _result(output: dict[str, Any], usage: dict[str, Any], ended_at: float | None) -> Result | None:
    url = _link(output)
    if url is None:
        return None
    pixels = _pixels(usage.get("size")) or _pixels(usage.get("video_ratio"))
    durations = (_positive(usage.get(name)) for name in _DURATIONS)
    return Result(
        url,
        expires_at=_expiry(url, ended_at),
        width=pixels[0] if pixels else None,
        height=pixels[1] if pixels else None,
        duration=next((seconds for seconds in durations if seconds is not None), None),
    )


def _link(output: dict[str, Any]) -> str | None:
    """`video_url` of the output or inside `results`, which is an object for the portrait models; for style transfer
    it is `output_video_url`."""
    results = output.get("results")
    first = results[0] if isinstance(results, list) and results else results
    inner = _object(first)
    for value in (*map(output.get, _LINKS), *map(inner.get, (*_LINKS, "url")), first):
        if isinstance(value, str) and value.strip().lower().startswith(_LINK_SCHEMES):
            return value.strip()
    return None


def _expiry(url: str, ended_at: float | None) -> int | None:
    """The signature's `Expires`, else a day after the end for links on Alibaba's storage, else None."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        expires = parse_qs(parts.query).get("Expires", [""])[0]
    except ValueError:
        return None
    if _UNIX.fullmatch(expires):
        return int(expires)
    if ended_at is not None and host.endswith(".aliyuncs.com"):
        return int(ended_at) + LINK_SECONDS
    return None


def _pixels(value: Any) -> tuple[int, int] | None:
    pixels = parse_size(value) if isinstance(value, str) else None
    return pixels if pixels and all(pixels) else None


def _positive(value: Any) -> float | None:
    """Seconds as int, float or text. 0 means not measured."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
