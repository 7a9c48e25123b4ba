"""Response cache of encoded poll responses, with a TTL of at most a quarter of a second.

A cached status is never older than the configured freshness.
"""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import NamedTuple

from gateway.limits.key_usage import KeyUsage

CACHED_SECONDS = 0.25
MAX_RESPONSES = 4096
MAX_KEY_CHARACTERS = 4096
"""A response whose key is longer is not cached: a client writes most of a key."""


class PollResponse(NamedTuple):
    """A response (200) that is ready to be sent. `caller` is the caller's name in the access log. `usage` is that of a
    key whose requests are counted, else None."""

    headers: list[tuple[bytes, bytes]]
    body: bytes
    caller: str
    usage: KeyUsage | None = None


@dataclass(slots=True)
class _Entry:
    until: float
    response: PollResponse


class ResponseCache:
    """Poll responses by cache key. Each configuration has its own cache, initially empty."""

    def __init__(self, timer: Callable[[], float] = time.perf_counter) -> None:
        """`timer` gives seconds."""
        self._timer = timer
        self._entries: dict[Hashable, _Entry] = {}
        self.generation = 0
        """Incremented by `clear`. A response computed in an earlier generation is not cached."""

    def get(self, key: Hashable) -> PollResponse | None:
        entry = self._entries.get(key)
        return entry.response if entry is not None and entry.until > self._timer() else None

    def put(self, key: Hashable, response: PollResponse, seconds: float, generation: int) -> None:
        """Cache a response for at most `seconds`, and at most CACHED_SECONDS. `generation` is that in which
        the status was read."""
        if generation != self.generation:
            return
        now = self._timer()
        if len(self._entries) >= MAX_RESPONSES:
            self._entries = {key: entry for key, entry in self._entries.items() if entry.until > now}
        if len(self._entries) < MAX_RESPONSES:
            self._entries[key] = _Entry(now + min(seconds, CACHED_SECONDS), response)

    def clear(self) -> None:
        """Invalidate every response, after a task has changed."""
        self.generation += 1
        self._entries.clear()
