"""The examples of the documentation are what the gateway takes and sends."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import TypeAdapter

from gateway.api.openapi.components import alternatives
from gateway.api.openapi.examples import example_of
from gateway.api.openapi.operation import ListOf, Operation
from gateway.api.openapi.operations import all_operations
from gateway.api.schemas.requests import (
    Generation,
    Reuse,
    VideoGenerationRequest,
    VideoReuseRequest,
    parse_generation,
    parse_reuse,
)
from gateway.api.schemas.responses import TaskEvent

PARSERS: dict[Any, Callable[[Any], Generation | Reuse]] = {
    VideoGenerationRequest: parse_generation,
    VideoReuseRequest: parse_reuse,
}
WITHOUT_EXAMPLE = {"dashscopeGetUploadPolicy"}
"""Its answer is the upstream's own."""

BODIES = [operation for operation in all_operations() if operation.body is not None]
ANSWERS = [
    operation for operation in all_operations() if any(alternatives(answer) for answer in operation.answers.values())
]


@pytest.mark.parametrize("operation", BODIES, ids=lambda operation: operation.id)
def test_example_of_a_request_is_accepted_without_a_warning(operation: Operation) -> None:
    assert operation.body is not None
    body: Any = example_of(operation.id).request
    operation.body.model_validate(body)
    parse = PARSERS.get(operation.body)
    if parse is not None:
        assert parse(body).warnings == ()


@pytest.mark.parametrize("operation", ANSWERS, ids=lambda operation: operation.id)
def test_example_of_a_response_has_a_documented_form(operation: Operation) -> None:
    example = example_of(operation.id).response
    if operation.id in WITHOUT_EXAMPLE:
        assert example is None
        return
    for answer in operation.answers.values():
        kinds: list[Any] = [
            list[kind.model] if isinstance(kind, ListOf) else kind  # type: ignore[name-defined]
            for kind in alternatives(answer)
        ]
        found: Any = kinds[0]
        for kind in kinds[1:]:
            found = found | kind
        TypeAdapter(found).validate_python(example)


def test_example_of_an_event_has_its_form() -> None:
    TaskEvent.model_validate(example_of("taskEnded").request)
