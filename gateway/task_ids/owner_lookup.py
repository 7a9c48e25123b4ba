"""Owner lookup: which of several credentials an upstream id belongs to. Each account is queried once, and the owner is
cached. Concurrent lookups of an id share one search (single flight).

Only older clients need it, which send several credentials and upstream ids. A signed id names its account.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from enum import Enum

from cachetools import TTLCache

from gateway.accounts.callers import Caller
from gateway.core.background_tasks import Background
from gateway.core.clock import Clock
from gateway.polling.poller import Poller
from gateway.polling.task_cache import GRACE_SECONDS
from providers.contract.accounts import Account
from providers.contract.errors import Blame, ErrorKind, ProviderError
from providers.contract.provider import Provider
from providers.contract.tasks import TaskState

MAX_CACHED_OWNERS = 50_000
OWNER_SECONDS = 24 * 3600.0
NOBODY_SECONDS = 60.0
"""TTL of a negative result: none of the caller's accounts knows the task."""

_CONCURRENT_QUERIES = 5


class UnknownOwner(Enum):
    """Why no account is known to own a task."""

    NOBODY = "nobody"
    """None of the caller's accounts knows the task."""
    TOO_NEW = "too new"
    """The task may be too new for its account to list it."""


Owner = Account | ProviderError | UnknownOwner
"""The owner of a task, or the error of an account whose query failed where no other account knows the task."""

_Key = tuple[str, str, str]


class OwnerLookup:
    """Finds the owners of upstream ids. The cache holds tags and ids, no credentials."""

    def __init__(self, clock: Clock, poller: Poller, background: Background) -> None:
        self._clock = clock
        self._poller = poller
        self._background = background
        self._owners: TTLCache[tuple[str, str], str] = TTLCache(MAX_CACHED_OWNERS, OWNER_SECONDS, timer=clock.monotonic)
        self._ownerless: TTLCache[_Key, None] = TTLCache(MAX_CACHED_OWNERS, NOBODY_SECONDS, timer=clock.monotonic)
        self._searches: dict[_Key, asyncio.Future[Owner]] = {}

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
        try:
            owners = await self._query_all(caller.accounts_of(provider.name), provider, ids)
        finally:
            for id in ids:
                owner = owners.get(id, ProviderError(ErrorKind.UPSTREAM_ERROR))
                if isinstance(owner, Account):
                    self._owners[provider.name, id] = owner.id
                elif owner is UnknownOwner.NOBODY:
                    self._ownerless[provider.name, caller.identity, id] = None
                self._searches.pop((provider.name, caller.identity, id)).set_result(owner)

    async def _query_all(self, accounts: Sequence[Account], provider: Provider, ids: Sequence[str]) -> dict[str, Owner]:
        turns = asyncio.Semaphore(_CONCURRENT_QUERIES)

        async def query(account: Account) -> Mapping[str, TaskState | ProviderError]:
            async with turns:
                return await self._query(provider, account, ids)

        results = dict(zip(accounts, await asyncio.gather(*map(query, accounts)), strict=True))
        return {
            id: self._conclude(provider, id, {account: answers.get(id) for account, answers in results.items()})
            for id in ids
        }

    async def _query(
        self, provider: Provider, account: Account, ids: Sequence[str]
    ) -> Mapping[str, TaskState | ProviderError]:
        self._poller.acquire(provider, account, math.ceil(len(ids) / provider.query_batch))
        sent_at = self._clock.monotonic()
        answers: Mapping[str, TaskState | ProviderError]
        try:
            answers = await provider.query(ids, account)
        except ProviderError as error:
            answers = dict.fromkeys(ids, error)
        # Cache the states, so that the poll needs no second query.
        self._poller.on_results(account, answers, sent_at)
        return answers

    def _conclude(
        self, provider: Provider, id: str, results: Mapping[Account, TaskState | ProviderError | None]
    ) -> Owner:
        errors: list[ProviderError] = []
        for account, answer in results.items():
            if isinstance(answer, TaskState):
                return account
            if answer is not None and answer.kind is not ErrorKind.TASK_NOT_FOUND:
                errors.append(answer)
        uncertain = [error for error in errors if error.kind.blame is not Blame.ACCOUNT or _is_transient(error)]
        if uncertain:
            return uncertain[0]
        if len(errors) == len(results):
            return errors[0]
        submitted_at = provider.submitted_at(id)
        new = submitted_at is not None and 0 <= self._clock.now() - submitted_at < GRACE_SECONDS
        return UnknownOwner.TOO_NEW if new else UnknownOwner.NOBODY


def _is_transient(error: ProviderError) -> bool:
    """False for other account errors: they persist, so the account counts as one that does not know the task."""
    return error.kind is ErrorKind.RATE_LIMITED
