"""Daily credits: received for every account once a day, at its own minute."""

from datetime import datetime, timedelta, timezone

import pytest
from pydantic import SecretStr

from gateway.accounts.daily_credits import LOOK_SECONDS, DailyCredits, minute_of
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
        self.taken: list[tuple[str, float]] = []
        self.trouble: ProviderError | None = None
        self.clock = TestClock()

    async def receive_credits(self, account: Account) -> int:
        self.taken.append((account.name, self.clock.now()))
        if self.trouble:
            raise self.trouble
        return 60


class DailyCreditsGateway(GatewayFixture):
    provider: CreditsProvider

    def __init__(self, *accounts: Account, wanted: bool = True, provider: str = "giving") -> None:
        giving = CreditsProvider(provider)
        managed = [
            AccountSettings(name=account.name, credential=SecretStr(account.credential), provider=account.provider)
            for account in accounts or (*ACCOUNTS, OTHER)
        ]
        super().__init__(giving, others=[ScriptedProvider()], clock=giving.clock, accounts=managed)
        self.daily_credits = DailyCredits(self.clock, self.pool, lambda: self.checks, lambda: wanted)

    async def live(self, seconds: float) -> None:
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            self.clock.move(LOOK_SECONDS)
            await self.daily_credits.take()


async def test_daily_credits_are_received_once_a_day_for_every_account() -> None:
    env = DailyCreditsGateway()
    await env.live(3 * 86_400)
    counted = [sum(1 for name, _ in env.provider.taken if name == account.name) for account in ACCOUNTS]
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
    await env.live(2 * 86_400)
    for _, at in env.provider.taken:
        local = datetime.fromtimestamp(at, timezone(timedelta(hours=hours_ahead)))
        minute = 60 * local.hour + local.minute
        assert minute_of(account, local.date().isoformat()) in (minute - 1, minute)
    assert env.provider.taken


async def test_daily_credits_are_received_only_if_enabled() -> None:
    env = DailyCreditsGateway(wanted=False)
    await env.live(2 * 86_400)
    assert env.provider.taken == []


async def test_unavailable_account_is_skipped_until_its_pause_ends() -> None:
    env = DailyCreditsGateway()
    account = ACCOUNTS[0]
    env.pool.hold_against(account, provider_error(ErrorKind.RESTRICTED), "", sent_at=env.clock.now())
    until = env.pool.status(account).until
    assert until
    await env.live(2 * 86_400)
    assert all(at >= until for name, at in env.provider.taken if name == account.name)
    assert account.name in {name for name, _ in env.provider.taken}


async def test_error_of_one_account_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    env = DailyCreditsGateway()
    env.provider.trouble = provider_error(ErrorKind.UNREACHABLE)
    await env.live(2 * 86_400)
    assert len({name for name, _ in env.provider.taken}) == len(ACCOUNTS)
    assert "the daily credits could not be taken" in caplog.text
