"""Parse Jimeng's responses: envelopes, submits and task records. Pure; no response shape raises an exception.

Two interpretations of the record's status numbers are in circulation, so the record's content decides before the
number does: a usable link means finished, whatever the number.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.contract.tasks import ListedTask, Phase, Queue, TaskState
from providers.jimeng.results import ITEM_ID_PATHS, choose
from providers.jimeng.site.errors import REFUSED_BY_STATUS, Reason, reason_of, task_error
from providers.jimeng.site.lenient_json import dig, first, id_text, integer, json_text, known_time, number_text, string

EXTRACTING = LocalizedText("视频生成完成,正在提取URL", "The video is generated, its link is being fetched")


class StatusMeaning(NamedTuple):
    """The meaning of a status number if nothing else in the record decides."""

    phase: Phase
    progress: int
    note: LocalizedText | None = None


_DELETED = LocalizedText("任务已被删除", "The task was deleted on the site")

STATUSES: dict[int, StatusMeaning] = {
    0: StatusMeaning(Phase.QUEUED, 0),
    10: StatusMeaning(Phase.FINALIZING, 95, EXTRACTING),
    20: StatusMeaning(Phase.PROCESSING, 50),
    30: StatusMeaning(Phase.FAILED, 0),
    40: StatusMeaning(Phase.FAILED, 0),
    42: StatusMeaning(Phase.POST_PROCESSING, 80),
    45: StatusMeaning(Phase.FINALIZING, 90),
    50: StatusMeaning(Phase.FINALIZING, 95, EXTRACTING),
    100: StatusMeaning(Phase.FAILED, 0, _DELETED),
}
"""10 and 50 mean a record without a link: with one, it is finished whatever the number."""

UNKNOWN_STATUS = StatusMeaning(Phase.PROCESSING, 30)
_SUCCESS_OR_REFUSED = 10

_IMAGE_KEYS = ("high_aes", "text2img", "_img", "image")
_VIDEO_KEYS = ("video", "seedance")
_TEXT_TO_IMAGE = 1
_MOST_ITEMS = 100
"""Items read of one record. A submit asks for one video."""
_ITEM_LISTS = ("item_list", "failed_item_list")


class Envelope(NamedTuple):
    """An unwrapped response: `ret` is "0" for success, `data` the payload.

    `bare` is true for a response without `ret`, which need not come from the site.
    """

    ret: str
    errmsg: str
    data: Any
    bare: bool = False


class SiteCall(Protocol):
    """A call of the site with an account's session: a successful answer, or ProviderError."""

    async def __call__(
        self, account: Account, path: str, body: Any, *, more: Mapping[str, str | int] | None = None
    ) -> Envelope:
        """`more` is added to the query that most calls carry."""


def open_envelope(body: Any) -> Envelope | None:
    """The envelope of a JSON body. A body without `ret` is the data itself; None if it is no object."""
    if not isinstance(body, dict):
        return None
    if "ret" not in body:
        return Envelope("0", "", body, bare=True)
    ret = number_text(body["ret"])
    data = body.get("data")
    if data is None:
        # The US commerce host answers with the data as JSON text in `response` alone (captured 2026-10-01).
        data = json_text(body.get("response"))
    return Envelope(ret or "0", string(body.get("errmsg")), data, bare=not ret)


class NoEnvelopeError(ProviderError):
    """An UPSTREAM_ERROR: the response is not from the site's API. `status` is the HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(ErrorKind.UPSTREAM_ERROR, code=str(status), detail=f"HTTP {status}")
        self.status = status


class SubmitAnswer(NamedTuple):
    """`id` is the history record of the new task, or "" with the `reason` why none was created."""

    id: str
    reason: Reason = Reason()


def parse_submit(data: Any) -> SubmitAnswer | None:
    """The outcome in a successful envelope of a submit; None if there is neither an id nor a reason."""
    aigc_data = dig(data, "aigc_data")
    record_id = id_text(dig(aigc_data, "history_record_id"))
    if record_id:
        return SubmitAnswer(record_id)
    for holder in (data, aigc_data):
        reason = reason_of(holder)
        if reason:
            return SubmitAnswer("", reason)
    return None


def records(data: Any, ids: Sequence[str]) -> dict[str, Mapping[str, Any]] | None:
    """The record of each requested id that exists; None if the data is not a response to this call.

    The response maps ids to records; some hold a list instead, or map by another id of the record. An id that is
    absent, or whose record is null, is not in the result.
    """
    if not isinstance(data, dict):
        return None
    requested = set(ids)
    found: dict[str, Mapping[str, Any]] = {}
    for key, record in data.items():
        if key in requested and isinstance(record, dict):
            found[key] = record
    lists = (data.get("history_list"), data.get("records_list"))
    listed = [record for records in lists if isinstance(records, list) for record in records]
    for record in (*data.values(), *listed):
        for name in _record_ids(record):
            if name in requested:
                found.setdefault(name, record)
    return found


def record_id(record: Mapping[str, Any]) -> str:
    """The history id of a record found by another id; "" if it has none."""
    return id_text(record.get("history_record_id")) or id_text(dig(record, "task", "task_id"))


def parse_record(id: str, record: Mapping[str, Any]) -> TaskState:
    """The task state of a history record."""
    item = record_item(record)
    created_at = known_time(record.get("created_time"))
    ended_at = known_time(dig(record, "task", "finish_time"))
    model = string(dig(record, "model_info", "model_req_key")) or None
    choice = choose(item)
    if choice is not None:
        return TaskState(
            id,
            Phase.COMPLETED,
            progress=100,
            created_at=created_at,
            ended_at=ended_at,
            model=model,
            result=choice.result,
        )

    task_status = integer(dig(record, "task", "status"))
    status = integer(record.get("status"))
    if status is None:
        status = task_status
    meaning = UNKNOWN_STATUS if status is None else STATUSES.get(status, UNKNOWN_STATUS)
    reason = _reason(record)
    refused_before_generation = status == _SUCCESS_OR_REFUSED and bool(ended_at)
    if reason.code or meaning.phase is Phase.FAILED or refused_before_generation:
        hint = REFUSED_BY_STATUS.get(status or 0) or REFUSED_BY_STATUS.get(task_status or 0)
        error = task_error(reason, hint)
        if meaning.note and error.kind is ErrorKind.GENERATION_FAILED and not reason.code:
            error.message = meaning.note
        return TaskState(id, Phase.FAILED, created_at=created_at, ended_at=ended_at, model=model, error=error)

    phase, progress, note = meaning
    queue = _queue(record)
    if item:
        queue = None
        if progress < STATUSES[45].progress:
            phase, progress = Phase.FINALIZING, STATUSES[45].progress
    elif queue is not None:
        phase, progress, note = Phase.QUEUED, 0, None
    return TaskState(
        id,
        phase,
        progress=progress,
        note=note,
        queue=queue,
        created_at=created_at,
        expected_seconds=_queue_seconds(record) if phase is Phase.QUEUED else None,
        model=model,
    )


class HistoryPage(NamedTuple):
    """One page of the account's history.

    `tasks` are its videos, in the order of the response; `ids` are those of every record, so that a repeated page can
    be detected. `length` counts all rows, as the site does. `next_offset` is as the site wrote it, None if missing.
    """

    tasks: tuple[ListedTask, ...]
    ids: frozenset[str]
    length: int
    more: bool
    next_offset: int | str | None

    @property
    def newest_first(self) -> bool:
        """False if the page is clearly in the opposite order."""
        times = [task.state.created_at or 0.0 for task in self.tasks]
        return not times or times[0] >= times[-1]


def parse_history(data: Any) -> HistoryPage:
    """The page in a successful response of the history call; empty if there is nothing to read."""
    found = dig(data, "records_list")
    rows = found if isinstance(found, list) else []
    records = [row for row in rows if isinstance(row, dict)]
    tasks = (parse_listed(record) for record in records)
    return HistoryPage(
        tasks=tuple(task for task in tasks if task is not None),
        ids=frozenset(id for record in records if (id := record_id(record))),
        length=len(rows),
        more=dig(data, "has_more") not in (False, "false"),
        next_offset=_offset(dig(data, "next_offset")),
    )


def parse_listed(record: Mapping[str, Any]) -> ListedTask | None:
    """A record as a listed task. None for an image, and for a record without an id or a time.

    The link is dropped: it is a preview, and a query returns a better one.
    """
    id = record_id(record)
    if not id or is_image(record):
        return None
    state = parse_record(id, record)
    if state.created_at is None or state.created_at <= 0:
        return None
    submit_key = string(record.get("submit_id")) or string(dig(record, "task", "submit_id"))
    return ListedTask(replace(state, result=None), submit_key.strip())


def is_image(record: Mapping[str, Any]) -> bool:
    """True for a record that is clearly of images. The history holds both, and not every record tells which."""
    item = record_item(record)
    if dig(item, "video") or dig(item, "common_attr", "transcoded_video"):
        return False
    key = string(dig(record, "model_info", "model_req_key")).lower()
    if any(word in key for word in _VIDEO_KEYS):
        return False
    if any(word in key for word in _IMAGE_KEYS) or dig(item, "image"):
        return True
    return integer(record.get("generate_type")) == _TEXT_TO_IMAGE


def item_id(record: Mapping[str, Any]) -> str:
    """The id for the best-quality call; "" if the record has none."""
    item = record_item(record)
    for path in ITEM_ID_PATHS:
        found = number_text(dig(item, *path))
        if found:
            return found
    return ""


def record_item(record: Mapping[str, Any]) -> Any:
    """The item with the result: the first with a link, else the first, else None."""
    items = record.get("item_list")
    present = [item for item in items[:_MOST_ITEMS] if item] if isinstance(items, list) else []
    if len(present) > 1:
        return next((item for item in present if choose(item)), present[0])
    return first(present)


def lacks_queue(record: Mapping[str, Any]) -> bool:
    """True for a record without the queue field; an empty field means that the task is not queued."""
    return "queue_info" not in record


def queue_entries(data: Any, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The queue call's entry of each id that it has: `{status, queue_info, forecast_cost_time}`.

    Its `status` is unreliable (0 for a finished task, captured 2026-06-10) and is not read.
    """
    return {id: entry for id in ids if isinstance(entry := dig(data, id), dict)}


def with_queue(state: TaskState, entry: Mapping[str, Any]) -> TaskState:
    """The state with the queue position from the queue call, for a task that is not generated yet."""
    queue = _queue(entry)
    if queue is None or state.phase not in (Phase.QUEUED, Phase.PROCESSING):
        return state
    expected = _queue_seconds(entry)
    return replace(state, phase=Phase.QUEUED, progress=0, note=None, queue=queue, expected_seconds=expected)


def _queue(holder: Mapping[str, Any]) -> Queue | None:
    position = integer(dig(holder, "queue_info", "queue_idx"))
    if position is None or position <= 0:
        return None
    forecast = _queue_seconds(holder)
    length = integer(dig(holder, "queue_info", "queue_length"))
    return Queue(position, length or None, round(forecast) if forecast else None)


def _queue_seconds(holder: Mapping[str, Any]) -> float | None:
    """The forecast of the time in the queue: at the top of a record, below `forecast_cost_time` in the queue call."""
    return known_time(holder.get("forecast_queue_cost")) or known_time(
        dig(holder, "forecast_cost_time", "forecast_queue_cost")
    )


def _reason(record: Mapping[str, Any]) -> Reason:
    """Why a record failed. Texts for programs are in three places, and only help to interpret the other fields."""
    reason = reason_of(record)
    texts = (
        reason.text,
        string(dig(record, "task", "resp_ret", "errmsg")),
        *(string(dig(first(record.get(name)), "gen_result_data", "result_msg")) for name in _ITEM_LISTS),
    )
    return replace(reason, text=" ".join(filter(None, texts)))


def _record_ids(record: Any) -> Iterator[str]:
    for path in (("history_record_id",), ("task", "task_id"), ("submit_id",), ("task", "submit_id")):
        name = number_text(dig(record, *path))
        if name:
            yield name


def _offset(value: Any) -> int | str | None:
    """The offset of the next page, a number or a text; None for the start of the list."""
    if isinstance(value, str):
        return value if value.strip() not in ("", "0") else None
    number = integer(value)
    if number is None or number <= 0:
        return None
    return value if isinstance(value, int) else number
