"""The operator's routes for managed accounts."""

import pytest

from gateway.core.errors import GatewayError
from tests.gateway.api.routes.conftest import Api


async def test_the_list_shows_each_account_without_its_credential(managed_api: Api) -> None:
    answer = await managed_api.get("/v1/accounts")
    assert [account["name"] for account in answer.json()["data"]] == ["first", "second"]
    assert "sk-" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


async def test_an_account_is_found_by_its_name_and_by_its_tag(managed_api: Api) -> None:
    tag = (await managed_api.get("/v1/accounts")).json()["data"][1]["tag"]
    for name in ("second", tag):
        answer = await managed_api.post(f"/v1/accounts/{name}/check")
        assert (answer.json()["live"], answer.json()["account"]["name"]) == (True, "second")


async def test_unknown_account_name_is_not_found(managed_api: Api) -> None:
    answer = await managed_api.post("/v1/accounts/third/check")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert "third" in answer.json()["error"]["message"]


async def test_points_are_read_again_for_no_cache(managed_api: Api) -> None:
    answer = await managed_api.post("/v1/accounts/first/points", cache_control="no-cache")
    assert answer.json()["credits"] == {"total": 321, "gift": 1, "purchase": 20, "vip": 300}
    await managed_api.post("/v1/accounts/first/points")
    assert managed_api.checks.refreshes == [True, False]


async def test_received_credits_are_returned(managed_api: Api) -> None:
    assert (await managed_api.post("/v1/accounts/first/receive")).json()["received"] == 66


@pytest.mark.parametrize("operation", ["points", "receive"])
async def test_rejected_credential_of_an_account_is_not_401(managed_api: Api, operation: str) -> None:
    managed_api.checks.errors["sk-first"] = GatewayError("invalid_api_key", upstream_code="1015")
    answer = await managed_api.post(f"/v1/accounts/first/{operation}")
    assert answer.json()["error"]["code"] == "account_restricted"
    assert answer.json()["error"]["upstream_code"] == "1015"
    assert answer.status_code != 401


async def test_other_errors_are_unchanged(managed_api: Api) -> None:
    managed_api.checks.errors["sk-first"] = GatewayError("not_supported")
    answer = await managed_api.post("/v1/accounts/first/points")
    assert answer.json()["error"]["code"] == "not_supported"


async def test_a_paused_account_is_resumed(managed_api: Api) -> None:
    states = []
    for operation in ("pause", "resume"):
        answer = await managed_api.post(f"/v1/accounts/first/{operation}")
        states.append(answer.json()["account"]["state"])
    assert states == ["paused", "ready"]


@pytest.mark.parametrize("operation", ["check", "points", "receive", "pause", "resume"])
async def test_request_of_a_web_page_is_not_from_the_operator(managed_api: Api, operation: str) -> None:
    answer = await managed_api.post(f"/v1/accounts/first/{operation}", origin="https://page.example")
    assert answer.status_code == 401
    assert [account["state"] for account in (await managed_api.get("/v1/accounts")).json()["data"]] == ["ready"] * 2
