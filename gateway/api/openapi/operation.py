"""An operation of the API as the OpenAPI document describes it, and the parameters that operations share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from gateway.api.schemas.responses import ErrorBody


@dataclass(frozen=True, slots=True)
class ListOf:
    """A JSON list of one model."""

    model: type[BaseModel]


ResponseModel = type[BaseModel] | ListOf
Answer = ResponseModel | str | tuple[ResponseModel | str, ...]
"""The body of a response: JSON of a model, a media type, or one of several."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: its parameters, request body, responses and error statuses.

    `answers` has the response by status. `forms` is False for a body that is JSON only. `error` is the form of an
    error. `links` are the operations that take the id in the response, each with its JSON pointer.
    """

    method: str
    path: str
    id: str
    summary: str
    answers: Mapping[int, Answer]
    body: type[BaseModel] | None = None
    body_required: bool = True
    parameters: tuple[dict[str, Any], ...] = ()
    error_statuses: tuple[int, ...] = ()
    authorized: bool = True
    forms: bool = True
    error: type[BaseModel] = ErrorBody
    description: str = ""
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OperationGroup:
    """Operations under one heading, a tag of the document."""

    name: str
    description: str
    operations: tuple[Operation, ...]


def path_parameter(name: str, description: str) -> dict[str, Any]:
    shown = {"type": "string"}
    return {"name": name, "in": "path", "required": True, "schema": shown, "description": description}


def header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "schema": {"type": "string"}, "description": description}


def query(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": "string", **schema}, "description": description}


TASK_ID = path_parameter("id", "A task id, as returned by a submit.")
ACCOUNT = path_parameter("name", "An account's name or tag, as listed by GET /v1/accounts.")
NO_CACHE = header("Cache-Control", "`no-cache` forces a query of the upstream.")
LANGUAGE = header("Accept-Language", "`zh` or `en`: the language of messages.")
WAIT = query(
    "wait",
    "Seconds, at most 100: answer after the next change of the task, else after this time.",
    type="number",
    minimum=0,
)
TOKEN = query("token", "The bearer, for `EventSource`, which cannot set a header.")
LAST_EVENT_ID = header("Last-Event-ID", "The last `id` received; the current status is sent first in any case.")
PREFER = header("Prefer", "`wait=N`: hold the response until the task ends, at most N seconds.")
IDEMPOTENCY_KEY = header(
    "Idempotency-Key", "The same key and body return the first task; the same key with another body is a 409."
)
