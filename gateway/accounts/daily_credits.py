"""Daily credits: received for every managed account once a day, at a pseudo-random minute."""

import hashlib
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from gateway.accounts.checks import AccountChecks
from gateway.accounts.health import AccountState
from gateway.accounts.pool import AccountPool
from gateway.core.clock import Clock
from gateway.core.errors import GatewayError
from gateway.core.logs import GATEWAY, location_of
from providers.contract.accounts import Account
from providers.registry import find_spec

INTERVAL_SECONDS = 60.0
RETRY_SECONDS = 3600.0
_FIRST_MINUTE, _LAST_MINUTE = 5, 24 * 60 - 5
"""Distance from the edges of a day, since clocks differ."""
_SKIPPED = frozenset({AccountState.EXPIRED, AccountState.RESTRICTED, AccountState.PAUSED})


def minute_of(account: Account, day: str) -> int:
    """The minute of a day (`2026-11-25`) at which an account receives its credits. Deterministic: the same on every
    replica and after a restart."""
    digest = hashlib.sha256(f"daily\0{account.id}\0{day}".encode()).digest()
    return _FIRST_MINUTE + int.from_bytes(digest[:8]) % (_LAST_MINUTE - _FIRST_MINUTE)


class DailyCredits:
    """Receives daily credits while it runs, if the configuration enables it.

    An account whose minute is before the start of the process waits for the next day: an earlier process has received
    its credits.
    """

    def __init__(
        self, clock: Clock, pool: AccountPool, checks: Callable[[], AccountChecks], is_enabled: Callable[[], bool]
    ) -> None:
        """`checks` and `is_enabled` are functions, since a reload of the configuration replaces both values."""
        self._clock = clock
        self._pool = pool
        self._checks = checks
        self._is_enabled = is_enabled
        self._checked_at = clock.now()
        self._retry_at: dict[str, float] = {}
        """Retry times by account id, in unix seconds."""

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await self._clock.sleep(INTERVAL_SECONDS)
            try:
                await self.receive_due()
            except Exception as error:
                GATEWAY.error("daily credits failed", extra={"fields": {"cause": location_of(error)}})

    async def receive_due(self) -> None:
        """Receive the credits that have become due since the last call."""
        checks, before, now = self._checks(), self._checked_at, self._clock.now()
        self._checked_at = now
        accounts = [managed.account for managed in self._pool.managed if checks.has_daily_credits(managed.account)]
        due = [
            account
            for account in accounts
            if before < _due_time(account, now) <= now or self._is_retry_due(account, now)
        ]
        if due and self._is_enabled():
            # A paused account is skipped, and retried later on the same day.
            skipped = [account for account in due if self._pool.status(account).state in _SKIPPED]
            for account in skipped:
                self._retry_at[account.id] = now + RETRY_SECONDS
            await self._receive(checks, [account for account in due if account not in skipped])

    def _is_retry_due(self, account: Account, now: float) -> bool:
        return self._retry_at.get(account.id, math.inf) <= now and now - _due_time(account, now) >= 0

    async def _receive(self, checks: AccountChecks, due: Sequence[Account]) -> None:
        for account, result in zip(due, await checks.each(due, checks.receive), strict=True):
            fields = {"account": account.label, "provider": account.provider}
            self._retry_at.pop(account.id, None)
            if isinstance(result, GatewayError):
                self._retry_at[account.id] = self._clock.now() + RETRY_SECONDS
                GATEWAY.warning(
                    "daily credits not received", extra={"fields": fields | {"cause": result.message("en")}}
                )
            else:
                GATEWAY.info("daily credits received", extra={"fields": fields | {"received": result.received}})


def _due_time(account: Account, now: float) -> float:
    """The unix time of an account's minute today. A day begins with the provider's quota reset."""
    spec = find_spec(account.provider)
    reset = spec.quota_reset if spec is not None else None
    day = datetime.fromtimestamp(now, reset.time_zone if reset is not None else UTC)
    today = day.replace(hour=0, minute=0, second=0, microsecond=0)
    return today.timestamp() + 60 * minute_of(account, today.date().isoformat())
