"""Leases: probes of half-open accounts, and running tasks."""

import asyncio

import pytest

from gateway.accounts.health import AccountState
from gateway.accounts.lease import RUNNING_SECONDS
from gateway.accounts.pool import ManagedAccount
from gateway.accounts.selection import LeastBusy
from providers.contract.errors import ErrorKind
from providers.contract.tasks import Phase, TaskState
from tests.gateway.accounts.pool_fixture import MODEL, A, B, PoolFixture
from tests.upstream import finished, provider_error


class TestProbes:
    """A new account, or one after a failure, is half-open."""

    async def test_one_submit_probes_while_others_use_other_accounts(self) -> None:
        env = PoolFixture(A, B)
        first = await env.pool.take(env.accounts, MODEL, set())
        assert first
        with first:
            assert await env.submit() == "b"
            first.submitted("t")
        assert await env.submit() == "a"

    async def test_without_other_accounts_submits_wait_for_the_probe(self) -> None:
        env = PoolFixture(A, second_probe_after=5)
        first = await env.pool.take(env.accounts, MODEL, set())
        assert first
        with first:
            others = [asyncio.ensure_future(env.submit()) for _ in range(3)]
            await asyncio.sleep(0.01)
            assert not any(other.done() for other in others)
            first.failed(provider_error(ErrorKind.RESTRICTED))
        assert await asyncio.gather(*others) == ["", "", ""]

    async def test_after_a_success_submits_are_concurrent(self) -> None:
        env = PoolFixture(A, second_probe_after=5)
        await env.submit()
        leases = [await env.pool.take(env.accounts, MODEL, set()) for _ in range(3)]
        assert all(leases)

    async def test_second_probe_starts_while_a_slow_one_is_running(self) -> None:
        env = PoolFixture(A, second_probe_after=0.02, max_wait=0.1)
        first = await env.pool.take(env.accounts, MODEL, set())
        assert first
        with first:
            second = await env.pool.take(env.accounts, MODEL, set())
            assert second
            with second:
                assert env.pool.record(A).busy == 2
                others = [asyncio.ensure_future(env.submit()) for _ in range(3)]
                await asyncio.sleep(0.005)
                assert not any(other.done() for other in others)
                second.submitted("t")
        assert await asyncio.gather(*others) == ["a", "a", "a"]

    async def test_wait_for_a_probe_is_limited(self) -> None:
        env = PoolFixture(A, second_probe_after=5, max_wait=0.02)
        first = await env.pool.take(env.accounts, MODEL, set())
        assert first
        with first:
            assert await env.submit() == ""

    async def test_cancelled_submit_releases_the_account(self) -> None:
        env = PoolFixture(A, second_probe_after=5)
        lease = await env.pool.take(env.accounts, MODEL, set())
        assert lease
        with pytest.raises(asyncio.CancelledError), lease:
            raise asyncio.CancelledError
        assert env.pool.record(A).busy == 0
        assert await env.submit() == "a"

    @pytest.mark.parametrize("kind", [ErrorKind.INVALID_REQUEST, ErrorKind.MODEL_NOT_FOUND])
    async def test_invalid_request_keeps_the_account_half_open(self, kind: ErrorKind) -> None:
        env = PoolFixture(A)
        await env.submit(provider_error(kind))
        assert env.pool.record(A).health.is_half_open

    async def test_rejected_content_closes_the_half_open_state(self) -> None:
        env = PoolFixture(A)
        await env.submit(provider_error(ErrorKind.CONTENT_REFUSED))
        assert not env.pool.record(A).health.is_half_open


class TestRunningTasks:
    async def test_max_running_limits_the_tasks_of_an_account(self) -> None:
        env = PoolFixture(ManagedAccount(A, max_running=2), B)
        assert [await env.submit(f"t{number}") for number in range(3)] == ["a", "a", "b"]
        assert env.state(A) is AccountState.FULL

    async def test_ended_task_makes_room(self) -> None:
        env = PoolFixture(ManagedAccount(A, max_running=1), B)
        await env.submit("t1")
        env.pool.on_results(A, {"t1": TaskState("t1", Phase.PROCESSING)}, env.clock.monotonic())
        assert env.state(A) is AccountState.FULL
        env.pool.on_results(A, {"t1": finished("t1")}, env.clock.monotonic())
        assert await env.submit() == "a"

    async def test_ended_task_ends_the_pause_for_too_many_running(self) -> None:
        env = PoolFixture(A)
        await env.submit("t1")
        await env.submit(provider_error(ErrorKind.TOO_MANY_RUNNING))
        assert await env.submit() == ""
        env.pool.on_results(A, {"t1": finished("t1")}, env.clock.monotonic())
        assert await env.submit() == "a"

    async def test_running_tasks_expire_without_polls(self) -> None:
        env = PoolFixture(ManagedAccount(A, max_running=1))
        await env.submit("t1")
        env.clock.move(RUNNING_SECONDS)
        assert await env.submit() == "a"

    async def test_tasks_of_a_full_account_are_polled_at_intervals(self) -> None:
        env = PoolFixture(ManagedAccount(A, max_running=1), B)
        await env.submit("t1")
        assert env.pool.tasks_to_poll(env.accounts, interval=5, limit=10) == {A: ["t1"]}
        assert env.pool.tasks_to_poll(env.accounts, interval=5, limit=10) == {}
        env.clock.move(5)
        assert env.pool.tasks_to_poll(env.accounts, interval=5, limit=10) == {A: ["t1"]}

    async def test_least_busy_counts_running_tasks(self) -> None:
        env = PoolFixture(A, B, policy=LeastBusy())
        took = {f"t{number}": await env.submit(f"t{number}") for number in range(4)}
        assert sorted(took.values()) == ["a", "a", "b", "b"]
        env.pool.on_results(B, {id: finished(id) for id, name in took.items() if name == "b"}, env.clock.monotonic())
        assert [await env.submit(f"u{number}") for number in range(2)] == ["b", "b"]
