"""A clock that tests move by hand."""


class TestClock:
    """Starts at a fixed time. `sleep` returns at once and moves the time on."""

    __test__ = False

    def __init__(self, now: float = 1_757_737_934.0) -> None:
        self._now = now
        self.slept: list[float] = []

    def now(self) -> float:
        return self._now

    def move(self, seconds: float) -> None:
        self._now += seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._now += seconds
