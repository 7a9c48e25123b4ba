"""Account checks: validate the credential, read the credit balance, receive the daily credits.

Upstreams expect few such calls, so they run on request, with two exceptions: credits are read
once after a submit fails for lack of them, and a rejected credential is checked again at intervals. No call is charged.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gateway.accounts.health import counts_on_any_call
from gateway.accounts.pool import AccountPool
from gateway.core.background_tasks import Background
from gateway.core.clock import Clock
from gateway.core.errors import GatewayError, clean, from_provider
from gateway.core.messages import ERRORS
from providers.contract.accounts import Account, Credits
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.provider import CanCheck, CanReadCredits, CanReceiveCredits
from providers.registry import Registry

CONCURRENT_CHECKS = 4
"""Concurrent account checks."""
SPREAD_SECONDS = 0.5
"""Upper bound of the random delay before each of several calls, so that they do not arrive together."""
BALANCE_WAIT = 5.0
"""Seconds that a submit waits for a balance that decides whether an account can take it."""
BALANCE_RETRIES = (10.0, 60.0, 600.0)
"""Seconds between further reads of a balance that could not be read after a failed submit: without it the account stays
paused, whatever it has."""
CREDITS_SECONDS = 120.0
"""TTL of a credit balance, unless a refresh is forced."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Received:
    """`received` is the number of daily credits, 0 where they were received before. `credits` is the new balance, None
    where it is unknown."""

    received: int
    credits: Credits | None = None


class AccountChecks:
    """Checks the accounts of a pool, and reports the results to the pool."""

    def __init__(self, registry: Registry, pool: AccountPool, clock: Clock, background: Background) -> None:
        self._registry = registry
        self._pool = pool
        self._clock = clock
        self._background = background
        self._checks: dict[str, asyncio.Task[None]] = {}
        self._balance_reads: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(CONCURRENT_CHECKS)

    # --- on request ---------------------------------------------------------------------------------------------

    async def check(self, account: Account) -> bool:
        """True where the upstream accepts the credential, False where it rejects it.

        For an account paused for lack of credits, the balance is read. Where the provider has no balance, the pause
        ends. Raises GatewayError for errors that say nothing about the credential.
        """
        provider = self._registry[account.provider]
        if not isinstance(provider, CanCheck):
            raise GatewayError("not_supported", ERRORS["check_not_supported"])
        try:
            await self._record_outcome(account, provider.check(account))
            if self._pool.lacks_credits(account) and isinstance(provider, CanReadCredits):
                await self._read_credits(provider, account)
        except ProviderError as error:
            if error.kind is ErrorKind.INVALID_CREDENTIAL:
                return False
            raise from_provider(error) from error
        if not isinstance(provider, CanReadCredits):
            self._pool.record_top_up(account)
        return True

    async def credits(self, account: Account, *, force_refresh: bool = False) -> Credits:
        """The credit balance, cached for CREDITS_SECONDS unless the account lacks credits. Raises GatewayError."""
        provider = self._registry[account.provider]
        if not isinstance(provider, CanReadCredits):
            raise GatewayError("not_supported", ERRORS["credits_not_reported"])
        cached = None if force_refresh or self._pool.lacks_credits(account) else self._pool.record(account).credits
        if cached is not None and self._clock.monotonic() - cached.at < CREDITS_SECONDS:
            return cached.credits
        try:
            return await self._read_credits(provider, account)
        except ProviderError as error:
            raise from_provider(error) from error

    async def receive(self, account: Account) -> Received:
        """Receive today's credits. Raises GatewayError."""
        provider = self._registry[account.provider]
        if not isinstance(provider, CanReceiveCredits):
            raise GatewayError("not_supported", ERRORS["no_daily_credits"])
        try:
            received = await self._record_outcome(account, provider.receive_credits(account))
        except ProviderError as error:
            raise from_provider(error) from error
        if received:
            self._pool.record_top_up(account)
        if not isinstance(provider, CanReadCredits):
            return Received(received)
        try:
            return Received(received, await self._read_credits(provider, account))
        except ProviderError:
            # The credits were received: only the balance is unknown.
            return Received(received)

    def has_daily_credits(self, account: Account) -> bool:
        """True where the provider gives daily credits."""
        return isinstance(self._registry[account.provider], CanReceiveCredits)

    async def each(
        self, accounts: Sequence[Account], call: Callable[[Account], Awaitable[T]]
    ) -> list[T | GatewayError]:
        """Call `call` for each account, CONCURRENT_CHECKS at a time with a random delay. A GatewayError is returned in
        its place, in the order of the accounts."""
        slots = asyncio.Semaphore(CONCURRENT_CHECKS)

        async def one(account: Account) -> T | GatewayError:
            async with slots:
                if len(accounts) > 1:
                    await self._clock.sleep(random.random() * SPREAD_SECONDS)  # noqa: S311 - no secret
                try:
                    return await call(account)
                except GatewayError as error:
                    return error

        return await asyncio.gather(*map(one, accounts))

    # --- in the background --------------------------------------------------------------------------------------

    def recheck(self, accounts: Sequence[Account]) -> "asyncio.Future[list[None]]":
        """Check rejected credentials again where a check is due. The future resolves when these checks, and those
        already running, have ended. Callers need not await it."""
        for account in accounts:
            if account.id not in self._checks and self._pool.claim_check(account):
                self._checks[account.id] = self._background.start(self._check_again(account))
        running = [self._checks[account.id] for account in accounts if account.id in self._checks]
        return asyncio.gather(*map(asyncio.shield, running))

    def refresh_credits(self, account: Account) -> None:
        """Read the balance in the background, after a submit failed for lack of credits."""
        provider = self._registry[account.provider]
        if isinstance(provider, CanReadCredits) and account.id not in self._balance_reads:
            self._balance_reads[account.id] = self._background.start(self._refresh_credits(provider, account))

    async def balances_read(self, accounts: Sequence[Account]) -> None:
        """Wait, at most BALANCE_WAIT seconds, for the balances that are being read after failed submits."""
        reads = [self._balance_reads[account.id] for account in accounts if account.id in self._balance_reads]
        if reads:
            await asyncio.wait(reads, timeout=BALANCE_WAIT)

    async def _check_again(self, account: Account) -> None:
        provider = self._registry[account.provider]
        try:
            if isinstance(provider, CanCheck):
                async with self._slots:
                    await self._record_outcome(account, provider.check(account))
            else:
                # There is no check: let one submit through as a probe.
                self._pool.record_login(account, sent_at=self._clock.monotonic())
        except ProviderError:
            pass
        finally:
            del self._checks[account.id]

    async def _refresh_credits(self, provider: CanReadCredits, account: Account) -> None:
        try:
            await self._read_credits(provider, account)
        except ProviderError:
            self._background.start(self._read_credits_later(provider, account))
        finally:
            del self._balance_reads[account.id]

    async def _read_credits_later(self, provider: CanReadCredits, account: Account) -> None:
        for seconds in BALANCE_RETRIES:
            await self._clock.sleep(seconds)
            if not self._pool.lacks_credits(account) or self._pool.is_expired(account):
                return
            with contextlib.suppress(ProviderError):
                await self._read_credits(provider, account)
                return

    async def _read_credits(self, provider: CanReadCredits, account: Account) -> Credits:
        credits = await self._record_outcome(account, provider.credits(account))
        self._pool.record_credits(account, credits)
        return credits

    async def _record_outcome(self, account: Account, call: Awaitable[T]) -> T:
        """Await a call and report its outcome to the pool: success shows that the credential is valid, an error may
        count against the account.

        Raises ProviderError without secrets. ANSWER_LOST becomes UPSTREAM_ERROR, since these calls are not charged.
        """
        sent_at = self._clock.monotonic()
        try:
            result = await call
        except ProviderError as error:
            clean(error, account)
            if counts_on_any_call(error):
                self._pool.record_failure(account, error, "", sent_at=sent_at)
            if error.kind is ErrorKind.ANSWER_LOST:
                message = ERRORS["no_response"]
                raise ProviderError(
                    ErrorKind.UPSTREAM_ERROR, code=error.code, message=message, detail=error.detail
                ) from error
            raise
        self._pool.record_login(account, sent_at=sent_at)
        return result
