"""Rotation policies."""

import random
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.accounts.selection import POLICIES, FillFirst, LeastBusy, Random, RoundRobin


@dataclass
class Candidate:
    name: str
    weight: int = 1
    busy: int = 0
    turn: float = 0.0


def picks(policy: RoundRobin | LeastBusy | Random | FillFirst, candidates: list[Candidate], count: int) -> str:
    return "".join(policy.pick(candidates).name for _ in range(count))


def test_round_robin_alternates() -> None:
    assert picks(RoundRobin(), [Candidate("a"), Candidate("b"), Candidate("c")], 7) == "abcabca"


def test_round_robin_spreads_turns_evenly_by_weight() -> None:
    assert picks(RoundRobin(), [Candidate("a", 3), Candidate("b", 1)], 8) == "aabaaaba"
    assert picks(RoundRobin(), [Candidate("a", 2), Candidate("b", 1)], 6) == "abaaba"


def test_returning_candidate_does_not_catch_up_on_missed_turns() -> None:
    policy, a, b = RoundRobin(), Candidate("a"), Candidate("b")
    picks(policy, [a, b], 4)
    assert picks(policy, [a], 100) == "a" * 100
    assert picks(policy, [a, b], 6).count("b") == 3


def test_light_candidates_wait_little_while_a_heavy_one_is_away() -> None:
    policy, a, heavy, c = RoundRobin(), Candidate("a"), Candidate("b", 1000), Candidate("c")
    picks(policy, [a, heavy, c], 700)
    assert sorted(picks(policy, [a, c], 8)[4:]) == ["a", "a", "c", "c"]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=8), st.integers(1, 5))
def test_whole_rounds_match_the_weights_exactly(weights: list[int], rounds: int) -> None:
    candidates = [Candidate(chr(97 + number), weight) for number, weight in enumerate(weights)]
    counted = Counter(picks(RoundRobin(), candidates, rounds * sum(weights)))
    assert counted == {candidate.name: rounds * candidate.weight for candidate in candidates}


def test_least_busy_counts_running_tasks_per_weight() -> None:
    assert picks(LeastBusy(), [Candidate("a", busy=2), Candidate("b", busy=1)], 1) == "b"
    assert picks(LeastBusy(), [Candidate("a", 4, busy=2), Candidate("b", busy=1)], 1) == "a"


def test_equally_busy_candidates_take_turns() -> None:
    assert picks(LeastBusy(), [Candidate("a"), Candidate("b")], 4) == "abab"


def test_random_selects_by_weight() -> None:
    counted = Counter(picks(Random(random.Random(1)), [Candidate("a", 3), Candidate("b", 1)], 4000))
    assert counted["a"] / 4000 == pytest.approx(0.75, abs=0.03)


def test_fill_first_selects_the_first() -> None:
    assert picks(FillFirst(), [Candidate("a"), Candidate("b", 9)], 3) == "aaa"


@pytest.mark.parametrize("name", POLICIES)
@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 50)), min_size=1, max_size=20))
def test_every_policy_selects_a_candidate(name: str, drawn: list[tuple[int, int]]) -> None:
    candidates = [Candidate(str(number), weight, busy) for number, (weight, busy) in enumerate(drawn)]
    policy = next(make for known, make in POLICIES.items() if known == name)()
    assert policy.pick(candidates) in candidates
