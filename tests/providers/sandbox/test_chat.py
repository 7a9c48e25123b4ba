"""ModelScope's and the compatible mode's chat, embeddings and models."""

import httpx
import orjson
import pytest

from tests.providers.sandbox.clients import Json

MODELSCOPE = ("/v1", "ms-1", "Qwen/Qwen3-8B")
COMPATIBLE = ("/compatible-mode/v1", "sk-1", "qwen-plus")
both = pytest.mark.parametrize(("prefix", "key", "model"), [MODELSCOPE, COMPATIBLE])


def say(model: str, text: object = "hello there", **fields: object) -> Json:
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


async def post(http: httpx.AsyncClient, path: str, key: str, body: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return await http.post(path, json=body, headers=headers)


@both
async def test_chat(http: httpx.AsyncClient, prefix: str, key: str, model: str) -> None:
    answer = (await post(http, f"{prefix}/chat/completions", key, say(model))).json()
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "You said: hello there"}
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6}
    parts = [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "x"}}]
    answer = (await post(http, f"{prefix}/chat/completions", key, say(model, parts))).json()
    assert answer["choices"][0]["message"]["content"] == "You said: hi"


@both
@pytest.mark.parametrize("usage", [True, False])
async def test_stream(http: httpx.AsyncClient, prefix: str, key: str, model: str, usage: bool) -> None:
    body = say(model, stream=True, stream_options={"include_usage": usage})
    answer = await post(http, f"{prefix}/chat/completions", key, body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [event.removeprefix("data: ") for event in answer.text.split("\n\n") if event]
    assert events.pop() == "[DONE]"
    chunks = [orjson.loads(event) for event in events]
    if usage:
        last = chunks.pop()
        assert (last["choices"], last["usage"]["total_tokens"]) == ([], 6)
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks) == "You said: hello there"


@pytest.mark.parametrize("key", ["", "other", "sk-expired", "ms-expired"])
async def test_keys(http: httpx.AsyncClient, key: str) -> None:
    answer = await post(http, "/v1/chat/completions", key, say("Qwen/Qwen3-8B"))
    assert (answer.status_code, "message" in answer.json()["errors"]) == (401, True)
    answer = await post(http, "/compatible-mode/v1/chat/completions", key, say("qwen-plus"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")


async def test_unknown_models(http: httpx.AsyncClient) -> None:
    answer = await post(http, "/v1/chat/completions", "ms-1", say("qwen-plus"))
    assert answer.status_code == 400
    assert answer.json()["error"] == {"message": "Model id : qwen-plus , has no provider supported"}
    answer = await post(http, "/compatible-mode/v1/chat/completions", "sk-1", say("Qwen/Qwen3-8B"))
    assert answer.status_code == 404
    assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
    assert answer.json()["error"]["code"] == "model_not_found"


@both
async def test_bodies_that_are_refused(http: httpx.AsyncClient, prefix: str, key: str, model: str) -> None:
    bodies: list[object] = [[], {"model": model}, {"model": model, "messages": []}, {"model": model, "messages": [1]}]
    for body in bodies:
        assert (await post(http, f"{prefix}/chat/completions", key, body)).status_code == 400
    inputs: list[Json] = [{"input": 1}, {"input": []}, {"input": ["x"] * 11}, {"input": "x", "dimensions": 0}]
    for wrong in inputs:
        assert (await post(http, f"{prefix}/embeddings", key, {"model": model, **wrong})).status_code == 400
    answer = await http.post(f"{prefix}/embeddings", content=b"{", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 400


@both
async def test_embeddings(http: httpx.AsyncClient, prefix: str, key: str, model: str) -> None:
    path = f"{prefix}/embeddings"
    first = (await post(http, path, key, {"model": model, "input": "cat"})).json()["data"]
    rows = (await post(http, path, key, {"model": model, "input": ["dog", "cat"], "dimensions": 8})).json()["data"]
    assert [row["index"] for row in rows] == [0, 1]
    assert rows[1]["embedding"] == first[0]["embedding"] != rows[0]["embedding"]
    assert len(first[0]["embedding"]) == 8


@both
async def test_models_and_strange_paths(http: httpx.AsyncClient, prefix: str, key: str, model: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    assert model in [row["id"] for row in (await http.get(f"{prefix}/models", headers=headers)).json()["data"]]
    answer = await post(http, f"{prefix}/videos", key, {})
    assert (answer.status_code, "error" in answer.json()) == (404, True)


@both
async def test_directive(http: httpx.AsyncClient, prefix: str, key: str, model: str) -> None:
    path = f"{prefix}/chat/completions"
    for directive, status in (("#throttle", 429), ("#status=503", 503), ("#refuse=DataInspectionFailed", 400)):
        assert (await post(http, path, key, say(model, f"hi {directive}"))).status_code == status
    with pytest.raises(ConnectionResetError):
        await post(http, path, key, say(model, "hi #lost-before"))
