"""Proxies that cannot reach the upstream, for a while after each failure."""

from collections.abc import Callable
from typing import Generic, TypeVar

from cachetools import TTLCache

from providers.contract.accounts import Proxy

V = TypeVar("V")

PROXY_PAUSE_SECONDS = 60.0
"""A proxy that failed is used only as a last resort for this long."""

_MAX_FAILED_PROXIES = 1000


class FailedProxies(Generic[V]):
    """Failed proxies with a value each. Callers may name any number of proxies, so those of managed accounts are kept
    apart."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` gives monotonic seconds."""
        self._managed: TTLCache[Proxy, V] = TTLCache(_MAX_FAILED_PROXIES, PROXY_PAUSE_SECONDS, timer=now)
        self._named: TTLCache[Proxy, V] = TTLCache(_MAX_FAILED_PROXIES, PROXY_PAUSE_SECONDS, timer=now)

    def add(self, proxy: Proxy, value: V, *, managed: bool) -> None:
        """Add a proxy, or a later failure of it. `managed` says that a managed account uses it."""
        (self._managed if managed else self._named)[proxy] = value

    def get(self, proxy: Proxy) -> V | None:
        value = self._managed.get(proxy)
        return value if value is not None else self._named.get(proxy)

    def __contains__(self, proxy: object) -> bool:
        return proxy in self._managed or proxy in self._named
