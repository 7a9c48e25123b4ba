"""Alibaba's SDK sends a submit again when its connection breaks: the video is charged once."""

import sys
from typing import Any

import httpx
import pytest

from providers.sandbox.server import SandboxServer
from tests.e2e.client_programs import JOURNEYS, errors, run
from tests.e2e.conftest import bearer
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
