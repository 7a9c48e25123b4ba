"""Signed ids: round trips, and rejection of everything else."""

import re
import string
import uuid
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.task_ids.signed import MAX_LENGTH, MAX_MODEL_BYTES, PREFIX, TaskId, derived_key, peek, sign, verify

KEY, OTHER_KEY = derived_key("secret"), derived_key("other")
ALPHABET = string.ascii_letters + string.digits + "-_"
EXAMPLE = TaskId(
    provider="dashscope",
    upstream_id="0385dc79-5ff8-4d82-bcb6-0123456789ab",
    account_tag="0123456789ab",
    owner_tag="ba9876543210",
    model="kling/可灵2.5",
    created=1757737934,
    seconds=5,
    size="1280x720",
)

tags = st.text("0123456789abcdef", min_size=12, max_size=12)
upstream_ids = (
    st.uuids().map(str)
    | st.integers(0, 2**64 - 1).map(str)
    | st.text(ALPHABET + ".:=", min_size=1, max_size=24)
    | st.just("0007535099487211244578")
    | st.uuids().map(lambda value: str(value).upper())
)
models = st.text(max_size=MAX_MODEL_BYTES).filter(
    lambda text: len(text.encode("utf-8", "replace")) <= MAX_MODEL_BYTES and text.isprintable()
)
task_ids = st.builds(
    TaskId,
    provider=st.sampled_from(["jimeng", "dashscope"]),
    upstream_id=upstream_ids,
    account_tag=tags,
    owner_tag=tags,
    model=models,
    created=st.integers(0, 2**40 - 1),
    seconds=st.integers(0, 255),
    size=st.just("") | st.builds("{}x{}".format, st.integers(10, 65535), st.integers(10, 65535)),
)


@given(task_ids)
def test_signed_id_round_trips(id: TaskId) -> None:
    text = sign(id, KEY)
    opened = verify(text, [KEY])
    assert opened in (id, replace(id, model=""))
    assert peek(text) == opened
    assert len(text) <= MAX_LENGTH
    assert re.fullmatch(r"video_[A-Za-z0-9_-]+", text)


@given(task_ids.filter(lambda made: len(made.upstream_id) <= 20))
def test_model_name_in_any_script_is_kept(id: TaskId) -> None:
    assert verify(sign(id, KEY), [KEY]) == id


@given(task_ids, st.integers(0), st.integers(0))
def test_change_of_any_character_is_detected(id: TaskId, ref: int, choice: int) -> None:
    text = sign(id, KEY)
    ref %= len(text)
    others = ALPHABET.replace(text[ref], "")
    assert verify(text[:ref] + others[choice % len(others)] + text[ref + 1 :], [KEY]) is None


def test_change_of_every_character_of_one_id_is_detected() -> None:
    text = sign(EXAMPLE, KEY)
    for position, present in enumerate(text):
        for other in ALPHABET.replace(present, "") + "=+/ %é":
            assert verify(text[:position] + other + text[position + 1 :], [KEY]) is None


@pytest.mark.parametrize(
    "change", [str.lower, str.upper, str.swapcase, lambda text: text[:-1], lambda text: text + "A"]
)
def test_folded_truncated_and_extended_ids_are_refused(change: object) -> None:
    assert callable(change)
    assert verify(change(sign(EXAMPLE, KEY)), [KEY]) is None


@given(st.text(max_size=200) | st.text(ALPHABET, max_size=170).map(lambda text: PREFIX + text))
def test_any_text_is_an_id_or_none(text: str) -> None:
    assert verify(text, [KEY]) is None
    peek(text)


def test_id_is_verified_with_any_of_the_keys_and_no_other() -> None:
    text = sign(EXAMPLE, KEY)
    assert verify(text, [OTHER_KEY, KEY]) == EXAMPLE
    assert verify(text, [OTHER_KEY]) is None
    assert verify(text, []) is None


def test_leading_zeros_of_an_id_are_kept() -> None:
    id = replace(EXAMPLE, upstream_id="007")
    opened = verify(sign(id, KEY), [KEY])
    assert opened
    assert opened.upstream_id == "007"


def test_longest_model_name_fits_beside_a_uuid() -> None:
    id = replace(EXAMPLE, model="m" * MAX_MODEL_BYTES, upstream_id=str(uuid.UUID(int=2**128 - 1)))
    assert len(sign(id, KEY)) <= MAX_LENGTH


def test_model_name_that_does_not_fit_is_left_out() -> None:
    id = replace(EXAMPLE, model="m" * 100)
    assert verify(sign(id, KEY), [KEY]) == replace(id, model="")


@pytest.mark.parametrize("upstream_id", ["x" * 300, "x" * 100])
def test_upstream_id_that_does_not_fit_is_refused(upstream_id: str) -> None:
    with pytest.raises(ValueError, match="too long"):
        sign(replace(EXAMPLE, upstream_id=upstream_id), KEY)


def test_numbers_out_of_range_are_clamped() -> None:
    opened = verify(sign(replace(EXAMPLE, seconds=9999, size="99999x99999"), KEY), [KEY])
    assert opened
    assert (opened.seconds, opened.size) == (255, "65535x65535")


def test_key_differs_from_the_secret() -> None:
    assert derived_key("secret") != b"secret"
    assert len(derived_key("secret")) == 32
