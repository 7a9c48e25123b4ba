"""Pages of the history: what is listed, and where the next page begins."""

from typing import Any

import pytest
from hypothesis import given

from providers.contract.tasks import Phase
from providers.jimeng.history import (
    is_image,
    parse_history,
    parse_listed,
)
from tests.providers.jimeng.history_records import ID, URL, VIDEO_PATHS, item_with, record_like


class TestHistory:
    """The pages of the history call."""

    def test_page_lists_its_tasks(self) -> None:
        first = {
            "history_record_id": ID,
            "submit_id": "s-1",
            "created_time": 1757737934.5,
            "status": 20,
            "model_info": {"model_req_key": "dreamina_x"},
        }
        second = {"task": {"task_id": 123456789012, "submit_id": " s-2 "}, "created_time": "1757737900"}
        page = parse_history({"records_list": [first, second], "has_more": True, "next_offset": 2})
        assert [(task.state.id, task.submit_key) for task in page.tasks] == [(ID, "s-1"), ("123456789012", "s-2")]
        state = page.tasks[0].state
        assert (state.phase, state.created_at, state.model) == (Phase.PROCESSING, 1757737934.5, "dreamina_x")
        assert page.ids == {ID, "123456789012"}
        assert (page.length, page.more, page.next_offset) == (2, True, 2)
        assert page.newest_first

    def test_page_in_ascending_order_is_detected(self) -> None:
        records = [{"history_record_id": id, "created_time": id} for id in (1, 2)]
        assert not parse_history({"records_list": records}).newest_first

    def test_finished_one_has_no_link_here(self) -> None:
        item = item_with("video", "play_url")
        task = parse_listed({"history_record_id": ID, "created_time": 5, "submit_id": None, "item_list": [item]})
        assert task
        assert (task.state.phase, task.state.result, task.submit_key) == (Phase.COMPLETED, None, "")

    @pytest.mark.parametrize(
        "record",
        [
            {},
            {"history_record_id": ID},
            {"history_record_id": ID, "created_time": None},
            {"history_record_id": ID, "created_time": 0},
            {"history_record_id": ID, "created_time": -5},
            {"history_record_id": ID, "created_time": "soon"},
            {"history_record_id": None, "created_time": 5},
            {"history_record_id": ID, "created_time": 5, "generate_type": 1},
        ],
    )
    def test_images_and_records_without_id_or_time_are_left_out(self, record: dict[str, Any]) -> None:
        assert parse_listed(record) is None

    @pytest.mark.parametrize(
        ("record", "image"),
        [
            ({}, False),
            ({"model_info": None, "item_list": None, "generate_type": None}, False),
            ({"generate_type": 1}, True),
            ({"generate_type": "1"}, True),
            ({"generate_type": 10}, False),
            ({"model_info": {"model_req_key": "high_aes_general_v50"}}, True),
            ({"model_info": {"model_req_key": "text2img_xl_sft"}}, True),
            ({"model_info": {"model_req_key": "dreamina_lib_img_20260423"}}, True),
            ({"model_info": {"model_req_key": "external_model_gemini_flash_image_v25"}}, True),
            ({"model_info": {"model_req_key": "dreamina_seedance_40"}, "generate_type": 1}, False),
            ({"model_info": {"model_req_key": "dreamina_image2video"}}, False),
            ({"model_info": {"model_req_key": "new"}}, False),
            ({"item_list": [{"image": {"large_images": []}}]}, True),
            ({"item_list": [{"image": {}, "video": {"play_url": URL}}]}, False),
            ({"item_list": [{"image": {"format": "png"}, "video": {"play_url": URL}}]}, False),
            ({"item_list": [item_with(*VIDEO_PATHS[0])], "generate_type": 1}, False),
        ],
    )
    def test_images_are_told_by_what_there_is(self, record: dict[str, Any], image: bool) -> None:
        assert is_image(record) is image

    @pytest.mark.parametrize(
        ("written", "offset"),
        [
            *((20, 20), ("20", "20"), ("cursor", "cursor"), (20.0, 20), (int(ID), int(ID))),
            *((0, None), ("0", None), ("", None), (None, None), (-5, None), (True, None), (10**30, None), ([], None)),
        ],
    )
    def test_next_offset_is_read_as_written(self, written: object, offset: object) -> None:
        assert parse_history({"next_offset": written}).next_offset == offset

    @pytest.mark.parametrize(
        ("written", "more"), [(True, True), (1, True), (None, True), (False, False), (0, False), ("false", False)]
    )
    def test_only_has_more_false_ends_the_pages(self, written: object, more: bool) -> None:
        assert parse_history({"has_more": written}).more is more

    @pytest.mark.parametrize("data", [None, [], "x", {}, {"records_list": None}, {"records_list": [None, 5, {}, []]}])
    def test_empty_answer_is_an_empty_page(self, data: object) -> None:
        page = parse_history(data)
        assert (page.tasks, page.ids) == ((), frozenset())

    @given(record_like)
    def test_page_of_any_shape_raises_nothing(self, value: Any) -> None:
        record = value if isinstance(value, dict) else {"history_record_id": value, "created_time": value}
        for data in (value, {"records_list": value}, {"records_list": [value, record], "next_offset": value}):
            page = parse_history(data)
            assert {task.state.id for task in page.tasks} <= page.ids
            assert all(task.state.created_at and task.state.created_at > 0 for task in page.tasks)
            assert page.newest_first in (True, False)
