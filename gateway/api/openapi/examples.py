"""Examples of requests and responses, by operation. Those of an upstream's own API are worded by its entrance."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from gateway.api.native_apis import NativeApi, native_apis
from providers import registry
from providers.contract.native import NativeCall, NativeOperation, NativeTask
from providers.contract.spec import DefaultModels
from providers.contract.tasks import Phase, Result, TaskState

CREATED = 1764547200
_ENDED = CREATED + 74
_TASK = "video_AbC1dEf2GhI3jKl4MnO5"
_EARLIER = "video_ZyX9wVu8TsR7qPo6NmL5"
_NATIVE_TASK = "0385dc79-5ff8-4d82-bcb6-3ec9d5a1c1f4"
_LINK = "https://example.com/video.mp4"
_PROMPT = "a cat on a skateboard"
_REQUEST_ID = "req_4f1c2a9b7d3e"

_USAGE = {
    "object": "usage",
    "key": "alice",
    "day": "2025-12-01",
    "time_zone": "Asia/Shanghai",
    "resets_at": 1764604800,
    "submits": {"used": 12, "limit": 100, "remaining": 88},
    "video_seconds": {"used": 60},
    "running_tasks": {"used": 2, "limit": 5, "remaining": 3},
    "requests": {"per_second": 10.0, "limit": 20, "remaining": 19},
}


@dataclass(frozen=True, slots=True)
class Example:
    """The JSON bodies of one request and its response; None for an operation without one."""

    request: Any = None
    response: Any = None


def example_of(operation: str) -> Example:
    """The example of an operation, by its id."""
    return _examples(registry.titles()).get(operation, Example())


@cache
def _examples(providers: str) -> Mapping[str, Example]:
    videos, chat, embedding = DefaultModels(), "", ""
    for spec in registry.PROVIDERS:
        settings = spec.settings()
        videos = videos.then(spec.default_models(settings))
        languages = spec.default_language_models(settings)
        chat, embedding = chat or languages.chat, embedding or languages.embedding
    provider = registry.PROVIDERS[0].name
    native = {operation: example for api in native_apis() for operation, example in _native(api)}
    return {
        **_generations(_first(videos.text), provider),
        **_prompts(_first(videos.text), chat),
        **_openai_videos(_first(videos.text), _first(videos.edit), _first(videos.extend), provider),
        **_language(chat, embedding),
        **_credentials_and_accounts(provider),
        "getUsage": Example(response=_USAGE),
        **native,
    }


def _first(names: tuple[str, ...]) -> str:
    return next(iter(names), "")


def _generations(model: str, provider: str) -> dict[str, Example]:
    submit = {"model": model, "prompt": _PROMPT, "duration": 5, "ratio": "16:9"}
    accepted = {"created": CREATED, "task_id": _TASK, "status": "pending", "model": model, "provider": provider}
    known = {"created": CREATED, "model": model, "provider": provider}
    running = {"task_id": _TASK, "status": "processing", "progress": 42, "message": "Generating the video", **known}
    result = {"url": _LINK, "expires_at": _ENDED + 86_400, "width": 1280, "height": 720, "duration": 5.0}
    data = [{"url": _LINK}]
    ended = {"status": "completed", "progress": 100, "message": "Video finished", "result": result, "data": data}
    failed = {"status": "failed", "message": "The upstream cancelled the task", "error": "The task was cancelled"}
    event = {"task_id": _TASK, **ended, **known}
    return {
        "submitVideo": Example(submit, accepted),
        "getTask": Example(response={"task_id": _TASK, **ended, **known}),
        "getTasks": Example(response={"object": "list", "data": [running]}),
        "cancelTask": Example(response={"task_id": _TASK, **failed, **known}),
        "taskEnded": Example(
            {"id": "evt_5c1d", "object": "event", "type": "video.completed", "created_at": _ENDED, "data": event}
        ),
    }


def _prompts(model: str, language_model: str) -> dict[str, Example]:
    revised = "Slow push in: a tabby cat rides a skateboard down a sunlit street, golden light, soft shadows."
    shot = {"camera_movement": "push_forward", "lighting": "golden_hour"}
    answer = {"prompt": _PROMPT, "revised_prompt": revised, "model": model, "language_model": language_model}
    return {"enhancePrompt": Example({"model": model, "prompt": _PROMPT, **shot}, answer)}


def _openai_videos(model: str, editing: str, extending: str, provider: str) -> dict[str, Example]:
    def video(model: str, **known: Any) -> dict[str, Any]:
        queued = {"id": _TASK, "object": "video", "created_at": CREATED, "model": model, "status": "queued"}
        unknown = {"completed_at": None, "expires_at": None, "remixed_from_video_id": None, "error": None}
        shape = {"progress": 0, "seconds": "5", "size": "1280x720", "provider": provider}
        return {**queued, **shape, **unknown, **known}

    ended = video(model, status="completed", progress=100, completed_at=_ENDED, expires_at=_ENDED + 86_400, url=_LINK)
    page = {"object": "list", "data": [ended], "first_id": _TASK, "last_id": _TASK, "has_more": False}
    edit = {"model": editing, "prompt": "make it snow", "video": {"id": _EARLIER}}
    extend = {"model": extending, "prompt": "the cat jumps off", "video": {"id": _EARLIER}, "seconds": 5}
    return {
        "createVideo": Example(
            {"model": model, "prompt": _PROMPT, "seconds": "5", "size": "1280x720"}, video(model, prompt=_PROMPT)
        ),
        "listVideos": Example(response=page),
        "retrieveVideo": Example(response=ended),
        "deleteVideo": Example(response={"id": _TASK, "object": "video.deleted", "deleted": True}),
        "remixVideo": Example(
            {"prompt": "the same at night"},
            video(model, prompt="the same at night", remixed_from_video_id=_EARLIER),
        ),
        "editVideo": Example(edit, video(editing, prompt="make it snow")),
        "extendVideo": Example(extend, video(extending, prompt="the cat jumps off")),
    }


def _language(chat: str, embedding: str) -> dict[str, Example]:
    message = {"role": "assistant", "content": "A cat rides a skateboard down a sunlit street."}
    usage = {"prompt_tokens": 12, "completion_tokens": 11, "total_tokens": 23}
    completion = {"id": "chatcmpl-7f3a", "object": "chat.completion", "created": CREATED, "model": chat}
    row = {"object": "embedding", "index": 0, "embedding": [0.013, -0.027, 0.041]}
    owner = next((spec.name for spec in registry.PROVIDERS if spec.default_language_models(spec.settings()).chat), "")
    listed = {"id": chat, "object": "model", "created": CREATED, "owned_by": owner, "type": "chat"}
    listed["input_modalities"] = ["text"]
    return {
        "createChatCompletion": Example(
            {"model": chat, "messages": [{"role": "user", "content": "Describe a cat on a skateboard"}]},
            {**completion, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage},
        ),
        "createEmbeddings": Example(
            {"model": embedding, "input": ["a cat", "a dog"]},
            {"object": "list", "model": embedding, "data": [row], "usage": {"prompt_tokens": 4, "total_tokens": 4}},
        ),
        "listModels": Example(response={"object": "list", "data": [listed]}),
        "getModel": Example(response=listed),
    }


def _credentials_and_accounts(provider: str) -> dict[str, Example]:
    credits = {"total": 66, "gift": 66, "purchase": 0, "vip": 0}
    points = {"giftCredit": 66, "purchaseCredit": 0, "vipCredit": 0, "totalCredit": 66}
    account = {
        "name": "main",
        "tag": "1f6b2c9d03ae",
        "provider": provider,
        "region": None,
        "proxy": False,
        "weight": 1,
        "max_running": None,
        "state": "ready",
        "reason": None,
        "rests_until": None,
        "closed_models": {},
        "running": 1,
        "submitted": 12,
        "running_calls": 2,
        "calls": 340,
        "failed": 0,
        "last_error": None,
        "credits": {**credits, "seen_at": CREATED},
    }
    return {
        "checkToken": Example({"token": "<credential>"}, {"live": True}),
        "readTokenPoints": Example(response=[{"index": 0, "token": "1f6b2c9d03ae", "points": points}]),
        "receiveTokenCredits": Example(
            response=[{"index": 0, "token": "1f6b2c9d03ae", "success": True, "received": 66, "credits": points}]
        ),
        "listAccounts": Example(response={"object": "list", "data": [account]}),
        "checkAccount": Example(response={"live": True, "account": account}),
        "readAccountCredits": Example(response={"credits": credits, "account": account}),
        "receiveAccountCredits": Example(response={"received": 66, "account": account}),
        "pauseAccount": Example(response={"account": {**account, "state": "paused"}}),
        "resumeAccount": Example(response={"account": account}),
        "testWebhook": Example(
            {"url": "https://example.com/webhook"},
            {"delivered": True, "status": 204, "duration_ms": 38, "headers": {"webhook-id": "evt_5c1d"}, "body": "{}"},
        ),
        "getReadiness": Example(response={"status": "ready", "version": "0.1.0"}),
        "getHealth": Example(response={"status": "ok", "version": "0.1.0"}),
    }


def _native(api: NativeApi) -> Iterator[tuple[str, Example]]:
    for operation in api.entrance.operations:
        body = operation.body.model_config.get("json_schema_extra") if operation.body is not None else None
        requests = body.get("examples") if isinstance(body, dict) else None
        answer = _native_answer(api, operation)
        if answer is not None:
            answer = {**answer, api.entrance.request_id_field: _REQUEST_ID}
        yield operation.id, Example(requests[0] if isinstance(requests, list) else None, answer)


def _native_answer(api: NativeApi, operation: NativeOperation) -> dict[str, Any] | None:
    ended = TaskState(
        _NATIVE_TASK, Phase.COMPLETED, created_at=CREATED, started_at=CREATED + 2, ended_at=_ENDED, result=Result(_LINK)
    )
    task = NativeTask(_NATIVE_TASK, api.provider, ended, _first(_default_videos(api)), CREATED)
    match operation.call:
        case NativeCall.SUBMIT:
            return api.entrance.accepted(_NATIVE_TASK)
        case NativeCall.STATUS:
            return api.entrance.status(task)
        case NativeCall.LIST:
            return api.entrance.page([task], {}, _ENDED + 60)
        case NativeCall.CANCEL:
            return api.entrance.cancelled()
        case NativeCall.UPLOADS:
            return None


def _default_videos(api: NativeApi) -> tuple[str, ...]:
    spec = next(spec for spec in registry.PROVIDERS if spec.name == api.provider)
    return spec.default_models(spec.settings()).text
