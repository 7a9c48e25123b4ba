"""Submit keys: deterministic on every replica, with a MAC that identifies the owner."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.accounts.callers import Caller
from gateway.task_ids.signed import derived_key
from gateway.task_ids.submit_keys import MacKeys, SubmitKeys, is_own_submit_key
from providers.contract.accounts import Account

ONE, TWO = Account("scripted", "s-1"), Account("scripted", "s-2")
ALICE, BOB = (Caller((ONE, TWO), managed=True, owner=letter * 12) for letter in "ab")
PASS_THROUGH = Caller((ONE, TWO))


def mac_keys(*secrets: str) -> MacKeys:
    return MacKeys([derived_key(secret) for secret in secrets], b"process key")


KEYS = mac_keys("secret")


def key_of(keys: MacKeys, caller: Caller, account: Account, seed: str) -> str:
    return next(SubmitKeys(keys, caller, seed).of(account))


def test_submit_key_is_a_uuid_and_the_same_on_every_replica() -> None:
    for caller in (ALICE, PASS_THROUGH):
        key = key_of(KEYS, caller, ONE, "seed")
        assert key == key_of(mac_keys("secret"), caller, ONE, "seed")
        assert uuid.UUID(key).version == 4
        assert uuid.UUID(key).variant == uuid.RFC_4122


def test_submit_key_differs_by_owner_account_and_seed() -> None:
    keys = {
        key_of(KEYS, caller, account, seed)
        for caller in (ALICE, BOB, PASS_THROUGH)
        for account in (ONE, TWO)
        for seed in ("x", "y")
    }
    assert len(keys) == 12


@given(st.text(max_size=80))
def test_submit_key_is_recognized_by_its_owner_only(seed: str) -> None:
    key = key_of(KEYS, ALICE, ONE, seed)
    assert is_own_submit_key(KEYS, ALICE, ONE, key)
    assert not is_own_submit_key(KEYS, BOB, ONE, key)
    assert not is_own_submit_key(KEYS, PASS_THROUGH, ONE, key)


def test_submit_key_of_an_older_secret_is_recognized() -> None:
    key = key_of(mac_keys("old"), ALICE, ONE, "x")
    assert is_own_submit_key(mac_keys("new", "old"), ALICE, ONE, key)
    assert not is_own_submit_key(mac_keys("new"), ALICE, ONE, key)


def test_submit_keys_of_older_secrets_follow_after_a_rotation() -> None:
    before = key_of(mac_keys("old"), ALICE, ONE, "x")
    assert list(SubmitKeys(mac_keys("new", "old"), ALICE, "x").of(ONE))[1] == before


def test_submit_key_of_a_named_account_stays_when_its_credential_is_replaced() -> None:
    old, new = Account("scripted", "s-old", name="one"), Account("scripted", "s-new", name="one")
    assert key_of(KEYS, ALICE, old, "x") == key_of(KEYS, ALICE, new, "x")


def test_submit_keys_include_the_one_before_the_account_had_a_name() -> None:
    unnamed, named = Account("scripted", "s-1"), Account("scripted", "s-1", name="one")
    before = key_of(KEYS, ALICE, unnamed, "x")
    keys = list(SubmitKeys(KEYS, ALICE, "x").of(named))
    assert keys[0] != before
    assert before in keys


@pytest.mark.parametrize("key", ["", "x", "459e5298-8f07-4781-86bc-580c0cde403e", "0" * 32])
def test_foreign_submit_key_is_not_recognized(key: str) -> None:
    assert not is_own_submit_key(KEYS, ALICE, ONE, key)
