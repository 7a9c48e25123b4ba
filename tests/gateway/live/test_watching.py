"""Watching tasks, on a clock moved by hand: how often the upstream is queried, and what the watchers are told."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from gateway.accounts.callers import Caller
from gateway.core.errors import GatewayError
from gateway.live.watcher import Status, Watcher
from gateway.tasks.view import Task
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, Queue, TaskState
from tests.gateway_fixture import ONE, TWO, GatewayFixture, managed_caller, pass_through_caller
from tests.upstream import finished, provider_error

CALLER = pass_through_caller(ONE)


class Recorder(Watcher):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self.tasks: list[Task] = []

    def on_status(self, status: Status) -> None:
        self.told.append(status.task.state.phase.status)
        self.tasks.append(status.task)

    def on_error(self, error: GatewayError) -> None:
        self.told.append(error.code)

    def on_timeout(self, status: Status) -> None:
        self.told.append("timeout")


def running(id: str, progress: int = 0) -> TaskState:
    return TaskState(id, Phase.PROCESSING, progress=progress)


async def submitted(env: GatewayFixture, caller: Caller = CALLER) -> str:
    """The id of a new task that the upstream shows as running."""
    task = await env.submit(caller)
    env.provider.states[task.upstream_id] = running(task.upstream_id)
    return task.id


async def watched(env: GatewayFixture, id: str, caller: Caller = CALLER, seconds: float | None = None) -> Recorder:
    recorder = Recorder()
    await env.watches.add(caller, id, recorder, seconds=seconds)
    return recorder


class TestQueries:
    async def test_40_watchers_cost_one_query_per_interval(self) -> None:
        env = GatewayFixture()
        id = await submitted(env)
        for _ in range(40):
            await watched(env, id)
        assert len(env.provider.asked) == 1
        await env.clock.run(30)
        assert len(env.provider.asked) == pytest.approx(30 / 3, abs=1)

    async def test_ids_of_several_callers_share_the_query_of_their_task(self) -> None:
        env = GatewayFixture()
        id = await submitted(env)
        other = pass_through_caller(ONE, TWO)
        first, second = await watched(env, id), await watched(env, id, other)
        asked = len(env.provider.asked)
        await env.clock.run(9.2)
        assert len(env.provider.asked) - asked == 3
        env.provider.states[id] = finished(id)
        await env.clock.run(3.1)
        assert first.told == second.told == ["completed"]

    async def test_tasks_of_one_account_share_batches(self) -> None:
        env = GatewayFixture()
        ids = [await submitted(env) for _ in range(10)]
        for id in ids:
            await watched(env, id)
        env.provider.asked.clear()
        await env.clock.run(9.2)
        assert len(env.provider.asked) <= 4
        assert {id for _, batch in env.provider.asked for id in batch} == set(ids)

    async def test_queued_task_is_queried_less_often(self) -> None:
        env = GatewayFixture()
        id = await submitted(env)
        env.provider.states[id] = TaskState(id, Phase.QUEUED, queue=Queue(30, eta_seconds=50))
        await watched(env, id)
        env.provider.asked.clear()
        await env.clock.run(31)
        assert len(env.provider.asked) == 3

    async def test_interval_is_at_most_that_of_the_configuration(self) -> None:
        env = GatewayFixture(video_poll_interval=1000, poll_freshness=0.5)
        id = await submitted(env)
        await watched(env, id)
        env.provider.asked.clear()
        await env.clock.run(10.1)
        assert len(env.provider.asked) == pytest.approx(10, abs=2)

    async def test_nobody_watching_means_no_queries(self) -> None:
        env = GatewayFixture()
        id = await submitted(env)
        recorder = await watched(env, id)
        env.watches.remove(recorder)
        env.watches.remove(recorder)
        env.provider.asked.clear()
        await env.clock.run(60)
        assert env.provider.asked == []
        assert len(env.watches) == 0

    async def test_ended_task_is_not_queried_any_more(self) -> None:
        env = GatewayFixture()
        id = await submitted(env)
        recorder = await watched(env, id)
        env.provider.states[id] = finished(id)
        await env.clock.run(4)
        assert recorder.told == ["completed"]
        env.provider.asked.clear()
        await env.clock.run(120)
        assert (env.provider.asked, recorder.told, len(env.watches)) == ([], ["completed"], 0)

    async def test_task_that_has_ended_before_is_not_watched(self) -> None:
        env = GatewayFixture()
        id = await submitted(env)
        env.provider.states[id] = finished(id)
        status = await env.watches.add(CALLER, id, recorder := Recorder())
        assert status.task.state.phase is Phase.COMPLETED
        assert (recorder.told, len(env.watches)) == ([], 0)

    async def test_result_of_any_poll_reaches_the_watchers_at_once(self) -> None:
        env = GatewayFixture()
        id = await submitted(env)
        recorder = await watched(env, id)
        await env.clock.run(1.5)
        env.provider.states[id] = finished(id)
        await env.tasks.status(CALLER, id)
        asked = len(env.provider.asked)
        await env.clock.run(0.05)
        assert recorder.told == ["completed"]
        assert len(env.provider.asked) == asked

    async def test_watchers_that_come_at_once_share_the_first_query(self) -> None:
        env = GatewayFixture(poll_freshness=0.0)
        id = await submitted(env)
        await asyncio.gather(*(watched(env, id) for _ in range(40)))
        assert len(env.provider.asked) == 1


class TestChanges:
    async def test_watchers_are_told_changes_only(self) -> None:
        env = GatewayFixture()
        id = await submitted(env)
        recorder = await watched(env, id)
        await env.clock.run(10)
        assert recorder.told == []
        env.provider.states[id] = running(id, 30)
        await env.clock.run(4)
        assert [task.progress for task in recorder.tasks] == [30]

    async def test_time_limit_ends_the_watching_and_not_the_task(self) -> None:
        env = GatewayFixture()
        id = await submitted(env)
        limited, unlimited = await watched(env, id, seconds=20), await watched(env, id)
        await env.clock.run(19)
        assert limited.told == []
        await env.clock.run(2)
        assert limited.told == ["timeout"]
        env.provider.states[id] = finished(id)
        await env.clock.run(4)
        assert (limited.told, unlimited.told) == (["timeout"], ["completed"])

    async def test_failing_query_makes_the_status_stale_and_no_failure(self) -> None:
        env = GatewayFixture()
        id = await submitted(env)
        recorder = await watched(env, id)
        env.provider.query_error = provider_error(ErrorKind.UPSTREAM_ERROR)
        await env.clock.run(30)
        assert [(task.state.phase, task.stale) for task in recorder.tasks] == [(Phase.PROCESSING, True)]
        env.provider.query_error = None
        env.provider.states[id] = finished(id)
        await env.clock.run(16)
        assert recorder.told == ["processing", "completed"]

    async def test_unforeseen_error_is_logged_and_the_watching_goes_on(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        env = GatewayFixture()
        id = await submitted(env)
        recorder = await watched(env, id)

        async def broken(*args: object, **options: object) -> Task:
            raise RuntimeError("secret")

        with monkeypatch.context() as patch:
            patch.setattr(env.watches.tasks, "status", broken)
            await env.clock.run(4)
        assert recorder.tasks[-1].stale
        assert "cannot be queried" in caplog.text
        assert "secret" not in caplog.text
        env.provider.states[id] = finished(id)
        await env.clock.run(4)
        assert recorder.told[-1] == "completed"

    async def test_task_that_the_upstream_loses_is_watched_on(self) -> None:
        env = GatewayFixture()
        id = await submitted(env)
        recorder = await watched(env, id)
        del env.provider.states[id]
        await env.clock.run(90)
        assert set(recorder.told) == {"processing"}
        assert recorder.tasks[-1].stale
        env.provider.states[id] = finished(id)
        await env.clock.run(16)
        assert recorder.told[-1] == "completed"

    async def test_rejected_credential_ends_the_watching(self) -> None:
        env = GatewayFixture()
        id = await submitted(env)
        recorder = await watched(env, id)
        env.provider.query_error = provider_error(ErrorKind.INVALID_CREDENTIAL)
        await env.clock.run(4)
        assert (recorder.told, len(env.watches)) == (["invalid_api_key"], 0)

    async def test_status_that_waits_for_the_rate_limit_is_not_told(self) -> None:
        env = GatewayFixture()
        id = await submitted(env)
        recorder = await watched(env, id)
        limiter = env.process.poller._batcher(env.provider, ONE).limiter
        limiter.change_limit(0.05, env.clock.monotonic())
        env.process.poller.acquire(env.provider, ONE, 1)
        await env.clock.run(12)
        assert recorder.told == []

    async def test_unknown_task_is_an_error_like_a_poll(self) -> None:
        env = GatewayFixture()
        with pytest.raises(GatewayError) as caught:
            await watched(env, "nonsense")
        assert caught.value.code == "task_not_found"
        assert len(env.watches) == 0

    async def test_watchers_of_others_see_nothing(self) -> None:
        env = GatewayFixture()
        env.watches.current = lambda caller: caller
        task = await env.submit(managed_caller(ONE))
        env.watches.remove(await watched(env, task.id, managed_caller(ONE)))
        with pytest.raises(GatewayError) as caught:
            await watched(env, task.id, managed_caller(ONE, owner="b" * 12))
        assert caught.value.code == "task_not_found"


class TestFailures:
    async def test_failing_queries_are_repeated_less_and_less_often(self) -> None:
        env = GatewayFixture()
        id = await submitted(env)
        await watched(env, id)
        env.provider.query_error = provider_error(ErrorKind.UPSTREAM_ERROR)
        env.provider.asked.clear()
        await env.clock.run(600)
        # 3, 6, 12 and then 15 s.
        assert len(env.provider.asked) == pytest.approx(41, abs=2)
        await env.clock.run(1800)
        env.provider.asked.clear()
        await env.clock.run(3600)
        # 15 minutes.
        assert len(env.provider.asked) == 4

    async def test_first_success_restores_the_interval(self) -> None:
        env = GatewayFixture()
        id = await submitted(env)
        await watched(env, id)
        env.provider.query_error = provider_error(ErrorKind.UPSTREAM_ERROR)
        await env.clock.run(60)
        env.provider.query_error = None
        await env.tasks.status(CALLER, id, force_refresh=True)
        env.provider.asked.clear()
        await env.clock.run(9.5)
        assert len(env.provider.asked) == 3

    async def test_watcher_that_fails_is_removed_and_the_others_are_told(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Broken(Recorder):
            def on_status(self, status: Status) -> None:
                raise RuntimeError("secret")

        env = GatewayFixture()
        id = await submitted(env)
        await env.watches.add(CALLER, id, Broken())
        recorder = await watched(env, id)
        env.provider.states[id] = running(id, 40)
        await env.clock.run(4)
        assert (recorder.told, len(env.watches)) == (["processing"], 1)
        assert "a watcher of a task failed" in caplog.text
        assert "secret" not in caplog.text

    async def test_sweep_goes_on_after_a_watcher_that_fails(self) -> None:
        class Broken(Recorder):
            def on_sweep(self, now: float) -> None:
                raise RuntimeError

        env = GatewayFixture()
        id = await submitted(env)
        await env.watches.add(CALLER, id, Broken())
        recorder = await watched(env, id, seconds=10)
        await env.clock.run(12)
        assert recorder.told == ["timeout"]

    async def test_view_that_joins_during_the_last_query_is_told_the_end(self) -> None:
        env = GatewayFixture()
        id = await submitted(env)
        other = pass_through_caller(ONE, TWO)
        first = await watched(env, id)
        env.provider.states[id] = finished(id)
        joined = Recorder()
        task = Task(id, "scripted", running(id))
        env.clock.later(2.9, lambda: env.background.start(_add(env, other, id, joined, task)))
        await env.clock.run(10)
        assert (first.told, joined.told, len(env.watches)) == (["completed"], ["completed"], 0)


async def _add(env: GatewayFixture, caller: Caller, id: str, watcher: Watcher, known: Task) -> None:
    await env.watches.add(caller, id, watcher, known=known)


class TestReload:
    async def test_queries_go_through_the_proxy_of_the_new_configuration(self) -> None:
        account = Account("scripted", "s-secret", name="one")
        env = GatewayFixture()
        asked: list[object] = []
        query = env.provider.query

        async def recorded(ids: Sequence[str], account: Account) -> Mapping[str, TaskState | ProviderError]:
            asked.append(account.proxy)
            return await query(ids, account)

        env.provider.query = recorded  # type: ignore[method-assign]
        task = await env.submit(managed_caller(account))
        env.provider.states[task.upstream_id] = running(task.upstream_id)
        env.watches.current = lambda caller: caller
        recorder = await watched(env, task.id, managed_caller(account))
        changed = managed_caller(replace(account, proxy="http://127.0.0.1:1"))
        env.watches.current = lambda caller: changed
        env.locator._resolved.clear()
        await env.clock.run(4)
        assert asked == [None, "http://127.0.0.1:1"]
        env.provider.states[task.upstream_id] = running(task.upstream_id, 50)
        await env.tasks.status(changed, task.id, force_refresh=True)
        assert [task.progress for task in recorder.tasks] == [50]

    async def test_task_of_an_account_with_a_new_credential_is_told_by_any_query(self) -> None:
        account = Account("scripted", "s-secret", name="one")
        env = GatewayFixture()
        task = await env.submit(managed_caller(account))
        env.provider.states[task.upstream_id] = running(task.upstream_id)
        env.watches.current = lambda caller: caller
        recorder = await watched(env, task.id, managed_caller(account))
        changed = managed_caller(Account("scripted", "s-renewed", name="one"))
        env.watches.current = lambda caller: changed
        env.locator._resolved.clear()
        await env.clock.run(4)
        env.provider.states[task.upstream_id] = running(task.upstream_id, 50)
        await env.tasks.status(changed, task.id, force_refresh=True)
        assert [task.progress for task in recorder.tasks] == [50]
        assert env.provider.asked[-1][0] == "s-renewed"

    async def test_key_that_is_gone_ends_the_watching(self) -> None:
        env = GatewayFixture()
        id = await submitted(env)
        recorder = await watched(env, id)

        def gone(caller: Caller) -> Caller:
            raise GatewayError("invalid_api_key")

        env.watches.current = gone
        await env.clock.run(4)
        assert (recorder.told, len(env.watches)) == (["invalid_api_key"], 0)
        with pytest.raises(GatewayError):
            await watched(env, id)


class TestWithoutFreshness:
    async def test_each_interval_has_one_query(self) -> None:
        env = GatewayFixture(poll_freshness=0.0)
        id = await submitted(env)
        await watched(env, id)
        env.provider.asked.clear()
        await env.clock.run(30.5)
        assert len(env.provider.asked) == pytest.approx(10, abs=1)


class TestIteration:
    async def test_iteration_begins_with_the_current_status_and_ends_with_the_task(self) -> None:
        env = GatewayFixture()
        id = await submitted(env)
        env.clock.later(4, lambda: env.provider.states.update({id: finished(id)}))
        async with env.watches.watch(CALLER, id) as watch:
            first = await anext(watch)
            await env.clock.run(8)
            rest = [task.state.phase async for task in watch]
        assert (first.state.phase, rest) == (Phase.PROCESSING, [Phase.COMPLETED])
        assert len(env.watches) == 0

    async def test_slow_reader_gets_the_newest_status(self) -> None:
        env = GatewayFixture()
        id = await submitted(env)
        async with env.watches.watch(CALLER, id) as watch:
            await anext(watch)
            for progress in (20, 30, 40):
                env.provider.states[id] = running(id, progress)
                await env.clock.run(4)
            assert (await anext(watch)).progress == 40
