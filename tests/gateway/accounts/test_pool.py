"""The pool: who takes a submit, and what becomes of an account that failed."""

import asyncio
import gc
import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.accounts.health import AccountState
from gateway.accounts.pool import GUESTS, RUNNING_SECONDS, WAY_SECONDS, AccountPool, ManagedAccount
from gateway.accounts.selection import FillFirst, LeastBusy, Policy, RoundRobin
from providers.contract.accounts import Account, Credits
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, TaskState
from tests.clock import TestClock
from tests.upstream import finished, trouble

A, B, C = (Account("scripted", f"s-secret-{letter}", name=letter) for letter in "abc")
MODEL = "model"


class House:
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
        return self.pool.standing(account, model).state


async def test_the_policy_chooses_among_those_that_are_ready() -> None:
    house = House(A, B, policy=None)
    house.pool.manage([ManagedAccount(A), ManagedAccount(B)])
    assert await house.submit() == "a"
    assert await house.submit(tried=[A.tag]) == "b"
    assert await house.submit(tried=[A.tag, B.tag]) == ""


async def test_what_the_configuration_no_longer_has_is_removed() -> None:
    house = House(A, B)
    house.pool.manage([ManagedAccount(replace(B, credential="s-renewed"))])
    assert [house.pool.is_removed(account) for account in (A, B, C)] == [True, False, False]
    house.pool.manage([ManagedAccount(A)])
    assert [house.pool.is_removed(account) for account in (A, B)] == [False, True]


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
async def test_a_failure_of_its_own_sets_an_account_aside(kind: ErrorKind, state: AccountState) -> None:
    house = House(A, B)
    assert await house.submit(trouble(kind, "7")) == "a"
    assert house.state(A) is state
    assert await house.submit() == "b"
    standing = house.pool.standing(A, MODEL)
    assert standing.error is not None
    assert (standing.error.kind, standing.error.code) == (kind, "7")
    assert standing.until is not None
    house.clock.move(standing.until - house.clock.now())
    if kind is not ErrorKind.INVALID_CREDENTIAL:
        assert await house.submit() == "a"


@pytest.mark.parametrize(
    "kind", [ErrorKind.CONTENT_REFUSED, ErrorKind.INVALID_REQUEST, ErrorKind.UPSTREAM_ERROR, ErrorKind.ANSWER_LOST]
)
async def test_what_is_not_its_fault_does_not(kind: ErrorKind) -> None:
    house = House(A)
    await house.submit(trouble(kind))
    assert house.state(A) is AccountState.READY
    assert house.pool.seat(A).failed == 0


async def test_a_model_that_is_closed_to_it_leaves_it_the_others() -> None:
    house = House(A)
    await house.submit(trouble(ErrorKind.NOT_ENTITLED))
    assert await house.submit() == ""
    assert await house.submit(model="another") == "a"


class TestTrials:
    """Of an account that is new or was in trouble nobody knows what it will say."""

    async def test_one_submit_finds_out_and_the_others_go_elsewhere(self) -> None:
        house = House(A, B)
        first = await house.pool.take(house.accounts, MODEL, set())
        assert first
        with first:
            assert await house.submit() == "b"
            first.submitted("t")
        assert await house.submit() == "a"

    async def test_where_there_is_no_other_they_wait_for_what_it_finds(self) -> None:
        house = House(A, patience=5)
        first = await house.pool.take(house.accounts, MODEL, set())
        assert first
        with first:
            others = [asyncio.ensure_future(house.submit()) for _ in range(3)]
            await asyncio.sleep(0.01)
            assert not any(other.done() for other in others)
            first.failed(trouble(ErrorKind.RESTRICTED))
        assert await asyncio.gather(*others) == ["", "", ""]

    async def test_once_it_is_proven_they_all_go(self) -> None:
        house = House(A, patience=5)
        await house.submit()
        leases = [await house.pool.take(house.accounts, MODEL, set()) for _ in range(3)]
        assert all(leases)

    async def test_after_some_patience_a_second_one_tries_and_the_others_wait_for_that(self) -> None:
        house = House(A, patience=0.02, longest_wait=0.1)
        first = await house.pool.take(house.accounts, MODEL, set())
        assert first
        with first:
            second = await house.pool.take(house.accounts, MODEL, set())
            assert second
            with second:
                assert house.pool.seat(A).busy == 2
                others = [asyncio.ensure_future(house.submit()) for _ in range(3)]
                await asyncio.sleep(0.005)
                assert not any(other.done() for other in others)
                second.submitted("t")
        assert await asyncio.gather(*others) == ["a", "a", "a"]

    async def test_nobody_waits_for_ever(self) -> None:
        house = House(A, patience=5, longest_wait=0.02)
        first = await house.pool.take(house.accounts, MODEL, set())
        assert first
        with first:
            assert await house.submit() == ""

    async def test_a_submit_that_was_cancelled_gives_the_place_back(self) -> None:
        house = House(A, patience=5)
        lease = await house.pool.take(house.accounts, MODEL, set())
        assert lease
        with pytest.raises(asyncio.CancelledError), lease:
            raise asyncio.CancelledError
        assert house.pool.seat(A).busy == 0
        assert await house.submit() == "a"

    @pytest.mark.parametrize("kind", [ErrorKind.INVALID_REQUEST, ErrorKind.MODEL_NOT_FOUND])
    async def test_what_may_never_have_been_sent_proves_nothing(self, kind: ErrorKind) -> None:
        house = House(A)
        await house.submit(trouble(kind))
        assert not house.pool.seat(A).health.proven

    async def test_refused_content_proves_a_login(self) -> None:
        house = House(A)
        await house.submit(trouble(ErrorKind.CONTENT_REFUSED))
        assert house.pool.seat(A).health.proven


class TestRunningTasks:
    async def test_as_many_as_are_allowed(self) -> None:
        house = House(ManagedAccount(A, max_running=2), B)
        assert [await house.submit(f"t{number}") for number in range(3)] == ["a", "a", "b"]
        assert house.state(A) is AccountState.FULL

    async def test_a_task_that_ended_makes_room(self) -> None:
        house = House(ManagedAccount(A, max_running=1), B)
        await house.submit("t1")
        house.pool.heard(A, {"t1": TaskState("t1", Phase.PROCESSING)}, house.clock.now())
        assert house.state(A) is AccountState.FULL
        house.pool.heard(A, {"t1": finished("t1")}, house.clock.now())
        assert await house.submit() == "a"

    async def test_so_does_one_after_the_upstream_said_that_too_many_run(self) -> None:
        house = House(A)
        await house.submit("t1")
        await house.submit(trouble(ErrorKind.TOO_MANY_RUNNING))
        assert await house.submit() == ""
        house.pool.heard(A, {"t1": finished("t1")}, house.clock.now())
        assert await house.submit() == "a"

    async def test_tasks_that_nobody_polls_here_are_forgotten(self) -> None:
        house = House(ManagedAccount(A, max_running=1))
        await house.submit("t1")
        house.clock.move(RUNNING_SECONDS)
        assert await house.submit() == "a"

    async def test_what_fills_an_account_is_looked_at_now_and_then(self) -> None:
        house = House(ManagedAccount(A, max_running=1), B)
        await house.submit("t1")
        assert house.pool.unseen(house.accounts, every=5, most=10) == {A: ["t1"]}
        assert house.pool.unseen(house.accounts, every=5, most=10) == {}
        house.clock.move(5)
        assert house.pool.unseen(house.accounts, every=5, most=10) == {A: ["t1"]}

    async def test_the_least_busy_is_told_by_them(self) -> None:
        house = House(A, B, policy=LeastBusy())
        took = {f"t{number}": await house.submit(f"t{number}") for number in range(4)}
        assert sorted(took.values()) == ["a", "a", "b", "b"]
        house.pool.heard(B, {id: finished(id) for id, name in took.items() if name == "b"}, house.clock.now())
        assert [await house.submit(f"u{number}") for number in range(2)] == ["b", "b"]


class TestWhatQueriesTell:
    async def test_a_refused_login_sets_the_account_aside_and_an_answer_brings_it_back(self) -> None:
        house = House(A)
        house.pool.heard(A, {"t": trouble(ErrorKind.INVALID_CREDENTIAL)}, house.clock.now())
        assert house.state(A) is AccountState.EXPIRED
        house.pool.heard(A, {"t": trouble(ErrorKind.TASK_NOT_FOUND)}, house.clock.now())
        assert house.state(A) is AccountState.READY

    async def test_risk_control_does_and_no_answer_brings_it_back(self) -> None:
        house = House(A)
        house.pool.heard(A, {"t": trouble(ErrorKind.RESTRICTED)}, house.clock.now())
        house.pool.heard(A, {"t": finished("t")}, house.clock.now())
        assert house.state(A) is AccountState.RESTRICTED

    @pytest.mark.parametrize(
        "kind", [ErrorKind.RATE_LIMITED, ErrorKind.UNREACHABLE, ErrorKind.UPSTREAM_ERROR, ErrorKind.ANSWER_LOST]
    )
    async def test_the_budget_of_queries_is_none_of_the_submits_business(self, kind: ErrorKind) -> None:
        house = House(A)
        house.pool.heard(A, {"t": trouble(kind)}, house.clock.now())
        assert house.state(A) is AccountState.READY


class TestExpiredLogins:
    async def test_they_are_due_once_in_ten_minutes(self) -> None:
        house = House(A)
        await house.submit(trouble(ErrorKind.INVALID_CREDENTIAL))
        assert house.pool.expired(A)
        assert not house.pool.due(A)
        house.clock.move(600)
        assert house.pool.due(A)
        assert not house.pool.due(A)
        assert await house.submit() == ""
        house.clock.move(600)
        assert house.pool.due(A)

    async def test_a_login_that_is_alive_is_used_again(self) -> None:
        house = House(A)
        await house.submit(trouble(ErrorKind.INVALID_CREDENTIAL))
        house.pool.logged_in(A, sent_at=house.clock.now())
        assert await house.submit() == "a"

    async def test_a_new_credential_is_a_new_login_and_keeps_the_counts(self) -> None:
        house = House(A)
        await house.submit("t1")
        await house.submit(trouble(ErrorKind.INVALID_CREDENTIAL))
        renewed = Account("scripted", "s-another", name="a")
        house.pool.manage([ManagedAccount(renewed)])
        house.accounts = [renewed]
        assert await house.submit("t2") == "a"
        assert (house.pool.seat(renewed).submitted, house.pool.seat(renewed).failed) == (2, 1)


class TestReplacedCredentials:
    """News of the old credential are no news of the new one."""

    OLD, NEW = Account("scripted", "s-old", name="a"), Account("scripted", "s-new", name="a")

    async def test_its_refusals_do_not_condemn_the_new_one(self) -> None:
        house = House(self.OLD)
        lease = await house.pool.take(house.accounts, MODEL, set())
        house.pool.manage([ManagedAccount(self.NEW)])
        assert lease
        with lease:
            lease.failed(trouble(ErrorKind.INVALID_CREDENTIAL))
        house.pool.heard(self.OLD, {"t": trouble(ErrorKind.INVALID_CREDENTIAL)}, house.clock.now())
        assert house.state(self.NEW) is AccountState.READY

    async def test_its_answers_do_not_absolve_the_new_one(self) -> None:
        house = House(self.NEW)
        await house.submit(trouble(ErrorKind.INVALID_CREDENTIAL))
        house.pool.heard(self.OLD, {"t": finished("t")}, house.clock.now())
        house.pool.logged_in(self.OLD, sent_at=house.clock.now())
        assert house.state(self.NEW) is AccountState.EXPIRED

    async def test_a_new_cookie_is_a_new_login(self) -> None:
        house = House(self.OLD)
        await house.submit(trouble(ErrorKind.INVALID_CREDENTIAL))
        house.pool.manage([ManagedAccount(replace(self.OLD, cookie="sessionid=new"))])
        assert house.state(replace(self.OLD, cookie="sessionid=new")) is AccountState.READY


class TestManaging:
    async def test_an_account_that_comes_back_is_what_it_was(self) -> None:
        house = House(A, B)
        await house.submit(trouble(ErrorKind.RESTRICTED))
        house.pool.manage([ManagedAccount(B)])
        house.pool.manage([ManagedAccount(A), ManagedAccount(B)])
        assert house.state(A) is AccountState.RESTRICTED
        assert house.pool.seat(A).label == "a"

    async def test_new_weights_count_at_once(self) -> None:
        house = House(A, B, C)
        house.pool.manage([ManagedAccount(A), ManagedAccount(B, 1000), ManagedAccount(C)], RoundRobin())
        for number in range(50):
            await house.submit(f"t{number}")
        house.pool.manage([ManagedAccount(one) for one in (A, B, C)], RoundRobin())
        assert sorted([await house.submit("u") for _ in range(6)]) == ["a", "a", "b", "b", "c", "c"]

    async def test_what_is_known_of_an_account_outlives_a_new_configuration(self) -> None:
        house = House(A, B)
        await house.submit(trouble(ErrorKind.RESTRICTED))
        house.pool.manage([ManagedAccount(B), ManagedAccount(A, weight=3)])
        assert house.state(A) is AccountState.RESTRICTED
        assert house.pool.seat(A).weight == 3

    async def test_an_account_without_weight_takes_nothing(self) -> None:
        house = House(ManagedAccount(A, weight=0), B)
        assert await house.submit() == "b"
        assert house.state(A) is AccountState.PAUSED

    async def test_pause_and_resume(self) -> None:
        house = House(A)
        await house.submit(trouble(ErrorKind.RESTRICTED))
        house.pool.pause(A)
        assert house.state(A) is AccountState.PAUSED
        house.pool.resume(A)
        assert await house.submit() == "a"

    async def test_credits_that_are_seen_end_the_pause(self) -> None:
        house = House(A)
        await house.submit(trouble(ErrorKind.NO_CREDITS))
        house.pool.saw_credits(A, Credits(gift=3))
        house.pool.saw_credits(A, Credits(gift=3))
        assert house.state(A) is AccountState.NO_CREDITS
        house.pool.saw_credits(A, Credits(gift=3, vip=60))
        assert house.state(A) is AccountState.READY


async def test_a_proxy_that_leads_nowhere_is_the_last_choice_and_no_fault_of_the_account() -> None:
    by_proxy = Account("scripted", "s-p", name="p", proxy="http://proxy:1")
    house = House(by_proxy, B)
    assert await house.submit(trouble(ErrorKind.UNREACHABLE)) == "p"
    assert house.state(by_proxy) is AccountState.UNREACHABLE
    assert house.pool.seat(by_proxy).failed == 0
    assert await house.submit() == "b"
    assert await house.submit(tried=[B.tag]) == "p"
    house.clock.move(WAY_SECONDS)
    assert await house.submit() == "p"


class TestGuests:
    """Accounts that pass-through callers bring along."""

    async def test_they_are_known_when_they_come_back(self) -> None:
        house = House()
        house.accounts = [Account("scripted", "s-guest")]
        await house.submit(trouble(ErrorKind.RESTRICTED))
        assert house.state(Account("scripted", "s-guest")) is AccountState.RESTRICTED

    async def test_any_number_of_them_takes_bounded_room_and_the_managed_ones_stay(self) -> None:
        house = House(A)
        await house.submit(trouble(ErrorKind.RESTRICTED))
        for number in range(GUESTS + 500):
            house.pool.heard(
                Account("scripted", f"s-{number}"), {"t": trouble(ErrorKind.INVALID_CREDENTIAL)}, house.clock.now()
            )
        assert len(house.pool) == GUESTS + 1
        assert house.state(A) is AccountState.RESTRICTED

    async def test_a_poll_alone_leaves_nothing_behind(self) -> None:
        house = House()
        house.pool.heard(Account("scripted", "s-guest"), {"t": finished("t")}, house.clock.now())
        assert len(house.pool) == 0


async def test_no_credential_is_kept_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    house = House(A)
    with caplog.at_level(logging.WARNING, "gateway"):
        await house.submit(trouble(ErrorKind.RESTRICTED, "1019"))
    record = caplog.records[-1]
    assert record.getMessage() == "an account rests"
    fields = getattr(record, "fields", {})
    assert (fields["account"], fields["reason"], fields["code"]) == ("a", "restricted", "1019")
    assert "secret" not in f"{fields} {house.pool.seat(A)}"


async def test_what_is_kept_of_an_error_holds_no_request_alive() -> None:
    class Large:
        pass

    def fail() -> ProviderError:
        large = Large()
        try:
            raise trouble(ErrorKind.RESTRICTED)
        except ProviderError as error:
            assert large
            return error

    house = House(A)
    await house.submit(fail())
    gc.collect()
    assert not [found for found in gc.get_objects() if isinstance(found, Large)]
