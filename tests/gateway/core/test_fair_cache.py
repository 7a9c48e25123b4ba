"""The fair cache: an owner pushes out its own entries, and unknown owners those of unknown ones."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.fair_cache import FairCache
from tests.clock import TestClock

OWNERS = "abcdef"


def cache(known: str = OWNERS, size: int = 6, unknown: int = 3, clock: TestClock | None = None) -> FairCache[str, int]:
    return FairCache(size, unknown, 60.0, (clock or TestClock()).monotonic, lambda owner: owner in known)


def test_owner_of_many_entries_pushes_out_its_own() -> None:
    found = cache()
    found.set("a0", 1, "a")
    found.set("b0", 2, "b")
    for number in range(100):
        found.set(f"c{number}", number, "c")
    assert (found.get("a0"), found.get("b0"), len(found)) == (1, 2, 6)
    assert [found.get(f"c{number}") for number in (95, 96, 99)] == [None, 96, 99]


def test_owners_share_what_there_is() -> None:
    found = cache()
    for owner in OWNERS[:3]:
        for number in range(20):
            found.set(f"{owner}{number}", number, owner)
    assert Counter(owner for owner in OWNERS for number in range(20) if found.get(f"{owner}{number}") is not None) == {
        "a": 2,
        "b": 2,
        "c": 2,
    }


def test_unknown_owners_push_out_unknown_ones_only() -> None:
    found = cache()
    for owner in OWNERS:
        found.set(owner, 1, owner)
    for number in range(100):
        found.set(f"u{number}", 2, f"owner {number}")
    assert all(found.get(owner) == 1 for owner in OWNERS)
    assert len(found) == 9


def test_owner_that_becomes_known_keeps_its_entries() -> None:
    known = {"a"}
    found: FairCache[str, int] = FairCache(6, 3, 60.0, TestClock().monotonic, known.__contains__)
    found.set("b0", 1, "b")
    found.set("b1", 2, "b")
    known.add("b")
    for number in range(100):
        found.set(f"u{number}", 2, f"owner {number}")
    assert (found.get("b0"), found.get("b1")) == (1, 2)
    found.set("b2", 3, "b")
    found.pop("b1")
    assert (found.get("b0"), found.get("b1"), found.get("b2")) == (1, None, 3)


def test_entries_expire_and_make_room() -> None:
    clock = TestClock()
    found = cache(clock=clock)
    for number in range(6):
        found.set(f"a{number}", number, "a")
        clock.move(1)
    found.set("a0", 10, "a")
    clock.move(58.5)
    assert [found.get(f"a{number}") for number in (0, 1, 5)] == [10, None, 5]
    found.set("b", 1, "b")
    assert len(found) == 3


steps = st.lists(
    st.tuples(st.sampled_from(["set", "pop", "move"]), st.integers(0, 12), st.sampled_from(OWNERS + "uvwxyz")),
    max_size=80,
)


@given(steps)
def test_limits_hold_and_entries_are_found_until_they_expire(steps: list[tuple[str, int, str]]) -> None:
    clock = TestClock()
    found = cache(OWNERS[:2], clock=clock)
    newest: dict[str, int] = {}
    for number, (step, key, owner) in enumerate(steps):
        if step == "set":
            found.set(str(key), number, owner)
            newest[str(key)] = number
            assert found.get(str(key)) in (number, None)
        elif step == "pop":
            found.pop(str(key))
            assert found.get(str(key)) is None
        else:
            clock.move(key)
        assert len(found) <= 9
        assert all(found.get(name) in (value, None) for name, value in newest.items())
    clock.move(61)
    found.set("last", 1, "a")
    assert len(found) == 1
