"""Marks in submit keys: they tell whose task it is, and are the same on every replica."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.callers import Caller
from gateway.places import Places
from gateway.task_ids import derived_key
from providers.contract import Account, VideoRequest
from providers.registry import Registry
from tests.upstream import ScriptedProvider

ONE, TWO = Account("scripted", "s-1"), Account("scripted", "s-2")
ALICE, BOB = (Caller((ONE, TWO), managed=True, owner=letter * 12) for letter in "ab")
PASSING = Caller((ONE, TWO))
REGISTRY = Registry([ScriptedProvider()])
PLACES = Places(REGISTRY, [derived_key("secret")])


def test_a_key_is_a_uuid_and_the_same_on_every_replica() -> None:
    replica = Places(REGISTRY, [derived_key("secret")])
    for caller in (ALICE, PASSING):
        key = PLACES.submit_key(caller, ONE, "seed")
        assert key == replica.submit_key(caller, ONE, "seed")
        assert uuid.UUID(key).version == 4
        assert uuid.UUID(key).variant == uuid.RFC_4122


def test_it_differs_by_owner_account_and_seed() -> None:
    keys = {
        PLACES.submit_key(caller, account, seed)
        for caller in (ALICE, BOB, PASSING)
        for account in (ONE, TWO)
        for seed in ("x", "y")
    }
    assert len(keys) == 12


@given(st.text(max_size=80))
def test_its_maker_knows_it_and_nobody_else(seed: str) -> None:
    key = PLACES.submit_key(ALICE, ONE, seed)
    assert PLACES.made(ALICE, ONE, key)
    assert not PLACES.made(BOB, ONE, key)
    assert not PLACES.made(PASSING, ONE, key)


def test_an_older_secret_still_counts() -> None:
    key = Places(REGISTRY, [derived_key("old")]).submit_key(ALICE, ONE, "x")
    assert Places(REGISTRY, [derived_key("new"), derived_key("old")]).made(ALICE, ONE, key)
    assert not Places(REGISTRY, [derived_key("new")]).made(ALICE, ONE, key)


def test_a_named_account_keeps_its_tasks_when_its_credential_is_replaced() -> None:
    old, new = Account("scripted", "s-old", name="one"), Account("scripted", "s-new", name="one")
    before, after = (Caller((account,), managed=True, owner="a" * 12) for account in (old, new))
    id = PLACES.public_id(before, old, "scripted-1", VideoRequest("m"), 1, sealed=True)
    place = PLACES.find(after, id)
    assert place
    assert place.account is new
    assert PLACES.submit_key(before, old, "x") == PLACES.submit_key(after, new, "x")


@pytest.mark.parametrize("key", ["", "x", "459e5298-8f07-4781-86bc-580c0cde403e", "0" * 32])
def test_keys_of_others_are_nobodys(key: str) -> None:
    assert not PLACES.made(ALICE, ONE, key)
