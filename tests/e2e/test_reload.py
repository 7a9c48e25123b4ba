"""A reload in the middle of a request changes nothing for that request."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings_loader import load_settings
from providers.sandbox.server import SandboxServer

BODY = b'{"model": "mine", "prompt": "a cat"}'
NEW_KEY = "gw-2"


class ReloadingGateway:
    """A gateway that watches its configuration, of two accounts of which the first is filled first."""

    def __init__(self, upstream: SandboxServer, key: str) -> None:
        self.credentials = [f"{key}a", f"{key}b"]
        self._dashscope_url = upstream.dashscope_url
        self.url = ""

    def configure(self, *accounts: str, alias: str = "mine", keys: tuple[str, ...] = ("gw-1",)) -> None:
        lines = [
            f"keys = {[f'user:{key}' if key == 'gw-1' else f'{key}:{key}' for key in keys]}",
            'secret = ["a long enough secret"]',
            f'dashscope_base_url = "{self._dashscope_url}"',
            f'[aliases]\n{alias} = "wan2.6-t2v"',
            '[rotation]\npolicy = "fill_first"',
            *(f'[[accounts]]\nname = "{one[-1]}"\ncredential = "{one}"\nprovider = "dashscope"' for one in accounts),
        ]
        file = Path("gateway.toml")
        file.with_suffix(".new").write_text("\n".join(lines), "utf-8")
        file.with_suffix(".new").replace(file)

    def submit_while(self, *accounts: str, alias: str = "mine") -> httpx.Response:
        """A submit during whose upload the configuration changes to these accounts and this alias."""

        def body() -> Iterator[bytes]:
            yield BODY[:10]
            self.configure(*accounts, alias=alias, keys=("gw-1", NEW_KEY))
            give_up = time.monotonic() + 8
            while self.get("/v1/models", NEW_KEY).status_code == 401 and time.monotonic() < give_up:
                time.sleep(0.02)
            yield BODY[10:]

        headers = {"Authorization": "Bearer gw-1", "Content-Type": "application/json"}
        return httpx.post(f"{self.url}/v1/videos/generations", content=body(), headers=headers, timeout=20)

    def get(self, path: str, key: str = "gw-1") -> httpx.Response:
        return httpx.get(f"{self.url}{path}", headers={"Authorization": f"Bearer {key}"})


@pytest.fixture
def gateway(
    upstream: SandboxServer, key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[ReloadingGateway]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gateway.reload.CHECK_SECONDS", 0.02)
    made = ReloadingGateway(upstream, key)
    made.configure(*made.credentials)
    with BackgroundServer(create_app(load_settings(), reload=True)) as server:
        made.url = server.url
        yield made


def test_request_keeps_the_configuration_of_its_start(gateway: ReloadingGateway) -> None:
    answer = gateway.submit_while(*gateway.credentials, alias="other")
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == "wan2.6-t2v"
    # The next one has the new configuration.
    assert gateway.get("/v1/models/mine").status_code == 404


def test_account_removed_during_a_request_is_not_charged(gateway: ReloadingGateway, upstream: SandboxServer) -> None:
    removed, left = gateway.credentials
    answer = gateway.submit_while(left)
    assert answer.status_code == 200, answer.text
    assert [upstream.sandbox.submits("dashscope", one) for one in (removed, left)] == [0, 1]
    assert gateway.get(f"/v1/videos/tasks/{answer.json()['task_id']}").status_code == 200
