"""Segmented LRU cache: entries of unknown owners are evicted before those of known ones."""

from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

from cachetools import LRUCache

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SegmentedLRU(Generic[K, V]):
    """LRU cache of two segments. A new entry is in the probationary one. If it is known when it is read or would be
    evicted, it moves to the protected one: any number of unknown entries cannot push out known ones.

    `is_known` gets a key and its value. `protected` and `probationary` are the numbers of entries.
    """

    def __init__(self, protected: int, probationary: int, is_known: Callable[[K, V], bool]) -> None:
        self._is_known = is_known
        self._protected: LRUCache[K, V] = LRUCache(protected)
        self._probationary: LRUCache[K, V] = LRUCache(probationary)

    def get(self, key: K) -> V | None:
        value = self._protected.get(key)
        if value is None:
            value = self._probationary.get(key)
            if value is not None and self._is_known(key, value):
                del self._probationary[key]
                self._protected[key] = value
        return value

    def __setitem__(self, key: K, value: V) -> None:
        if key in self._protected:
            self._protected[key] = value
            return
        if key not in self._probationary and len(self._probationary) >= self._probationary.maxsize:
            oldest, other = self._probationary.popitem()
            if self._is_known(oldest, other):
                self._protected[oldest] = other
        self._probationary[key] = value

    def pop(self, key: K) -> V | None:
        """Remove an entry and return its value, None where there is none."""
        value = self._protected.pop(key, None)
        return value if value is not None else self._probationary.pop(key, None)

    def __contains__(self, key: object) -> bool:
        return key in self._protected or key in self._probationary

    def __len__(self) -> int:
        return len(self._protected) + len(self._probationary)

    def items(self) -> Iterator[tuple[K, V]]:
        yield from self._protected.items()
        yield from self._probationary.items()

    def values(self) -> Iterator[V]:
        return (value for _, value in self.items())
