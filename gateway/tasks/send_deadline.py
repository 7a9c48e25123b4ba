"""Send deadline: the time after which a submit is not sent any more, whatever it waited for."""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress

from gateway.core.clock import Clock

SEND_WITHIN = 30.0
"""Seconds after which a submit is neither sent nor resent, nor sent to another account: clients and their proxies time
out after 60 to 90 s, and would pay for a video of which they get no id."""


class SendDeadline:
    """The deadline of one submit, SEND_WITHIN seconds after its creation. Transfers of inputs, which cost nothing, do
    not count."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends_at = clock.monotonic() + SEND_WITHIN

    @property
    def seconds_left(self) -> float:
        """0 once the deadline has passed."""
        return max(0.0, self._ends_at - self._clock.monotonic())

    @property
    def has_passed(self) -> bool:
        return self._clock.monotonic() > self._ends_at

    @contextmanager
    def transfer(self) -> Iterator[None]:
        """The time in this context does not count."""
        began = self._clock.monotonic()
        try:
            yield
        finally:
            self._ends_at += self._clock.monotonic() - began

    async def wait(self, awaitable: Awaitable[object]) -> None:
        """Wait for something until the deadline."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.seconds_left):
                await awaitable
