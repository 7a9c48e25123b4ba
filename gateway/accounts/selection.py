"""Rotation policies: which of the accounts that are ready takes the next submit. One small type for each."""

import random
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from gateway.core.settings import PolicyName


class Candidate(Protocol):
    """An account that is ready. `weight` is its share against the others', `busy` counts its unfinished tasks, and
    `turn` belongs to the policies that take turns."""

    weight: int
    turn: float

    @property
    def busy(self) -> int: ...


C = TypeVar("C", bound=Candidate)


class Policy(Protocol):
    def pick(self, ready: Sequence[C]) -> C:
        """One of the candidates, of which there is at least one, in the order in which they are configured."""


class RoundRobin:
    """In turn, by weight, and evenly spread: 2 to 1 is a b a, not a a b. An account that rests loses its turns and
    comes back without a claim to them."""

    def pick(self, ready: Sequence[C]) -> C:
        total = sum(candidate.weight for candidate in ready)
        for candidate in ready:
            # Claims and debts from other company, and from other weights, are worth one round at most.
            candidate.turn = min(max(candidate.turn, -total), total) + candidate.weight
        best = max(ready, key=lambda candidate: candidate.turn)
        best.turn -= total
        return best


class LeastBusy:
    """The one with the fewest unfinished tasks for its weight; among equals in turn."""

    def __init__(self) -> None:
        self._turns = RoundRobin()

    def pick(self, ready: Sequence[C]) -> C:
        least = min(candidate.busy / candidate.weight for candidate in ready)
        return self._turns.pick([candidate for candidate in ready if candidate.busy / candidate.weight == least])


class Random:
    """Any of them, by weight."""

    def __init__(self, source: random.Random | None = None) -> None:
        self._source = source or random.Random()  # noqa: S311 - no secret

    def pick(self, ready: Sequence[C]) -> C:
        return self._source.choices(ready, [candidate.weight for candidate in ready])[0]


class FillFirst:
    """Always the first one: the next is used only while that one cannot."""

    def pick(self, ready: Sequence[C]) -> C:
        return ready[0]


POLICIES: dict[PolicyName, Callable[[], Policy]] = {
    "round_robin": RoundRobin,
    "least_busy": LeastBusy,
    "random": Random,
    "fill_first": FillFirst,
}
