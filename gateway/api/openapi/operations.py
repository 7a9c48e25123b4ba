"""All operations of the API, by group. The OpenAPI document is generated from them."""

from gateway.api.native_apis import NativeApi, native_apis
from gateway.api.openapi.language_operations import CHAT, MODELS
from gateway.api.openapi.operation import TASK_ID, Operation, OperationGroup, header, query
from gateway.api.openapi.operator_operations import OPERATOR, SERVICE, TOKENS, USAGE
from gateway.api.openapi.video_operations import GENERATIONS, OPENAI_VIDEOS
from providers.contract.native import NativeOperation

_GROUPS = (GENERATIONS, OPENAI_VIDEOS, CHAT, MODELS, USAGE, TOKENS, OPERATOR, SERVICE)


def all_groups() -> list[OperationGroup]:
    """Every operation by group: those of the gateway, and the upstreams' own APIs of the providers in the registry."""
    return [*_GROUPS, *(_native_group(api) for api in native_apis())]


def all_operations() -> list[Operation]:
    """Every operation of every group."""
    return [operation for group in all_groups() for operation in group.operations]


def _native_group(api: NativeApi) -> OperationGroup:
    return OperationGroup(
        f"{api.title} API",
        "The upstream's own API, for clients of its SDK.",
        tuple(_native(api, operation) for operation in api.entrance.operations),
    )


def _native(api: NativeApi, operation: NativeOperation) -> Operation:
    """An operation of an upstream's own API."""
    parameters = [TASK_ID] if "{id}" in operation.path else []
    parameters += [query(name, text) for name, text in operation.query.items()]
    parameters += [header(name, text) for name, text in operation.headers.items()]
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
