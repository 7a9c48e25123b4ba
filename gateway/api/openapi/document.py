"""The OpenAPI 3.1 document, generated from the validation models and the table of operations."""

from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.api.openapi.operations import ListOf, Operation, ResponseModel, all_operations
from gateway.api.paths import ALIASES
from gateway.api.schemas.field_schema import FILE_MARK
from gateway.api.schemas.responses import ErrorBody, TaskEvent
from providers import registry

_REF = "#/components/schemas/{model}"
_JSON, _FORM, _URLENCODED = "application/json", "multipart/form-data", "application/x-www-form-urlencoded"
_FORM_SUFFIX = "Form"
_FILE = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}

_ERROR_DESCRIPTIONS = {
    400: "A field is invalid: `param` names it, the message lists the allowed values.",
    401: "The credential is missing or rejected.",
    403: "The account is restricted or has no access to the model.",
    404: "Unknown model, task, account or path.",
    409: "The task can no longer be cancelled, or the Idempotency-Key was used with another body.",
    413: "The body is too large.",
    416: "The range lies outside of the file.",
    429: "Out of credits, or rate limited: `x-should-retry` and `Retry-After` say whether and when to retry.",
    501: "The model or the upstream does not support the operation.",
    500: "The upstream or the gateway failed; a submit may have been charged: the message says so.",
    502: "The upstream is unreachable or its response is invalid; nothing was created.",
    503: "The gateway has no room for more event streams or webhooks, or the upstream is unreachable.",
    504: "The response to the submit was lost: it may have been charged.",
}


_EVENT_HEADERS = {
    "webhook-id": "The event's id, the same on every attempt.",
    "webhook-timestamp": "The time of the attempt, unix seconds.",
    "webhook-signature": "`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`, by the secret's bytes.",
}


def document() -> dict[str, Any]:
    """The document, ready for JSON."""
    return _document(registry.titles())


@cache
def _document(providers: str) -> dict[str, Any]:
    models = _models()
    _, definitions = models_json_schema([(model, "validation") for model in models], ref_template=_REF, by_alias=True)
    paths: dict[str, Any] = {}
    for operation in all_operations():
        paths.setdefault(operation.path, {})[operation.method] = _describe(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "video-gateway",
            "version": version("video-gateway"),
            "description": f"One API for {providers}: videos (submit, poll the task id, get the link), chat and "
            "embeddings.",
        },
        "paths": paths,
        "webhooks": {"taskEnded": {"post": _describe_event()}},
        "components": {
            "schemas": _with_forms(definitions["$defs"]),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A gateway key, or upstream credentials separated by commas; for the operator, the "
                    "admin key.",
                }
            },
        },
    }


def _with_forms(schemas: dict[str, Any]) -> dict[str, Any]:
    """The schemas, without FILE_MARK, and a form variant of each request body, whose marked fields accept files."""
    found = dict(schemas)
    for operation in all_operations():
        if operation.body is not None and operation.forms:
            name = operation.body.__name__
            found[f"{name}{_FORM_SUFFIX}"] = _unmarked(schemas[name], _FILE)
            found[name] = _unmarked(schemas[name], None)
    return found


def _unmarked(schema: Any, file: dict[str, str] | None) -> Any:
    if isinstance(schema, list):
        return [_unmarked(item, file) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _unmarked(value, file) for name, value in schema.items() if name != FILE_MARK}
    if FILE_MARK in schema and file is not None:
        plain["anyOf"] = [file, *plain["anyOf"]]
    return plain


def _models() -> list[type[BaseModel]]:
    found: dict[str, type[BaseModel]] = {"ErrorBody": ErrorBody, "TaskEvent": TaskEvent}
    for operation in all_operations():
        sent = [_model(kind) for answer in operation.answers.values() for kind in _each(answer)]
        for model in (operation.body, operation.error, *sent):
            if model is not None:
                found[model.__name__] = model
    return list(found.values())


def _describe(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {"operationId": operation.id, "summary": operation.summary}
    aliases = ALIASES.get(operation.path)
    if aliases:
        paths = ", ".join(f"`{path}`" for path in aliases)
        described["description"] = f"Other paths of the same operation: {paths}; each also without `/v1`."
    if operation.authorized:
        described["security"] = [{"bearer": []}]
    if operation.parameters:
        described["parameters"] = list(operation.parameters)
    if operation.body:
        schema, form = _schema(operation.body), _schema(operation.body, form=True)
        forms = {_FORM: {"schema": form}, _URLENCODED: {"schema": schema}} if operation.forms else {}
        content = {_JSON: {"schema": schema}, **forms}
        described["requestBody"] = {"required": operation.body_required, "content": content}
    responses: dict[str, Any] = {}
    for status, answer in operation.answers.items():
        if isinstance(answer, str):
            responses[str(status)] = {"description": operation.summary, "content": {answer: {}}}
        else:
            kinds = _each(answer)
            text = (_model(kinds[0]).__doc__ or operation.summary).strip().partition("\n")[0]
            schema = _schema(kinds[0]) if len(kinds) == 1 else {"anyOf": [_schema(kind) for kind in kinds]}
            responses[str(status)] = {"description": text, "content": {"application/json": {"schema": schema}}}
    for status in operation.error_statuses:
        responses[str(status)] = {
            "description": _ERROR_DESCRIPTIONS[status],
            "content": {"application/json": {"schema": _schema(operation.error)}},
        }
    described["responses"] = responses
    return described


def _describe_event() -> dict[str, Any]:
    """The request to the `webhook_url` of a submit."""
    return {
        "operationId": "taskEnded",
        "summary": "The event of an ended task, sent to the `webhook_url` of its submit until the answer is 2xx",
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": description}
            for name, description in _EVENT_HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {_JSON: {"schema": _schema(TaskEvent)}}},
        "responses": {"2XX": {"description": "Delivered. Anything else, or nothing within 10 s, is tried again."}},
    }


def _each(answer: ResponseModel | tuple[ResponseModel, ...] | str) -> tuple[ResponseModel, ...]:
    """The models that a response may have."""
    if isinstance(answer, str):
        return ()
    return answer if isinstance(answer, tuple) else (answer,)


def _model(answer: ResponseModel) -> type[BaseModel]:
    return answer.model if isinstance(answer, ListOf) else answer


def _schema(answer: ResponseModel, *, form: bool = False) -> dict[str, Any]:
    reference = {"$ref": _REF.format(model=_model(answer).__name__ + (_FORM_SUFFIX if form else ""))}
    return {"type": "array", "items": reference} if isinstance(answer, ListOf) else reference
