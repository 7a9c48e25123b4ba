from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, Result, TaskState
from providers.dashscope.tasks import (
    CANCELLED,
    LIST_SECONDS,
    NO_LINK,
    STATES,
    list_window,
    parse,
    parse_page,
    parse_row,
    unix_time,
)

ID = "0385dc79-5ff8-4d82-bcb6-0123456789ab"
SUBMITTED, SCHEDULED, ENDED = 1709285904.817, 1709285905.0, 1709285990.5
TIMES = {
    "submit_time": "2024-03-01 17:38:24.817",
    "scheduled_time": "2024-03-01 17:38:25",
    "end_time": "2024-03-01 17:39:50.500",
}
URL = "https://dashscope-result-bj.oss-cn-beijing.aliyuncs.com/1d/x.mp4"


def body(status: Any, usage: Any = None, **output: Any) -> dict[str, Any]:
    return {"request_id": "r", "output": {"task_id": ID, "task_status": status, **output}, "usage": usage}


def state(answer: Any) -> TaskState:
    parsed = parse(ID, answer)
    assert isinstance(parsed, TaskState)
    return parsed


def refused(answer: Any) -> ProviderError:
    parsed = parse(ID, answer)
    assert isinstance(parsed, ProviderError)
    return parsed


def result(answer: Any) -> Result:
    found = state(answer).result
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("status", "phase", "progress"),
    [
        ("PENDING", Phase.QUEUED, 0),
        ("PRE-PROCESSING", Phase.PROCESSING, 50),
        ("RUNNING", Phase.PROCESSING, 50),
        ("running", Phase.PROCESSING, 50),
        ("SUSPENDED", Phase.PROCESSING, 50),
        ("POST-PROCESSING", Phase.POST_PROCESSING, 80),
        ("SOMETHING_NEW", Phase.PROCESSING, 50),
        (7, Phase.PROCESSING, 50),
        ("SUCCEEDED", Phase.COMPLETED, 100),
        ("FAILED", Phase.FAILED, 0),
        ("CANCELED", Phase.FAILED, 0),
        ("CANCELLED", Phase.FAILED, 0),
    ],
)
def test_states(status: Any, phase: Phase, progress: int) -> None:
    seen = state(body(status, video_url=URL, **TIMES))
    assert (seen.id, seen.phase, seen.progress) == (ID, phase, progress)
    assert seen.created_at == SUBMITTED
    assert seen.started_at == (None if phase is Phase.QUEUED else SCHEDULED)
    assert seen.ended_at == (ENDED if phase.ended else None)
    assert (seen.result is not None) == (phase is Phase.COMPLETED)
    assert (seen.error is not None) == (phase is Phase.FAILED)


def test_every_row_of_the_table_is_tested() -> None:
    assert set(STATES) == {
        *("PENDING", "PRE-PROCESSING", "RUNNING", "SUSPENDED", "POST-PROCESSING"),
        *("SUCCEEDED", "FAILED", "CANCELED", "CANCELLED"),
    }


def test_captured_running_task() -> None:
    answer = {
        "request_id": "e5d70b02-ebd3-98ce-9fe8-759d7d7b107d",
        "output": {
            "task_id": ID,
            "task_status": "RUNNING",
            "submit_time": "2024-03-01 17:38:24.817",
            "scheduled_time": "2024-03-01 17:38:24.831",
            "task_metrics": {"TOTAL": 4, "SUCCEEDED": 0, "FAILED": 0},
        },
    }
    expected = TaskState(ID, Phase.PROCESSING, 50, created_at=SUBMITTED, started_at=1709285904.831)
    assert parse(ID, answer) == expected


def test_unknown_is_not_found() -> None:
    answer = {"request_id": "r", "output": {"task_id": ID, "task_status": "UNKNOWN"}}
    assert refused(answer).kind is ErrorKind.TASK_NOT_FOUND


def test_failed_task_has_code_and_message() -> None:
    error = state(body("FAILED", code="DataInspectionFailed", message="Output data may …")).error
    assert error is not None
    assert (error.kind, error.code, error.detail) == (
        ErrorKind.CONTENT_REFUSED,
        "DataInspectionFailed",
        "Output data may …",
    )


@pytest.mark.parametrize("said", [{}, {"code": None, "message": None}, {"code": {}, "message": []}])
def test_task_that_failed_without_a_reason(said: dict[str, Any]) -> None:
    error = state(body("FAILED", **said)).error
    assert error is not None
    assert (error.kind, error.code, error.detail, error.message) == (ErrorKind.GENERATION_FAILED, "", "", None)


def test_failed_task_with_a_strange_code() -> None:
    error = state(body("FAILED", code=1234, message="odd")).error
    assert error is not None
    assert (error.kind, error.code, error.message) == (ErrorKind.GENERATION_FAILED, "1234", None)


def test_cancelled_task() -> None:
    error = state(body("CANCELED")).error
    assert error is not None
    assert (error.kind, error.code, error.message) == (ErrorKind.CANCELLED, "cancelled", CANCELLED)


def test_texts_of_the_upstream_are_redacted() -> None:
    parsed = parse(ID, body("FAILED", code="X", message="key sk-secret"), lambda text: text.replace("sk-secret", "***"))
    assert isinstance(parsed, TaskState)
    assert parsed.error is not None
    assert parsed.error.detail == "key ***"


@pytest.mark.parametrize(
    "output",
    [
        {"video_url": URL},
        {"results": {"video_url": URL}},
        {"results": {"url": URL}},
        {"results": [{"video_url": URL}, {"video_url": "https://h/second"}]},
        {"results": [{"url": URL}]},
        {"results": [URL]},
        {"video_url": None, "results": {"video_url": f" {URL} "}},
        {"video_url": "", "results": {"video_url": URL}},
    ],
)
def test_where_the_link_may_be(output: dict[str, Any]) -> None:
    assert result(body("SUCCEEDED", **output)).url == URL


@pytest.mark.parametrize(
    "output",
    [{}, {"video_url": None}, {"video_url": "ftp://x"}, {"video_url": 5}, {"results": []}, {"results": [None]}],
)
def test_success_without_a_link_is_a_failure(output: dict[str, Any]) -> None:
    seen = state(body("SUCCEEDED", **output))
    assert seen.phase is Phase.FAILED
    assert seen.error is not None
    assert seen.error.kind is ErrorKind.GENERATION_FAILED
    assert seen.error.message == NO_LINK
    assert NO_LINK.zh == "视频生成完成但未获取到URL"


@pytest.mark.parametrize(
    ("url", "expires_at"),
    [
        (f"{URL}?OSSAccessKeyId=x&Expires=1709999999&Signature=y", 1709999999),
        (f"{URL}?Expires=soon", int(ENDED) + 86400),
        (URL, int(ENDED) + 86400),
        ("https://v1-fdl.kechuangai.com/x.mp4", None),
        ("https://notaliyuncs.com/x.mp4", None),
        ("https://[half/x.mp4", None),
    ],
)
def test_when_the_link_ends(url: str, expires_at: int | None) -> None:
    assert result(body("SUCCEEDED", video_url=url, **TIMES)).expires_at == expires_at


def test_without_an_end_time_only_the_link_tells() -> None:
    assert result(body("SUCCEEDED", video_url=URL)).expires_at is None


@pytest.mark.parametrize(
    ("usage", "width", "height", "duration"),
    [
        ({"video_duration": 5, "video_ratio": "832*480", "video_count": 1}, 832, 480, 5.0),
        ({"duration": 5.0, "size": "1280*720", "SR": 720, "output_video_duration": 5}, 1280, 720, 5.0),
        ({"duration": 10, "input_video_duration": 5, "output_video_duration": 5.02, "SR": 1080}, None, None, 5.02),
        ({"video_duration": 5, "video_ratio": "standard"}, None, None, 5.0),
        ({"duration": "5", "size": "1920x1080", "SR": "1080", "fps": 24}, 1920, 1080, 5.0),
        ({"output_seconds": 6, "total_seconds": 9}, None, None, 6.0),
        ({"video_count": 1, "video_duration": 0, "video_ratio": "", "duration": 3}, None, None, 3.0),
        ({"duration": "NaN", "size": 5}, None, None, None),
        ({"duration": 10**400, "size": "00*00"}, None, None, None),
        ({"duration": True}, None, None, None),
        (None, None, None, None),
        ([], None, None, None),
    ],
)
def test_usage(usage: Any, width: int | None, height: int | None, duration: float | None) -> None:
    found = result(body("SUCCEEDED", usage, video_url=URL))
    assert (found.width, found.height, found.duration) == (width, height, duration)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2024-03-01 17:38:24.817", SUBMITTED),
        ("2024-03-01 17:38:25", SCHEDULED),
        (" 2024-03-01T17:38:25 ", SCHEDULED),
        ("2024-03-01 17:38:25.5", SCHEDULED + 0.5),
        ("2024-02-31 17:38:25", None),
        ("2024-03-01", None),
        ("yesterday", None),
        ("", None),
        (1709285904, None),
        (None, None),
    ],
)
def test_times(text: Any, seconds: float | None) -> None:
    assert unix_time(text) == seconds


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "text",
        5,
        {},
        {"output": None},
        {"output": []},
        {"output": {"task_id": ID}},
        {"output": {"task_status": None}},
        {"output": {"task_status": " "}},
        {"output": {"task_status": ["RUNNING"]}},
        {"output": {"task_status": True}},
    ],
)
def test_body_without_a_state(answer: Any) -> None:
    assert refused(answer).kind is ErrorKind.UPSTREAM_ERROR


def test_error_under_http_200() -> None:
    error = refused({"code": "Throttling.RateQuota", "message": "slow down", "request_id": "r"})
    assert (error.kind, error.code, error.detail) == (ErrorKind.RATE_LIMITED, "Throttling.RateQuota", "slow down")
    assert refused({"code": "Odd", "message": "x"}).kind is ErrorKind.UPSTREAM_ERROR


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
times = st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?", fullmatch=True)
outputs = st.fixed_dictionaries(
    {"task_status": st.sampled_from([*STATES, "UNKNOWN", "OTHER"]) | json_values},
    optional={
        **dict.fromkeys(("submit_time", "scheduled_time", "end_time"), times | json_values),
        "video_url": json_values | st.text().map("https://".__add__),
        "results": json_values,
        "code": json_values,
        "message": json_values,
    },
)
usages = st.dictionaries(
    st.sampled_from(["size", "video_ratio", "duration", "video_duration", "output_video_duration", "SR"]), json_values
)


@given(json_values | st.fixed_dictionaries({"output": outputs | json_values, "usage": usages | json_values}))
def test_no_body_ever_raises(answer: Any) -> None:
    parsed = parse(ID, answer)
    assert isinstance(parsed, TaskState | ProviderError)
    if isinstance(parsed, TaskState):
        assert (parsed.result is not None) == (parsed.phase is Phase.COMPLETED)
        assert (parsed.error is not None) == (parsed.phase is Phase.FAILED)


# --- the list -----------------------------------------------------------------------------------------------------

ROW = {
    "api_key_id": "100001",
    "gmt_create": 1709285904817,
    "start_time": 1709285905000,
    "end_time": 1709285990500,
    "model_name": "wan2.6-t2v",
    "status": "SUCCEEDED",
    "task_id": ID,
    "user_api_unique_key": "apikey:v1:aigc:video-generation:video-synthesis:wan2.6-t2v",
}


def listed(**fields: Any) -> TaskState:
    parsed = parse_row({**ROW, **fields})
    assert parsed is not None
    return parsed


def test_a_row() -> None:
    expected = TaskState(ID, Phase.COMPLETED, 100, created_at=SUBMITTED, ended_at=ENDED, model="wan2.6-t2v")
    assert parse_row(ROW) == expected


@pytest.mark.parametrize(("status", "phase", "progress"), [(word, *row) for word, row in STATES.items()])
def test_states_of_rows(status: str, phase: Phase, progress: int) -> None:
    seen = listed(status=status.lower())
    assert (seen.phase, seen.progress, seen.created_at, seen.result) == (phase, progress, SUBMITTED, None)
    assert seen.ended_at == (ENDED if phase.ended else None)
    assert (seen.error is not None) == (phase is Phase.FAILED)


def test_why_a_row_failed() -> None:
    error, cancelled = listed(status="FAILED").error, listed(status="CANCELED").error
    assert error is not None
    assert (error.kind, error.code, error.detail) == (ErrorKind.GENERATION_FAILED, "", "")
    assert cancelled is not None
    assert (cancelled.kind, cancelled.message) == (ErrorKind.CANCELLED, CANCELLED)
    parsed = parse_row({**ROW, "status": "FAILED", "message": "key sk-a"}, lambda text: text.replace("sk-a", "***"))
    assert parsed is not None
    assert parsed.error is not None
    assert parsed.error.detail == "key ***"


@pytest.mark.parametrize(
    ("times", "created_at"),
    [
        ({"gmt_create": "1709285904817"}, SUBMITTED),
        ({"gmt_create": None}, SCHEDULED),
        ({"gmt_create": 0}, SCHEDULED),
        ({"gmt_create": "soon"}, SCHEDULED),
        ({"gmt_create": 10**400}, SCHEDULED),
        ({"gmt_create": 1e30}, SCHEDULED),
    ],
)
def test_when_a_row_was_made(times: dict[str, Any], created_at: float) -> None:
    assert listed(**times).created_at == created_at


def test_row_with_missing_fields() -> None:
    row = {"task_id": ID, "status": "NEW_WORD", "start_time": 1709285905000, "model_name": None, "end_time": None}
    assert parse_row(row) == TaskState(ID, Phase.PROCESSING, 50, created_at=SCHEDULED)


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        "row",
        {},
        {**ROW, "task_id": None},
        {**ROW, "status": None},
        {**ROW, "status": "UNKNOWN"},
        {**ROW, "gmt_create": None, "start_time": None},
    ],
)
def test_rows_that_are_left_out(row: Any) -> None:
    assert parse_row(row) is None


def test_a_page() -> None:
    unknown = {**ROW, "task_id": "u", "status": "UNKNOWN"}
    older = {**ROW, "task_id": "o", "gmt_create": 1709285900000}
    page = parse_page({"total": 3, "data": [ROW, None, unknown, older], "total_page": "2", "page_no": 1})
    assert [state.id for state in page.states] == [ID, "o"]
    assert page.ids == {ID, "u", "o"}
    assert (page.pages, page.newest_first) == (2, True)
    assert not parse_page({"data": [older, ROW]}).newest_first


@pytest.mark.parametrize("answer", [None, [], {}, {"data": None, "total_page": 0}, {"data": {}, "total_page": None}])
def test_page_with_nothing_to_read(answer: Any) -> None:
    page = parse_page(answer)
    assert (page.states, page.ids, page.pages, page.newest_first) == ((), frozenset(), None, True)


def test_window_of_the_list() -> None:
    # Its end is one second on, so that the second of `before` is in it either way.
    assert list_window(SUBMITTED) == {"start_time": "20240229173825", "end_time": "20240301173825"}
    assert list_window(-1e18) == {"start_time": "19700101080001", "end_time": "19700102080001"}
    assert LIST_SECONDS == 24 * 3600


rows = st.dictionaries(
    st.sampled_from(["task_id", "status", "gmt_create", "start_time", "end_time", "model_name", "code"]), json_values
)


@given(json_values | st.fixed_dictionaries({"data": json_values | st.lists(rows), "total_page": json_values}))
def test_no_list_ever_raises(answer: Any) -> None:
    page = parse_page(answer)
    assert {state.id for state in page.states} <= page.ids
    for seen in page.states:
        assert seen.created_at is not None
        assert 0 < seen.created_at < 10**11
        assert (seen.error is not None) == (seen.phase is Phase.FAILED)


@given(st.fixed_dictionaries({**dict.fromkeys(ROW, json_values)}))
def test_no_row_ever_raises(row: dict[str, Any]) -> None:
    parsed = parse_row({**row, "task_id": ID, "status": "RUNNING"})
    assert parsed is None or parsed.phase is Phase.PROCESSING
