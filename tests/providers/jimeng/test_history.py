"""Records of tasks: the evidence decides before the number does, and no shape is an exception."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, Queue, TaskState
from providers.jimeng.history import (
    EXTRACTING,
    SubmitAnswer,
    item_id,
    open_envelope,
    parse_record,
    parse_submit,
    queue_entries,
    record_id,
    records,
    with_queue,
)
from providers.jimeng.site.errors import Reason
from tests.providers.jimeng.history_records import ID, URL, VIDEO_PATHS, item_with, record_like


class TestStatusNumbers:
    """Without any evidence, the number tells the state."""

    @pytest.mark.parametrize(
        ("status", "phase", "progress"),
        [
            (0, Phase.QUEUED, 0),
            (10, Phase.FINALIZING, 95),
            (20, Phase.PROCESSING, 50),
            (42, Phase.POST_PROCESSING, 80),
            (45, Phase.FINALIZING, 90),
            (50, Phase.FINALIZING, 95),
            (60, Phase.PROCESSING, 30),
            (-1, Phase.PROCESSING, 30),
            (None, Phase.PROCESSING, 30),
            ("garbage", Phase.PROCESSING, 30),
        ],
    )
    def test_running_status_numbers(self, status: object, phase: Phase, progress: int) -> None:
        for written in (status, str(status) if isinstance(status, int) else status):
            state = parse_record(ID, {"status": written})
            assert (state.phase, state.progress, state.error, state.result) == (phase, progress, None, None)

    @pytest.mark.parametrize("status", [10, 50])
    def test_finished_without_a_link_is_being_extracted(self, status: int) -> None:
        assert parse_record(ID, {"status": status}).note == EXTRACTING
        assert EXTRACTING.zh == "视频生成完成,正在提取URL"

    @pytest.mark.parametrize("status", [30, 40, 100])
    def test_failed_status_numbers(self, status: int) -> None:
        state = parse_record(ID, {"status": status})
        assert state.phase is Phase.FAILED
        assert state.error
        assert state.error.message

    def test_tasks_own_number_stands_in(self) -> None:
        assert parse_record(ID, {"task": {"status": 42}}).phase is Phase.POST_PROCESSING


class TestEvidence:
    """What the record holds outweighs its number."""

    @pytest.mark.parametrize("path", VIDEO_PATHS, ids=lambda path: ".".join(path))
    @pytest.mark.parametrize("status", [0, 10, 20, 30, 40, 42, 45, 50, 100, None])
    def test_link_means_finished_whatever_the_number_says(self, path: tuple[str, ...], status: object) -> None:
        state = parse_record(ID, {"status": status, "item_list": [item_with(*path)]})
        assert state.phase is Phase.COMPLETED
        assert state.result
        assert state.result.url == URL

    @pytest.mark.parametrize("url", ["", None, 5, "ftp://h/a", "/a.mp4", [], {"x": 1}])
    def test_invalid_link_counts_as_none(self, url: object) -> None:
        state = parse_record(ID, {"status": 50, "item_list": [item_with("video", "play_url", url=url)]})
        assert (state.phase, state.progress) == (Phase.FINALIZING, 95)

    def test_of_several_items_the_one_with_a_link_counts(self) -> None:
        items = [{"id": "1"}, {"id": "2", **item_with("video", "play_url")}]
        assert parse_record(ID, {"status": 50, "item_list": items}).phase is Phase.COMPLETED
        assert item_id({"item_list": items}) == "2"

    @pytest.mark.parametrize("status", [0, 10, 20, 42, 45, 50, 60])
    @pytest.mark.parametrize("code", ["2038", 2038])
    def test_fail_code_means_failed_whatever_the_number_says(self, status: int, code: object) -> None:
        state = parse_record(ID, {"status": status, "fail_code": code})
        assert state.phase is Phase.FAILED
        assert state.error
        assert (state.error.kind, state.error.code) == (ErrorKind.CONTENT_REFUSED, "2038")

    @pytest.mark.parametrize("code", ["", "0", 0, None])
    def test_no_fail_code_is_no_failure(self, code: object) -> None:
        assert parse_record(ID, {"status": 20, "fail_code": code}).phase is Phase.PROCESSING

    def test_status_10_without_link_and_with_end_is_refused(self) -> None:
        assert parse_record(ID, {"status": 10, "task": {"finish_time": 1757737934}}).phase is Phase.FAILED
        assert parse_record(ID, {"status": 10, "task": {"finish_time": 0}}).phase is Phase.FINALIZING
        assert parse_record(ID, {"status": 50, "task": {"finish_time": 1757737934}}).phase is Phase.FINALIZING

    @pytest.mark.parametrize("status", [0, 20, 42, 45, 60])
    def test_item_means_nearly_finished(self, status: int) -> None:
        state = parse_record(ID, {"status": status, "item_list": [{"id": "1"}]})
        assert (state.phase, state.progress) == (Phase.FINALIZING, 90)

    @pytest.mark.parametrize(
        ("record", "kind"),
        [
            # By the number first, then by the key, then by the sentence, then by the task's own status.
            ({"fail_code": "2002", "fail_starling_key": "x_violates_y"}, ErrorKind.GENERATION_FAILED),
            ({"fail_starling_key": "web_text_violates_community_guidelines_toast"}, ErrorKind.CONTENT_REFUSED),
            ({"fail_code": "98765", "fail_starling_key": "ErrMessage_APP_OutputVideoRisk"}, ErrorKind.CONTENT_REFUSED),
            ({"fail_starling_key": "new_key", "fail_starling_message": "内容未通过审核"}, ErrorKind.CONTENT_REFUSED),
            ({"fail_msg": "copyright block"}, ErrorKind.CONTENT_REFUSED),
            ({"task": {"resp_ret": {"errmsg": "input violates the rules"}}}, ErrorKind.CONTENT_REFUSED),
            (
                {"failed_item_list": [{"gen_result_data": {"result_msg": "sensitive content"}}]},
                ErrorKind.CONTENT_REFUSED,
            ),
            ({"task": {"status": 10}}, ErrorKind.CONTENT_REFUSED),
            ({"task": {"status": 40}}, ErrorKind.CONTENT_REFUSED),
            ({"task": {"status": 30}}, ErrorKind.GENERATION_FAILED),
            ({"fail_code": "", "fail_starling_key": "", "fail_starling_message": ""}, ErrorKind.GENERATION_FAILED),
        ],
    )
    def test_failed_record_gives_its_reason(self, record: dict[str, Any], kind: ErrorKind) -> None:
        state = parse_record(ID, {"status": 30, **record})
        assert state.error
        assert state.error.kind is kind

    @pytest.mark.parametrize(
        ("sentence", "refunded"),
        [
            ("你已取消生成，积分已返还", True),
            ("You canceled the generation. Credits refunded.", True),
            ("生成をキャンセルしました", False),
        ],
    )
    def test_cancelled_task_is_reported_with_its_refund(self, sentence: str, refunded: bool) -> None:
        record = {
            "status": 30,
            "task": {"status": 30},
            "queue_info": {"queue_status": 3},
            "fail_starling_message": sentence,
        }
        error = parse_record(ID, record).error
        assert error
        assert (error.kind, error.code, error.detail) == (ErrorKind.CANCELLED, "cancelled", sentence)
        assert error.message
        assert ("积分已返还" in error.message.zh) is refunded

    @pytest.mark.parametrize("code", ["2038", "4013", "5000"])
    def test_number_takes_precedence_over_a_cancel_message(self, code: str) -> None:
        error = parse_record(ID, {"status": 30, "fail_code": code, "fail_starling_message": "已取消"}).error
        assert error
        assert error.kind is not ErrorKind.CANCELLED

    @pytest.mark.parametrize("status", [0, 20, 42, 45, 50])
    def test_only_a_record_that_failed_can_be_a_cancelled_one(self, status: int) -> None:
        assert parse_record(ID, {"status": status, "fail_starling_message": "已取消"}).error is None

    def test_message_of_the_site_is_kept(self) -> None:
        state = parse_record(ID, {"status": 30, "fail_code": "5000", "fail_starling_message": "额度用完"})
        assert state.error
        assert (state.error.message and state.error.message.zh, state.error.detail) == ("积分不足", "额度用完")

    @pytest.mark.parametrize("status", [0, 20, 42, 60])
    def test_queue_position_means_pending(self, status: int) -> None:
        record = {
            "status": status,
            "queue_info": {"queue_idx": 3, "queue_length": 40},
            "forecast_queue_cost": 120,
            "created_time": 1757737934.5,
        }
        state = parse_record(ID, record)
        assert (state.phase, state.queue) == (Phase.QUEUED, Queue(3, 40, 120))
        assert (state.created_at, state.expected_seconds) == (1757737934.5, 120)

    @pytest.mark.parametrize("place", [0, -1, None, "", "x"])
    def test_no_place_is_no_queue(self, place: object) -> None:
        state = parse_record(ID, {"status": 20, "queue_info": {"queue_idx": place}})
        assert (state.phase, state.queue) == (Phase.PROCESSING, None)

    @pytest.mark.parametrize(
        "forecast", [{"forecast_queue_cost": 120}, {"forecast_cost_time": {"forecast_queue_cost": 120}}]
    )
    def test_forecast_stands_in_one_of_two_places(self, forecast: dict[str, Any]) -> None:
        state = parse_record(ID, {"status": 20, "queue_info": {"queue_idx": 3, "queue_length": 40}, **forecast})
        assert (state.queue, state.expected_seconds) == (Queue(3, 40, 120), 120)

    def test_what_the_queue_call_tells_is_added_to_a_task_that_waits(self) -> None:
        entry = {"queue_info": {"queue_idx": 3, "queue_length": 40}, "forecast_cost_time": {"forecast_queue_cost": 9}}
        assert queue_entries({ID: entry, "x": 5}, [ID, "x", "y"]) == {ID: entry}
        state = with_queue(TaskState(ID, Phase.PROCESSING, progress=50), entry)
        assert (state.phase, state.progress, state.queue) == (Phase.QUEUED, 0, Queue(3, 40, 9))
        assert state.expected_seconds == 9
        for phase in (Phase.FINALIZING, Phase.COMPLETED, Phase.FAILED):
            ended = TaskState(ID, phase)
            assert with_queue(ended, entry) is ended
        running = TaskState(ID, Phase.PROCESSING)
        assert with_queue(running, {"status": 0, "queue_info": {"queue_idx": 0}}) is running

    def test_queue_with_missing_fields(self) -> None:
        assert parse_record(ID, {"status": 20, "queue_info": {"queue_idx": "7"}}).queue == Queue(7)


def test_all_fields_of_a_finished_record() -> None:
    record = {
        "status": 50,
        "created_time": 1757737934,
        "task": {"finish_time": 1757738000},
        "model_info": {"model_req_key": "dreamina_x"},
        "item_list": [
            {
                "item_id": 777,
                "common_attr": {"cover_url": "https://c/1.jpg"},
                "video": {
                    "duration_ms": "5040",
                    "transcoded_video": {
                        "origin": {"video_url": f"{URL}?x-expires=1757824400", "width": "1280", "height": 720}
                    },
                },
            }
        ],
    }
    state = parse_record(ID, record)
    assert (state.created_at, state.ended_at, state.model) == (1757737934, 1757738000, "dreamina_x")
    result = state.result
    assert result
    assert (result.cover_url, result.expires_at) == ("https://c/1.jpg", 1757824400)
    assert (result.width, result.height, result.duration) == (1280, 720, 5.04)
    assert item_id(record) == "777"


class TestRecords:
    def test_both_shapes_of_the_answer(self) -> None:
        record = {"history_record_id": int(ID), "status": 20}
        assert records({ID: record}, [ID]) == {ID: record}
        assert records({"history_list": [record]}, [ID]) == {ID: record}
        assert records({"history_list": [{"task": {"task_id": ID}}]}, [ID]) == {ID: {"task": {"task_id": ID}}}
        by_submit = {"submit_id": "s-1", "history_record_id": ID}
        assert records({"history_list": [by_submit]}, ["s-1"]) == {"s-1": by_submit}

    @pytest.mark.parametrize("data", [{}, {ID: None}, {ID: []}, {"history_list": None}, {"1": {}}])
    def test_missing_records_are_absent(self, data: object) -> None:
        assert records(data, [ID]) == {}

    @pytest.mark.parametrize("data", [None, [], "x", 5])
    def test_answer_without_records_is_none(self, data: object) -> None:
        assert records(data, [ID]) is None

    def test_record_is_found_by_another_of_its_ids(self) -> None:
        record = {"submit_id": "s-1", "history_record_id": ID}
        assert records({ID: record}, ["s-1"]) == {"s-1": record}
        assert records({"records_list": [record]}, ["s-1"]) == {"s-1": record}

    def test_id_of_a_record_that_was_found_by_its_submit(self) -> None:
        assert record_id({"history_record_id": int(ID)}) == ID
        assert record_id({"task": {"task_id": ID}}) == ID
        assert record_id({}) == ""
        assert record_id({"history_record_id": 0, "task": {"task_id": "0"}}) == ""


class TestEnvelopes:
    @pytest.mark.parametrize("ret", ["0", 0, 0.0])
    def test_envelope_of_success_gives_its_data(self, ret: object) -> None:
        envelope = open_envelope({"ret": ret, "errmsg": "success", "data": {"a": 1}})
        assert envelope
        assert (envelope.ret, envelope.data) == ("0", {"a": 1})

    @pytest.mark.parametrize("ret", ["1015", 1015, " 1015 "])
    def test_envelope_of_a_refusal_gives_its_number(self, ret: object) -> None:
        envelope = open_envelope({"ret": ret, "errmsg": None, "data": None})
        assert envelope
        assert (envelope.ret, envelope.errmsg) == ("1015", "")

    def test_data_may_be_text_in_another_field(self) -> None:
        envelope = open_envelope({"ret": "0", "errmsg": "success", "response": '{"credit": {"gift_credit": 5}}'})
        assert envelope
        assert envelope.data == {"credit": {"gift_credit": 5}}
        both = open_envelope({"ret": "0", "response": "{}", "data": {"a": 1}})
        assert both
        assert both.data == {"a": 1}

    @pytest.mark.parametrize("response", ["", "no json", None, 5])
    def test_text_that_is_no_data_is_none(self, response: object) -> None:
        envelope = open_envelope({"ret": "0", "response": response})
        assert envelope
        assert envelope.data in (None, 5)

    def test_negative_ret_is_read(self) -> None:
        assert open_envelope({"ret": -4}).ret == "-4"  # type: ignore[union-attr]

    def test_body_without_ret_is_the_data(self) -> None:
        envelope = open_envelope({"aigc_data": {}})
        assert envelope
        assert envelope.data == {"aigc_data": {}}

    @pytest.mark.parametrize("body", [None, [], "x", 5])
    def test_body_that_is_no_object_is_none(self, body: object) -> None:
        assert open_envelope(body) is None


class TestSubmitAnswers:
    @pytest.mark.parametrize("written", [ID, int(ID)])
    def test_id_as_text_or_number(self, written: object) -> None:
        answer = parse_submit({"aigc_data": {"history_record_id": written}})
        assert answer
        assert answer.id == ID

    def test_error_beside_the_data(self) -> None:
        answer = parse_submit({"aigc_data": None, "fail_code": "2003", "fail_starling_message": "不行"})
        assert answer
        assert answer == SubmitAnswer("", Reason("2003", message="不行"))

    @pytest.mark.parametrize("name", ["fail_code", "fail_starling_key", "fail_starling_message", "fail_msg"])
    @pytest.mark.parametrize("inside", [False, True])
    def test_any_filled_reason_is_a_refusal(self, name: str, inside: bool) -> None:
        empty = {"fail_code": "", "fail_starling_key": "", "fail_starling_message": ""}
        data = {"aigc_data": empty | {name: "x"}} | empty if inside else {"aigc_data": None} | empty | {name: "x"}
        answer = parse_submit(data)
        assert answer
        assert not answer.id
        assert answer.reason

    @pytest.mark.parametrize("code", ["0", 0, ""])
    def test_empty_reasons_are_ignored(self, code: object) -> None:
        assert parse_submit({"aigc_data": None, "fail_code": code, "fail_starling_key": ""}) is None

    @pytest.mark.parametrize(
        "data",
        [
            None,
            {},
            {"aigc_data": None},
            {"aigc_data": {}},
            {"aigc_data": []},
            "x",
            {"aigc_data": {"history_record_id": 0}},
        ],
    )
    def test_submit_answer_without_id_and_reason_is_unknown(self, data: object) -> None:
        assert parse_submit(data) is None


@given(record_like)
def test_record_of_any_shape_is_a_state(value: Any) -> None:
    record = value if isinstance(value, dict) else {"status": value, "item_list": value, "task": value}
    state = parse_record(ID, record)
    assert isinstance(state, TaskState)
    assert (state.result is not None) == (state.phase is Phase.COMPLETED)
    assert isinstance(state.error, ProviderError) == (state.phase is Phase.FAILED)
    assert 0 <= state.progress <= 100
    item_id(record)


@pytest.mark.parametrize("parse", [open_envelope, parse_submit])
@given(value=record_like)
def test_no_shape_of_an_answer_is_an_exception(parse: Callable[[Any], object], value: Any) -> None:
    parse(value)
    records(value, [ID])
    entries = queue_entries(value, ["queue_info", "status"])
    for entry in entries.values():
        state = with_queue(TaskState(ID, Phase.PROCESSING), entry)
        assert (state.phase is Phase.QUEUED) == (state.queue is not None)
    assert record_id({"history_record_id": value, "task": value}) is not None
