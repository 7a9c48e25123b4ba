"""Limits per gateway key, as OpenAI's library, curl, DashScope's API and a WebSocket see them, and across a reload."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from pydantic import SecretStr
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.key_limit_settings import KeyLimits, KeyLimitSettings
from gateway.core.settings_loader import load_settings
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import FastClock, bearer, settings_for

REMAINING = "x-ratelimit-remaining-requests"
pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")

ADMIN = "admin-secret-key"
VIDEO = {"model": "wan2.6-t2v", "prompt": "a cat"}
NAMES = ("rate", "day", "tasks", "models", "free", "seconds", "stream", "polls-shortcut", "polls-middleware")


@pytest.fixture(scope="module")
def url(upstream: SandboxServer) -> Iterator[str]:
    keys = {
        "rate": KeyLimits(requests_per_second=0.05, burst=4),
        "stream": KeyLimits(requests_per_second=0.001, burst=2),
        "polls-shortcut": KeyLimits(requests_per_second=0.001, burst=100),
        "polls-middleware": KeyLimits(requests_per_second=0.001, burst=100),
        "day": KeyLimits(submits_per_day=2),
        "seconds": KeyLimits(video_seconds_per_day=6),
        "tasks": KeyLimits(running_tasks=1),
        "models": KeyLimits(models=("wan2.6-*", "qwen-*"), providers=("dashscope",)),
    }
    settings = settings_for(
        upstream,
        keys=tuple(SecretStr(f"{name}:gw-{name}") for name in NAMES),
        secret=(SecretStr("a long enough secret"),),
        admin_key=SecretStr(ADMIN),
        key_limits=KeyLimitSettings(keys=keys, time_zone="UTC"),
        language="en",
        poll_freshness=0.2,
        dashscope={"credentials": (SecretStr("sk-limits-1"),)},
        jimeng={"credentials": (SecretStr("limitssession1"),)},
    )
    with BackgroundServer(create_app(settings, clock=FastClock())) as gateway:
        yield gateway.url


@pytest.fixture
def connect_as(url: str) -> Iterator[Callable[..., openai.OpenAI]]:
    """OpenAI's library with one of the keys."""
    with ExitStack() as opened:
        yield lambda name, **options: opened.enter_context(
            openai.OpenAI(base_url=f"{url}/v1", api_key=f"gw-{name}", **options)
        )


@pytest.fixture
def http_as(url: str) -> Iterator[Callable[[str], httpx.Client]]:
    with ExitStack() as opened:
        yield lambda name: opened.enter_context(httpx.Client(base_url=url, headers=bearer(f"gw-{name}"), timeout=10))


def usage_of(url: str, name: str) -> dict[str, Any]:
    answer = httpx.get(f"{url}/v1/usage", headers=bearer(f"gw-{name}"))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_day_is_used_up_for_openais_library(url: str, connect_as: Callable[..., openai.OpenAI]) -> None:
    client = connect_as("day")
    answer = client.videos.with_raw_response.create(model=VIDEO["model"], prompt="a cat")
    assert answer.headers["x-ratelimit-limit-submits"] == "2"
    assert answer.headers["x-ratelimit-remaining-submits"] == "1"
    assert answer.headers["x-ratelimit-reset-submits"].endswith("s")
    client.videos.create(model=VIDEO["model"], prompt="a dog")
    began = time.monotonic()
    with pytest.raises(openai.RateLimitError) as caught:
        client.videos.create(model=VIDEO["model"], prompt="a bird")
    assert time.monotonic() - began < 2, "the library has retried"
    error = caught.value
    assert (error.code, error.type, error.status_code) == ("insufficient_quota", "insufficient_quota", 429)
    assert error.response.headers["x-should-retry"] == "false"
    assert 0 < int(error.response.headers["retry-after"]) <= 86_400
    assert "its 2 submits of today" in str(error)
    # The other surfaces count for the same key, each with its own form of errors.
    body = {"model": VIDEO["model"], "input": {"prompt": "a cat"}, "parameters": {}}
    headers = {**bearer("gw-day"), "X-DashScope-Async": "enable"}
    native = httpx.post(f"{url}/api/v1/services/aigc/video-generation/video-synthesis", json=body, headers=headers)
    assert native.status_code == 400
    assert set(native.json()) == {"code", "message", "request_id"}
    assert "submits of today" in native.json()["message"]
    generations = httpx.post(f"{url}/v1/videos/generations", json=VIDEO, headers=bearer("gw-day"))
    assert generations.json()["error"]["code"] == "insufficient_quota"
    used = usage_of(url, "day")
    assert used["submits"] == {"used": 2, "limit": 2, "remaining": 0}
    assert used["running_tasks"] == {"used": 2}
    assert used["resets_at"] % 86_400 == 0


def test_rate_is_read_by_openais_library_and_curl(url: str, connect_as: Callable[..., openai.OpenAI]) -> None:
    client = connect_as("rate", max_retries=0)
    answer = client.models.with_raw_response.list()
    assert answer.headers["x-ratelimit-limit-requests"] == "4"
    assert answer.headers[REMAINING] == "3"
    assert answer.headers["x-ratelimit-reset-requests"] == "20s"
    command = ["curl", "-s", "-D", "-", "-o", "-", "-H", "Authorization: Bearer gw-rate", f"{url}/v1/models"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "x-ratelimit-remaining-requests: 2" in shown
    assert [client.models.with_raw_response.list().headers[REMAINING] for _ in "ab"] == [
        "1",
        "0",
    ]
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="qwen-plus", messages=[{"role": "user", "content": "hello"}])
    headers = caught.value.response.headers
    assert (headers["x-should-retry"], headers[REMAINING]) == ("true", "0")
    assert 0 < int(headers["retry-after"]) <= 20
    assert caught.value.code == "rate_limit_exceeded"


def test_streams_count_when_they_open(url: str) -> None:
    id = httpx.post(f"{url}/v1/videos/generations", json=VIDEO, headers=bearer("gw-stream")).json()["task_id"]
    with httpx.stream("GET", f"{url}/v1/videos/tasks/{id}/events", headers=bearer("gw-stream"), timeout=10) as events:
        assert events.headers[REMAINING] == "0"
        assert "event: end" in "".join(events.iter_text())
    assert httpx.get(f"{url}/v1/videos/tasks/{id}/events", headers=bearer("gw-stream")).status_code == 429
    socket = f"{url.replace('http', 'ws', 1)}/v1/videos/tasks/ws"
    with pytest.raises(InvalidStatus) as caught:
        connect(socket, additional_headers=bearer("gw-stream"))
    assert caught.value.response.status_code == 429
    with connect(socket) as late:
        for _ in range(2):
            late.send(json.dumps({"authorization": "gw-stream"}))
            assert json.loads(late.recv())["error"]["code"] == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("name", "origin"), [("polls-shortcut", {}), ("polls-middleware", {"Origin": "https://example.com"})]
)
def test_cached_polls_count_and_tell_what_is_left(
    http_as: Callable[[str], httpx.Client], name: str, origin: dict[str, str]
) -> None:
    free, polled = http_as("free"), http_as(name)
    id = free.post("/v1/videos/generations", json=VIDEO).json()["task_id"]
    unlimited = free.get(f"/v1/videos/tasks/{id}", headers=origin)
    assert not [header for header in unlimited.headers if header.startswith("x-ratelimit")]
    id = polled.post("/v1/videos/generations", json=VIDEO).json()["task_id"]
    left = int(polled.get("/v1/models").headers[REMAINING])
    assert REMAINING not in polled.get(f"/v1/videos/tasks/{id}", headers=origin).headers
    for _ in range(left - 50):
        polled.get(f"/v1/videos/tasks/{id}", headers=origin)
    answers = [polled.get(f"/v1/videos/tasks/{id}", headers=origin) for _ in range(5)]
    assert [int(answer.headers[REMAINING]) for answer in answers] == [48, 47, 46, 45, 44]
    while int(polled.get("/v1/models").headers[REMAINING]) > 1:
        pass
    last, refused = (polled.get(f"/v1/videos/tasks/{id}", headers=origin) for _ in range(2))
    assert (last.status_code, last.headers[REMAINING]) == (200, "0")
    assert (refused.status_code, refused.headers[REMAINING]) == (429, "0")
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"


def test_running_tasks_of_a_key(url: str, http_as: Callable[[str], httpx.Client]) -> None:
    client = http_as("tasks")
    first = client.post("/v1/videos/generations", json=VIDEO)
    assert first.headers["x-ratelimit-remaining-tasks"] == "0"
    refused = client.post("/v1/videos/generations", json={**VIDEO, "prompt": "a dog"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert refused.headers["x-should-retry"] == "true"
    assert int(refused.headers["retry-after"]) > 0
    give_up = time.monotonic() + 8
    while usage_of(url, "tasks")["running_tasks"]["used"] and time.monotonic() < give_up:
        client.get(f"/v1/videos/tasks/{first.json()['task_id']}", headers={"Cache-Control": "no-cache"})
        time.sleep(0.05)
    assert client.post("/v1/videos/generations", json=VIDEO).status_code == 200


def test_refused_by_the_upstream_costs_nothing(url: str, http_as: Callable[[str], httpx.Client]) -> None:
    client = http_as("seconds")
    for _ in range(3):
        refused = client.post("/v1/videos/generations", json={**VIDEO, "prompt": "#refuse a cat"})
        assert refused.status_code == 400, refused.text
    assert usage_of(url, "seconds")["video_seconds"]["used"] == 0
    assert client.post("/v1/videos/generations", json={**VIDEO, "duration": 5}).status_code == 200
    left = client.post("/v1/videos/generations", json={**VIDEO, "duration": 5})
    assert left.json()["error"]["code"] == "insufficient_quota"
    assert usage_of(url, "seconds")["video_seconds"] == {"used": 5, "limit": 6, "remaining": 1}


def test_models_of_a_key(url: str, connect_as: Callable[..., openai.OpenAI]) -> None:
    client = connect_as("models")
    names = {model.id for model in client.models.list()}
    assert names
    assert all(name.startswith(("wan2.6-", "qwen-", "sora-2")) for name in names)
    with pytest.raises(openai.NotFoundError) as caught:
        client.videos.create(model="wan2.5-t2v-preview", prompt="a cat")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert "may not use" in str(caught.value)
    for model in ("jimeng-video-3.0", "wan2.5-t2v-preview", "text-embedding-v4"):
        assert httpx.get(f"{url}/v1/models/{model}", headers=bearer("gw-models")).status_code == 404
    with pytest.raises(openai.NotFoundError, match="may not use"):
        client.embeddings.create(model="text-embedding-v4", input="a cat")
    body = {"model": "wan2.5-t2v-preview", "input": {"prompt": "a cat"}}
    headers = {**bearer("gw-models"), "X-DashScope-Async": "enable"}
    native = httpx.post(f"{url}/api/v1/services/aigc/video-generation/video-synthesis", json=body, headers=headers)
    assert (native.status_code, native.json()["code"]) == (404, "ModelNotFound")
    assert client.videos.create(model="sora-2", prompt="a cat").model.startswith("wan2.6-")


def test_admin_sees_all_keys_and_a_key_its_own(url: str) -> None:
    answer = httpx.get(f"{url}/v1/usage", headers=bearer(ADMIN))
    assert [row["key"] for row in answer.json()["data"]] == list(NAMES)
    assert "gw-" not in answer.text
    assert usage_of(url, "free")["key"] == "free"
    for headers in ({}, bearer("gw-unknown"), bearer("sk-stranger")):
        assert httpx.get(f"{url}/v1/usage", headers=headers).status_code == 401
    exposed = httpx.get(f"{url}/v1/models", headers={**bearer("gw-free"), "Origin": "https://example.com"})
    assert REMAINING in exposed.headers["access-control-expose-headers"]


def test_own_credential_has_no_usage(upstream: SandboxServer) -> None:
    with BackgroundServer(create_app(settings_for(upstream))) as gateway:
        answer = httpx.get(f"{gateway.url}/v1/usage", headers=bearer("sk-own"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
        assert httpx.get(f"{gateway.url}/v1/usage").json() == {"object": "list", "data": []}


def test_reload_changes_limits_and_keeps_the_counts(
    upstream: SandboxServer, key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gateway.reload.CHECK_SECONDS", 0.02)

    def configure(submits: int) -> None:
        lines = [
            'keys = ["alice:gw-alice"]',
            'secret = ["a long enough secret"]',
            f'dashscope_api_key = ["{key}"]',
            f'dashscope_base_url = "{upstream.dashscope_url}"',
            f"[key_limits]\nsubmits_per_day = {submits}",
        ]
        Path("gateway.new").write_text("\n".join(lines), "utf-8")
        Path("gateway.new").replace("gateway.toml")

    configure(1)
    with BackgroundServer(create_app(load_settings(), reload=True)) as gateway:

        def submit() -> int:
            answer = httpx.post(f"{gateway.url}/v1/videos/generations", json=VIDEO, headers=bearer("gw-alice"))
            return answer.status_code

        assert [submit(), submit()] == [200, 429]
        configure(2)
        give_up = time.monotonic() + 8
        while usage_of(gateway.url, "alice")["submits"]["limit"] != 2 and time.monotonic() < give_up:
            time.sleep(0.02)
        assert usage_of(gateway.url, "alice")["submits"] == {"used": 1, "limit": 2, "remaining": 1}
        assert [submit(), submit()] == [200, 429]
