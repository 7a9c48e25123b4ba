"""The OpenAPI 3.1 document, generated from the validation models and the groups of operations."""

from functools import cache
from importlib.metadata import version
from typing import Any

from gateway.api.native_apis import native_apis
from gateway.api.openapi.components import alternatives, component_schemas, media_types, model_of, reference
from gateway.api.openapi.examples import example_of
from gateway.api.openapi.operation import Operation, OperationGroup
from gateway.api.openapi.operations import all_groups, all_operations
from gateway.api.openapi.translations import DocumentTranslator
from gateway.api.paths import ALIASES
from gateway.api.schemas.responses import TaskEvent
from gateway.core.localization import Language
from providers import registry

_JSON, _FORM, _EVENTS = "application/json", "multipart/form-data", "text/event-stream"
# As a content of its own with the schema of the JSON body, generated clients cannot tell which of the two to send.
_URLENCODED = "A form without files may also be `application/x-www-form-urlencoded`."

_ERROR_DESCRIPTIONS = {
    400: "A field is invalid: `param` names it, the message lists the allowed values.",
    401: "The credential is missing or rejected.",
    403: "The account is restricted or has no access to the model.",
    404: "Unknown model, task, account or path.",
    409: "The task can no longer be cancelled, or the Idempotency-Key was used with another body.",
    413: "The body is too large.",
    416: "The range lies outside of the file.",
    429: "Out of credits, or a limit of the key or of the upstream is reached: `x-should-retry` and `Retry-After` say "
    "whether and when to retry.",
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


def document(language: Language = "en") -> dict[str, Any]:
    """The document, ready for JSON. Names and formats are the same in every language."""
    return _document(registry.titles(), language)


@cache
def _document(providers: str, language: Language) -> dict[str, Any]:
    if language == "zh":
        further = {english: chinese for api in native_apis() for english, chinese in api.entrance.chinese.items()}
        translated: dict[str, Any] = DocumentTranslator(further).document(_document(providers, "en"))
        return translated
    paths: dict[str, Any] = {}
    groups = all_groups()
    for group in groups:
        for operation in group.operations:
            paths.setdefault(operation.path, {})[operation.method] = _describe(operation, group)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "video-gateway",
            "version": version("video-gateway"),
            "description": f"One API for {providers}: videos (submit, poll the task id, get the link), chat and "
            "embeddings.",
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": group.name, "x-displayName": group.name, "description": group.description} for group in groups
        ],
        "paths": paths,
        "webhooks": {"taskEnded": {"post": _describe_event()}},
        "components": {
            "schemas": component_schemas(all_operations()),
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


def _describe(operation: Operation, group: OperationGroup) -> dict[str, Any]:
    described: dict[str, Any] = {"operationId": operation.id, "tags": [group.name], "summary": operation.summary}
    notes = [operation.description] if operation.description else []
    if aliases := ALIASES.get(operation.path):
        paths = ", ".join(f"`{path}`" for path in aliases)
        notes.append(f"Other paths of the same operation: {paths}; each also without `/v1`.")
    if notes:
        described["description"] = "\n\n".join(notes)
    if operation.authorized:
        described["security"] = [{"bearer": []}]
    if operation.parameters:
        described["parameters"] = list(operation.parameters)
    example = example_of(operation.id)
    if operation.body:
        content = _content(reference(operation.body), example.request)
        described["requestBody"] = {"required": operation.body_required, "content": content}
        if operation.forms:
            content[_FORM] = {"schema": reference(operation.body, form=True)}
            described["requestBody"]["description"] = _URLENCODED
    responses: dict[str, Any] = {}
    for status, answer in operation.answers.items():
        kinds, text = alternatives(answer), operation.summary
        content = {kind: _file_schema(kind) for kind in media_types(answer)}
        if kinds:
            text = (model_of(kinds[0]).__doc__ or text).strip().partition("\n")[0]
            schema = reference(kinds[0]) if len(kinds) == 1 else {"anyOf": [reference(kind) for kind in kinds]}
            content |= _content(schema, example.response)
        responses[str(status)] = {"description": text, "content": content}
        if operation.links:
            responses[str(status)]["links"] = {
                target: {"operationId": target, "parameters": {"id": f"$response.body#{pointer}"}}
                for target, pointer in operation.links.items()
            }
    # The rate limit of a gateway key applies to every call.
    limited = {429} if operation.authorized else set()
    for status in sorted({*operation.error_statuses, *limited}):
        responses[str(status)] = {
            "description": _ERROR_DESCRIPTIONS[status],
            "content": _content(reference(operation.error), None),
        }
    described["responses"] = responses
    return described


def _content(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {_JSON: {"schema": schema} if example is None else {"schema": schema, "example": example}}


def _file_schema(kind: str) -> dict[str, Any]:
    """The content of a body that has no model. The schema of events would be that of each of them."""
    if kind == _EVENTS:
        return {}
    if kind == _JSON:
        return {"schema": {"type": "object"}}
    return {"schema": {"type": "string"} if kind.startswith("text/") else {"type": "string", "format": "binary"}}


def _describe_event() -> dict[str, Any]:
    """The request to the `webhook_url` of a submit."""
    return {
        "operationId": "taskEnded",
        "summary": "The event of an ended task, sent to the `webhook_url` of its submit until the answer is 2xx",
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": description}
            for name, description in _EVENT_HEADERS.items()
        ],
        "requestBody": {"required": True, "content": _content(reference(TaskEvent), example_of("taskEnded").request)},
        "responses": {"2XX": {"description": "Delivered. Anything else, or nothing within 10 s, is tried again."}},
    }
