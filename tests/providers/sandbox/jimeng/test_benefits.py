"""The account's calls: credits in each site's form, their log, the daily grant, workspaces."""

import json

import httpx
import pytest

from providers.sandbox.state import Ledger
from tests.providers.sandbox.clients import Clock, JimengClient, Json

CREDIT = "/commerce/v1/benefits/user_credit"
HISTORY = "/commerce/v1/benefits/user_credit_history"
RECEIVE = "/commerce/v1/benefits/credit_receive"
ZONE = {"time_zone": "Asia/Shanghai"}


def told(envelope: Json) -> Json:
    data: Json = envelope["data"] if "data" in envelope else json.loads(envelope["response"])
    return data


@pytest.mark.parametrize(
    ("region", "fields"),
    [
        ("cn", {"ret", "errmsg", "systime", "logid", "data"}),
        ("SG", {"ret", "errmsg", "systime", "log_id", "response", "sign", "data"}),
        ("US", {"ret", "errmsg", "systime", "log_id", "response", "sign"}),
    ],
)
@pytest.mark.parametrize("path", [CREDIT, HISTORY, RECEIVE])
async def test_each_site_has_its_form(http: httpx.AsyncClient, region: str, fields: set[str], path: str) -> None:
    envelope = await JimengClient(http, region=region).call(path, ZONE)
    assert (envelope["ret"], set(envelope)) == ("0", fields)
    if "response" in envelope:
        assert json.loads(envelope["response"]) == envelope.get("data", json.loads(envelope["response"]))


async def test_the_credits(jimeng: JimengClient, http: httpx.AsyncClient) -> None:
    data = (await jimeng.call(CREDIT, {}))["data"]
    assert data["credit"] == {"vip_credit": 0, "gift_credit": 66, "purchase_credit": 0}
    (expiring,) = data["expiring_credits"]
    (gift,) = data["credits_detail"]["gift_credits"]
    assert expiring == {"credit_amount": 66, "expire_time": gift["credits_life_end"]}
    poor = JimengClient(http, session="poor-1", region="US")
    assert await poor.credits() == 0


async def test_credits_run_out_and_a_failure_refunds_them(jimeng: JimengClient, clock: Clock, ledger: Ledger) -> None:
    for _ in range(5):
        await jimeng.submit()
        clock.tick(8)
    failing = await jimeng.submit("a cat #fail=2003")
    assert await jimeng.credits() == 6
    assert (await jimeng.generate())["ret"] == "1006"
    assert ledger.refunds("jimeng") == 0
    clock.tick(8)
    assert ledger.refunds("jimeng", "one") == 10
    record = (await jimeng.records(failing))[failing]
    assert (record["status"], record["fail_code"], record["item_list"]) == (30, "2003", [])
    assert await jimeng.credits() == 16
    assert (ledger.submits("jimeng", "one"), ledger.charges("jimeng", "one")) == (6, 60)
    log = (await jimeng.call(HISTORY, {"count": 2, "cursor": "0"}))["data"]
    assert [(row["amount"], row["history_type"]) for row in log["records"]] == [(10, 1), (10, 2)]
    assert {row["history_id"] for row in log["records"]} == {failing}
    assert {row["status"] for row in log["records"]} == {"Checked"}
    assert (log["total_credit"], log["has_more"], log["new_cursor"]) == (16, True, "2")
    rest = (await jimeng.call(HISTORY, {"count": 20, "cursor": "2"}))["data"]
    assert (len(rest["records"]), rest["has_more"]) == (5, False)


async def test_log_shows_one_kind_of_rows(http: httpx.AsyncClient, clock: Clock) -> None:
    client = JimengClient(http, region="US")
    await client.submit()
    await client.call(RECEIVE, ZONE)

    async def kinds(**asked: object) -> list[int]:
        body = {"count": 20, "cursor": "0", **asked}
        return [row["history_type"] for row in told(await client.call(HISTORY, body))["records"]]

    assert await kinds() == [1, 2]
    assert await kinds(history_type=1) == [1]
    assert await kinds(history_type=2) == [2]
    assert (await client.call(HISTORY, {"history_type": 3}))["ret"] == "1000"
    assert (await client.call(HISTORY, {"count": "x"}))["ret"] == "1000"


async def test_daily_grant_comes_once_a_day(jimeng: JimengClient, clock: Clock) -> None:
    assert (await jimeng.call(RECEIVE, ZONE))["data"] == {
        "receive_quota": 66, "cur_total_credits": 132, "is_first_receive": True,
    }  # fmt: skip
    assert (await jimeng.call(RECEIVE, ZONE))["data"] == {
        "receive_quota": 0, "cur_total_credits": 132, "is_first_receive": False,
    }  # fmt: skip
    assert await jimeng.credits() == 132
    clock.tick(86_400)
    later = (await jimeng.call(RECEIVE, ZONE))["data"]
    assert (later["receive_quota"], later["is_first_receive"]) == (66, False)
    assert (await jimeng.call(RECEIVE, {}))["ret"] == "1000"


async def test_session_is_alive(jimeng: JimengClient) -> None:
    assert (await jimeng.call("/passport/account/info/v2", {}))["data"]["user_id"]


async def test_account_has_a_workspace(jimeng: JimengClient, http: httpx.AsyncClient) -> None:
    path = "/mweb/v1/workspace/list"
    (mine,) = (await jimeng.call(path, {}))["data"]["workspaces"]
    assert mine.keys() == {"workspace_id", "name"}
    (other,) = (await JimengClient(http, "two").call(path, {}))["data"]["workspaces"]
    assert mine["workspace_id"] != other["workspace_id"]
