"""The token API of callers with their own credentials."""

import pytest

from gateway.core.errors import GatewayError
from tests.gateway.api.routes.conftest import Api


async def test_one_credential_is_answered_alone(api: Api) -> None:
    assert (await api.post("/token/check")).json() == {"live": True}


async def test_several_credentials_are_answered_in_their_order(api: Api) -> None:
    answer = await api.post("/token/check", authorization="Bearer sk-one,sk-dead")
    assert [row["live"] for row in answer.json()] == [True, False]
    assert "sk-" not in answer.text


async def test_body_takes_precedence_over_the_bearer(api: Api) -> None:
    assert (await api.post("/token/check", {"token": "sk-dead"})).json() == {"live": False}


@pytest.mark.parametrize("body", [{}, {"token": ""}, {"token": None}, {"other": "sk-dead"}])
async def test_body_without_a_token_uses_the_bearer(api: Api, body: object) -> None:
    assert (await api.post("/token/check", body)).json() == {"live": True}


@pytest.mark.parametrize("token", [3, ["sk-dead"], {"value": "sk-dead"}, True])
async def test_token_that_is_no_text_is_refused_without_showing_it(api: Api, token: object) -> None:
    answer = await api.post("/token/check", {"token": token})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "token")
    assert "sk-dead" not in answer.text


async def test_points_have_the_fields_of_existing_clients(api: Api) -> None:
    (row,) = (await api.post("/token/points")).json()
    assert row["points"] == {"giftCredit": 1, "purchaseCredit": 20, "vipCredit": 300, "totalCredit": 321}
    assert (row["index"], row["credits"]) == (0, row["points"])


@pytest.mark.parametrize("operation", ["check", "points", "receive"])
async def test_rows_have_the_index_of_their_credential(api: Api, operation: str) -> None:
    api.checks.errors["sk-two"] = GatewayError("not_supported")
    rows = (await api.post(f"/token/{operation}", authorization="Bearer sk-one,sk-two,sk-three")).json()
    assert [row["index"] for row in rows] == [0, 1, 2]


async def test_received_credits_have_flat_and_nested_fields(api: Api) -> None:
    (row,) = (await api.post("/token/receive")).json()
    credits = {"giftCredit": 66, "purchaseCredit": 0, "vipCredit": 0, "totalCredit": 66}
    assert row["credits"] == credits
    assert credits.items() <= row.items()


async def test_error_is_in_the_row_of_its_account(api: Api) -> None:
    api.checks.errors["sk-two"] = GatewayError("not_supported")
    rows = (await api.post("/token/receive", authorization="Bearer sk-one,sk-two")).json()
    assert (rows[0]["success"], rows[0]["received"], rows[0]["totalCredit"]) == (True, 66, 66)
    assert (rows[1]["success"], rows[1]["error_code"]) == (False, "not_supported")
    assert rows[1]["error"]


@pytest.mark.parametrize("operation", ["check", "points", "receive"])
async def test_gateway_keys_never_see_the_accounts(managed_api: Api, operation: str) -> None:
    answer = await managed_api.post(f"/token/{operation}", authorization="Bearer gw-one")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    assert "Administrators only" in answer.json()["error"]["message"]


async def test_failed_check_of_one_credential_is_an_error(api: Api) -> None:
    api.checks.errors["sk-one"] = GatewayError("not_supported")
    assert (await api.post("/token/check")).json()["error"]["code"] == "not_supported"


@pytest.mark.parametrize("operation", ["check", "points", "receive"])
async def test_every_credential_has_a_row_also_a_malformed_or_repeated_one(api: Api, operation: str) -> None:
    answer = await api.post(f"/token/{operation}", authorization="Bearer it-012345,sess1,sess1")
    rows = answer.json()
    assert [row["index"] for row in rows] == [0, 1, 2]
    assert rows[0]["error_code"] == "invalid_api_key"
    assert "token" not in rows[0]
    assert rows[1]["token"] == rows[2]["token"]
