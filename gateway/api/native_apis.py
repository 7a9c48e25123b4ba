"""The upstreams' own APIs that the gateway serves, by path, with their errors."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from gateway.core.errors import GatewayError, describe, gateway_error
from gateway.core.localization import Language
from gateway.tasks.view import Task
from providers import registry
from providers.contract.native import NativeAnswer, NativeEntrance, NativeError, NativeTask


@dataclass(frozen=True)
class NativeApi:
    """The API of one upstream. `provider` is its name, `title` that for people."""

    provider: str
    title: str
    entrance: NativeEntrance

    def error(self, error: GatewayError, method: str, path: str, language: Language, request_id: str) -> NativeAnswer:
        """Status and body of the response to a request with an error."""
        answer = None
        if error.code == "task_not_found" and method in ("GET", "HEAD"):
            answer = self.entrance.missing(path.rpartition("/")[2])
        if answer is None:
            message = error.message(language)
            described = NativeError(error.code, error.spec.status, message, error.upstream_code, error.detail)
            answer = self.entrance.error(described)
        return NativeAnswer(answer.status, {**answer.body, self.entrance.request_id_field: request_id})

    def unknown_path(self) -> GatewayError:
        """The error of a path that the entrance does not have."""
        paths = ", ".join(f"{one.method} {one.path}" for one in self.entrance.operations)
        return gateway_error("native_not_found", title=self.title, paths=paths)


def native_apis() -> Iterator[NativeApi]:
    """The APIs of all providers that have one."""
    for spec in registry.PROVIDERS:
        if spec.native is not None:
            yield _built(spec.name, spec.title, spec.native)


@lru_cache(16)
def _built(provider: str, title: str, create: Callable[[], NativeEntrance]) -> NativeApi:
    return NativeApi(provider, title, create())


def native_api_at(path: str) -> NativeApi | None:
    """The API that a path belongs to, whether or not it has that path."""
    return next((api for api in native_apis() if path.startswith(f"{api.entrance.prefix}/")), None)


def native_task(task: Task, language: Language) -> NativeTask:
    """A task as the entrances take it."""
    failure = describe(task.state.error, language) if task.state.error is not None else ""
    return NativeTask(task.id, task.provider, task.state, task.model, task.created, failure)
