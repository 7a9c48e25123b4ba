"""`[api] hold_submits` and `unknown_fields`: what they change for clients."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from gateway.api.schemas.responses import WaitedTask
from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import ApiSettings
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import FastClock, bearer, settings_for
from tests.e2e.generations import SUBMIT, WAN, error_of

SYNCHRONOUS, OTHER = "gw-synchronous", "gw-other"


@contextmanager
def gateway_of(upstream: SandboxServer, **settings: Any) -> Iterator[httpx.Client]:
    app = create_app(settings_for(upstream, **settings), clock=FastClock())
    with BackgroundServer(app) as server, httpx.Client(base_url=server.url, timeout=10) as client:
        yield client


@pytest.fixture(scope="module")
def holding(upstream: SandboxServer) -> Iterator[httpx.Client]:
    with gateway_of(upstream, api=ApiSettings(hold_submits=True)) as client:
        yield client


@pytest.fixture(scope="module")
def holding_for_one(upstream: SandboxServer) -> Iterator[httpx.Client]:
    with gateway_of(
        upstream,
        api=ApiSettings(hold_submits=("synchronous",)),
        keys=(SecretStr(f"synchronous:{SYNCHRONOUS}"), SecretStr(f"other:{OTHER}")),
        secret=(SecretStr("a long random text for tests"),),
        providers=upstream.settings(dashscope={"credentials": ("sk-held",), "queries_per_second": 0.0}),
    ) as client:
        yield client


def submit(
    client: httpx.Client, credential: str, fields: dict[str, Any] | None = None, path: str = SUBMIT, prefer: str = ""
) -> httpx.Response:
    headers = bearer(credential) | ({"Prefer": prefer} if prefer else {})
    return client.post(path, json={"model": WAN, "prompt": "a cat"} | (fields or {}), headers=headers)


def assert_held(answer: httpx.Response) -> None:
    assert answer.status_code == 200, answer.text
    task = answer.json()
    WaitedTask.model_validate(task)
    assert task["status"] == "completed"
    assert task["data"][0]["url"] == task["result"]["url"]
    assert answer.headers["preference-applied"].startswith("wait=")


def assert_at_once(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["status"]) == (200, "pending")
    assert "preference-applied" not in answer.headers
    assert "data" not in answer.json()


class TestHoldSubmits:
    @pytest.mark.parametrize("path", [SUBMIT, "/v1/video/generations", "/v1/v1/videos/generations/"])
    def test_submit_is_answered_with_the_video(self, holding: httpx.Client, key: str, path: str) -> None:
        assert_held(submit(holding, key, path=path))

    @pytest.mark.parametrize("said", [{"async": True}, {"wait_completion": False}, {"sync": False}])
    def test_request_that_does_not_wait_is_answered_at_once(
        self, holding: httpx.Client, key: str, said: dict[str, bool]
    ) -> None:
        assert_at_once(submit(holding, key, said))

    def test_prefer_goes_before_the_setting(self, holding: httpx.Client, key: str) -> None:
        answer = submit(holding, key, {"prompt": "a cat #pending"}, prefer="wait=0")
        assert (answer.status_code, answer.json()["status"]) == (202, "pending")
        assert answer.headers["preference-applied"] == "wait=0"

    def test_respond_async_goes_before_the_setting(self, holding: httpx.Client, key: str) -> None:
        answer = submit(holding, key, {"prompt": "a cat #pending"}, prefer="respond-async")
        assert (answer.status_code, answer.json()["status"]) == (200, "pending")

    def test_prefer_goes_before_the_body(self, holding: httpx.Client, key: str) -> None:
        assert_held(submit(holding, key, {"async": True}, prefer="wait=250"))

    def test_openai_surface_answers_at_once(self, holding: httpx.Client, key: str) -> None:
        assert submit(holding, key, path="/v1/videos").json()["status"] == "queued"

    def test_failed_video_is_the_answer(self, holding: httpx.Client, key: str) -> None:
        answer = submit(holding, key, {"prompt": "a cat #fail=DataInspectionFailed"})
        assert (answer.status_code, answer.json()["status"]) == (200, "failed")
        assert answer.json()["error_code"]

    def test_warnings_come_with_the_held_answer(self, holding: httpx.Client, key: str) -> None:
        answer = submit(holding, key, {"fps": 24})
        assert_held(answer)
        assert answer.json()["warnings"] == [{"code": "ignored_field", "field": "fps"}]
        assert answer.headers["x-gateway-warnings"] == "ignored_field fps"

    def test_only_keys_of_the_list_are_held(self, holding_for_one: httpx.Client) -> None:
        assert_held(submit(holding_for_one, SYNCHRONOUS))
        assert_at_once(submit(holding_for_one, OTHER))

    @pytest.mark.parametrize("said", [{"wait_completion": True}, {"async": False}, {"sync": True}])
    def test_other_key_may_ask_for_it(self, holding_for_one: httpx.Client, said: dict[str, bool]) -> None:
        assert_held(submit(holding_for_one, OTHER, said))


UNKNOWN = {"num_frames": 81, "fps": 24, "colour_grading": "warm", "user": "u1"}
"""One that decides the video, two that decide nothing, and one that is understood and means nothing."""


class TestUnknownFields:
    def test_check_refuses_what_decides_the_video(self, client: httpx.Client, key: str) -> None:
        error = error_of(submit(client, key, UNKNOWN), 400, "invalid_value")
        assert error["param"] == "num_frames"
        assert "duration" in error["message"]

    def test_check_ignores_the_others_with_a_warning(self, client: httpx.Client, key: str) -> None:
        answer = submit(client, key, {name: value for name, value in UNKNOWN.items() if name != "num_frames"})
        assert answer.status_code == 200
        assert [row["field"] for row in answer.json()["warnings"]] == ["fps", "colour_grading"]

    def test_ignore_ignores_all_with_a_warning(self, upstream: SandboxServer, key: str) -> None:
        with gateway_of(upstream, api=ApiSettings(unknown_fields="ignore")) as client:
            answer = submit(client, key, UNKNOWN)
            assert answer.status_code == 200, answer.text
            assert [row["field"] for row in answer.json()["warnings"]] == ["num_frames", "fps", "colour_grading"]
            assert answer.headers["x-gateway-warnings"].count("ignored_field") == 3

    @pytest.mark.parametrize("path", [SUBMIT, "/v1/videos"])
    def test_refuse_refuses_all(self, upstream: SandboxServer, key: str, path: str) -> None:
        with gateway_of(upstream, api=ApiSettings(unknown_fields="refuse")) as client:
            error = error_of(submit(client, key, {"colour_grading": "warm"}, path), 400, "invalid_value")
            assert error["param"] == "colour_grading"
            assert submit(client, key, {"user": "u1", "aspectRatio": "16:9"}, path).status_code == 200
        assert upstream.sandbox.submits("dashscope", key) == 1
