"""The operator's commands against a real gateway with managed accounts and the sandbox."""

import itertools
import json
import socket
import sys
import time
from collections.abc import Iterator

import httpx
import pytest
from pydantic import SecretStr

from gateway.api.schemas.responses import (
    AccountAction,
    AccountChecked,
    AccountCredits,
    AccountList,
    AccountReceived,
    ErrorDetail,
)
from gateway.app import create_app
from gateway.cli import main
from gateway.cli.client.accounts import format_time
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import AccountSettings, Settings
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from tests.gateway.cli.client.test_completions import completed

Out = pytest.CaptureFixture[str]

NAMES = ["good", "poor", "expired", "限", "wan"]
CREDENTIALS = ["us-session-{}", "x-poor-{}", "x-expired-{}", "x-shark-{}", "sk-wan-{}"]

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def upstream() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxSettings(task_seconds=60, visible_after=0.0, credits=66)) as running:
        yield running


def settings_for(upstream: SandboxServer, *accounts: AccountSettings, admin_key: str | None = None) -> Settings:
    return Settings.model_construct(
        providers=upstream.settings(),
        keys=(SecretStr("gw-client"),),
        secret=(SecretStr("a long secret of the gateway"),),
        accounts=accounts,
        admin_key=SecretStr(admin_key) if admin_key else None,
    )


@pytest.fixture
def url(upstream: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A gateway in front of accounts that no other test uses."""
    number = next(_numbers)
    accounts = [
        AccountSettings(
            name=name, credential=SecretStr(credential.format(number)), max_running=2 if name == "good" else None
        )
        for name, credential in zip(NAMES, CREDENTIALS, strict=True)
    ]
    with BackgroundServer(create_app(settings_for(upstream, *accounts))) as server:
        monkeypatch.setenv("GATEWAY_URL", server.url)
        monkeypatch.setenv("LC_ALL", "C.UTF-8")
        yield server.url


def rows(capsys: Out) -> list[dict[str, str]]:
    """The lines of a table by the names of its columns."""
    header, *lines = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    return [dict(zip(header, line, strict=True)) for line in lines]


def submit(url: str, model: str) -> int:
    headers = {"authorization": "Bearer gw-client"}
    body = {"model": model, "prompt": "a cat"}
    return httpx.post(f"{url}/v1/videos/generations", json=body, headers=headers, trust_env=False).status_code


@pytest.mark.parametrize("argv", [["accounts"], ["accounts", "list"]], ids=" ".join)
def test_accounts_are_listed_without_a_key_on_the_gateways_own_machine(argv: list[str], url: str, capsys: Out) -> None:
    assert main(argv) == 0
    listed = rows(capsys)
    assert [row["name"] for row in listed] == NAMES
    assert listed[0] == {
        "name": "good",
        "provider": "jimeng",
        "region": "us",
        "state": "ready",
        "paused until": "",
        "running": "0/2",
        "submitted": "0",
        "calls": "0",
        "failed": "0",
        "credits": "",
        "last error": "",
    }
    assert (listed[-1]["provider"], listed[-1]["running"]) == ("dashscope", "0")


def test_list_shows_the_outcome_of_submits(url: str, capsys: Out) -> None:
    assert submit(url, "jimeng-video-3.0-fast") == 200
    assert main(["accounts"]) == 0
    by_name = {row["name"]: row for row in rows(capsys)}
    assert (by_name["good"]["running"], by_name["good"]["submitted"]) == ("1/2", "1")

    assert main(["accounts", "pause", "good"]) == 0
    assert capsys.readouterr().out == "good\tpaused\n"
    assert submit(url, "jimeng-video-3.0-fast") == 429
    assert main(["accounts"]) == 0
    by_name = {row["name"]: row for row in rows(capsys)}
    assert by_name["good"]["state"] == "paused"
    assert (by_name["poor"]["state"], by_name["poor"]["failed"]) == ("no_credits", "1")
    assert by_name["poor"]["paused until"]
    assert "Not enough credits" in by_name["poor"]["last error"]
    assert (by_name["expired"]["state"], by_name["限"]["state"]) == ("expired", "restricted")

    assert main(["accounts", "resume", "poor"]) == 0
    assert capsys.readouterr().out == "poor\tready\n"


def test_check_lists_valid_credentials_and_fails_for_the_others(url: str, capsys: Out) -> None:
    assert main(["accounts", "check"]) == 1
    out, err = capsys.readouterr()
    header, *lines = (line.split("\t") for line in out.splitlines())
    assert header == ["name", "provider", "login", "state", "message"]
    states = {name: (provider, login, state) for name, provider, login, state, _ in lines}
    assert states["good"] == ("jimeng", "alive", "ready")
    assert states["expired"] == ("jimeng", "refused", "expired")
    assert states["wan"] == ("dashscope", "alive", "ready")
    messages = {line[0]: line[-1] for line in lines}
    assert "login has expired" in messages["expired"]
    assert messages["good"] == ""
    assert err == ""


@pytest.mark.parametrize(
    ("word", "message"), [("points", "does not report credits"), ("receive", "has no credits to claim")]
)
def test_command_that_the_upstream_does_not_support_is_no_failure(
    word: str, message: str, upstream: SandboxServer, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    accounts = [AccountSettings(name=name, credential=SecretStr(name)) for name in ("session-x", "sk-x")]
    with BackgroundServer(create_app(settings_for(upstream, *accounts))) as server:
        monkeypatch.setenv("GATEWAY_URL", server.url)
        assert main(["accounts", word]) == 0
        for_all = rows(capsys)[-1]["message"]
        assert main(["accounts", word, "sk-x"]) == 0
        assert for_all.endswith(message)
        assert message in rows(capsys)[-1]["message"]


def test_points_and_daily_credits_are_shown(url: str, capsys: Out) -> None:
    assert main(["accounts", "points", "good", "poor"]) == 0
    before = {row["name"]: row for row in rows(capsys)}
    assert list(before["good"]) == ["name", "provider", "total", "gift", "purchase", "vip", "message"]
    assert (before["poor"]["total"], before["poor"]["purchase"]) == ("0", "0")

    assert main(["accounts", "receive", "poor"]) == 0
    assert rows(capsys) == [
        {"name": "poor", "provider": "jimeng", "received": "66", "credits": "66", "message": ""},
    ]
    assert main(["accounts", "receive", "poor"]) == 0
    assert rows(capsys)[0]["received"] == "0"
    assert main(["accounts"]) == 0
    assert {row["name"]: row["credits"] for row in rows(capsys)}["poor"] == "66"


def test_error_of_one_account_does_not_stop_the_others(url: str, capsys: Out) -> None:
    assert main(["accounts", "points"]) == 1
    by_name = {row["name"]: row for row in rows(capsys)}
    assert int(by_name["good"]["total"]) > 0
    assert by_name["expired"]["total"] == ""
    assert by_name["expired"]["message"].startswith("The login has expired")
    assert "does not report credits" in by_name["wan"]["message"]


def test_account_is_found_by_its_tag_and_by_any_name(url: str, capsys: Out) -> None:
    assert main(["accounts", "--json"]) == 0
    listed = AccountList.model_validate_json(capsys.readouterr().out)
    assert main(["accounts", "pause", listed.data[0].tag]) == 0
    assert main(["accounts", "pause", "限"]) == 0
    assert capsys.readouterr().out == "good\tpaused\n限\tpaused\n"


@pytest.mark.parametrize("name", ["nobody", "no body?#", ".."])
def test_unknown_account_name_is_an_error(name: str, url: str, capsys: Out) -> None:
    assert main(["accounts", "pause", name]) == 1
    assert capsys.readouterr().err.startswith(
        f"error: Account {name} does not exist: see GET /v1/accounts (request req_"
    )
    assert main(["accounts", "check", "good", name]) == 1
    good, unknown = rows(capsys)
    assert good["login"] == "alive"
    assert (unknown["name"], unknown["provider"], unknown["login"]) == (name, "", "unknown")
    assert unknown["message"].startswith(f"Account {name} does not exist")


def test_json_output_is_the_response_of_the_gateway(url: str, capsys: Out) -> None:
    for word, model in (("check", AccountChecked), ("points", AccountCredits), ("receive", AccountReceived)):
        assert main(["accounts", word, "good", "nobody", "--json"]) == 1
        done, failed = map(json.loads, capsys.readouterr().out.splitlines())
        assert (done.pop("name"), failed.pop("name")) == ("good", "nobody")
        model.model_validate(done)
        assert ErrorDetail.model_validate(failed["error"]).code == "not_found"
    assert main(["accounts", "resume", "good", "--json"]) == 0
    assert AccountAction.model_validate_json(capsys.readouterr().out).account.name == "good"
    assert submit(url, "jimeng-video-3.0-fast") == 200
    assert main(["accounts", "--json"]) == 0
    AccountList.model_validate_json(capsys.readouterr().out)


def test_terminal_shows_a_table_and_a_progress_bar(url: str, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "xterm")
    assert main(["accounts", "points", "good", "poor"]) == 0
    out, err = capsys.readouterr()
    assert "\ngood " in out
    assert "points" in err


class TestWithAnAdminKey:
    @pytest.fixture(autouse=True)
    def _url(self, upstream: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        account = AccountSettings(name="good", credential=SecretStr("session-admin"))
        with BackgroundServer(create_app(settings_for(upstream, account, admin_key="gw-admin"))) as server:
            monkeypatch.setenv("GATEWAY_URL", server.url)
            monkeypatch.setenv("LC_ALL", "C.UTF-8")
            yield

    @pytest.mark.parametrize(
        "argv",
        [["list"], ["check"], ["points", "good"], ["receive"], ["pause", "good"], ["resume", "good"]],
        ids=" ".join,
    )
    def test_missing_or_wrong_admin_key_is_refused_with_what_to_do(
        self, argv: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Out
    ) -> None:
        for key in ("", "gw-client", "gw-wrong"):
            monkeypatch.setenv("GATEWAY_ADMIN_KEY", key)
            assert main(["accounts", *argv]) == 1
            out, err = capsys.readouterr()
            assert out == ""
            assert err.startswith("error: Administrators only: use GATEWAY_ADMIN_KEY")
            hint = "check the key in" if key else "give the key with"
            assert err.splitlines()[1:] == [f"hint: {hint} --key or GATEWAY_ADMIN_KEY"]
        assert main(["accounts", *argv, "--key", "gw-admin"]) == 0

    def test_admin_key_is_read_from_the_environment(self, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
        monkeypatch.setenv("GATEWAY_ADMIN_KEY", "gw-admin")
        assert main(["accounts"]) == 0
        assert [row["name"] for row in rows(capsys)] == ["good"]


def test_gateway_without_accounts_says_so(upstream: SandboxServer, capsys: Out) -> None:
    with BackgroundServer(create_app(settings_for(upstream))) as server:
        for word in ("list", "check"):
            assert main(["accounts", word, "--url", server.url]) == 0
            out, err = capsys.readouterr()
            assert out.startswith("name\tprovider\t")
            assert out.count("\n") == 1
            assert err.startswith("this gateway has no accounts: configure JIMENG_TOKENS")


@pytest.mark.parametrize("argv", [[], ["check"], ["pause", "good"]], ids=["list", "check", "pause"])
def test_refused_connection_is_one_line(argv: list[str], capsys: Out) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert main(["accounts", *argv, "--url", f"127.0.0.1:{port}"]) == 1
    assert capsys.readouterr().err == (
        f"error: no gateway responds at http://127.0.0.1:{port}: start one with `video-gateway serve`, "
        "or set another --url\n"
    )


def test_response_of_another_server_is_one_line(upstream: SandboxServer, capsys: Out) -> None:
    assert main(["accounts", "--url", upstream.url]) == 1
    assert "is it the gateway?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["chekc"], "no such command 'chekc'. Did you mean 'check'? (see video-gateway accounts --help)"),
        (["--url", "http://x", "check"], "unexpected extra argument"),
        (["pause"], "missing argument 'NAME' (see video-gateway accounts pause --help)"),
        (["list", "--key", "“x”"], "the key has characters that no key has"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(argv: list[str], message: str, capsys: Out) -> None:
    assert main(["accounts", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


def test_every_command_has_help(capsys: Out) -> None:
    assert main(["accounts", "-h"]) == 0
    shown = capsys.readouterr().out
    for word in ("list", "check", "points", "receive", "pause", "resume"):
        assert f"\n  {word} " in shown
        assert main(["accounts", word, "--help"]) == 0
        assert capsys.readouterr().out.startswith(f"Usage: video-gateway accounts {word}")


def test_shell_completes_names_of_accounts(url: str, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    assert set(completed("video-gateway accounts check ", monkeypatch, capsys)) == set(NAMES)
    assert completed("video-gateway accounts pause goo", monkeypatch, capsys) == ["good"]


def test_times_are_local_with_a_date_on_another_day() -> None:
    noon = time.mktime((2026, 11, 25, 12, 0, 0, 0, 0, -1))
    assert format_time(noon + 300, noon) == "12:05"
    assert format_time(noon + 86_400, noon) == "11-26 12:00"
