"""Running tasks of keys, as one process knows them."""

import pytest

from gateway.core.key_limit_settings import MAX_RUNNING_TASKS
from gateway.limits.running_tasks import (
    QUERY_SECONDS,
    RUNNING_SECONDS,
    UNCONFIRMED_SECONDS,
    RunningTasks,
    TaskKey,
    record_results,
)
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, TaskState
from tests.clock import TestClock

ACCOUNT = Account("scripted", "s-1")


class Fixture:
    def __init__(self) -> None:
        self.clock = TestClock()
        self.owners: dict[TaskKey, RunningTasks] = {}
        self.running = RunningTasks(self.clock.monotonic, self.owners)

    def found(self, id: str, phase: Phase) -> None:
        record_results(self.owners, ACCOUNT, {id: TaskState(id, phase)})


def test_task_counts_until_it_is_seen_to_end() -> None:
    fixture = Fixture()
    fixture.running.accepted((ACCOUNT.id, "t1"))
    fixture.found("t1", Phase.PROCESSING)
    fixture.found("t2", Phase.COMPLETED)
    assert fixture.running.count == 1
    fixture.found("t1", Phase.FAILED)
    assert fixture.running.count == 0
    assert fixture.owners == {}


def test_failed_query_and_unknown_task_end_nothing() -> None:
    fixture = Fixture()
    fixture.running.accepted((ACCOUNT.id, "t1"))
    for kind in (ErrorKind.TASK_NOT_FOUND, ErrorKind.UNREACHABLE):
        record_results(fixture.owners, ACCOUNT, {"t1": ProviderError(kind)})
    record_results(fixture.owners, Account("scripted", "other"), {"t1": TaskState("t1", Phase.COMPLETED)})
    assert fixture.running.count == 1


def test_task_that_nobody_sees_is_forgotten() -> None:
    fixture = Fixture()
    fixture.running.accepted((ACCOUNT.id, "t1"))
    fixture.running.accepted((ACCOUNT.id, "t2"))
    fixture.clock.move(RUNNING_SECONDS - 1)
    fixture.found("t1", Phase.PROCESSING)
    fixture.clock.move(2)
    assert fixture.running.count == 1
    assert list(fixture.owners) == [(ACCOUNT.id, "t1")]


def test_unconfirmed_submit_counts_for_a_while() -> None:
    fixture = Fixture()
    fixture.running.unconfirmed()
    fixture.clock.move(UNCONFIRMED_SECONDS - 1)
    assert fixture.running.count == 1
    fixture.clock.move(2)
    assert fixture.running.count == 0


def test_least_recently_seen_tasks_are_queried_first_and_seldom() -> None:
    fixture = Fixture()
    for id in ("t1", "t2", "t3"):
        fixture.running.accepted((ACCOUNT.id, id))
    fixture.found("t1", Phase.PROCESSING)
    assert [id for _, id in fixture.running.to_query()] == ["t2", "t3", "t1"]
    assert fixture.running.to_query() == []
    fixture.clock.move(QUERY_SECONDS)
    assert len(fixture.running.to_query()) == 3


@pytest.mark.parametrize("unconfirmed", [True, False])
def test_memory_is_bounded(unconfirmed: bool) -> None:
    fixture = Fixture()
    for number in range(MAX_RUNNING_TASKS + 100):
        if unconfirmed:
            fixture.running.unconfirmed()
        else:
            fixture.running.accepted((ACCOUNT.id, f"t{number}"))
    assert fixture.running.count == MAX_RUNNING_TASKS
    assert len(fixture.owners) == (0 if unconfirmed else MAX_RUNNING_TASKS)
