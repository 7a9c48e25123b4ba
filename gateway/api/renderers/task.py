"""JSON of a task in the generations API: the status object."""

from typing import Any

from gateway.core.errors import describe, describe_query
from gateway.core.localization import Language, describe_state
from gateway.tasks.view import Task
from providers.contract.tasks import Phase, Result


def render_task(task: Task, language: Language) -> dict[str, Any]:
    """The status object, its fields in the order of the contract, without absent ones."""
    state = task.state
    fields: dict[str, Any] = {"task_id": task.id, "status": state.phase.status}
    if state.phase is not Phase.FAILED:
        fields["progress"] = task.progress
    if not state.phase.ended:
        fields["message"] = describe_state(state, language)
    if state.queue:
        queue = state.queue
        fields["queue"] = _present(position=queue.position, length=queue.length, eta_seconds=queue.eta_seconds)
    if state.result:
        fields["result"] = _render_result(state.result)
    if task.archived:
        fields["archived"] = True
    if state.error:
        fields["error"] = describe(state.error, language)
        if state.error.code:
            fields["error_code"] = state.error.code
    if task.stale:
        fields["stale"] = True
    if task.query_error:
        fields.setdefault("error", describe_query(task.query_error, language))
    fields |= _present(created=task.created, model=task.model, provider=task.provider)
    return fields | ({"data": [{"url": state.result.url}]} if state.result else {})


def _render_result(result: Result) -> dict[str, Any]:
    return _present(
        url=result.url,
        cover_url=result.cover_url,
        expires_at=result.expires_at,
        width=result.width,
        height=result.height,
        duration=result.duration,
    )


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
