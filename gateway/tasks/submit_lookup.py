"""Submit lookup: finds the submission of an earlier request by its submit key, here or on another replica.

A key has a fixed order of accounts, see `AccountPool.in_rendezvous_order`, and every process sends it to the first that
takes it. So only the first accounts of that order can have it, and an account may be charged once those before it, and
itself, are known not to have it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.accounts.health import AccountState
from gateway.accounts.pool import AccountPool
from gateway.core.clock import Clock
from gateway.core.errors import as_transient, clean, from_provider
from gateway.core.logs import GATEWAY
from gateway.task_ids.submit_keys import SubmitKeys
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.provider import CanFind, Provider
from providers.contract.requests import Submission

LOOKUP_SECONDS = 12.0
"""Time limit of one lookup. It is longer than that of a connection, so that a dead proxy is known as such."""

OTHERS_SECONDS = 2.0
"""Time limit of the lookups on further accounts, once a ready one and those before it have answered."""

LOOKUP_DELAYS = (1.0, 1.0, 2.0, 3.0)
"""Seconds before each lookup of a submit whose response was lost: the upstream's store lags behind the submit."""

RECENT_SECONDS = 1.0
"""A lookup older than this is repeated before a submit is sent."""

_CONCURRENT_LOOKUPS = 8

_Answer = Submission | ProviderError | None


class LookupProvider(Provider, CanFind, Protocol):
    """A provider whose submits can be looked up."""


@dataclass(frozen=True, slots=True)
class LookupResult:
    """The result of a lookup that ended at `at`. `found` is the submission with its account, if one has it. `asked` are
    the accounts that can have it, in the order of the key; `errors` are, by account id, those of accounts that may have
    it and gave no answer."""

    at: float
    asked: Sequence[Account]
    found: tuple[Account, Submission] | None = None
    errors: Mapping[str, ProviderError] = field(default_factory=dict)

    def is_current(self, account: Account, now: float) -> bool:
        """True where the lookup is recent and has asked the account."""
        return now - self.at <= RECENT_SECONDS and any(one.id == account.id for one in self.asked)

    def raise_if_uncertain(self, account: Account) -> None:
        """Raise an error, as transient, where the account or one before it may have the submission."""
        for one in self.asked:
            if one.id in self.errors:
                raise from_provider(as_transient(self.errors[one.id]))
            if one.id == account.id:
                return


class SubmitLookup:
    """Looks up submissions by their submit keys."""

    def __init__(
        self, clock: Clock, pool: AccountPool, acquire: Callable[[Provider, Account], None], *, max_attempts: int
    ) -> None:
        """`acquire` is called for every lookup, since lookups share the rate limit of the status queries."""
        self._clock = clock
        self._pool = pool
        self._acquire = acquire
        self._max_attempts = max_attempts

    async def find(self, provider: LookupProvider, accounts: Sequence[Account], keys: SubmitKeys) -> LookupResult:
        """Look a submission up on those of the accounts, in the order of its key, that can have it.

        An account that cannot be asked is logged. Where its error also rules out a submit, as that of a dead proxy or
        of an account under risk control, it counts as one that does not have the submission, provided that another
        account has answered. Every other error is in the result.
        """
        asked = self._first(accounts, self._max_attempts)
        answers = await self._find_on_all(provider, asked, keys) if asked else {}
        at = self._clock.monotonic()
        for account, answer in answers.items():
            if isinstance(answer, Submission):
                return LookupResult(at, asked, (account, answer))
        one_answered = None in answers.values()
        errors: dict[str, ProviderError] = {}
        for account, answer in answers.items():
            if isinstance(answer, ProviderError):
                self._record_error(account, answer)
                if not _rules_out_submits(account, answer, one_answered):
                    errors[account.id] = answer
        return LookupResult(at, asked, None, errors)

    def _first(self, accounts: Sequence[Account], ready: int) -> list[Account]:
        """The first of the accounts, up to the last of so many that are ready."""
        found = list[Account]()
        for account in accounts:
            if ready == 0:
                break
            found.append(account)
            ready -= self._pool.status(account).state is AccountState.READY
        return found

    async def _find_on_all(
        self, provider: LookupProvider, accounts: Sequence[Account], keys: SubmitKeys
    ) -> dict[Account, _Answer]:
        turns = asyncio.Semaphore(_CONCURRENT_LOOKUPS)

        async def find_on(account: Account) -> _Answer:
            async with turns:
                return await self._find_on(provider, account, keys)

        lookups = {account: asyncio.ensure_future(find_on(account)) for account in accounts}
        try:
            await asyncio.wait([lookups[account] for account in self._first(accounts, 1)], timeout=LOOKUP_SECONDS)
            await asyncio.wait(lookups.values(), timeout=OTHERS_SECONDS)
        finally:
            late = [lookup for lookup in lookups.values() if lookup.cancel()]
            await asyncio.gather(*late, return_exceptions=True)
        return {account: _no_answer() if one.cancelled() else one.result() for account, one in lookups.items()}

    async def _find_on(self, provider: LookupProvider, account: Account, keys: SubmitKeys) -> _Answer:
        try:
            for key in keys.of(account):
                found = await self._find(provider, key, account)
                if found is not None:
                    return found
        except ProviderError as error:
            clean(error, account)
            return error.without_traceback()
        return None

    async def _find(self, provider: LookupProvider, key: str, account: Account) -> Submission | None:
        self._acquire(provider, account)
        return await provider.find(key, account)

    def _record_error(self, account: Account, error: ProviderError) -> None:
        if error.kind is ErrorKind.UNREACHABLE:
            self._pool.proxy_failed(account, error)
        fields = {"account": account.label, "provider": account.provider, "cause": str(error)}
        GATEWAY.info("an account could not be asked for an earlier submit", extra={"fields": fields})

    async def find_lost(
        self, provider: LookupProvider, key: str, account: Account, *, lost: ProviderError
    ) -> Submission | None:
        """The submission of a key whose response was lost, None where the upstream does not know it. Raises `lost`
        where that is uncertain."""
        unknown = False
        for delay in LOOKUP_DELAYS:
            await self._clock.sleep(delay)
            try:
                async with asyncio.timeout(LOOKUP_SECONDS):
                    found = await self._find(provider, key, account)
            except (ProviderError, TimeoutError):
                unknown = False
                continue
            if found is not None:
                return found
            unknown = True
        if not unknown:
            raise lost.without_traceback()
        return None


def _no_answer() -> ProviderError:
    return ProviderError(ErrorKind.ANSWER_LOST, detail="the lookup took too long")


def _rules_out_submits(account: Account, error: ProviderError, other_answered: bool) -> bool:
    """True for the error of an account that takes no submit either, from any process. Where no other account has
    answered, only a rejected credential is one."""
    if error.kind is ErrorKind.INVALID_CREDENTIAL:
        return True
    dead_proxy = error.kind is ErrorKind.UNREACHABLE and account.proxy is not None
    return other_answered and (dead_proxy or error.kind in (ErrorKind.RESTRICTED, ErrorKind.NOT_ENTITLED))
