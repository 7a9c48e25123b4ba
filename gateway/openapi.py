"""The OpenAPI 3.1 document, made from the models that validate."""

from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway import answers
from gateway.endpoints import OPERATIONS, Answer, ListOf, Operation

_REF = "#/components/schemas/{model}"
_BODY_KINDS = ("application/json", "multipart/form-data", "application/x-www-form-urlencoded")

_REFUSALS = {
    400: "A field is bad, or the model cannot do that: `param` names it, the message lists what is allowed.",
    401: "No credential, or one that is refused.",
    403: "The account is restricted, or may not use the model.",
    404: "No such model, task, account or path.",
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
                    "description": "A gateway key, or one or several upstream credentials with commas between them; "
                    "for the operator, the admin key.",
                }
            },
        },
    }


def _models() -> list[type[BaseModel]]:
    found: dict[str, type[BaseModel]] = {"ErrorBody": answers.ErrorBody}
    for operation in OPERATIONS:
        sent = [_model(kind) for answer in operation.answers.values() for kind in _each(answer)]
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
            "required": operation.body_needed,
            "content": {kind: {"schema": schema} for kind in _BODY_KINDS},
        }
    responses: dict[str, Any] = {}
    for status, answer in operation.answers.items():
        if isinstance(answer, str):
            responses[str(status)] = {"description": operation.summary, "content": {answer: {}}}
        else:
            kinds = _each(answer)
            text = (_model(kinds[0]).__doc__ or operation.summary).strip().partition("\n")[0]
            schema = _schema(kinds[0]) if len(kinds) == 1 else {"anyOf": [_schema(kind) for kind in kinds]}
            responses[str(status)] = {"description": text, "content": {"application/json": {"schema": schema}}}
    for status in operation.refusals:
        responses[str(status)] = {
            "description": _REFUSALS[status],
            "content": {"application/json": {"schema": _schema(answers.ErrorBody)}},
        }
    described["responses"] = responses
    return described


def _each(answer: Answer | tuple[Answer, ...] | str) -> tuple[Answer, ...]:
    """The kinds of JSON that an answer may be."""
    if isinstance(answer, str):
        return ()
    return answer if isinstance(answer, tuple) else (answer,)


def _model(answer: Answer) -> type[BaseModel]:
    return answer.model if isinstance(answer, ListOf) else answer


def _schema(answer: Answer) -> dict[str, Any]:
    reference = {"$ref": _REF.format(model=_model(answer).__name__)}
    return {"type": "array", "items": reference} if isinstance(answer, ListOf) else reference
