"""Daily credits: once a day for every account, at a minute of its own."""

from datetime import datetime, timedelta, timezone

import pytest

from gateway.accounts.checks import AccountChecks
from gateway.accounts.daily_credits import INTERVAL_SECONDS, DailyCredits, minute_of
from gateway.accounts.pool import AccountPool, ManagedAccount
from gateway.core.background_tasks import Background
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.registry import Registry
from tests.clock import TestClock
from tests.upstream import ScriptedProvider, trouble

ACCOUNTS = [Account("giving", f"s-{number}", name=f"n{number}") for number in range(20)]
OTHER = Account("scripted", "s-x", name="x")


class DailyCreditsProvider(ScriptedProvider):
    def __init__(self, name: str = "giving") -> None:
        super().__init__(name)
        self.received: list[tuple[str, float]] = []
        self.error: ProviderError | None = None
        self.clock = TestClock()

    async def receive_credits(self, account: Account) -> int:
        self.received.append((account.label, self.clock.now()))
        if self.error:
            raise self.error
        return 60


class DailyCreditsFixture:
    def __init__(self, *accounts: Account, is_enabled: bool = True, provider: str = "giving") -> None:
        self.provider = DailyCreditsProvider(provider)
        self.clock = self.provider.clock
        pool = self.pool = AccountPool(self.clock)
        pool.manage([ManagedAccount(account) for account in (accounts or (*ACCOUNTS, OTHER))])
        registry = Registry([self.provider, ScriptedProvider()])
        checks = AccountChecks(registry, pool, self.clock, Background())
        self.daily_credits = DailyCredits(self.clock, pool, lambda: checks, lambda: is_enabled)

    async def run(self, seconds: float) -> None:
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            self.clock.move(INTERVAL_SECONDS)
            await self.daily_credits.receive_due()


async def test_daily_credits_are_received_once_a_day_for_every_account() -> None:
    env = DailyCreditsFixture()
    await env.run(3 * 86_400)
    counted = [sum(1 for name, _ in env.provider.received if name == account.label) for account in ACCOUNTS]
    assert set(counted) <= {2, 3, 4}
    assert sum(counted) == pytest.approx(3 * len(ACCOUNTS), abs=len(ACCOUNTS))


async def test_minute_differs_by_account_and_day() -> None:
    minutes = [minute_of(account, "2026-11-25") for account in ACCOUNTS]
    assert len(set(minutes)) > 15
    assert all(0 < minute < 1440 for minute in minutes)
    assert minute_of(ACCOUNTS[0], "2026-11-26") != minute_of(ACCOUNTS[0], "2026-11-25")


@pytest.mark.parametrize(("provider", "hours_ahead"), [("jimeng", 8), ("giving", 0)])
async def test_day_begins_with_the_quota_reset_of_the_provider(provider: str, hours_ahead: int) -> None:
    account = Account(provider, "s-1", name="one")
    env = DailyCreditsFixture(account, provider=provider)
    await env.run(2 * 86_400)
    for _, at in env.provider.received:
        local = datetime.fromtimestamp(at, timezone(timedelta(hours=hours_ahead)))
        minute = 60 * local.hour + local.minute
        assert minute_of(account, local.date().isoformat()) in (minute - 1, minute)
    assert env.provider.received


async def test_daily_credits_are_received_only_if_enabled() -> None:
    env = DailyCreditsFixture(is_enabled=False)
    await env.run(2 * 86_400)
    assert env.provider.received == []


async def test_paused_account_is_skipped_until_the_pause_ends() -> None:
    env = DailyCreditsFixture()
    account = ACCOUNTS[0]
    env.pool.record_failure(account, trouble(ErrorKind.RESTRICTED), "", sent_at=env.clock.now())
    until = env.pool.status(account).until
    assert until
    await env.run(2 * 86_400)
    assert all(at >= until for name, at in env.provider.received if name == account.label)
    assert account.label in {name for name, _ in env.provider.received}


async def test_errors_are_logged_and_the_next_accounts_follow(caplog: pytest.LogCaptureFixture) -> None:
    env = DailyCreditsFixture()
    env.provider.error = trouble(ErrorKind.UNREACHABLE)
    await env.run(2 * 86_400)
    assert len({name for name, _ in env.provider.received}) == len(ACCOUNTS)
    assert "daily credits not received" in caplog.text
