"""The segmented LRU cache: known entries are not pushed out by unknown ones."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.segmented_lru import SegmentedLRU


def cache(known: set[int], protected: int = 4, probationary: int = 3) -> SegmentedLRU[int, str]:
    return SegmentedLRU(protected, probationary, lambda key, _: key in known)


def test_known_entries_stay_when_many_unknown_ones_are_added() -> None:
    found = cache({1, 2})
    for key in (1, 2, *range(100, 200)):
        found[key] = f"value {key}"
    assert (found.get(1), found.get(2)) == ("value 1", "value 2")
    assert [key for key, _ in found.items()] == [1, 2, 197, 198, 199]
    assert len(list(found.values())) == len(found) == 5


def test_entry_that_becomes_known_is_kept() -> None:
    known: set[int] = set()
    found = cache(known)
    found[1] = "one"
    known.add(1)
    for key in range(100, 200):
        found[key] = ""
    assert found.get(1) == "one"


def test_known_entries_are_limited_too() -> None:
    found = cache(set(range(50)))
    for key in range(50):
        found[key] = "x"
    assert len(found) == 7
    assert found.get(49) == "x"
    assert found.get(0) is None


def test_value_is_replaced_and_removed_in_both_segments() -> None:
    found = cache({1})
    found[1], found[2] = "a", "b"
    assert found.get(1) == "a"
    found[1], found[2] = "c", "d"
    assert (found.get(1), found.get(2), len(found)) == ("c", "d", 2)
    assert (found.pop(1), found.pop(2), found.pop(3)) == ("c", "d", None)
    assert 1 not in found
    assert 2 not in found


@given(st.lists(st.tuples(st.sampled_from(["get", "set", "pop"]), st.integers(0, 30))), st.sets(st.integers(0, 3)))
def test_known_entry_is_lost_only_by_removal(steps: list[tuple[str, int]], known: set[int]) -> None:
    found, model = cache(known), dict[int, str]()
    for number, (step, key) in enumerate(steps):
        if step == "set":
            found[key] = model[key] = str(number)
        elif step == "pop":
            assert found.pop(key) in (model.pop(key, None), None)
        else:
            assert found.get(key) in (model.get(key), None)
        assert len(found) <= 7
        assert all(found.get(one) == model[one] for one in known & model.keys())
