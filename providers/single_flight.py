"""Work that several want at the same time: done once, and remembered for a while."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from typing import Any, Generic, TypeVar

from cachetools import TTLCache

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """What was made for a key, for `seconds`, of at most `size` keys; and what is being made."""

    def __init__(self, size: int, seconds: float, now: Callable[[], float]) -> None:
        self._made: TTLCache[K, V] = TTLCache(size, seconds, timer=now)
        self._running: dict[tuple[K, Hashable], asyncio.Future[V]] = {}

    async def get(self, key: K, make: Callable[[], Awaitable[V]], *, way: Hashable = None) -> V:
        """What there is for a key, made by `make` where there is nothing.

        Of those who ask at the same time, by the same way, one makes it and the others get what becomes of it, an
        error too. When that one is cancelled, the next one makes it itself.
        """
        while True:
            made = self._made.get(key)
            if made is not None:
                return made
            running = self._running.get((key, way))
            if running is None:
                return await self._lead(key, make, way)
            await asyncio.wait([running])
            if not running.cancelled():
                return running.result()

    def forget(self, key: K) -> None:
        self._made.pop(key, None)

    async def _lead(self, key: K, make: Callable[[], Awaitable[V]], way: Hashable) -> V:
        outcome: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._running[key, way] = outcome
        try:
            made = await make()
        except Exception as error:
            outcome.set_exception(error)
            # Read once, since nobody else may be waiting for it.
            outcome.exception()
            raise
        else:
            self._made[key] = made
            outcome.set_result(made)
            return made
        finally:
            del self._running[key, way]
            outcome.cancel()


async def all_of(calls: Sequence[Coroutine[Any, Any, V]]) -> list[V]:
    """What they give, in their order. The first failure is raised, and ends the others before it is."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
