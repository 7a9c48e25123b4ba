"""Who is let in: sessions, clusters, signatures, pages, and the words of credentials."""

import hashlib
from typing import Any

import httpx
import pytest

from tests.providers.sandbox.clients import GENERATE, JimengClient, Json, generate_body

BY_IDS = "/mweb/v1/get_history_by_ids"
CREDIT = "/commerce/v1/benefits/user_credit"
HISTORY = "/commerce/v1/benefits/user_credit_history"
RECEIVE = "/commerce/v1/benefits/credit_receive"
ZONE = {"time_zone": "Asia/Shanghai"}


async def test_call_without_a_session_is_refused(http: httpx.AsyncClient) -> None:
    stranger = JimengClient(http, session="")
    answer = await stranger.generate()
    assert (answer["ret"], answer["errmsg"]) == ("1015", "login error")
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
@pytest.mark.parametrize("region", ["cn", "US"])
async def test_wrong_sign_is_refused(http: httpx.AsyncClient, headers: dict[str, str], region: str) -> None:
    client = JimengClient(http, region=region)
    answer = await client.post(BY_IDS, {"history_ids": ["1"]}, **headers)
    assert (answer.status_code, answer.json()["ret"], answer.json()["errmsg"][:10]) == (200, "1014", "sign error")
    assert (await client.post(GENERATE, generate_body(), **headers)).json()["ret"] == "1014"


async def test_sign_is_of_the_path_before_the_query(jimeng: JimengClient) -> None:
    signed = jimeng.headers(BY_IDS, "1757737934")
    text = "9e2c|_by_ids|7|8.4.0|1757737934||11ac"
    assert signed["Sign"] == hashlib.md5(text.encode()).hexdigest()
    answer = await jimeng.http.post(f"{BY_IDS}?a=b", json={"history_ids": ["1"]}, headers=signed)
    assert answer.json() | {"logid": "", "systime": ""} == {
        "ret": "0", "errmsg": "success", "systime": "", "logid": "", "data": {},
    }  # fmt: skip


async def unsigned(client: JimengClient, path: str, body: Json) -> Json:
    headers = {name: value for name, value in client.headers(path).items() if name in ("Cookie", "Referer", "Loc")}
    answer = await client.http.post(path, params=client.query, json=body, headers=headers)
    envelope: Json = answer.json()
    return envelope


async def test_on_the_mainland_no_call_needs_a_sign(jimeng: JimengClient) -> None:
    assert (await unsigned(jimeng, GENERATE, generate_body()))["ret"] == "0"
    assert (await unsigned(jimeng, BY_IDS, {"history_ids": ["1"]}))["ret"] == "0"
    assert (await unsigned(jimeng, CREDIT, {}))["ret"] == "0"


async def test_abroad_what_changes_something_needs_one(http: httpx.AsyncClient) -> None:
    client = JimengClient(http, region="US")
    refused = await unsigned(client, GENERATE, generate_body(aid=513641))
    assert (refused["ret"], refused["errmsg"]) == ("3018", "permission denied")
    assert (refused["data"]["aigc_data"], refused["data"]["fail_code"]) == (None, "1017")
    assert (await unsigned(client, RECEIVE, ZONE))["ret"] == "3018"
    assert (await unsigned(client, BY_IDS, {"history_ids": ["1"]}))["ret"] == "0"


@pytest.mark.parametrize("body", [[1], "text"])
async def test_body_that_is_no_object_is_a_parameter_error(jimeng: JimengClient, body: object) -> None:
    assert (await jimeng.call(BY_IDS, body))["ret"] == "1000"


async def test_body_that_is_no_json_is_a_parameter_error(jimeng: JimengClient) -> None:
    answer = await jimeng.http.post(BY_IDS, content=b"{", headers=jimeng.headers(BY_IDS))
    assert answer.json()["ret"] == "1000"


async def test_refused_submit_names_its_reason_fields(jimeng: JimengClient) -> None:
    answer = await jimeng.generate(seconds=99)
    assert answer["ret"] == "1000"
    assert answer["errmsg"].startswith("invalid parameter")
    assert answer["data"] == {
        "aigc_data": None, "fail_code": "", "fail_starling_key": "", "fail_starling_message": "",
    }  # fmt: skip
    other = await jimeng.call(BY_IDS, {"history_ids": []})
    assert (other["ret"], other["data"]) == ("1000", None)


@pytest.mark.parametrize(
    ("path", "page", "ret"),
    [
        (CREDIT, "/ai-tool/image/generate", "0"),
        (CREDIT, "/ai-tool/image/generate?x=1", "0"),
        (CREDIT, "/ai-tool/home", "1014"),
        (CREDIT, "/ai-tool/generate?type=video", "1014"),
        (CREDIT, "", "1014"),
        (RECEIVE, "/ai-tool/home", "0"),
        (RECEIVE, "/ai-tool/image/generate", "0"),
        (RECEIVE, "", "1014"),
        (HISTORY, "", "0"),
    ],
)
async def test_credit_calls_come_from_their_page(jimeng: JimengClient, path: str, page: str, ret: str) -> None:
    answer = (await jimeng.post(path, ZONE, Referer=f"https://jimeng.jianying.com{page}")).json()
    assert answer["ret"] == ret
    if ret == "1014":
        assert (answer["errmsg"], answer["data"]) == ("system busy", None)


async def test_without_a_referer_credits_are_busy(jimeng: JimengClient) -> None:
    assert (await jimeng.post(CREDIT, {}, Referer="")).json()["errmsg"] == "system busy"


@pytest.mark.parametrize("query", [{"region": "mars"}, {"region": "cn", "aid": "513641"}, {}])
async def test_submit_that_names_no_site_is_refused(jimeng: JimengClient, query: dict[str, str]) -> None:
    jimeng.query = {"aid": "513695", **query} if query else {}
    assert (await jimeng.generate())["ret"] == "1000"


async def test_site_is_told_by_the_aid_alone(jimeng: JimengClient) -> None:
    jimeng.query = {"aid": "513695"}
    assert (await jimeng.generate())["ret"] == "0"


SHARK_ABROAD: Json = {
    "ret": "-6",
    "errmsg": "shark not pass reject",
    "data": {
        "aigc_data": None,
        "fail_code": "4013",
        "fail_starling_key": "web_risk_control_message_reject_generation",
        "fail_starling_message": "Couldn't generate due to unusual activity in your account. Try again later.",
    },
}
NO_CREDITS: Json = {
    "ret": "1006",
    "errmsg": "Not enough credits left or no relevant benefits",
    "data": {
        "aigc_data": None,
        "fail_code": "1006",
        "fail_starling_key": "web_dre_m10n_generate_popup_credit_ininsufficient_title",
        "fail_starling_message": "",
    },
}


@pytest.mark.parametrize(
    ("session", "region", "expected"),
    [
        ("poor-1", "cn", NO_CREDITS),
        ("banned-1", "cn", {"ret": "1018", "data": None}),
        ("a-limited", "cn", {"ret": "121101"}),
        ("peak", "cn", {"ret": "1310"}),
        ("noregion-2", "cn", {"ret": "3000"}),
        ("strange", "cn", {"ret": "9527"}),
        ("signedout", "cn", {"ret": "34010105", "errmsg": "login error"}),
        ("tight", "cn", {"ret": "0"}),
        ("noproof", "cn", {"ret": "0"}),
        ("noproof", "US", SHARK_ABROAD),
        ("noproof", "SG", SHARK_ABROAD),
        ("elsewhere", "cn", {"ret": "1015", "errmsg": "login error"}),
        ("elsewhere", "US", {"ret": "1015", "errmsg": "login error"}),
        ("elsewhere", "SG", {"ret": "0"}),
        ("relogin", "cn", {"ret": "0"}),
    ],
)
async def test_directives_of_a_session(http: httpx.AsyncClient, session: str, region: str, expected: Json) -> None:
    answer = await JimengClient(http, session=session, region=region).generate()
    assert answer | expected == answer


async def test_peak_time_says_so_in_its_code(http: httpx.AsyncClient) -> None:
    answer = await JimengClient(http, session="peak").generate()
    assert "使用高峰期" in answer["errmsg"]
    assert answer["data"]["fail_code"] == answer["data"]["fail_starling_key"] == "exceed_model_parallel_max"


async def test_shark_of_the_mainland_is_a_number_and_nothing_else(http: httpx.AsyncClient) -> None:
    answer = await JimengClient(http, session="shark").generate()
    assert answer == {"ret": 1019, "errmsg": "shark not pass"}


async def test_abroad_the_daily_grant_wants_a_browser_too(http: httpx.AsyncClient) -> None:
    client = JimengClient(http, session="noproof", region="US")
    answer = await client.call(RECEIVE, ZONE)
    assert (answer["ret"], answer["errmsg"]) == ("34070104", "shark action check reject")
    assert (await client.call(CREDIT, {}))["ret"] == "0"


@pytest.mark.parametrize("path", [CREDIT, HISTORY, RECEIVE])
async def test_credit_calls_can_want_a_new_login(http: httpx.AsyncClient, path: str) -> None:
    client = JimengClient(http, session="relogin")
    answer: dict[str, Any] = await client.call(path, ZONE)
    assert (answer["ret"], answer["errmsg"], answer["data"]) == ("34010105", "login error", {"is_vip": False})
    assert (await client.call("/passport/account/info/v2", {}))["ret"] == "0"


@pytest.mark.parametrize("region", ["US", "SG"])
async def test_passport_abroad_is_a_404_with_a_page(http: httpx.AsyncClient, region: str) -> None:
    answer = await JimengClient(http, region=region).post("/passport/account/info/v2", {})
    assert (answer.status_code, answer.text[:9]) == (404, "<!DOCTYPE")
