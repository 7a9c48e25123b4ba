"""The models that each account can use now: read live from upstreams that tell them, else from the provider's table.

A live list is cached for an hour for each account, refreshed in the background, and kept (stale) while the upstream
cannot be asked. An account whose list is not read yet is served with that of another account of the same site; the
first account of a site waits for its list a moment, and gets the table where none comes.

A proxy may answer for a site whose address is plain HTTP, and callers bring proxies of their own. A list that was read
through a proxy is therefore lent only to accounts behind that proxy; one that was read without any, to all.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cachetools import LRUCache

from gateway.core import metrics
from gateway.core.background_tasks import Background
from gateway.core.clock import Clock
from gateway.core.logs import GATEWAY
from providers.contract.accounts import Account
from providers.contract.errors import ProviderError
from providers.contract.models import ModelCard
from providers.contract.provider import CanDiscover, Provider

FRESH_SECONDS = 3600.0
RETRY_SECONDS = 300.0
"""After a call that failed, until the next one."""
REFRESH_SECONDS = 10.0
"""Between two calls that a refused submit asked for: submits of a model that is gone must not call each time."""
WAIT_SECONDS = 3.0
"""A request waits so long for the first list of a site."""
_CACHED_ACCOUNTS = 4096
_CACHED_WAYS = 1024
_CALLS_AT_ONCE = 4
"""To one site by one way: a proxy that hangs holds up nobody else's calls."""
_MOST_PENDING = 200
"""Calls to one site by one way that run or wait their turn. Callers bring any number of credentials: what is beyond is
read at a later request, and has the site's list or the table until then."""


class ModelIndex:
    """The models of one account or site, by every name that they answer to.

    `live` says that the upstream listed them; else they are those of the table.
    """

    def __init__(self, cards: Sequence[ModelCard], *, live: bool) -> None:
        self.cards = tuple({card.name: card for card in cards}.values())
        self.live = live
        self._by_name: dict[str, ModelCard] = {}
        for kind in ("name", "key", "title"):
            for card in self.cards:
                if name := _folded(getattr(card, kind)):
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
    submit asked for; in unix seconds, None for never. `proxy` is the way by which the list was read."""

    index: ModelIndex | None = None
    proxy: str | None = field(default=None, repr=False)
    tried_at: float | None = None
    refreshed_at: float | None = None
    failed: bool = False
    reading: "asyncio.Task[None] | None" = None


@dataclass(slots=True)
class _Site:
    """A site as one way leads to it, with the last list that was read there. `waited` says that a request has waited
    for its first one."""

    index: ModelIndex | None = None
    waited: bool = False
    pending: int = 0
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_CALLS_AT_ONCE))


class Discovery:
    """Model lists of accounts."""

    def __init__(self, clock: Clock, background: Background) -> None:
        self._clock = clock
        self._background = background
        self._entries: LRUCache[tuple[str, str], _Entry] = LRUCache(_CACHED_ACCOUNTS)
        self._sites: LRUCache[tuple[str, str, str | None], _Site] = LRUCache(_CACHED_WAYS)

    async def models(self, provider: Provider, account: Account) -> ModelIndex | None:
        """The live list of an account; None where the table counts. It never fails, and waits once for a site."""
        if not isinstance(provider, CanDiscover):
            return None
        now = self._clock.now()
        entry = self._entry(account)
        pause = RETRY_SECONDS if entry.failed else FRESH_SECONDS
        if entry.reading is None and (entry.tried_at is None or now - entry.tried_at >= pause):
            self._read(provider, account, entry)
        site = self._site(account)
        known = entry.index or self._lent(account)
        if known is None and entry.reading is not None and not site.waited:
            await asyncio.wait([entry.reading], timeout=WAIT_SECONDS)
            site.waited = True
            known = entry.index or self._lent(account)
        return known

    async def refresh(self, provider: Provider, account: Account) -> None:
        """Read the list of an account anew, since the upstream has just contradicted it. A reading that began before
        does not count."""
        if not isinstance(provider, CanDiscover):
            return
        entry = self._entry(account)
        self.contradicted(account)
        for _ in range(2):
            if entry.reading is None and entry.tried_at is None:
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
        for site in self._sites.values():
            site.waited = False
        for entry in self._entries.values():
            entry.tried_at = None

    def _site(self, account: Account, *, direct: bool = False) -> _Site:
        """The account's site by the account's way, or without a proxy."""
        way = (account.provider, account.region, None if direct else account.proxy)
        site = self._sites.get(way)
        if site is None:
            site = self._sites[way] = _Site()
        return site

    def _lent(self, account: Account) -> ModelIndex | None:
        """The list of another account of the site."""
        return self._site(account).index or self._site(account, direct=True).index

    def _entry(self, account: Account) -> _Entry:
        # A named account keeps its key when it moves to another site, and has another list there.
        key = account.id, account.region
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry()
        return entry

    def _read(self, provider: CanDiscover, account: Account, entry: _Entry) -> None:
        site = self._site(account)
        if site.pending >= _MOST_PENDING:
            return
        site.pending += 1
        entry.tried_at = self._clock.now()
        entry.reading = self._background.start(self._discover(provider, account, entry, site))

    async def _discover(self, provider: CanDiscover, account: Account, entry: _Entry, site: _Site) -> None:
        began, outcome = time.perf_counter(), "ok"
        try:
            async with site.turns:
                index = ModelIndex(await provider.discover(account), live=True)
        except ProviderError as error:
            outcome = error.kind.value
            if not entry.failed:
                GATEWAY.info(
                    "%s: cannot read the model list of %s (%s); %s",
                    account.provider,
                    account.label,
                    account.redact(str(error))[:200],
                    "using the previous list" if entry.index else "using the built-in list",
                )
            entry.failed = True
        else:
            # Accounts of one site mostly have the same list: they share it, and what changes for one does for all,
            # but for what a proxy says: that counts for those behind it.
            shared, before = self._lent(account), entry.index
            entry.index = shared if shared is not None and shared.cards == index.cards else index
            entry.proxy = account.proxy
            for other in self._entries.values() if before is not None and before is not entry.index else ():
                if other.index is before and account.proxy in (None, other.proxy):
                    other.index = entry.index
            site.index = entry.index
            entry.failed = False
        finally:
            entry.reading = None
            site.pending -= 1
            metrics.observe_call(account.provider, "discover", outcome, time.perf_counter() - began)
