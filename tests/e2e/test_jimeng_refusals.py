"""Refusals of the Jimeng site: read whole, asked once, and the right account marked."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import AccountSettings
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from tests.e2e.conftest import FastClock, bearer, follow, settings_for
from tests.pictures import data_url

SUBMIT, GENERATE = "/v1/videos/generations", "/mweb/v1/aigc_draft/generate"
CREDIT, TOKEN = "/commerce/v1/benefits/user_credit", "/mweb/v1/get_upload_token"
FAST, SEEDANCE = "jimeng-video-3.0-fast", "jimeng-video-seedance-2.0"


def submit(client: httpx.Client, *credentials: str, language: str = "en", **fields: Any) -> httpx.Response:
    body = {"model": FAST, "prompt": "a cat"} | fields
    return client.post(SUBMIT, json=body, headers=bearer(*credentials) | {"Accept-Language": language})


def error_of(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error.get("upstream_code", "")


def calls(upstream: SandboxServer, session: str, path: str = GENERATE) -> int:
    return upstream.sandbox.calls("jimeng", path, session)


@pytest.mark.parametrize(
    ("directive", "upstream_code"),
    [
        ("#refuse-inside=2047", "2047"),
        ("#refuse-inside=2040", "2040"),
        ("#refuse-key=web_text_violates_community_guidelines_toast", ""),
        ("#refuse-key=ErrMessage_APP_OutputVideoRisk", ""),
        ("#refuse-key=web_new_copyright_toast", ""),
        ("#refuse-sentence", ""),
        ("#refuse=2047", "2047"),
    ],
)
def test_content_refused_at_the_submit_is_asked_once(
    client: httpx.Client, upstream: SandboxServer, session: str, directive: str, upstream_code: str
) -> None:
    answer = submit(client, session, prompt=f"a cat {directive}")
    assert error_of(answer) == (400, "content_policy_violation", upstream_code)
    assert answer.headers["x-should-retry"] == "false"
    assert calls(upstream, session) == 1


@pytest.mark.parametrize("directive", ["#fail=2047", "#fail=2040", "#fail-key=ErrMessage_APP_OutputVideoRisk"])
def test_content_refused_in_a_failed_record(client: httpx.Client, session: str, directive: str) -> None:
    id = submit(client, session, prompt=f"a cat {directive}").json()["task_id"]
    assert "内容违规" in follow(client, id, session)[-1]["error"]


@pytest.mark.parametrize(
    ("directive", "status", "code"),
    [
        ("noregion", 403, "account_restricted"),
        ("peak", 429, "rate_limit_exceeded"),
        ("signedout", 401, "invalid_api_key"),
        ("strange", 502, "upstream_error"),
        ("limited", 429, "insufficient_quota"),
    ],
)
def test_refusal_of_one_account_asks_the_next_one(
    client: httpx.Client, upstream: SandboxServer, session: str, directive: str, status: int, code: str
) -> None:
    bad, good = f"{directive}-{session}", session
    assert error_of(submit(client, bad))[:2] == (status, code)
    bad = f"{directive}-2-{session}"
    assert [submit(client, bad, good).status_code for _ in range(3)] == [200] * 3
    assert (calls(upstream, bad), calls(upstream, good)) == (1, 3)


def test_region_error_names_the_proxy(client: httpx.Client, session: str) -> None:
    message = submit(client, f"noregion-{session}").json()["error"]["message"]
    assert "proxy" in message


def test_at_most_two_accounts_are_asked_for_an_unknown_refusal(
    client: httpx.Client, upstream: SandboxServer, session: str
) -> None:
    sessions = [f"{session}a{number}" for number in range(4)]
    answer = submit(client, *sessions, prompt="a cat #refuse=9527")
    assert error_of(answer) == (502, "upstream_error", "9527")
    assert answer.headers["x-should-retry"] == "false"
    assert sum(calls(upstream, one) for one in sessions) == 2
    # None of them is paused: the request may be at fault.
    assert submit(client, *sessions).status_code == 200


class TestLowCredits:
    def test_price_above_the_balance_closes_only_that_price(
        self, client: httpx.Client, upstream: SandboxServer, session: str
    ) -> None:
        tight = f"tight-{session}"
        answer = submit(client, tight, model=SEEDANCE, duration=15)
        assert error_of(answer)[:2] == (429, "insufficient_quota")
        assert "Cheaper ones are accepted" in answer.json()["error"]["message"]
        assert calls(upstream, tight, CREDIT) == 1
        assert error_of(submit(client, tight, model=SEEDANCE, duration=15))[:2] == (429, "insufficient_quota")
        assert calls(upstream, tight) == 1
        assert submit(client, tight, duration=5).status_code == 200
        assert submit(client, tight, model=SEEDANCE, duration=5).status_code == 200
        assert calls(upstream, tight, CREDIT) == 1

    def test_other_account_takes_what_is_above_the_balance(
        self, client: httpx.Client, upstream: SandboxServer, session: str
    ) -> None:
        tight = f"tight-{session}"
        assert submit(client, tight, session, model=SEEDANCE, duration=15).status_code == 200
        assert (calls(upstream, tight), calls(upstream, session)) == (1, 1)

    def test_invalid_parameter_under_the_number_of_credits_pauses_nothing(
        self, client: httpx.Client, session: str
    ) -> None:
        assert submit(client, session, prompt="a cat #refuse-benefit").status_code == 400
        assert submit(client, session).status_code == 200

    def test_daily_limit_stays_whatever_the_balance_is(
        self, client: httpx.Client, upstream: SandboxServer, session: str
    ) -> None:
        limited = f"limited-{session}"
        assert error_of(submit(client, limited))[:2] == (429, "insufficient_quota")
        assert client.post("/token/points", headers=bearer(limited)).status_code == 200
        assert error_of(submit(client, limited, duration=10))[:2] == (429, "insufficient_quota")
        assert calls(upstream, limited) == 1

    @pytest.mark.parametrize("path", ["/token/points", "/token/check", "/token/receive"])
    def test_balance_seen_lifts_the_pause(self, session: str, path: str) -> None:
        character = SandboxSettings(task_seconds=0.3, visible_after=0, credits=10, cost=10)
        with SandboxServer(character) as poor, _running(poor) as client:
            id = submit(client, session, prompt="a cat #fail").json()["task_id"]
            assert error_of(submit(client, session))[:2] == (429, "insufficient_quota")
            # A failed task gives its credits back.
            follow(client, id, session)
            assert error_of(submit(client, session))[:2] == (429, "insufficient_quota")
            assert client.post(path, json={"token": session}, headers=bearer(session)).status_code == 200
            assert submit(client, session).status_code == 200


@contextmanager
def _running(upstream: SandboxServer) -> Iterator[httpx.Client]:
    """A client of a gateway of its own before an upstream."""
    server = BackgroundServer(create_app(settings_for(upstream), clock=FastClock()))
    with server as gateway, httpx.Client(base_url=gateway.url, timeout=10) as client:
        yield client


def _state(client: httpx.Client, admin: dict[str, str]) -> str:
    (row,) = client.get("/v1/accounts", headers=admin).json()["data"]
    return str(row["state"])


class TestLoginsAbroad:
    """The passport abroad answers 404 with a page; the credits tell."""

    @pytest.mark.parametrize(
        ("credential", "live"),
        [("sg-{}", True), ("us-{}", True), ("sg-expired-{}", False), ("us-relogin-{}", False), ("{}", True)],
    )
    def test_token_check(self, client: httpx.Client, session: str, credential: str, live: bool) -> None:
        answer = client.post("/token/check", json={"token": credential.format(session)})
        assert (answer.status_code, answer.json()["live"]) == (200, live)

    def test_account_check_ends_an_expired_state(self, upstream: SandboxServer, session: str) -> None:
        admin = {"Authorization": "Bearer the-admin-key"}
        settings = settings_for(
            upstream,
            accounts=(AccountSettings(name="abroad", credential=f"sg-{session}"),),
            keys=(SecretStr("gw-client"),),
            secret=(SecretStr("a secret for tests"),),
            admin_key=SecretStr("the-admin-key"),
        )
        server = BackgroundServer(create_app(settings, clock=FastClock()))
        with server as gateway, httpx.Client(base_url=gateway.url, timeout=10) as client:
            assert submit(client, "gw-client", prompt="a cat #refuse=34010105").status_code == 429
            assert _state(client, admin) == "expired"
            assert client.post("/v1/accounts/abroad/check", headers=admin).status_code == 200
            assert _state(client, admin) == "ready"
            assert submit(client, "gw-client").status_code == 200


class TestCredentials:
    @pytest.mark.parametrize("prefix", ["it-", "vn-", "de-"])
    def test_unknown_site_prefix_is_refused_with_the_known_ones(
        self, client: httpx.Client, session: str, prefix: str
    ) -> None:
        answer = submit(client, f"{prefix}{session}")
        assert error_of(answer)[:2] == (401, "invalid_api_key")
        assert all(known in answer.json()["error"]["message"] for known in ("us-", "hk-", "jp-", "sg-"))

    @pytest.mark.parametrize("form", ["sessionid={}", "sessionid={}; sid_tt=other; _tea_web_id=7123456789012345678"])
    def test_cookie_in_place_of_the_session(
        self, client: httpx.Client, upstream: SandboxServer, session: str, form: str
    ) -> None:
        id = submit(client, form.format(session)).json()["task_id"]
        assert calls(upstream, session) == 1
        assert client.get(f"/v1/videos/tasks/{id}", headers=bearer(session)).status_code == 200

    def test_raw_key_passes_on_a_site_whose_table_lacks_it(
        self, client: httpx.Client, upstream: SandboxServer, session: str
    ) -> None:
        answer = submit(client, f"jp-{session}", model="dreamina_seedance_40_pro_vision")
        assert error_of(answer)[2] == "2061"
        assert calls(upstream, session) >= 1

    def test_refused_upload_keys_are_tried_once(
        self, client: httpx.Client, upstream: SandboxServer, session: str
    ) -> None:
        bad = f"badkeys-{session}"
        answer = submit(client, bad, image_url=data_url())
        assert error_of(answer) == (502, "upstream_error", "CheckAuthenticationError")
        assert answer.headers["x-should-retry"] == "false"
        assert (calls(upstream, bad, TOKEN), calls(upstream, bad)) == (1, 0)


def test_short_id_is_given_signed_so_that_every_replica_knows_its_time(upstream: SandboxServer, session: str) -> None:
    with _running(upstream) as one, _running(upstream) as other:
        id = submit(one, session, prompt="a cat #short-id #lag #stuck").json()["task_id"]
        assert id.startswith("video_")
        for replica in (one, other):
            answer = replica.get(f"/v1/videos/tasks/{id}", headers=bearer(session))
            assert (answer.status_code, answer.json()["status"]) == (200, "pending")
        assert submit(one, session).json()["task_id"].isdigit()
