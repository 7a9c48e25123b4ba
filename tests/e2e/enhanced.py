"""Submits with a rewritten prompt, and what the sandbox's upstreams saw of them."""

import itertools
import time
from typing import Any

import httpx

from gateway.api.schemas.responses import RevisedPrompt, TaskAccepted
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import bearer

SUBMIT, PROMPTS = "/v1/videos/generations", "/v1/videos/prompts"
JIMENG, WAN, WAN_IMAGE = "jimeng-video-3.0-fast", "wan2.6-t2v", "wan2.6-i2v"
ENDING = "cinematic look, true colours."
_numbers = itertools.count(1)


def new_token(word: str = "token") -> str:
    """A ModelScope token that no other test uses."""
    return f"ms-{word}-{next(_numbers)}x{time.time_ns()}"


def submit(client: httpx.Client, credential: str, prompt: str = "a cat", **body: Any) -> dict[str, Any]:
    """The answer to a submit that asks for a rewritten prompt, in English."""
    headers = {**bearer(credential), "Accept-Language": "en", **body.pop("headers", {})}
    fields = {"model": WAN, "prompt": prompt, "enhance_prompt": True, **body}
    answer = client.post(SUBMIT, json=fields, headers=headers)
    assert answer.status_code == 200, answer.text
    TaskAccepted.model_validate(answer.json())
    return answer.json()  # type: ignore[no-any-return]


def prompt_of(client: httpx.Client, credential: str, prompt: str = "a cat", **body: Any) -> dict[str, Any]:
    answer = client.post(PROMPTS, json={"prompt": prompt, **body}, headers=bearer(credential))
    assert answer.status_code == 200, answer.text
    RevisedPrompt.model_validate(answer.json())
    return answer.json()  # type: ignore[no-any-return]


def reason_of(answer: dict[str, Any]) -> str:
    """The reason in the only warning of an answer, whose sentence is in English."""
    (warning,) = answer["warnings"]
    assert (warning["code"], warning["field"]) == ("not_enhanced", "enhance_prompt")
    assert warning["message"].startswith("The prompt was not rewritten, and the video uses the original one. Reason: ")
    assert "revised_prompt" not in answer
    return warning["value"]  # type: ignore[no-any-return]


def made_with(upstream: SandboxServer, key: str) -> str:
    """The prompt of the only video of a DashScope key."""
    (body,) = upstream.sandbox.bodies("dashscope", key)
    return body["input"]["prompt"]  # type: ignore[no-any-return]


def asked(upstream: SandboxServer, credential: str) -> int:
    """How often a credential called a language model."""
    paths = ("/v1/chat/completions", "/compatible-mode/v1/chat/completions")
    return sum(upstream.sandbox.calls("chat", path, credential) for path in paths)
