"""Fair cache: a TTL cache that many owners share. An owner that adds many entries pushes out its own."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class FairCache(Generic[K, V]):
    """TTL cache of a limited number of entries, each with an owner. Where it is full, the owner with the most entries
    loses its oldest one.

    Owners that are not known have a limit of their own, `unknown_size`: a client may come as any number of them. The
    entries of one that has become known move to the others before they would be evicted. `ttl` is in seconds.
    """

    def __init__(
        self, size: int, unknown_size: int, ttl: float, timer: Callable[[], float], is_known: Callable[[str], bool]
    ) -> None:
        self._ttl = ttl
        self._timer = timer
        self._is_known = is_known
        # The oldest first: the TTL of all is the same.
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()
        self._known: _Shares[K] = _Shares(size)
        self._unknown: _Shares[K] = _Shares(unknown_size)

    def get(self, key: K) -> V | None:
        entry = self._entries.get(key)
        return entry.value if entry is not None and entry.expires_at > self._timer() else None

    def set(self, key: K, value: V, owner: str) -> None:
        """Add an entry, or replace it, with a new TTL."""
        self.pop(key)
        self._drop_expired()
        self._entries[key] = _Entry(value, owner, self._timer() + self._ttl)
        (self._known if self._is_known(owner) else self._unknown).add(owner, key)
        while self._unknown.is_exceeded:
            largest = self._unknown.largest()
            if self._is_known(largest):
                for moved in self._unknown.take(largest):
                    self._known.add(largest, moved)
            else:
                self.pop(self._unknown.oldest_of(largest))
        while self._known.is_exceeded:
            self.pop(self._known.oldest_of(self._known.largest()))

    def pop(self, key: K) -> V | None:
        """Remove an entry and return its value, None where there is none."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        self._known.discard(entry.owner, key)
        self._unknown.discard(entry.owner, key)
        return entry.value

    def _drop_expired(self) -> None:
        now = self._timer()
        while self._entries:
            key, entry = next(iter(self._entries.items()))
            if entry.expires_at > now:
                return
            self.pop(key)

    def __len__(self) -> int:
        return len(self._entries)


class _Entry(NamedTuple, Generic[V]):
    value: V
    owner: str
    expires_at: float


class _Shares(Generic[K]):
    """The keys of each owner, the oldest first. Every call takes constant time, `take` that of the keys it returns."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._keys: dict[str, dict[K, None]] = {}
        self._owners: dict[int, dict[str, None]] = {}
        """The owners by the number of their keys."""
        self._most = 0
        self._total = 0

    @property
    def is_exceeded(self) -> bool:
        return self._total > self._size

    def largest(self) -> str:
        """The owner with the most keys, of several the one that has had as many for the longest time."""
        return next(iter(self._owners[self._most]))

    def oldest_of(self, owner: str) -> K:
        return next(iter(self._keys[owner]))

    def add(self, owner: str, key: K) -> None:
        keys = self._keys.setdefault(owner, {})
        keys[key] = None
        self._count(owner, len(keys) - 1, len(keys))

    def discard(self, owner: str, key: K) -> None:
        keys = self._keys.get(owner)
        if keys is None or key not in keys:
            return
        del keys[key]
        self._count(owner, len(keys) + 1, len(keys))
        if not keys:
            del self._keys[owner]

    def take(self, owner: str) -> Iterator[K]:
        """Remove the keys of an owner."""
        for key in list(self._keys[owner]):
            self.discard(owner, key)
            yield key

    def _count(self, owner: str, before: int, after: int) -> None:
        self._total += after - before
        if before:
            self._owners[before].pop(owner)
            if not self._owners[before]:
                del self._owners[before]
        if after:
            self._owners.setdefault(after, {})[owner] = None
        if after > self._most or self._most not in self._owners:
            self._most = after
