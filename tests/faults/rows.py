"""What a row of the table is: a fault on a route, what is expected, and what came of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Literal

from tests.faults.catalog import UPSTREAMS, Fault, Kind, Upstream
from tests.faults.relay import Stage

Via = Literal["direct", "http proxy", "socks proxy"]
Store = Literal["", "file", "s3"]
Through = Literal["", "nginx"]
"""What is between the clients and the gateway."""
Gateways = Literal["", "first", "second", "both"]


@dataclass(frozen=True, slots=True)
class Expectation:
    """`answers` are those that a client may get while the fault lasts, such as `502 upstream_unavailable retry`, with
    wildcards. `repeated` are those to the same request after the fault. `charges` are how many tasks may exist then for
    one request and its retries."""

    answers: tuple[str, ...]
    repeated: tuple[str, ...] = ("200*",)
    charges: tuple[int, ...] = (0, 1)

    def allows(self, answer: str) -> bool:
        return _any(answer, self.answers)

    def allows_repeated(self, answer: str) -> bool:
        return not answer or _any(answer, self.repeated)


@dataclass(frozen=True, slots=True)
class Target:
    """Requests of one kind, by the beginnings of their paths. `method` "" stands for any."""

    paths: tuple[str, ...]
    method: str = ""

    def matches(self, method: str, path: str) -> bool:
        return self.method in ("", method) and path.startswith(self.paths)


@dataclass(slots=True)
class Outcome:
    """What came of a row. `answer` is the first one while the fault lasted, `repeated` that to the same request after
    it. `problems` are the violations, besides those of the expectation."""

    answer: str
    charges: int = 0
    repeated: str = ""
    recovery: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Route:
    """One kind of request under faults. `targets` are the calls of each upstream that break: an upstream without any
    has no such route.

    `expected` is by the kind of fault, `exceptions` by its name, or by its name and the upstream: `jimeng 204`.

    With `in_front` the calls are those of a proxy in front to these gateways, in place of a gateway's to an upstream.
    Such a route is for runs through a proxy only.
    """

    name: str
    run: Callable[..., Outcome]
    faults: Sequence[Fault] | Mapping[Upstream, Sequence[Fault]]
    targets: Mapping[Upstream, Target]
    expected: Mapping[Kind, Expectation]
    exceptions: Mapping[str, Expectation] = field(default_factory=dict)
    stage: Stage = Stage.AFTER
    times: int | None = None
    via: Via = "direct"
    store: Store = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    in_front: Gateways = ""

    def expectation(self, upstream: Upstream, fault: Fault) -> Expectation:
        found = self.exceptions.get(f"{upstream} {fault.name}") or self.exceptions.get(fault.name)
        if found is not None:
            return found
        if fault.expected and fault.kind not in self.expected:
            return Expectation((fault.expected,))
        return self.expected[fault.kind]

    def rows(self) -> list["Row"]:
        return [
            Row(upstream, self, fault)
            for upstream in UPSTREAMS
            if upstream in self.targets
            for fault in (self.faults[upstream] if isinstance(self.faults, Mapping) else self.faults)
        ]


@dataclass(frozen=True, slots=True)
class Row:
    upstream: Upstream
    route: Route
    fault: Fault

    @property
    def name(self) -> str:
        return f"{self.upstream}, {self.route.name}: {self.fault.name}"

    @property
    def expectation(self) -> Expectation:
        return self.route.expectation(self.upstream, self.fault)

    def judged(self, outcome: Outcome) -> list[str]:
        """The violations of an outcome; empty if it is as expected."""
        expected = self.expectation
        problems = list(outcome.problems)
        if outcome.charges > 1:
            problems.append(f"{outcome.charges} charges")
        elif outcome.charges not in expected.charges:
            problems.append(f"{outcome.charges} charges, not {' or '.join(map(str, expected.charges))}")
        if not expected.allows(outcome.answer):
            problems.append(f"answered {outcome.answer}, not {' or '.join(expected.answers)}")
        if not expected.allows_repeated(outcome.repeated):
            problems.append(f"the same request afterwards: {outcome.repeated}, not {' or '.join(expected.repeated)}")
        return problems


def _any(answer: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(answer, pattern) for pattern in patterns)
