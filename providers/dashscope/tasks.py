"""The answers of `GET /tasks/{id}` and `GET /tasks` become TaskStates. Pure, and never an exception: a task that
cannot be read is a ProviderError in place of a state, a row of the list that cannot be read is left out.

The HTTP status is 200 for every state of a task, an unknown one included. Times of a task, and those that the list is
asked for, are texts without a zone, in UTC+8; the times in the list's rows are epoch milliseconds.
"""

import math
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

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
"""Phase and progress of each `task_status`. Any other status is a state still under way; see `OTHER`."""

OTHER = (Phase.PROCESSING, 50)

UNKNOWN = "UNKNOWN"
"""Said of a task that never existed, is older than 24 hours, or belongs to another main account."""

NO_LINK = LocalizedText("视频生成完成但未获取到URL", "The video was generated, but the upstream gave no link to it")
CANCELLED = LocalizedText("任务已取消", "The task was cancelled")

LINK_SECONDS = 24 * 3600
"""How long a link on Alibaba's own storage holds. Models of other makers keep theirs elsewhere and longer."""

LIST_SECONDS = 24 * 3600
"""The longest window that the list takes."""

_ZONE = timezone(timedelta(hours=8))
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?")
_LATEST_MS = 10**14
"""A row's time beyond this is none: some three thousand years from now."""
_UNIX = re.compile(r"[0-9]{9,11}")
_LINKS = ("video_url", "output_video_url")
_DURATIONS = ("output_video_duration", "output_seconds", "video_duration", "duration")
"""Where `usage` says how long the video is. `duration` stands last: it counts the input's seconds as well."""


def parse(id: str, body: Any, redact: Callable[[str], str] = str) -> TaskState | ProviderError:
    """The state of the task `id` out of the decoded JSON `body`.

    `redact` goes over the upstream's own texts. Gives ProviderError(TASK_NOT_FOUND) for a task that the upstream
    does not know, UPSTREAM_ERROR or the error's own kind for a body that holds no state.
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
    )


class Page(NamedTuple):
    """One page of the list.

    `states` are the rows that could be read, in the order of the answer; `ids` name every row, so that a page which
    only repeats can be detected. `pages` is how many there are, None where the answer does not say.
    """

    states: tuple[TaskState, ...]
    ids: frozenset[str]
    pages: int | None

    @property
    def newest_first(self) -> bool:
        """False when the page surely runs the other way."""
        times = [state.created_at or 0.0 for state in self.states]
        return not times or times[0] >= times[-1]


def parse_page(body: Any, redact: Callable[[str], str] = str) -> Page:
    """The page in a successful answer; an empty one where there is nothing to read."""
    rows = _object(body).get("data")
    rows = rows if isinstance(rows, list) else []
    states = (parse_row(row, redact) for row in rows)
    pages = _positive(_object(body).get("total_page"))
    return Page(
        states=tuple(state for state in states if state is not None),
        ids=frozenset(id for row in rows if (id := text_of(_object(row).get("task_id")))),
        pages=int(pages) if pages is not None else None,
    )


def parse_row(row: Any, redact: Callable[[str], str] = str) -> TaskState | None:
    """The state that a row of the list tells. A finished task has no result here, a failed one no reason.

    None for a row without an id, a status or a time, and for one that says UNKNOWN.
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

    It ends with the second of `before` rather than in it: whether the service counts that second in is not said.
    """
    end = max(int(before), LIST_SECONDS) + 1
    return {"start_time": _wire_time(end - LIST_SECONDS), "end_time": _wire_time(end)}


def _wire_time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, _ZONE).strftime("%Y%m%d%H%M%S")


def unix_time(value: Any) -> float | None:
    """Unix seconds of "2026-10-20 17:38:24.817", milliseconds optional, in UTC+8; None for anything else."""
    if not isinstance(value, str) or not _TIME.fullmatch(value.strip()):
        return None
    try:
        return datetime.fromisoformat(value.strip()).replace(tzinfo=_ZONE).timestamp()
    except (ValueError, OverflowError):
        return None


def _from_milliseconds(value: Any) -> float | None:
    milliseconds = _positive(value)
    return milliseconds / 1000 if milliseconds is not None and milliseconds < _LATEST_MS else None


def _failure(status: str, source: dict[str, Any], redact: Callable[[str], str]) -> ProviderError:
    """Why a task ended without a video, by its status and what stands beside it."""
    if status == "FAILED":
        return error_from(None, redact(text_of(source.get("code"))), redact(text_of(source.get("message"))))
    return ProviderError(ErrorKind.CANCELLED, code="cancelled", message=CANCELLED)


def _no_state(body: Any, redact: Callable[[str], str]) -> ProviderError:
    code, message = code_and_message(body)
    if code:
        return error_from(200, redact(code), redact(message))
    return ProviderError(ErrorKind.UPSTREAM_ERROR, detail="the answer holds no task_status")


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
    """`video_url` of the output, or inside `results`, which is an object for the portrait models; style transfer calls
    it `output_video_url`."""
    results = output.get("results")
    first = results[0] if isinstance(results, list) and results else results
    inner = _object(first)
    for value in (*map(output.get, _LINKS), *map(inner.get, (*_LINKS, "url")), first):
        if isinstance(value, str) and value.strip().lower().startswith(("http://", "https://")):
            return value.strip()
    return None


def _expiry(url: str, ended_at: float | None) -> int | None:
    """The signature's own `Expires`, else a day after the end for links on Alibaba's storage, else unknown."""
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
    """Seconds as int, float or text. The zeros that some answers carry mean that nothing was measured."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
