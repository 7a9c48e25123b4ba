"""The queue of status queries: forced refreshes first, then by urgency, at a cost that hardly grows with its length."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.polling.query_queue import FORCED_IN_A_ROW, Priority, QueryQueue

NOW = 1000.0


def queue_of(**since: float) -> QueryQueue[str]:
    queue: QueryQueue[str] = QueryQueue()
    for id, moment in since.items():
        queue.add(id, id, Priority(moment))
    return queue


def drained(queue: QueryQueue[str]) -> list[str]:
    return [queue.pop(NOW) for _ in range(len(queue))]


def heap_entries(queue: QueryQueue[str]) -> int:
    return sum(map(len, queue._heaps.values()))


def test_oldest_state_is_first_and_an_unknown_one_before_it() -> None:
    assert drained(queue_of(new=990.0, old=900.0, unknown=-math.inf)) == ["unknown", "old", "new"]


def test_equal_ones_are_first_in_first_out() -> None:
    assert drained(queue_of(a=1.0, b=1.0, c=1.0)) == ["a", "b", "c"]


def test_weight_multiplies_the_age_at_the_time_of_the_turn() -> None:
    queue = queue_of(old=NOW - 10)
    queue.add("nearly", "nearly", Priority(NOW - 6, 2.0))
    assert drained(queue) == ["nearly", "old"]
    queue = queue_of(old=NOW - 10)
    queue.add("nearly", "nearly", Priority(NOW - 6, 2.0))
    # Five seconds before, it was 5 to 2 x 1.
    assert queue.pop(NOW - 5) == "old"


def test_forced_ones_are_first_in_their_order() -> None:
    queue = queue_of(a=1.0, b=2.0, c=3.0)
    queue.force("c")
    queue.force("b")
    queue.force("c")
    assert drained(queue) == ["c", "b", "a"]


def test_unforced_one_returns_to_its_place() -> None:
    queue = queue_of(a=1.0, b=2.0, c=3.0)
    for id in ("c", "a"):
        queue.force(id)
    queue.unforce("c")
    queue.unforce("b")
    assert drained(queue) == ["a", "b", "c"]


def test_changed_priority_counts_from_then_on() -> None:
    queue = queue_of(a=1.0, b=2.0, c=3.0)
    queue.reprioritize("c", Priority(3.0, 1000.0))
    queue.force("b")
    queue.reprioritize("b", Priority(990.0))
    queue.unforce("b")
    assert drained(queue) == ["c", "a", "b"]


def test_removed_one_leaves_the_others_in_their_order() -> None:
    queue = queue_of(a=1.0, b=2.0, c=3.0, d=4.0)
    queue.force("d")
    assert (queue.remove("a"), queue.remove("d")) == ("a", "d")
    assert ("a" in queue, "b" in queue, list(queue.ids())) == (False, True, ["b", "c"])
    queue.add("a", "again", Priority(5.0))
    assert drained(queue) == ["b", "c", "again"]
    with pytest.raises(KeyError):
        queue.remove("a")


def test_flood_of_forced_ones_lets_the_others_through() -> None:
    queue = queue_of(one=1.0, two=2.0)
    for number in range(20):
        queue.add(f"f{number}", f"f{number}", Priority())
        queue.force(f"f{number}")
    order = drained(queue)
    assert [order.index(id) for id in ("one", "two")] == [FORCED_IN_A_ROW, 2 * FORCED_IN_A_ROW + 1]


@pytest.mark.parametrize("force", [True, False])
def test_oldest_entry_is_dropped_wherever_it_stands(force: bool) -> None:
    queue = queue_of(a=9.0, b=1.0)
    if force:
        queue.force("a")
    assert queue.pop_oldest() == "a"
    assert drained(queue) == ["b"]


def test_empty_queue_has_no_next_item() -> None:
    with pytest.raises(KeyError):
        queue_of().pop(NOW)


class Counted(float):
    """Counts how often moments are compared."""

    comparisons = 0

    def __lt__(self, other: float) -> bool:
        Counted.comparisons += 1
        return float(self) < float(other)

    __hash__ = float.__hash__


def test_cost_of_a_turn_hardly_grows_with_the_number_that_waits() -> None:
    source, costs = random.Random(1), []
    for size in (100, 10_000):
        queue: QueryQueue[str] = QueryQueue()
        for number in range(size):
            queue.add(str(number), "", Priority(Counted(source.random())))
        Counted.comparisons = 0
        for number in range(100):
            queue.pop(NOW)
            queue.add(f"again {number}", "", Priority(Counted(source.random())))
        costs.append(Counted.comparisons / 100)
    # Twice the logarithm; a sort, or a search through all, is a hundred times as many.
    assert costs[1] < 4 * costs[0]


@pytest.mark.parametrize("dropped", [True, False])
def test_entries_that_left_otherwise_do_not_pile_up(dropped: bool) -> None:
    queue: QueryQueue[str] = QueryQueue()
    for number in range(2000):
        id = str(number)
        queue.add(id, id, Priority(float(number)))
        if dropped:
            queue.pop_oldest()
        else:
            queue.force(id)
            queue.pop(NOW)
    assert not queue
    assert heap_entries(queue) < 200


@given(st.lists(st.tuples(st.sampled_from(["add", "force", "unforce", "pop", "drop"]), st.integers(0, 9)), max_size=80))
def test_every_item_leaves_exactly_once(steps: list[tuple[str, int]]) -> None:
    queue: QueryQueue[str] = QueryQueue()
    inside: set[str] = set()
    for step, number in steps:
        id = str(number)
        if step == "add" and id not in inside:
            queue.add(id, id, Priority(float(number % 3), 1.0 + number % 2))
            inside.add(id)
        elif step in ("force", "unforce") and id in inside:
            (queue.force if step == "force" else queue.unforce)(id)
        elif step in ("pop", "drop") and inside:
            inside.remove(queue.pop(NOW) if step == "pop" else queue.pop_oldest())
        assert len(queue) == len(inside)
        assert all((queue.get(id) is not None) == (id in inside) for id in map(str, range(10)))
    assert set(drained(queue)) == inside
