"""Clocks that tests move by hand."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable

_BY_ITSELF = 0.01
"""Seconds. What is to happen so soon happens without anybody moving the clock."""
_MONOTONIC_START = 1000.0


class TestClock:
    """Starts at a fixed time. `sleep` returns at once and moves the time on; what is planned for later happens as the
    time is moved past it. Monotonic time has another origin, so that a test fails where the two are mixed."""

    __test__ = False

    def __init__(self, now: float = 1_757_737_934.0) -> None:
        self._now = now
        self._origin = now - _MONOTONIC_START
        self._planned: list[tuple[float, int, Planned]] = []
        self._numbers = itertools.count()
        self._soon = 0
        self.slept: list[float] = []

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now - self._origin

    def step(self, seconds: float) -> None:
        """Set the wall clock, in either direction: no time passes."""
        self._now += seconds
        self._origin += seconds
        self._planned = [(moment + seconds, number, planned) for moment, number, planned in self._planned]

    def move(self, seconds: float) -> None:
        self._move_to(self._now + seconds)

    def lag(self, seconds: float) -> None:
        """Time passes, and what was planned for it is late, as on a busy loop."""
        self._now += seconds

    def _move_to(self, end: float) -> None:
        while self._planned and self._planned[0][0] <= end:
            moment, _, planned = heapq.heappop(self._planned)
            self._now = max(self._now, moment)
            planned.run()
        self._now = end

    async def run(self, seconds: float) -> None:
        """Move on step by step, so that what happens on the way has its time."""
        end = self._now + seconds
        while True:
            for _ in range(20):
                await asyncio.sleep(0)
            if self._soon:
                continue
            while self._planned and self._planned[0][2].cancelled:
                heapq.heappop(self._planned)
            if not self._planned or self._planned[0][0] > end:
                break
            self._move_to(self._planned[0][0])
        self._now = end

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.move(seconds)

    def later(self, seconds: float, call: Callable[[], object]) -> "Planned":
        planned = Planned(call)
        if seconds <= _BY_ITSELF:
            self._soon += 1
            asyncio.get_running_loop().call_soon(self._pass, seconds, planned)
        else:
            heapq.heappush(self._planned, (self._now + seconds, next(self._numbers), planned))
        return planned

    def _pass(self, seconds: float, planned: "Planned") -> None:
        self._soon -= 1
        if not planned.cancelled:
            self.move(seconds)
            planned.run()


class Planned:
    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def run(self) -> None:
        if not self.cancelled:
            self.cancelled = True
            self._call()


class SandboxClock:
    """The time of a sandbox: the real one, and what a test adds to it. A task with `#seconds=60` goes on when the test
    says so."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds
