"""The clock as an object, so that tests need not sleep."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    def now(self) -> float:
        """Unix seconds, UTC: for what is shown, or compared with a time of an upstream. It may step in both
        directions."""

    def monotonic(self) -> float:
        """Seconds that never step: for intervals, deadlines and TTLs in this process."""

    async def sleep(self, seconds: float) -> None: ...

    def later(self, seconds: float, call: Callable[[], object]) -> Timer:
        """Call a function from the event loop after `seconds`."""


class SystemClock:
    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def later(self, seconds: float, call: Callable[[], object]) -> Timer:
        return asyncio.get_running_loop().call_later(seconds, call)
