"""The usage of all keys, across reloads."""

from typing import Any

from gateway.core.key_limit_settings import KeyLimitSettings
from gateway.limits.key_usages import MAX_FORMER, KeyUsages
from providers.contract.accounts import Account
from providers.contract.tasks import Phase, TaskState
from tests.clock import TestClock

ACCOUNT = Account("scripted", "s-1")


def usages_of(clock: TestClock, *names: str, **settings: Any) -> KeyUsages:
    usages = KeyUsages(clock)
    usages.configure({f"owner-{name}": name for name in names}, KeyLimitSettings(**settings))
    return usages


def submit(usages: KeyUsages, name: str, id: str) -> None:
    with usages.of(f"owner-{name}", name).reserve(5) as reservation:
        reservation.accepted(ACCOUNT.id, id)


def test_keys_have_the_defaults_and_their_own_limits() -> None:
    keys = {"bob": {"submits_per_day": 7, "models": []}, "carol": {"running_tasks": 0}}
    usages = usages_of(
        TestClock(), "alice", "bob", "carol", submits_per_day=3, running_tasks=2, models=["m-*"], keys=keys
    )
    limits = [(one.submits.limit, one.running_tasks.limit, one.allowed.models) for one in usages.configured()]
    assert limits == [(3, 2, ("m-*",)), (7, 2, ()), (3, None, ("m-*",))]


def test_query_ends_a_task_of_its_key_only() -> None:
    usages = usages_of(TestClock(), "alice", "bob")
    submit(usages, "alice", "t1")
    submit(usages, "bob", "t2")
    usages.on_results(ACCOUNT, {"t1": TaskState("t1", Phase.COMPLETED)})
    assert [one.running_tasks.used for one in usages.configured()] == [0, 1]


def test_key_that_is_configured_again_on_the_same_day_has_its_counts() -> None:
    clock = TestClock()
    usages = usages_of(clock, "alice", "bob")
    submit(usages, "alice", "t1")
    usages.configure({"owner-bob": "bob"}, KeyLimitSettings())
    assert [one.name for one in usages.configured()] == ["bob"]
    usages.configure({"owner-alice": "alice"}, KeyLimitSettings(submits_per_day=5))
    assert [one.submits.used for one in usages.configured()] == [1]


def test_former_keys_are_forgotten_when_their_day_is_over() -> None:
    clock = TestClock()
    usages = usages_of(clock, "alice", "bob")
    submit(usages, "alice", "t1")
    usages.configure({}, KeyLimitSettings())
    assert list(usages._usages) == ["owner-alice"]
    clock.move(2 * 86_400)
    usages.configure({}, KeyLimitSettings())
    assert usages._usages == {}
    for number in range(MAX_FORMER + 50):
        submit(usages, f"k{number}", f"t{number}")
    usages.configure({}, KeyLimitSettings())
    assert len(usages._usages) == MAX_FORMER
