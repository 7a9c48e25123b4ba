"""Model discovery: the models that each account can use now, listed by its upstream, else from the provider's table.

A live list is cached for an hour for each account, refreshed in the background, and served stale while the upstream is
unavailable. An account whose list is not read yet uses that of another account of the same site. The first account of
a site waits up to WAIT_SECONDS for its list, then uses the table.

A proxy can forge the response of a site with plain HTTP, and callers may choose their proxies. A list that was read
through a proxy is therefore shared only with accounts behind that proxy; one that was read directly, with all.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from cachetools import LRUCache

from gateway.core.background_tasks import Background
from gateway.core.clock import Clock
from gateway.core.logs import GATEWAY
from gateway.core.segmented_lru import SegmentedLRU
from gateway.core.upstream_call import UpstreamCall
from providers.contract.accounts import Account, Proxy
from providers.contract.errors import ProviderError
from providers.contract.upstream import Upstream

FRESH_SECONDS = 3600.0
RETRY_SECONDS = 300.0
"""Interval after a failed call."""
REFRESH_SECONDS = 10.0
"""Minimum interval of the calls that rejected submits cause: not every submit of a missing model makes one."""
WAIT_SECONDS = 3.0
"""Time that a request waits for the first list of a site."""
_CACHED_ACCOUNTS, _CACHED_UNKNOWN_ACCOUNTS = 4096, 512
"""Accounts whose credential was accepted, and others."""
_CACHED_SITES = 1024
_CONCURRENT_CALLS = 4
"""Concurrent calls to one site through one proxy: a proxy that hangs does not block other calls."""
_MAX_PENDING = 200
"""Limit of running and queued calls to one site through one proxy, since callers may send any number of credentials.
Further lists are read at a later request."""


class Model(Protocol):
    """A model of a list: of videos, or a language model."""

    @property
    def name(self) -> str: ...


M = TypeVar("M", bound=Model)

ModelList = Callable[[Account], Awaitable[Sequence[M]]]
"""Reads the models that an account's site lists now. Raises ProviderError."""


class ModelIndex(Generic[M]):
    """The models of one account or site, by name, key and title.

    `live` is True for models that the upstream listed, False for those of the table.
    """

    def __init__(self, cards: Sequence[M], *, live: bool) -> None:
        self.cards = tuple({card.name: card for card in cards}.values())
        self.live = live
        self._by_name: dict[str, M] = {}
        for kind in ("name", "key", "title"):
            for card in self.cards:
                if name := fold_name(getattr(card, kind, "")):
                    self._by_name.setdefault(name, card)

    def get(self, name: str) -> M | None:
        """The card of a model by its public name, the upstream's key or the upstream's title, in any case."""
        return self._by_name.get(fold_name(name))

    def __iter__(self) -> Iterator[M]:
        return iter(self.cards)


def fold_name(name: str) -> str:
    """A name of a model as it is compared: without regard to case and extra spaces."""
    return " ".join(name.split()).casefold()


@dataclass(slots=True)
class _Entry(Generic[M]):
    """The list of one account. `tried_at` is the time of the last call, `refreshed_at` that of the last one that a
    rejected submit caused; in monotonic seconds, None for never. `proxy` is the one through which the list was read."""

    index: ModelIndex[M] | None = None
    proxy: Proxy | None = field(default=None, repr=False)
    tried_at: float | None = None
    refreshed_at: float | None = None
    failed: bool = False
    reading: "asyncio.Task[None] | None" = None


@dataclass(slots=True)
class _SiteModels(Generic[M]):
    """A site as seen through one proxy, with its last list. `waited` is True once a request has waited for the first
    list."""

    index: ModelIndex[M] | None = None
    waited: bool = False
    pending: int = 0
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_CONCURRENT_CALLS))


class Discovery(Generic[M]):
    """Model lists of accounts."""

    def __init__(
        self,
        clock: Clock,
        background: Background,
        list_of: Callable[[Upstream], ModelList[M] | None],
        is_known: Callable[[str], bool] = lambda account_id: True,
    ) -> None:
        """`list_of` returns how a provider's list is read, None where it has none. `is_known` is True for the ids of
        accounts that others do not push out of memory."""
        self._clock = clock
        self._background = background
        self._list_of = list_of
        self._is_known = is_known
        self._entries: SegmentedLRU[tuple[str, str], _Entry[M]] = SegmentedLRU(
            _CACHED_ACCOUNTS, _CACHED_UNKNOWN_ACCOUNTS, lambda key, _: is_known(key[0])
        )
        self._sites: LRUCache[tuple[str, str, Proxy | None], _SiteModels[M]] = LRUCache(_CACHED_SITES)

    async def models(self, provider: Upstream, account: Account) -> ModelIndex[M] | None:
        """The live list of an account; None where the table applies. Never raises; waits only once for each site."""
        read = self._list_of(provider)
        if read is None:
            return None
        now = self._clock.monotonic()
        entry = self._entry(account)
        pause = RETRY_SECONDS if entry.failed else FRESH_SECONDS
        if entry.reading is None and (entry.tried_at is None or now - entry.tried_at >= pause):
            self._read(read, account, entry)
        site = self._site(account)
        known = entry.index or self._shared(account)
        if known is None and entry.reading is not None and not site.waited:
            await asyncio.wait([entry.reading], timeout=WAIT_SECONDS)
            site.waited = True
            known = entry.index or self._shared(account)
        return known

    async def refresh(self, provider: Upstream, account: Account) -> None:
        """Read the list of an account again, since the upstream has just contradicted it. A call that is already
        running does not count."""
        read = self._list_of(provider)
        if read is None:
            return
        entry = self._entry(account)
        self.invalidate(account)
        for _ in range(2):
            if entry.reading is None and entry.tried_at is None:
                self._read(read, account, entry)
            if entry.reading is not None:
                await asyncio.wait([entry.reading], timeout=WAIT_SECONDS)

    def invalidate(self, account: Account) -> None:
        """Have the list of an account read again at its next use, without waiting."""
        entry, now = self._entry(account), self._clock.monotonic()
        if entry.refreshed_at is None or now - entry.refreshed_at >= REFRESH_SECONDS:
            entry.refreshed_at, entry.tried_at = now, None

    def expire(self) -> None:
        """Have every list read again at its next use, and serve the old one meanwhile: hosts may have changed."""
        for site in self._sites.values():
            site.waited = False
        for entry in self._entries.values():
            entry.tried_at = None

    def _site(self, account: Account, *, direct: bool = False) -> _SiteModels[M]:
        """The site of an account, through the account's proxy or directly."""
        key = (account.provider, account.region, None if direct else account.proxy)
        site = self._sites.get(key)
        if site is None:
            site = self._sites[key] = _SiteModels()
        return site

    def _shared(self, account: Account) -> ModelIndex[M] | None:
        """The last list of the site, from any account."""
        return self._site(account).index or self._site(account, direct=True).index

    def _entry(self, account: Account) -> _Entry[M]:
        # A named account that moves to another site has the same key, but another list.
        key = account.id, account.region
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry()
        return entry

    def _read(self, read: ModelList[M], account: Account, entry: _Entry[M]) -> None:
        site = self._site(account)
        if site.pending >= _MAX_PENDING:
            return
        site.pending += 1
        entry.tried_at = self._clock.monotonic()
        entry.reading = self._background.start(self._discover(read, account, entry, site))

    async def _discover(self, read: ModelList[M], account: Account, entry: _Entry[M], site: _SiteModels[M]) -> None:
        try:
            async with site.turns:
                with UpstreamCall(account, "discover", shared=True):
                    models = await read(account)
                index = ModelIndex(models, live=True)
        except ProviderError as error:
            if not entry.failed:
                # An unknown account may be anybody's: its caller is told when it submits.
                GATEWAY.log(
                    logging.INFO if self._is_known(account.id) else logging.DEBUG,
                    "%s: cannot read the model list of %s (%s); %s",
                    account.provider,
                    account.label,
                    account.redact(str(error))[:200],
                    "using the previous list" if entry.index else "using the built-in list",
                )
            entry.failed = True
        else:
            # Accounts of one site mostly have the same list. They share one object, and a change for one is a change
            # for all; a list read through a proxy changes only those behind that proxy.
            shared, before = self._shared(account), entry.index
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
