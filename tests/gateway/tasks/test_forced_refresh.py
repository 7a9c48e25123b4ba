"""A forced refresh over the account's rate limit: it waits for its turn, and says so where that does not come."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.polling.batcher import DEADLINE_SECONDS
from gateway.tasks.view import Task
from providers.contract.tasks import Phase, TaskState
from tests.gateway_fixture import ONE, GatewayFixture, pass_through_caller
from tests.upstream import CancellingProvider, finished

CALLER = pass_through_caller(ONE)


async def cancel(env: GatewayFixture, id: str) -> Task:
    return await env.tasks.cancel(CALLER, id)


async def poll(env: GatewayFixture, id: str) -> Task:
    env.provider.states[id] = finished(id)
    return await env.tasks.status(CALLER, id, force_refresh=True)


Refresh = Callable[[GatewayFixture, str], Awaitable[Task]]


@pytest.fixture
async def submitted() -> tuple[GatewayFixture, str]:
    """A gateway, and its task, which has been polled: the next query has to wait."""
    env = GatewayFixture(CancellingProvider())
    id = (await env.submit(CALLER)).id
    env.provider.states[id] = TaskState(id, Phase.PROCESSING, progress=50)
    await env.tasks.status(CALLER, id)
    env.process.poller.per_second = {"scripted": 0.5}
    env.process.poller.acquire(env.provider, ONE, 2)
    return env, id


@pytest.mark.parametrize(("refresh", "phase"), [(poll, Phase.COMPLETED), (cancel, Phase.FAILED)])
async def test_answer_has_the_new_state(submitted: tuple[GatewayFixture, str], refresh: Refresh, phase: Phase) -> None:
    env, id = submitted
    task, _ = await asyncio.gather(refresh(env, id), env.clock.run(DEADLINE_SECONDS - 1))
    assert (task.state.phase, task.stale) == (phase, False)


@pytest.mark.parametrize("refresh", [poll, cancel])
async def test_answer_is_stale_where_the_turn_does_not_come(
    submitted: tuple[GatewayFixture, str], refresh: Refresh
) -> None:
    env, id = submitted
    env.process.poller.per_second = {"scripted": 0.01}
    task, _ = await asyncio.gather(refresh(env, id), env.clock.run(DEADLINE_SECONDS + 1))
    assert (task.state.phase, task.stale) == (Phase.PROCESSING, True)
