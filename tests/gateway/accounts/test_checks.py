"""Account checks, on request and in the background."""

import asyncio
import random

import pytest

from gateway.accounts.checks import CONCURRENT_CHECKS, CREDITS_SECONDS, Received
from gateway.accounts.health import AccountState
from gateway.core.errors import GatewayError
from providers.contract.accounts import Account, Credits
from providers.contract.errors import ErrorKind, ProviderError
from tests.gateway_fixture import GatewayFixture
from tests.upstream import ScriptedProvider, provider_error

A, B = Account("scripted", "s-secret-a", name="a"), Account("scripted", "s-secret-b", name="b")


class CheckableProvider(ScriptedProvider):
    """A provider with checks, balances and daily credits. It records its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.check_error: ProviderError | None = None
        self.balance: Credits | ProviderError = Credits(gift=5, vip=2)
        self.daily_credits: int | ProviderError = 60
        self.calls: list[tuple[str, str]] = []
        self.concurrent = self.max_concurrent = 0

    async def check(self, account: Account) -> None:
        await self._answer("check", account, self.check_error)

    async def credits(self, account: Account) -> Credits:
        balance = await self._answer("credits", account, self.balance)
        assert isinstance(balance, Credits)
        return balance

    async def receive_credits(self, account: Account) -> int:
        daily_credits = await self._answer("receive", account, self.daily_credits)
        assert isinstance(daily_credits, int)
        return daily_credits

    async def _answer(self, what: str, account: Account, answer: object) -> object:
        self.calls.append((what, account.label))
        self.concurrent += 1
        self.max_concurrent = max(self.max_concurrent, self.concurrent)
        await asyncio.sleep(0)
        self.concurrent -= 1
        if isinstance(answer, ProviderError):
            raise answer
        return answer


class ChecksGateway(GatewayFixture):
    provider: CheckableProvider

    def __init__(self, provider: ScriptedProvider | None = None) -> None:
        super().__init__(provider or CheckableProvider())

    def fail(self, kind: ErrorKind, account: Account = A) -> None:
        self.pool.record_failure(account, provider_error(kind), "", sent_at=self.clock.monotonic())

    def state(self, account: Account = A) -> AccountState:
        return self.pool.status(account).state


class TestChecks:
    async def test_accepted_credential_makes_its_account_available_again(self) -> None:
        env = ChecksGateway()
        env.fail(ErrorKind.INVALID_CREDENTIAL)
        assert await env.checks.check(A)
        assert env.state() is AccountState.READY

    async def test_rejected_credential_makes_its_account_unavailable(self) -> None:
        env = ChecksGateway()
        env.provider.check_error = provider_error(ErrorKind.INVALID_CREDENTIAL)
        assert not await env.checks.check(A)
        assert env.state() is AccountState.EXPIRED

    async def test_valid_credential_ends_no_other_pause(self) -> None:
        for kind in (ErrorKind.RESTRICTED, ErrorKind.DAILY_LIMIT):
            env = ChecksGateway()
            env.fail(kind)
            await env.checks.check(A)
            assert env.state() is not AccountState.READY

    async def test_balance_ends_the_pause_for_lack_of_credits(self) -> None:
        env = ChecksGateway()
        env.fail(ErrorKind.NO_CREDITS)
        env.provider.balance = Credits()
        await env.checks.check(A)
        assert env.state() is AccountState.NO_CREDITS
        env.provider.balance = Credits(gift=70)
        await env.checks.check(A)
        assert env.state() is AccountState.READY

    async def test_without_a_credit_balance_the_check_ends_a_lack_of_credits(self) -> None:
        class Checking(ScriptedProvider):
            async def check(self, account: Account) -> None:
                return

        env = ChecksGateway(Checking())
        env.fail(ErrorKind.NO_CREDITS)
        await env.checks.check(A)
        assert env.state() is AccountState.READY

    async def test_other_error_is_reported_and_does_not_change_the_account(self) -> None:
        env = ChecksGateway()
        env.provider.check_error = provider_error(ErrorKind.UPSTREAM_ERROR, detail="s-secret-a is odd")
        with pytest.raises(GatewayError) as caught:
            await env.checks.check(A)
        assert "secret" not in caught.value.message("en")
        assert env.state() is AccountState.READY

    async def test_provider_without_a_check_is_not_supported(self) -> None:
        with pytest.raises(GatewayError) as caught:
            await ChecksGateway(ScriptedProvider()).checks.check(A)
        assert caught.value.code == "not_supported"

    async def test_lost_answer_is_not_reported_as_a_possible_charge(self) -> None:
        env = ChecksGateway()
        env.provider.balance = provider_error(ErrorKind.ANSWER_LOST)
        with pytest.raises(GatewayError) as caught:
            await env.checks.credits(A)
        assert caught.value.code == "upstream_error"
        assert "did not respond" in caught.value.message("en")


class TestCredits:
    async def test_credits_are_cached_unless_a_refresh_is_forced(self) -> None:
        env = ChecksGateway()
        for force_refresh in (False, False, True):
            assert (await env.checks.credits(A, force_refresh=force_refresh)).total == 7
        assert len(env.provider.calls) == 2
        env.clock.move(CREDITS_SECONDS)
        await env.checks.credits(A)
        assert len(env.provider.calls) == 3

    async def test_empty_balance_after_a_failed_submit_does_not_end_the_pause(self) -> None:
        env = ChecksGateway()
        env.provider.balance = Credits()
        env.fail(ErrorKind.NO_CREDITS)
        async with env.background:
            env.checks.refresh_credits(A)
            env.checks.refresh_credits(A)
            await env.checks.balances_read([A])
        assert env.provider.calls == [("credits", "a")]
        assert env.state() is AccountState.NO_CREDITS
        assert env.pool.record(A).credits
        # An account without credits has no cached balance.
        env.provider.balance = Credits(gift=70)
        await env.checks.credits(A)
        assert env.state() is AccountState.READY

    async def test_balance_that_could_not_be_read_after_a_failed_submit_is_read_again(self) -> None:
        env = ChecksGateway()
        env.provider.balance = provider_error(ErrorKind.UPSTREAM_ERROR)
        env.fail(ErrorKind.NO_CREDITS)
        async with env.background:
            env.checks.refresh_credits(A)
            await env.checks.balances_read([A])
            assert env.state() is AccountState.NO_CREDITS
            env.provider.balance = Credits(gift=70)
            for _ in range(20):
                await asyncio.sleep(0)
        assert env.state() is AccountState.READY

    async def test_received_credits_are_reported_although_the_balance_is_unknown(self) -> None:
        env = ChecksGateway()
        env.provider.balance = provider_error(ErrorKind.UNREACHABLE)
        assert await env.checks.receive(A) == Received(60)

    async def test_received_credits_make_the_account_available(self) -> None:
        env = ChecksGateway()
        env.fail(ErrorKind.NO_CREDITS)
        assert await env.checks.receive(A) == Received(60, Credits(gift=5, vip=2))
        assert env.state() is AccountState.READY

    async def test_daily_credits_received_before_are_zero(self) -> None:
        env = ChecksGateway()
        env.provider.daily_credits, env.provider.balance = 0, Credits()
        env.fail(ErrorKind.NO_CREDITS)
        assert (await env.checks.receive(A)).received == 0
        assert env.state() is AccountState.NO_CREDITS

    @pytest.mark.parametrize("what", ["credits", "receive"])
    async def test_provider_without_credits_is_not_supported(self, what: str) -> None:
        with pytest.raises(GatewayError) as caught:
            await getattr(ChecksGateway(ScriptedProvider()).checks, what)(A)
        assert caught.value.code == "not_supported"


class TestRepeatedChecks:
    """A rejected credential is checked again at intervals, by a call that is not charged."""

    async def test_valid_credential_makes_the_account_available(self) -> None:
        env = ChecksGateway()
        env.fail(ErrorKind.INVALID_CREDENTIAL)
        async with env.background:
            await env.checks.recheck([A])
            assert env.provider.calls == []
            env.clock.move(600)
            await env.checks.recheck([A])
        assert env.provider.calls == [("check", "a")]
        assert env.state() is AccountState.READY

    async def test_check_runs_once_in_ten_minutes_for_any_number_of_callers(self) -> None:
        env = ChecksGateway()
        env.provider.check_error = provider_error(ErrorKind.INVALID_CREDENTIAL)
        env.fail(ErrorKind.INVALID_CREDENTIAL)
        async with env.background:
            for _ in range(3):
                env.clock.move(600)
                await asyncio.gather(*(env.checks.recheck([A]) for _ in range(5)))
                await env.checks.recheck([A])
        assert len(env.provider.calls) == 3
        assert env.state() is AccountState.EXPIRED

    async def test_inconclusive_check_leaves_the_account_unavailable(self) -> None:
        env = ChecksGateway()
        env.provider.check_error = provider_error(ErrorKind.UNREACHABLE)
        env.fail(ErrorKind.INVALID_CREDENTIAL)
        env.clock.move(600)
        async with env.background:
            await env.checks.recheck([A])
        assert env.state() is AccountState.EXPIRED

    async def test_without_a_check_one_submit_is_let_through_as_a_probe(self) -> None:
        env = ChecksGateway(ScriptedProvider())
        env.fail(ErrorKind.INVALID_CREDENTIAL)
        env.clock.move(600)
        async with env.background:
            await env.checks.recheck([A])
        assert env.state() is AccountState.READY
        assert env.pool.record(A).health.is_half_open


async def test_account_checks_are_limited_in_number_and_spread_over_time() -> None:
    env = ChecksGateway()
    accounts = [Account("scripted", f"s-{number}") for number in range(20)]
    env.provider.balance = Credits(gift=1)
    random.seed(1)
    answers = await env.checks.each(accounts, env.checks.credits)
    assert len(answers) == 20
    assert env.provider.max_concurrent <= CONCURRENT_CHECKS
    assert len(env.clock.slept) == 20
    assert len(set(env.clock.slept)) > 10


async def test_error_of_one_account_does_not_affect_the_others() -> None:
    env = ChecksGateway()

    async def call(account: Account) -> str:
        if account is A:
            raise GatewayError("upstream_unavailable")
        return account.label

    first, second = await env.checks.each([A, B], call)
    assert isinstance(first, GatewayError)
    assert second == "b"
