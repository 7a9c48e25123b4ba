"""ModelScope's and the compatible mode's chat, embeddings and models."""

import math
from typing import Any

import httpx
import orjson
import pytest

from providers.sandbox.server import SandboxServer
from providers.sandbox.state import Ledger
from tests.providers.sandbox.clients import Json

MODELSCOPE = ("/v1", "ms-1", "Qwen/Qwen3-8B")
COMPATIBLE = ("/compatible-mode/v1", "sk-1", "qwen-plus")
both = pytest.mark.parametrize(("prefix", "key", "model"), [MODELSCOPE, COMPATIBLE], ids=["modelscope", "compatible"])
TOOL = {
    "type": "function",
    "function": {
        "name": "search",
        "parameters": {"type": "object", "properties": {"query": {"type": "string"}, "count": {"type": "integer"}}},
    },
}


def say(model: str, text: object = "hello there", **fields: object) -> Json:
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


async def post(http: httpx.AsyncClient, path: str, key: str, body: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return await http.post(path, json=body, headers=headers)


def chunks_of(text: str) -> list[Json]:
    events = [event.removeprefix("data: ") for event in text.split("\n\n") if event]
    assert events.pop() == "[DONE]"
    return [orjson.loads(event) for event in events]


@both
async def test_chat_repeats_the_last_user_message(http: httpx.AsyncClient, prefix: str, key: str, model: str) -> None:
    answer = (await post(http, f"{prefix}/chat/completions", key, say(model))).json()
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "You said: hello there"}
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6}
    parts = [{"type": "text", "text": "hi"}, {"type": "text", "text": "there"}]
    answer = (await post(http, f"{prefix}/chat/completions", key, say(model, parts))).json()
    assert answer["choices"][0]["message"]["content"] == "You said: hi there"


@both
async def test_picture_needs_a_model_that_sees_pictures(
    http: httpx.AsyncClient, prefix: str, key: str, model: str
) -> None:
    parts = [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "hi"}]
    refused = await post(http, f"{prefix}/chat/completions", key, say(model, parts))
    assert refused.status_code == 400
    seeing = "qwen-vl-plus" if key.startswith("sk") else "Qwen/Qwen3-VL-235B-A22B-Instruct"
    answer = (await post(http, f"{prefix}/chat/completions", key, say(seeing, parts))).json()
    assert answer["choices"][0]["message"]["content"] == "You said: hi"


ASKS = {"role": "system", "content": "You write video prompts. Output one video prompt."}


async def rewritten(http: httpx.AsyncClient, content: object, system: Json = ASKS) -> str:
    body = {"model": "qwen-vl-plus", "messages": [system, {"role": "user", "content": content}]}
    answer = (await post(http, "/compatible-mode/v1/chat/completions", "sk-1", body)).json()
    return str(answer["choices"][0]["message"]["content"])


async def test_prompt_is_rewritten_in_its_language_with_the_shot_and_the_pictures(http: httpx.AsyncClient) -> None:
    english = await rewritten(http, "Description: a cat #slow\nLight: soft")
    assert english.startswith("a cat #slow, soft. Rich natural detail")
    assert english == await rewritten(http, "Description: a cat #slow\nLight: soft")
    chinese = await rewritten(http, "描述：一只猫\n光线：柔和光线", {"role": "system", "content": "撰写视频提示词"})
    assert chinese.startswith("一只猫，柔和光线。画面细节丰富")
    picture = {"type": "image_url", "image_url": {"url": "x"}}
    seen = await rewritten(http, [picture, {"type": "text", "text": "Description: (no text: write it)"}])
    assert seen.startswith("The subject and the scene look as in the picture")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("", "Sure! Here is your video prompt"),
        ("=empty", ""),
        ("=refusal", "I'm sorry"),
        ("=thought", "<think>a cat"),
        ("=long", "a cat"),
    ],
)
async def test_rewriting_is_spoiled_as_ordered(http: httpx.AsyncClient, kind: str, said: str) -> None:
    answer = await rewritten(http, f"Description: a cat #say{kind}")
    assert said in answer[:80]
    assert (len(answer) > 20_000) == (kind == "=long")
    assert bool(answer) == (kind != "=empty")


@both
@pytest.mark.parametrize("usage", [True, False])
async def test_stream_ends_with_the_usage_if_asked_for(
    http: httpx.AsyncClient, prefix: str, key: str, model: str, usage: bool
) -> None:
    body = say(model, stream=True, stream_options={"include_usage": usage})
    answer = await post(http, f"{prefix}/chat/completions", key, body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    chunks = chunks_of(answer.text)
    if usage:
        last = chunks.pop()
        assert (last["choices"], last["usage"]["total_tokens"]) == ([], 6)
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks) == "You said: hello there"


@both
@pytest.mark.parametrize("stream", [True, False])
async def test_tools_are_called_and_their_results_repeated(
    http: httpx.AsyncClient, prefix: str, key: str, model: str, stream: bool
) -> None:
    answer = await post(http, f"{prefix}/chat/completions", key, say(model, tools=[TOOL], stream=stream))
    if stream:
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks_of(answer.text)]
        parts = [call for delta in deltas for call in delta.get("tool_calls") or ()]
        name, arguments = parts[0]["function"]["name"], "".join(part["function"]["arguments"] for part in parts)
    else:
        choice = answer.json()["choices"][0]
        assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", "")
        function = choice["message"]["tool_calls"][0]["function"]
        name, arguments = function["name"], function["arguments"]
    assert (name, orjson.loads(arguments)) == ("search", {"query": "hello there", "count": 1})
    messages = [*say(model)["messages"], {"role": "tool", "tool_call_id": "call_1", "content": "found"}]
    answer = await post(
        http, f"{prefix}/chat/completions", key, {"model": model, "messages": messages, "tools": [TOOL]}
    )
    assert answer.json()["choices"][0]["message"]["content"] == "The tool said: found"


@both
async def test_tool_choice_none_calls_no_tool(http: httpx.AsyncClient, prefix: str, key: str, model: str) -> None:
    answer = await post(http, f"{prefix}/chat/completions", key, say(model, tools=[TOOL], tool_choice="none"))
    assert answer.json()["choices"][0]["finish_reason"] == "stop"


async def test_thinking_model_reasons_first(http: httpx.AsyncClient) -> None:
    body = say("Qwen/Qwen3-235B-A22B-Thinking-2507", stream=True)
    deltas = [
        chunk["choices"][0]["delta"]
        for chunk in chunks_of((await post(http, "/v1/chat/completions", "ms-1", body)).text)
    ]
    assert deltas[0] == {"role": "assistant", "content": None, "reasoning_content": ""}
    assert "".join(delta.get("reasoning_content") or "" for delta in deltas).startswith("The user")
    assert "".join(delta.get("content") or "" for delta in deltas) == "You said: hello there"


async def test_stream_only_and_thinking_models_refuse_an_answer_at_once(http: httpx.AsyncClient) -> None:
    answer = await post(http, "/compatible-mode/v1/chat/completions", "sk-1", say("qwq-plus"))
    assert (answer.status_code, "stream mode" in answer.text) == (400, True)
    answer = await post(http, "/compatible-mode/v1/chat/completions", "sk-1", say("qwen-plus", enable_thinking=True))
    assert (answer.status_code, "enable_thinking" in answer.text) == (400, True)


@pytest.mark.parametrize("key", ["", "other", "sk-expired", "ms-expired"])
async def test_invalid_key_is_refused_in_the_form_of_the_service(http: httpx.AsyncClient, key: str) -> None:
    answer = await post(http, "/v1/chat/completions", key, say("Qwen/Qwen3-8B"))
    assert (answer.status_code, "message" in answer.json()["errors"]) == (401, True)
    answer = await post(http, "/compatible-mode/v1/chat/completions", key, say("qwen-plus"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")


async def test_unknown_model_is_refused_in_the_words_of_the_service(http: httpx.AsyncClient) -> None:
    answer = await post(http, "/v1/chat/completions", "ms-1", say("qwen-plus"))
    assert (answer.status_code, "has no provider supported" in answer.json()["error"]["message"]) == (400, True)
    answer = await post(http, "/compatible-mode/v1/chat/completions", "sk-1", say("gpt-5"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


@both
@pytest.mark.parametrize(
    "fields",
    [{"messages": []}, {"messages": ["x"]}, {"messages": "x"}, {"messages": [{"role": "nobody", "content": "x"}]}],
)
async def test_invalid_messages_are_refused(
    http: httpx.AsyncClient, prefix: str, key: str, model: str, fields: Json
) -> None:
    answer = await post(http, f"{prefix}/chat/completions", key, say(model) | fields)
    assert answer.status_code == 400


@pytest.mark.parametrize("fields", [{"temperature": 2}, {"seed": -1}, {"seed": 2**31}])
async def test_compatible_mode_checks_ranges(http: httpx.AsyncClient, fields: dict[str, Any]) -> None:
    answer = await post(http, "/compatible-mode/v1/chat/completions", "sk-1", say("qwen-plus", **fields))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_parameter_error")


@both
@pytest.mark.parametrize(("text", "status"), [("#throttle", 429), ("#status=503", 503), ("#refuse=x", 400)])
async def test_directives_refuse(
    http: httpx.AsyncClient, prefix: str, key: str, model: str, text: str, status: int
) -> None:
    assert (await post(http, f"{prefix}/chat/completions", key, say(model, text))).status_code == status
    once = [await post(http, f"{prefix}/chat/completions", key, say(model, f"{text} #times=1")) for _ in range(2)]
    assert [answer.status_code for answer in once] == [status, 200]


async def test_quotas_of_modelscope_name_the_model_or_the_account(http: httpx.AsyncClient) -> None:
    answer = await post(http, "/v1/chat/completions", "ms-1", say("Qwen/Qwen3-8B", "#quota"))
    assert (answer.status_code, answer.headers["modelscope-ratelimit-requests-remaining"]) == (429, "1990")
    assert "today's quota for model Qwen/Qwen3-8B" in answer.json()["errors"]["message"]
    answer = await post(http, "/v1/chat/completions", "ms-poor", say("Qwen/Qwen3-8B"))
    assert (answer.status_code, answer.headers["modelscope-ratelimit-requests-remaining"]) == (429, "0")


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        ("sk-poor", 400, "Arrearage"),
        ("sk-banned", 403, "access_denied"),
        ("sk-shark", 429, "limit_requests"),
        ("sk-limited", 403, "AllocationQuota.FreeTierOnly"),
        ("sk-exhausted", 429, "insufficient_quota"),
    ],
)
async def test_keys_of_the_compatible_mode_choose_a_refusal(
    http: httpx.AsyncClient, key: str, status: int, code: str
) -> None:
    answer = await post(http, "/compatible-mode/v1/chat/completions", key, say("qwen-plus"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_broken_stream_ends_in_the_middle(server: SandboxServer) -> None:
    body, headers = say("Qwen/Qwen3-8B", "#cut a b c", stream=True), {"Authorization": "Bearer ms-1"}
    seen: list[bytes] = []

    def read() -> None:
        url = f"{server.modelscope_url}/chat/completions"
        with httpx.stream("POST", url, json=body, headers=headers) as answer:
            seen.extend(answer.iter_raw())

    with pytest.raises(httpx.RemoteProtocolError):
        read()
    assert b"[DONE]" not in b"".join(seen)


@both
async def test_embeddings_are_unit_vectors_of_the_text(
    http: httpx.AsyncClient, prefix: str, key: str, model: str
) -> None:
    name = {"/v1": "Qwen/Qwen3-Embedding-0.6B"}.get(prefix, "text-embedding-v4")
    bodies = [{"model": name, "input": ["a", "b"]}, {"model": name, "input": "a"}]
    two, one = [(await post(http, f"{prefix}/embeddings", key, body)).json()["data"] for body in bodies]
    assert two[0] == one[0]
    assert two[0]["embedding"] != two[1]["embedding"]
    assert len(one[0]["embedding"]) == 1024
    assert math.isclose(sum(number**2 for number in one[0]["embedding"]), 1, abs_tol=1e-3)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"model": "text-embedding-v4", "input": ["x"] * 11}, "batch size"),
        ({"model": "text-embedding-v2", "input": ["x"] * 26}, "batch size"),
        ({"model": "text-embedding-v4", "input": [[1, 2]]}, "neither str nor list"),
        ({"model": "text-embedding-v4", "input": "x", "dimensions": 8}, "dimensions"),
        ({"model": "text-embedding-v4", "input": "x", "encoding_format": "hex"}, "encoding_format"),
    ],
)
async def test_invalid_embedding_request_is_refused(http: httpx.AsyncClient, body: Json, message: str) -> None:
    answer = await post(http, "/compatible-mode/v1/embeddings", "sk-1", body)
    assert (answer.status_code, message in answer.json()["error"]["message"]) == (400, True)


@both
async def test_models_are_listed_and_other_paths_are_not_found(
    http: httpx.AsyncClient, prefix: str, key: str, model: str
) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    listed = (await http.get(f"{prefix}/models", headers=headers)).json()["data"]
    assert model in [one["id"] for one in listed]
    assert (await http.get(f"{prefix}/elsewhere", headers=headers)).status_code == 404


async def test_ledger_has_the_bodies(http: httpx.AsyncClient, ledger: Ledger) -> None:
    body = say("Qwen/Qwen3-8B", top_k=3)
    await post(http, "/v1/chat/completions", "ms-1", body)
    assert ledger.bodies("chat", "ms-1") == [body]
    assert ledger.calls("chat", "/v1/chat/completions", "ms-1") == 1
