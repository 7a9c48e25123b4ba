"""Task states: fresh from the cache, queried, or stale."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from gateway.core.background_tasks import Background
from gateway.polling.batcher import DEADLINE_SECONDS
from gateway.polling.poller import NOT_LISTED_YET, Poller
from gateway.polling.task_cache import ENDED_SECONDS, GRACE_SECONDS, Observation
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, TaskState
from tests.clock import TestClock
from tests.upstream import ScriptedProvider, finished, provider_error

ACCOUNT, OTHER = Account("scripted", "s-1"), Account("scripted", "s-2")
ID = "scripted-1"


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def provider() -> ScriptedProvider:
    return ScriptedProvider()


@pytest.fixture
def poller(clock: TestClock) -> Poller:
    return Poller(clock, 1.0, Background())


async def observe(
    poller: Poller,
    provider: ScriptedProvider,
    id: str = ID,
    account: Account = ACCOUNT,
    *,
    ask: bool = False,
    submitted_at: float | None = None,
) -> Observation | ProviderError:
    observation = await poller.observe(
        provider, account, {id: None}, submitted_at={id: submitted_at}, force_refresh=ask
    )
    return observation[id]


async def state(poller: Poller, provider: ScriptedProvider, *, ask: bool = False) -> Observation:
    observation = await observe(poller, provider, ask=ask)
    assert isinstance(observation, Observation)
    return observation


async def test_changed_limit_applies_to_known_accounts(
    poller: Poller, provider: ScriptedProvider, clock: TestClock
) -> None:
    provider.states[ID] = TaskState(ID, Phase.PROCESSING, progress=50)
    poller.per_second = {"scripted": 0.01}
    for _ in range(2):
        await state(poller, provider)
        clock.move(2)
    assert len(provider.asked) == 1
    poller.per_second = {"scripted": 100.0}
    clock.move(2)
    await state(poller, provider)
    assert len(provider.asked) == 2


async def test_fresh_state_is_returned_from_the_cache(
    poller: Poller, provider: ScriptedProvider, clock: TestClock
) -> None:
    provider.states[ID] = TaskState(ID, Phase.PROCESSING, progress=50)
    await state(poller, provider)
    clock.move(0.9)
    assert (await state(poller, provider)).progress == 50
    assert len(provider.asked) == 1
    clock.move(0.2)
    await state(poller, provider)
    assert len(provider.asked) == 2


async def test_force_refresh_queries_the_upstream(poller: Poller, provider: ScriptedProvider) -> None:
    provider.states[ID] = TaskState(ID, Phase.PROCESSING)
    await state(poller, provider)
    await state(poller, provider, ask=True)
    assert len(provider.asked) == 2


class TestForcedRefreshOverTheRateLimit:
    """The account has no query left, and the state in the cache is old."""

    @pytest.fixture
    async def slow(self, provider: ScriptedProvider, clock: TestClock) -> Poller:
        poller = Poller(clock, 1.0, Background(), per_second={"scripted": 0.5})
        provider.states[ID] = TaskState(ID, Phase.PROCESSING, progress=50)
        await state(poller, provider)
        provider.states[ID] = finished(ID)
        return poller

    async def test_refresh_waits_for_the_new_state(
        self, slow: Poller, provider: ScriptedProvider, clock: TestClock
    ) -> None:
        observation, _ = await asyncio.gather(state(slow, provider, ask=True), clock.run(4.0))
        assert (observation.state.phase, observation.query_error) == (Phase.COMPLETED, None)
        assert len(provider.asked) == 2

    async def test_refresh_after_a_change_waits_too(
        self, slow: Poller, provider: ScriptedProvider, clock: TestClock
    ) -> None:
        slow.expire(ACCOUNT, ID)
        observation, _ = await asyncio.gather(state(slow, provider, ask=True), clock.run(4.0))
        assert observation.state.phase is Phase.COMPLETED

    async def test_refresh_without_an_answer_says_so(
        self, slow: Poller, provider: ScriptedProvider, clock: TestClock
    ) -> None:
        slow.per_second = {"scripted": 0.02}
        observation, _ = await asyncio.gather(state(slow, provider, ask=True), clock.run(DEADLINE_SECONDS + 0.1))
        assert observation.state.phase is Phase.PROCESSING
        assert observation.query_error
        assert observation.query_error.kind is ErrorKind.ANSWER_LOST
        assert len(provider.asked) == 1

    async def test_ordinary_poll_does_not_wait(
        self, slow: Poller, provider: ScriptedProvider, clock: TestClock
    ) -> None:
        clock.lag(1.5)
        observation = await asyncio.wait_for(state(slow, provider), 1.0)
        assert observation.state.phase is Phase.PROCESSING


async def test_zero_freshness_queries_at_every_poll(provider: ScriptedProvider, clock: TestClock) -> None:
    provider.states[ID] = TaskState(ID, Phase.PROCESSING)
    poller = Poller(clock, 0, Background())
    await state(poller, provider)
    await state(poller, provider)
    assert len(provider.asked) == 2


async def test_accounts_do_not_share_cached_states(poller: Poller, provider: ScriptedProvider) -> None:
    provider.states[ID] = finished(ID)
    await observe(poller, provider)
    await observe(poller, provider, account=OTHER)
    assert [credential for credential, _ in provider.asked] == ["s-1", "s-2"]


async def test_ids_of_one_account_are_one_query(poller: Poller, provider: ScriptedProvider) -> None:
    ids = ["scripted-1", "scripted-2", "scripted-3"]
    for id in ids[:2]:
        provider.states[id] = finished(id)
    observation = await poller.observe(provider, ACCOUNT, dict.fromkeys(ids), submitted_at={})
    assert provider.asked == [("s-1", tuple(ids))]
    absent = observation["scripted-3"]
    assert isinstance(absent, ProviderError)
    assert absent.kind is ErrorKind.TASK_NOT_FOUND


@pytest.mark.parametrize("kind", sorted(set(ErrorKind) - {ErrorKind.INVALID_CREDENTIAL, ErrorKind.TASK_NOT_FOUND}))
async def test_failed_query_returns_the_cached_state(
    poller: Poller, provider: ScriptedProvider, clock: TestClock, kind: ErrorKind
) -> None:
    provider.states[ID] = TaskState(ID, Phase.POST_PROCESSING, progress=80)
    await state(poller, provider)
    clock.move(2)
    provider.query_error = provider_error(kind)
    observation = await state(poller, provider)
    assert (observation.state.phase, observation.progress) == (Phase.POST_PROCESSING, 80)
    assert observation.query_error
    assert observation.query_error.kind is kind


async def test_failed_query_without_a_cached_state_is_processing_at_0(
    poller: Poller, provider: ScriptedProvider
) -> None:
    provider.query_error = provider_error(ErrorKind.UNREACHABLE)
    observation = await state(poller, provider)
    assert (observation.state.phase, observation.progress) == (Phase.PROCESSING, 0)
    assert observation.query_error


async def test_stale_state_is_not_fresh(poller: Poller, provider: ScriptedProvider) -> None:
    provider.query_error = provider_error(ErrorKind.UNREACHABLE)
    await state(poller, provider)
    await state(poller, provider)
    assert len(provider.asked) == 2


async def test_state_is_updated_when_the_error_ends(
    poller: Poller, provider: ScriptedProvider, clock: TestClock
) -> None:
    provider.query_error = provider_error(ErrorKind.UNREACHABLE)
    await state(poller, provider)
    provider.query_error = None
    provider.states[ID] = finished(ID)
    observation = await state(poller, provider)
    assert (observation.state.phase, observation.progress, observation.query_error) == (Phase.COMPLETED, 100, None)


async def test_rejected_credential_is_reported(poller: Poller, provider: ScriptedProvider) -> None:
    provider.query_error = provider_error(ErrorKind.INVALID_CREDENTIAL)
    observation = await observe(poller, provider)
    assert isinstance(observation, ProviderError)
    assert observation.kind is ErrorKind.INVALID_CREDENTIAL


class TestNewTasks:
    """The upstream lists a task only some time after its submit."""

    async def test_task_submitted_here_is_pending_for_a_minute(
        self, poller: Poller, provider: ScriptedProvider, clock: TestClock
    ) -> None:
        poller.submitted(ACCOUNT, ID, clock.now())
        observation = await state(poller, provider)
        assert (observation.state.phase, observation.progress) == (Phase.QUEUED, 0)
        assert len(provider.asked) == 1
        clock.move(GRACE_SECONDS + 1)
        assert isinstance(await observe(poller, provider), ProviderError)

    async def test_task_whose_id_contains_its_time_is_pending_on_any_replica(
        self, poller: Poller, provider: ScriptedProvider, clock: TestClock
    ) -> None:
        observation = await observe(poller, provider, submitted_at=clock.now() - 59)
        assert isinstance(observation, Observation)
        # It may be new, or belong to another credential.
        assert (observation.state.phase, observation.state.note) == (Phase.QUEUED, NOT_LISTED_YET)
        assert isinstance(await observe(poller, provider, submitted_at=clock.now() - 61), ProviderError)

    async def test_unknown_task_is_not_found(self, poller: Poller, provider: ScriptedProvider) -> None:
        assert isinstance(await observe(poller, provider), ProviderError)


async def test_finished_task_without_its_link_is_not_at_100(
    poller: Poller, provider: ScriptedProvider, clock: TestClock
) -> None:
    provider.states[ID] = finished(ID)
    await state(poller, provider)
    clock.move(ENDED_SECONDS)
    provider.states[ID] = TaskState(ID, Phase.FINALIZING, progress=95)
    assert (await state(poller, provider)).progress == 95


async def test_new_task_that_the_upstream_hides_again_keeps_its_state(
    poller: Poller, provider: ScriptedProvider, clock: TestClock
) -> None:
    poller.submitted(ACCOUNT, ID, clock.now())
    provider.states[ID] = TaskState(ID, Phase.PROCESSING, progress=50)
    await state(poller, provider)
    clock.move(2)
    del provider.states[ID]
    assert (await state(poller, provider)).progress == 50


class TestMissingTasks:
    """A task that the upstream has shown and then no longer finds."""

    async def see_and_lose(self, poller: Poller, provider: ScriptedProvider, clock: TestClock) -> None:
        provider.states[ID] = TaskState(ID, Phase.POST_PROCESSING, progress=89)
        await state(poller, provider)
        clock.move(2)
        del provider.states[ID]

    async def test_last_state_is_kept_for_a_minute_with_the_error_beside_it(
        self, poller: Poller, provider: ScriptedProvider, clock: TestClock
    ) -> None:
        await self.see_and_lose(poller, provider, clock)
        for _ in range(1100):
            observation = await state(poller, provider)
            assert (observation.state.phase, observation.progress) == (Phase.POST_PROCESSING, 89)
            assert observation.query_error
            assert observation.query_error.kind is ErrorKind.TASK_NOT_FOUND
            clock.move(0.05)

    async def test_after_a_minute_it_is_not_found_steadily(
        self, poller: Poller, provider: ScriptedProvider, clock: TestClock
    ) -> None:
        await self.see_and_lose(poller, provider, clock)
        await state(poller, provider)
        clock.move(GRACE_SECONDS)
        for number in range(400):
            if number % 7 == 3:
                provider.query_error = provider_error(ErrorKind.UNREACHABLE)
            observation = await observe(poller, provider, ask=number % 5 == 0)
            assert isinstance(observation, ProviderError)
            assert observation.kind is ErrorKind.TASK_NOT_FOUND
            assert poller.fresh_observation(ACCOUNT, ID, None) is None
            provider.query_error = None
            clock.move(0.05)

    async def test_rate_limited_poll_agrees_with_the_others(self, provider: ScriptedProvider, clock: TestClock) -> None:
        poller = Poller(clock, 1.0, Background(), per_second={"scripted": 0.5})
        await self.see_and_lose(poller, provider, clock)
        found = []
        for _ in range(350):
            observation, _ = await asyncio.gather(observe(poller, provider), clock.run(0.2))
            found.append(isinstance(observation, Observation))
        assert found == sorted(found, reverse=True)
        assert (found[0], found[-1]) == (True, False)

    async def test_task_that_is_found_again_is_fresh(
        self, poller: Poller, provider: ScriptedProvider, clock: TestClock
    ) -> None:
        for gap in (30, 90):
            await self.see_and_lose(poller, provider, clock)
            await state(poller, provider)
            clock.move(gap)
            await observe(poller, provider)
            provider.states[ID] = TaskState(ID, Phase.FINALIZING, progress=95)
            clock.move(2)
            observation = await state(poller, provider)
            assert (observation.state.phase, observation.query_error) == (Phase.FINALIZING, None)

    async def test_late_answer_of_an_earlier_query_does_not_bring_it_back(
        self, poller: Poller, provider: ScriptedProvider, clock: TestClock
    ) -> None:
        await self.see_and_lose(poller, provider, clock)
        sent_at = clock.monotonic() - 1
        await state(poller, provider)
        poller.on_results(ACCOUNT, {ID: TaskState(ID, Phase.PROCESSING)}, sent_at)
        assert (await state(poller, provider)).query_error

    async def test_miss_of_an_earlier_query_does_not_count(
        self, poller: Poller, provider: ScriptedProvider, clock: TestClock
    ) -> None:
        sent_at = clock.monotonic()
        clock.move(1)
        provider.states[ID] = TaskState(ID, Phase.PROCESSING)
        await state(poller, provider)
        poller.on_results(ACCOUNT, {ID: provider_error(ErrorKind.TASK_NOT_FOUND)}, sent_at)
        assert (await state(poller, provider)).query_error is None

    async def test_one_miss_per_freshness_is_queried(
        self, poller: Poller, provider: ScriptedProvider, clock: TestClock
    ) -> None:
        await self.see_and_lose(poller, provider, clock)
        asked = len(provider.asked)
        for _ in range(20):
            await state(poller, provider)
            clock.move(0.1)
        assert len(provider.asked) - asked == 2

    async def test_id_that_a_batch_leaves_out_is_missing(
        self, poller: Poller, provider: ScriptedProvider, clock: TestClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def nothing(ids: Sequence[str], account: Account) -> Mapping[str, TaskState | ProviderError]:
            return {}

        await self.see_and_lose(poller, provider, clock)
        monkeypatch.setattr(provider, "query", nothing)
        await state(poller, provider)
        clock.move(GRACE_SECONDS)
        assert isinstance(await observe(poller, provider), ProviderError)


async def test_submit_time_in_the_future_is_not_new(
    poller: Poller, provider: ScriptedProvider, clock: TestClock
) -> None:
    assert isinstance(await observe(poller, provider, submitted_at=clock.now() + 60), ProviderError)


async def test_progress_never_decreases(poller: Poller, provider: ScriptedProvider, clock: TestClock) -> None:
    figures = [(Phase.PROCESSING, 50), (Phase.PROCESSING, 30), (Phase.QUEUED, 0), (Phase.POST_PROCESSING, 80)]
    observation = []
    for phase, progress in figures:
        provider.states[ID] = TaskState(ID, phase, progress=progress)
        observation.append((await state(poller, provider)).progress)
        clock.move(2)
    assert observation == [50, 50, 50, 80]


async def test_progress_increases_with_time(poller: Poller, provider: ScriptedProvider, clock: TestClock) -> None:
    provider.states[ID] = TaskState(ID, Phase.PROCESSING, progress=50, created_at=clock.now())
    first = (await state(poller, provider)).progress
    clock.move(60)
    assert first < (await state(poller, provider)).progress < 100


async def test_slow_answer_does_not_replace_a_newer_one(
    poller: Poller, provider: ScriptedProvider, clock: TestClock
) -> None:
    provider.states[ID] = finished(ID)
    sent_at = clock.monotonic()
    clock.move(5)
    await state(poller, provider)
    poller.on_results(ACCOUNT, {ID: TaskState(ID, Phase.PROCESSING)}, sent_at)
    assert (await state(poller, provider)).state.phase is Phase.COMPLETED


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0, -0.5, 10**9])
class TestStepsOfTheWallClock:
    async def test_state_stays_fresh_for_as_long_as_before(
        self, poller: Poller, provider: ScriptedProvider, clock: TestClock, seconds: float
    ) -> None:
        provider.states[ID] = TaskState(ID, Phase.PROCESSING)
        await state(poller, provider)
        clock.step(seconds)
        assert poller.age(await state(poller, provider)) == pytest.approx(0, abs=1e-3)
        clock.move(0.9)
        await state(poller, provider)
        assert len(provider.asked) == 1
        clock.move(0.2)
        await state(poller, provider)
        assert len(provider.asked) == 2

    async def test_queries_keep_their_rate(self, provider: ScriptedProvider, clock: TestClock, seconds: float) -> None:
        provider.query_batch = 1
        poller = Poller(clock, 0.0, Background(), per_second={"scripted": 1.0})
        provider.states[ID] = TaskState(ID, Phase.PROCESSING)
        await state(poller, provider)
        clock.step(seconds)
        for _ in range(100):
            await asyncio.gather(state(poller, provider), clock.run(0.1))
        assert len(provider.asked) in (9, 10)

    async def test_new_task_that_is_not_listed_yet_stays_queued(
        self, poller: Poller, provider: ScriptedProvider, clock: TestClock, seconds: float
    ) -> None:
        created = clock.now()
        poller.submitted(ACCOUNT, ID, created)
        clock.step(seconds)
        observation = await observe(poller, provider, submitted_at=created)
        assert isinstance(observation, Observation)
        assert observation.state.phase is Phase.QUEUED

    async def test_missing_task_keeps_its_grace_period(
        self, poller: Poller, provider: ScriptedProvider, clock: TestClock, seconds: float
    ) -> None:
        provider.states[ID] = TaskState(ID, Phase.PROCESSING)
        await state(poller, provider)
        del provider.states[ID]
        clock.move(2)
        await state(poller, provider)
        clock.step(seconds)
        clock.move(GRACE_SECONDS - 1)
        assert (await state(poller, provider)).query_error
        clock.move(1)
        assert isinstance(await observe(poller, provider), ProviderError)

    async def test_slow_answer_of_an_earlier_query_is_still_dropped(
        self, poller: Poller, provider: ScriptedProvider, clock: TestClock, seconds: float
    ) -> None:
        provider.states[ID] = finished(ID)
        sent_at = clock.monotonic()
        clock.move(5)
        clock.step(seconds)
        await state(poller, provider)
        poller.on_results(ACCOUNT, {ID: TaskState(ID, Phase.PROCESSING)}, sent_at)
        assert (await state(poller, provider)).state.phase is Phase.COMPLETED


async def test_one_credential_with_two_proxies_shares_the_rate_limit(
    poller: Poller, provider: ScriptedProvider
) -> None:
    accounts = [Account("scripted", "s-1", proxy=proxy) for proxy in (None, "http://p:1")]
    batchers = [poller._batcher(provider, account) for account in (*accounts, *accounts)]
    assert batchers[0] is batchers[2] is not batchers[1] is batchers[3]
    assert batchers[0].limiter is batchers[1].limiter
