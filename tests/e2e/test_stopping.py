"""Responses of requests that outlast the stop of their process: none that may be charged is retryable."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import httpx
import openai
import pytest

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import TimeoutSettings
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import bearer, settings_for

JIMENG, WAN = "jimeng-video-3.0-fast", "wan2.6-t2v"
T = TypeVar("T")
SUBMIT = "/v1/videos/generations"
PATIENT = TimeoutSettings(connect=5, read=30, total=30)


def while_it_stops(upstream: SandboxServer, under_way: Callable[[], bool], ask: Callable[[str], T]) -> T:
    """The response of a request during which the gateway is stopped."""
    app = create_app(settings_for(upstream, timeouts=PATIENT, video_poll_interval=20))
    with ThreadPoolExecutor(1) as thread:
        with BackgroundServer(app, grace_seconds=0.05) as server:
            asked = thread.submit(ask, server.url)
            give_up = time.monotonic() + 5
            while not under_way() and not asked.done() and time.monotonic() < give_up:
                time.sleep(0.005)
            assert under_way(), asked.result()
        return asked.result()


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "once"}, {"X-Stainless-Retry-Count": "0"}])
@pytest.mark.parametrize("path", [SUBMIT, "/v1/videos"])
@pytest.mark.parametrize("model", [JIMENG, WAN])
def test_submit_cut_off_after_sending_is_unconfirmed(
    upstream: SandboxServer, session: str, key: str, model: str, path: str, headers: dict[str, str]
) -> None:
    provider, credential = ("jimeng", session) if model == JIMENG else ("dashscope", key)

    def ask(url: str) -> httpx.Response:
        body = {"model": model, "prompt": "x #hang"}
        return httpx.post(f"{url}{path}", json=body, headers=bearer(credential) | headers, timeout=20)

    answer = while_it_stops(upstream, lambda: upstream.sandbox.submits(provider, credential) == 1, ask)
    assert (answer.status_code, answer.headers["x-should-retry"]) == (504, "false"), answer.text
    error = answer.json()["error"]
    assert (error["code"], error["request_id"]) == ("submission_unconfirmed", answer.headers["x-request-id"])


@pytest.mark.filterwarnings("ignore:The Sora API is scheduled:DeprecationWarning")
def test_openai_library_does_not_retry_it(upstream: SandboxServer, key: str) -> None:
    def ask(url: str) -> str:
        with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=2) as client:
            try:
                return client.videos.create(model=WAN, prompt="x #hang").id
            except openai.APIStatusError as error:
                return str(error.code)

    told = while_it_stops(upstream, lambda: upstream.sandbox.submits("dashscope", key) == 1, ask)
    assert told == "submission_unconfirmed"
    assert upstream.sandbox.calls("dashscope", credential=key) == 1


def test_cut_off_wait_names_its_task(upstream: SandboxServer, client: httpx.Client, session: str) -> None:
    def ask(url: str) -> httpx.Response:
        headers = bearer(session) | {"Prefer": "wait=60"}
        return httpx.post(f"{url}{SUBMIT}", json={"model": JIMENG, "prompt": "x #stuck"}, headers=headers, timeout=20)

    def polled() -> bool:
        return upstream.sandbox.calls("jimeng", credential=session) > 1

    answer = while_it_stops(upstream, polled, ask)
    assert answer.status_code == 202, answer.text
    id = answer.json()["task_id"]
    assert client.get(f"/v1/videos/tasks/{id}", headers=bearer(session)).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://page.example"}], ids=["program", "page"])
@pytest.mark.parametrize("path", ["/v1/videos/tasks/{id}", "/v1/videos/{id}"])
def test_cut_off_poll_is_answered_with_retry(
    upstream: SandboxServer, client: httpx.Client, session: str, path: str, headers: dict[str, str]
) -> None:
    body = {"model": JIMENG, "prompt": "x #poll-hang"}
    id = client.post("/v1/videos", json=body, headers=bearer(session)).json()["id"]
    # The upstream shows a task a little later.
    time.sleep(0.25)
    before = upstream.sandbox.calls("jimeng", credential=session)

    def ask(url: str) -> httpx.Response:
        return httpx.get(f"{url}{path.format(id=id)}", headers=bearer(session) | headers, timeout=20)

    answer = while_it_stops(upstream, lambda: upstream.sandbox.calls("jimeng", credential=session) > before, ask)
    assert (answer.status_code, answer.headers["x-should-retry"]) == (502, "true"), answer.text
    assert answer.json()["error"]["code"] == "upstream_unavailable"
