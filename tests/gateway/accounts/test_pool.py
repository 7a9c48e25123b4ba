"""The account pool: selection, pauses and reloads."""

import gc
import logging
from dataclasses import replace

import pytest

from gateway.accounts.failed_proxies import PROXY_PAUSE_SECONDS
from gateway.accounts.health import AccountState
from gateway.accounts.pool import ManagedAccount
from gateway.accounts.records import MAX_UNKNOWN_RECORDS
from gateway.accounts.selection import RoundRobin
from providers.contract.accounts import Account, Credits
from providers.contract.errors import ErrorKind, ProviderError
from tests.gateway.accounts.pool_fixture import MODEL, A, B, C, PoolFixture
from tests.upstream import finished, provider_error


async def test_policy_selects_among_ready_accounts() -> None:
    env = PoolFixture(A, B, policy=None)
    env.pool.manage([ManagedAccount(A), ManagedAccount(B)])
    assert await env.submit() == "a"
    assert await env.submit(tried=[A.id]) == "b"
    assert await env.submit(tried=[A.id, B.id]) == ""


async def test_accounts_missing_from_the_configuration_are_removed() -> None:
    env = PoolFixture(A, B)
    env.pool.manage([ManagedAccount(replace(B, credential="s-renewed"))])
    assert [env.pool.is_removed(account) for account in (A, B, C)] == [True, False, False]
    env.pool.manage([ManagedAccount(A)])
    assert [env.pool.is_removed(account) for account in (A, B)] == [False, True]


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (ErrorKind.INVALID_CREDENTIAL, AccountState.EXPIRED),
        (ErrorKind.NO_CREDITS, AccountState.NO_CREDITS),
        (ErrorKind.RATE_LIMITED, AccountState.RATE_LIMITED),
        (ErrorKind.TOO_MANY_RUNNING, AccountState.FULL),
        (ErrorKind.RESTRICTED, AccountState.RESTRICTED),
        (ErrorKind.NOT_ENTITLED, AccountState.NOT_ENTITLED),
    ],
)
async def test_failure_of_an_account_makes_it_unavailable(kind: ErrorKind, state: AccountState) -> None:
    env = PoolFixture(A, B)
    assert await env.submit(provider_error(kind, "7")) == "a"
    assert env.state(A) is state
    assert await env.submit() == "b"
    status = env.pool.status(A, MODEL)
    assert status.error is not None
    assert (status.error.kind, status.error.code) == (kind, "7")
    assert status.until is not None
    env.clock.move(status.until - env.clock.monotonic())
    if kind is not ErrorKind.INVALID_CREDENTIAL:
        assert await env.submit() == "a"


@pytest.mark.parametrize(
    "kind", [ErrorKind.CONTENT_REFUSED, ErrorKind.INVALID_REQUEST, ErrorKind.UPSTREAM_ERROR, ErrorKind.ANSWER_LOST]
)
async def test_other_errors_leave_the_account_available(kind: ErrorKind) -> None:
    env = PoolFixture(A)
    await env.submit(provider_error(kind))
    assert env.state(A) is AccountState.READY
    assert env.pool.record(A).failed == 0


async def test_model_not_open_to_an_account_leaves_it_the_others() -> None:
    env = PoolFixture(A)
    await env.submit(provider_error(ErrorKind.NOT_ENTITLED))
    assert await env.submit() == ""
    assert await env.submit(model="another") == "a"


class TestQueryResults:
    async def test_rejected_credential_pauses_until_a_query_succeeds(self) -> None:
        env = PoolFixture(A)
        env.pool.on_results(A, {"t": provider_error(ErrorKind.INVALID_CREDENTIAL)}, env.clock.monotonic())
        assert env.state(A) is AccountState.EXPIRED
        env.pool.on_results(A, {"t": provider_error(ErrorKind.TASK_NOT_FOUND)}, env.clock.monotonic())
        assert env.state(A) is AccountState.READY

    async def test_restriction_in_a_query_pauses_the_account_and_a_query_does_not_end_it(self) -> None:
        env = PoolFixture(A)
        env.pool.on_results(A, {"t": provider_error(ErrorKind.RESTRICTED)}, env.clock.monotonic())
        env.pool.on_results(A, {"t": finished("t")}, env.clock.monotonic())
        assert env.state(A) is AccountState.RESTRICTED

    @pytest.mark.parametrize(
        "kind", [ErrorKind.RATE_LIMITED, ErrorKind.UNREACHABLE, ErrorKind.UPSTREAM_ERROR, ErrorKind.ANSWER_LOST]
    )
    async def test_rate_limit_of_queries_does_not_affect_submits(self, kind: ErrorKind) -> None:
        env = PoolFixture(A)
        env.pool.on_results(A, {"t": provider_error(kind)}, env.clock.monotonic())
        assert env.state(A) is AccountState.READY


class TestRejectedCredentials:
    async def test_check_is_due_once_in_ten_minutes(self) -> None:
        env = PoolFixture(A)
        await env.submit(provider_error(ErrorKind.INVALID_CREDENTIAL))
        assert env.pool.is_expired(A)
        assert not env.pool.claim_check(A)
        env.clock.move(600)
        assert env.pool.claim_check(A)
        assert not env.pool.claim_check(A)
        assert await env.submit() == ""
        env.clock.move(600)
        assert env.pool.claim_check(A)

    async def test_valid_credential_makes_the_account_available(self) -> None:
        env = PoolFixture(A)
        await env.submit(provider_error(ErrorKind.INVALID_CREDENTIAL))
        env.pool.record_login(A, sent_at=env.clock.monotonic())
        assert await env.submit() == "a"

    async def test_new_credential_resets_health_and_keeps_the_counts(self) -> None:
        env = PoolFixture(A)
        await env.submit("t1")
        await env.submit(provider_error(ErrorKind.INVALID_CREDENTIAL))
        renewed = Account("scripted", "s-another", name="a")
        env.pool.manage([ManagedAccount(renewed)])
        env.accounts = [renewed]
        assert await env.submit("t2") == "a"
        assert (env.pool.record(renewed).submitted, env.pool.record(renewed).failed) == (2, 1)


class TestReplacedCredentials:
    """Results of calls with the old credential do not count for the new one."""

    OLD, NEW = Account("scripted", "s-old", name="a"), Account("scripted", "s-new", name="a")

    async def test_error_of_the_old_credential_does_not_pause_the_new_one(self) -> None:
        env = PoolFixture(self.OLD)
        lease = await env.pool.take(env.accounts, MODEL, set())
        env.pool.manage([ManagedAccount(self.NEW)])
        assert lease
        with lease:
            lease.failed(provider_error(ErrorKind.INVALID_CREDENTIAL))
        env.pool.on_results(self.OLD, {"t": provider_error(ErrorKind.INVALID_CREDENTIAL)}, env.clock.monotonic())
        assert env.state(self.NEW) is AccountState.READY

    async def test_success_of_the_old_credential_does_not_prove_the_new_one(self) -> None:
        env = PoolFixture(self.NEW)
        await env.submit(provider_error(ErrorKind.INVALID_CREDENTIAL))
        env.pool.on_results(self.OLD, {"t": finished("t")}, env.clock.monotonic())
        env.pool.record_login(self.OLD, sent_at=env.clock.monotonic())
        assert env.state(self.NEW) is AccountState.EXPIRED

    async def test_new_cookie_resets_health(self) -> None:
        env = PoolFixture(self.OLD)
        await env.submit(provider_error(ErrorKind.INVALID_CREDENTIAL))
        env.pool.manage([ManagedAccount(replace(self.OLD, cookie="sessionid=new"))])
        assert env.state(replace(self.OLD, cookie="sessionid=new")) is AccountState.READY


class TestReload:
    async def test_returning_account_keeps_its_record(self) -> None:
        env = PoolFixture(A, B)
        await env.submit(provider_error(ErrorKind.RESTRICTED))
        env.pool.manage([ManagedAccount(B)])
        env.pool.manage([ManagedAccount(A), ManagedAccount(B)])
        assert env.state(A) is AccountState.RESTRICTED
        assert env.pool.record(A).label == "a"

    async def test_new_weights_apply_at_once(self) -> None:
        env = PoolFixture(A, B, C)
        env.pool.manage([ManagedAccount(A), ManagedAccount(B, 1000), ManagedAccount(C)], RoundRobin())
        for number in range(50):
            await env.submit(f"t{number}")
        env.pool.manage([ManagedAccount(one) for one in (A, B, C)], RoundRobin())
        assert sorted([await env.submit("u") for _ in range(6)]) == ["a", "a", "b", "b", "c", "c"]

    async def test_record_of_an_account_survives_a_reload(self) -> None:
        env = PoolFixture(A, B)
        await env.submit(provider_error(ErrorKind.RESTRICTED))
        env.pool.manage([ManagedAccount(B), ManagedAccount(A, weight=3)])
        assert env.state(A) is AccountState.RESTRICTED
        assert env.pool.record(A).weight == 3

    async def test_account_without_weight_takes_no_submit(self) -> None:
        env = PoolFixture(ManagedAccount(A, weight=0), B)
        assert await env.submit() == "b"
        assert env.state(A) is AccountState.PAUSED

    async def test_pause_and_resume(self) -> None:
        env = PoolFixture(A)
        await env.submit(provider_error(ErrorKind.RESTRICTED))
        env.pool.pause(A)
        assert env.state(A) is AccountState.PAUSED
        env.pool.resume(A)
        assert await env.submit() == "a"

    async def test_balance_ends_the_pause(self) -> None:
        env = PoolFixture(A)
        await env.submit(provider_error(ErrorKind.NO_CREDITS))
        env.pool.record_credits(A, Credits())
        assert env.state(A) is AccountState.NO_CREDITS
        env.pool.record_credits(A, Credits(gift=3, vip=60))
        assert env.state(A) is AccountState.READY


async def test_failed_proxy_is_a_last_resort_and_does_not_count_against_the_account() -> None:
    by_proxy = Account("scripted", "s-p", name="p", proxy="http://proxy:1")
    env = PoolFixture(by_proxy, B)
    assert await env.submit(provider_error(ErrorKind.UNREACHABLE)) == "p"
    assert env.state(by_proxy) is AccountState.UNREACHABLE
    assert env.pool.record(by_proxy).failed == 0
    assert await env.submit() == "b"
    assert await env.submit(tried=[B.id]) == "p"
    env.clock.move(PROXY_PAUSE_SECONDS)
    assert await env.submit() == "p"


class TestPassThroughAccounts:
    """The accounts of pass-through callers."""

    async def test_record_of_a_returning_guest_is_kept(self) -> None:
        env = PoolFixture()
        env.accounts = [Account("scripted", "s-guest")]
        await env.submit(provider_error(ErrorKind.RESTRICTED))
        assert env.state(Account("scripted", "s-guest")) is AccountState.RESTRICTED

    async def test_number_of_guest_records_is_limited_and_managed_ones_stay(self) -> None:
        env = PoolFixture(A)
        await env.submit(provider_error(ErrorKind.RESTRICTED))
        for number in range(MAX_UNKNOWN_RECORDS + 500):
            env.pool.on_results(
                Account("scripted", f"s-{number}"),
                {"t": provider_error(ErrorKind.INVALID_CREDENTIAL)},
                env.clock.monotonic(),
            )
        assert len(env.pool) == MAX_UNKNOWN_RECORDS + 1
        assert env.state(A) is AccountState.RESTRICTED

    async def test_poll_alone_creates_no_record(self) -> None:
        env = PoolFixture()
        env.pool.on_results(Account("scripted", "s-guest"), {"t": finished("t")}, env.clock.monotonic())
        assert len(env.pool) == 0


async def test_no_credential_is_stored_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    env = PoolFixture(A)
    with caplog.at_level(logging.WARNING, "gateway"):
        await env.submit(provider_error(ErrorKind.RESTRICTED, "1019"))
    record = caplog.records[-1]
    assert record.getMessage() == "account paused"
    fields = getattr(record, "fields", {})
    assert (fields["account"], fields["reason"], fields["code"]) == ("a", "restricted", "1019")
    assert "secret" not in f"{fields} {env.pool.record(A)}"


async def test_stored_error_keeps_no_request_in_memory() -> None:
    class Large:
        pass

    def fail() -> ProviderError:
        large = Large()
        try:
            raise provider_error(ErrorKind.RESTRICTED)
        except ProviderError as error:
            assert large
            return error

    env = PoolFixture(A)
    await env.submit(fail())
    gc.collect()
    assert not [found for found in gc.get_objects() if isinstance(found, Large)]


def ends_of(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    """The fields of each line about the end of a pause."""
    return [vars(one)["fields"] for one in caplog.records if one.getMessage() == "account pause ended"]


async def test_end_of_a_pause_by_time_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    env = PoolFixture(A)
    with caplog.at_level(logging.INFO, "gateway"):
        await env.submit(provider_error(ErrorKind.RATE_LIMITED))
        env.clock.move(29)
        assert ends_of(caplog) == []
        env.clock.move(2)
        await env.submit()
        assert ends_of(caplog) == [{"account": "a", "provider": "scripted", "reason": "rate_limited", "seconds": 30}]


async def test_end_of_a_pause_by_a_top_up_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    env = PoolFixture(A)
    with caplog.at_level(logging.INFO, "gateway"):
        await env.submit(provider_error(ErrorKind.NO_CREDITS))
        env.clock.move(60)
        env.pool.record_top_up(A)
        env.clock.move(86_400)
        assert [(end["reason"], end["seconds"]) for end in ends_of(caplog)] == [("no_credits", 60)]


async def test_pause_that_another_one_outlasts_is_not_over(caplog: pytest.LogCaptureFixture) -> None:
    env = PoolFixture(A)
    with caplog.at_level(logging.INFO, "gateway"):
        env.pool.record_failure(A, provider_error(ErrorKind.RATE_LIMITED), "", sent_at=0)
        env.pool.record_failure(A, provider_error(ErrorKind.RESTRICTED), "", sent_at=0)
        env.clock.move(60)
        assert ends_of(caplog) == []
        env.pool.resume(A)
        assert len(ends_of(caplog)) == 1
