"""Looking after accounts: is the login alive, what is left to spend, take the daily gift.

Upstreams dislike such calls. They are made when somebody asks for them, and on two occasions more: credits are read
once after a submit was refused for want of them, and a login that was refused is looked at again now and then. None of
them is charged.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gateway.accounts.pool import AccountPool, matters
from gateway.core.background_tasks import Background
from gateway.core.clock import Clock
from gateway.core.errors import GatewayError, clean, from_provider
from gateway.core.messages import ERRORS
from providers.contract.accounts import Account, Credits
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.provider import CanCheck, CanReceiveCredits, CanTellCredits
from providers.registry import Registry

AT_ONCE = 4
"""Accounts that are looked after at the same time."""
SPREAD_SECONDS = 0.5
"""The longest pause before each of several calls, so that they do not arrive as one."""
CREDITS_SECONDS = 120.0
"""For this long credits that were read are not read again, unless somebody insists."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Received:
    """`received` is the size of today's gift, 0 when it was taken before; `credits` what is there now."""

    received: int
    credits: Credits | None = None


class AccountChecks:
    """Looks after the accounts of a pool, and tells the pool what it learned."""

    def __init__(self, registry: Registry, pool: AccountPool, clock: Clock, background: Background) -> None:
        self._registry = registry
        self._pool = pool
        self._clock = clock
        self._background = background
        self._checks: dict[str, asyncio.Task[None]] = {}
        self._looking = asyncio.Semaphore(AT_ONCE)

    # --- on request ---------------------------------------------------------------------------------------------

    async def check(self, account: Account) -> bool:
        """True when the login is alive, False when the upstream refuses it. Whoever asks has most likely mended what
        was wrong: of an account that had no credits they are read, or, where the upstream tells none, it is tried
        again.

        Raises GatewayError for what says nothing of the login.
        """
        provider = self._registry[account.provider]
        if not isinstance(provider, CanCheck):
            raise GatewayError("not_supported", ERRORS["no_check"])
        try:
            await self._learning(account, provider.check(account))
            if self._pool.without_credits(account) and isinstance(provider, CanTellCredits):
                await self._read_credits(provider, account)
        except ProviderError as error:
            if error.kind is ErrorKind.INVALID_CREDENTIAL:
                return False
            raise from_provider(error) from error
        if not isinstance(provider, CanTellCredits):
            self._pool.topped_up(account)
        return True

    async def credits(self, account: Account, *, force_refresh: bool = False) -> Credits:
        """What is left, read within the last two minutes unless it was nothing. Raises GatewayError."""
        provider = self._registry[account.provider]
        if not isinstance(provider, CanTellCredits):
            raise GatewayError("not_supported", ERRORS["no_credits_told"])
        seen = None if force_refresh or self._pool.without_credits(account) else self._pool.record(account).credits
        if seen is not None and self._clock.now() - seen.at < CREDITS_SECONDS:
            return seen.credits
        try:
            return await self._read_credits(provider, account)
        except ProviderError as error:
            raise from_provider(error) from error

    async def receive(self, account: Account) -> Received:
        """Take today's gift. Raises GatewayError."""
        provider = self._registry[account.provider]
        if not isinstance(provider, CanReceiveCredits):
            raise GatewayError("not_supported", ERRORS["no_gifts"])
        try:
            received = await self._learning(account, provider.receive_credits(account))
        except ProviderError as error:
            raise from_provider(error) from error
        if received:
            self._pool.topped_up(account)
        if not isinstance(provider, CanTellCredits):
            return Received(received)
        try:
            return Received(received, await self._read_credits(provider, account))
        except ProviderError:
            # The gift is taken all the same.
            return Received(received)

    def gives(self, account: Account) -> bool:
        """True where there are credits to receive."""
        return isinstance(self._registry[account.provider], CanReceiveCredits)

    async def each(
        self, accounts: Sequence[Account], call: Callable[[Account], Awaitable[T]]
    ) -> list[T | GatewayError]:
        """`call` for each account, a few at a time and not all at one moment; an error in its place."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(account: Account) -> T | GatewayError:
            async with turns:
                if len(accounts) > 1:
                    await self._clock.sleep(random.random() * SPREAD_SECONDS)  # noqa: S311 - no secret
                try:
                    return await call(account)
                except GatewayError as error:
                    return error

        return await asyncio.gather(*map(one, accounts))

    # --- of its own accord --------------------------------------------------------------------------------------

    def revive(self, accounts: Sequence[Account]) -> "asyncio.Future[list[None]]":
        """Look again at logins that were refused a while ago. Done when all of them, and those that are being looked
        at already, are known; nobody has to wait for it."""
        for account in accounts:
            if account.tag not in self._checks and self._pool.due(account):
                self._checks[account.tag] = self._background.start(self._look_again(account))
        looking = [self._checks[account.tag] for account in accounts if account.tag in self._checks]
        return asyncio.gather(*map(asyncio.shield, looking))

    def read_credits_after_refusal(self, account: Account) -> None:
        """Once after a submit was refused for want of credits; in the background."""
        provider = self._registry[account.provider]
        if isinstance(provider, CanTellCredits):
            self._background.start(self._read_quietly(provider, account))

    async def _look_again(self, account: Account) -> None:
        provider = self._registry[account.provider]
        try:
            if isinstance(provider, CanCheck):
                async with self._looking:
                    await self._learning(account, provider.check(account))
            else:
                # Only a submit can tell: one is let through.
                self._pool.logged_in(account, sent_at=self._clock.now())
        except ProviderError:
            pass
        finally:
            del self._checks[account.tag]

    async def _read_quietly(self, provider: CanTellCredits, account: Account) -> None:
        try:
            await self._read_credits(provider, account)
        except ProviderError:
            return

    async def _read_credits(self, provider: CanTellCredits, account: Account) -> Credits:
        credits = await self._learning(account, provider.credits(account))
        self._pool.saw_credits(account, credits)
        return credits

    async def _learning(self, account: Account, call: Awaitable[T]) -> T:
        """The answer of a call, whose success shows that the login is alive and whose failure may show that it is not.

        Raises ProviderError, rid of secrets; a lost answer is one that nobody gave, since none of this is charged.
        """
        sent_at = self._clock.now()
        try:
            answer = await call
        except ProviderError as error:
            clean(error, account)
            if matters(error):
                self._pool.hold_against(account, error, "", sent_at=sent_at)
            if error.kind is ErrorKind.ANSWER_LOST:
                words = ERRORS["no_answer"]
                raise ProviderError(
                    ErrorKind.UPSTREAM_ERROR, code=error.code, words=words, detail=error.detail
                ) from error
            raise
        self._pool.logged_in(account, sent_at=sent_at)
        return answer
