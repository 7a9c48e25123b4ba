"""Owner lookup: which of several credentials an upstream id belongs to. Each account is queried once, and the owner is
cached. Concurrent lookups of an id share one search (single flight).

Only older clients need it, which send several credentials and upstream ids. A signed id names its account. The queries
are those of polls: batched, and sent when the rate limit of the account allows. That limits no caller that sends many
credentials, each with a rate of its own: MAX_CALLS does.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from enum import Enum

from cachetools import LRUCache, TTLCache

from gateway.accounts.callers import Caller
from gateway.core.background_tasks import Background
from gateway.core.clock import Clock
from gateway.polling.poller import Poller
from gateway.polling.task_cache import GRACE_SECONDS, NEVER, Observation
from providers.contract.accounts import Account
from providers.contract.errors import Blame, ErrorKind, ProviderError
from providers.contract.provider import Provider

MAX_CACHED_OWNERS = 50_000
OWNER_SECONDS = 24 * 3600.0
NOBODY_SECONDS = 60.0
"""TTL of a negative result: none of the caller's accounts knows the task."""

MAX_CALLS = 200
"""Limit of the upstream calls of all searches of one caller within QUOTA_SECONDS."""
MAX_UNKNOWN_CALLS = 2000
"""Limit of those of all callers to accounts that are not known: a client may make up any number of credentials."""
QUOTA_SECONDS = 10.0
SEARCH_SECONDS = 10.0
"""After this time a search begins no further queries."""

_MAX_CACHED_QUOTAS = 10_000
_CONCURRENT_BATCHES = 5
_CONCURRENT_ACCOUNTS = 5


class UnknownOwner(Enum):
    """Why no account is known to own a task."""

    NOBODY = "nobody"
    """None of the caller's accounts knows the task."""
    TOO_NEW = "too new"
    """The task may be too new for its account to list it."""
    NOT_ASKED = "not asked"
    """The limits of a search were reached before the accounts were queried for it."""


Owner = Account | ProviderError | UnknownOwner
"""The owner of a task, or the error of an account whose query failed where no other account knows the task."""

_Key = tuple[str, str, str]


class OwnerLookup:
    """Finds the owners of upstream ids. The cache holds tags and ids, no credentials."""

    def __init__(
        self,
        clock: Clock,
        poller: Poller,
        background: Background,
        is_known: Callable[[str], bool] = lambda account_id: True,
    ) -> None:
        """`is_known` is True for the ids of accounts whose credential their upstream has accepted."""
        self._is_known = is_known
        self._clock = clock
        self._poller = poller
        self._background = background
        self._owners: TTLCache[tuple[str, str], str] = TTLCache(MAX_CACHED_OWNERS, OWNER_SECONDS, timer=clock.monotonic)
        self._ownerless: TTLCache[_Key, None] = TTLCache(MAX_CACHED_OWNERS, NOBODY_SECONDS, timer=clock.monotonic)
        self._searches: dict[_Key, asyncio.Future[Owner]] = {}
        self._quotas: LRUCache[str, _Quota] = LRUCache(_MAX_CACHED_QUOTAS)
        self._unknown_quota = _Quota(MAX_UNKNOWN_CALLS, clock)

    async def find(self, caller: Caller, provider: Provider, ids: Sequence[str]) -> dict[str, Owner]:
        """Find the owner of each id among the caller's accounts, at least one. Concurrent calls share one search."""
        found: dict[str, Owner] = {}
        searches: dict[str, asyncio.Future[Owner]] = {}
        new: list[str] = []
        for id in dict.fromkeys(ids):
            key = (provider.name, caller.identity, id)
            owner_id = self._owners.get((provider.name, id))
            owner = next((account for account in caller.accounts if account.id == owner_id), None)
            if owner is not None:
                found[id] = owner
            elif key in self._ownerless:
                found[id] = UnknownOwner.NOBODY
            else:
                if key not in self._searches:
                    self._searches[key] = asyncio.get_running_loop().create_future()
                    new.append(id)
                searches[id] = self._searches[key]
        if new:
            self._background.start(self._search(caller, provider, new))
        for id, search in searches.items():
            found[id] = await asyncio.shield(search)
        return found

    async def _search(self, caller: Caller, provider: Provider, ids: Sequence[str]) -> None:
        owners: Mapping[str, Owner] = {}
        accounts = caller.accounts_of(provider.name)
        try:
            owners = await self._query_all(accounts, provider, ids, self._calls_of(caller, accounts))
        finally:
            for id in ids:
                owner = owners.get(id, ProviderError(ErrorKind.UPSTREAM_ERROR))
                if isinstance(owner, Account):
                    self._owners[provider.name, id] = owner.id
                elif owner is UnknownOwner.NOBODY:
                    self._ownerless[provider.name, caller.identity, id] = None
                self._searches.pop((provider.name, caller.identity, id)).set_result(owner)

    def _calls_of(self, caller: Caller, accounts: Sequence[Account]) -> "_Calls":
        own = self._quotas.get(caller.identity)
        if own is None:
            own = self._quotas[caller.identity] = _Quota(MAX_CALLS, self._clock)
        return _Calls(own, self._unknown_quota, {one.id for one in accounts if not self._is_known(one.id)})

    async def _query_all(
        self, accounts: Sequence[Account], provider: Provider, ids: Sequence[str], calls: "_Calls"
    ) -> dict[str, Owner]:
        """The owners of the ids, in batches that every account is queried for. NOT_ASKED for those of batches that
        exceed the limits."""
        owners: dict[str, Owner] = dict.fromkeys(ids, UnknownOwner.NOT_ASKED)
        batches, began = _batches(ids, provider.query_batch), self._clock.monotonic()

        async def work() -> None:
            while self._clock.monotonic() - began < SEARCH_SECONDS and calls.reserve(accounts):
                unsent = accounts
                try:
                    batch = next(batches, None)
                    if batch is None:
                        return
                    answers = dict[Account, Mapping[str, Observation | ProviderError]]()
                    for start in range(0, len(accounts), _CONCURRENT_ACCOUNTS):
                        asked = accounts[start : start + _CONCURRENT_ACCOUNTS]
                        unsent = unsent[len(asked) :]
                        answers |= await self._query(provider, asked, batch)
                        if all(any(_is_owner(found[id]) for found in answers.values()) for id in batch):
                            break
                finally:
                    calls.release(unsent)
                owners.update((id, self._conclude(provider, id, answers)) for id in batch)

        await asyncio.gather(*(work() for _ in range(_CONCURRENT_BATCHES)))
        return owners

    async def _query(
        self, provider: Provider, accounts: Sequence[Account], ids: Sequence[str]
    ) -> dict[Account, Mapping[str, Observation | ProviderError]]:
        """What each account shows of the tasks. The query of a task without a cached state waits for its turn."""
        cards = dict.fromkeys(ids)
        queries = (self._poller.observe(provider, one, cards, submitted_at={}) for one in accounts)
        return dict(zip(accounts, await asyncio.gather(*queries), strict=True))

    def _conclude(
        self, provider: Provider, id: str, answers: Mapping[Account, Mapping[str, Observation | ProviderError]]
    ) -> Owner:
        errors: list[ProviderError] = []
        for account, found in answers.items():
            answer = found[id]
            if _is_owner(answer):
                return account
            error = answer.query_error if isinstance(answer, Observation) else answer
            if error is not None and error.kind is not ErrorKind.TASK_NOT_FOUND:
                errors.append(error)
        uncertain = [error for error in errors if error.kind.blame is not Blame.ACCOUNT or _is_transient(error)]
        if uncertain:
            return uncertain[0]
        if len(errors) == len(answers):
            return errors[0]
        submitted_at = provider.submitted_at(id)
        new = submitted_at is not None and 0 <= self._clock.now() - submitted_at < GRACE_SECONDS
        return UnknownOwner.TOO_NEW if new else UnknownOwner.NOBODY


class _Quota:
    """A number of calls within QUOTA_SECONDS: what is used comes back evenly."""

    def __init__(self, size: int, clock: Clock) -> None:
        self._size = size
        self._clock = clock
        self._left = float(size)
        self._at = clock.monotonic()

    @property
    def left(self) -> float:
        now = self._clock.monotonic()
        self._left = min(self._size, self._left + (now - self._at) * self._size / QUOTA_SECONDS)
        self._at = now
        return self._left

    def use(self, calls: int) -> None:
        """Use calls, or give them back where the number is negative."""
        self._left -= calls


class _Calls:
    """The upstream calls of one search: they are in the quota of the caller, those to unknown accounts also in that of
    all callers."""

    def __init__(self, own: _Quota, unknown: _Quota, unknown_ids: Set[str]) -> None:
        self._own = own
        self._unknown = unknown
        self._unknown_ids = unknown_ids

    def reserve(self, accounts: Sequence[Account]) -> bool:
        """Reserve a call to each account. False where that would exceed a quota."""
        unknown = self._count_unknown(accounts)
        if self._own.left < len(accounts) or (unknown and self._unknown.left < unknown):
            return False
        self._own.use(len(accounts))
        self._unknown.use(unknown)
        return True

    def release(self, accounts: Sequence[Account]) -> None:
        """Give back reserved calls that were not sent."""
        self._own.use(-len(accounts))
        self._unknown.use(-self._count_unknown(accounts))

    def _count_unknown(self, accounts: Sequence[Account]) -> int:
        return sum(account.id in self._unknown_ids for account in accounts)


def _batches(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def _is_owner(answer: Observation | ProviderError) -> bool:
    """True where the account has shown the task, or it was submitted with it."""
    return isinstance(answer, Observation) and (answer.observed_at != NEVER or answer.query_error is None)


def _is_transient(error: ProviderError) -> bool:
    """False for other account errors: they persist, so the account counts as one that does not know the task."""
    return error.kind is ErrorKind.RATE_LIMITED
