"""The status object of the generations API."""

from gateway.api.renderers.task import render_task
from gateway.tasks.view import Task
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.contract.tasks import Phase, Queue, Result, TaskState

RESULT = Result("https://host.example/v.mp4", "https://host.example/c.jpg", 1_737_916_800, 1280, 720, 5.0)


def test_a_running_task_has_message_and_queue_and_leaves_out_what_is_unknown() -> None:
    state = TaskState("one", Phase.QUEUED, queue=Queue(3, eta_seconds=120))
    rendered = render_task(Task("one", "jimeng", state, 5, model="m", created=1_737_830_400), "zh")
    assert list(rendered) == ["task_id", "status", "progress", "message", "queue", "created", "model", "provider"]
    assert rendered["status"] == "pending"
    assert rendered["queue"] == {"position": 3, "eta_seconds": 120}
    assert "3" in rendered["message"]


def test_every_unfinished_phase_is_one_of_two_statuses() -> None:
    statuses = {
        phase: render_task(Task("one", "jimeng", TaskState("one", phase)), "en")["status"]
        for phase in Phase
        if not phase.ended
    }
    assert statuses == {
        Phase.QUEUED: "pending",
        Phase.PROCESSING: "processing",
        Phase.POST_PROCESSING: "processing",
        Phase.FINALIZING: "processing",
    }


def test_a_completed_task_has_its_result() -> None:
    rendered = render_task(
        Task("one", "jimeng", TaskState("one", Phase.COMPLETED, result=RESULT), 100, archived=True), "en"
    )
    assert rendered == {
        "task_id": "one",
        "status": "completed",
        "progress": 100,
        "result": {
            "url": RESULT.url,
            "cover_url": RESULT.cover_url,
            "expires_at": 1_737_916_800,
            "width": 1280,
            "height": 720,
            "duration": 5.0,
        },
        "archived": True,
        "provider": "jimeng",
        "data": [{"url": RESULT.url}],
    }


def test_a_failed_task_has_error_and_code_and_no_progress() -> None:
    error = ProviderError(ErrorKind.NO_CREDITS, code="5000", message=LocalizedText("积分不足", "No credits"))
    state = TaskState("one", Phase.FAILED, error=error)
    assert render_task(Task("one", "jimeng", state), "zh") == {
        "task_id": "one",
        "status": "failed",
        "error": "积分不足",
        "error_code": "5000",
        "provider": "jimeng",
    }


def test_failed_query_is_not_a_failed_task() -> None:
    query_error = ProviderError(ErrorKind.UNREACHABLE)
    task = Task("one", "jimeng", TaskState("one", Phase.PROCESSING), 40, query_error=query_error, stale=True)
    rendered = render_task(task, "zh")
    assert (rendered["status"], rendered["stale"]) == ("processing", True)
    assert rendered["error"].startswith("查询失败")
    assert "error_code" not in rendered


def test_error_of_the_task_precedes_that_of_the_query() -> None:
    error = ProviderError(ErrorKind.NO_CREDITS, message=LocalizedText("积分不足", "No credits"))
    state = TaskState("one", Phase.FAILED, error=error)
    task = Task("one", "jimeng", state, query_error=ProviderError(ErrorKind.UNREACHABLE), stale=True)
    assert render_task(task, "zh")["error"] == "积分不足"
