"""Account pool: which account takes a submit, and the status of an account after a failure."""

import asyncio
import gc
import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.accounts.health import AccountState
from gateway.accounts.lease import RUNNING_SECONDS
from gateway.accounts.pool import GUESTS, PROXY_PAUSE_SECONDS, AccountPool, ManagedAccount
from gateway.accounts.selection import FillFirst, LeastBusy, Policy, RoundRobin
from providers.contract.accounts import Account, Credits
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, TaskState
from tests.clock import TestClock
from tests.upstream import finished, provider_error

A, B, C = (Account("scripted", f"s-secret-{letter}", name=letter) for letter in "abc")
MODEL = "model"


class ManagedPool:
    """A pool of managed accounts and a clock. No gateway: `bootstrap` takes no `patience` or `longest_wait`, and a pool
    depends on a clock only."""

    def __init__(
        self,
        *managed: ManagedAccount | Account,
        policy: Policy | None = None,
        patience: float = 0.05,
        longest_wait: float = 5.0,
    ) -> None:
        self.clock = TestClock()
        self.pool = AccountPool(
            self.clock, policy or FillFirst(), spread=lambda: 0.0, patience=patience, longest_wait=longest_wait
        )
        self.accounts = [one.account if isinstance(one, ManagedAccount) else one for one in managed]
        self.pool.manage([one if isinstance(one, ManagedAccount) else ManagedAccount(one) for one in managed])

    async def submit(self, outcome: str | ProviderError = "t", *, model: str = MODEL, tried: Sequence[str] = ()) -> str:
        """The name of the account that took a submit, "" where none did."""
        lease = await self.pool.take(self.accounts, model, set(tried))
        if lease is None:
            return ""
        with lease:
            if isinstance(outcome, ProviderError):
                lease.failed(outcome)
            else:
                lease.submitted(outcome)
        return lease.account.name

    def state(self, account: Account, model: str = MODEL) -> AccountState:
        return self.pool.status(account, model).state


async def test_policy_selects_among_available_accounts() -> None:
    env = ManagedPool(A, B, policy=None)
    env.pool.manage([ManagedAccount(A), ManagedAccount(B)])
    assert await env.submit() == "a"
    assert await env.submit(tried=[A.tag]) == "b"
    assert await env.submit(tried=[A.tag, B.tag]) == ""


async def test_accounts_missing_from_the_configuration_are_removed() -> None:
    env = ManagedPool(A, B)
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
    env = ManagedPool(A, B)
    assert await env.submit(provider_error(kind, "7")) == "a"
    assert env.state(A) is state
    assert await env.submit() == "b"
    status = env.pool.status(A, MODEL)
    assert status.error is not None
    assert (status.error.kind, status.error.code) == (kind, "7")
    assert status.until is not None
    env.clock.move(status.until - env.clock.now())
    if kind is not ErrorKind.INVALID_CREDENTIAL:
        assert await env.submit() == "a"


@pytest.mark.parametrize(
    "kind", [ErrorKind.CONTENT_REFUSED, ErrorKind.INVALID_REQUEST, ErrorKind.UPSTREAM_ERROR, ErrorKind.ANSWER_LOST]
)
async def test_other_errors_leave_the_account_available(kind: ErrorKind) -> None:
    env = ManagedPool(A)
    await env.submit(provider_error(kind))
    assert env.state(A) is AccountState.READY
    assert env.pool.record(A).failed == 0


async def test_model_not_open_to_an_account_leaves_it_the_others() -> None:
    env = ManagedPool(A)
    await env.submit(provider_error(ErrorKind.NOT_ENTITLED))
    assert await env.submit() == ""
    assert await env.submit(model="another") == "a"


class TestProbes:
    """An account that is new or has failed is half-open: one submit probes it."""

    async def test_one_submit_probes_and_the_others_use_other_accounts(self) -> None:
        env = ManagedPool(A, B)
        first = await env.pool.take(env.accounts, MODEL, set())
        assert first
        with first:
            assert await env.submit() == "b"
            first.submitted("t")
        assert await env.submit() == "a"

    async def test_others_wait_for_the_probe_where_there_is_no_other_account(self) -> None:
        env = ManagedPool(A, patience=5)
        first = await env.pool.take(env.accounts, MODEL, set())
        assert first
        with first:
            others = [asyncio.ensure_future(env.submit()) for _ in range(3)]
            await asyncio.sleep(0.01)
            assert not any(other.done() for other in others)
            first.failed(provider_error(ErrorKind.RESTRICTED))
        assert await asyncio.gather(*others) == ["", "", ""]

    async def test_proven_account_takes_all_submits(self) -> None:
        env = ManagedPool(A, patience=5)
        await env.submit()
        leases = [await env.pool.take(env.accounts, MODEL, set()) for _ in range(3)]
        assert all(leases)

    async def test_second_probe_starts_after_the_patience(self) -> None:
        env = ManagedPool(A, patience=0.02, longest_wait=0.1)
        first = await env.pool.take(env.accounts, MODEL, set())
        assert first
        with first:
            second = await env.pool.take(env.accounts, MODEL, set())
            assert second
            with second:
                assert env.pool.record(A).busy == 2
                others = [asyncio.ensure_future(env.submit()) for _ in range(3)]
                await asyncio.sleep(0.005)
                assert not any(other.done() for other in others)
                second.submitted("t")
        assert await asyncio.gather(*others) == ["a", "a", "a"]

    async def test_wait_for_a_probe_is_limited(self) -> None:
        env = ManagedPool(A, patience=5, longest_wait=0.02)
        first = await env.pool.take(env.accounts, MODEL, set())
        assert first
        with first:
            assert await env.submit() == ""

    async def test_cancelled_submit_releases_the_probe(self) -> None:
        env = ManagedPool(A, patience=5)
        lease = await env.pool.take(env.accounts, MODEL, set())
        assert lease
        with pytest.raises(asyncio.CancelledError), lease:
            raise asyncio.CancelledError
        assert env.pool.record(A).busy == 0
        assert await env.submit() == "a"

    @pytest.mark.parametrize("kind", [ErrorKind.INVALID_REQUEST, ErrorKind.MODEL_NOT_FOUND])
    async def test_unsent_submit_proves_nothing(self, kind: ErrorKind) -> None:
        env = ManagedPool(A)
        await env.submit(provider_error(kind))
        assert not env.pool.record(A).health.is_proven

    async def test_refused_content_proves_the_account(self) -> None:
        env = ManagedPool(A)
        await env.submit(provider_error(ErrorKind.CONTENT_REFUSED))
        assert env.pool.record(A).health.is_proven


class TestRunningTasks:
    async def test_max_running_limits_the_submits(self) -> None:
        env = ManagedPool(ManagedAccount(A, max_running=2), B)
        assert [await env.submit(f"t{number}") for number in range(3)] == ["a", "a", "b"]
        assert env.state(A) is AccountState.FULL

    async def test_ended_task_frees_a_slot(self) -> None:
        env = ManagedPool(ManagedAccount(A, max_running=1), B)
        await env.submit("t1")
        env.pool.on_results(A, {"t1": TaskState("t1", Phase.PROCESSING)}, env.clock.now())
        assert env.state(A) is AccountState.FULL
        env.pool.on_results(A, {"t1": finished("t1")}, env.clock.now())
        assert await env.submit() == "a"

    async def test_ended_task_frees_a_slot_after_too_many_running(self) -> None:
        env = ManagedPool(A)
        await env.submit("t1")
        await env.submit(provider_error(ErrorKind.TOO_MANY_RUNNING))
        assert await env.submit() == ""
        env.pool.on_results(A, {"t1": finished("t1")}, env.clock.now())
        assert await env.submit() == "a"

    async def test_tasks_that_are_not_polled_here_expire(self) -> None:
        env = ManagedPool(ManagedAccount(A, max_running=1))
        await env.submit("t1")
        env.clock.move(RUNNING_SECONDS)
        assert await env.submit() == "a"

    async def test_tasks_that_fill_an_account_are_queried_from_time_to_time(self) -> None:
        env = ManagedPool(ManagedAccount(A, max_running=1), B)
        await env.submit("t1")
        assert env.pool.unseen(env.accounts, every=5, most=10) == {A: ["t1"]}
        assert env.pool.unseen(env.accounts, every=5, most=10) == {}
        env.clock.move(5)
        assert env.pool.unseen(env.accounts, every=5, most=10) == {A: ["t1"]}

    async def test_least_busy_counts_running_tasks(self) -> None:
        env = ManagedPool(A, B, policy=LeastBusy())
        took = {f"t{number}": await env.submit(f"t{number}") for number in range(4)}
        assert sorted(took.values()) == ["a", "a", "b", "b"]
        env.pool.on_results(B, {id: finished(id) for id, name in took.items() if name == "b"}, env.clock.now())
        assert [await env.submit(f"u{number}") for number in range(2)] == ["b", "b"]


class TestQueryResults:
    async def test_rejected_credential_in_a_query_pauses_the_account_until_a_query_succeeds(self) -> None:
        env = ManagedPool(A)
        env.pool.on_results(A, {"t": provider_error(ErrorKind.INVALID_CREDENTIAL)}, env.clock.now())
        assert env.state(A) is AccountState.EXPIRED
        env.pool.on_results(A, {"t": provider_error(ErrorKind.TASK_NOT_FOUND)}, env.clock.now())
        assert env.state(A) is AccountState.READY

    async def test_restriction_in_a_query_pauses_the_account_and_a_query_does_not_end_it(self) -> None:
        env = ManagedPool(A)
        env.pool.on_results(A, {"t": provider_error(ErrorKind.RESTRICTED)}, env.clock.now())
        env.pool.on_results(A, {"t": finished("t")}, env.clock.now())
        assert env.state(A) is AccountState.RESTRICTED

    @pytest.mark.parametrize(
        "kind", [ErrorKind.RATE_LIMITED, ErrorKind.UNREACHABLE, ErrorKind.UPSTREAM_ERROR, ErrorKind.ANSWER_LOST]
    )
    async def test_rate_limit_of_queries_does_not_affect_submits(self, kind: ErrorKind) -> None:
        env = ManagedPool(A)
        env.pool.on_results(A, {"t": provider_error(kind)}, env.clock.now())
        assert env.state(A) is AccountState.READY


class TestRejectedCredentials:
    async def test_check_is_due_once_in_ten_minutes(self) -> None:
        env = ManagedPool(A)
        await env.submit(provider_error(ErrorKind.INVALID_CREDENTIAL))
        assert env.pool.expired(A)
        assert not env.pool.due(A)
        env.clock.move(600)
        assert env.pool.due(A)
        assert not env.pool.due(A)
        assert await env.submit() == ""
        env.clock.move(600)
        assert env.pool.due(A)

    async def test_valid_credential_makes_the_account_available(self) -> None:
        env = ManagedPool(A)
        await env.submit(provider_error(ErrorKind.INVALID_CREDENTIAL))
        env.pool.logged_in(A, sent_at=env.clock.now())
        assert await env.submit() == "a"

    async def test_new_credential_resets_health_and_keeps_the_counts(self) -> None:
        env = ManagedPool(A)
        await env.submit("t1")
        await env.submit(provider_error(ErrorKind.INVALID_CREDENTIAL))
        renewed = Account("scripted", "s-another", name="a")
        env.pool.manage([ManagedAccount(renewed)])
        env.accounts = [renewed]
        assert await env.submit("t2") == "a"
        assert (env.pool.record(renewed).submitted, env.pool.record(renewed).failed) == (2, 1)


class TestReplacedCredentials:
    """Late results of the old credential do not count for the new one."""

    OLD, NEW = Account("scripted", "s-old", name="a"), Account("scripted", "s-new", name="a")

    async def test_error_of_the_old_credential_does_not_pause_the_new_one(self) -> None:
        env = ManagedPool(self.OLD)
        lease = await env.pool.take(env.accounts, MODEL, set())
        env.pool.manage([ManagedAccount(self.NEW)])
        assert lease
        with lease:
            lease.failed(provider_error(ErrorKind.INVALID_CREDENTIAL))
        env.pool.on_results(self.OLD, {"t": provider_error(ErrorKind.INVALID_CREDENTIAL)}, env.clock.now())
        assert env.state(self.NEW) is AccountState.READY

    async def test_success_of_the_old_credential_does_not_prove_the_new_one(self) -> None:
        env = ManagedPool(self.NEW)
        await env.submit(provider_error(ErrorKind.INVALID_CREDENTIAL))
        env.pool.on_results(self.OLD, {"t": finished("t")}, env.clock.now())
        env.pool.logged_in(self.OLD, sent_at=env.clock.now())
        assert env.state(self.NEW) is AccountState.EXPIRED

    async def test_new_cookie_resets_health(self) -> None:
        env = ManagedPool(self.OLD)
        await env.submit(provider_error(ErrorKind.INVALID_CREDENTIAL))
        env.pool.manage([ManagedAccount(replace(self.OLD, cookie="sessionid=new"))])
        assert env.state(replace(self.OLD, cookie="sessionid=new")) is AccountState.READY


class TestReload:
    async def test_returning_account_keeps_its_record(self) -> None:
        env = ManagedPool(A, B)
        await env.submit(provider_error(ErrorKind.RESTRICTED))
        env.pool.manage([ManagedAccount(B)])
        env.pool.manage([ManagedAccount(A), ManagedAccount(B)])
        assert env.state(A) is AccountState.RESTRICTED
        assert env.pool.record(A).label == "a"

    async def test_new_weights_apply_at_once(self) -> None:
        env = ManagedPool(A, B, C)
        env.pool.manage([ManagedAccount(A), ManagedAccount(B, 1000), ManagedAccount(C)], RoundRobin())
        for number in range(50):
            await env.submit(f"t{number}")
        env.pool.manage([ManagedAccount(one) for one in (A, B, C)], RoundRobin())
        assert sorted([await env.submit("u") for _ in range(6)]) == ["a", "a", "b", "b", "c", "c"]

    async def test_record_of_an_account_survives_a_reload(self) -> None:
        env = ManagedPool(A, B)
        await env.submit(provider_error(ErrorKind.RESTRICTED))
        env.pool.manage([ManagedAccount(B), ManagedAccount(A, weight=3)])
        assert env.state(A) is AccountState.RESTRICTED
        assert env.pool.record(A).weight == 3

    async def test_account_without_weight_takes_no_submit(self) -> None:
        env = ManagedPool(ManagedAccount(A, weight=0), B)
        assert await env.submit() == "b"
        assert env.state(A) is AccountState.PAUSED

    async def test_pause_and_resume(self) -> None:
        env = ManagedPool(A)
        await env.submit(provider_error(ErrorKind.RESTRICTED))
        env.pool.pause(A)
        assert env.state(A) is AccountState.PAUSED
        env.pool.resume(A)
        assert await env.submit() == "a"

    async def test_credits_end_the_pause(self) -> None:
        env = ManagedPool(A)
        await env.submit(provider_error(ErrorKind.NO_CREDITS))
        env.pool.saw_credits(A, Credits(gift=3))
        env.pool.saw_credits(A, Credits(gift=3))
        assert env.state(A) is AccountState.NO_CREDITS
        env.pool.saw_credits(A, Credits(gift=3, vip=60))
        assert env.state(A) is AccountState.READY


async def test_failed_proxy_is_a_last_resort_and_does_not_count_against_the_account() -> None:
    by_proxy = Account("scripted", "s-p", name="p", proxy="http://proxy:1")
    env = ManagedPool(by_proxy, B)
    assert await env.submit(provider_error(ErrorKind.UNREACHABLE)) == "p"
    assert env.state(by_proxy) is AccountState.UNREACHABLE
    assert env.pool.record(by_proxy).failed == 0
    assert await env.submit() == "b"
    assert await env.submit(tried=[B.tag]) == "p"
    env.clock.move(PROXY_PAUSE_SECONDS)
    assert await env.submit() == "p"


class TestGuests:
    """Accounts of pass-through callers."""

    async def test_record_of_a_returning_guest_is_kept(self) -> None:
        env = ManagedPool()
        env.accounts = [Account("scripted", "s-guest")]
        await env.submit(provider_error(ErrorKind.RESTRICTED))
        assert env.state(Account("scripted", "s-guest")) is AccountState.RESTRICTED

    async def test_number_of_guest_records_is_limited_and_managed_ones_stay(self) -> None:
        env = ManagedPool(A)
        await env.submit(provider_error(ErrorKind.RESTRICTED))
        for number in range(GUESTS + 500):
            env.pool.on_results(
                Account("scripted", f"s-{number}"), {"t": provider_error(ErrorKind.INVALID_CREDENTIAL)}, env.clock.now()
            )
        assert len(env.pool) == GUESTS + 1
        assert env.state(A) is AccountState.RESTRICTED

    async def test_poll_alone_creates_no_record(self) -> None:
        env = ManagedPool()
        env.pool.on_results(Account("scripted", "s-guest"), {"t": finished("t")}, env.clock.now())
        assert len(env.pool) == 0


async def test_no_credential_is_stored_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    env = ManagedPool(A)
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

    env = ManagedPool(A)
    await env.submit(fail())
    gc.collect()
    assert not [found for found in gc.get_objects() if isinstance(found, Large)]
