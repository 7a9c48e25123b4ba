"""Jimeng's calls: who is let in, what a task does over time, credits, lists."""

import asyncio
import hashlib
import uuid
from urllib.parse import urlsplit

import httpx
import pytest

from providers.sandbox.app import create_sandbox
from providers.sandbox.books import Books
from providers.sandbox.settings import SandboxSettings
from tests.providers.sandbox.clients import BASIC, MODEL, Clock, JimengClient

GENERATE = "/mweb/v1/aigc_draft/generate"
BY_IDS = "/mweb/v1/get_history_by_ids"


async def test_a_call_without_a_session_is_refused(http: httpx.AsyncClient) -> None:
    stranger = JimengClient(http, session="")
    assert (await stranger.generate())["ret"] == "1015"
    assert (await stranger.call("/passport/account/info/v2", {}))["ret"] == "1015"
    assert (await JimengClient(http, session="expired-1").generate())["ret"] == "1015"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sign": "0" * 32},
        {"Sign": ""},
        {"Device-Time": ""},
        {"Device-Time": "yesterday"},
        {"Device-Time": "1790000001"},
        {"Appvr": "8.4.1"},
        {"Pf": ""},
    ],
)
async def test_a_wrong_sign_is_refused(jimeng: JimengClient, headers: dict[str, str]) -> None:
    answer = await jimeng.post(BY_IDS, {"history_ids": ["1"]}, **headers)
    assert answer.status_code == 200
    assert answer.json()["ret"] == "1014"


async def test_the_sign_is_of_the_path_before_the_query(jimeng: JimengClient) -> None:
    signed = jimeng.headers(BY_IDS, "1757737934")
    text = "9e2c|_by_ids|7|8.4.0|1757737934||11ac"
    assert signed["Sign"] == hashlib.md5(text.encode()).hexdigest()
    answer = await jimeng.http.post(f"{BY_IDS}?a=b", json={"history_ids": ["1"]}, headers=signed)
    assert answer.json() | {"logid": "", "systime": ""} == {
        "ret": "0", "errmsg": "success", "systime": "", "logid": "", "data": {},
    }  # fmt: skip


@pytest.mark.parametrize("body", [[1], "text"])
async def test_a_body_that_is_no_object_is_a_parameter_error(jimeng: JimengClient, body: object) -> None:
    assert (await jimeng.call(BY_IDS, body))["ret"] == "1000"


async def test_a_body_that_is_no_json_is_a_parameter_error(jimeng: JimengClient) -> None:
    answer = await jimeng.http.post(BY_IDS, content=b"{", headers=jimeng.headers(BY_IDS))
    assert answer.json()["ret"] == "1000"


async def test_the_submit_answer_names_the_task(jimeng: JimengClient, clock: Clock) -> None:
    submit_id = str(uuid.uuid4())
    data = (await jimeng.generate(submit_id=submit_id))["data"]["aigc_data"]
    assert data["history_record_id"].isdigit()
    assert len(data["history_record_id"]) == 19
    assert int(data["history_record_id"]) >> 32 == int(clock.now)
    assert data["task"] | {"submit_id": submit_id, "status": 20, "finish_time": 0} == data["task"]
    assert data["created_time"] == clock.now


async def test_a_task_lives_from_the_queue_to_the_video(jimeng: JimengClient, clock: Clock) -> None:
    task = await jimeng.submit("a cat")
    assert await jimeng.records(task) == {}
    seen = []
    for _ in range(10):
        clock.tick(1)
        record = (await jimeng.records(task))[task]
        seen.append((record["status"], record["queue_info"]["queue_idx"], len(record["item_list"])))
    assert seen == [
        (20, 4, 0), (20, 0, 0), (20, 0, 0), (20, 0, 0), (20, 0, 0), (42, 0, 0), (45, 0, 0), (50, 0, 1), (50, 0, 1),
        (50, 0, 1),
    ]  # fmt: skip
    assert record["fail_code"] == ""
    assert record["task"]["finish_time"] == int(clock.now) - 2
    assert record["model_info"] == {"model_name": "3.0", "model_req_key": MODEL}
    assert record["forecast_generate_cost"] == 60
    item = record["item_list"][0]
    origin = item["video"]["transcoded_video"]["origin"]
    assert (origin["width"], origin["height"]) == (1280, 720)
    assert origin["video_url"].startswith("http://upstream.test:81/files/")
    assert item["common_attr"]["cover_url"].startswith("http://upstream.test:81/files/")


async def test_the_queue_place_falls(jimeng: JimengClient, clock: Clock) -> None:
    task = await jimeng.submit("a cat #slow")
    clock.tick(1)
    path, places = "/mweb/v1/get_history_queue_info", []
    for _ in range(6):
        places.append((await jimeng.call(path, {"history_ids": [task]}))["data"][task]["queue_idx"])
        clock.tick(4)
    assert places == [8, 6, 4, 3, 1, 0]


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


async def test_another_sessions_task_is_absent(
    jimeng: JimengClient, http: httpx.AsyncClient, clock: Clock, books: Books
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
    assert (books.polls(task), books.foreign_polls(task), books.foreign_polls(credential="two")) == (2, 1, 1)


async def test_the_best_quality_call_gives_a_better_file(jimeng: JimengClient, clock: Clock) -> None:
    task = await jimeng.submit()
    clock.tick(8)
    preview = (await jimeng.records(task))[task]["item_list"][0]
    body = {
        "item_id_list": [preview["common_attr"]["id"], "1"],
        "pack_item_opt": {"scene": 1, "need_data_integrity": True},
        "is_for_video_download": True,
    }
    best = (await jimeng.call("/mweb/v1/get_local_item_list", body))["data"]["item_list"]
    assert [one["common_attr"]["id"] for one in best] == [preview["common_attr"]["id"]]
    origins = [one["video"]["transcoded_video"]["origin"] for one in (preview, best[0])]
    sizes = [len((await jimeng.http.get(origin["video_url"])).content) for origin in origins]
    assert sizes == [origin["size"] for origin in origins]
    assert sizes[0] < sizes[1]
    assert (await jimeng.call("/mweb/v1/get_local_item_list", {"item_id_list": []}))["ret"] == "1000"


async def test_the_same_submit_id_finds_the_first_task(jimeng: JimengClient, http: httpx.AsyncClient) -> None:
    submit_id = str(uuid.uuid4())
    first = await jimeng.submit(submit_id=submit_id)
    assert await jimeng.submit(submit_id=submit_id) == first
    assert await jimeng.credits() == 56
    assert await JimengClient(http, session="two").submit(submit_id=submit_id) != first


async def test_a_third_running_task_is_refused(jimeng: JimengClient, http: httpx.AsyncClient, clock: Clock) -> None:
    await jimeng.submit()
    await jimeng.submit()
    assert (await jimeng.generate())["ret"] == "1010"
    assert (await JimengClient(http, session="two").generate())["ret"] == "0"
    clock.tick(8)
    assert (await jimeng.generate())["ret"] == "0"


async def test_credits_run_out_and_a_failure_gives_them_back(jimeng: JimengClient, clock: Clock, books: Books) -> None:
    for _ in range(5):
        await jimeng.submit()
        clock.tick(8)
    failing = await jimeng.submit("a cat #fail=2003")
    assert await jimeng.credits() == 6
    assert (await jimeng.generate())["ret"] == "5000"
    assert books.refunds("jimeng") == 0
    clock.tick(8)
    assert books.refunds("jimeng", "one") == 10
    record = (await jimeng.records(failing))[failing]
    assert (record["status"], record["fail_code"], record["item_list"]) == (30, "2003", [])
    assert record["fail_starling_message"]
    assert await jimeng.credits() == 16
    assert (books.submits("jimeng", "one"), books.charges("jimeng", "one")) == (6, 60)
    log = (await jimeng.call("/commerce/v1/benefits/user_credit_history", {"count": 2, "cursor": "0"}))["data"]
    assert [row["amount"] for row in log["records"]] == [10, -10]
    assert (log["total_credit"], log["has_more"], log["new_cursor"]) == (16, True, "2")
    rest = (await jimeng.call("/commerce/v1/benefits/user_credit_history", {"count": 20, "cursor": "2"}))["data"]
    assert (len(rest["records"]), rest["has_more"]) == (5, False)


async def test_the_daily_grant_comes_once_a_day(jimeng: JimengClient, clock: Clock) -> None:
    path, body = "/commerce/v1/benefits/credit_receive", {"time_zone": "Asia/Shanghai"}
    assert (await jimeng.call(path, body))["data"]["receive_quota"] == 66
    assert (await jimeng.call(path, body))["data"]["receive_quota"] == 0
    assert await jimeng.credits() == 132
    clock.tick(86_400)
    assert (await jimeng.call(path, body))["data"]["receive_quota"] == 66
    assert (await jimeng.call(path, {}))["ret"] == "1000"


async def test_the_session_is_alive(jimeng: JimengClient) -> None:
    assert (await jimeng.call("/passport/account/info/v2", {}))["data"]["user_id"]


async def test_the_history_is_paged_and_newest_first(jimeng: JimengClient, clock: Clock) -> None:
    tasks = []
    for _ in range(3):
        tasks.append(await jimeng.submit())
        clock.tick(10)
    path = "/mweb/v1/get_history"
    page = (await jimeng.call(path, {"count": 2}))["data"]
    assert [one["history_record_id"] for one in page["records_list"]] == [tasks[2], tasks[1]]
    assert (page["has_more"], page["next_offset"]) == (True, 2)
    page = (await jimeng.call(path, {"count": 2, "offset": page["next_offset"]}))["data"]
    assert [one["history_record_id"] for one in page["records_list"]] == [tasks[0]]
    assert page["has_more"] is False
    assert (await jimeng.call(path))["ret"] == "2008"
    assert (await jimeng.call(path, {}))["ret"] == "2008"
    assert (await jimeng.call(path, {"count": 0}))["ret"] == "1000"
    assert (await jimeng.call(path, {"count": 1, "offset": "x"}))["ret"] == "1000"


@pytest.mark.parametrize(
    ("region", "key", "benefit", "ret"),
    [
        ("cn", "dreamina_veo3_generate_video", "generate_video_veo3", "3018"),
        ("hk", "dreamina_seedance_40", "dreamina_seedance_20_fast", "3018"),
        ("US", "dreamina_ic_generate_video_model_vgfm_lite", BASIC, "3018"),
        ("US", "dreamina_sora2_generate_video", "generate_video_sora2", "3018"),
        ("US", "dreamina_ic_generate_video_model_vgfm_3.0", BASIC, "0"),
        ("JP", "dreamina_ic_generate_video_model_vgfm_lite", BASIC, "0"),
        ("cn", "dreamina_seedance_45_pro", "dreamina_seedance_45_pro", "0"),
        ("cn", "some_other_model", "x", "1000"),
    ],
)
async def test_models_belong_to_sites(http: httpx.AsyncClient, region: str, key: str, benefit: str, ret: str) -> None:
    client = JimengClient(http, region=region)
    assert (await client.generate(key=key, benefit=benefit))["ret"] == ret


@pytest.mark.parametrize("query", [{"region": "mars"}, {"region": "cn", "aid": "513641"}, {}])
async def test_a_submit_that_names_no_site_is_refused(jimeng: JimengClient, query: dict[str, str]) -> None:
    jimeng.query = {"aid": "513695", **query} if query else {}
    assert (await jimeng.generate())["ret"] == "1000"


async def test_the_site_is_told_by_the_aid_alone(jimeng: JimengClient) -> None:
    jimeng.query = {"aid": "513695"}
    assert (await jimeng.generate())["ret"] == "0"


async def test_ids_are_unique(clock: Clock) -> None:
    app = create_sandbox(SandboxSettings(credits=10_000, max_running=1000), clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
        client = JimengClient(http)
        ids = await asyncio.gather(*(client.submit() for _ in range(200)))
    assert len(set(ids)) == 200


async def test_credential_words(http: httpx.AsyncClient) -> None:
    for session, ret in (("poor-1", "5000"), ("banned-1", "1018"), ("shark", "1019"), ("a-limited", "121101")):
        client = JimengClient(http, session=session)
        assert (await client.generate())["ret"] == ret
    assert await JimengClient(http, session="poor-1").credits() == 0


async def test_links_lead_to_the_host_the_client_reached(clock: Clock) -> None:
    app = create_sandbox(SandboxSettings(), clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://10.1.2.3:7") as http:
        client = JimengClient(http)
        task = await client.submit()
        clock.tick(9)
        url = (await client.records(task))[task]["item_list"][0]["video"]["transcoded_video"]["origin"]["video_url"]
    assert urlsplit(url).netloc == "10.1.2.3:7"
