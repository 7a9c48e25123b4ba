"""The open event streams of a process: how many there may be, and what ends them when the process stops."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.accounts.callers import Caller
from gateway.core.errors import gateway_error


class OpenStreams:
    """Counts the tasks that clients watch against the limits, and knows whom to call when the process begins to
    stop."""

    def __init__(self, limit: int, limit_per_caller: int) -> None:
        """The limits are numbers of watched tasks, in all and of one caller."""
        self._limit = limit
        self._limit_per_caller = limit_per_caller
        self._total = 0
        self._held: Counter[str] = Counter()
        self._at_stop: dict[object, Callable[[], None]] = {}
        self._is_stopping = False

    def count(self, caller: Caller, tasks: int = 1) -> None:
        """Count watched tasks. Raises GatewayError: 429, 503, and 502 where the process stops."""
        if not tasks:
            return
        if self._is_stopping:
            raise gateway_error("stopping")
        if any(self._held[holder] + tasks > self._limit_per_caller for holder in caller.holders):
            raise gateway_error("too_many_watchers", limit=self._limit_per_caller)
        if self._total + tasks > self._limit:
            raise gateway_error("too_many_watchers_in_all")
        self._total += tasks
        for holder in caller.holders:
            self._held[holder] += tasks

    def uncount(self, caller: Caller, tasks: int = 1) -> None:
        """Take back what `count` has counted."""
        self._total -= tasks
        for holder in caller.holders:
            self._held[holder] -= tasks
            if not self._held[holder]:
                del self._held[holder]

    @contextmanager
    def at_stop(self, call: Callable[[], None]) -> Iterator[None]:
        """Inside the block, `call` is called once the process begins to stop; at once where it does so already."""
        key = object()
        self._at_stop[key] = call
        try:
            if self._is_stopping:
                call()
            yield
        finally:
            self._at_stop.pop(key, None)

    @property
    def is_stopping(self) -> bool:
        """True once the process has begun to stop."""
        return self._is_stopping

    def stop(self) -> None:
        """End the streams, since the process begins to stop, and accept no new ones. Idempotent."""
        self._is_stopping = True
        calls, self._at_stop = list(self._at_stop.values()), {}
        for call in calls:
            call()
