"""The schemas of the OpenAPI document, generated from the models of requests and responses."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.api.openapi.operation import Answer, ListOf, Operation, ResponseModel
from gateway.api.schemas.field_schema import FILE_MARK, OBJECTS, REF_TEMPLATE
from gateway.api.schemas.responses import ErrorBody, TaskEvent

_FORM_SUFFIX = "Form"
_FILE = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
_NULL = {"type": "null"}


def component_schemas(operations: Iterable[Operation]) -> dict[str, Any]:
    """The schemas of all request and response bodies, by name."""
    operations = list(operations)
    bodies = {operation.body: operation.forms for operation in operations if operation.body is not None}
    sent: dict[type[BaseModel], None] = {ErrorBody: None, TaskEvent: None}
    for operation in operations:
        sent |= {model_of(kind): None for answer in operation.answers.values() for kind in alternatives(answer)}
        sent[operation.error] = None
    requests = _definitions([*bodies, *OBJECTS])
    forms = {
        f"{body.__name__}{_FORM_SUFFIX}": _marked_as_files(requests[body.__name__], body.__name__)
        for body, has_forms in bodies.items()
        if has_forms
    }
    return {
        **{name: _as_sent(_unmarked(schema, None)) for name, schema in requests.items()},
        **forms,
        **{name: _as_received(schema) for name, schema in _definitions(sent).items()},
    }


def reference(answer: ResponseModel, *, form: bool = False) -> dict[str, Any]:
    """The schema of a body, as a reference to its component."""
    one = {"$ref": REF_TEMPLATE.format(model=model_of(answer).__name__ + (_FORM_SUFFIX if form else ""))}
    return {"type": "array", "items": one} if isinstance(answer, ListOf) else one


def alternatives(answer: Answer) -> tuple[ResponseModel, ...]:
    """The models that a response may have."""
    return tuple(kind for kind in _each(answer) if not isinstance(kind, str))


def media_types(answer: Answer) -> tuple[str, ...]:
    """The media types that a response may have besides JSON of a model."""
    return tuple(kind for kind in _each(answer) if isinstance(kind, str))


def _each(answer: Answer) -> tuple[ResponseModel | str, ...]:
    return answer if isinstance(answer, tuple) else (answer,)


def model_of(answer: ResponseModel) -> type[BaseModel]:
    return answer.model if isinstance(answer, ListOf) else answer


def _definitions(models: Iterable[type[BaseModel]]) -> dict[str, Any]:
    _, found = models_json_schema([(model, "validation") for model in models], ref_template=REF_TEMPLATE)
    definitions: dict[str, Any] = found["$defs"]
    return definitions


def _as_received(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of a response for clients: fields may be added later, and a field that is not required is absent rather
    than null."""
    found = {name: value for name, value in schema.items() if name != "additionalProperties" or value is not False}
    if "properties" in schema:
        required = schema.get("required", ())
        found["properties"] = {
            name: field if name in required else _without_null(field) for name, field in schema["properties"].items()
        }
    return found


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in field.items() if name != "default" or value is not None}
    choices = [choice for choice in found.get("anyOf", ()) if choice != _NULL]
    if not choices:
        return found
    if len(choices) > 1:
        return {**found, "anyOf": choices}
    del found["anyOf"]
    return {**choices[0], **found}


def _marked_as_files(schema: dict[str, Any], title: str) -> dict[str, Any]:
    """The form variant of a request body, whose marked fields accept files. Forms have no null."""
    form = _as_sent(_unmarked(schema, _FILE))
    properties = {name: _without_null(field) for name, field in form["properties"].items()}
    return {**form, "properties": properties, "title": f"{title}{_FORM_SUFFIX}"}


def _as_sent(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of a request for clients. Without defaults: generators take a field with one for one that is always
    there."""
    if "properties" not in schema:
        return schema
    properties = {
        name: {key: value for key, value in field.items() if key != "default"}
        for name, field in schema["properties"].items()
    }
    return {**schema, "properties": properties}


def _unmarked(schema: Any, file: dict[str, str] | None) -> Any:
    if isinstance(schema, list):
        return [_unmarked(item, file) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _unmarked(value, file) for name, value in schema.items() if name != FILE_MARK}
    if FILE_MARK in schema and file is not None:
        plain["anyOf"] = [file, *plain["anyOf"]]
    return plain
