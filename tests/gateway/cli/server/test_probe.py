"""`probe` against the sandbox, without a gateway."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.app import create_app
from gateway.cli import main
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import Settings
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings

Out = pytest.CaptureFixture[str]
SESSION, KEY = "5e55101d0123456789", "sk-0123456789abcdef"
PROMPT = "一只猫在沙滩上奔跑"
CHARACTER = SandboxSettings(task_seconds=0.0, visible_after=0.0, queries_per_second=0, credits=1000)


@pytest.fixture
def upstream() -> Iterator[SandboxServer]:
    with SandboxServer(CHARACTER) as running:
        yield running


@pytest.fixture(autouse=True)
def _configured(upstream: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JIMENG_BASE_URL", upstream.jimeng_url)
    monkeypatch.setenv("DASHSCOPE_BASE_URL", upstream.dashscope_url)


def submit(upstream: SandboxServer, credential: str, model: str) -> str:
    settings = Settings.model_construct(providers=upstream.settings(), poll_freshness=0.0)
    with BackgroundServer(create_app(settings)) as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        answer = client.post(
            "/v1/videos/generations",
            json={"model": model, "prompt": PROMPT},
            headers={"authorization": f"Bearer {credential}"},
        )
        return str(answer.raise_for_status().json()["task_id"])


@pytest.mark.parametrize(
    ("credential", "model", "calls"),
    [
        (SESSION, "jimeng-video-3.0-fast", ["check", "models", "credits", "list", "query"]),
        (KEY, "wan2.6-t2v", ["check", "list", "query"]),
    ],
)
def test_report_of_one_account_is_complete_and_redacted(
    upstream: SandboxServer, capsys: Out, credential: str, model: str, calls: list[str]
) -> None:
    id = submit(upstream, credential, model)
    submits, charges = upstream.sandbox.submits(), upstream.sandbox.charges()
    assert main(["probe", "--key", credential]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert [call["call"] for call in report["calls"]] == calls
    assert all(call["exchanges"] for call in report["calls"])
    for private in (credential, id, PROMPT, "127.0.0.1:", ".mp4"):
        assert private not in out
        assert private not in err
    assert (upstream.sandbox.submits(), upstream.sandbox.charges()) == (submits, charges)
    assert "nothing was submitted" in err


def test_account_of_the_configuration_is_selected_by_name(
    tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JIMENG_TOKENS", SESSION)
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
    assert main(["probe"]) == 2
    error = capsys.readouterr().err
    assert "name one account" in error
    name = error.rpartition(" ")[2].strip()
    out = tmp_path / "report.json"
    assert main(["probe", name, "--out", str(out)]) == 0
    assert json.loads(out.read_text("utf-8"))["provider"] == "dashscope"
    assert capsys.readouterr().out == ""
    assert main(["probe", "nobody"]) == 2


def test_without_accounts_it_says_what_to_do(capsys: Out) -> None:
    assert main(["probe"]) == 2
    assert "GATEWAY_KEY" in capsys.readouterr().err


def test_expired_credential_is_reported(capsys: Out) -> None:
    assert main(["probe", "--key", f"{SESSION}-expired"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["calls"][0]["read"]["error"] == "invalid_credential"
