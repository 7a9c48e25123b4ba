"""A reload replaces the configuration without dropping a request; an invalid file changes nothing."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.datastructures import State

from gateway.accounts.health import AccountState
from gateway.api.services import Services
from gateway.app import create_app
from gateway.bootstrap import build_process_state, build_services
from gateway.cli.server.background import BackgroundServer
from gateway.core.clock import SystemClock
from gateway.core.settings_loader import load_settings
from gateway.reload import Reloader
from providers.contract.errors import ErrorKind
from tests.upstream import provider_error

ACCOUNT = '[[accounts]]\nname = "{name}"\ncredential = "{credential}"\n'


def write(*accounts: tuple[str, str], more: str = "") -> Path:
    file = Path("gateway.toml")
    text = more + "".join(ACCOUNT.format(name=name, credential=credential) for name, credential in accounts)
    file.with_suffix(".new").write_text(text, "utf-8")
    file.with_suffix(".new").replace(file)
    return file


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


class Reloadable:
    """A gateway with the real providers that reads its configuration from a file."""

    def __init__(self) -> None:
        self.file = write(("a", "one"), ("b", "two"))
        settings = load_settings()
        self.process = build_process_state(settings, SystemClock())
        self.state = State({"services": build_services(settings, self.process)})
        self.reloader = Reloader(self.state, self.process, load_settings, self.file)

    @property
    def services(self) -> Services:
        services = self.state.services
        assert isinstance(services, Services)
        return services

    @property
    def names(self) -> list[str]:
        return [managed.account.label for managed in self.services.pool.managed]


async def test_reload_adds_and_removes_accounts() -> None:
    env = Reloadable()
    write(("b", "two"), ("c", "three"))
    await env.reloader.reload()
    assert env.names == ["b", "c"]


async def test_reload_keeps_the_records_of_remaining_accounts() -> None:
    env = Reloadable()
    account = env.services.pool.managed[0].account
    env.services.pool.record_failure(account, provider_error(ErrorKind.RESTRICTED), "", sent_at=0)
    write(("a", "one"), ("c", "three"))
    await env.reloader.reload()
    assert env.services.pool.status(account).state is AccountState.RESTRICTED


@pytest.mark.parametrize(
    "more",
    ["rubbish", "unknown = 1\n", '[aliases]\nx = "nobody-has-it"\n', 'keys = ["sk-no"]\n', "[rotation]\npolicy = 7\n"],
)
async def test_invalid_file_is_refused_and_the_configuration_stays(more: str, caplog: pytest.LogCaptureFixture) -> None:
    env = Reloadable()
    before = env.services
    write(("z", "secret-of-z"), more=more)
    with caplog.at_level(logging.INFO, "gateway"):
        await env.reloader.reload()
    assert env.services is before
    assert env.names == ["a", "b"]
    assert "configuration rejected, keeping the current one" in caplog.text
    assert "secret" not in caplog.text


async def test_reload_applies_other_settings(caplog: pytest.LogCaptureFixture) -> None:
    env = Reloadable()
    more = 'keys = ["alice:gw-1"]\nport = 9\npoll_freshness = 7.0\njimeng_qps = 3.0\narchive_url = "s3://bucket"\n'
    more += '[aliases]\nmine = "wan2.6-t2v"\n[archive]\nfollow = true\n'
    write(("a", "one"), more=more)
    with caplog.at_level(logging.INFO, "gateway"):
        await env.reloader.reload()
    assert env.services.callers.identify("Bearer gw-1").managed
    assert env.services.tasks.catalog.card("mine").name == "wan2.6-t2v"
    assert (env.process.poller.freshness, env.process.poller.per_second["jimeng"]) == (7.0, 3.0)
    assert "take effect after a restart: archive, archive_url, port" in caplog.text


async def test_warning_is_logged_once_while_it_applies(caplog: pytest.LogCaptureFixture) -> None:
    remark = "no keys to use them"
    with caplog.at_level(logging.INFO, "gateway"):
        env = Reloadable()
        for _ in range(2):
            await env.reloader.reload()
        assert caplog.text.count(remark) == 1
        for more in ('keys = ["alice:gw-1"]\n', 'keys = ["alice:gw-1"]\nsecret = ["a long random text"]\n'):
            write(("a", "one"), more=more)
            await env.reloader.reload()
    assert caplog.text.count(remark) == 1
    assert caplog.text.count("GATEWAY_SECRET is not set") == 1
    assert caplog.text.count("GATEWAY_ADMIN_KEY is not set") == 1


async def test_change_is_detected_once_the_file_is_stable() -> None:
    env = Reloadable()
    assert not env.reloader.has_changed()
    write(("c", "three"))
    assert [env.reloader.has_changed() for _ in range(2)] == [False, True]
    await env.reloader.reload()
    assert [env.reloader.has_changed() for _ in range(3)] == [False] * 3


async def test_file_that_keeps_changing_is_not_read() -> None:
    env = Reloadable()
    for length in range(1, 5):
        env.file.write_text("#" * length, "utf-8")
        assert not env.reloader.has_changed()


async def test_missing_file_is_waited_for() -> None:
    env = Reloadable()
    env.file.unlink()
    assert [env.reloader.has_changed() for _ in range(3)] == [False] * 3
    write(("c", "three"))
    assert [env.reloader.has_changed() for _ in range(2)] == [False, True]


async def test_file_without_its_keys_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    env = Reloadable()
    write(("a", "one"), more='keys = ["alice:gw-1"]\n')
    await env.reloader.reload()
    for text in ("", '[[accounts]]\nname = "z"\ncredential = "y"\n'):
        env.file.write_text(text, "utf-8")
        await env.reloader.reload()
        assert env.names == ["a"]
    assert "opens the gateway to everybody" in caplog.text


async def test_missing_file_does_not_open_the_gateway_to_everyone(caplog: pytest.LogCaptureFixture) -> None:
    env = Reloadable()
    env.file.unlink()
    await env.reloader.reload()
    assert env.names == ["a", "b"]
    assert "is gone" in caplog.text


async def test_signal_reloads_at_once() -> None:
    env = Reloadable()
    running = asyncio.ensure_future(env.reloader.run())
    await asyncio.sleep(0.01)
    write(("c", "three"))
    os.kill(os.getpid(), signal.SIGHUP)
    for _ in range(100):
        await asyncio.sleep(0.01)
        if env.names == ["c"]:
            break
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert env.names == ["c"]
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr("gateway.reload.CHECK_SECONDS", 0.02)
    write(more='keys = ["alice:gw-1"]\nsecret = ["a long enough secret"]\n')
    with BackgroundServer(create_app(load_settings(), reload=True)) as server:
        yield server.url


def test_running_gateway_reloads_a_changed_file(url: str) -> None:
    with httpx.Client(base_url=url, headers={"Authorization": "Bearer gw-2"}) as client:
        assert client.get("/v1/models").status_code == 401
        write(("a", "one"), more='keys = ["alice:gw-1", "bob:gw-2"]\nsecret = ["a long enough secret"]\n')
        give_up = time.monotonic() + 8
        while client.get("/v1/models").status_code == 401 and time.monotonic() < give_up:
            time.sleep(0.02)
        assert client.get("/v1/models").status_code == 200


def fields_of_reload(caplog: pytest.LogCaptureFixture) -> dict[str, object]:
    """The fields of the latest line about a reload."""
    lines = [record for record in caplog.records if record.getMessage() == "configuration reloaded"]
    return dict(vars(lines[-1])["fields"])


async def test_reload_tells_what_has_changed_by_name(caplog: pytest.LogCaptureFixture) -> None:
    env = Reloadable()
    with caplog.at_level(logging.INFO, "gateway"):
        write(
            ("b", "repaired"),
            ("c", "three"),
            more="language = 'en'\n[timeouts]\nread = 9\n[providers.jimeng]\nquery_batch = 3\n",
        )
        await env.reloader.reload()
    assert fields_of_reload(caplog) == {
        "accounts": 2,
        "added": "c",
        "removed": "a",
        "changed": "b",
        "settings": "language,providers.jimeng.query_batch,timeouts.read",
    }
    assert "repaired" not in caplog.text


async def test_changed_limits_of_keys_are_named(caplog: pytest.LogCaptureFixture) -> None:
    env = Reloadable()
    with caplog.at_level(logging.INFO, "gateway"):
        write(
            ("a", "one"),
            ("b", "two"),
            more="[key_limits]\nproviders = ['jimeng']\n[key_limits.keys.alice]\nproviders = ['dashscope']\n",
        )
        await env.reloader.reload()
        assert fields_of_reload(caplog)["settings"] == "key_limits.providers,key_limits.keys.alice"
        write(("a", "one"), ("b", "two"), more="[key_limits.keys.alice]\nproviders = ['modelscope']\n")
        await env.reloader.reload()
    assert fields_of_reload(caplog)["settings"] == "key_limits.providers,key_limits.keys.alice.providers"


@pytest.mark.parametrize("more", ["weight = 3\n", 'proxy = "http://127.0.0.1:9"\n', "max_running = 1\n"])
async def test_account_with_other_settings_has_changed(more: str, caplog: pytest.LogCaptureFixture) -> None:
    env = Reloadable()
    write(("a", "one"), ("b", "two"))
    env.file.write_text(env.file.read_text() + more)
    with caplog.at_level(logging.INFO, "gateway"):
        await env.reloader.reload()
    assert fields_of_reload(caplog)["changed"] == "b"


async def test_reload_without_a_change_says_so(caplog: pytest.LogCaptureFixture) -> None:
    env = Reloadable()
    with caplog.at_level(logging.INFO, "gateway"):
        await env.reloader.reload()
    assert set(fields_of_reload(caplog).values()) == {2, "-"}


async def test_setting_for_the_start_is_compared_with_the_running_one(caplog: pytest.LogCaptureFixture) -> None:
    env = Reloadable()
    warnings = []
    with caplog.at_level(logging.INFO, "gateway"):
        for more in ("port = 5200\n", "port = 5200\nlanguage = 'en'\n", "port = 5100\n"):
            caplog.clear()
            write(("a", "one"), more=more)
            await env.reloader.reload()
            warnings.append("take effect after a restart: port" in caplog.text)
    assert warnings == [True, True, False]


async def test_rejected_file_is_described_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    env = Reloadable()
    write(("a", "one"), more="port = 'x'\n")
    with caplog.at_level(logging.INFO, "gateway"):
        await env.reloader.reload()
    assert "keeping the current one: gateway.toml line 1: port: must be a whole number" in caplog.text
    assert REGISTRY.get_sample_value("gateway_config_last_reload_successful") == 0
    write(("a", "one"))
    await env.reloader.reload()
    assert REGISTRY.get_sample_value("gateway_config_last_reload_successful") == 1
