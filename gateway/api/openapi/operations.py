"""The API as a table: one row for each operation. The OpenAPI document is made of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.api.schemas import requests, responses


def _path(name: str, description: str, **schema: Any) -> dict[str, Any]:
    shown = {"type": "string", **schema}
    return {"name": name, "in": "path", "required": True, "schema": shown, "description": description}


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "schema": {"type": "string"}, "description": description}


def _query(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": "string"}, "description": description}


_TASK_ID = _path("id", "A task id as a submit gave it.", maxLength=160)
_ACCOUNT = _path("name", "An account's name or tag, as GET /v1/accounts shows them.")
_NO_CACHE = _header("Cache-Control", "`no-cache` forces a query to the upstream.")
_LANGUAGE = _header("Accept-Language", "`zh` or `en`: the language of messages.")
_PREFER = _header("Prefer", "`wait=N`: hold the answer until the task ends, at most N seconds.")
_IDEMPOTENCY_KEY = _header(
    "Idempotency-Key", "The same key and body give the first task again, the same key with another body is 409."
)


class TokenBody(BaseModel):
    """What /token/check reads of its body."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"token": "<credential>"}]})

    token: str | None = Field(None, description="One credential or several, in place of those of the bearer.")


@dataclass(frozen=True, slots=True)
class ListOf:
    """A JSON list of one model."""

    model: type[BaseModel]


Answer = type[BaseModel] | ListOf


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the API: what it takes, what it gives, and which error_statuses are its own.

    An answer is a model or a list of one, several of them where it may be either, or a media type. `body_needed` says
    whether the body may be left out.
    """

    method: str
    path: str
    id: str
    summary: str
    answers: Mapping[int, Answer | tuple[Answer, ...] | str]
    body: type[BaseModel] | None = None
    body_needed: bool = True
    parameters: tuple[dict[str, Any], ...] = ()
    error_statuses: tuple[int, ...] = field(default=())
    authorized: bool = True


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "post",
        "/v1/videos/generations",
        "submitVideo",
        "Submit a video; the answer is its task id, at once",
        {200: (responses.TaskAccepted, responses.WaitedTask), 202: responses.WaitedTask},
        body=requests.GenerationBody,
        parameters=(_PREFER, _IDEMPOTENCY_KEY, _LANGUAGE),
        error_statuses=(400, 401, 403, 404, 409, 413, 429, 502, 504),
    ),
    Operation(
        "get",
        "/v1/videos/tasks/{id}",
        "getTask",
        "How a task stands, asked of the upstream now",
        {200: responses.TaskObject},
        parameters=(_TASK_ID, _NO_CACHE, _LANGUAGE),
        error_statuses=(401, 404, 502),
    ),
    Operation(
        "get",
        "/v1/videos/tasks",
        "getTasks",
        "Many tasks at once, by their ids, or those that have not ended",
        {200: responses.TaskList},
        parameters=(
            _query("ids", "Task ids with commas between them, at most 100."),
            _query("status", "`unfinished` in place of ids: recent tasks that have not ended."),
            _NO_CACHE,
            _LANGUAGE,
        ),
        error_statuses=(400, 401),
    ),
    Operation(
        "post",
        "/v1/videos/tasks/{id}/cancel",
        "cancelTask",
        "Cancel a task that still waits in the upstream's queue; what it cost is returned",
        {200: responses.TaskObject},
        parameters=(_TASK_ID, _LANGUAGE),
        error_statuses=(401, 404, 409, 429, 502),
    ),
    Operation(
        "post",
        "/v1/videos",
        "createVideo",
        "Submit a video, as OpenAI's libraries do; duration and size go to the nearest the model can do",
        {200: responses.VideoObject},
        body=requests.GenerationBody,
        parameters=(_IDEMPOTENCY_KEY, _LANGUAGE),
        error_statuses=(400, 401, 403, 404, 409, 413, 429, 502, 504),
    ),
    Operation(
        "get",
        "/v1/videos",
        "listVideos",
        "Recent videos of the credential's accounts, read live from the upstreams",
        {200: responses.VideoList},
        parameters=(
            _query("limit", "How many, 1 to 100; 20 unless said."),
            _query("after", "The `last_id` of the page before."),
            _query("order", "`desc`, the newest first, or `asc`."),
        ),
        error_statuses=(400, 401, 429, 502),
    ),
    Operation(
        "get",
        "/v1/videos/{id}",
        "retrieveVideo",
        "How a video stands",
        {200: responses.VideoObject},
        parameters=(_TASK_ID, _NO_CACHE, _LANGUAGE),
        error_statuses=(401, 404, 502),
    ),
    Operation(
        "delete",
        "/v1/videos/{id}",
        "deleteVideo",
        "Cancel a video that still waits, as cancelTask does; what cannot be deleted upstream is refused",
        {200: responses.VideoDeleted},
        parameters=(_TASK_ID, _LANGUAGE),
        error_statuses=(401, 404, 409, 429, 502),
    ),
    Operation(
        "get",
        "/v1/videos/{id}/content",
        "downloadVideo",
        "The finished video itself, ranges included; also HEAD",
        {200: "video/mp4", 206: "video/mp4"},
        parameters=(_TASK_ID, _query("variant", "`video`, or `thumbnail` for the cover.")),
        error_statuses=(400, 401, 404, 416, 502),
    ),
    Operation(
        "post",
        "/v1/videos/{id}/remix",
        "remixVideo",
        "The model of a video with a new prompt, the old video as reference where the model can",
        {200: responses.VideoObject},
        body=requests.ReuseBody,
        parameters=(_TASK_ID, _IDEMPOTENCY_KEY, _LANGUAGE),
        error_statuses=(400, 401, 403, 404, 409, 413, 429, 501, 502, 504),
    ),
    Operation(
        "post",
        "/v1/videos/edits",
        "editVideo",
        "Change a video, with a model that works on one",
        {200: responses.VideoObject},
        body=requests.ReuseBody,
        parameters=(_IDEMPOTENCY_KEY, _LANGUAGE),
        error_statuses=(400, 401, 403, 404, 409, 413, 429, 501, 502, 504),
    ),
    Operation(
        "post",
        "/v1/videos/extensions",
        "extendVideo",
        "Go on from a video, with a model that takes a first clip",
        {200: responses.VideoObject},
        body=requests.ReuseBody,
        parameters=(_IDEMPOTENCY_KEY, _LANGUAGE),
        error_statuses=(400, 401, 403, 404, 409, 413, 429, 501, 502, 504),
    ),
    Operation(
        "post",
        "/v1/videos/characters",
        "createCharacter",
        "Not supported: no upstream keeps characters",
        {},
        error_statuses=(401, 501),
    ),
    Operation(
        "get",
        "/v1/videos/characters/{id}",
        "getCharacter",
        "Not supported: no upstream keeps characters",
        {},
        parameters=(_TASK_ID,),
        error_statuses=(401, 501),
    ),
    Operation(
        "get",
        "/v1/models",
        "listModels",
        "Every model the credential can use, with what each can do",
        {200: responses.ModelList},
        error_statuses=(401,),
    ),
    Operation(
        "get",
        "/v1/models/{id}",
        "getModel",
        "One model",
        {200: responses.ModelObject},
        parameters=(_path("id", "A name that GET /v1/models lists."),),
        error_statuses=(401, 404),
    ),
    Operation(
        "post",
        "/token/check",
        "checkToken",
        "Is the login of the bearer's credential alive? Of several, a row for each; the admin key means all accounts",
        {200: (responses.TokenLive, ListOf(responses.TokenChecked))},
        body=TokenBody,
        body_needed=False,
        parameters=(_LANGUAGE,),
        error_statuses=(400, 401, 403, 413, 429, 502),
    ),
    Operation(
        "post",
        "/token/points",
        "readTokenPoints",
        "What each of the bearer's credentials has left, read within the last two minutes",
        {200: ListOf(responses.TokenPoints)},
        parameters=(_NO_CACHE, _LANGUAGE),
        error_statuses=(401,),
    ),
    Operation(
        "post",
        "/token/receive",
        "receiveTokenCredits",
        "Take today's credits for each of the bearer's credentials",
        {200: ListOf(responses.TokenReceived)},
        parameters=(_LANGUAGE,),
        error_statuses=(401,),
    ),
    Operation(
        "get",
        "/v1/accounts",
        "listAccounts",
        "For the operator, with the admin key or, where none is set, from the machine itself: how the accounts stand",
        {200: responses.AccountList},
        parameters=(_LANGUAGE,),
        error_statuses=(401,),
    ),
    Operation(
        "post",
        "/v1/accounts/{name}/check",
        "checkAccount",
        "For the operator: is an account's login alive?",
        {200: responses.AccountChecked},
        parameters=(_ACCOUNT, _LANGUAGE),
        error_statuses=(401, 403, 404, 429, 501, 502),
    ),
    Operation(
        "post",
        "/v1/accounts/{name}/points",
        "readAccountCredits",
        "For the operator: what an account has left, read within the last two minutes",
        {200: responses.AccountCredits},
        parameters=(_ACCOUNT, _NO_CACHE, _LANGUAGE),
        error_statuses=(401, 403, 404, 429, 501, 502),
    ),
    Operation(
        "post",
        "/v1/accounts/{name}/receive",
        "receiveAccountCredits",
        "For the operator: take an account's credits of today",
        {200: responses.AccountReceived},
        parameters=(_ACCOUNT, _LANGUAGE),
        error_statuses=(401, 403, 404, 429, 501, 502),
    ),
    Operation(
        "post",
        "/v1/accounts/{name}/pause",
        "pauseAccount",
        "For the operator: no more submits with an account until it is resumed or the gateway starts anew",
        {200: responses.AccountAction},
        parameters=(_ACCOUNT, _LANGUAGE),
        error_statuses=(401, 404),
    ),
    Operation(
        "post",
        "/v1/accounts/{name}/resume",
        "resumeAccount",
        "For the operator: hold nothing against an account any more",
        {200: responses.AccountAction},
        parameters=(_ACCOUNT, _LANGUAGE),
        error_statuses=(401, 404),
    ),
    Operation("get", "/healthz", "getHealth", "The process is alive", {200: responses.Health}, authorized=False),
    Operation("get", "/ping", "ping", "The word pong", {200: "text/plain"}, authorized=False),
    Operation(
        "get",
        "/metrics",
        "getMetrics",
        "Figures for Prometheus, for loopback or the admin key",
        {200: "text/plain"},
        error_statuses=(401,),
        authorized=False,
    ),
    Operation("get", "/openapi.json", "getOpenapi", "This document", {200: "application/json"}, authorized=False),
    Operation("get", "/docs", "getDocs", "This document for people", {200: "text/html"}, authorized=False),
)
