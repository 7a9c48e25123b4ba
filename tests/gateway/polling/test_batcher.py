"""Queries of one account: joined, gathered, split, paced, and given up in time."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import pytest

from gateway.core.background_tasks import Background
from gateway.polling.batcher import DEADLINE_SECONDS, MOST_WANTED, OVERDUE, Answer, Desk
from gateway.polling.rate_limiter import Budget
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, TaskState
from tests.clock import TestClock
from tests.upstream import ScriptedProvider, State, trouble

ACCOUNT = Account("scripted", "s-1")


class Upstream(ScriptedProvider):
    """Knows every task. Ids in `poison` spoil the call they are in; calls wait for `gate` while it is closed."""

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


class House:
    def __init__(self, batch: int = 10, per_second: float = 0.0) -> None:
        self.clock = TestClock()
        self.upstream = Upstream(batch)
        self.upstream.now = self.clock.now
        self.background = Background()
        self.heard: list[str] = []
        self.urgencies: dict[str, float] = {}
        self.desk = Desk(
            self.upstream,
            ACCOUNT,
            Budget(per_second, self.clock.now()),
            self.clock,
            self.background,
            lambda account, answers, sent_at: self.heard.extend(answers),
            lambda wanted: self.urgencies.get(wanted, 0.0),
        )

    def want(self, *ids: str, newly: bool = False, patiently: bool = True) -> list["asyncio.Future[Answer]"]:
        found = [self.desk.want(id, newly=newly, patiently=patiently) for id in ids]
        return [future for future in found if future is not None]


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def names(count: int) -> list[str]:
    return [f"t{number}" for number in range(count)]


async def test_those_who_ask_for_the_same_share_one_query() -> None:
    house = House()
    answers = await asyncio.gather(*house.want(*["t"] * 50))
    assert {answer.id for answer in answers if isinstance(answer, TaskState)} == {"t"}
    assert house.upstream.batches == [1]


async def test_one_that_is_under_way_is_joined_unless_a_new_one_is_wanted() -> None:
    house = House()
    house.upstream.gate.clear()
    first = house.want("t")
    await settle()
    joined, newly = house.want("t"), house.want("t", newly=True)
    await settle()
    assert house.upstream.batches == [1, 1]
    house.upstream.gate.set()
    await asyncio.gather(*first, *joined, *newly)
    assert house.upstream.batches == [1, 1]


async def test_who_comes_at_the_moment_of_anothers_turn_does_not_wait_for_the_rest() -> None:
    house = House(batch=1, per_second=1.0)
    house.urgencies = {"old": 9.0, "new": 1.0}
    await asyncio.gather(*house.want("first"))
    assert house.want("old", patiently=False) == []
    house.clock.lag(10.0)
    # The pace allows the next call, and nobody has woken up for it yet.
    assert house.want("new", patiently=False) == []
    await settle()
    assert [ids for _, ids in house.upstream.asked] == [("first",), ("old",)]


async def test_who_comes_at_the_moment_of_its_own_turn_waits_for_it() -> None:
    house = House(batch=1, per_second=1.0)
    await asyncio.gather(*house.want("first"))
    house.want("t", patiently=False)
    house.clock.lag(10.0)
    (answer,) = await asyncio.gather(*house.want("t", patiently=False))
    assert isinstance(answer, TaskState)


async def test_ids_are_gathered_into_batches() -> None:
    house = House(batch=10)
    await asyncio.gather(*house.want(*names(25)))
    assert sorted(house.upstream.batches, reverse=True) == [10, 10, 5]


async def test_at_most_two_batches_are_under_way() -> None:
    house = House(batch=10)
    house.upstream.gate.clear()
    futures = house.want(*names(50))
    await settle()
    assert house.upstream.batches == [10, 10]
    house.upstream.gate.set()
    await asyncio.gather(*futures)
    assert house.upstream.batches == [10] * 5


async def test_a_client_that_goes_away_takes_nobody_elses_answer_along() -> None:
    house = House()
    house.upstream.gate.clear()
    gone, stays = house.want("t", "t")
    await settle()
    gone.cancel()
    house.upstream.gate.set()
    assert isinstance(await stays, TaskState)


class TestOneBadId:
    @pytest.mark.parametrize("kind", [ErrorKind.INVALID_REQUEST, ErrorKind.UPSTREAM_ERROR])
    @pytest.mark.parametrize("bad", [0, 3, 9])
    async def test_the_others_are_answered(self, kind: ErrorKind, bad: int) -> None:
        house = House(batch=10)
        house.upstream.poison = {f"t{bad}": trouble(kind)}
        answers = await asyncio.gather(*house.want(*names(10)))
        assert [isinstance(answer, ProviderError) for answer in answers] == [number == bad for number in range(10)]
        assert len(house.upstream.asked) <= 10

    async def test_an_upstream_that_is_down_is_not_asked_for_every_single_one(self) -> None:
        house = House(batch=10)
        house.upstream.poison = {id: trouble(ErrorKind.UPSTREAM_ERROR) for id in names(10)}
        answers = await asyncio.gather(*house.want(*names(10)))
        assert all(isinstance(answer, ProviderError) for answer in answers)
        assert house.upstream.batches == [10, 5, 5]

    @pytest.mark.parametrize(
        "kind", [ErrorKind.RATE_LIMITED, ErrorKind.UNREACHABLE, ErrorKind.ANSWER_LOST, ErrorKind.INVALID_CREDENTIAL]
    )
    async def test_what_is_not_an_ids_fault_is_not_split(self, kind: ErrorKind) -> None:
        house = House(batch=10)
        house.upstream.poison = {"t0": trouble(kind)}
        answers = await asyncio.gather(*house.want(*names(10)))
        assert {answer.kind for answer in answers if isinstance(answer, ProviderError)} == {kind}
        assert house.upstream.batches == [10]

    async def test_a_bug_in_a_provider_is_an_answer_too(self) -> None:
        house = House()
        house.upstream.poison = {"t": ValueError("x")}  # type: ignore[dict-item]
        (answer,) = await asyncio.gather(*house.want("t"))
        assert isinstance(answer, ProviderError)
        assert house.desk.idle


class TestPacing:
    async def test_500_tasks_at_20_queries_a_second(self) -> None:
        """No second has more than the upstream allows, everybody's turn comes within 30 s, and nobody is refused."""
        house = House(batch=1, per_second=20)
        ids = names(500)
        assert len(house.want(*ids, patiently=False)) <= 2
        await house.clock.run(28.0)
        assert sorted(house.heard) == sorted(ids)
        times = house.upstream.times
        assert max(sum(1 for other in times if 0 <= other - one < 1.0) for one in times) <= 20

    async def test_whoever_is_not_patient_is_not_kept_waiting(self) -> None:
        house = House(batch=1, per_second=5)
        await asyncio.gather(*house.want("t0"))
        assert house.want("t1", patiently=False) == []
        await house.clock.run(1.0)
        assert house.heard == ["t0", "t1"]

    async def test_whoever_is_waits_for_the_turn(self) -> None:
        house = House(batch=1, per_second=5)
        first, second = house.want("t0", "t1")
        await house.clock.run(1.0)
        assert isinstance(await first, TaskState)
        assert isinstance(await second, TaskState)

    async def test_but_not_for_ever(self) -> None:
        house = House(batch=1, per_second=0.01)
        first, second = house.want("t0", "t1")
        await house.clock.run(DEADLINE_SECONDS + 0.1)
        assert isinstance(await first, TaskState)
        assert await second is OVERDUE

    async def test_the_most_urgent_are_asked_for_first(self) -> None:
        house = House(batch=2, per_second=5)
        await asyncio.gather(*house.want("first"))
        house.urgencies = {"old": 9.0, "nearly": 8.0, "new": 1.0}
        house.want("new", "old", "nearly", patiently=False)
        await house.clock.run(2.0)
        assert [ids for _, ids in house.upstream.asked[1:]] == [("old", "nearly"), ("new",)]

    async def test_a_refusal_slows_the_account_down(self) -> None:
        house = House(batch=1, per_second=20)
        house.upstream.poison = {"t0": ProviderError(ErrorKind.RATE_LIMITED, retry_after=3)}
        await asyncio.gather(*house.want("t0"))
        house.want(*names(10)[1:], patiently=False)
        await house.clock.run(2.9)
        assert house.heard == ["t0"]
        await house.clock.run(5.0)
        assert len(house.heard) == 10

    async def test_it_tells_how_long_a_round_takes(self) -> None:
        house = House(batch=1, per_second=20)
        house.want(*names(100), patiently=False)
        assert house.desk.round_seconds == pytest.approx(100 / 18, rel=0.1)

    async def test_any_number_of_wishes_takes_bounded_room(self) -> None:
        house = House(batch=1, per_second=0.01)
        house.want(*names(MOST_WANTED + 50), patiently=False)
        assert len(house.desk._wanted) <= MOST_WANTED


class TestAnUpstreamThatHangs:
    async def test_nobody_waits_longer_than_the_deadline(self) -> None:
        house = House()
        house.upstream.gate.clear()
        (future,) = house.want("t")
        await house.clock.run(DEADLINE_SECONDS - 0.1)
        assert not future.done()
        await house.clock.run(0.2)
        assert await future is OVERDUE

    async def test_what_comes_late_is_heard_all_the_same(self) -> None:
        house = House()
        house.upstream.gate.clear()
        house.want("t")
        await house.clock.run(DEADLINE_SECONDS + 1)
        house.upstream.gate.set()
        await settle()
        assert house.heard == ["t"]
        assert house.desk.idle

    async def test_later_polls_do_not_join_what_hangs(self) -> None:
        house = House()
        house.upstream.gate.clear()
        house.want("t")
        await house.clock.run(DEADLINE_SECONDS + 1)
        house.want("t")
        await settle()
        assert house.upstream.batches == [1, 1]


class TestNobodyWaitsForEver:
    async def test_a_budget_that_closes_while_a_batch_is_gathered(self) -> None:
        house = House(batch=10)
        house.upstream.gate.clear()
        house.want("a")
        await settle()
        (waiting,) = house.want("b", patiently=False)
        house.desk.budget.refused(house.clock.now(), sent_at=house.clock.now(), retry_after=10**6)
        await house.clock.run(DEADLINE_SECONDS + 0.1)
        assert await waiting is OVERDUE

    async def test_a_query_that_is_cancelled(self) -> None:
        house = House()
        house.upstream.poison = {"t": asyncio.CancelledError()}  # type: ignore[dict-item]
        (future,) = house.want("t")
        assert await future is OVERDUE

    async def test_those_who_gave_up_leave_nothing_behind(self) -> None:
        house = House(batch=1, per_second=0.01)
        house.want("first")
        for _ in range(5):
            house.want("t")
            await house.clock.run(DEADLINE_SECONDS + 0.1)
        assert house.desk._wanted["t"].waiting == []

    async def test_a_sooner_turn_is_not_missed_for_a_later_one(self) -> None:
        house = House(batch=1)
        house.desk.budget.refused(house.clock.now(), sent_at=house.clock.now(), retry_after=30)
        house.want("t", patiently=False)
        house.desk.budget._held_until = 0.0
        (future,) = house.want("u")
        assert isinstance(await future, TaskState)
