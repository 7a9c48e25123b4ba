"""Public task ids: resolved to the account that owns the task, and cached."""

from typing import Any

import pytest

from gateway.accounts.callers import Caller
from gateway.task_ids.locator import TaskLocator
from providers.contract.accounts import Account
from providers.contract.requests import VideoRequest
from tests.gateway_fixture import GatewayFixture
from tests.upstream import ScriptedProvider


def new_locator() -> TaskLocator:
    return GatewayFixture(secret=("secret",)).locator


async def test_named_account_keeps_its_tasks_when_its_credential_is_replaced() -> None:
    old, new = Account("scripted", "s-old", name="one"), Account("scripted", "s-new", name="one")
    before, after = (Caller((account,), managed=True, owner="a" * 12) for account in (old, new))
    locator = new_locator()
    ref = await locator.find_one(after, locator.signed_id(before, old, "scripted-1", VideoRequest("m"), 1))
    assert ref
    assert ref.account is new


async def test_account_keeps_its_tasks_when_it_is_named() -> None:
    unnamed, named = Account("scripted", "s-1"), Account("scripted", "s-1", name="one")
    before, after = (Caller((account,), managed=True, owner="a" * 12) for account in (unnamed, named))
    locator = new_locator()
    ref = await locator.find_one(after, locator.signed_id(before, unnamed, "scripted-1", VideoRequest("m"), 1))
    assert ref
    assert ref.account is named


def test_retry_does_not_overwrite_the_cached_id() -> None:
    account, locator = Account("scripted", "s-1"), new_locator()
    caller = Caller((account,), managed=True, owner="a" * 12)
    locator.signed_id(caller, account, "scripted-1", VideoRequest("m", duration=5, size="1280x720"), 1)
    locator.signed_id(caller, account, "scripted-1", VideoRequest("m"), 2)
    cached = locator.cached_id(account, "scripted-1", caller)
    assert cached
    assert (cached.seconds, cached.size, cached.created) == (5, "1280x720", 1)


class LateProvider(ScriptedProvider):
    """One that lists a task late, and whose ids tell their time unless they are short."""

    lists_late = True

    def submitted_at(self, native_id: str) -> float | None:
        return None if native_id.endswith("-short") else 1000.0


def test_id_without_a_time_is_signed_where_the_upstream_lists_late() -> None:
    account = Account("scripted", "s-1")
    caller = Caller((account,))
    late = GatewayFixture(LateProvider()).locator
    assert late.needs_signed_id(caller, account, "scripted-short")
    assert not late.needs_signed_id(caller, account, "scripted-1")
    assert not new_locator().needs_signed_id(caller, account, "scripted-short")


MANAGED = Caller((Account("scripted", "s-1"),), managed=True, owner="a" * 12)
PASSING = Caller((Account("scripted", "s-1"),))


def key_of(
    locator: TaskLocator, caller: Caller, upstream_id: str = "scripted-1", created: int = 1, **fields: Any
) -> bytes:
    [account] = caller.accounts
    id = locator.signed_id(caller, account, upstream_id, VideoRequest("m", **fields), created)
    return locator.task_key(caller, id)


@pytest.mark.parametrize("caller", [MANAGED, PASSING], ids=["managed", "pass-through"])
def test_task_key_is_the_same_on_every_replica_and_for_every_id_of_the_task(caller: Caller) -> None:
    key = key_of(new_locator(), caller, created=1, duration=5)
    assert len(key) == 32
    assert key_of(new_locator(), caller, created=2) == key


def test_task_key_of_a_pass_through_caller_needs_no_secret() -> None:
    locators = [GatewayFixture().locator for _ in range(2)]
    assert key_of(locators[0], PASSING) == key_of(locators[1], PASSING)
    assert key_of(locators[0], MANAGED) != key_of(locators[1], MANAGED)


def test_task_keys_differ_by_task_caller_and_secret() -> None:
    locator = new_locator()
    other_owner = Caller(MANAGED.accounts, managed=True, owner="b" * 12)
    keys = {key_of(locator, caller) for caller in (MANAGED, PASSING, other_owner)}
    keys |= {key_of(locator, MANAGED, "scripted-2"), key_of(GatewayFixture(secret=("other",)).locator, MANAGED)}
    assert len(keys) == 5


def test_task_key_of_another_callers_id_is_refused() -> None:
    locator = new_locator()
    id = locator.signed_id(MANAGED, MANAGED.accounts[0], "scripted-1", VideoRequest("m"), 1)
    for text in (id, "scripted-1", "video_x"):
        with pytest.raises(ValueError):
            locator.task_key(Caller((Account("scripted", "s-2"),)), text)
