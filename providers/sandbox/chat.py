"""OpenAI-shaped chat and embeddings: ModelScope's `/v1` and DashScope's `/compatible-mode/v1`.

The answer is always "You said: " and the last user message; an embedding is made from the text's hash.
"""

import hashlib
import re
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from providers.sandbox.answers import rejection
from providers.sandbox.directives import credential_directive, read_directives
from providers.sandbox.state import bearer_of

Json = dict[str, Any]
Dialect = Literal["modelscope", "compatible"]


@dataclass(frozen=True, slots=True)
class Service:
    """`key` is how credentials begin; an embedding has `dimensions` numbers unless asked otherwise."""

    dialect: Dialect
    prefix: str
    key: str
    models: tuple[str, ...]
    dimensions: int


_MODELSCOPE = ("Qwen/Qwen3-8B", "deepseek-ai/DeepSeek-V3.2", "Qwen/Qwen3-Embedding-0.6B")
_COMPATIBLE = ("qwen-plus", "qwen-max", "qwen-vl-plus", "text-embedding-v4")

SERVICES = (
    Service("modelscope", "/v1", "ms-", _MODELSCOPE, 8),
    Service("compatible", "/compatible-mode/v1", "sk-", _COMPATIBLE, 8),
)

_MAX_ROWS = 10


class _Refused(Exception):  # noqa: N818
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def _error(service: Service, status: int, code: str, message: str) -> Response:
    """ModelScope: `errors` for a bad token, `error{message}` else. Compatible mode: `error` with four fields."""
    request_id = str(uuid.uuid4())
    body: Json = {"error": {"message": message}, "request_id": request_id}
    if service.dialect == "compatible":
        kind = "invalid_request_error" if status < 500 else "internal_error"
        body["error"] |= {"type": kind, "param": None, "code": code}
    elif status == 401:
        body = {"errors": {"message": message}, "request_id": request_id}
    return Response(orjson.dumps(body), status, {"X-Request-ID": request_id}, media_type="application/json")


def chat_routes(clock: Callable[[], float]) -> list[Route]:
    """The routes of both services."""
    return [route for service in SERVICES for route in _routes(service, clock)]


def _routes(service: Service, clock: Callable[[], float]) -> list[Route]:
    def guarded(call: Callable[[Service, Json, float], ASGIApp]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> ASGIApp:
            text = await request.body()
            try:
                _check_key(service, bearer_of(request.headers))
                return call(service, _json_object(text) if request.method == "POST" else {}, clock())
            except _Refused as refused:
                return _error(service, refused.status, refused.code, refused.message)

        return endpoint

    return [
        Route(f"{service.prefix}/chat/completions", guarded(_chat), methods=["POST"]),
        Route(f"{service.prefix}/embeddings", guarded(_embeddings), methods=["POST"]),
        Route(f"{service.prefix}/models", guarded(_models), methods=["GET"]),
        Route(f"{service.prefix}/{{path:path}}", guarded(_nothing), methods=["GET", "POST"]),
    ]


def _check_key(service: Service, key: str) -> None:
    if key.startswith(service.key) and credential_directive(key) != "expired":
        return
    if service.dialect == "modelscope":
        raise _Refused(401, "", "Authentication failed, please make sure that a valid ModelScope token is supplied.")
    message = "Incorrect API key provided." if key else "You didn't provide an API key."
    raise _Refused(401, "invalid_api_key", message)


def _json_object(text: bytes) -> Json:
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise _Refused(400, "invalid_parameter_error", "The request body must be a JSON object.")
    return body


def _model(service: Service, body: Json) -> str:
    name = body.get("model")
    if name in service.models:
        return str(name)
    if service.dialect == "modelscope":
        raise _Refused(400, "", f"Model id : {name} , has no provider supported")
    raise _Refused(404, "model_not_found", f"The model `{name}` does not exist or you do not have access to it.")


def _text(content: object) -> str:
    """A message's content: a text, or a list of parts whose texts count."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(str(part["text"]) for part in parts if isinstance(part, dict) and part.get("type") == "text")


def _chat(service: Service, body: Json, now: float) -> ASGIApp:
    model, messages = _model(service, body), body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(one, dict) for one in messages):
        raise _Refused(400, "invalid_parameter_error", "messages must be a list with at least one message")
    said = next((_text(one.get("content")) for one in reversed(messages) if one.get("role") == "user"), "")

    def refuse(code: str) -> Response:
        status = 429 if code == "limit_requests" else 400
        return _error(service, status, code, "Requests rate limit exceeded." if status == 429 else f"Refused: {code}")

    if refused := rejection(read_directives(said), refuse, "limit_requests", "invalid_parameter_error"):
        return refused
    text = f"You said: {said}"
    prompt_tokens = sum(len(_words(_text(one.get("content")))) for one in messages)
    tokens = len(_words(text))
    usage = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": tokens,
        "total_tokens": prompt_tokens + tokens,
    }
    head = {"id": f"chatcmpl-{uuid.uuid4()}", "created": int(now), "model": model, "system_fingerprint": None}
    if body.get("stream"):
        options = body.get("stream_options") or {}
        chunks = _chunks(head, text, usage if options.get("include_usage") else None)
        return StreamingResponse(chunks, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    answer = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
    return Response(orjson.dumps(answer), media_type="application/json")


def _words(text: str) -> list[str]:
    return re.findall(r"\s*\S+", text)


async def _chunks(head: Json, text: str, usage: Json | None) -> AsyncIterator[bytes]:
    """The role first, then a word at a time, the reason, the usage when asked for, and `[DONE]`."""
    deltas: list[tuple[Json, str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": word}, None) for word in _words(text)]
    deltas.append(({"content": ""}, "stop"))
    for delta, reason in deltas:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        yield _event({**head, "object": "chat.completion.chunk", "choices": [choice], "usage": None})
    if usage is not None:
        yield _event({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


def _event(body: Json) -> bytes:
    return b"data: " + orjson.dumps(body) + b"\n\n"


def _embeddings(service: Service, body: Json, now: float) -> ASGIApp:
    model, given = _model(service, body), body.get("input")
    rows = [given] if isinstance(given, str) else given
    if not isinstance(rows, list) or not 1 <= len(rows) <= _MAX_ROWS or not all(isinstance(one, str) for one in rows):
        raise _Refused(400, "invalid_parameter_error", f"input must be a text or 1 to {_MAX_ROWS} texts")
    count = body.get("dimensions", service.dimensions)
    if not isinstance(count, int) or not 1 <= count <= 32:
        raise _Refused(400, "invalid_parameter_error", "dimensions must be in [1, 32]")
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(text, count)} for index, text in enumerate(rows)
    ]
    tokens = sum(len(_words(text)) for text in rows)
    answer = {
        "object": "list",
        "model": model,
        "data": data,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return Response(orjson.dumps(answer), media_type="application/json")


def _vector(text: str, count: int) -> list[float]:
    return [byte / 127.5 - 1 for byte in hashlib.sha256(text.encode()).digest()[:count]]


def _models(service: Service, body: Json, now: float) -> ASGIApp:
    data = [{"id": name, "object": "model", "created": 0, "owned_by": service.dialect} for name in service.models]
    return Response(orjson.dumps({"object": "list", "data": data}), media_type="application/json")


def _nothing(service: Service, body: Json, now: float) -> ASGIApp:
    raise _Refused(404, "not_found", "This path does not exist.")
