"""The clock as an object, so that tests need not sleep."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    def now(self) -> float:
        """Unix seconds, UTC."""

    async def sleep(self, seconds: float) -> None: ...

    def later(self, seconds: float, call: Callable[[], object]) -> Timer:
        """Call a function from the event loop after `seconds`."""


class SystemClock:
    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def later(self, seconds: float, call: Callable[[], object]) -> Timer:
        return asyncio.get_running_loop().call_later(seconds, call)
