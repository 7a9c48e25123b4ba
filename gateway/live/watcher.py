"""Watchers: who is told the statuses of a task."""

import asyncio
from collections.abc import Callable

from gateway.core.errors import GatewayError
from gateway.tasks.view import Task

Renderer = Callable[[Task], bytes]
"""Renders a status. The same object is passed for all watchers that share the result."""


class Status:
    """A status for any number of watchers, rendered once by each renderer."""

    __slots__ = ("_rendered", "task")

    def __init__(self, task: Task) -> None:
        self.task = task
        self._rendered: dict[Renderer, bytes] = {}

    def rendered(self, renderer: Renderer) -> bytes:
        found = self._rendered.get(renderer)
        if found is None:
            found = self._rendered[renderer] = renderer(self.task)
        return found


class Watcher:
    """Gets the statuses of one task. None of its methods may block.

    `on_status` of a task that has ended, `on_error` and `on_timeout` are the last ones that are called.
    """

    __slots__ = ("deadline",)

    def __init__(self) -> None:
        self.deadline = float("inf")
        """In monotonic seconds."""

    def on_status(self, status: Status) -> None:
        """The status has changed. Nothing follows one that has ended."""

    def on_error(self, error: GatewayError) -> None:
        """The upstream rejects the credential."""

    def on_timeout(self, status: Status) -> None:
        """The deadline has passed. The task may still end."""

    def on_sweep(self, now: float) -> None:
        """Called every SWEEP_SECONDS. `now` is in monotonic seconds."""


class Watch(Watcher):
    """An asynchronous iterator over the statuses of a task, always the newest one. It ends with the task, at the
    deadline and when it is stopped. It raises GatewayError (401) where the upstream rejects the credential."""

    __slots__ = ("_error", "_is_over", "_next", "_waiting")

    def __init__(self) -> None:
        super().__init__()
        self._next: Task | None = None
        self._is_over = False
        self._error: GatewayError | None = None
        self._waiting: asyncio.Future[None] | None = None

    def __aiter__(self) -> "Watch":
        return self

    async def __anext__(self) -> Task:
        while self._next is None:
            if self._error is not None:
                raise self._error
            if self._is_over:
                raise StopAsyncIteration
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        task, self._next = self._next, None
        return task

    def stop(self) -> None:
        """End the iteration, after the status that has not been read yet."""
        self._is_over = True
        self._wake()

    def on_status(self, status: Status) -> None:
        self._next = status.task
        self._is_over = self._is_over or status.task.state.phase.ended
        self._wake()

    def on_error(self, error: GatewayError) -> None:
        self._error = error
        self._wake()

    def on_timeout(self, status: Status) -> None:
        self.stop()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
