"""Account rotation over real HTTP, checked against the ledger of the sandbox."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.clock import Clock
from gateway.core.settings import AccountSettings, RotationSettings
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from tests.e2e.conftest import FastClock, bearer, settings_for
from tests.process import Process, running
from tests.proxies import RunningProxy

SUBMIT, GENERATE = "/v1/videos/generations", "/mweb/v1/aigc_draft/generate"
MODEL = "jimeng-video-3.0-fast"
COST = 10
KEY, ADMIN = {"Authorization": "Bearer gw-client"}, {"Authorization": "Bearer the-admin-key"}
FULL_AT = 45

Submit = Callable[[httpx.Client, str], httpx.Response]


def submit(client: httpx.Client, prompt: str, headers: dict[str, str] = KEY) -> httpx.Response:
    return client.post(SUBMIT, json={"model": MODEL, "prompt": prompt}, headers=headers)


@pytest.fixture
def upstream() -> Iterator[SandboxServer]:
    character = SandboxSettings(task_seconds=0.2, visible_after=0.0, max_running=FULL_AT, credits=10_000, cost=COST)
    with SandboxServer(character) as server:
        yield server


def account(name: str, credential: str, **more: Any) -> AccountSettings:
    return AccountSettings(name=name, credential=credential, **more)


class LaterClock(FastClock):
    """The real time and what it was put forward by."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


def gateway(
    upstream: SandboxServer, *accounts: AccountSettings, clock: Clock | None = None, **more: Any
) -> BackgroundServer:
    settings = settings_for(
        upstream,
        accounts=accounts,
        keys=(SecretStr("client:gw-client"),),
        secret=(SecretStr("a secret for tests"),),
        admin_key=SecretStr("the-admin-key"),
        **more,
    )
    return BackgroundServer(create_app(settings, clock=clock or FastClock()))


BAD = {
    "no-1": ("x-poor-1", "no_credits"),
    "no-2": ("x-expired-1", "expired"),
    "no-3": ("x-busy-1", "full"),
    "no-4": ("x-shark-1", "restricted"),
}
ACCOUNTS = [
    *(account(name, credential) for name, (credential, _) in BAD.items()),
    account("healthy", "x-healthy-1"),
]


class TestOneOfFive:
    """Five accounts: without credits, expired, at its concurrency limit, restricted, and healthy."""

    @pytest.fixture(params=["one after the other", "all at once"])
    def at_once(self, request: pytest.FixtureRequest) -> int:
        return 1 if request.param == "one after the other" else 20

    @pytest.fixture
    def client(self, upstream: SandboxServer) -> Iterator[httpx.Client]:
        with ExitStack() as stack:
            # What fills it was submitted by somebody else.
            other = stack.enter_context(gateway(upstream, account("somebody", "x-busy-1")))
            with httpx.Client(base_url=other.url, timeout=20) as filling:
                for number in range(FULL_AT):
                    assert submit(filling, f"{number} #stuck").status_code == 200
            upstream.sandbox.reset()
            server = stack.enter_context(gateway(upstream, *ACCOUNTS))
            yield stack.enter_context(httpx.Client(base_url=server.url, timeout=20))

    def test_every_submit_goes_to_the_healthy_account(
        self, client: httpx.Client, upstream: SandboxServer, at_once: int
    ) -> None:
        with ThreadPoolExecutor(at_once) as threads:
            answers = list(threads.map(lambda number: submit(client, f"{number} #stuck"), range(40)))
        assert Counter(answer.status_code for answer in answers) == {200: 40}
        ledger = upstream.sandbox
        assert ledger.submits("jimeng", "x-healthy-1") == 40
        for credential, _ in BAD.values():
            assert ledger.calls("jimeng", GENERATE, credential) == 1, credential
        assert len({answer.json()["task_id"] for answer in answers}) == 40
        assert ledger.submits() == 40
        assert ledger.charges() == 40 * COST

        shown = client.get("/v1/accounts", headers=ADMIN).json()["data"]
        states = {row["name"]: row["state"] for row in shown}
        assert states == {name: state for name, (_, state) in BAD.items()} | {"healthy": "ready"}
        rows = {row["name"]: row for row in shown}
        assert (rows["healthy"]["submitted"], rows["healthy"]["running"], rows["healthy"]["failed"]) == (40, 40, 0)
        assert rows["no-1"]["credits"]["total"] == 0
        for name in BAD:
            assert (rows[name]["submitted"], rows[name]["failed"]) == (0, 1)
            assert rows[name]["reason"]
            assert rows[name]["last_error"]["code"]
            assert rows[name]["rests_until"] > time.time()

    def test_error_for_no_available_account_gives_counts_and_reasons_but_no_names(
        self, client: httpx.Client, upstream: SandboxServer
    ) -> None:
        for number in range(FULL_AT):
            assert submit(client, f"{number} #stuck").status_code == 200
        answer = submit(client, "one too many", KEY | {"Accept-Language": "en"})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (429, "rate_limit_exceeded")
        assert answer.headers["x-should-retry"] == "true"
        assert 1 <= int(answer.headers["retry-after"]) <= 36
        assert error["message"].startswith(
            "None of the 5 accounts can be used right now: 2 at the limit of running tasks, "
        )
        for part in ("1 without credits", "1 with an expired login", "1 under risk control"):
            assert part in error["message"]
        assert not any(name in error["message"] for name in BAD)
        assert upstream.sandbox.calls("jimeng", GENERATE) == FULL_AT + 5

    def test_pass_through_callers_use_the_same_pool(self, upstream: SandboxServer) -> None:
        credentials = ("y-poor-1", "y-expired-1", "y-shark-1", "y-healthy-1")
        with (
            BackgroundServer(create_app(settings_for(upstream), clock=FastClock())) as server,
            httpx.Client(base_url=server.url, timeout=20) as client,
        ):
            for number in range(10):
                assert submit(client, f"{number}", bearer(*credentials)).status_code == 200
        assert upstream.sandbox.submits("jimeng", "y-healthy-1") == 10
        assert [upstream.sandbox.calls("jimeng", GENERATE, one) for one in credentials[:3]] == [1, 1, 1]

    def test_metrics_count_the_accounts(self, client: httpx.Client) -> None:
        submit(client, "x #stuck")
        text = client.get("/metrics", headers=ADMIN).text
        assert 'gateway_accounts{provider="jimeng",state="restricted"} 1.0' in text
        assert 'gateway_accounts{provider="jimeng",state="ready"} 1.0' in text
        assert 'gateway_submits_total{account="healthy",outcome="accepted"}' in text
        assert 'gateway_pauses_total{provider="jimeng",reason="no_credits"}' in text
        assert "x-healthy" not in text


def test_submit_tries_no_more_accounts_than_max_attempts(upstream: SandboxServer) -> None:
    poor = [account(f"p{number}", f"z-poor-{number}") for number in range(8)]
    with (
        gateway(upstream, *poor, rotation=RotationSettings(max_attempts=3)) as server,
        httpx.Client(base_url=server.url, timeout=20) as client,
    ):
        answer = submit(client, "x", KEY | {"Accept-Language": "en"})
        assert (answer.status_code, answer.headers["x-should-retry"]) == (429, "true")
        assert "5 ready and not tried this time, 3 without credits" in answer.json()["error"]["message"]
        assert upstream.sandbox.calls("jimeng", GENERATE) == 3
        assert submit(client, "x").status_code == 429
        answer = submit(client, "x", KEY | {"Accept-Language": "en"})
        assert answer.json()["error"]["code"] == "insufficient_quota"
        assert upstream.sandbox.calls("jimeng", GENERATE) == 8


def test_slot_freed_on_another_replica_is_detected(upstream: SandboxServer) -> None:
    """Running tasks are queried before an account counts as full."""
    clock = LaterClock()
    with (
        gateway(upstream, account("only", "w-one", max_running=1), clock=clock) as server,
        httpx.Client(base_url=server.url, timeout=20) as client,
    ):
        assert submit(client, "x").status_code == 200
        assert submit(client, "x").status_code == 429
        time.sleep(0.25)
        clock.ahead = 10.0
        assert submit(client, "x").status_code == 200
        assert upstream.sandbox.submits("jimeng", "w-one") == 2


# --- ownership --------------------------------------------------------------------------------------------------


def test_poll_reaches_only_the_account_that_owns_the_task(upstream: SandboxServer, tmp_path: Path) -> None:
    """96 tasks over 8 accounts, polled through two gateway processes, one of which starts anew in the middle."""
    credentials = [f"owner-{number}" for number in range(8)]
    environment = {
        "JIMENG_BASE_URL": upstream.jimeng_url,
        "JIMENG_TOKENS": ",".join(credentials),
        "GATEWAY_KEYS": "client:gw-client",
        "GATEWAY_SECRET": "the same on both of them",
        "POLL_FRESHNESS": "0",
        "JIMENG_QPS": "0",
    }

    def serve(stack: ExitStack) -> tuple[Process, httpx.Client]:
        process = stack.enter_context(running(tmp_path, "serve", "--port", "0", **environment))
        url = process.find(r"listening on (http://\S+),")
        return process, stack.enter_context(httpx.Client(base_url=url, headers=KEY, timeout=30))

    with ExitStack() as stack, ThreadPoolExecutor(8) as threads:
        _, one = serve(stack)
        two_process, two = serve(stack)

        def start(number: int) -> str:
            answer = submit((one, two)[number % 2], f"{number}")
            assert answer.status_code == 200, answer.text
            return str(answer.json()["task_id"])

        ids = list(threads.map(start, range(96)))
        owners = Counter({one: upstream.sandbox.submits("jimeng", one) for one in credentials})
        assert sum(owners.values()) == 96
        assert max(owners.values()) - min(owners.values()) <= 5

        def poll(client: httpx.Client, id: str) -> str:
            answer = client.get(f"/v1/videos/tasks/{id}")
            assert answer.status_code == 200, answer.text
            return str(answer.json()["status"])

        # Each asks for what the other one submitted.
        assert set(threads.map(poll, [two, one] * 48, ids)) <= {"pending", "processing", "completed"}
        two_process.end()
        _, two = serve(stack)
        assert set(threads.map(poll, [two, one] * 48, ids)) == {"completed"}
        assert set(threads.map(poll, [one, two] * 48, ids)) == {"completed"}
        many = one.get("/v1/videos/tasks", params={"ids": ",".join(ids)}).json()["data"]
        assert {task["status"] for task in many} == {"completed"}
    ledger = upstream.sandbox
    assert ledger.polls() >= 384
    assert ledger.foreign_polls() == 0


def test_native_ids_with_several_credentials_still_work(upstream: SandboxServer) -> None:
    credentials = ("n-one", "n-two", "n-three")
    settings = settings_for(upstream)
    with BackgroundServer(create_app(settings)) as other, httpx.Client(base_url=other.url) as client:
        id = submit(client, "x", bearer("n-two")).json()["task_id"]
    with (
        BackgroundServer(create_app(settings, clock=FastClock())) as server,
        httpx.Client(base_url=server.url, timeout=20) as client,
    ):
        time.sleep(0.25)
        for _ in range(5):
            answer = client.get(f"/v1/videos/tasks/{id}", headers=bearer(*credentials))
            assert answer.json()["status"] == "completed"
    ledger = upstream.sandbox
    assert (ledger.polls(id, "n-one"), ledger.polls(id, "n-three")) == (1, 1)
    assert ledger.polls(id, "n-two") == 6


# --- looking after accounts -------------------------------------------------------------------------------------


class TestAccountTools:
    @pytest.fixture
    def client(self, upstream: SandboxServer) -> Iterator[httpx.Client]:
        accounts = [account("rich", "t-rich"), account("poor", "t-poor-1"), account("gone", "t-expired-1")]
        accounts.append(account("wan", "sk-t-wan"))
        with (
            gateway(upstream, *accounts, pass_through=True) as server,
            httpx.Client(base_url=server.url, timeout=20, headers={"Accept-Language": "en"}) as client,
        ):
            yield client

    def test_check_reports_whether_the_credential_is_valid(self, client: httpx.Client) -> None:
        for token, live in (("t-one", True), ("t-expired-2", False), ("sk-t-one", True), ("sk-expired-2", False)):
            assert client.post("/token/check", json={"token": token}).json() == {"live": live}
            assert client.post("/token/check", headers=bearer(token)).json() == {"live": live}
        rows = client.post("/token/check", headers=bearer("t-one", "t-expired-2")).json()
        assert [row["live"] for row in rows] == [True, False]

    def test_points_have_the_fields_of_existing_clients(self, client: httpx.Client, upstream: SandboxServer) -> None:
        rows = client.post("/token/points", headers=bearer("t-one", "t-poor-2", "t-expired-2", "sk-t-one")).json()
        points = {"giftCredit": 10_000, "purchaseCredit": 0, "vipCredit": 0, "totalCredit": 10_000}
        assert rows[0]["points"] == points
        assert rows[1]["points"]["totalCredit"] == 0
        assert rows[2]["error_code"] == "invalid_api_key"
        assert "does not report credits" in rows[3]["error"]
        assert [row["token"] for row in rows[:1]] != ["t-one"]
        calls = upstream.sandbox.calls("jimeng", "/commerce/v1/benefits/user_credit")
        client.post("/token/points", headers=bearer("t-one"))
        assert upstream.sandbox.calls("jimeng", "/commerce/v1/benefits/user_credit") == calls
        client.post("/token/points", headers=bearer("t-one") | {"Cache-Control": "no-cache"})
        assert upstream.sandbox.calls("jimeng", "/commerce/v1/benefits/user_credit") == calls + 1

    def test_daily_credits_make_an_account_available_again(self, client: httpx.Client) -> None:
        poor = bearer("t-poor-3")
        # The word refuses every submit, so only what the pool thinks can be seen.
        assert submit(client, "x", poor).json()["error"]["code"] == "insufficient_quota"
        first, second = (client.post("/token/receive", headers=poor).json()[0] for _ in range(2))
        assert (first["success"], first["received"], first["totalCredit"]) == (True, 10_000, 10_000)
        assert (second["success"], second["received"]) == (True, 0)

    def test_admin_key_selects_all_accounts_and_names_them(self, client: httpx.Client) -> None:
        rows = client.post("/token/points", headers=ADMIN).json()
        assert [row["token"] for row in rows] == ["rich", "poor", "gone", "wan"]

    def test_gateway_keys_cannot_use_the_account_tools(self, client: httpx.Client) -> None:
        for path in ("/token/check", "/token/points", "/token/receive"):
            answer = client.post(path, headers=KEY)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
        assert client.post("/token/check", json={"token": "gw-client"}).status_code == 401
        assert client.post("/token/points").status_code == 401

    def test_account_is_addressed_by_its_name(self, client: httpx.Client) -> None:
        def post(name: str, action: str) -> dict[str, Any]:
            answer = client.post(f"/v1/accounts/{name}/{action}", headers=ADMIN)
            assert answer.status_code == 200, answer.text
            body = answer.json()
            assert isinstance(body, dict)
            return body

        assert post("rich", "check")["live"] is True
        gone = post("gone", "check")
        assert (gone["live"], gone["account"]["state"]) == (False, "expired")
        assert post("gone", "resume")["account"]["state"] == "ready"
        assert post("rich", "pause")["account"]["state"] == "paused"
        received = post("poor", "receive")
        assert (received["received"], received["account"]["credits"]["total"]) == (10_000, 10_000)
        tag = received["account"]["tag"]
        assert post(tag, "check")["account"]["name"] == "poor"
        answer = client.post("/v1/accounts/nobody/check", headers=ADMIN)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
        answer = client.post("/v1/accounts/wan/receive", headers=ADMIN)
        assert (answer.status_code, answer.json()["error"]["code"]) == (501, "not_supported")
        assert "no credits to claim" in answer.json()["error"]["message"]

    def test_paused_account_still_answers_for_its_tasks(self, client: httpx.Client, upstream: SandboxServer) -> None:
        for name in ("poor", "gone"):
            client.post(f"/v1/accounts/{name}/pause", headers=ADMIN)
        id = submit(client, "x").json()["task_id"]
        client.post("/v1/accounts/rich/pause", headers=ADMIN)
        assert submit(client, "x").status_code == 429
        assert client.get(f"/v1/videos/tasks/{id}", headers=KEY).status_code == 200
        assert upstream.sandbox.submits() == 1

    @pytest.mark.parametrize("headers", [{}, KEY, {"Authorization": "Bearer the-admin-kex"}, bearer("t-one")])
    def test_only_the_operator_sees_the_accounts(self, client: httpx.Client, headers: dict[str, str]) -> None:
        for answer in (
            client.get("/v1/accounts", headers=headers),
            client.post("/v1/accounts/rich/pause", headers=headers),
            client.get("/metrics", headers=headers),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")

    def test_responses_contain_no_secret(self, client: httpx.Client) -> None:
        text = "".join(
            client.request(method, path, headers=headers).text
            for method, path in (("GET", "/v1/accounts"), ("POST", "/token/points"), ("POST", "/token/receive"))
            for headers in (ADMIN, bearer("t-one", "t-expired-2", "sk-t-one"))
        )
        for secret in ("t-rich", "t-poor-1", "t-one", "t-expired", "sk-t-wan", "sk-t-one", "the-admin-key"):
            assert secret not in text


def test_rejected_credential_is_checked_again_without_a_charged_call(upstream: SandboxServer) -> None:
    clock = LaterClock()
    settings = settings_for(upstream)
    with (
        BackgroundServer(create_app(settings, clock=clock)) as server,
        httpx.Client(base_url=server.url, timeout=20) as client,
    ):
        expired = bearer("v-expired-1")
        for _ in range(3):
            assert submit(client, "x", expired).status_code == 401
        assert upstream.sandbox.calls("jimeng", GENERATE) == 1
        clock.ahead = 800.0
        for _ in range(3):
            assert submit(client, "x", expired).status_code == 401
    assert upstream.sandbox.calls("jimeng", GENERATE) == 1
    assert upstream.sandbox.calls("jimeng", "/passport/account/info/v2") == 1


# --- proxies ----------------------------------------------------------------------------------------------------


def test_calls_of_an_account_use_its_own_proxy(upstream: SandboxServer) -> None:
    port = upstream.url.rpartition(":")[2]
    with (
        RunningProxy("socks5", username="u", password="pw-socks") as socks,
        RunningProxy("http", username="u", password="pw-http") as web,
        gateway(
            upstream,
            account("by-socks", "r-one", proxy=socks.url),
            account("by-http", f"{web.url}@r-two"),
        ) as server,
        httpx.Client(base_url=server.url, headers=KEY, timeout=20) as client,
    ):
        ids = [submit(client, "x").json()["task_id"] for _ in range(2)]
        # The list of the account's models, and the submit, which takes a connection of its own.
        assert (len(socks.connections), len(web.connections)) == (2, 2)
        time.sleep(0.25)
        for id in ids:
            assert client.get(f"/v1/videos/tasks/{id}").json()["status"] == "completed"
            assert len(client.get(f"/v1/videos/{id}/content").content) > 10_000
        for name in ("by-socks", "by-http"):
            assert client.post(f"/v1/accounts/{name}/check", headers=ADMIN).json()["live"] is True
        assert {target.rpartition(":")[2] for target in socks.connections + web.connections} == {port}
        # A submit and a download take connections of their own, all other calls share one.
        assert len(socks.connections) == len(web.connections) == 3
        shown = client.get("/v1/accounts", headers=ADMIN).text
        assert "pw-" not in shown
    ledger = upstream.sandbox
    assert ledger.submits("jimeng", "r-one") == ledger.submits("jimeng", "r-two") == 1
    assert ledger.foreign_polls() == 0


def test_dead_proxy_does_not_count_against_the_account(upstream: SandboxServer) -> None:
    with RunningProxy("http") as dead:
        nowhere = dead.url
    with (
        gateway(upstream, account("cut-off", "q-one", proxy=nowhere), account("fine", "q-two")) as server,
        httpx.Client(base_url=server.url, headers=KEY | {"Accept-Language": "en"}, timeout=20) as client,
    ):
        for number in range(6):
            assert submit(client, f"{number}").status_code == 200
        assert upstream.sandbox.submits("jimeng", "q-two") == 6
        rows = {row["name"]: row for row in client.get("/v1/accounts", headers=ADMIN).json()["data"]}
        assert (rows["cut-off"]["state"], rows["cut-off"]["failed"]) == ("unreachable", 0)
        assert "check the proxy" in rows["cut-off"]["reason"]
        client.post("/v1/accounts/fine/pause", headers=ADMIN)
        answer = submit(client, "x")
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert "1 behind an unreachable proxy" in answer.json()["error"]["message"]


# --- a new configuration ----------------------------------------------------------------------------------------

CONFIGURATION = """
keys = ["client:gw-client"]
secret = ["the same for ever and ever"]
{accounts}
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_reload_adds_accounts_without_dropping_a_request(upstream: SandboxServer, tmp_path: Path, workers: int) -> None:
    def write(*names: str) -> None:
        rows = "".join(f'[[accounts]]\nname = "{name}"\ncredential = "k-{name}"\n' for name in names)
        (tmp_path / "new.toml").write_text(CONFIGURATION.format(accounts=rows), "utf-8")
        (tmp_path / "new.toml").replace(tmp_path / "gateway.toml")

    write("one")
    with running(
        tmp_path, "serve", "--port", "0", "--workers", str(workers), JIMENG_BASE_URL=upstream.jimeng_url
    ) as process:
        url = process.find(r"listening on (http://\S+),")
        with httpx.Client(base_url=url, headers=KEY, timeout=20) as client, ThreadPoolExecutor(4) as threads:
            ids = [submit(client, "x").json()["task_id"]]
            polls = [threads.submit(lambda: [client.get(f"/v1/videos/tasks/{ids[0]}").status_code for _ in range(60)])]
            (tmp_path / "gateway.toml").write_text("keys = 7", "utf-8")
            os.kill(process.process.pid, signal.SIGHUP)
            process.find(r"(new configuration rejected, keeping the current one: gateway.toml line 1: keys)")
            assert submit(client, "x").status_code == 200
            write("two", "one")
            os.kill(process.process.pid, signal.SIGHUP)
            deadline = time.monotonic() + 10
            while not upstream.sandbox.submits("jimeng", "k-two") and time.monotonic() < deadline:
                # A connection of its own may lead to the other worker.
                answer = httpx.post(f"{url}{SUBMIT}", json={"model": MODEL, "prompt": "x"}, headers=KEY, timeout=20)
                assert answer.status_code == 200
                # Not more at once than the one account may have.
                time.sleep(0.02)
            assert upstream.sandbox.submits("jimeng", "k-two"), process.output
            assert set(polls[0].result()) == {200}
        assert process.end() == 0
        assert "k-one" not in process.output
