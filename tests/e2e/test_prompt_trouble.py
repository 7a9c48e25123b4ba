"""Whatever is wrong with the rewriting, the video is made with the original prompt, and a warning says why."""

import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import FastClock, bearer, settings_for
from tests.e2e.enhanced import JIMENG, PROMPTS, SUBMIT, WAN, asked, made_with, new_token, prompt_of, reason_of, submit
from tests.e2e.generations import error_of
from tests.e2e.test_log_lines import line_of


@pytest.mark.parametrize(
    ("say", "reason"),
    [
        ("empty", "empty"),
        ("refusal", "refused"),
        ("filtered", "refused"),
        ("long", "too_long"),
        ("thought", "empty"),
        ("cut", "interrupted"),
        ("fail", "interrupted"),
        ("status", "upstream_unavailable"),
    ],
)
def test_bad_answer_leaves_the_prompt_as_it_is(
    client: httpx.Client, upstream: SandboxServer, key: str, say: str, reason: str
) -> None:
    answer = submit(client, key, f"a cat #say={say}", lighting="soft")
    assert reason_of(answer) == reason
    assert made_with(upstream, key) == f"柔和光线，a cat #say={say}"


def test_junk_around_the_answer_is_removed(client: httpx.Client, upstream: SandboxServer, key: str) -> None:
    for prompt in ("a cat #say=junk", "一只猫 #say=junk"):
        revised = submit(client, key, prompt)["revised_prompt"]
        assert revised == prompt_of(client, key, prompt.removesuffix("=junk") + "=other")["revised_prompt"].replace(
            "=other", "=junk"
        )


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("expired", "invalid_api_key"),
        ("poor", "insufficient_quota"),
        ("limited", "insufficient_quota"),
        ("shark", "rate_limit_exceeded"),
    ],
)
def test_account_without_access_leaves_the_prompt_as_it_is(
    client: httpx.Client, upstream: SandboxServer, session: str, word: str, reason: str
) -> None:
    answer = submit(client, f"{session},{new_token(word)}", model=JIMENG)
    assert reason_of(answer) == reason
    assert upstream.sandbox.submits("jimeng", session) == 1


def test_caller_without_a_language_account_is_told_what_to_add(client: httpx.Client, session: str) -> None:
    answer = submit(client, session, model=JIMENG)
    assert reason_of(answer) == "no_account"
    assert "ms-" in answer["warnings"][0]["message"] and "sk-" in answer["warnings"][0]["message"]


def test_warning_is_in_the_header_and_in_the_language_of_the_client(client: httpx.Client, session: str) -> None:
    body = {"model": JIMENG, "prompt": "a cat", "enhancePrompt": True}
    answer = client.post("/v1/videos", json=body, headers=bearer(session) | {"Accept-Language": "zh"})
    assert answer.headers["x-gateway-warnings"] == "not_enhanced enhancePrompt=no_account"
    (warning,) = answer.json()["warnings"]
    assert warning["message"].startswith("提示词未改写，视频使用原提示词。原因：改写提示词需要语言模型的凭证")


def test_prompt_longer_than_the_model_takes_is_refused_before_any_call(
    client: httpx.Client, upstream: SandboxServer, key: str
) -> None:
    body = {"model": WAN, "prompt": "x" * 1501, "enhance_prompt": True}
    assert error_of(client.post(SUBMIT, json=body, headers=bearer(key)), 400, "invalid_value")["param"] == "prompt"
    assert asked(upstream, key) == 0
    # The sandbox adds a hundred characters.
    answer = submit(client, key, "x" * 1450)
    assert reason_of(answer) == "too_long"
    assert "1500" in answer["warnings"][0]["message"]


@pytest.fixture
def impatient(upstream: SandboxServer) -> Iterator[httpx.Client]:
    """A gateway that waits 0.2 s for a prompt."""
    app = create_app(settings_for(upstream), clock=FastClock())
    app.state.services.prompts.enhancer.time_limit = 0.2
    with BackgroundServer(app) as server, httpx.Client(base_url=server.url) as client:
        yield client


def test_model_that_takes_too_long_is_not_waited_for(
    impatient: httpx.Client, upstream: SandboxServer, key: str
) -> None:
    assert reason_of(submit(impatient, key, "a cat #say=hang")) == "timeout"
    assert made_with(upstream, key) == "a cat #say=hang"
    answer = impatient.post(PROMPTS, json={"prompt": "a cat #say=hang"}, headers=bearer(key))
    assert error_of(answer, 502, "upstream_unavailable")


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({"prompt": "a cat #say=empty"}, 502, "upstream_error", None),
        ({"prompt": "a cat #say=refusal"}, 400, "content_policy_violation", None),
        ({"prompt": "a cat #say=long"}, 502, "upstream_error", None),
        ({"prompt": "a cat #say=cut"}, 502, "upstream_unavailable", None),
        ({"prompt": "a cat #quota"}, 429, "insufficient_quota", None),
        ({"prompt": "a cat #throttle"}, 429, "rate_limit_exceeded", None),
        ({"prompt": " "}, 400, "invalid_value", "prompt"),
        ({}, 400, "invalid_value", "prompt"),
        ({"prompt": "x" * 5001}, 400, "invalid_value", "prompt"),
        ({"prompt": 7}, 400, "invalid_value", "prompt"),
        ({"prompt": "a cat", "model": "gpt-5"}, 404, "model_not_found", "model"),
        ({"prompt": "a cat", "durations": 5}, 400, "invalid_value", "durations"),
    ],
)
def test_rewriting_alone_ends_with_an_error(
    client: httpx.Client, key: str, body: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    error = error_of(client.post(PROMPTS, json=body, headers=bearer(key)), status, code)
    assert error["param"] == param


def test_rewriting_alone_needs_a_credential(client: httpx.Client, session: str) -> None:
    assert error_of(client.post(PROMPTS, json={"prompt": "a cat"}), 401, "invalid_api_key")
    assert error_of(client.post(PROMPTS, json={"prompt": "a cat"}, headers=bearer(session)), 401, "invalid_api_key")
    assert error_of(
        client.post(PROMPTS, json={"prompt": "a cat"}, headers=bearer(new_token("expired"))), 401, "invalid_api_key"
    )


def test_rewriting_alone_works_with_any_language_account(client: httpx.Client, upstream: SandboxServer) -> None:
    token = new_token()
    done = prompt_of(client, token, lighting="soft", n=1, user="u")
    assert done["prompt"] == "a cat"
    assert done["revised_prompt"].startswith("a cat, soft. ")
    assert "model" not in done
    assert prompt_of(client, token, model=WAN)["model"] == WAN
    assert prompt_of(client, token, image_url="https://host.example/a.png")["language_model"].endswith(
        "VL-235B-A22B-Instruct"
    )
    assert upstream.sandbox.submits("dashscope", token) == 0


def test_log_line_tells_the_outcome_and_never_the_prompt(
    client: httpx.Client, caplog: pytest.LogCaptureFixture, key: str, session: str
) -> None:
    secret, headers = "a purple walrus", bearer(key)
    body = {"model": WAN, "prompt": secret, "enhance_prompt": True}
    with caplog.at_level(logging.INFO, "gateway"):
        line = line_of(caplog, client.post(SUBMIT, json=body, headers=headers))
        assert (line["enhance"], line["enhance_model"], line["model"]) == ("ok", "qwen-plus", WAN)
        assert line["enhance_account"] == line["account"]
        line = line_of(caplog, client.post(SUBMIT, json=body | {"model": JIMENG}, headers=bearer(session)))
        assert (line["enhance"], line["model"]) == ("no_account", JIMENG)
        line = line_of(
            caplog, client.post(SUBMIT, json=body | {"prompt": f"{secret} #refuse=Arrearage"}, headers=headers)
        )
        assert (line["status"], line["enhance"]) == (429, "insufficient_quota")
        headers = bearer(f"{key}x")
        line = line_of(caplog, client.post(PROMPTS, json=body, headers=headers))
        assert (line["enhance"], line["model"]) == ("ok", "qwen-plus")
        line = line_of(caplog, client.post(PROMPTS, json={"prompt": f"{secret} #say=empty"}, headers=headers))
        assert (line["enhance"], line["code"]) == ("empty", "upstream_error")
    assert "walrus" not in caplog.text
    assert not any("walrus" in str(getattr(record, "fields", "")) for record in caplog.records)
