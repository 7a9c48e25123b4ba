"""The upstreams' own APIs by path, and what they make of errors and tasks."""

import pytest

from gateway.api.native_apis import native_api_at, native_apis, native_task
from gateway.core.errors import GatewayError
from gateway.tasks.view import Task
from providers import registry
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.native import NativeCall
from providers.contract.tasks import Phase, TaskState


def test_each_api_has_every_call_below_a_prefix_of_its_own() -> None:
    apis = list(native_apis())
    assert [api.provider for api in apis] == [spec.name for spec in registry.PROVIDERS if spec.native]
    assert len({api.entrance.prefix for api in apis}) == len(apis)
    for api in apis:
        operations = api.entrance.operations
        assert {one.call for one in operations} == set(NativeCall)
        assert all(one.path.startswith(f"{api.entrance.prefix}/") for one in operations)
        assert len({one.id for one in operations}) == len(operations)


@pytest.mark.parametrize(
    ("path", "belongs"),
    [("/api/v1/tasks/x", True), ("/api/v1/none", True), ("/api/v1", False), ("/api/v12/x", False), ("/v1/x", False)],
)
def test_path_belongs_to_the_api_with_its_prefix(path: str, belongs: bool) -> None:
    assert (native_api_at(path) is not None) == belongs


def test_error_names_the_request_in_the_body() -> None:
    api = next(native_apis())
    answer = api.error(GatewayError("internal_error"), "POST", "/api/v1/tasks/x/cancel", "en", "req_1")
    assert answer.status == 500
    assert answer.body[api.entrance.request_id_field] == "req_1"


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("HEAD", 200), ("POST", 400)])
def test_only_a_poll_of_an_unknown_task_is_no_error(method: str, status: int) -> None:
    api = next(native_apis())
    answer = api.error(GatewayError("task_not_found"), method, "/api/v1/tasks/x", "en", "req_1")
    assert answer.status == status


def test_failed_task_has_the_message_for_people() -> None:
    error = ProviderError(ErrorKind.NO_CREDITS, code="5000")
    task = Task("video_1", "jimeng", TaskState("7", Phase.FAILED, error=error), model="m", created=7)
    made = native_task(task, "en")
    assert (made.id, made.provider, made.model, made.created) == ("video_1", "jimeng", "m", 7)
    assert made.failure == "Not enough credits"
    assert native_task(Task("1", "jimeng", TaskState("7", Phase.QUEUED)), "en").failure == ""
