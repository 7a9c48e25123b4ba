"""A host to download from, and a gateway with the sandbox."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import Settings
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from tests.gateway.cli.client.download_host import DownloadFixture, Host


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, list[Host]]]:
    hosts: list[Host] = []

    async def answer(request: Request) -> Response:
        return await hosts[-1].answer(request)

    app = Starlette(routes=[Route("/{path:path}", answer)])
    with BackgroundServer(app) as running:
        yield running.url, hosts


@pytest.fixture
def env(server: tuple[str, list[Host]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DownloadFixture:
    url, hosts = server
    hosts.append(Host())
    pauses: list[float] = []
    monkeypatch.setenv("GATEWAY_URL", url)
    monkeypatch.setenv("GATEWAY_KEY", "sk-one")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    nap = time.sleep

    def short(seconds: float) -> None:
        pauses.append(seconds)
        nap(min(seconds, 0.005))

    monkeypatch.setattr("gateway.cli.client.downloads.time.sleep", short)
    monkeypatch.chdir(tmp_path)
    return DownloadFixture(hosts[-1], url, pauses)


@pytest.fixture(scope="module")
def upstream() -> Iterator[SandboxServer]:
    character = SandboxSettings(task_seconds=0.04, visible_after=0.0, queries_per_second=0, max_running=99)
    with SandboxServer(character) as running:
        yield running


@pytest.fixture(scope="module")
def url(upstream: SandboxServer) -> Iterator[str]:
    settings = Settings.model_construct(
        providers=upstream.settings(),
        poll_freshness=0.0,
        video_poll_interval=50,
        aliases={"sora-2": "jimeng-video-3.0-fast"},
    )
    with BackgroundServer(create_app(settings)) as server:
        yield server.url
