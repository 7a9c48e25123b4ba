"""Records over time and the calls that give them."""

import uuid
from urllib.parse import urlsplit

import httpx
import pytest

from providers.sandbox.app import create_sandbox
from providers.sandbox.settings import SandboxSettings
from providers.sandbox.state import Ledger
from tests.providers.sandbox.clients import MODEL, Clock, JimengClient, Json

BY_IDS = "/mweb/v1/get_history_by_ids"
QUEUE = "/mweb/v1/get_history_queue_info"


async def test_task_lives_from_the_queue_to_the_video(jimeng: JimengClient, clock: Clock) -> None:
    task = await jimeng.submit("a cat")
    assert await jimeng.records(task) == {}
    seen = []
    for _ in range(10):
        clock.tick(1)
        record = (await jimeng.records(task))[task]
        queue = record["queue_info"]
        seen.append((record["status"], queue["queue_idx"], queue["queue_status"], record["finished_image_count"]))
        assert record["task"]["status"] == record["status"]
    assert seen == [
        (20, 4, 1, 0), (20, 0, 2, 0), (20, 0, 2, 0), (20, 0, 2, 0), (20, 0, 2, 0), (42, 0, 2, 0), (45, 0, 2, 0),
        (50, 0, 3, 1), (50, 0, 3, 1), (50, 0, 3, 1),
    ]  # fmt: skip
    assert (record["fail_code"], len(record["item_list"])) == ("", 1)
    assert record["task"]["finish_time"] == int(clock.now) - 2
    assert "debug_info" in record["queue_info"]
    assert record["model_info"]["model_req_key"] == MODEL


@pytest.mark.parametrize(
    ("directives", "code", "key", "sentence", "stage"),
    [
        ("#fail=2038", "2038", "web_text_violates_community_guidelines_toast", "不符合平台规则", 10),
        ("#fail=2047", "2047", "web_prompt_violate_guidelines_tip", "不符合平台规则", 10),
        ("#fail=2003", "2003", "web_image_violates_community_guidelines_toast", "图片", 10),
        ("#fail=2041", "2041", "ErrMessage_APP_OutputVideoRisk", "视频未通过审核，本次不消耗积分", 40),
        ("#fail=2048", "2048", "web_fail2generate_copyright_block", "生成的图片未通过审核", 40),
        ("#fail=7777", "7777", "", "", 30),
        ("#fail", "2002", "web_fail2generate_input_retry", "积分已返还", 30),
        ("#fail-number=2038", 2038, "web_text_violates_community_guidelines_toast", "不符合平台规则", 10),
        ("#fail-number", 2038, "web_text_violates_community_guidelines_toast", "不符合平台规则", 10),
        ("#fail-key=ErrMessage_APP_OutputVideoRisk", "", "ErrMessage_APP_OutputVideoRisk", "视频未通过审核", 40),
        ("#fail-key", "", "web_text_violates_community_guidelines_toast", "不符合平台规则", 10),
        ("#fail-key=web_something_new", "", "web_something_new", "", 30),
    ],
)
async def test_ways_to_fail(
    jimeng: JimengClient, clock: Clock, directives: str, code: object, key: str, sentence: str, stage: int
) -> None:
    task = await jimeng.submit(f"a cat {directives}")
    clock.tick(9)
    record = (await jimeng.records(task))[task]
    assert (record["status"], record["task"]["status"], record["queue_info"]["queue_status"]) == (30, stage, 3)
    assert (record["fail_code"], type(record["fail_code"])) == (code, type(code))
    assert record["fail_starling_key"] == key
    assert sentence in record["fail_starling_message"]
    assert bool(record["fail_starling_message"]) is bool(sentence)
    assert record["item_list"] == []
    assert await jimeng.credits() == 66


async def test_many_ids_are_answered_at_once_by_the_id_asked(jimeng: JimengClient, clock: Clock) -> None:
    submit_id = str(uuid.uuid4())
    first, second = await jimeng.submit(submit_id=submit_id), await jimeng.submit()
    clock.tick(2)
    assert (await jimeng.records(first, second, "7")).keys() == {first, second}
    by_submit = await jimeng.records(submit_id, str(uuid.uuid4()), by="submit_ids")
    assert by_submit.keys() == {submit_id}
    assert by_submit[submit_id]["history_record_id"] == first


async def test_too_many_or_no_ids_are_refused(jimeng: JimengClient) -> None:
    for ids in ([], ["1"] * 51, "1"):
        assert (await jimeng.call(BY_IDS, {"history_ids": ids}))["ret"] == "1000"
        assert (await jimeng.call(QUEUE, {"history_ids": ids}))["ret"] == "1000"


async def test_older_call_gives_the_same_records_in_a_list(jimeng: JimengClient, clock: Clock) -> None:
    first, second = await jimeng.submit(), await jimeng.submit()
    clock.tick(2)
    body = {"history_record_ids": [second, first, "7"]}
    listed = (await jimeng.call("/mweb/v1/get_history_records", body))["data"]["history_records"]
    assert [one["history_record_id"] for one in listed] == [second, first]
    assert listed[0] == (await jimeng.records(second))[second]


async def test_queue_call_tells_place_and_forecast(jimeng: JimengClient, clock: Clock) -> None:
    task = await jimeng.submit("a cat #slow")
    clock.tick(1)
    places = []
    for _ in range(6):
        told: Json = (await jimeng.call(QUEUE, {"history_ids": [task]}))["data"][task]
        assert told.keys() == {"status", "queue_info", "forecast_cost_time"}
        assert "debug_info" in told["queue_info"]
        places.append(told["queue_info"]["queue_idx"])
        clock.tick(4)
    assert places == [8, 6, 4, 3, 1, 0]
    assert told["forecast_cost_time"] == {"forecast_generate_cost": 60, "forecast_queue_cost": 20}
    assert told["status"] == 20
    clock.tick(80)
    assert (await jimeng.call(QUEUE, {"history_ids": [task]}))["data"][task]["status"] == 0
    assert (await jimeng.call(QUEUE, {"historyIds": [task]}))["ret"] == "1000"


async def test_another_sessions_task_is_absent(
    jimeng: JimengClient, http: httpx.AsyncClient, clock: Clock, ledger: Ledger
) -> None:
    submit_id = str(uuid.uuid4())
    task = await jimeng.submit(submit_id=submit_id)
    clock.tick(20)
    other = JimengClient(http, session="two")
    item = (await jimeng.records(task))[task]["item_list"][0]["common_attr"]["id"]
    assert await other.records(task) == {}
    assert await other.records(submit_id, by="submit_ids") == {}
    local = await other.call("/mweb/v1/get_local_item_list", {"item_id_list": [item]})
    assert local["data"]["item_list"] == []
    assert (ledger.polls(task), ledger.foreign_polls(task), ledger.foreign_polls(credential="two")) == (2, 1, 1)


async def test_history_is_paged_and_newest_first(jimeng: JimengClient, clock: Clock) -> None:
    tasks = []
    for _ in range(3):
        tasks.append(await jimeng.submit())
        clock.tick(10)
    path = "/mweb/v1/get_history"
    page = (await jimeng.call(path, {"count": 2, "history_type_list": [1, 4], "mode": "workbench"}))["data"]
    assert [one["history_record_id"] for one in page["records_list"]] == [tasks[2], tasks[1]]
    assert (page["has_more"], page["next_offset"]) == (True, 2)
    page = (await jimeng.call(path, {"count": 2, "offset": page["next_offset"]}))["data"]
    assert [one["history_record_id"] for one in page["records_list"]] == [tasks[0]]
    assert page["has_more"] is False
    assert (await jimeng.call(path))["ret"] == "2008"
    assert (await jimeng.call(path, {}))["ret"] == "2008"
    assert (await jimeng.call(path, {"count": 0}))["ret"] == "1000"
    assert (await jimeng.call(path, {"count": 1, "offset": "x"}))["ret"] == "1000"


async def test_links_lead_to_the_host_the_client_reached(clock: Clock) -> None:
    app = create_sandbox(SandboxSettings(), clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://10.1.2.3:7") as http:
        client = JimengClient(http)
        task = await client.submit()
        clock.tick(9)
        video = (await client.records(task))[task]["item_list"][0]["video"]
    assert urlsplit(video["cover_url"]).netloc == "10.1.2.3:7"
    assert {urlsplit(one["video_url"]).netloc for one in video["transcoded_video"].values()} == {"10.1.2.3:7"}
