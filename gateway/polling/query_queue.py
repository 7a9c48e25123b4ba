"""Queue of the status queries that wait for their turn: forced refreshes first, then by urgency.

An upstream that takes one id at a time picks one of all that wait, each time: no operation takes longer than O(log n),
amortized.
"""

import heapq
import itertools
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

FORCED_IN_A_ROW = 3
"""Forced refreshes that go first in a row while other queries wait. Then one of those goes out, so that a flood of
forced refreshes does not starve them."""
_MIN_REBUILD = 64
"""A smaller number of outdated heap entries is left alone."""
_IN_NO_HEAP = -1


class Priority(NamedTuple):
    """The urgency of a query at `now` is `(now - since) * weight`. `since` is when its state was answered, in monotonic
    seconds, -inf where there is none. Weights are few: each has a heap, whose order does not change with time."""

    since: float = float("-inf")
    weight: float = 1.0


@dataclass(slots=True, eq=False)
class _Entry(Generic[T]):
    """`number` is that of its heap entry. A heap entry of another number is outdated, and is skipped."""

    id: str
    item: T
    priority: Priority
    number: int = _IN_NO_HEAP


class QueryQueue(Generic[T]):
    """Items by id. Forced ones come in the order in which they were forced, the others by urgency, equal ones in the
    order in which they were added."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, _Entry[T]] = OrderedDict()
        self._forced: OrderedDict[str, None] = OrderedDict()
        self._heaps: dict[float, list[tuple[float, int, _Entry[T]]]] = {}
        self._outdated = 0
        self._numbers = itertools.count()
        self._forced_in_a_row = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, id: str) -> bool:
        return id in self._entries

    def ids(self) -> Iterable[str]:
        """The ids in the order in which they were added."""
        return self._entries

    def get(self, id: str) -> T | None:
        entry = self._entries.get(id)
        return entry.item if entry is not None else None

    def add(self, id: str, item: T, priority: Priority) -> None:
        """Add an item. Its id must not be in the queue."""
        entry = self._entries[id] = _Entry(id, item, priority)
        self._push(entry)

    def force(self, id: str) -> None:
        """Put the item of an id behind the forced ones, before all others."""
        if id not in self._forced:
            self._forced[id] = None
            self._outdate(self._entries[id])

    def unforce(self, id: str) -> None:
        """Put a forced item back among the others."""
        if id in self._forced:
            del self._forced[id]
            self._push(self._entries[id])

    def reprioritize(self, id: str, priority: Priority) -> None:
        """Change the priority of an item, which a forced one has once it is unforced."""
        entry = self._entries[id]
        entry.priority = priority
        if id not in self._forced:
            self._outdate(entry)
            self._push(entry)

    def remove(self, id: str) -> T:
        """Remove the item of an id. Raises KeyError where there is none."""
        return self._drop(id, self._entries.pop(id))

    def pop(self, now: float) -> T:
        """Remove the next item. `now` is in monotonic seconds. Raises KeyError where the queue is empty."""
        if not self._entries:
            raise KeyError("the queue is empty")
        others_wait = len(self._entries) > len(self._forced)
        if self._forced and not (others_wait and self._forced_in_a_row >= FORCED_IN_A_ROW):
            self._forced_in_a_row = self._forced_in_a_row + 1 if others_wait else 0
            id, _ = self._forced.popitem(last=False)
        else:
            self._forced_in_a_row = 0
            id = self._pop_most_urgent(now)
        return self._entries.pop(id).item

    def pop_oldest(self) -> T:
        """Remove the item that was added first. Raises KeyError where the queue is empty."""
        return self._drop(*self._entries.popitem(last=False))

    def _drop(self, id: str, entry: _Entry[T]) -> T:
        if id in self._forced:
            del self._forced[id]
        else:
            self._outdate(entry)
        return entry.item

    def _push(self, entry: _Entry[T]) -> None:
        entry.number = next(self._numbers)
        heapq.heappush(self._heaps.setdefault(entry.priority.weight, []), (entry.priority.since, entry.number, entry))

    def _outdate(self, entry: _Entry[T]) -> None:
        entry.number = _IN_NO_HEAP
        self._outdated += 1
        if self._outdated > max(_MIN_REBUILD, len(self._entries)):
            self._outdated = 0
            for heap in self._heaps.values():
                heap[:] = [one for one in heap if one[2].number == one[1]]
                heapq.heapify(heap)

    def _pop_most_urgent(self, now: float) -> str:
        heads: list[tuple[float, list[tuple[float, int, _Entry[T]]]]] = []
        for weight, heap in self._heaps.items():
            while heap and heap[0][2].number != heap[0][1]:
                heapq.heappop(heap)
                self._outdated -= 1
            if heap:
                heads.append(((now - heap[0][0]) * weight, heap))
        _, heap = max(heads, key=lambda head: head[0])
        return heapq.heappop(heap)[2].id
