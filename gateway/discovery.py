"""The models that each account can use now: read live from upstreams that tell them, else from the provider's table.

A live list is cached for an hour for each account, refreshed in the background, and kept (stale) while the upstream
cannot be asked. An account whose list is not read yet is served with that of another account of the same site; the
first account of a site waits for its list a moment, and gets the table where none comes.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cachetools import LRUCache

from gateway import metrics
from gateway.background import Background
from gateway.clock import Clock
from gateway.logs import GATEWAY
from providers.contract import Account, CanDiscover, ModelCard, Provider, ProviderError

FRESH_SECONDS = 3600.0
RETRY_SECONDS = 300.0
"""After a call that failed, until the next one."""
REFRESH_SECONDS = 10.0
"""Between two calls that a refused submit asked for: submits of a model that is gone must not call each time."""
WAIT_SECONDS = 3.0
"""A request waits so long for the first list of a site."""
_CACHED_ACCOUNTS = 4096
_CALLS_AT_ONCE = 4


class ModelIndex:
    """The models of one account or site, by every name that they answer to.

    `live` says that the upstream listed them; else they are those of the table.
    """

    def __init__(self, cards: Sequence[ModelCard], *, live: bool) -> None:
        self.cards = tuple({card.name: card for card in cards}.values())
        self.live = live
        self._by_name: dict[str, ModelCard] = {}
        for field in ("name", "key", "title"):
            for card in self.cards:
                if name := _folded(getattr(card, field)):
                    self._by_name.setdefault(name, card)

    def get(self, name: str) -> ModelCard | None:
        """The card of a model by its public name, the upstream's key or the upstream's title, in any case."""
        return self._by_name.get(_folded(name))

    def __iter__(self) -> Iterator[ModelCard]:
        return iter(self.cards)


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


@dataclass(slots=True)
class _Entry:
    """What is known of one account's models. `tried_at` is the last call, `refreshed_at` the last one that a refused
    submit asked for; in unix seconds, None for never."""

    index: ModelIndex | None = None
    tried_at: float | None = None
    refreshed_at: float | None = None
    failed: bool = False
    reading: "asyncio.Task[None] | None" = None


class Discovery:
    """Model lists of accounts."""

    def __init__(self, clock: Clock, background: Background) -> None:
        self._clock = clock
        self._background = background
        self._entries: LRUCache[tuple[str, str], _Entry] = LRUCache(_CACHED_ACCOUNTS)
        self._sites: dict[tuple[str, str], ModelIndex] = {}
        self._waited: set[tuple[str, str]] = set()
        # Callers choose the proxies of their own accounts: one that hangs must not hold up those without.
        self._calls: defaultdict[tuple[str, bool], asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(_CALLS_AT_ONCE)
        )

    async def models(self, provider: Provider, account: Account) -> ModelIndex | None:
        """The live list of an account; None where the table counts. It never fails, and waits once for a site."""
        if not isinstance(provider, CanDiscover):
            return None
        now = self._clock.now()
        entry = self._entry(account)
        pause = RETRY_SECONDS if entry.failed else FRESH_SECONDS
        if entry.reading is None and (entry.tried_at is None or now - entry.tried_at >= pause):
            self._read(provider, account, entry)
        known = entry.index or self._sites.get(_site(account))
        if known is None and entry.reading is not None and _site(account) not in self._waited:
            await asyncio.wait([entry.reading], timeout=WAIT_SECONDS)
            self._waited.add(_site(account))
            known = entry.index or self._sites.get(_site(account))
        return known

    async def refresh(self, provider: Provider, account: Account) -> None:
        """Read the list of an account anew, since the upstream has just contradicted it."""
        if not isinstance(provider, CanDiscover):
            return
        entry = self._entry(account)
        now = self._clock.now()
        if entry.reading is None and (entry.refreshed_at is None or now - entry.refreshed_at >= REFRESH_SECONDS):
            entry.refreshed_at = now
            self._read(provider, account, entry)
        if entry.reading is not None:
            await asyncio.wait([entry.reading], timeout=WAIT_SECONDS)

    def contradicted(self, account: Account) -> None:
        """Read the list of an account anew when it is wanted next, as `refresh` does, and wait for nothing."""
        entry, now = self._entry(account), self._clock.now()
        if entry.refreshed_at is None or now - entry.refreshed_at >= REFRESH_SECONDS:
            entry.refreshed_at, entry.tried_at = now, None

    def expire(self) -> None:
        """Read every list anew when it is wanted next, and serve the old one meanwhile: hosts may have changed."""
        self._waited.clear()
        for entry in self._entries.values():
            entry.tried_at = None

    def _entry(self, account: Account) -> _Entry:
        # A named account keeps its key when it moves to another site, and has another list there.
        key = account.key, account.region
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry()
        return entry

    def _read(self, provider: CanDiscover, account: Account, entry: _Entry) -> None:
        entry.tried_at = self._clock.now()
        entry.reading = self._background.start(self._discover(provider, account, entry))

    async def _discover(self, provider: CanDiscover, account: Account, entry: _Entry) -> None:
        began, outcome = time.perf_counter(), "ok"
        try:
            async with self._calls[account.provider, account.proxy is not None]:
                index = ModelIndex(await provider.discover(account), live=True)
        except ProviderError as error:
            outcome = error.kind.value
            if not entry.failed:
                GATEWAY.info(
                    "%s: the model list of %s cannot be read (%s); %s",
                    account.provider,
                    account.label,
                    account.redact(str(error))[:200],
                    "the list read before counts" if entry.index else "the built-in table counts",
                )
            entry.failed = True
        else:
            # Accounts of one site mostly have the same list: they share it.
            shared = self._sites.get(_site(account))
            entry.index = shared if shared is not None and shared.cards == index.cards else index
            self._sites[_site(account)] = entry.index
            entry.failed = False
        finally:
            entry.reading = None
            metrics.observe_call(account.provider, "discover", outcome, time.perf_counter() - began)


def _site(account: Account) -> tuple[str, str]:
    return account.provider, account.region
