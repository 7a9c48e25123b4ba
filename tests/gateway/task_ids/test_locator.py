"""Submit keys: they identify the owner of a task, and are the same on every replica."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.accounts.callers import Caller
from gateway.task_ids.locator import TaskLocator
from providers.contract.accounts import Account
from providers.contract.requests import VideoRequest
from tests.gateway_fixture import GatewayFixture

ONE, TWO = Account("scripted", "s-1"), Account("scripted", "s-2")
ALICE, BOB = (Caller((ONE, TWO), managed=True, owner=letter * 12) for letter in "ab")
PASS_THROUGH = Caller((ONE, TWO))


def locator_of(*secrets: str) -> TaskLocator:
    return GatewayFixture(secret=secrets).locator


LOCATOR = locator_of("secret")


def key_of(locator: TaskLocator, caller: Caller, account: Account, seed: str) -> str:
    return next(locator.submit_keys(caller, account, seed))


def test_submit_key_is_a_uuid_and_the_same_on_every_replica() -> None:
    replica = locator_of("secret")
    for caller in (ALICE, PASS_THROUGH):
        key = key_of(LOCATOR, caller, ONE, "seed")
        assert key == key_of(replica, caller, ONE, "seed")
        assert uuid.UUID(key).version == 4
        assert uuid.UUID(key).variant == uuid.RFC_4122


def test_submit_key_differs_by_owner_account_and_seed() -> None:
    keys = {
        key_of(LOCATOR, caller, account, seed)
        for caller in (ALICE, BOB, PASS_THROUGH)
        for account in (ONE, TWO)
        for seed in ("x", "y")
    }
    assert len(keys) == 12


@given(st.text(max_size=80))
def test_submit_key_is_recognized_by_its_owner_only(seed: str) -> None:
    key = key_of(LOCATOR, ALICE, ONE, seed)
    assert LOCATOR.is_own_submit_key(ALICE, ONE, key)
    assert not LOCATOR.is_own_submit_key(BOB, ONE, key)
    assert not LOCATOR.is_own_submit_key(PASS_THROUGH, ONE, key)


def test_submit_key_of_an_older_secret_is_recognized() -> None:
    key = key_of(locator_of("old"), ALICE, ONE, "x")
    assert locator_of("new", "old").is_own_submit_key(ALICE, ONE, key)
    assert not locator_of("new").is_own_submit_key(ALICE, ONE, key)


async def test_named_account_keeps_its_tasks_when_its_credential_is_replaced() -> None:
    old, new = Account("scripted", "s-old", name="one"), Account("scripted", "s-new", name="one")
    before, after = (Caller((account,), managed=True, owner="a" * 12) for account in (old, new))
    id = LOCATOR.signed_id(before, old, "scripted-1", VideoRequest("m"), 1)
    ref = await LOCATOR.find_one(after, id)
    assert ref
    assert ref.account is new
    assert key_of(LOCATOR, before, old, "x") == key_of(LOCATOR, after, new, "x")


async def test_account_keeps_its_tasks_when_it_is_named() -> None:
    nameless, named = Account("scripted", "s-1"), Account("scripted", "s-1", name="one")
    before, after = (Caller((account,), managed=True, owner="a" * 12) for account in (nameless, named))
    ref = await LOCATOR.find_one(after, LOCATOR.signed_id(before, nameless, "scripted-1", VideoRequest("m"), 1))
    assert ref
    assert ref.account is named


def test_submit_keys_include_those_of_the_unnamed_account() -> None:
    nameless, named = Account("scripted", "s-1"), Account("scripted", "s-1", name="one")
    before = key_of(LOCATOR, ALICE, nameless, "x")
    keys = list(LOCATOR.submit_keys(ALICE, named, "x"))
    assert keys[0] != before
    assert before in keys


def test_repeated_submit_with_fewer_fields_keeps_the_recorded_ones() -> None:
    locator = locator_of("secret")
    locator.signed_id(ALICE, ONE, "scripted-1", VideoRequest("m", duration=5, size="1280x720"), 1)
    locator.signed_id(ALICE, ONE, "scripted-1", VideoRequest("m"), 2)
    remembered = locator.remembered(ONE, "scripted-1", ALICE)
    assert remembered
    assert (remembered.seconds, remembered.width, remembered.created) == (5, 1280, 1)


def test_submit_keys_include_those_of_older_secrets() -> None:
    before = key_of(locator_of("old"), ALICE, ONE, "x")
    rotated = locator_of("new", "old")
    assert list(rotated.submit_keys(ALICE, ONE, "x"))[1] == before


@pytest.mark.parametrize("key", ["", "x", "459e5298-8f07-4781-86bc-580c0cde403e", "0" * 32])
def test_unrelated_submit_key_is_not_recognized(key: str) -> None:
    assert not LOCATOR.is_own_submit_key(ALICE, ONE, key)
