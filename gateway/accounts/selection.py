"""Rotation policies: select one of the ready accounts for the next submit.

A submit with an idempotency key follows no policy but the rendezvous order of its key, which is the same in every
process: two processes that get the same key at the same moment meet at the same account.
"""

import hashlib
import math
import random
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from gateway.core.settings import PolicyName


class Candidate(Protocol):
    """A ready account. `weight` is its share of the submits, `busy` counts its unfinished tasks, and `turn` is the
    state of the round robin."""

    weight: int
    turn: float

    @property
    def busy(self) -> int: ...


C = TypeVar("C", bound=Candidate)


class Policy(Protocol):
    def pick(self, ready: Sequence[C]) -> C:
        """Select one of the candidates, at least one, in configuration order."""


class RoundRobin:
    """Smooth weighted round robin: weights 2 and 1 give a b a, not a a b. An account does not make up for turns
    missed while paused."""

    def pick(self, ready: Sequence[C]) -> C:
        total = sum(candidate.weight for candidate in ready)
        for candidate in ready:
            # Bound the carried-over turns to one round, since candidates and weights change.
            candidate.turn = min(max(candidate.turn, -total), total) + candidate.weight
        best = max(ready, key=lambda candidate: candidate.turn)
        best.turn -= total
        return best


class LeastBusy:
    """The account with the fewest unfinished tasks per weight. Ties are broken by round robin."""

    def __init__(self) -> None:
        self._turns = RoundRobin()

    def pick(self, ready: Sequence[C]) -> C:
        least = min(candidate.busy / candidate.weight for candidate in ready)
        return self._turns.pick([candidate for candidate in ready if candidate.busy / candidate.weight == least])


class Random:
    """A random account, by weight."""

    def __init__(self, source: random.Random | None = None) -> None:
        self._source = source or random.Random()  # noqa: S311 - no secret

    def pick(self, ready: Sequence[C]) -> C:
        return self._source.choices(ready, [candidate.weight for candidate in ready])[0]


class FillFirst:
    """Always the first ready account."""

    def pick(self, ready: Sequence[C]) -> C:
        return ready[0]


POLICIES: dict[PolicyName, Callable[[], Policy]] = {
    "round_robin": RoundRobin,
    "least_busy": LeastBusy,
    "random": Random,
    "fill_first": FillFirst,
}


def rendezvous_score(key: str, id: str, weight: int) -> float:
    """The score of an account for a key, above 0, by weighted rendezvous hashing; the account with the highest score
    comes first. A new or removed account moves only the keys that it gets or had. 0 for a weight of 0."""
    digest = hashlib.sha256(f"{key}\0{id}".encode("utf-8", "surrogateescape")).digest()
    uniform = (int.from_bytes(digest[:6], "big") + 0.5) / 2**48
    return -max(weight, 0) / math.log(uniform)
