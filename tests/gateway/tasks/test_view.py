"""Task views: `poll_after_ms`, and the fields from an id and an observation."""

import pytest

from gateway.polling.task_cache import Observation
from gateway.task_ids.task_ref import TaskRef
from gateway.tasks.view import Submitted, Task, view_of
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, Queue, TaskState
from tests.upstream import ScriptedProvider

ACCOUNT = Account("scripted", "s-secret", proxy="http://proxy.example")


def ref(**known: object) -> TaskRef:
    return TaskRef("public", ScriptedProvider(), ACCOUNT, "upstream", **known)  # type: ignore[arg-type]


def observed(state: TaskState, **fields: object) -> Observation:
    return Observation(state, 40, 1000.0, **fields)  # type: ignore[arg-type]


class TestPollAfter:
    @pytest.mark.parametrize(
        ("phase", "milliseconds"),
        [
            (Phase.QUEUED, 3000),
            (Phase.PROCESSING, 3000),
            (Phase.POST_PROCESSING, 2000),
            (Phase.FINALIZING, 1000),
            (Phase.COMPLETED, None),
            (Phase.FAILED, None),
        ],
    )
    def test_poll_after_depends_on_the_phase(self, phase: Phase, milliseconds: int | None) -> None:
        assert Task("one", "scripted", TaskState("one", phase)).poll_after_ms == milliseconds

    @pytest.mark.parametrize(("eta", "milliseconds"), [(5, 3000), (40, 8000), (600, 15_000)])
    def test_poll_after_in_a_queue_is_a_fifth_within_limits(self, eta: int, milliseconds: int) -> None:
        state = TaskState("one", Phase.QUEUED, queue=Queue(1, eta_seconds=eta))
        assert Task("one", "scripted", state).poll_after_ms == milliseconds

    @pytest.mark.parametrize(("round_seconds", "milliseconds"), [(0.5, 3000), (20.0, 20_000), (600.0, 60_000)])
    def test_poll_after_is_at_least_the_round_time_of_the_account(
        self, round_seconds: float, milliseconds: int
    ) -> None:
        task = Task("one", "scripted", TaskState("one", Phase.PROCESSING), round_seconds=round_seconds)
        assert task.poll_after_ms == milliseconds


class TestViewOf:
    def test_fields_of_the_id_take_precedence_over_the_observation(self) -> None:
        state = TaskState("upstream", Phase.PROCESSING, created_at=500.0)
        known = ref(model="named", created=400, seconds=5, size="1280x720")
        task = view_of(known, observed(state), "observed", age=1.5, round_seconds=2.0, archived=True)
        assert (task.id, task.provider, task.state, task.progress) == ("public", "scripted", state, 40)
        assert (task.model, task.created, task.seconds, task.size) == ("named", 400, 5, "1280x720")
        assert (task.age, task.round_seconds, task.archived) == (1.5, 2.0, True)
        assert task.proxy == ACCOUNT.proxy

    def test_fields_missing_in_the_id_come_from_the_observation(self) -> None:
        task = view_of(ref(), observed(TaskState("upstream", Phase.PROCESSING, created_at=500.9)), "observed")
        assert (task.model, task.created, task.seconds, task.size) == ("observed", 500, 0, "")
        task = view_of(ref(), observed(TaskState("upstream", Phase.PROCESSING), submitted_at=600.0), "")
        assert (task.model, task.created) == (None, 600)

    @pytest.mark.parametrize(
        ("query_error", "late", "stale"),
        [(None, False, False), (None, True, True), (ProviderError(ErrorKind.UNREACHABLE), False, True)],
        ids=["fresh", "late", "the query failed"],
    )
    def test_stale_observation_is_marked(self, query_error: ProviderError | None, late: bool, stale: bool) -> None:
        task = view_of(
            ref(), observed(TaskState("upstream", Phase.PROCESSING), query_error=query_error), None, late=late
        )
        assert (task.stale, task.query_error) == (stale, query_error)


def test_log_fields_contain_the_public_id() -> None:
    submitted = Submitted("native", "video_1", "upstream", "scripted", "rich", "m", 1000)
    assert submitted.log_fields("video_1") == {
        "task": "video_1",
        "upstream_id": "upstream",
        "model": "m",
        "provider": "scripted",
        "account": "rich",
    }
