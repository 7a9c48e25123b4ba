"""Daily credits: once a day for every account, at a minute of its own."""

from datetime import datetime, timedelta, timezone

import pytest
from pydantic import SecretStr

from gateway.accounts.daily_credits import INTERVAL_SECONDS, DailyCredits, minute_of
from gateway.core.settings import AccountSettings
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from tests.clock import TestClock
from tests.gateway_fixture import GatewayFixture
from tests.upstream import ScriptedProvider, provider_error

ACCOUNTS = [Account("giving", f"s-{number}", name=f"n{number}") for number in range(20)]
OTHER = Account("scripted", "s-x", name="x")


class CreditsProvider(ScriptedProvider):
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


class DailyCreditsGateway(GatewayFixture):
    provider: CreditsProvider

    def __init__(self, *accounts: Account, is_enabled: bool = True, provider: str = "giving") -> None:
        giving = CreditsProvider(provider)
        managed = [
            AccountSettings(name=account.name, credential=SecretStr(account.credential), provider=account.provider)
            for account in accounts or (*ACCOUNTS, OTHER)
        ]
        super().__init__(giving, others=[ScriptedProvider()], clock=giving.clock, accounts=managed)
        self.daily_credits = DailyCredits(self.clock, self.pool, lambda: self.checks, lambda: is_enabled)

    async def run(self, seconds: float) -> None:
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            self.clock.move(INTERVAL_SECONDS)
            await self.daily_credits.receive_due()


async def test_daily_credits_are_received_once_a_day_for_every_account() -> None:
    env = DailyCreditsGateway()
    await env.run(3 * 86_400)
    counted = [sum(1 for name, _ in env.provider.received if name == account.label) for account in ACCOUNTS]
    assert set(counted) <= {2, 3, 4}
    assert sum(counted) == pytest.approx(3 * len(ACCOUNTS), abs=len(ACCOUNTS))


async def test_minutes_differ_by_account_and_day() -> None:
    minutes = [minute_of(account, "2026-11-25") for account in ACCOUNTS]
    assert len(set(minutes)) > 15
    assert all(0 < minute < 1440 for minute in minutes)
    assert minute_of(ACCOUNTS[0], "2026-11-26") != minute_of(ACCOUNTS[0], "2026-11-25")


@pytest.mark.parametrize(("provider", "hours_ahead"), [("jimeng", 8), ("giving", 0)])
async def test_day_begins_with_the_quota_reset_of_the_provider(provider: str, hours_ahead: int) -> None:
    account = Account(provider, "s-1", name="one")
    env = DailyCreditsGateway(account, provider=provider)
    await env.run(2 * 86_400)
    for _, at in env.provider.received:
        local = datetime.fromtimestamp(at, timezone(timedelta(hours=hours_ahead)))
        minute = 60 * local.hour + local.minute
        assert minute_of(account, local.date().isoformat()) in (minute - 1, minute)
    assert env.provider.received


async def test_daily_credits_are_received_only_if_enabled() -> None:
    env = DailyCreditsGateway(is_enabled=False)
    await env.run(2 * 86_400)
    assert env.provider.received == []


async def test_unavailable_account_is_skipped_until_its_pause_ends() -> None:
    env = DailyCreditsGateway()
    account = ACCOUNTS[0]
    env.pool.record_failure(account, provider_error(ErrorKind.RESTRICTED), "", sent_at=env.clock.now())
    until = env.pool.status(account).until
    assert until
    await env.run(2 * 86_400)
    assert all(at >= until for name, at in env.provider.received if name == account.label)
    assert account.label in {name for name, _ in env.provider.received}


async def test_error_of_one_account_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    env = DailyCreditsGateway()
    env.provider.error = provider_error(ErrorKind.UNREACHABLE)
    await env.run(2 * 86_400)
    assert len({name for name, _ in env.provider.received}) == len(ACCOUNTS)
    assert "daily credits not received" in caplog.text
