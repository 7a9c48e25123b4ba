"""A submit with a rewritten prompt that is sent again: one task, and the language model is called once."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator

import httpx
import openai
import pytest

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import FastClock, bearer, settings_for
from tests.e2e.enhanced import JIMENG, PROMPTS, SUBMIT, WAN, asked, made_with, new_token, submit
from tests.e2e.generations import error_of

BODY = {"model": WAN, "prompt": "a cat", "enhance_prompt": True}


def until(done: Callable[[], object], seconds: float = 3) -> bool:
    """True once `done()` is true."""
    give_up = time.monotonic() + seconds
    while not done() and time.monotonic() < give_up:
        time.sleep(0.01)
    return bool(done())


def test_same_key_gives_the_same_task_and_prompt(client: httpx.Client, upstream: SandboxServer, key: str) -> None:
    headers = {"Idempotency-Key": key}
    first = submit(client, key, headers=headers)
    assert submit(client, key, headers=headers) == first
    assert (asked(upstream, key), upstream.sandbox.submits("dashscope", key)) == (1, 1)


def test_same_key_with_another_wish_is_a_mismatch(client: httpx.Client, key: str) -> None:
    headers = bearer(key) | {"Idempotency-Key": key}
    submit(client, key, headers=headers)
    body = {**BODY, "enhance_prompt": False}
    assert error_of(client.post(SUBMIT, json=body, headers=headers), 409, "idempotency_mismatch")


def test_warning_of_the_first_request_is_repeated(client: httpx.Client, upstream: SandboxServer, key: str) -> None:
    headers = {"Idempotency-Key": key}
    first = submit(client, key, "a cat #say=refusal", headers=headers)
    assert submit(client, key, "a cat #say=refusal", headers=headers)["warnings"] == first["warnings"]
    assert asked(upstream, key) == 1


def test_new_submit_of_the_same_prompt_gets_a_prompt_of_its_own(
    client: httpx.Client, upstream: SandboxServer, key: str
) -> None:
    assert submit(client, key)["task_id"] != submit(client, key)["task_id"]
    assert (asked(upstream, key), upstream.sandbox.submits("dashscope", key)) == (2, 2)


async def test_requests_at_once_share_one_rewriting(url: str, upstream: SandboxServer, key: str) -> None:
    async with httpx.AsyncClient(base_url=url, headers=bearer(key) | {"Idempotency-Key": key}) as client:
        body = {**BODY, "prompt": "a cat #delay=0.1"}
        answers = await asyncio.gather(*(client.post(SUBMIT, json=body) for _ in range(5)))
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["revised_prompt"]
    assert (asked(upstream, key), upstream.sandbox.submits("dashscope", key)) == (1, 1)


@pytest.mark.parametrize("with_key", [True, False])
def test_retry_after_a_refused_submit_uses_the_prompt_again(
    client: httpx.Client, upstream: SandboxServer, key: str, with_key: bool
) -> None:
    limited, token = f"sk-shark-{key}", new_token()
    for count in range(3):
        headers = bearer(limited, token) | {"x-stainless-retry-count": str(count)}
        if with_key:
            headers["Idempotency-Key"] = key
        assert error_of(client.post(SUBMIT, json=BODY, headers=headers), 429, "rate_limit_exceeded")
    assert asked(upstream, token) == 1


@pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")
def test_retry_of_openais_library_pays_once(
    url: str, upstream: SandboxServer, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openai._base_client.time.sleep", lambda seconds: None)
    token = new_token()
    with (
        openai.OpenAI(base_url=f"{url}/v1", api_key=f"sk-shark-{key},{token}", max_retries=2) as client,
        pytest.raises(openai.RateLimitError),
    ):
        client.videos.create(model=WAN, prompt="a cat", extra_body={"enhance_prompt": True})
    assert asked(upstream, token) == 1


def test_client_that_leaves_meanwhile_is_not_charged(client: httpx.Client, upstream: SandboxServer, key: str) -> None:
    token = new_token()
    body = {**BODY, "prompt": "a cat #delay=0.25"}
    with pytest.raises(httpx.ReadTimeout):
        client.post(SUBMIT, json=body, headers=bearer(key, token), timeout=0.1)
    assert until(lambda: upstream.sandbox.bodies("chat", token))
    time.sleep(0.3)
    assert (asked(upstream, token), upstream.sandbox.submits("dashscope", key)) == (1, 0)
    # Who comes back with the same request is charged once, and the prompt is not paid again.
    headers = bearer(key, token) | {"x-stainless-retry-count": "1"}
    answer = client.post(SUBMIT, json=body, headers=headers)
    assert answer.json()["revised_prompt"] == made_with(upstream, key)
    assert (asked(upstream, token), upstream.sandbox.submits("dashscope", key)) == (1, 1)


def test_retry_of_a_client_that_left_joins_the_rewriting(
    client: httpx.Client, upstream: SandboxServer, key: str
) -> None:
    body, headers = {**BODY, "prompt": "a cat #delay=0.25"}, bearer(key) | {"Idempotency-Key": key}
    with pytest.raises(httpx.ReadTimeout):
        client.post(SUBMIT, json=body, headers=headers, timeout=0.1)
    answer = client.post(SUBMIT, json=body, headers=headers)
    assert answer.json()["revised_prompt"] == made_with(upstream, key)
    assert (asked(upstream, key), upstream.sandbox.submits("dashscope", key)) == (1, 1)


def test_client_that_leaves_a_rewriting_alone_ends_the_call(
    client: httpx.Client, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    """Its line is written when the call has ended, long before the time limit."""
    with caplog.at_level(logging.INFO, "gateway"), pytest.raises(httpx.ReadTimeout):
        client.post(PROMPTS, json={"prompt": "a cat #say=hang"}, headers=bearer(key), timeout=0.1)

    def line() -> bool:
        rows = [record.fields for record in caplog.records if hasattr(record, "fields")]
        return [row["status"] for row in rows if row.get("path") == PROMPTS] == [499]

    with caplog.at_level(logging.INFO, "gateway"):
        assert until(line)


@pytest.fixture
def replica(upstream: SandboxServer) -> Iterator[httpx.Client]:
    with (
        BackgroundServer(create_app(settings_for(upstream), clock=FastClock())) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        yield client


def test_task_that_another_replica_made_is_found_without_a_rewriting(
    client: httpx.Client, replica: httpx.Client, upstream: SandboxServer, session: str
) -> None:
    token = new_token()
    headers = {"Idempotency-Key": session}
    first = submit(client, f"{session},{token}", model=JIMENG, headers=headers)
    # The upstream lists a new task after a moment.
    time.sleep(0.15)
    again = submit(replica, f"{session},{token}", model=JIMENG, headers=headers)
    assert again["task_id"] == first["task_id"]
    assert "revised_prompt" in first and "revised_prompt" not in again
    assert (asked(upstream, token), upstream.sandbox.submits("jimeng", session)) == (1, 1)
