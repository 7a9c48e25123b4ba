"""Waiting for a task within one request: for its next change, or for its end."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from starlette.types import Receive

from gateway.accounts.callers import Caller
from gateway.core.clock import Clock
from gateway.core.errors import GatewayError
from gateway.live.open_streams import OpenStreams
from gateway.live.watcher import Watch
from gateway.live.watching import Watches
from gateway.tasks.view import Submitted, Task
from providers.contract.tasks import Phase, TaskState


async def wait_for_change(
    watches: Watches, streams: OpenStreams, clock: Clock, caller: Caller, id: str, seconds: float, receive: Receive
) -> Task:
    """The status of a task after its next change, or after `seconds`; at once where it has ended, the client
    disconnects or the process stops. Raises GatewayError like a poll."""
    async with watches.watch(caller, id) as watch, _interrupted(watch, clock, seconds, receive):
        with streams.at_stop(watch.stop):
            task = await anext(watch)
            return await anext(watch, task)


async def wait_for_end(
    watches: Watches, clock: Clock, caller: Caller, submitted: Submitted, seconds: float, receive: Receive
) -> Task:
    """The status of a submitted task once it ends, or after `seconds`, or when the client disconnects. It is stale
    where the upstream has lost the task. A rejected credential ends the wait without an error."""
    state = TaskState(submitted.id, Phase.QUEUED, created_at=submitted.created)
    task = Task(submitted.id, submitted.provider, state, model=submitted.model, created=submitted.created)
    if seconds <= 0:
        return task
    try:
        async with (
            watches.watch(caller, submitted.id, known=task) as watch,
            _interrupted(watch, clock, seconds, receive),
        ):
            async for current in watch:
                task = replace(current, model=submitted.model)
    except GatewayError:
        # The task is charged: its id matters more than the error, which a poll returns.
        return task
    return task


@asynccontextmanager
async def _interrupted(watch: Watch, clock: Clock, seconds: float, receive: Receive) -> AsyncGenerator[None, None]:
    """Stop a watch after `seconds` and when the client disconnects. The body of the request has been read."""

    async def listen() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        watch.stop()

    timer = clock.later(seconds, watch.stop)
    listening = asyncio.create_task(listen())
    try:
        yield
    finally:
        timer.cancel()
        listening.cancel()
