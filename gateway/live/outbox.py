"""The outgoing messages of one connection: a slow reader gets the newest message of each key, not all of them."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from gateway.core.background_tasks import Background

T = TypeVar("T")


class Outbox(Generic[T]):
    """Sends messages in order, one at a time. A message replaces an unsent one with the same key.

    There is a task only while something is sent: an idle connection costs none.
    """

    __slots__ = ("_background", "_pending", "_send", "_sender")

    def __init__(self, background: Background, send: Callable[[T], Awaitable[None]]) -> None:
        """`send` returns once the connection takes the next message. It may raise OSError where that has been lost."""
        self._background = background
        self._send = send
        self._pending: dict[Hashable, T] = {}
        self._sender: asyncio.Task[None] | None = None

    def put(self, key: Hashable, message: T) -> None:
        self._pending[key] = message
        if self._sender is None:
            self._sender = self._background.start(self._run())

    @property
    def is_idle(self) -> bool:
        """True while nothing waits to be sent."""
        return self._sender is None

    async def flushed(self) -> None:
        """Wait until everything has been sent."""
        if self._sender is not None:
            await asyncio.wait((self._sender,))

    async def _run(self) -> None:
        try:
            while self._pending:
                key = next(iter(self._pending))
                await self._send(self._pending.pop(key))
        except OSError:
            # The client has gone, which the connection's own task notices.
            self._pending.clear()
        finally:
            self._sender = None
