"""Answers of DashScope's own API: states of tasks of any provider, pages of the list."""

from typing import Any

import orjson
import pytest

from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.native import NativeTask
from providers.contract.tasks import Phase, Result, TaskState
from providers.dashscope.native.answers import MAX_PAGE_SIZE, list_page, status_answer
from providers.dashscope.tasks import parse
from tests.providers.dashscope.wire import ID

CREATED = 1_700_000_000
NOW = CREATED + 3600.0


def task(phase: Phase = Phase.PROCESSING, provider: str = "jimeng", id: str = "video_1", **fields: Any) -> NativeTask:
    return NativeTask(id, provider, TaskState("7", phase, **fields), "a-model", CREATED, "Out of credits")


class TestStatus:
    @pytest.mark.parametrize(
        ("phase", "word"),
        [
            (Phase.QUEUED, "PENDING"),
            (Phase.PROCESSING, "RUNNING"),
            (Phase.POST_PROCESSING, "RUNNING"),
            (Phase.FINALIZING, "RUNNING"),
        ],
    )
    def test_running_task_has_the_words_and_times_of_the_service(self, phase: Phase, word: str) -> None:
        assert status_answer(task(phase, started_at=CREATED + 1.5)) == {
            "output": {
                "task_id": "video_1",
                "task_status": word,
                "submit_time": "2023-11-15 06:13:20.000",
                "scheduled_time": "2023-11-15 06:13:21.500",
            }
        }

    def test_finished_task_of_another_provider_has_its_video_and_usage(self) -> None:
        result = Result("https://v", width=720, height=1280, duration=5.0)
        answer = status_answer(task(Phase.COMPLETED, result=result, ended_at=CREATED + 60))
        assert answer["output"]["task_status"] == "SUCCEEDED"
        assert answer["output"]["video_url"] == "https://v"
        assert answer["output"]["end_time"] == "2023-11-15 06:14:20.000"
        assert answer["usage"] == {"video_count": 1, "duration": 5.0, "size": "720*1280", "SR": 720}

    def test_usage_names_only_what_is_known(self) -> None:
        answer = status_answer(task(Phase.COMPLETED, result=Result("https://v")))
        assert answer["usage"] == {"video_count": 1}

    @pytest.mark.parametrize(
        ("kind", "code"),
        [
            (ErrorKind.CONTENT_REFUSED, "DataInspectionFailed"),
            (ErrorKind.NO_CREDITS, "Arrearage"),
            (ErrorKind.GENERATION_FAILED, "InternalError"),
        ],
    )
    def test_failed_task_of_another_provider_has_a_code_of_the_service(self, kind: ErrorKind, code: str) -> None:
        output = status_answer(task(Phase.FAILED, error=ProviderError(kind, code="5000")))["output"]
        assert (output["task_status"], output["code"], output["message"]) == ("FAILED", code, "Out of credits")

    def test_cancelled_task_has_no_code(self) -> None:
        output = status_answer(task(Phase.FAILED, error=ProviderError(ErrorKind.CANCELLED, code="cancelled")))["output"]
        assert (output["task_status"], "code" in output) == ("CANCELED", False)

    def test_ended_task_of_the_service_keeps_all_that_it_said(self) -> None:
        body = {
            "request_id": "r",
            "output": {
                "task_id": ID,
                "task_status": "SUCCEEDED",
                "orig_prompt": "a cat",
                "results": {"video_url": "https://v"},
                "watermark_video_url": "https://w",
            },
            "usage": {"duration": 5.04, "SR": "720", "audio": True},
        }
        state = parse(ID, body)
        assert isinstance(state, TaskState)
        assert status_answer(NativeTask("video_1", "dashscope", state)) == {
            "output": {**body["output"], "task_id": "video_1"},  # type: ignore[dict-item]
            "usage": body["usage"],
        }

    def test_what_a_task_said_is_kept_without_secrets(self) -> None:
        secret = 'sk-"secret'
        output = {
            "task_id": ID,
            "task_status": "SUCCEEDED",
            "video_url": f"https://v?{secret}",
            "notes": [f"by {secret}"],
        }
        state = parse(ID, {"output": output}, lambda text: text.replace(secret, "***"))
        assert isinstance(state, TaskState)
        kept = orjson.loads(state.native)["output"]
        assert (kept["notes"], kept["video_url"]) == (["by ***"], output["video_url"])

    @pytest.mark.parametrize("long", [False, True])
    def test_only_the_short_answer_of_an_ended_task_is_kept(self, long: bool) -> None:
        output = {"task_id": ID, "task_status": "SUCCEEDED" if long else "RUNNING", "video_url": "https://v"}
        state = parse(ID, {"output": output | {"orig_prompt": "a" * 20_000 if long else "a"}})
        assert isinstance(state, TaskState)
        assert state.native == b""
        output = status_answer(NativeTask(ID, "dashscope", state))["output"]
        assert output["task_status"] == ("SUCCEEDED" if long else "RUNNING")


class TestList:
    tasks = tuple(
        NativeTask(
            f"video_{number}",
            "dashscope",
            TaskState(str(number), Phase.QUEUED if number == 1 else Phase.COMPLETED, created_at=CREATED - number),
            f"model-{number % 2}",
        )
        for number in range(1, 13)
    )

    def ids(self, now: float = NOW, **query: str) -> list[str]:
        return [row["task_id"] for row in list_page(self.tasks, query, now)["data"]]

    def test_page_has_ten_rows_and_the_totals(self) -> None:
        page = list_page(self.tasks, {}, NOW)
        assert {name: page[name] for name in ("total", "total_page", "page_no", "page_size")} == {
            "total": 12,
            "total_page": 2,
            "page_no": 1,
            "page_size": 10,
        }
        assert page["data"][0] == {
            "task_id": "video_1",
            "model_name": "model-1",
            "status": "PENDING",
            "gmt_create": (CREATED - 1) * 1000,
            "start_time": (CREATED - 1) * 1000,
        }
        assert self.ids(page_no="2") == ["video_11", "video_12"]
        assert self.ids(page_no="3") == []

    def test_rows_are_selected(self) -> None:
        assert self.ids(status="PENDING") == ["video_1"]
        assert self.ids(task_id="video_7") == ["video_7"]
        assert self.ids(model_name="model-0", page_size="2") == ["video_2", "video_4"]
        assert self.ids(status="", model_name="") == self.ids()

    def test_times_are_in_utc_plus_8_and_include_their_seconds(self) -> None:
        # CREATED is 06:13:20.
        assert self.ids(start_time="20231115061318", end_time="20231115061319") == ["video_1", "video_2"]
        assert self.ids(end_time="20231115061309") == ["video_11", "video_12"]
        assert self.ids(start_time="20231115061319") == ["video_1"]

    def test_without_times_the_last_day_is_listed(self) -> None:
        assert self.ids(now=CREATED + 86_400.0 - 2) == ["video_1", "video_2"]

    @pytest.mark.parametrize(
        "query",
        [
            {"page_no": "0"},
            {"page_no": "x"},
            {"page_size": "-1"},
            {"page_size": str(MAX_PAGE_SIZE + 1)},
            {"page_size": "٣"},
            {"start_time": "yesterday"},
            {"start_time": "20231399000000"},
            {"start_time": "20231114000000", "end_time": "20231116000000"},
            {"start_time": "20231116000000", "end_time": "20231114000000"},
        ],
    )
    def test_bad_parameters_are_refused(self, query: dict[str, str]) -> None:
        with pytest.raises(ProviderError) as caught:
            list_page(self.tasks, query, NOW)
        assert (caught.value.kind, caught.value.code) == (ErrorKind.INVALID_REQUEST, "InvalidParameter")
        assert caught.value.detail
