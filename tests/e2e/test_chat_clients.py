"""OpenAI's own library, unchanged, chats and embeds through the gateway with the sandbox behind it."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from providers.sandbox.server import SandboxServer

MODELSCOPE, COMPATIBLE = "Qwen/Qwen3-8B", "qwen-plus"
SEEING = "Qwen/Qwen3-VL-235B-A22B-Instruct"
each_model = pytest.mark.parametrize("model", [MODELSCOPE, COMPATIBLE])
TOOL: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
    },
}


def say(text: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": text}]


@pytest.fixture
def token() -> str:
    """A ModelScope token that no other test uses."""
    return f"ms-token{time.time_ns()}"


@pytest.fixture
def openai_client(url: str, token: str, key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=f"{token},{key}", max_retries=0) as client:
        yield client


@each_model
def test_chat_answers_with_usage(openai_client: openai.OpenAI, model: str) -> None:
    answer = openai_client.chat.completions.create(model=model, messages=say("hello"))
    assert answer.choices[0].message.content == "You said: hello"
    assert answer.model == model
    assert answer.usage is not None
    assert answer.usage.total_tokens == 4


@each_model
def test_stream_has_every_word_and_the_usage(openai_client: openai.OpenAI, model: str) -> None:
    stream = openai_client.chat.completions.create(
        model=model, messages=say("one two three"), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    words = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert [word for word in words if word] == ["You", " said:", " one", " two", " three"]
    assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == [8]


@each_model
@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_called(openai_client: openai.OpenAI, model: str, stream: bool) -> None:
    messages = say("Paris")
    if stream:
        with openai_client.chat.completions.stream(model=model, messages=messages, tools=[TOOL]) as events:
            message = events.get_final_completion().choices[0].message
    else:
        message = (
            openai_client.chat.completions.create(model=model, messages=messages, tools=[TOOL]).choices[0].message  # type: ignore[assignment]
        )
    assert message.tool_calls is not None
    call = message.tool_calls[0]
    assert call.type == "function"
    assert (call.function.name, call.function.arguments) == ("weather", '{"city":"Paris","days":1}')
    history: list[Any] = [*messages, message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    answer = openai_client.chat.completions.create(model=model, messages=history, tools=[TOOL])
    assert answer.choices[0].message.content == "The tool said: sunny"


def test_reasoning_comes_through(openai_client: openai.OpenAI) -> None:
    stream = openai_client.chat.completions.create(
        model="qwq-plus", messages=say("hello"), stream=True, extra_body={"enable_thinking": True}
    )
    deltas = [chunk.choices[0].delta for chunk in stream]
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas).startswith("The user")


def test_body_reaches_the_upstream_untouched(openai_client: openai.OpenAI, upstream: SandboxServer, token: str) -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}
    messages: list[Any] = [{"role": "user", "content": [{"type": "text", "text": "see"}, picture]}]
    own: dict[str, Any] = {"top_k": 3, "own": {"a": [1.5]}}
    openai_client.chat.completions.create(model=SEEING, messages=messages, temperature=0.5, extra_body=own)
    bodies = upstream.sandbox.bodies("chat", token)
    assert bodies == [{"model": SEEING, "messages": messages, "temperature": 0.5, **own}]


@pytest.mark.parametrize(
    ("model", "length"),
    [("text-embedding-v4", 1024), ("text-embedding-v2", 1536), ("Qwen/Qwen3-Embedding-0.6B", 1024)],
)
def test_embeddings_are_those_of_the_texts(openai_client: openai.OpenAI, model: str, length: int) -> None:
    rows = openai_client.embeddings.create(model=model, input=["a", "b", "a"]).data
    assert [len(row.embedding) for row in rows] == [length] * 3
    assert rows[0].embedding == rows[2].embedding != rows[1].embedding


def test_models_of_every_kind_are_listed(openai_client: openai.OpenAI) -> None:
    kinds = {model.id: getattr(model, "type", None) for model in openai_client.models.list()}
    assert {kinds[MODELSCOPE], kinds[COMPATIBLE], kinds["text-embedding-v4"], kinds["wan2.6-t2v"]} == {
        "chat",
        "embedding",
        "video",
    }
    # The lists are read live: these are of pictures and sounds.
    assert not kinds.keys() & {"Qwen/Qwen-Image", "qwen-image-plus", "qwen3-tts-flash"}
    assert openai_client.models.retrieve(MODELSCOPE).owned_by == "modelscope"


@pytest.mark.parametrize(
    ("model", "text", "error", "code"),
    [
        ("gpt-5", "x", openai.NotFoundError, "model_not_found"),
        (MODELSCOPE, "#throttle", openai.RateLimitError, "rate_limit_exceeded"),
        (MODELSCOPE, "#quota", openai.RateLimitError, "insufficient_quota"),
        (COMPATIBLE, "#refuse=data_inspection_failed", openai.BadRequestError, "content_policy_violation"),
        (COMPATIBLE, "#refuse=invalid_parameter_error", openai.BadRequestError, "invalid_value"),
        (COMPATIBLE, "#refuse=access_denied", openai.PermissionDeniedError, "account_restricted"),
        (COMPATIBLE, "#status=503", openai.InternalServerError, "upstream_unavailable"),
        (COMPATIBLE, "#lost-before", openai.InternalServerError, "upstream_unavailable"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_are_those_of_the_library(
    openai_client: openai.OpenAI, model: str, text: str, error: type[openai.APIStatusError], code: str, stream: bool
) -> None:
    with pytest.raises(error) as caught:
        openai_client.chat.completions.create(model=model, messages=say(text), stream=stream)
    assert caught.value.code == code


@pytest.mark.parametrize("credential", ["ms-expired", "sk-expired"])
def test_rejected_credential_is_an_authentication_error(url: str, credential: str) -> None:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=credential) as client, pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(messages=say("x"), model=MODELSCOPE if "ms" in credential else COMPATIBLE)


def test_library_retries_what_the_upstream_failed_once(
    url: str, key: str, upstream: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("openai._base_client.time.sleep", pauses.append)
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=1) as client:
        answer = client.chat.completions.create(model=COMPATIBLE, messages=say("#status=503 #times=1"))
    assert answer.choices[0].message.content == "You said: #status=503 #times=1"
    assert upstream.sandbox.submits("chat", key) == 1
    assert pauses == [1]


def test_next_account_answers_for_one_that_is_refused(url: str, token: str, upstream: SandboxServer) -> None:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=f"ms-poor-{token},ms-limited-{token},{token}") as client:
        for _ in range(3):
            assert client.chat.completions.create(model=MODELSCOPE, messages=say("x")).choices
    path = "/v1/chat/completions"
    assert [upstream.sandbox.calls("chat", path, one) for one in (f"ms-poor-{token}", f"ms-limited-{token}")] == [1, 1]
    assert upstream.sandbox.submits("chat", token) == 3


def test_error_in_the_middle_of_a_stream_is_raised(openai_client: openai.OpenAI) -> None:
    stream = openai_client.chat.completions.create(model=COMPATIBLE, messages=say("#cut a b c d"), stream=True)
    seen: list[str | None] = []

    def read() -> None:
        seen.extend(chunk.choices[0].delta.content for chunk in stream)

    with pytest.raises(openai.APIError) as caught:
        read()
    assert "".join(filter(None, seen)).startswith("You")
    assert caught.value.code == "upstream_unavailable"


def test_alias_of_a_base_url_without_the_version(url: str, key: str) -> None:
    for base_url in (url, f"{url}/compatible-mode/v1"):
        with openai.OpenAI(base_url=base_url, api_key=key) as client:
            assert client.chat.completions.create(model=COMPATIBLE, messages=say("x")).choices
            assert client.models.retrieve(COMPATIBLE).id == COMPATIBLE


async def test_asynchronous_library_runs_many_streams_at_once(url: str, key: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key) as client:

        async def read(number: int) -> str:
            stream = await client.chat.completions.create(
                model=COMPATIBLE, messages=say(f"number {number}"), stream=True
            )
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        said = await asyncio.gather(*(read(number) for number in range(20)))
        assert said == [f"You said: number {number}" for number in range(20)]
        answer = await client.embeddings.create(model="text-embedding-v3", input="x", dimensions=64)
        assert len(answer.data[0].embedding) == 64


@pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")
def test_one_client_object_writes_the_shot_and_makes_the_video(openai_client: openai.OpenAI) -> None:
    shot = openai_client.chat.completions.create(model=COMPATIBLE, messages=say("a cat")).choices[0].message.content
    assert shot is not None
    video = openai_client.videos.create_and_poll(model="wan2.6-t2v", prompt=shot, poll_interval_ms=20)
    assert video.status == "completed"


def test_rate_limit_of_one_video_model_pauses_that_model_only(url: str, key: str) -> None:
    """Of the same account, which the service limits for each model by itself."""

    def post(path: str, model: str, **fields: Any) -> httpx.Response:
        return client.post(f"/v1/{path}", json={"model": model, **fields})

    headers = {"Authorization": f"Bearer {key}", "Accept-Language": "en"}
    with httpx.Client(base_url=url, headers=headers) as client:
        for prompt in ("a cat #throttle", "a cat"):
            refused = post("videos/generations", "wan2.6-t2v", prompt=prompt)
            assert refused.status_code == 429
            assert "use this model again" in refused.json()["error"]["message"]
        assert post("videos/generations", "wan2.5-t2v-preview", prompt="a cat").is_success
        assert post("chat/completions", COMPATIBLE, messages=say("hello")).is_success
