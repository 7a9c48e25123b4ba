"""The query batcher: coalescing, batches, bisection, rate limit, deadlines."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import pytest

from gateway.core.background_tasks import Background
from gateway.polling.batcher import DEADLINE_SECONDS, MAX_PENDING, Answer, QueryBatcher
from gateway.polling.hinted_tasks import HintedTasks
from gateway.polling.query_queue import Priority
from gateway.polling.rate_limiter import AdaptiveRateLimiter
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, TaskState
from tests.clock import TestClock
from tests.upstream import ScriptedProvider, State, provider_error

ACCOUNT = Account("scripted", "s-1")


class Upstream(ScriptedProvider):
    """Has every task. An id in `poison` fails its whole call. Calls wait for `gate`."""

    def __init__(self, batch: int = 10) -> None:
        super().__init__()
        self.query_batch = batch
        self.poison: dict[str, ProviderError] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.times: list[float] = []
        self.now: Callable[[], float] = lambda: 0.0

    async def query(self, ids: Sequence[str], account: Account) -> Mapping[str, State]:
        self.asked.append((account.credential, tuple(ids)))
        self.times.append(self.now())
        await self.gate.wait()
        for id in ids:
            if id in self.poison:
                raise self.poison[id]
        return {id: TaskState(id, Phase.PROCESSING) for id in ids}

    @property
    def batches(self) -> list[int]:
        return [len(ids) for _, ids in self.asked]


class ScriptedBatcher:
    """A batcher over a scripted upstream. No gateway: the poller makes batchers out of reach of a test, and nothing of
    a gateway takes part in a batch."""

    def __init__(self, batch: int = 10, per_second: float = 0.0) -> None:
        self.clock = TestClock()
        self.upstream = Upstream(batch)
        self.upstream.now = self.clock.monotonic
        self.background = Background()
        self.reported: list[str] = []
        self.urgencies: dict[str, float] = {}
        self.batcher = QueryBatcher(
            self.upstream,
            ACCOUNT,
            AdaptiveRateLimiter(per_second, self.clock.monotonic()),
            self.clock,
            self.background,
            lambda account, answers, sent_at: self.reported.extend(answers),
            lambda pending: Priority(-self.urgencies.get(pending, 0.0)),
            HintedTasks({}, ACCOUNT.id, self.clock),
        )

    def enqueue(self, *ids: str, force_refresh: bool = False, wait: bool = True) -> list["asyncio.Future[Answer]"]:
        found = [self.batcher.enqueue(id, force_refresh=force_refresh, wait=wait) for id in ids]
        return [future for future in found if future is not None]


async def let_tasks_run() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def is_overdue(answer: Answer) -> bool:
    return isinstance(answer, ProviderError) and answer.kind is ErrorKind.ANSWER_LOST


def names(count: int) -> list[str]:
    return [f"t{number}" for number in range(count)]


async def test_concurrent_polls_of_one_id_share_one_query() -> None:
    env = ScriptedBatcher()
    answers = await asyncio.gather(*env.enqueue(*["t"] * 50))
    assert {answer.id for answer in answers if isinstance(answer, TaskState)} == {"t"}
    assert env.upstream.batches == [1]


async def test_running_query_is_joined_unless_a_refresh_is_forced() -> None:
    env = ScriptedBatcher()
    env.upstream.gate.clear()
    first = env.enqueue("t")
    await let_tasks_run()
    joined, force_refresh = env.enqueue("t"), env.enqueue("t", force_refresh=True)
    await let_tasks_run()
    assert env.upstream.batches == [1, 1]
    env.upstream.gate.set()
    await asyncio.gather(*first, *joined, *force_refresh)
    assert env.upstream.batches == [1, 1]


async def test_poll_during_the_turn_of_another_id_does_not_wait() -> None:
    env = ScriptedBatcher(batch=1, per_second=1.0)
    env.urgencies = {"old": 9.0, "new": 1.0}
    await asyncio.gather(*env.enqueue("first"))
    assert env.enqueue("old", wait=False) == []
    env.clock.lag(10.0)
    # The rate limit allows the next call, but its wake-up has not run yet.
    assert env.enqueue("new", wait=False) == []
    await let_tasks_run()
    assert [ids for _, ids in env.upstream.asked] == [("first",), ("old",)]


async def test_poll_during_the_turn_of_its_own_id_waits_for_it() -> None:
    env = ScriptedBatcher(batch=1, per_second=1.0)
    await asyncio.gather(*env.enqueue("first"))
    env.enqueue("t", wait=False)
    env.clock.lag(10.0)
    (answer,) = await asyncio.gather(*env.enqueue("t", wait=False))
    assert isinstance(answer, TaskState)


async def test_ids_are_collected_into_batches() -> None:
    env = ScriptedBatcher(batch=10)
    await asyncio.gather(*env.enqueue(*names(25)))
    assert sorted(env.upstream.batches, reverse=True) == [10, 10, 5]


async def test_at_most_two_batches_run_at_once() -> None:
    env = ScriptedBatcher(batch=10)
    env.upstream.gate.clear()
    futures = env.enqueue(*names(50))
    await let_tasks_run()
    assert env.upstream.batches == [10, 10]
    env.upstream.gate.set()
    await asyncio.gather(*futures)
    assert env.upstream.batches == [10] * 5


async def test_cancelled_client_does_not_cancel_the_query_of_others() -> None:
    env = ScriptedBatcher()
    env.upstream.gate.clear()
    gone, stays = env.enqueue("t", "t")
    await let_tasks_run()
    gone.cancel()
    env.upstream.gate.set()
    assert isinstance(await stays, TaskState)


class TestSplitBatches:
    @pytest.mark.parametrize("kind", [ErrorKind.INVALID_REQUEST, ErrorKind.UPSTREAM_ERROR])
    @pytest.mark.parametrize("bad", [0, 3, 9])
    async def test_other_ids_of_the_batch_are_answered(self, kind: ErrorKind, bad: int) -> None:
        env = ScriptedBatcher(batch=10)
        env.upstream.poison = {f"t{bad}": provider_error(kind)}
        answers = await asyncio.gather(*env.enqueue(*names(10)))
        assert [isinstance(answer, ProviderError) for answer in answers] == [number == bad for number in range(10)]
        assert len(env.upstream.asked) <= 10

    async def test_failing_upstream_is_not_queried_for_each_id(self) -> None:
        env = ScriptedBatcher(batch=10)
        env.upstream.poison = {id: provider_error(ErrorKind.UPSTREAM_ERROR) for id in names(10)}
        answers = await asyncio.gather(*env.enqueue(*names(10)))
        assert all(isinstance(answer, ProviderError) for answer in answers)
        assert env.upstream.batches == [10, 5, 5]

    @pytest.mark.parametrize(
        "kind", [ErrorKind.RATE_LIMITED, ErrorKind.UNREACHABLE, ErrorKind.ANSWER_LOST, ErrorKind.INVALID_CREDENTIAL]
    )
    async def test_error_of_the_whole_call_does_not_split_the_batch(self, kind: ErrorKind) -> None:
        env = ScriptedBatcher(batch=10)
        env.upstream.poison = {"t0": provider_error(kind)}
        answers = await asyncio.gather(*env.enqueue(*names(10)))
        assert {answer.kind for answer in answers if isinstance(answer, ProviderError)} == {kind}
        assert env.upstream.batches == [10]

    async def test_unexpected_exception_of_a_provider_is_an_answer(self) -> None:
        env = ScriptedBatcher()
        env.upstream.poison = {"t": ValueError("x")}  # type: ignore[dict-item]
        (answer,) = await asyncio.gather(*env.enqueue("t"))
        assert isinstance(answer, ProviderError)
        assert not env.batcher._pending and not env.batcher._calls


class TestRateLimit:
    async def test_500_tasks_at_20_queries_a_second(self) -> None:
        """No second exceeds the upstream's limit, every id is queried within 30 s, and there is no 429."""
        env = ScriptedBatcher(batch=1, per_second=20)
        ids = names(500)
        assert len(env.enqueue(*ids, wait=False)) <= 2
        await env.clock.run(28.0)
        assert sorted(env.reported) == sorted(ids)
        times = env.upstream.times
        assert max(sum(1 for other in times if 0 <= other - one < 1.0) for one in times) <= 20

    async def test_poll_without_wait_does_not_wait_for_the_rate_limit(self) -> None:
        env = ScriptedBatcher(batch=1, per_second=5)
        await asyncio.gather(*env.enqueue("t0"))
        assert env.enqueue("t1", wait=False) == []
        await env.clock.run(1.0)
        assert env.reported == ["t0", "t1"]

    async def test_poll_with_wait_waits_for_the_rate_limit(self) -> None:
        env = ScriptedBatcher(batch=1, per_second=5)
        first, second = env.enqueue("t0", "t1")
        await env.clock.run(1.0)
        assert isinstance(await first, TaskState)
        assert isinstance(await second, TaskState)

    async def test_wait_ends_at_the_deadline(self) -> None:
        env = ScriptedBatcher(batch=1, per_second=0.01)
        first, second = env.enqueue("t0", "t1")
        await env.clock.run(DEADLINE_SECONDS + 0.1)
        assert isinstance(await first, TaskState)
        assert is_overdue(await second)

    async def test_most_urgent_ids_are_queried_first(self) -> None:
        env = ScriptedBatcher(batch=2, per_second=5)
        await asyncio.gather(*env.enqueue("first"))
        env.urgencies = {"old": 9.0, "nearly": 8.0, "new": 1.0}
        env.enqueue("new", "old", "nearly", wait=False)
        await env.clock.run(2.0)
        assert [ids for _, ids in env.upstream.asked[1:]] == [("old", "nearly"), ("new",)]

    async def test_rate_limit_error_slows_the_account_down(self) -> None:
        env = ScriptedBatcher(batch=1, per_second=20)
        env.upstream.poison = {"t0": ProviderError(ErrorKind.RATE_LIMITED, retry_after=3)}
        await asyncio.gather(*env.enqueue("t0"))
        env.enqueue(*names(10)[1:], wait=False)
        await env.clock.run(2.9)
        assert env.reported == ["t0"]
        await env.clock.run(5.0)
        assert len(env.reported) == 10

    async def test_round_seconds_is_the_time_for_all_pending_ids(self) -> None:
        env = ScriptedBatcher(batch=1, per_second=20)
        env.enqueue(*names(100), wait=False)
        assert env.batcher.round_seconds == pytest.approx(100 / 18, rel=0.1)

    async def test_number_of_pending_ids_is_limited(self) -> None:
        env = ScriptedBatcher(batch=1, per_second=0.01)
        env.enqueue(*names(MAX_PENDING + 50), wait=False)
        assert len(env.batcher._pending) <= MAX_PENDING


class TestForcedRefresh:
    async def test_refresh_over_the_rate_limit_waits_and_is_first_in_line(self) -> None:
        env = ScriptedBatcher(batch=1, per_second=5)
        await asyncio.gather(*env.enqueue("first"))
        env.urgencies = {"old": 99.0}
        env.enqueue("old", "other", wait=False)
        (refresh,) = env.enqueue("forced", force_refresh=True, wait=False)
        await env.clock.run(2.0)
        assert isinstance(await refresh, TaskState)
        assert env.reported == ["first", "forced", "old", "other"]

    async def test_poll_that_waits_becomes_first_in_line_when_it_is_forced(self) -> None:
        env = ScriptedBatcher(batch=1, per_second=5)
        await asyncio.gather(*env.enqueue("first"))
        env.enqueue("a", "b", "c", wait=False)
        env.enqueue("c", force_refresh=True, wait=False)
        await env.clock.run(2.0)
        assert env.reported == ["first", "c", "a", "b"]

    async def test_waiting_refreshes_of_one_id_share_one_query(self) -> None:
        env = ScriptedBatcher(batch=1, per_second=5)
        await asyncio.gather(*env.enqueue("first"))
        refreshes = env.enqueue(*["t"] * 100, force_refresh=True, wait=False)
        await env.clock.run(2.0)
        assert all(isinstance(answer, TaskState) for answer in await asyncio.gather(*refreshes))
        assert env.reported == ["first", "t"]

    @pytest.mark.parametrize("batch", [1, 10])
    async def test_flood_of_refreshes_keeps_the_rate_limit_and_starves_no_poll(self, batch: int) -> None:
        env = ScriptedBatcher(batch=batch, per_second=5)
        await asyncio.gather(*env.enqueue("first"))
        env.enqueue("patient", wait=False)
        answers: list[asyncio.Future[Answer]] = []
        for moment in range(100):
            ids = [f"f{moment}-{number}" for number in range(2 * batch)]
            answers += env.enqueue(*ids, force_refresh=True, wait=False)
            await env.clock.run(0.1)
        times = env.upstream.times
        assert max(sum(1 for other in times if 0 <= other - one < 1.0) for one in times) <= 5
        assert "patient" in env.reported[: 6 * batch]
        await env.clock.run(DEADLINE_SECONDS + 1)
        assert all(answer.done() for answer in answers)

    async def test_refresh_without_an_answer_ends_at_the_deadline_and_gives_up_its_place(self) -> None:
        env = ScriptedBatcher(batch=1, per_second=0.1)
        await asyncio.gather(*env.enqueue("first"))
        env.enqueue("old", wait=False)
        (refresh,) = env.enqueue("forced", force_refresh=True, wait=False)
        await env.clock.run(DEADLINE_SECONDS + 0.1)
        assert is_overdue(await refresh)
        env.enqueue("later", force_refresh=True, wait=False)
        await env.clock.run(100.0)
        assert env.reported == ["first", "later", "old", "forced"]


class TestHangingUpstream:
    async def test_wait_for_a_hanging_query_ends_at_the_deadline(self) -> None:
        env = ScriptedBatcher()
        env.upstream.gate.clear()
        (future,) = env.enqueue("t")
        await env.clock.run(DEADLINE_SECONDS - 0.1)
        assert not future.done()
        await env.clock.run(0.2)
        assert is_overdue(await future)

    async def test_late_answer_is_still_reported(self) -> None:
        env = ScriptedBatcher()
        env.upstream.gate.clear()
        env.enqueue("t")
        await env.clock.run(DEADLINE_SECONDS + 1)
        env.upstream.gate.set()
        await let_tasks_run()
        assert env.reported == ["t"]
        assert not env.batcher._pending and not env.batcher._calls

    async def test_later_polls_do_not_join_a_hanging_query(self) -> None:
        env = ScriptedBatcher()
        env.upstream.gate.clear()
        env.enqueue("t")
        await env.clock.run(DEADLINE_SECONDS + 1)
        env.enqueue("t")
        await let_tasks_run()
        assert env.upstream.batches == [1, 1]


class TestDeadlines:
    async def test_rate_limit_during_the_collection_of_a_batch_ends_the_wait(self) -> None:
        env = ScriptedBatcher(batch=10)
        env.upstream.gate.clear()
        env.enqueue("a")
        await let_tasks_run()
        (waiting,) = env.enqueue("b", wait=False)
        env.batcher.limiter.on_rate_limit_error(env.clock.monotonic(), sent_at=env.clock.monotonic(), retry_after=10**6)
        await env.clock.run(DEADLINE_SECONDS + 0.1)
        assert is_overdue(await waiting)

    async def test_cancelled_query_ends_the_wait(self) -> None:
        env = ScriptedBatcher()
        env.upstream.poison = {"t": asyncio.CancelledError()}  # type: ignore[dict-item]
        (future,) = env.enqueue("t")
        assert is_overdue(await future)

    async def test_overdue_polls_leave_nothing_behind(self) -> None:
        env = ScriptedBatcher(batch=1, per_second=0.01)
        env.enqueue("first")
        for _ in range(5):
            env.enqueue("t")
            await env.clock.run(DEADLINE_SECONDS + 0.1)
        pending = env.batcher._pending.get("t")
        assert pending and pending.waiting == []

    async def test_each_caller_of_one_query_has_its_own_deadline(self) -> None:
        env = ScriptedBatcher(batch=1, per_second=0.01)
        await asyncio.gather(*env.enqueue("first"))
        (early,) = env.enqueue("t")
        await env.clock.run(DEADLINE_SECONDS - 1)
        (late,) = env.enqueue("t")
        await env.clock.run(1.1)
        assert is_overdue(await early)
        await env.clock.run(DEADLINE_SECONDS - 1.2)
        assert not late.done()
        await env.clock.run(0.2)
        assert is_overdue(await late)

    async def test_one_timer_serves_all_callers(self) -> None:
        env = ScriptedBatcher(batch=1, per_second=0.01)
        futures = env.enqueue(*names(500))
        await let_tasks_run()
        timers = sum(not planned.cancelled for _, _, planned in env.clock._planned)
        assert timers <= 2
        await env.clock.run(DEADLINE_SECONDS + 0.1)
        assert all(future.done() for future in futures)
        assert not env.batcher._deadlines

    async def test_errors_of_the_deadline_are_not_shared(self) -> None:
        env = ScriptedBatcher(batch=1, per_second=0.01)
        await asyncio.gather(*env.enqueue("first"))
        futures = env.enqueue("t", "u")
        await env.clock.run(DEADLINE_SECONDS + 0.1)
        first, second = await asyncio.gather(*futures)
        assert first is not second

    async def test_earlier_turn_replaces_a_later_one(self) -> None:
        env = ScriptedBatcher(batch=1)
        env.batcher.limiter.on_rate_limit_error(env.clock.monotonic(), sent_at=env.clock.monotonic(), retry_after=30)
        env.enqueue("t", wait=False)
        env.batcher.limiter._blocked_until = 0.0
        (future,) = env.enqueue("u")
        assert isinstance(await future, TaskState)
