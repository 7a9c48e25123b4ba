"""Alibaba's SDK sends a submit again when its connection breaks: the video is charged once."""

import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from providers.sandbox.server import SandboxServer
from tests.e2e.client_programs import JOURNEYS, errors, run
from tests.e2e.conftest import FastClock, bearer, settings_for
from tests.e2e.cut_connections import CuttingRelay

SUBMIT = "/api/v1/services/aigc/video-generation/video-synthesis"
TEXT = {"model": "wan2.6-t2v", "prompt": "a cat #delay=0.2", "size": "1280*720", "seed": 7}
ASYNC = {"X-DashScope-Async": "enable"}
BODY = {"model": "wan2.6-t2v", "input": {"prompt": "a cat"}, "parameters": {"seed": 7}}


@pytest.mark.parametrize("do", ["submit", "client"])
def test_resend_of_the_sdk_returns_the_first_task(url: str, upstream: SandboxServer, key: str, do: str) -> None:
    arguments: dict[str, Any] = {**TEXT, "max_retries": 2} if do == "client" else TEXT
    with CuttingRelay(url, lambda: upstream.sandbox.submits("dashscope", key) > 0) as relay:
        base = f"{relay.url}/api/v1"
        command = [sys.executable, str(JOURNEYS / "dashscope_journey.py")]
        cases = {"resent": {"key": key, "do": do, "with": arguments}}
        seen = run(command, cases, DASHSCOPE_HTTP_BASE_URL=base, DASHSCOPE_BASE_URL=base)
    assert errors(seen) == {}
    assert relay.cut == 1
    assert upstream.sandbox.submits("dashscope", key) == 1
    if do == "client":
        assert (seen["resent"]["status"], seen["resent"]["total"]) == ("SUCCEEDED", 1)
    else:
        assert seen["resent"]["submitted"]["output"]["task_status"] == "PENDING"


def test_identical_submits_are_different_tasks(client: httpx.Client, upstream: SandboxServer, key: str) -> None:
    ids = {client.post(SUBMIT, json=BODY, headers=bearer(key) | ASYNC).json()["output"]["task_id"] for _ in range(3)}
    assert len(ids) == upstream.sandbox.submits("dashscope", key) == 3


def test_idempotency_key_returns_the_first_task(client: httpx.Client, upstream: SandboxServer, key: str) -> None:
    headers = bearer(key) | ASYNC | {"Idempotency-Key": key}
    first, again = (client.post(SUBMIT, json=BODY, headers=headers) for _ in range(2))
    assert first.json()["output"] == again.json()["output"]
    assert first.json()["request_id"] != again.json()["request_id"]
    other = client.post(SUBMIT, json={**BODY, "parameters": {}}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "Conflict")
    assert upstream.sandbox.submits("dashscope", key) == 1


def test_idempotency_key_goes_through_the_sdk(url: str, upstream: SandboxServer, key: str) -> None:
    arguments = {"model": "wan2.6-t2v", "prompt": "a cat", "headers": {"Idempotency-Key": key}}
    cases = {name: {"key": key, "do": "submit", "with": arguments} for name in ("first", "again")}
    command = [sys.executable, str(JOURNEYS / "dashscope_journey.py")]
    seen = run(command, cases, DASHSCOPE_HTTP_BASE_URL=f"{url}/api/v1")
    assert errors(seen) == {}
    assert seen["first"]["submitted"]["output"] == seen["again"]["submitted"]["output"]
    assert upstream.sandbox.submits("dashscope", key) == 1


@pytest.mark.parametrize("outcome", ["lost", "status-after=500", "noid"])
def test_submit_with_an_unknown_outcome_is_not_to_be_sent_again(
    client: httpx.Client, upstream: SandboxServer, key: str, outcome: str
) -> None:
    body = {**BODY, "input": {"prompt": f"a cat #{outcome}"}}
    answer = client.post(SUBMIT, json=body, headers=bearer(key) | ASYNC)
    assert (answer.status_code, answer.json()["code"]) == (500, "ResponseTimeout")
    # SDK 2 sends a submit again after a 500, unless it is told not to.
    assert answer.headers["x-should-retry"] == "false"
    assert upstream.sandbox.submits("dashscope", key) == 1


def half_a_submit(url: str, key: str) -> None:
    """A submit whose connection breaks within its body."""
    parts = urlsplit(url)
    head = {"Host": "gateway", "Content-Length": "200", **bearer(key), **ASYNC}
    lines = [f"POST {SUBMIT} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", '{"model": "wan']
    with socket.create_connection((str(parts.hostname), int(parts.port or 80)), 5) as connection:
        connection.sendall("\r\n".join(lines).encode())


def test_submit_that_breaks_within_its_body_is_none(
    url: str, client: httpx.Client, upstream: SandboxServer, key: str
) -> None:
    half_a_submit(url, key)
    assert client.post(SUBMIT, json=BODY, headers=bearer(key) | ASYNC).status_code == 200
    assert upstream.sandbox.submits("dashscope", key) == 1


def test_client_that_gives_up_and_asks_again_has_the_first_task(
    client: httpx.Client, upstream: SandboxServer, key: str
) -> None:
    body, headers = {**BODY, "input": {"prompt": "a cat #delay=0.3"}}, bearer(key) | ASYNC
    for _ in range(2):
        with pytest.raises(httpx.ReadTimeout):
            client.post(SUBMIT, json=body, headers=headers, timeout=0.1)
    assert client.post(SUBMIT, json=body, headers=headers).status_code == 200
    assert upstream.sandbox.submits("dashscope", key) == 1


def test_key_holds_on_another_replica_where_the_upstream_can_be_asked(
    url: str, client: httpx.Client, upstream: SandboxServer, session: str
) -> None:
    body = {"model": "jimeng-video-3.0-fast", "input": {"prompt": "a cat"}}
    headers = bearer(session) | ASYNC | {"Idempotency-Key": session}
    first = client.post(SUBMIT, json=body, headers=headers)
    with BackgroundServer(create_app(settings_for(upstream), clock=FastClock())) as other:
        again = httpx.post(f"{other.url}{SUBMIT}", json=body, headers=headers)
    assert first.json()["output"] == again.json()["output"]
    assert upstream.sandbox.submits("jimeng", session) == 1


def test_clients_that_submit_the_same_at_once_have_tasks_of_their_own(
    client: httpx.Client, upstream: SandboxServer, key: str
) -> None:
    body = {**BODY, "input": {"prompt": "a cat #delay=0.1"}}
    with ThreadPoolExecutor(8) as threads:
        answers = [threads.submit(client.post, SUBMIT, json=body, headers=bearer(key) | ASYNC) for _ in range(8)]
        ids = {answer.result().json()["output"]["task_id"] for answer in answers}
    assert len(ids) == upstream.sandbox.submits("dashscope", key) == 8
