"""Waiting for a submitted task and for the next change, on a clock moved by hand."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Message

from gateway.core.errors import GatewayError
from gateway.live.waiting import wait_for_change, wait_for_end
from gateway.tasks.view import Submitted, Task
from providers.contract.errors import ErrorKind
from providers.contract.tasks import Phase, TaskState
from tests.gateway_fixture import ONE, GatewayFixture, pass_through_caller
from tests.upstream import finished, provider_error

CALLER = pass_through_caller(ONE)


class Client:
    """A client that stays connected until `leave`."""

    def __init__(self) -> None:
        self._has_left = asyncio.Event()

    def leave(self) -> None:
        self._has_left.set()

    async def receive(self) -> Message:
        await self._has_left.wait()
        return {"type": "http.disconnect"}


def run(env: GatewayFixture, wait: Callable[[Client], Awaitable[Task]]) -> "tuple[asyncio.Task[Task], Client]":
    client = Client()

    async def waiting() -> Task:
        return await wait(client)

    return asyncio.create_task(waiting()), client


def until_end(env: GatewayFixture, submitted: Submitted, seconds: float) -> "tuple[asyncio.Task[Task], Client]":
    return run(env, lambda one: wait_for_end(env.watches, env.clock, CALLER, submitted, seconds, one.receive))


def until_change(env: GatewayFixture, id: str, seconds: float) -> "tuple[asyncio.Task[Task], Client]":
    return run(env, lambda one: wait_for_change(env.watches, env.streams, env.clock, CALLER, id, seconds, one.receive))


class TestWaitForEnd:
    async def test_wait_ends_with_the_task(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(CALLER)
        waiting, _ = until_end(env, submitted, 60)
        await env.clock.run(3)
        env.provider.states[submitted.id] = finished(submitted.id)
        await env.clock.run(3)
        task = await waiting
        assert (task.state.phase, task.model) == (Phase.COMPLETED, "scripted-model")
        assert len(env.watches) == 0

    async def test_first_query_is_an_interval_after_the_submit(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(CALLER)
        waiting, client = until_end(env, submitted, 60)
        await env.clock.run(2)
        assert env.provider.asked == []
        await env.clock.run(1.1)
        assert len(env.provider.asked) == 1
        client.leave()
        await waiting

    async def test_wait_is_limited(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(CALLER)
        env.provider.states[submitted.id] = TaskState(submitted.id, Phase.PROCESSING)
        waiting, _ = until_end(env, submitted, 12)
        await env.clock.run(11.9)
        assert not waiting.done()
        await env.clock.run(0.2)
        assert (await waiting).state.phase is Phase.PROCESSING

    async def test_client_that_leaves_ends_the_wait_and_the_queries(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(CALLER)
        waiting, client = until_end(env, submitted, 60)
        await env.clock.run(1)
        client.leave()
        task = await waiting
        assert (task.id, task.state.phase) == (submitted.id, Phase.QUEUED)
        await env.clock.run(60)
        assert env.provider.asked == []

    async def test_wait_goes_on_while_the_task_is_missing(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(CALLER)
        env.provider.states[submitted.id] = TaskState(submitted.id, Phase.PROCESSING, progress=89)
        await env.tasks.status(CALLER, submitted.id)
        del env.provider.states[submitted.id]
        waiting, _ = until_end(env, submitted, 110)
        await env.clock.run(80)
        env.provider.states[submitted.id] = finished(submitted.id)
        await env.clock.run(16)
        task = await waiting
        assert (task.state.phase, task.stale) == (Phase.COMPLETED, False)

    async def test_wait_for_a_task_that_is_gone_returns_its_last_status(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(CALLER)
        env.provider.states[submitted.id] = TaskState(submitted.id, Phase.PROCESSING, progress=89)
        waiting, _ = until_end(env, submitted, 110)
        await env.clock.run(5)
        del env.provider.states[submitted.id]
        await env.clock.run(106)
        task = await waiting
        assert (task.state.phase, task.progress, task.stale) == (Phase.PROCESSING, 89, True)

    async def test_rejected_credential_ends_the_wait_with_the_last_status(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(CALLER)
        env.provider.query_error = provider_error(ErrorKind.INVALID_CREDENTIAL)
        waiting, _ = until_end(env, submitted, 60)
        await env.clock.run(5)
        task = await waiting
        assert (task.id, task.state.phase) == (submitted.id, Phase.QUEUED)


class TestWaitForChange:
    async def test_status_is_that_of_the_next_change(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(CALLER)
        env.provider.states[submitted.id] = TaskState(submitted.id, Phase.QUEUED)
        waiting, _ = until_change(env, submitted.id, 60)
        await env.clock.run(10)
        assert not waiting.done()
        env.provider.states[submitted.id] = TaskState(submitted.id, Phase.PROCESSING)
        await env.clock.run(3.1)
        assert (await waiting).state.phase is Phase.PROCESSING

    async def test_without_a_change_the_status_comes_after_the_seconds(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(CALLER)
        env.provider.states[submitted.id] = TaskState(submitted.id, Phase.QUEUED)
        waiting, _ = until_change(env, submitted.id, 7)
        await env.clock.run(6.9)
        assert not waiting.done()
        await env.clock.run(0.2)
        assert (await waiting).state.phase is Phase.QUEUED
        assert len(env.watches) == 0

    async def test_ended_task_is_returned_at_once(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(CALLER)
        env.provider.states[submitted.id] = finished(submitted.id)
        waiting, _ = until_change(env, submitted.id, 60)
        await env.clock.run(0.1)
        assert (await waiting).state.phase is Phase.COMPLETED

    async def test_client_that_leaves_frees_everything(self) -> None:
        env = GatewayFixture()
        submitted = await env.submit(CALLER)
        env.provider.states[submitted.id] = TaskState(submitted.id, Phase.QUEUED)
        waiting, client = until_change(env, submitted.id, 60)
        await env.clock.run(1)
        client.leave()
        await waiting
        assert len(env.watches) == 0

    async def test_unknown_task_is_an_error_like_a_poll(self) -> None:
        env = GatewayFixture()
        with pytest.raises(GatewayError) as caught:
            await until_change(env, "nonsense", 60)[0]
        assert caught.value.code == "task_not_found"
