"""The operations of the API, one row each. The OpenAPI document is generated from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.api.native_apis import NativeApi, native_apis
from gateway.api.schemas import language, requests, responses
from gateway.api.schemas.responses import ErrorBody
from providers.contract.native import NativeOperation


def _path(name: str, description: str, **schema: Any) -> dict[str, Any]:
    shown = {"type": "string", **schema}
    return {"name": name, "in": "path", "required": True, "schema": shown, "description": description}


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "schema": {"type": "string"}, "description": description}


def _query(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": "string"}, "description": description}


_TASK_ID = _path("id", "A task id, as returned by a submit.", maxLength=160)
_ACCOUNT = _path("name", "An account's name or tag, as listed by GET /v1/accounts.")
_NO_CACHE = _header("Cache-Control", "`no-cache` forces a query of the upstream.")
_LANGUAGE = _header("Accept-Language", "`zh` or `en`: the language of messages.")
_WAIT = _query("wait", "Seconds, at most 100: answer after the next change of the task, else after this time.")
_TOKEN = _query("token", "The bearer, for `EventSource`, which cannot set a header.")
_LAST_EVENT_ID = _header("Last-Event-ID", "The last `id` received; the current status is sent first in any case.")
_PREFER = _header("Prefer", "`wait=N`: hold the response until the task ends, at most N seconds.")
_IDEMPOTENCY_KEY = _header(
    "Idempotency-Key", "The same key and body return the first task; the same key with another body is a 409."
)


class TokenBody(BaseModel):
    """The request body of /token/check."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"token": "<credential>"}]})

    token: str | None = Field(None, description="One or more credentials, in place of those of the bearer.")


@dataclass(frozen=True, slots=True)
class ListOf:
    """A JSON list of one model."""

    model: type[BaseModel]


ResponseModel = type[BaseModel] | ListOf


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: its parameters, request body, responses and error statuses.

    `answers` has the response by status: a model, a list of one, a tuple of alternatives, or a media type. `forms` is
    False for a body that is JSON only. `error` is the form of an error.
    """

    method: str
    path: str
    id: str
    summary: str
    answers: Mapping[int, ResponseModel | tuple[ResponseModel, ...] | str]
    body: type[BaseModel] | None = None
    body_required: bool = True
    parameters: tuple[dict[str, Any], ...] = ()
    error_statuses: tuple[int, ...] = field(default=())
    authorized: bool = True
    forms: bool = True
    error: type[BaseModel] = ErrorBody


def _native(api: NativeApi, operation: NativeOperation) -> Operation:
    """An operation of an upstream's own API."""
    parameters = [_TASK_ID] if "{id}" in operation.path else []
    parameters += [_query(name, text) for name, text in operation.query.items()]
    parameters += [_header(name, text) for name, text in operation.headers.items()]
    return Operation(
        operation.method.lower(),
        operation.path,
        operation.id,
        operation.summary,
        {200: operation.answer},
        body=operation.body,
        parameters=tuple(parameters),
        error_statuses=operation.error_statuses,
        forms=False,
        error=api.entrance.error_model,
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "post",
        "/v1/videos/generations",
        "submitVideo",
        "Submit a video; returns its task id at once",
        {200: (responses.TaskAccepted, responses.WaitedTask), 202: responses.WaitedTask},
        body=requests.GenerationBody,
        parameters=(_PREFER, _IDEMPOTENCY_KEY, _LANGUAGE),
        error_statuses=(400, 401, 403, 404, 409, 413, 429, 502, 503, 504),
    ),
    Operation(
        "get",
        "/v1/videos/tasks/{id}",
        "getTask",
        "The current status of a task",
        {200: responses.TaskObject},
        parameters=(_TASK_ID, _WAIT, _NO_CACHE, _LANGUAGE),
        error_statuses=(400, 401, 404, 502),
    ),
    Operation(
        "get",
        "/v1/videos/tasks/{id}/events",
        "watchTask",
        "Events (SSE): `status` (the status object) at each change, then `end`, `timeout`, `reconnect`, `unauthorized`",
        {200: "text/event-stream"},
        parameters=(_TASK_ID, _TOKEN, _LAST_EVENT_ID, _LANGUAGE),
        error_statuses=(401, 404, 429, 502, 503),
    ),
    Operation(
        "get",
        "/v1/videos/tasks",
        "getTasks",
        "The status of several tasks by their ids, or of the unfinished ones",
        {200: responses.TaskList},
        parameters=(
            _query("ids", "Task ids, separated by commas, at most 100."),
            _query("status", "`unfinished`, in place of `ids`: recent tasks that have not ended."),
            _NO_CACHE,
            _LANGUAGE,
        ),
        error_statuses=(400, 401),
    ),
    Operation(
        "post",
        "/v1/videos/tasks/{id}/cancel",
        "cancelTask",
        "Cancel a task that is still in the upstream's queue; its cost is refunded",
        {200: responses.TaskObject},
        parameters=(_TASK_ID, _LANGUAGE),
        error_statuses=(401, 404, 409, 429, 502),
    ),
    Operation(
        "post",
        "/v1/videos",
        "createVideo",
        "Submit a video, as OpenAI's libraries do; duration and size snap to the nearest that the model supports",
        {200: responses.VideoObject},
        body=requests.GenerationBody,
        parameters=(_IDEMPOTENCY_KEY, _LANGUAGE),
        error_statuses=(400, 401, 403, 404, 409, 413, 429, 502, 503, 504),
    ),
    Operation(
        "get",
        "/v1/videos",
        "listVideos",
        "Recent videos of the credential's accounts, as the upstreams list them now",
        {200: responses.VideoList},
        parameters=(
            _query("limit", "Number of videos, 1 to 100, by default 20."),
            _query("after", "The `last_id` of the previous page."),
            _query("order", "`desc` (the default, newest first) or `asc`."),
        ),
        error_statuses=(400, 401, 429, 502),
    ),
    Operation(
        "get",
        "/v1/videos/{id}",
        "retrieveVideo",
        "The current status of a video",
        {200: responses.VideoObject},
        parameters=(_TASK_ID, _WAIT, _NO_CACHE, _LANGUAGE),
        error_statuses=(400, 401, 404, 502),
    ),
    Operation(
        "get",
        "/v1/videos/{id}/events",
        "watchVideo",
        "Events (SSE): `status` (the video object) at each change, then `end`, `timeout`, `reconnect`, `unauthorized`",
        {200: "text/event-stream"},
        parameters=(_TASK_ID, _TOKEN, _LAST_EVENT_ID, _LANGUAGE),
        error_statuses=(401, 404, 429, 502, 503),
    ),
    Operation(
        "delete",
        "/v1/videos/{id}",
        "deleteVideo",
        "Cancel a queued video, as cancelTask does; one that can no longer be cancelled is a 409",
        {200: responses.VideoDeleted},
        parameters=(_TASK_ID, _LANGUAGE),
        error_statuses=(401, 404, 409, 429, 502),
    ),
    Operation(
        "get",
        "/v1/videos/{id}/content",
        "downloadVideo",
        "Download the finished video; supports ranges and HEAD",
        {200: "video/mp4", 206: "video/mp4"},
        parameters=(_TASK_ID, _query("variant", "`video` (the default), or `thumbnail` for the cover image.")),
        error_statuses=(400, 401, 404, 416, 502),
    ),
    Operation(
        "post",
        "/v1/videos/{id}/remix",
        "remixVideo",
        "Submit a new prompt for a video: with its model, and with it as reference if the model supports that",
        {200: responses.VideoObject},
        body=requests.ReuseBody,
        parameters=(_TASK_ID, _IDEMPOTENCY_KEY, _LANGUAGE),
        error_statuses=(400, 401, 403, 404, 409, 413, 429, 501, 502, 503, 504),
    ),
    Operation(
        "post",
        "/v1/videos/edits",
        "editVideo",
        "Edit a video, with a model that supports editing",
        {200: responses.VideoObject},
        body=requests.ReuseBody,
        parameters=(_IDEMPOTENCY_KEY, _LANGUAGE),
        error_statuses=(400, 401, 403, 404, 409, 413, 429, 501, 502, 503, 504),
    ),
    Operation(
        "post",
        "/v1/videos/extensions",
        "extendVideo",
        "Extend a video, with a model that accepts a first clip",
        {200: responses.VideoObject},
        body=requests.ReuseBody,
        parameters=(_IDEMPOTENCY_KEY, _LANGUAGE),
        error_statuses=(400, 401, 403, 404, 409, 413, 429, 501, 502, 503, 504),
    ),
    Operation(
        "post",
        "/v1/videos/characters",
        "createCharacter",
        "Not supported: no upstream has characters",
        {},
        error_statuses=(401, 501),
    ),
    Operation(
        "get",
        "/v1/videos/characters/{id}",
        "getCharacter",
        "Not supported: no upstream has characters",
        {},
        parameters=(_TASK_ID,),
        error_statuses=(401, 501),
    ),
    Operation(
        "post",
        "/v1/chat/completions",
        "createChatCompletion",
        "Send a chat request to a language model; with `stream` its chunks are relayed as they arrive",
        {200: language.ChatCompletion},
        body=language.ChatBody,
        forms=False,
        parameters=(_LANGUAGE,),
        error_statuses=(400, 401, 403, 404, 413, 429, 502),
    ),
    Operation(
        "post",
        "/v1/embeddings",
        "createEmbeddings",
        "Compute embeddings of texts",
        {200: language.EmbeddingList},
        body=language.EmbeddingBody,
        forms=False,
        parameters=(_LANGUAGE,),
        error_statuses=(400, 401, 403, 404, 413, 429, 502),
    ),
    Operation(
        "get",
        "/v1/models",
        "listModels",
        "The models that the credential can use: of videos with their capabilities, of chat and of embeddings",
        {200: language.ModelList},
        error_statuses=(401,),
    ),
    Operation(
        "get",
        "/v1/models/{id}",
        "getModel",
        "A model, with its capabilities if it makes videos",
        {200: (responses.ModelObject, language.LanguageModelObject)},
        parameters=(_path("id", "A model name, as listed by GET /v1/models."),),
        error_statuses=(401, 404),
    ),
    Operation(
        "post",
        "/token/check",
        "checkToken",
        "Check the login of the bearer's credential, of several one row each; the admin key means all accounts",
        {200: (responses.TokenLive, ListOf(responses.TokenChecked))},
        body=TokenBody,
        body_required=False,
        parameters=(_LANGUAGE,),
        error_statuses=(400, 401, 403, 413, 429, 502),
    ),
    Operation(
        "post",
        "/token/points",
        "readTokenPoints",
        "The credits of each of the bearer's credentials, at most two minutes old",
        {200: ListOf(responses.TokenPoints)},
        parameters=(_NO_CACHE, _LANGUAGE),
        error_statuses=(401,),
    ),
    Operation(
        "post",
        "/token/receive",
        "receiveTokenCredits",
        "Receive the daily credits of each of the bearer's credentials",
        {200: ListOf(responses.TokenReceived)},
        parameters=(_LANGUAGE,),
        error_statuses=(401,),
    ),
    Operation(
        "get",
        "/v1/accounts",
        "listAccounts",
        "For the operator, with the admin key or, if none is set, from loopback: the status of the managed accounts",
        {200: responses.AccountList},
        parameters=(_LANGUAGE,),
        error_statuses=(401,),
    ),
    Operation(
        "post",
        "/v1/accounts/{name}/check",
        "checkAccount",
        "For the operator: check the login of an account",
        {200: responses.AccountChecked},
        parameters=(_ACCOUNT, _LANGUAGE),
        error_statuses=(401, 403, 404, 429, 501, 502),
    ),
    Operation(
        "post",
        "/v1/accounts/{name}/points",
        "readAccountCredits",
        "For the operator: the credits of an account, at most two minutes old",
        {200: responses.AccountCredits},
        parameters=(_ACCOUNT, _NO_CACHE, _LANGUAGE),
        error_statuses=(401, 403, 404, 429, 501, 502),
    ),
    Operation(
        "post",
        "/v1/accounts/{name}/receive",
        "receiveAccountCredits",
        "For the operator: receive the daily credits of an account",
        {200: responses.AccountReceived},
        parameters=(_ACCOUNT, _LANGUAGE),
        error_statuses=(401, 403, 404, 429, 501, 502),
    ),
    Operation(
        "post",
        "/v1/accounts/{name}/pause",
        "pauseAccount",
        "For the operator: pause an account: no submits until it is resumed or the gateway restarts",
        {200: responses.AccountAction},
        parameters=(_ACCOUNT, _LANGUAGE),
        error_statuses=(401, 404),
    ),
    Operation(
        "post",
        "/v1/accounts/{name}/resume",
        "resumeAccount",
        "For the operator: end the pause of an account and clear its failures",
        {200: responses.AccountAction},
        parameters=(_ACCOUNT, _LANGUAGE),
        error_statuses=(401, 404),
    ),
    Operation(
        "post",
        "/v1/webhooks/test",
        "testWebhook",
        "For the operator: send a signed sample event to a URL",
        {200: responses.WebhookAttempt},
        body=requests.WebhookTestBody,
        parameters=(_LANGUAGE,),
        error_statuses=(400, 401, 413),
    ),
    Operation("get", "/healthz", "getHealth", "Liveness check", {200: responses.Health}, authorized=False),
    Operation("get", "/ping", "ping", "Liveness check: responds with `pong`", {200: "text/plain"}, authorized=False),
    Operation(
        "get",
        "/metrics",
        "getMetrics",
        "Metrics for Prometheus, for loopback or the admin key",
        {200: "text/plain"},
        error_statuses=(401,),
        authorized=False,
    ),
    Operation("get", "/openapi.json", "getOpenapi", "This document", {200: "application/json"}, authorized=False),
    Operation("get", "/docs", "getDocs", "This document as a web page", {200: "text/html"}, authorized=False),
)


def all_operations() -> list[Operation]:
    """Every operation: those above, and the upstreams' own APIs of the providers in the registry."""
    return [*OPERATIONS, *(_native(api, operation) for api in native_apis() for operation in api.entrance.operations)]
