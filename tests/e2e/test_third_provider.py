"""A third provider, added by one entry of `PROVIDERS` and nothing else, on every surface."""

import itertools
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import OpenAI
from pydantic import SecretStr

from gateway.app import create_app
from gateway.bootstrap import build_process_state, build_services
from gateway.cli import main
from gateway.cli.server.background import BackgroundServer
from gateway.cli.server.demo import run_demo
from gateway.core.logs import mask
from gateway.core.settings import AccountSettings, Settings
from gateway.core.settings_loader import load_settings
from providers import registry
from providers.sandbox.server import SandboxServer
from providers.transport.client import HttpClient
from tests.e2e.conftest import UPSTREAM, FastClock, bearer, follow, settings_for
from tests.third_provider.provider import ACME, EDIT, TEXT

Out = pytest.CaptureFixture[str]
_numbers = itertools.count(1)


@pytest.fixture(autouse=True, scope="module")
def _three_providers() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "PROVIDERS", (*registry.PROVIDERS, ACME))
        yield


@pytest.fixture(scope="module")
def sandbox(_three_providers: None) -> Iterator[SandboxServer]:
    with SandboxServer(UPSTREAM) as running:
        yield running


def serving(settings: Settings) -> BackgroundServer:
    return BackgroundServer(create_app(settings, clock=FastClock()))


@pytest.fixture(scope="module")
def client(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    with serving(settings_for(sandbox)) as server, httpx.Client(base_url=server.url, timeout=10) as made:
        yield made


@pytest.fixture
def ak() -> str:
    return f"ak-key-{next(_numbers)}"


def submit(client: httpx.Client, *credentials: str, **body: Any) -> str:
    answer = client.post("/v1/videos/generations", json={"prompt": "a cat"} | body, headers=bearer(*credentials))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["task_id"])


class TestRequests:
    def test_a_submit_without_a_model_uses_its_default(self, client: httpx.Client, ak: str) -> None:
        last = follow(client, submit(client, ak), ak)[-1]
        assert (last["status"], last["model"], last["provider"]) == ("completed", TEXT, "acme")

    @pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")
    def test_openai_client_creates_retrieves_downloads_and_edits(self, client: httpx.Client, ak: str) -> None:
        with OpenAI(api_key=ak, base_url=str(client.base_url.join("/v1"))) as openai:
            video = openai.videos.create_and_poll(model=TEXT, prompt="a cat", poll_interval_ms=10)
            assert video.status == "completed"
            assert video.expires_at == (video.completed_at or 0) + 3600
            assert openai.videos.download_content(video.id).read()[4:8] == b"ftyp"
        body = {"prompt": "at night", "video": {"id": video.id}}
        edited = client.post("/v1/videos/edits", json=body, headers=bearer(ak))
        assert (edited.status_code, edited.json()["model"]) == (200, EDIT), edited.text
        extended = client.post("/v1/videos/extensions", json=body, headers=bearer(ak) | {"Accept-Language": "en"})
        assert extended.status_code == 501
        assert "wan2.7-i2v (dashscope)" in extended.json()["error"]["message"]

    def test_its_own_api_is_served(self, client: httpx.Client, ak: str) -> None:
        url, headers = "/acme/v0/videos", bearer(ak)
        made = client.post(url, json={"model": TEXT, "prompt": "a cat"}, headers=headers)
        id = made.json()["id"]
        assert (made.status_code, made.json()["trace"]) == (200, made.headers["x-request-id"])
        follow(client, id, ak)
        assert client.get(f"{url}/{id}", headers=headers).json()["state"] == "completed"
        assert [one["id"] for one in client.get(url, headers=headers).json()["videos"]] == [id]
        assert client.post(f"{url}/{id}/cancel", headers=headers).json()["problem"] == "not_cancellable"
        missing = client.get(f"{url}/acme-none", headers=headers)
        assert (missing.status_code, missing.json()["problem"]) == (404, "task_not_found")
        assert client.get("/acme/v0/nothing", headers=headers).json()["problem"] == "not_found"
        assert url in client.get("/openapi.json").json()["paths"]

    def test_list_shows_its_tasks_newest_first(self, client: httpx.Client, ak: str) -> None:
        body = {"model": TEXT, "prompt": "a cat"}
        made = [client.post("/v1/videos", json=body, headers=bearer(ak)).json()["id"] for _ in range(2)]
        listed = client.get("/v1/videos", headers=bearer(ak)).json()["data"]
        assert [video["id"] for video in listed] == made[::-1]

    def test_cancel_ends_a_waiting_task_and_refuses_a_finished_one(self, client: httpx.Client, ak: str) -> None:
        waiting, done = submit(client, ak, prompt="x #wait"), submit(client, ak)
        answer = client.post(f"/v1/videos/tasks/{waiting}/cancel", headers=bearer(ak))
        assert (answer.status_code, answer.json()["status"]) == (200, "failed")
        answer = client.post(f"/v1/videos/tasks/{done}/cancel", headers=bearer(ak))
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_cancellable")

    def test_models_lists_its_cards_for_its_credentials_only(self, client: httpx.Client, ak: str) -> None:
        def names(credential: str) -> set[str]:
            return {model["id"] for model in client.get("/v1/models", headers=bearer(credential)).json()["data"]}

        assert {TEXT, EDIT} <= names(ak)
        assert TEXT not in names("sk-other")
        assert client.get(f"/v1/models/{TEXT}", headers=bearer(ak)).json()["owned_by"] == "acme"

    def test_submits_rotate_past_accounts_that_are_refused(self, client: httpx.Client, ak: str) -> None:
        id = submit(client, f"ak-poor-{ak}", f"ak-dead-{ak}", ak)
        assert follow(client, id, ak)[-1]["status"] == "completed"
        answer = client.post("/v1/videos/generations", json={"prompt": "x"}, headers=bearer(f"ak-poor-{ak}"))
        assert answer.json()["error"]["code"] == "insufficient_quota"
        assert ak not in answer.text

    def test_unknown_credential_is_refused_with_the_credential_hints(self, client: httpx.Client) -> None:
        answer = client.get("/v1/models", headers=bearer("a;b") | {"Accept-Language": "en"})
        assert answer.status_code == 401
        said = "a ModelScope token (ms-…), a DashScope key (sk-…) or an Acme key (ak-…)"
        assert said in answer.json()["error"]["message"]

    def test_managed_accounts_come_from_its_list_and_from_the_file(self, sandbox: SandboxServer, ak: str) -> None:
        settings = settings_for(
            sandbox,
            acme={"credentials": (SecretStr(ak),)},
            accounts=(AccountSettings(name="named", credential=SecretStr("any text"), provider="acme"),),
            keys=(SecretStr("gw-one"),),
            secret=(SecretStr("a long random text"),),
        )
        with serving(settings) as server, httpx.Client(base_url=server.url) as client:
            assert follow(client, submit(client, "gw-one"), "gw-one")[-1]["status"] == "completed"
            accounts = client.get("/v1/accounts").json()["data"]
        assert [account["provider"] for account in accounts] == ["acme", "acme"]
        assert accounts[1]["name"] == "named"

    def test_documentation_names_the_provider(self, client: httpx.Client) -> None:
        assert "Jimeng, ModelScope, DashScope and Acme" in client.get("/openapi.json").json()["info"]["description"]
        assert "Jimeng, ModelScope, DashScope and Acme" in client.get("/docs").text

    def test_queries_are_paced_by_its_own_setting(self, sandbox: SandboxServer) -> None:
        settings = settings_for(sandbox, acme={"queries_per_second": 2.5})
        process = build_process_state(settings, FastClock())
        build_services(settings, process)
        assert process.poller.per_second == {"jimeng": 0.0, "dashscope": 0.0, "acme": 2.5}


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_owner_of_a_credential_does_not_depend_on_the_order(
    monkeypatch: pytest.MonkeyPatch, order: tuple[int, ...]
) -> None:
    monkeypatch.setattr(registry, "PROVIDERS", tuple(registry.PROVIDERS[index] for index in order))
    specs, http = registry.PROVIDERS, HttpClient()
    providers = registry.Registry([spec.create(spec.settings(), http, time.time) for spec in specs])
    for credential, provider in (
        *(("ak-one", "acme"), ("sk-one", "dashscope"), ("ms-one", "modelscope")),
        *(("one", "jimeng"), ("us-one", "jimeng")),
    ):
        account = providers.account_from(credential)
        assert account is not None
        assert account.provider == provider
    # A proxy in front belongs to the provider that takes any credential, and this one is not its own.
    assert providers.account_from("http://h:1@ak-one") is None


def test_its_credentials_are_masked() -> None:
    assert mask("key ak-something, Bearer x, sk-something, sessionid=abc; _ak-") == (
        "key ***, Bearer *** ***, sessionid=***; _ak-"
    )


class TestConfiguration:
    @pytest.fixture(autouse=True)
    def _alone(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.chdir(tmp_path)

    def test_its_table_and_its_variables_are_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Path("gateway.toml").write_text("[providers.acme]\nqueries_per_second = 2\nbase_url = 'http://file'\n")
        monkeypatch.setenv("ACME_BASE_URL", "http://h/")
        monkeypatch.setenv("ACME_API_KEY", "ak-one,ak-two")
        acme = load_settings().provider(ACME)
        assert (acme.base_url, acme.queries_per_second, len(acme.credentials)) == ("http://h", 2, 2)

    def test_config_prints_its_settings_masked(self, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
        monkeypatch.setenv("ACME_API_KEY", "ak-one")
        assert main(["config", "--json"]) == 0
        shown = json.loads(capsys.readouterr().out)["providers"]["acme"]
        assert shown == {"credentials": ["***"], "queries_per_second": 0.0, "base_url": "https://acme.invalid"}

    def test_warnings_name_its_variable(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.WARNING)
        create_app(Settings.model_construct(keys=(SecretStr("gw-one"),)))
        assert "JIMENG_TOKENS, MODELSCOPE_API_KEY, DASHSCOPE_API_KEY or ACME_API_KEY" in caplog.text


class TestCommandLine:
    def test_client_commands_submit_watch_and_download(
        self, client: httpx.Client, ak: str, tmp_path: Path, capsys: Out
    ) -> None:
        to = ["--url", str(client.base_url), "--key", ak]
        assert main(["submit", "a cat", "--model", TEXT, "--wait", *to]) == 0
        id = client.get("/v1/videos", headers=bearer(ak)).json()["data"][0]["id"]
        capsys.readouterr()
        assert main(["models", *to]) == 0
        assert TEXT in capsys.readouterr().out
        assert main(["download", id, "--out", str(tmp_path / "v.mp4"), *to]) == 0
        assert (tmp_path / "v.mp4").read_bytes()[4:8] == b"ftyp"

    def test_demo_includes_the_provider(self, tmp_path: Path, capsys: Out) -> None:
        handlers = logging.getLogger().handlers
        try:
            run_demo(tmp_path, 0.2)
        finally:
            logging.getLogger().handlers = handlers
        assert sorted(path.name.partition("-")[0] for path in tmp_path.iterdir()) == ["acme", "dashscope", "jimeng"]

    def test_sandbox_prints_its_variables(self, sandbox: SandboxServer) -> None:
        assert sandbox.environment()["ACME_BASE_URL"] == f"{sandbox.url}/acme"

    def test_archive_copies_its_videos_and_prunes_only_its_folder(
        self, client: httpx.Client, sandbox: SandboxServer, ak: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("ARCHIVE_URL", (tmp_path / "kept").as_uri())
        for variable, url in sandbox.environment().items():
            monkeypatch.setenv(variable, url)
        assert main(["archive", submit(client, ak), "--key", ak]) == 0
        (video,) = (tmp_path / "kept" / "acme").rglob("*.mp4")
        record = video.with_suffix(".json").read_bytes()
        for provider in ("acme", "others"):
            old = tmp_path / "kept" / provider / "2020" / "01" / "02" / video.name
            old.parent.mkdir(parents=True)
            old.write_bytes(b"x")
            old.with_suffix(".json").write_bytes(record)
        assert main(["archive", "--prune", "--keep-days", "30"]) == 0
        left = {path.relative_to(tmp_path / "kept").parts[0] for path in (tmp_path / "kept").glob("*/2020/*/*/*.mp4")}
        assert left == {"others"}
        assert video.exists()
