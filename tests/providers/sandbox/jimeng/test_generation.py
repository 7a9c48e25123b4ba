"""Submit and cancel: what is accepted, what a retired model does, what comes back."""

import asyncio
import uuid

import httpx
import pytest
from starlette.applications import Starlette

from providers.sandbox.app import create_sandbox
from providers.sandbox.settings import SandboxSettings
from providers.sandbox.state import Ledger
from tests.providers.sandbox.clients import GENERATE, MODEL, Clock, JimengClient, Json, generate_body

CONFIG = "/mweb/v1/video_generate/get_common_config"
VGFM = "dreamina_ic_generate_video_model_"


async def test_submit_answer_names_the_task(jimeng: JimengClient, clock: Clock) -> None:
    submit_id = str(uuid.uuid4())
    body = generate_body(submit_id=submit_id)
    answer = await jimeng.call(GENERATE, body)
    data = answer["data"]["aigc_data"]
    assert data["generate_id"] == answer["logid"]
    assert data["uid"] == (await jimeng.call("/passport/account/info/v2", {}))["data"]["user_id_str"]
    task_id = data["history_record_id"]
    assert (task_id.isdigit(), len(task_id), int(task_id) >> 32) == (True, 19, int(clock.now))
    assert data["task"] | {
        "task_id": task_id, "submit_id": submit_id, "status": 20, "finish_time": 0, "history_id": task_id,
        "resp_ret": {"ret": "0"},
    } == data["task"]  # fmt: skip
    assert data | {
        "generate_type": 10, "created_time": clock.now, "item_list": [], "mode": "workbench", "status": 20,
        "draft_content": body["draft_content"], "metrics_extra": body["metrics_extra"], "submit_id": submit_id,
        "capflow_id": submit_id, "aigc_flow": {"version": "3.3.28"}, "fail_code": "", "fail_starling_key": "",
        "fail_starling_message": "", "total_image_count": 0, "finished_image_count": 0, "min_feats": [],
        "forecast_generate_cost": 60, "forecast_queue_cost": 2, "finish_time": 0,
    } == data  # fmt: skip
    assert data["model_info"]["model_req_key"] == MODEL
    assert (
        data["queue_info"] | {"queue_idx": 8, "queue_status": 1, "queue_length": 8, "priority": 5}
        == (data["queue_info"])
    )
    assert data["queue_info"]["polling_config"] == {"interval_seconds": 30, "timeout_seconds": 86_400}
    assert len(data["pre_gen_item_ids"]) == 1


async def test_same_submit_id_finds_the_first_task(jimeng: JimengClient, http: httpx.AsyncClient) -> None:
    submit_id = str(uuid.uuid4())
    first = await jimeng.submit(submit_id=submit_id)
    assert await jimeng.submit(submit_id=submit_id) == first
    assert await jimeng.credits() == 56
    assert await JimengClient(http, session="two").submit(submit_id=submit_id) != first


async def test_third_running_task_is_refused(jimeng: JimengClient, http: httpx.AsyncClient, clock: Clock) -> None:
    await jimeng.submit()
    await jimeng.submit()
    assert (await jimeng.generate())["ret"] == "1010"
    assert (await JimengClient(http, session="two").generate())["ret"] == "0"
    clock.tick(8)
    assert (await jimeng.generate())["ret"] == "0"


async def test_ids_are_unique(clock: Clock) -> None:
    app = create_sandbox(SandboxSettings(credits=10_000, max_running=1000), clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
        client = JimengClient(http)
        ids = await asyncio.gather(*(client.submit() for _ in range(200)))
    assert len(set(ids)) == 200


async def listed(http: httpx.AsyncClient, region: str) -> list[str]:
    query = {"aid": "513695" if region == "cn" else "513641", "region": region}
    answer = await http.post(CONFIG, params=query, json={})
    return [one["model_req_key"] for one in answer.json()["data"]["model_list"]]


async def test_retired_model_is_refused_until_it_is_back(
    jimeng: JimengClient, http: httpx.AsyncClient, app: Starlette, ledger: Ledger
) -> None:
    app.state.jimeng_models.retire(MODEL)
    answer = await jimeng.generate()
    assert (answer["ret"], answer["errmsg"]) == ("2061", "模型已不可用，请刷新界面后再试试")
    assert answer["data"]["aigc_data"] is None
    assert ledger.submits("jimeng") == 0
    app.state.jimeng_models.restore(MODEL)
    assert (await jimeng.generate())["ret"] == "0"


async def test_retire_directive_removes_the_model_from_its_site(jimeng: JimengClient, http: httpx.AsyncClient) -> None:
    assert MODEL in await listed(http, "cn")
    assert (await jimeng.generate("a cat #retire"))["ret"] == "2061"
    assert MODEL not in await listed(http, "cn")
    assert MODEL in await listed(http, "US")
    assert (await jimeng.generate("a cat"))["ret"] == "2061"
    assert (await JimengClient(http, region="US").generate("a cat"))["ret"] == "0"


async def test_task_of_a_retired_model_goes_on(jimeng: JimengClient, app: Starlette, clock: Clock) -> None:
    task = await jimeng.submit()
    app.state.jimeng_models.retire(MODEL)
    clock.tick(9)
    assert (await jimeng.records(task))[task]["status"] == 50


async def test_waiting_task_is_cancelled_and_refunded(jimeng: JimengClient, clock: Clock, ledger: Ledger) -> None:
    task = await jimeng.submit()
    clock.tick(1)
    answer = await jimeng.cancel(task)
    assert answer["ret"] == "0"
    assert (ledger.refunds("jimeng", "one"), await jimeng.credits()) == (10, 66)
    clock.tick(60)
    record = (await jimeng.records(task))[task]
    assert (record["status"], record["task"]["status"], record["queue_info"]["queue_status"]) == (30, 30, 3)
    assert record["fail_starling_message"] == "你已取消生成，积分已返还"
    assert (record["fail_code"], record["item_list"]) == ("", [])
    assert record["task"]["finish_time"] == int(clock.now) - 60
    rows = (await jimeng.call("/commerce/v1/benefits/user_credit_history", {}))["data"]["records"]
    assert [row["history_type"] for row in rows] == [1, 2]
    assert (await jimeng.cancel(task))["ret"] == "1000"
    assert ledger.refunds("jimeng", "one") == 10


async def test_task_can_be_cancelled_before_its_record_shows(jimeng: JimengClient, clock: Clock) -> None:
    task = await jimeng.submit("a cat #lag")
    assert await jimeng.records(task) == {}
    assert (await jimeng.cancel(task))["ret"] == "0"
    clock.tick(10)
    assert (await jimeng.records(task))[task]["status"] == 30


async def test_forgotten_task_cannot_be_cancelled(jimeng: JimengClient, clock: Clock) -> None:
    task = await jimeng.submit("a cat #vanish")
    clock.tick(3)
    assert (await jimeng.cancel(task))["ret"] == "1000"


async def test_cancelled_task_makes_room_for_another(jimeng: JimengClient, clock: Clock) -> None:
    first, _ = await jimeng.submit("a #pending"), await jimeng.submit("b #pending")
    clock.tick(20)
    assert (await jimeng.generate())["ret"] == "1010"
    assert (await jimeng.cancel(first))["ret"] == "0"
    assert (await jimeng.generate())["ret"] == "0"


@pytest.mark.parametrize(
    ("prompt", "seconds"), [("a cat", 3), ("a cat", 60), ("a cat #fail", 60), ("a cat #stuck", 60), ("a #nocancel", 1)]
)
async def test_what_no_longer_waits_cannot_be_cancelled(
    jimeng: JimengClient, clock: Clock, ledger: Ledger, prompt: str, seconds: float
) -> None:
    task = await jimeng.submit(prompt)
    clock.tick(seconds)
    before = (await jimeng.records(task))[task]["status"]
    refunds = ledger.refunds("jimeng")
    assert (await jimeng.cancel(task))["ret"] == "1000"
    assert (await jimeng.records(task))[task]["status"] == before
    assert ledger.refunds("jimeng") == refunds


async def test_model_that_offers_no_cancel_cannot_be_cancelled(jimeng: JimengClient, clock: Clock) -> None:
    benefit = "basic_video_operation_vgfm_v_three_pro"
    task = await jimeng.submit(key=VGFM + "vgfm_3.0_pro", benefit=benefit, resolution="1080p")
    clock.tick(1)
    assert (await jimeng.cancel(task))["ret"] == "1000"
    assert (await jimeng.records(task))[task]["queue_info"]["queue_status"] == 1


async def test_only_the_owner_cancels(jimeng: JimengClient, http: httpx.AsyncClient, clock: Clock) -> None:
    task = await jimeng.submit()
    clock.tick(1)
    assert (await JimengClient(http, session="two").cancel(task))["ret"] == "1000"
    assert (await jimeng.cancel("7"))["ret"] == "1000"
    bodies: tuple[Json, ...] = ({}, {"history_id": int(task)}, {"history_ids": [task]}, {"history_id": ""})
    for body in bodies:
        assert (await jimeng.call("/mweb/v1/aigc_draft/cancel_generate", body))["ret"] == "1000"
    assert (await jimeng.cancel(task))["ret"] == "0"
