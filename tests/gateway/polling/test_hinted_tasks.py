"""What a row of a list changes of a cached task, between queries in any order."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.background_tasks import Background
from gateway.polling.hinted_tasks import FEW_UNKNOWN, HintedTasks, Hints
from gateway.polling.poller import Poller
from gateway.polling.task_cache import CachedTask
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, TaskState
from tests.clock import TestClock
from tests.gateway.polling.listing_upstream import ACCOUNT, Course
from tests.upstream import finished

ID = "t"


class Cached:
    """A poller whose queries and lists are answered by hand."""

    def __init__(self) -> None:
        self.clock = TestClock()
        self.poller = Poller(self.clock, 1.0, Background())
        self.tasks = HintedTasks(self.poller._cached, ACCOUNT.id, self.clock)

    @property
    def now(self) -> float:
        return self.clock.monotonic()

    @property
    def task(self) -> CachedTask:
        cached = self.tasks.get(ID)
        assert cached is not None
        return cached

    def answered(self, phase: Phase | None, sent_at: float | None = None) -> None:
        """The answer of a query: None for a task that is not found."""
        answer: TaskState | ProviderError = ProviderError(ErrorKind.TASK_NOT_FOUND)
        if phase is not None:
            answer = finished(ID) if phase.ended else TaskState(ID, phase)
        self.poller.on_results(ACCOUNT, {ID: answer}, self.now if sent_at is None else sent_at)

    def listed(self, phase: Phase, sent_at: float | None = None, *, lag: float = 0.0, is_pending: bool = True) -> Hints:
        sent = self.now if sent_at is None else sent_at
        return self.tasks.apply([TaskState(ID, phase)], sent, lag, lambda task: is_pending)

    def pass_(self, seconds: float) -> float:
        self.clock.move(seconds)
        return self.now


def test_unfinished_row_makes_the_state_fresh() -> None:
    cached = Cached()
    cached.answered(Phase.PROCESSING)
    cached.pass_(30)
    assert list(cached.listed(Phase.PROCESSING).unfinished) == [ID]
    assert cached.task.is_fresh(cached.now, 1.0)
    assert cached.task.observed_at == cached.now


def test_row_of_a_list_that_lags_is_so_much_older() -> None:
    cached = Cached()
    cached.answered(Phase.PROCESSING)
    cached.pass_(30)
    assert cached.listed(Phase.PROCESSING, lag=4).unfinished
    assert cached.task.observed_at == cached.now - 4
    assert not cached.listed(Phase.PROCESSING, lag=5).unfinished


@pytest.mark.parametrize("known", [None, Phase.QUEUED, Phase.PROCESSING])
@pytest.mark.parametrize("phase", [Phase.COMPLETED, Phase.FAILED])
def test_row_that_tells_the_end_only_asks_for_a_query(known: Phase | None, phase: Phase) -> None:
    cached = Cached()
    if known is not None:
        cached.answered(known)
    cached.pass_(30)
    assert cached.listed(phase).ended == [ID]
    before = cached.tasks.get(ID)
    assert before is None or (before.state.phase is known and not before.is_fresh(cached.now, 1.0))
    # A list that still shows it as running, such as that of another machine, changes nothing of that.
    if known is not None:
        assert not cached.listed(Phase.PROCESSING).unfinished
    cached.answered(Phase.PROCESSING)
    cached.pass_(5)
    assert cached.listed(Phase.PROCESSING).unfinished


def test_row_that_tells_a_later_phase_is_told() -> None:
    cached = Cached()
    cached.answered(Phase.QUEUED)
    cached.pass_(30)
    assert cached.listed(Phase.PROCESSING).unfinished[ID].phase is Phase.PROCESSING
    assert cached.task.state.phase is Phase.PROCESSING


@pytest.mark.parametrize("known", [Phase.PROCESSING, Phase.COMPLETED])
def test_row_behind_a_query_is_the_lag(known: Phase) -> None:
    cached = Cached()
    cached.answered(known)
    cached.pass_(7)
    cached.answered(known)
    hints = cached.listed(Phase.QUEUED)
    assert (hints.lag, dict(hints.unfinished), hints.ended) == (7, {}, [])
    assert cached.task.state.phase is known


def test_lag_of_one_row_counts_for_its_whole_page() -> None:
    cached = Cached()
    running = TaskState("other", Phase.QUEUED)
    cached.poller.on_results(ACCOUNT, {"other": running}, cached.now)
    cached.answered(Phase.COMPLETED)
    cached.pass_(7)
    cached.tasks.apply([running, TaskState(ID, Phase.QUEUED)], cached.now, 0.0, lambda task: True)
    other = cached.tasks.get("other")
    assert other is not None and cached.now - other.observed_at == 7


def test_list_before_a_query_changes_nothing_of_its_answer() -> None:
    cached = Cached()
    cached.answered(Phase.QUEUED)
    sent = cached.pass_(10)
    cached.pass_(1)
    cached.answered(Phase.PROCESSING)
    answered = cached.now
    cached.pass_(1)
    for phase in Phase:
        hints = cached.listed(phase, sent)
        assert (dict(hints.unfinished), hints.ended, hints.lag) == ({}, [], 0)
    assert (cached.task.state.phase, cached.task.observed_at) == (Phase.PROCESSING, answered)


def test_list_that_crosses_a_query_and_is_behind_it_makes_nothing_fresh() -> None:
    cached = Cached()
    query = cached.pass_(10)
    sent = cached.pass_(1)
    cached.pass_(1)
    cached.answered(Phase.PROCESSING, query)
    answered = cached.now
    cached.pass_(1)
    hints = cached.listed(Phase.QUEUED, sent)
    assert (dict(hints.unfinished), hints.lag) == ({}, 0)
    assert cached.task.observed_at == answered


def test_query_before_a_list_neither_goes_back_nor_loses_a_verdict() -> None:
    cached = Cached()
    cached.answered(Phase.QUEUED)
    sent = cached.pass_(10)
    cached.pass_(1)
    cached.listed(Phase.PROCESSING)
    phases = []
    for answer in (Phase.QUEUED, None, Phase.COMPLETED):
        cached.answered(answer, sent)
        phases.append(cached.task.state.phase)
        assert cached.task.missing_since is None
    assert phases == [Phase.PROCESSING, Phase.PROCESSING, Phase.COMPLETED]


def test_row_of_a_task_that_a_query_has_missed_does_not_find_it_again() -> None:
    cached = Cached()
    cached.answered(Phase.PROCESSING)
    cached.pass_(5)
    cached.answered(None)
    cached.pass_(5)
    assert not cached.listed(Phase.PROCESSING).unfinished
    assert cached.task.missing_since is not None


@pytest.mark.parametrize("observed", [True, False])
def test_row_of_a_changed_task_waits_for_its_query(observed: bool) -> None:
    cached = Cached()
    if observed:
        cached.answered(Phase.QUEUED)
    else:
        cached.poller.submitted(ACCOUNT, ID, cached.clock.now())
    cached.pass_(5)
    cached.poller.expire(ACCOUNT, ID)
    cached.pass_(5)
    assert not cached.listed(Phase.QUEUED).unfinished
    cached.answered(Phase.QUEUED)
    cached.pass_(5)
    assert cached.listed(Phase.QUEUED).unfinished


def test_submitted_task_is_observed_by_its_row() -> None:
    cached = Cached()
    cached.poller.submitted(ACCOUNT, ID, cached.clock.now())
    assert cached.listed(Phase.QUEUED, is_pending=False).unfinished
    assert cached.task.is_observed


def test_task_that_nobody_asks_for_is_not_cached() -> None:
    cached = Cached()
    assert not cached.listed(Phase.QUEUED, is_pending=False).unfinished
    assert cached.tasks.get(ID) is None


def test_oldest_task_leaves_a_few_unknown_ones_out() -> None:
    cached = Cached()
    for number in range(3):
        cached.poller.submitted(ACCOUNT, f"s{number}", 1000.0 + number)
    unknown = [f"u{number}" for number in range(FEW_UNKNOWN + 1)]
    assert cached.tasks.oldest(["s2", "s1", *unknown[1:]]) == 1001
    assert cached.tasks.oldest(["s2", "s1", *unknown]) is None
    assert cached.tasks.oldest(unknown[:1]) is None


# --- any interleaving ----------------------------------------------------------------------------------------------

_STEP = st.tuples(st.sampled_from(["query", "list", "answer"]), st.floats(0, 4), st.integers(0, 5))


@dataclass(frozen=True, slots=True)
class Call:
    sent_at: float
    phase: Phase
    is_list: bool


@given(st.lists(_STEP, max_size=40), st.floats(0, 20), st.floats(0, 20), st.floats(0, 15))
def test_state_never_goes_back_and_no_verdict_comes_from_a_list(
    steps: list[tuple[str, float, int]], starts: float, runs: float, lag: float
) -> None:
    """Queries and lists are answered in any order; the list is `lag` seconds behind, which nobody knows."""
    cached = Cached()
    began = cached.clock.now()
    course = Course(began, began + starts, began + starts + runs)
    calls: list[Call] = []
    verdict = False
    order, known, seen = list(Phase), Phase.QUEUED, float("-inf")
    for what, seconds, which in steps:
        cached.pass_(seconds)
        if what != "answer":
            is_list = what == "list"
            phase = course.phase(cached.clock.now() - (lag if is_list else 0.0))
            calls.append(Call(cached.now, phase, is_list))
            continue
        if not calls:
            continue
        call = calls.pop(which % len(calls))
        if call.is_list:
            cached.listed(call.phase, call.sent_at)
        else:
            cached.answered(call.phase, call.sent_at)
            verdict = verdict or call.phase.ended
        task = cached.tasks.get(ID)
        if task is not None:
            assert order.index(task.state.phase) >= order.index(known)
            assert task.observed_at >= seen
            known, seen = task.state.phase, task.observed_at
            assert known.ended <= verdict
