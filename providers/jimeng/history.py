"""Answers of Jimeng, parsed: envelopes, submits and the records of tasks. Pure, and never an exception on shape.

Two readings of the record's status numbers are in circulation, so the evidence in the record decides before the
number does: a usable link means finished, whatever the number says.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from providers.contract import ListedTask, Phase, Queue, Result, TaskState, Words
from providers.jimeng.errors import failure
from providers.jimeng.foreign import dig, id_text, integer, known_time, number_text, string

EXTRACTING = Words("视频生成完成,正在提取URL", "The video is generated, its link is being fetched")


class StatusMeaning(NamedTuple):
    """What a status number means where nothing in the record tells more."""

    phase: Phase
    progress: int
    note: Words | None = None


_REFUSED_LATE = Words("内容违规：生成后未通过审核", "The content was refused after the generation")
_DELETED = Words("任务已被删除", "The task was deleted on the site")

STATUSES: dict[int, StatusMeaning] = {
    0: StatusMeaning(Phase.QUEUED, 0),
    10: StatusMeaning(Phase.FINALIZING, 95, EXTRACTING),
    20: StatusMeaning(Phase.PROCESSING, 50),
    30: StatusMeaning(Phase.FAILED, 0),
    40: StatusMeaning(Phase.FAILED, 0, _REFUSED_LATE),
    42: StatusMeaning(Phase.POST_PROCESSING, 80),
    45: StatusMeaning(Phase.FINALIZING, 90),
    50: StatusMeaning(Phase.FINALIZING, 95, EXTRACTING),
    100: StatusMeaning(Phase.FAILED, 0, _DELETED),
}
"""10 and 50 stand for a record without a link: with one, it is finished before the number is looked at."""

UNKNOWN_STATUS = StatusMeaning(Phase.PROCESSING, 30)
_SUCCESS_OR_REFUSED = 10

_VIDEO_PATHS = (
    ("common_attr", "transcoded_video", "origin", "video_url"),
    ("video", "transcoded_video", "origin", "video_url"),
    ("video", "play_url"),
    ("video", "download_url"),
    ("video", "url"),
)
_COVER_PATHS = (("common_attr", "cover_url"), ("video", "cover_url"))
_ITEM_ID_PATHS = (("item_id",), ("id",), ("local_item_id",), ("common_attr", "id"))
_IMAGE_KEYS = ("high_aes", "text2img", "_img", "image")
_VIDEO_KEYS = ("video", "seedance")
_TEXT_TO_IMAGE = 1
_ORIGIN_PATHS = (("common_attr", "transcoded_video", "origin"), ("video", "transcoded_video", "origin"))


class Envelope(NamedTuple):
    """An answer without its wrapping: `ret` is "0" for success, `data` what was asked for.

    `bare` is true for an answer that named no `ret`, so that nothing says that it is one of the site's.
    """

    ret: str
    errmsg: str
    data: Any
    bare: bool = False


def open_envelope(body: Any) -> Envelope | None:
    """The envelope of a JSON body. A body without `ret` is the data itself; None when it is no object at all."""
    if not isinstance(body, dict):
        return None
    if "ret" not in body:
        return Envelope("0", "", body, bare=True)
    ret = number_text(body["ret"])
    return Envelope(ret or "0", string(body.get("errmsg")), body.get("data"), bare=not ret)


class SubmitAnswer(NamedTuple):
    """`id` is the history record of the new task, or "" with the reason of a refusal beside it."""

    id: str
    fail_code: str = ""
    fail_text: str = ""


def parse_submit(data: Any) -> SubmitAnswer | None:
    """What a successful envelope of a submit says; None when it says neither yes nor no."""
    aigc_data = dig(data, "aigc_data")
    record_id = id_text(dig(aigc_data, "history_record_id"))
    if record_id:
        return SubmitAnswer(record_id)
    for holder in (data, aigc_data):
        code = _fail_code(holder)
        sentence = string(dig(holder, "fail_starling_message")) or string(dig(holder, "fail_msg"))
        if code or sentence:
            return SubmitAnswer("", code, sentence)
    return None


def records(data: Any, ids: Sequence[str]) -> dict[str, Mapping[str, Any]] | None:
    """The record of each id that was asked for and is there; None for what is no answer to the question.

    The answer maps ids to records; some answers hold a list instead, or map by another id of the record. An id that
    is absent, or whose record is null, is not in the result.
    """
    if not isinstance(data, dict):
        return None
    wanted = set(ids)
    found: dict[str, Mapping[str, Any]] = {}
    for key, record in data.items():
        if key in wanted and isinstance(record, dict):
            found[key] = record
    lists = (data.get("history_list"), data.get("records_list"))
    listed = [record for records in lists if isinstance(records, list) for record in records]
    for record in (*data.values(), *listed):
        for name in _record_ids(record):
            if name in wanted:
                found.setdefault(name, record)
    return found


def record_id(record: Mapping[str, Any]) -> str:
    """The history id of a record that was found by something else; "" when it has none."""
    return id_text(record.get("history_record_id")) or id_text(dig(record, "task", "task_id"))


def parse_record(id: str, record: Mapping[str, Any]) -> TaskState:
    """The state that a history record tells."""
    item = _first_item(record)
    created_at = known_time(record.get("created_time"))
    ended_at = known_time(dig(record, "task", "finish_time"))
    model = string(dig(record, "model_info", "model_req_key")) or None
    link = video_url(item)
    if link:
        return TaskState(
            id,
            Phase.COMPLETED,
            progress=100,
            created_at=created_at,
            ended_at=ended_at,
            model=model,
            result=_result(item, link),
        )

    status = integer(record.get("status"))
    if status is None:
        status = integer(dig(record, "task", "status"))
    meaning = UNKNOWN_STATUS if status is None else STATUSES.get(status, UNKNOWN_STATUS)
    code = _fail_code(record)
    refused_before_generation = status == _SUCCESS_OR_REFUSED and bool(ended_at)
    if code or meaning.phase is Phase.FAILED or refused_before_generation:
        error = failure(code, string(record.get("fail_starling_message")), string(record.get("fail_msg")))
        if not code and meaning.phase is Phase.FAILED and meaning.note:
            error.words = meaning.note
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
        expected_seconds=known_time(record.get("forecast_queue_cost")) if phase is Phase.QUEUED else None,
        model=model,
    )


class HistoryPage(NamedTuple):
    """One page of the account's history.

    `tasks` are its videos, in the order of the answer; `ids` name every record, so that a page which only repeats
    can be told. `length` counts what the site counts. `next_offset` is as the site wrote it, None where it did not.
    """

    tasks: tuple[ListedTask, ...]
    ids: frozenset[str]
    length: int
    more: bool
    next_offset: int | str | None

    @property
    def newest_first(self) -> bool:
        """False when the page surely runs the other way."""
        times = [task.state.created_at or 0.0 for task in self.tasks]
        return not times or times[0] >= times[-1]


def parse_history(data: Any) -> HistoryPage:
    """The page in a successful answer of the history call; an empty one where there is nothing to read."""
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
    """A record as a task of the list. None for an image, and for a record that has no id or no time.

    The link goes: it is a preview, and a query gives a better one.
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
    """True for a record that is clearly one of images. The history holds both, and not every record says which."""
    item = _first_item(record)
    if dig(item, "video") or video_url(item):
        return False
    key = string(dig(record, "model_info", "model_req_key")).lower()
    if any(word in key for word in _VIDEO_KEYS):
        return False
    if any(word in key for word in _IMAGE_KEYS) or dig(item, "image"):
        return True
    return integer(record.get("generate_type")) == _TEXT_TO_IMAGE


def item_id(record: Mapping[str, Any]) -> str:
    """The id that the best-quality call wants; "" when the record has none."""
    item = _first_item(record)
    for path in _ITEM_ID_PATHS:
        found = number_text(dig(item, *path))
        if found:
            return found
    return ""


def best_results(data: Any) -> dict[str, Result]:
    """The best-quality result of each item id in the answer of the best-quality call."""
    found: dict[str, Result] = {}
    for name in ("item_list", "local_item_list"):
        items = dig(data, name)
        for item in items if isinstance(items, list) else ():
            link = video_url(item)
            if not link:
                continue
            for path in _ITEM_ID_PATHS:
                key = number_text(dig(item, *path))
                if key:
                    found.setdefault(key, _result(item, link))
    return found


def with_best_result(state: TaskState, best: Result) -> TaskState:
    """The state with the better link; what the better one does not tell stays as it was."""
    if state.result is None:
        return state
    known = state.result
    result = Result(
        url=best.url,
        cover_url=best.cover_url or known.cover_url,
        expires_at=best.expires_at,
        width=best.width or known.width,
        height=best.height or known.height,
        duration=best.duration or known.duration,
    )
    return replace(state, result=result)


def video_url(item: Any) -> str:
    """The first usable link of an item, in the order in which the site fills them; "" when there is none."""
    return next(_links(item, _VIDEO_PATHS), "")


def _result(item: Any, link: str) -> Result:
    origin: Any = next((found for path in _ORIGIN_PATHS if isinstance(found := dig(item, *path), dict)), {})
    milliseconds = known_time(origin.get("duration_ms")) or known_time(dig(item, "video", "duration_ms"))
    return Result(
        url=link,
        cover_url=next(_links(item, _COVER_PATHS), None),
        expires_at=_expiry(link),
        width=integer(origin.get("width")) or None,
        height=integer(origin.get("height")) or None,
        duration=milliseconds / 1000 if milliseconds else None,
    )


def _links(item: Any, paths: Sequence[tuple[str, ...]]) -> Iterator[str]:
    for path in paths:
        link = string(dig(item, *path)).strip()
        if link.startswith(("https://", "http://")):
            yield link


def _expiry(link: str) -> int | None:
    """When a signed link ends, from its own query."""
    try:
        query = parse_qs(urlsplit(link).query)
    except ValueError:
        return None
    for name in ("x-expires", "Expires", "expires"):
        expiry = integer(query.get(name, [""])[0])
        if expiry:
            return expiry
    return None


def _queue(record: Mapping[str, Any]) -> Queue | None:
    position = integer(dig(record, "queue_info", "queue_idx"))
    if position is None or position <= 0:
        return None
    forecast = known_time(record.get("forecast_queue_cost"))
    length = integer(dig(record, "queue_info", "queue_length"))
    return Queue(position, length or None, round(forecast) if forecast else None)


def _first_item(record: Mapping[str, Any]) -> Any:
    items = record.get("item_list")
    return next((item for item in items if item), None) if isinstance(items, list) else None


def _record_ids(record: Any) -> Iterator[str]:
    for path in (("history_record_id",), ("task", "task_id"), ("submit_id",), ("task", "submit_id")):
        name = number_text(dig(record, *path))
        if name:
            yield name


def _fail_code(record: Any) -> str:
    code = number_text(dig(record, "fail_code"))
    return "" if code == "0" else code


def _offset(value: Any) -> int | str | None:
    """Where the next page begins, a number or a text. The beginning itself is no next page."""
    if isinstance(value, str):
        return value if value.strip() not in ("", "0") else None
    number = integer(value)
    if number is None or number <= 0:
        return None
    return value if isinstance(value, int) else number
