"""Single flight: concurrent callers of one key share one computation, whose result is cached for a TTL."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from cachetools import TTLCache

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Single-flight cache: results for at most `size` keys, with a TTL of `seconds`. Errors are not cached."""

    def __init__(self, size: int, seconds: float, now: Callable[[], float]) -> None:
        self._cache: TTLCache[K, V] = TTLCache(size, seconds, timer=now)
        self._running: dict[tuple[K, Hashable], asyncio.Future[V]] = {}

    async def get(self, key: K, make: Callable[[], Awaitable[V]], *, route: Hashable = None) -> V:
        """The cached value of a key, or the result of `make`.

        Concurrent callers with the same key and `route` share one call of `make` and its outcome, an error included.
        When the caller that runs it is cancelled, the next one runs `make` itself. Callers with another `route`, such
        as another proxy, run their own.
        """
        while True:
            value = self._cache.get(key)
            if value is not None:
                return value
            running = self._running.get((key, route))
            if running is None:
                return await self._lead(key, make, route)
            await asyncio.wait([running])
            if not running.cancelled():
                try:
                    return running.result()
                finally:
                    # An error's traceback would hold this frame, and the frame the error.
                    del running

    def forget(self, key: K) -> None:
        self._cache.pop(key, None)

    async def _lead(self, key: K, make: Callable[[], Awaitable[V]], route: Hashable) -> V:
        outcome: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._running[key, route] = outcome
        try:
            value = await make()
        except Exception as error:
            outcome.set_exception(error)
            # Read once, since nobody else may be waiting for it.
            outcome.exception()
            raise
        else:
            self._cache[key] = value
            outcome.set_result(value)
            return value
        finally:
            del self._running[key, route]
            outcome.cancel()
            # As in `get`.
            del outcome
