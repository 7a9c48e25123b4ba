"""Connection pools by key, a bounded number of them."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    async def aclose(self) -> None: ...


P = TypeVar("P", bound=Closable)
K = TypeVar("K", bound=Hashable)


class PoolLease(Generic[P]):
    """A pool with the number of its calls in flight."""

    __slots__ = ("calls", "pool")

    def __init__(self, pool: P) -> None:
        self.pool = pool
        self.calls = 0


class PoolCache(Generic[K, P]):
    """Keeps the `limit` most recently used pools, and as many of guests, who must not evict the others. An evicted one
    closes as soon as its last call has ended, so that beyond the limits there are only pools in use."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: tuple[dict[K, PoolLease[P]], dict[K, PoolLease[P]]] = ({}, {})
        """The operator's, and those of guests; the most recently used one last, once their number is at the limit."""
        self._evicted: set[PoolLease[P]] = set()
        self._closing: set[asyncio.Future[None]] = set()

    def __len__(self) -> int:
        """The pools that are not closed."""
        return sum(map(len, self._kept)) + len(self._evicted)

    def __contains__(self, key: K) -> bool:
        """True for a key whose pool is kept for further calls."""
        return any(key in kept for kept in self._kept)

    def acquire(self, key: K, make: Callable[[], P], *, guest: bool = False) -> PoolLease[P]:
        """The pool of a key for one call, which ends with `release`. What `make` raises propagates."""
        kept = self._kept[guest]
        lease = kept.get(key)
        if lease is None:
            lease = PoolLease(make())
            if len(kept) == self._limit:
                self._evict(kept.pop(next(iter(kept))))
            kept[key] = lease
        elif len(kept) == self._limit:
            kept[key] = kept.pop(key)
        lease.calls += 1
        return lease

    def release(self, lease: PoolLease[P]) -> None:
        """End a call."""
        lease.calls -= 1
        if not lease.calls and lease in self._evicted:
            self._evicted.remove(lease)
            self._close(lease.pool)

    def evict_all(self) -> None:
        """Give further calls new pools."""
        for kept in self._kept:
            while kept:
                self._evict(kept.popitem()[1])

    async def aclose(self) -> None:
        """Close every pool, those in use too."""
        self.evict_all()
        while self._evicted:
            self._close(self._evicted.pop().pool)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _evict(self, lease: PoolLease[P]) -> None:
        if lease.calls:
            self._evicted.add(lease)
        else:
            self._close(lease.pool)

    def _close(self, pool: P) -> None:
        closing = asyncio.ensure_future(pool.aclose())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
