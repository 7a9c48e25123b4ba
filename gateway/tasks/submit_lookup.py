"""Submit lookup: finds the submission of an earlier request by its submit key, here or on another replica.

A key has a fixed order of accounts, see `AccountPool.in_rendezvous_order`, and every process sends it to the first that
takes it in its own view. Views differ: one process has paused an account, counts its tasks as too many, or tries fewer
accounts. So the key may be on any account, and all of them are asked, up to MAX_ASKED.

Only some of them must answer: an account is charged once those before it in the order, and itself, are known not to
have the submission. The others have GRACE_SECONDS more than these, so that none of them fails or delays a submit.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol

from gateway.accounts.health import AccountState, counts_on_any_call
from gateway.accounts.pool import AccountPool
from gateway.core.clock import Clock
from gateway.core.errors import as_transient, clean, from_provider
from gateway.task_ids.submit_keys import SubmitKeys
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.provider import CanFind, Provider
from providers.contract.requests import Submission

MAX_ASKED = 32
"""Accounts that one lookup asks: those that the submit may try, however many, then the first in the order of the
key."""

LOOKUP_SECONDS = 12.0
"""Minimum time limit of a lookup on accounts that must answer."""

AFTER_CONNECT_SECONDS = 2.0
"""The time limit is longer than that of a connection by this, so that a dead proxy is known as such."""

RECENT_SECONDS = 1.0
"""A lookup older than this is repeated before a submit is sent."""

GRACE_SECONDS = 0.5
"""Seconds for the other accounts once those that must answer have done so. It is shorter than RECENT_SECONDS, so that
an account that hangs does not make the lookup outdated."""

LOOKUP_DELAYS = (1.0, 1.0, 2.0, 3.0)
"""Seconds before each lookup of a submit whose response was lost: the upstream's store lags behind the submit."""

_Answer = Submission | ProviderError | None


class LookupProvider(Provider, CanFind, Protocol):
    """A provider whose submits can be looked up."""


@dataclass(frozen=True, slots=True)
class LookupResult:
    """The result of a lookup. `found` is the submission with its account, if one has it.

    `asked` are the accounts in the order of the key, `required` the ids of those that had to answer, which they had
    done at `at`. `errors` are, by account id, those of accounts that may have the submission and gave no answer.
    """

    at: float
    asked: Sequence[Account]
    required: AbstractSet[str] = frozenset()
    found: tuple[Account, Submission] | None = None
    errors: Mapping[str, ProviderError] = field(default_factory=dict)

    def is_current(self, account: Account, now: float) -> bool:
        """True where the lookup is recent, and the account and those before it have answered or had the time to."""
        if now - self.at > RECENT_SECONDS:
            return False
        for one in self.asked:
            if one.id in self.errors and one.id not in self.required:
                return False
            if one.id == account.id:
                return True
        return False

    def raise_if_uncertain(self, account: Account) -> None:
        """Raise an error, as transient, where the account or one before it may have the submission."""
        for one in self.asked:
            if one.id in self.errors:
                raise from_provider(as_transient(self.errors[one.id]))
            if one.id == account.id:
                return


@dataclass(frozen=True, slots=True)
class _Plan:
    """Whom one lookup asks, in the order of the key, and what it waits for: the `required` ids until the time limit,
    the `awaited` accounts for GRACE_SECONDS more. `failed_proxies` are the ids of accounts behind proxies that are
    known as failed, of which no answer is needed."""

    asked: Sequence[Account]
    required: AbstractSet[str]
    awaited: Sequence[Account]
    failed_proxies: AbstractSet[str]


class SubmitLookup:
    """Looks up submissions by their submit keys."""

    def __init__(
        self,
        clock: Clock,
        pool: AccountPool,
        acquire: Callable[[Provider, Account], None],
        *,
        max_attempts: int,
        connect_seconds: float,
    ) -> None:
        """`acquire` is called for every lookup, since lookups share the rate limit of the status queries.
        `connect_seconds` is the time limit of a connection to the upstream."""
        self._clock = clock
        self._pool = pool
        self._acquire = acquire
        self._max_attempts = max_attempts
        self._seconds = max(LOOKUP_SECONDS, connect_seconds + AFTER_CONNECT_SECONDS)

    async def find(
        self, provider: LookupProvider, accounts: Sequence[Account], keys: SubmitKeys, target: str | None = None
    ) -> LookupResult:
        """Look a submission up on the accounts, which are in the order of its key.

        `target` is the id of the account that is to be charged, by default the first that is ready. It must answer, and
        so must those before it. Where the error of one of these also rules out a submit, as that of a failed proxy or
        of risk control, it counts as one that does not have the submission, provided that another account has answered.
        """
        plan = self._plan(accounts, target)
        at, answers = await self._find_on_all(provider, plan, keys)
        errors: dict[Account, ProviderError] = {}
        for account, answer in answers.items():
            if isinstance(answer, Submission):
                return LookupResult(at, plan.asked, plan.required, (account, answer))
            if answer is not None:
                errors[account] = answer
        if errors:
            self._pool.log_failed_lookups(errors)
        one_answered = len(errors) < len(plan.asked)
        uncertain = {
            account.id: error
            for account, error in errors.items()
            if not (one_answered and account.id in plan.failed_proxies)
            and not _rules_out_submits(account, error, one_answered)
        }
        return LookupResult(at, plan.asked, plan.required, None, uncertain)

    def _plan(self, accounts: Sequence[Account], target: str | None) -> "_Plan":
        ready = [one for one in accounts if self._pool.status(one).state is AccountState.READY]
        tried = {one.id for one in ready[: self._max_attempts]} | {target}
        preferred = sorted(accounts, key=lambda account: account.id not in tried)
        chosen = {one.id for one in preferred[: max(MAX_ASKED, len(tried))]}
        asked = [one for one in accounts if one.id in chosen]
        failed_proxies = {one.id for one in asked if self._pool.has_failed_proxy(one)}
        if len(failed_proxies) == len(asked):
            # They are used as a last resort.
            failed_proxies = set()
        failed_proxies -= {target}
        first = {one.id for one in self._up_to(asked, target)}
        # Before an account is charged, one that is passed over for its proxy is waited for: it may work again.
        unawaited = failed_proxies if target is None else failed_proxies - first
        return _Plan(asked, first - failed_proxies, [one for one in asked if one.id not in unawaited], failed_proxies)

    def _up_to(self, accounts: Sequence[Account], target: str | None) -> list[Account]:
        """The accounts up to the target, by default the first that is ready."""
        found = list[Account]()
        for account in accounts:
            found.append(account)
            if account.id == target if target is not None else self._pool.status(account).state is AccountState.READY:
                break
        return found

    async def _find_on_all(
        self, provider: LookupProvider, plan: "_Plan", keys: SubmitKeys
    ) -> tuple[float, dict[Account, _Answer]]:
        """The answers, and when those that are required had come. The submission, once found, ends the wait."""
        found = asyncio.get_running_loop().create_future()

        async def find_on(account: Account) -> _Answer:
            answer = await self._find_on(provider, account, keys)
            if isinstance(answer, Submission) and not found.done():
                found.set_result(None)
            return answer

        lookups = {account: asyncio.ensure_future(find_on(account)) for account in plan.asked}

        async def wait(accounts: Sequence[Account], seconds: float) -> None:
            all_of_them = asyncio.gather(*(lookups[one] for one in accounts), return_exceptions=True)
            await asyncio.wait([all_of_them, found], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

        try:
            await wait([one for one in plan.asked if one.id in plan.required], self._seconds)
            at = self._clock.monotonic()
            await wait(plan.awaited, GRACE_SECONDS)
        finally:
            late = [lookup for lookup in lookups.values() if lookup.cancel()]
            await asyncio.gather(*late, return_exceptions=True)
        return at, {account: _no_answer() if one.cancelled() else one.result() for account, one in lookups.items()}

    async def _find_on(self, provider: LookupProvider, account: Account, keys: SubmitKeys) -> _Answer:
        try:
            for key in keys.of(account):
                found = await self._find(provider, key, account)
                if found is not None:
                    return found
        except ProviderError as error:
            return error.without_traceback()
        return None

    async def _find(self, provider: LookupProvider, key: str, account: Account) -> Submission | None:
        """One call. Its error is reported to the pool, as that of every call that is not charged. An answer is not: the
        login of an account whose submit has just been refused for it would count as alive again."""
        self._acquire(provider, account)
        sent_at = self._clock.monotonic()
        try:
            return await provider.find(key, account)
        except ProviderError as error:
            clean(error, account)
            if error.kind is ErrorKind.UNREACHABLE:
                self._pool.proxy_failed(account, error)
            elif counts_on_any_call(error):
                self._pool.record_failure(account, error, "", sent_at=sent_at)
            raise

    async def find_lost(
        self, provider: LookupProvider, key: str, account: Account, *, lost: ProviderError
    ) -> Submission | None:
        """The submission of a key whose response was lost, None where the upstream does not know it. Raises `lost`
        where that is uncertain."""
        unknown = False
        for delay in LOOKUP_DELAYS:
            await self._clock.sleep(delay)
            try:
                async with asyncio.timeout(self._seconds):
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
    return ProviderError(ErrorKind.ANSWER_LOST, detail="the account gave no answer in time")


def _rules_out_submits(account: Account, error: ProviderError, other_answered: bool) -> bool:
    """True for the error of an account that takes no submit either, from any process. Where no other account has
    answered, only a rejected credential is one."""
    if error.kind is ErrorKind.INVALID_CREDENTIAL:
        return True
    dead_proxy = error.kind is ErrorKind.UNREACHABLE and account.proxy is not None
    return other_answered and (dead_proxy or error.kind in (ErrorKind.RESTRICTED, ErrorKind.NOT_ENTITLED))
