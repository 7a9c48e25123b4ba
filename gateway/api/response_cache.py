"""A short cache of encoded poll responses: for a quarter of a second the same poll gets the same bytes.

No progress moves in less, and what a response says is not older for it than the freshness of the configuration allows.
"""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import NamedTuple

CACHED_SECONDS = 0.25
MAX_RESPONSES = 4096


class PollResponse(NamedTuple):
    """A response (200) that is ready to be sent. `caller` is the name of its caller in the log."""

    headers: list[tuple[bytes, bytes]]
    body: bytes
    caller: str


@dataclass(slots=True)
class _Entry:
    until: float
    response: PollResponse


class ResponseCache:
    """The responses of the last moments, by what they depend on. One configuration has one: a new one starts empty."""

    def __init__(self, timer: Callable[[], float] = time.perf_counter) -> None:
        """`timer` gives seconds."""
        self._timer = timer
        self._entries: dict[Hashable, _Entry] = {}
        self.generation = 0
        """Rises with each `clear`. What was begun in an earlier one is not cached."""

    def get(self, key: Hashable) -> PollResponse | None:
        entry = self._entries.get(key)
        return entry.response if entry is not None and entry.until > self._timer() else None

    def put(self, key: Hashable, response: PollResponse, seconds: float, generation: int) -> None:
        """Cache a response for at most `seconds`, and at most CACHED_SECONDS. `generation` is the one in which the
        task was looked at."""
        if generation != self.generation:
            return
        if len(self._entries) >= MAX_RESPONSES:
            self._entries.clear()
        self._entries[key] = _Entry(self._timer() + min(seconds, CACHED_SECONDS), response)

    def clear(self) -> None:
        """Forget every response, since a task was changed."""
        self.generation += 1
        self._entries.clear()
