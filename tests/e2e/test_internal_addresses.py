"""An upstream whose links lead into the operator's network, and callers whose proxies do."""

import socket
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import Settings
from providers.dashscope.settings import DashScopeSettings
from providers.jimeng.settings import JimengSettings
from providers.sandbox.clips import CLIPS
from tests.e2e.conftest import bearer
from tests.proxies import RunningProxy

KEY = "sk-hostile-links"
VIDEO = (CLIPS / "best.mp4").read_bytes()
LOOPBACK = (ip_network("127.0.0.0/8"),)


@dataclass
class Upstream:
    """DashScope's task query, whose finished tasks have the link `link`. It serves /v.mp4 too, and /moved redirects."""

    link: str = ""
    moved_to: str = ""
    url: str = ""

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/api/v1/tasks/{id}", self._task),
                Route("/v.mp4", self._video),
                Route("/moved", self._moved),
            ]
        )

    async def _task(self, request: Request) -> Response:
        output = {"task_id": request.path_params["id"], "task_status": "SUCCEEDED", "video_url": self.link}
        return JSONResponse({"request_id": "r", "output": output})

    async def _video(self, request: Request) -> Response:
        return Response(VIDEO, media_type="video/mp4")

    async def _moved(self, request: Request) -> Response:
        return RedirectResponse(self.moved_to)


@dataclass
class Internal:
    """A service in the operator's network, which notes each request."""

    requests: list[str] = field(default_factory=list)
    url: str = ""

    def app(self) -> Starlette:
        async def metrics(request: Request) -> Response:
            self.requests.append(request.url.path)
            return PlainTextResponse("secret_total 1\n" * 100)

        async def video(request: Request) -> Response:
            self.requests.append(request.url.path)
            return Response(VIDEO, media_type="video/mp4")

        return Starlette(routes=[Route("/metrics", metrics), Route("/v.mp4", video)])


class Stand:
    """A gateway between the two. `settings` are fields of `Settings`."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.upstream, self.internal = Upstream(), Internal()
        self.upstream.url = stack.enter_context(BackgroundServer(self.upstream.app())).url
        self.internal.url = stack.enter_context(BackgroundServer(self.internal.app())).url

    def gateway(self, **settings: Any) -> httpx.Client:
        providers = {
            "dashscope": DashScopeSettings(base_url=f"{self.upstream.url}/api/v1"),
            "jimeng": JimengSettings(base_url=self.upstream.url),
        }
        app = create_app(Settings.model_construct(providers=providers, **settings))
        url = self._stack.enter_context(BackgroundServer(app)).url
        return self._stack.enter_context(httpx.Client(base_url=url, timeout=10, trust_env=False))


@pytest.fixture
def stand() -> Iterator[Stand]:
    with ExitStack() as stack:
        yield Stand(stack)


def content(client: httpx.Client) -> httpx.Response:
    return client.get(f"/v1/videos/{uuid.uuid4()}/content", headers=bearer(KEY))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"])
@pytest.mark.parametrize("path", ["/metrics", "/v.mp4"])
def test_link_into_the_network_is_not_followed(stand: Stand, host: str, path: str) -> None:
    client = stand.gateway()
    stand.upstream.link = stand.internal.url.replace("127.0.0.1", host) + path
    answer = content(client)
    assert answer.status_code == 502
    assert "secret_total" not in answer.text
    assert stand.internal.requests == []


def test_refused_link_is_named_in_the_log(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    client = stand.gateway()
    stand.upstream.link = f"{stand.internal.url}/v.mp4"
    message = content(client).json()["error"]["message"]
    assert "upstream_networks" in message
    assert "过期" not in message
    (line,) = [vars(record)["fields"] for record in caplog.records if "link of an upstream" in record.message]
    assert line["host"] == "127.0.0.1"


def test_redirect_into_the_network_is_not_followed(stand: Stand) -> None:
    client = stand.gateway()
    stand.upstream.link, stand.upstream.moved_to = f"{stand.upstream.url}/moved", f"{stand.internal.url}/v.mp4"
    answer = content(client)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_error")
    assert "upstream_networks" in answer.json()["error"]["message"]
    assert stand.internal.requests == []


def test_configured_host_and_named_networks_are_allowed(stand: Stand) -> None:
    client = stand.gateway()
    stand.upstream.link = f"{stand.upstream.url}/v.mp4"
    assert content(client).content == VIDEO
    assert client.head(f"/v1/videos/{uuid.uuid4()}/content", headers=bearer(KEY)).status_code == 200
    stand.upstream.link = f"{stand.internal.url}/v.mp4"
    assert content(stand.gateway(upstream_networks=LOOPBACK)).content == VIDEO
    assert stand.internal.requests == ["/v.mp4"]


def test_page_behind_an_allowed_link_is_no_video(stand: Stand) -> None:
    client = stand.gateway(upstream_networks=LOOPBACK)
    stand.upstream.link = f"{stand.internal.url}/metrics"
    answer = content(client)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_error")
    assert "secret_total" not in answer.text


def test_archive_follows_no_link_into_the_network(stand: Stand, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    client = stand.gateway(archive_url=folder.as_uri())
    stand.upstream.link = f"{stand.internal.url}/v.mp4"
    assert client.get(f"/v1/videos/tasks/{uuid.uuid4()}", headers=bearer(KEY)).json()["status"] == "completed"
    assert content(client).status_code == 502
    assert stand.internal.requests == []
    assert not list(folder.rglob("*.mp4"))


def test_every_proxy_that_fails_gets_the_same_answer(stand: Stand) -> None:
    """Whether a port of the operator's network is open, closed or none that a caller may know, is not told."""
    with socket.socket() as closed, socket.create_server(("127.0.0.1", 0)) as silent:
        closed.bind(("127.0.0.1", 0))
        internal = stand.internal.url.rpartition(":")[2]
        hosts = [
            f"127.0.0.1:{closed.getsockname()[1]}",
            f"127.0.0.1:{silent.getsockname()[1]}",
            f"localhost:{internal}",
            f"127.0.0.1:{internal}",
            "[::1]:6000",
            "no-such-host.invalid:8080",
            "169.254.169.254:80",
        ]
        client = stand.gateway(language="en")
        answers = set()
        for host in hosts:
            for scheme in ("http", "socks5", "socks4"):
                credential = f"{scheme}://{host}@0123456789abcdef"
                answer = client.post("/token/points", headers=bearer(credential))
                answers.add((answer.status_code, answer.text))
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.accept()
    ((_, text),) = answers
    assert stand.internal.requests == []
    assert "through the proxy in the credential" in text
    assert "Error" not in text


def test_proxy_in_a_named_network_is_used(stand: Stand) -> None:
    with RunningProxy("socks5") as proxy:
        headers = bearer(f"{proxy.url}@0123456789abcdef")
        stand.gateway().post("/token/points", headers=headers)
        assert proxy.connections == []
        stand.gateway(proxy_networks=LOOPBACK).post("/token/points", headers=headers)
        assert set(proxy.connections) == {stand.upstream.url.removeprefix("http://")}
