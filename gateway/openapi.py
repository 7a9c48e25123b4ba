"""The OpenAPI 3.1 document, made from the models that validate."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway import answers, requests

_REF = "#/components/schemas/{model}"
_TASK_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "maxLength": 160},
    "description": "A task id as a submit gave it.",
}
_BODY_KINDS = ("application/json", "multipart/form-data", "application/x-www-form-urlencoded")
_NO_CACHE = {
    "name": "Cache-Control",
    "in": "header",
    "schema": {"type": "string"},
    "description": "`no-cache` forces a query to the upstream.",
}
_LANGUAGE = {
    "name": "Accept-Language",
    "in": "header",
    "schema": {"type": "string"},
    "description": "`zh` or `en`: the language of messages.",
}
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "schema": {"type": "string"},
    "description": "`wait=N`: hold the answer until the task ends, at most N seconds.",
}

_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string"},
    "description": "The same key and body give the first task again, the same key with another body is 409.",
}


def _query(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": "string"}, "description": description}


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the API: what it takes, what it gives, and which refusals are its own."""

    method: str
    path: str
    id: str
    summary: str
    answers: Mapping[int, type[BaseModel] | tuple[type[BaseModel], ...] | str]
    body: type[BaseModel] | None = None
    parameters: tuple[dict[str, Any], ...] = ()
    refusals: tuple[int, ...] = field(default=())
    authorized: bool = True


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "post",
        "/v1/videos/generations",
        "submitVideo",
        "Submit a video; the answer is its task id, at once",
        {200: (answers.TaskAccepted, answers.WaitedTask), 202: answers.WaitedTask},
        body=requests.GenerationBody,
        parameters=(_PREFER, _IDEMPOTENCY_KEY, _LANGUAGE),
        refusals=(400, 401, 403, 404, 409, 413, 429, 502, 504),
    ),
    Operation(
        "get",
        "/v1/videos/tasks/{id}",
        "getTask",
        "How a task stands, asked of the upstream now",
        {200: answers.TaskObject},
        parameters=(_TASK_ID, _NO_CACHE, _LANGUAGE),
        refusals=(401, 404),
    ),
    Operation(
        "get",
        "/v1/videos/tasks",
        "getTasks",
        "Many tasks at once, by their ids, or those that have not ended",
        {200: answers.TaskList},
        parameters=(
            _query("ids", "Task ids with commas between them, at most 100."),
            _query("status", "`unfinished` in place of ids: recent tasks that have not ended."),
            _NO_CACHE,
            _LANGUAGE,
        ),
        refusals=(400, 401),
    ),
    Operation(
        "post",
        "/v1/videos/tasks/{id}/cancel",
        "cancelTask",
        "Cancel a task, where the upstream can",
        {200: answers.TaskObject},
        parameters=(_TASK_ID, _LANGUAGE),
        refusals=(401, 404, 409, 429, 502),
    ),
    Operation(
        "post",
        "/v1/videos",
        "createVideo",
        "Submit a video, as OpenAI's libraries do; duration and size go to the nearest the model can do",
        {200: answers.VideoObject},
        body=requests.GenerationBody,
        parameters=(_IDEMPOTENCY_KEY, _LANGUAGE),
        refusals=(400, 401, 403, 404, 409, 413, 429, 502, 504),
    ),
    Operation(
        "get",
        "/v1/videos",
        "listVideos",
        "Recent videos of the credential's accounts, read live from the upstreams",
        {200: answers.VideoList},
        parameters=(
            _query("limit", "How many, 1 to 100; 20 unless said."),
            _query("after", "The `last_id` of the page before."),
            _query("order", "`desc`, the newest first, or `asc`."),
        ),
        refusals=(400, 401, 429, 502),
    ),
    Operation(
        "get",
        "/v1/videos/{id}",
        "retrieveVideo",
        "How a video stands",
        {200: answers.VideoObject},
        parameters=(_TASK_ID, _NO_CACHE, _LANGUAGE),
        refusals=(401, 404),
    ),
    Operation(
        "delete",
        "/v1/videos/{id}",
        "deleteVideo",
        "Cancel a video that has not begun; what cannot be deleted upstream is refused",
        {200: answers.VideoDeleted},
        parameters=(_TASK_ID, _LANGUAGE),
        refusals=(401, 404, 409, 429, 502),
    ),
    Operation(
        "get",
        "/v1/videos/{id}/content",
        "downloadVideo",
        "The finished video itself, ranges included; also HEAD",
        {200: "video/mp4", 206: "video/mp4"},
        parameters=(_TASK_ID, _query("variant", "`video`, or `thumbnail` for the cover.")),
        refusals=(400, 401, 404, 416, 502),
    ),
    Operation(
        "post",
        "/v1/videos/{id}/remix",
        "remixVideo",
        "The model of a video with a new prompt, the old video as reference where the model can",
        {200: answers.VideoObject},
        body=requests.ReuseBody,
        parameters=(_TASK_ID, _IDEMPOTENCY_KEY, _LANGUAGE),
        refusals=(400, 401, 403, 404, 409, 429, 501, 502, 504),
    ),
    Operation(
        "post",
        "/v1/videos/edits",
        "editVideo",
        "Change a video, with a model that works on one",
        {200: answers.VideoObject},
        body=requests.ReuseBody,
        parameters=(_IDEMPOTENCY_KEY, _LANGUAGE),
        refusals=(400, 401, 403, 404, 409, 429, 501, 502, 504),
    ),
    Operation(
        "post",
        "/v1/videos/extensions",
        "extendVideo",
        "Go on from a video, with a model that takes a first clip",
        {200: answers.VideoObject},
        body=requests.ReuseBody,
        parameters=(_IDEMPOTENCY_KEY, _LANGUAGE),
        refusals=(400, 401, 403, 404, 409, 429, 501, 502, 504),
    ),
    Operation(
        "post",
        "/v1/videos/characters",
        "createCharacter",
        "Not supported: no upstream keeps characters",
        {},
        refusals=(401, 501),
    ),
    Operation(
        "get",
        "/v1/videos/characters/{id}",
        "getCharacter",
        "Not supported: no upstream keeps characters",
        {},
        parameters=(_TASK_ID,),
        refusals=(401, 501),
    ),
    Operation(
        "get",
        "/v1/models",
        "listModels",
        "Every model the credential can use, with what each can do",
        {200: answers.ModelList},
        refusals=(401,),
    ),
    Operation(
        "get",
        "/v1/models/{id}",
        "getModel",
        "One model",
        {200: answers.ModelObject},
        parameters=({"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},),
        refusals=(401, 404),
    ),
    Operation("get", "/healthz", "getHealth", "The process is alive", {200: answers.Health}, authorized=False),
    Operation("get", "/ping", "ping", "The word pong", {200: "text/plain"}, authorized=False),
    Operation(
        "get",
        "/metrics",
        "getMetrics",
        "Figures for Prometheus, for loopback or the admin key",
        {200: "text/plain"},
        refusals=(401,),
        authorized=False,
    ),
    Operation("get", "/openapi.json", "getOpenapi", "This document", {200: "application/json"}, authorized=False),
    Operation("get", "/docs", "getDocs", "This document for people", {200: "text/html"}, authorized=False),
)

_REFUSALS = {
    400: "A field is bad, or the model cannot do that: `param` names it, the message lists what is allowed.",
    401: "No credential, or one that is refused.",
    403: "The account is restricted, or may not use the model.",
    404: "No such model, task or path.",
    409: "The task cannot be cancelled, or the Idempotency-Key came with another body.",
    413: "The body is too large.",
    416: "The range lies outside of the video.",
    429: "No credits, or too many requests: `x-should-retry` and `Retry-After` tell which.",
    501: "The model cannot do that, or no upstream can.",
    502: "The upstream cannot be reached or gave an answer nobody can read; nothing was created.",
    504: "Submitted, but the answer was lost: it may have been charged.",
}


@cache
def document() -> dict[str, Any]:
    """The document, ready for JSON."""
    models = _models()
    _, definitions = models_json_schema([(model, "validation") for model in models], ref_template=_REF, by_alias=True)
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _describe(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "video-gateway",
            "version": version("video-gateway"),
            "description": "One endpoint for Jimeng and DashScope video: submit, get a task id at once, poll, "
            "get the link.",
        },
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A gateway key, or one or several upstream credentials with commas between them.",
                }
            },
        },
    }


def _models() -> list[type[BaseModel]]:
    found: dict[str, type[BaseModel]] = {"ErrorBody": answers.ErrorBody}
    for operation in OPERATIONS:
        sent = [
            model for answer in operation.answers.values() if not isinstance(answer, str) for model in _each(answer)
        ]
        for model in (operation.body, *sent):
            if model is not None:
                found[model.__name__] = model
    return list(found.values())


def _describe(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {"operationId": operation.id, "summary": operation.summary}
    if operation.authorized:
        described["security"] = [{"bearer": []}]
    if operation.parameters:
        described["parameters"] = list(operation.parameters)
    if operation.body:
        schema = _schema(operation.body)
        described["requestBody"] = {
            "required": True,
            "content": {kind: {"schema": schema} for kind in _BODY_KINDS},
        }
    responses: dict[str, Any] = {}
    for status, answer in operation.answers.items():
        if isinstance(answer, str):
            responses[str(status)] = {"description": operation.summary, "content": {answer: {}}}
        else:
            models = _each(answer)
            text = (models[0].__doc__ or operation.summary).strip().partition("\n")[0]
            described_as: dict[str, Any] = (
                _schema(models[0]) if len(models) == 1 else {"anyOf": [_schema(model) for model in models]}
            )
            responses[str(status)] = {"description": text, "content": {"application/json": {"schema": described_as}}}
    for status in operation.refusals:
        responses[str(status)] = {
            "description": _REFUSALS[status],
            "content": {"application/json": {"schema": _schema(answers.ErrorBody)}},
        }
    described["responses"] = responses
    return described


def _each(answer: type[BaseModel] | tuple[type[BaseModel], ...]) -> tuple[type[BaseModel], ...]:
    return answer if isinstance(answer, tuple) else (answer,)


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": _REF.format(model=model.__name__)}
