"""Everything through a reverse proxy with the sample configuration, without and with a path prefix."""

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import httpx_sse
import pytest
import websockets
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import Settings, TimeoutSettings
from providers.sandbox.server import SandboxServer
from tests.deploy.reverse_proxies import RunningProxy, caddy, nginx
from tests.e2e.conftest import UPSTREAM, FastClock, bearer, follow, settings_for
from tests.pictures import clip, data_url, picture
from tests.ports import free_port

PREFIX = "/video"
VARIANTS = [(start, prefix) for start in (nginx, caddy) for prefix in ("", PREFIX)]
MEGABYTE = 1024 * 1024

_numbers = itertools.count(1)


def numbered(app: ASGIApp, number: int) -> ASGIApp:
    """The application with the number of its gateway in every response."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_number(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"x-gateway", str(number).encode())]}
            await send(message)

        await app(scope, receive, send_with_number)

    return answer


async def what_the_gateway_sees(request: Request) -> JSONResponse:
    assert request.client
    return JSONResponse({"client": request.client.host, "base_url": str(request.base_url)})


def gateway_for(settings: Settings) -> Starlette:
    app = create_app(settings, clock=FastClock())
    app.router.routes.insert(0, Route("/seen", what_the_gateway_sees))
    return app


@pytest.fixture(scope="module")
def upstream() -> Iterator[SandboxServer]:
    with SandboxServer(UPSTREAM) as running:
        yield running


@pytest.fixture(scope="module", params=VARIANTS, ids=lambda variant: f"{variant[0].__name__}{variant[1]}")
def proxy(
    request: pytest.FixtureRequest, upstream: SandboxServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningProxy]:
    start, prefix = request.param
    # A picture of many megabytes takes its time where the machine is busy.
    settings = settings_for(
        upstream,
        timeouts=TimeoutSettings(),
        root_path=prefix,
        # One address and not all of loopback, so that tests can be clients at another one.
        trusted_proxies=(ip_network("127.0.0.1"),),
    )
    one, two = (BackgroundServer(numbered(gateway_for(settings), number)) for number in (1, 2))
    with one, two:
        addresses = one.url.removeprefix("http://"), two.url.removeprefix("http://")
        with start(tmp_path_factory.mktemp("proxy"), addresses, prefix) as running:
            yield running


@pytest.fixture
def client(proxy: RunningProxy) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=proxy.url, timeout=20) as made:
        yield made


def new_credential() -> str:
    """A DashScope key that no other test uses."""
    return f"sk-deploy{next(_numbers)}x{time.time_ns()}"


def submit(client: httpx.Client, credential: str, **fields: Any) -> httpx.Response:
    body = {"model": "wan2.6-t2v", "prompt": "x"} | fields
    response = client.post("/v1/videos/generations", json=body, headers=bearer(credential))
    assert response.status_code == 200, response.text
    return response


def test_video_is_generated_and_downloaded(client: httpx.Client) -> None:
    for model, credential in (("jimeng-video-3.0-fast", f"session{time.time_ns()}"), ("wan2.6-t2v", new_credential())):
        headers = bearer(credential)
        created = client.post("/v1/videos", json={"model": model, "prompt": "x"}, headers=headers).json()
        assert follow(client, created["id"], credential)[-1]["status"] == "completed"
        content = f"/v1/videos/{created['id']}/content"
        whole = client.get(content, headers=headers)
        assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
        part = client.get(content, headers={**headers, "Range": "bytes=4-11"})
        assert (part.status_code, part.content) == (206, whole.content[4:12])
        assert part.headers["content-range"] == f"bytes 4-11/{len(whole.content)}"


def test_location_of_a_new_task_leads_to_it(client: httpx.Client) -> None:
    credential = new_credential()
    response = submit(client, credential)
    address = urljoin(str(response.url), response.headers["location"])
    assert client.get(address, headers=bearer(credential)).json()["task_id"] == response.json()["task_id"]


@pytest.mark.parametrize(("megabytes", "status"), [(12, 200), (25, 413)])
def test_picture_in_json_is_limited_by_the_gateway(client: httpx.Client, megabytes: int, status: int) -> None:
    image = data_url(picture().ljust(megabytes * MEGABYTE))
    body = {"model": "wan2.6-i2v", "prompt": "x", "image_url": image}
    answer = client.post("/v1/videos/generations", json=body, headers=bearer(new_credential()))
    assert answer.status_code == status
    assert status == 200 or answer.json()["error"]["code"] == "too_large"


def test_form_may_be_larger_than_json(client: httpx.Client) -> None:
    files = {"video_file_1": clip().ljust(40 * MEGABYTE)}
    answer = client.post("/v1/videos", data={"model": "wan2.7-i2v"}, files=files, headers=bearer(new_credential()))
    assert answer.status_code == 200, answer.text


async def test_events_come_without_delay(proxy: RunningProxy) -> None:
    credential = new_credential()
    async with httpx.AsyncClient(base_url=proxy.url, headers=bearer(credential), timeout=10) as client:
        body = {"model": "wan2.6-t2v", "prompt": "x #seconds=0.6"}
        id = (await client.post("/v1/videos/generations", json=body)).json()["task_id"]
        async with httpx_sse.aconnect_sse(client, "GET", f"/v1/videos/tasks/{id}/events") as source:
            times = [(event.event, time.monotonic()) async for event in source.aiter_sse()]
    assert [event for event, _ in times][-2:] == ["status", "end"]
    # A proxy that gathers events passes all of them on at the end.
    assert times[-1][1] - times[0][1] > 0.3


async def test_socket_is_passed_through(proxy: RunningProxy) -> None:
    url = proxy.url.replace("http", "ws") + "/v1/videos/tasks/ws"
    async with websockets.connect(url, additional_headers=bearer(new_credential())) as socket, asyncio.timeout(5):
        await socket.send('{"type": "ping"}')
        assert json.loads(await socket.recv()) == {"type": "pong"}


def test_requests_of_one_task_go_to_one_gateway(client: httpx.Client) -> None:
    credential = new_credential()
    seen = []
    for _ in range(8):
        id = submit(client, credential).json()["task_id"]
        paths = (f"/v1/videos/tasks/{id}", f"/v1/videos/{id}", f"/v1/video/generations/{id}")
        answers = [client.get(path, headers=bearer(credential)) for path in paths * 2]
        assert len({answer.headers["x-gateway"] for answer in answers}) == 1
        seen.append(answers[0].headers["x-gateway"])
    assert set(seen) == {"1", "2"}


@pytest.mark.parametrize("path", ["/v1/models", "/v1/videos", "/v1/videos/tasks?ids=x", "/v1/videos/tasks/ws"])
def test_other_requests_are_spread(client: httpx.Client, path: str) -> None:
    answers = [client.get(path, headers=bearer("sk-1")) for _ in range(24)]
    assert {answer.headers["x-gateway"] for answer in answers} == {"1", "2"}


def test_repeated_submit_goes_to_the_same_gateway(client: httpx.Client) -> None:
    headers = bearer(new_credential())
    for number in range(6):
        headers["Idempotency-Key"] = f"key-{number}"
        body = {"model": "wan2.6-t2v", "prompt": "x"}
        answers = [client.post("/v1/videos/generations", json=body, headers=headers) for _ in range(3)]
        assert len({answer.json()["task_id"] for answer in answers}) == 1
        assert len({answer.headers["x-gateway"] for answer in answers}) == 1


def test_gateway_sees_the_address_of_the_client_whatever_it_claims(proxy: RunningProxy) -> None:
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    transport = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(transport=transport, base_url=proxy.url) as client:
        seen = client.get("/seen", headers=headers).json()
    assert seen["client"] == "127.0.0.2"
    assert seen["base_url"] == f"{proxy.url}/"


def test_operator_paths_are_not_open_to_clients_of_the_proxy(client: httpx.Client) -> None:
    assert [client.get(path).status_code for path in ("/metrics", "/v1/accounts")] == [401, 401]


def test_page_and_its_files_load(client: httpx.Client, proxy: RunningProxy) -> None:
    page = client.get("/playground")
    assert page.status_code == 200
    script = next(part.partition('"')[0] for part in page.text.split('src="') if "playground/main.js" in part)
    assert client.get(urljoin(str(page.url), script)).headers["content-type"].startswith("text/javascript")
    links = client.get("/", headers={"Accept": "application/json"}).json()["links"]
    for link in links.values():
        assert client.get(urljoin(proxy.url, link)).status_code == 200
    server = client.get("/openapi.json").json()["servers"][0]["url"]
    assert urljoin(proxy.url, server).rstrip("/") == proxy.url


def test_token_of_an_event_stream_is_not_logged(client: httpx.Client, proxy: RunningProxy) -> None:
    client.get("/v1/videos/tasks/some-task/events?token=sk-very-secret")
    give_up = time.monotonic() + 5
    while "some-task" not in proxy.read_log() and time.monotonic() < give_up:
        time.sleep(0.02)
    lines = [line for line in proxy.read_log().splitlines() if "some-task" in line]
    assert lines and "very-secret" not in "".join(lines)


@pytest.mark.parametrize("start", [nginx, caddy])
def test_submits_are_answered_while_one_gateway_is_down(
    upstream: SandboxServer, tmp_path: Path, start: Callable[..., AbstractContextManager[RunningProxy]]
) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    with (
        BackgroundServer(create_app(settings_for(upstream), clock=FastClock())) as gateway,
        start(tmp_path, (gateway.url.removeprefix("http://"), nobody), "") as proxy,
        httpx.Client(base_url=proxy.url, timeout=10) as client,
    ):
        for _ in range(6):
            submit(client, new_credential())
