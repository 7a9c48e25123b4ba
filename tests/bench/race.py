"""The same work for several servers in turn, one awake at a time."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from tests.bench.load import CONNECTIONS, Measured
from tests.bench.requests import Requests
from tests.bench.stand import Running, Stand
from tests.bench.table import Row, Verdict

GATEWAY, NGINX, LITELLM = "gateway", "nginx", "LiteLLM"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Contender:
    """A server and its way to say what is asked. `expected` stands in its answers.

    With `known` each of its requests is made once before every measurement, so that what is measured is to be asked
    again.
    """

    name: str
    running: Running
    requests: Requests
    expected: bytes = b""
    known: bool = False
    connections: int = CONNECTIONS


@dataclass(frozen=True, slots=True)
class Target:
    """How many times the rate of another the gateway's has to be; `aim` is what is hoped for."""

    nginx: float
    aim: float | None = None
    litellm: float | None = None

    def __str__(self) -> str:
        parts = [f"≥ {self.nginx:g} × nginx" + (f" (aim {self.aim:g})" if self.aim else "")]
        if self.litellm:
            parts.append(f"≥ {self.litellm:g} × LiteLLM")
        return ", ".join(parts)

    def verdict(self, to_nginx: float | None, to_litellm: float | None, errors: int) -> Verdict:
        """By what could be compared; a rate that was paid for with errors is none."""
        compared = [
            ratio >= wanted
            for ratio, wanted in ((to_nginx, self.nginx), (to_litellm, self.litellm))
            if ratio is not None and wanted is not None
        ]
        if errors:
            return "below"
        return ("ok" if all(compared) else "below") if compared else "n/a"


def in_turn(stand: Stand, servers: Mapping[str, Running], measure: Callable[[str], T]) -> dict[str, list[T]]:
    """What `measure` gives for each, round by round; whoever is not measured rests."""
    found: dict[str, list[T]] = {name: [] for name in servers}
    for running in servers.values():
        running.server.rest()
    try:
        for _ in range(stand.plan.rounds):
            for name, running in servers.items():
                with running.server.awake():
                    found[name].append(measure(name))
    finally:
        for running in servers.values():
            running.server.wake()
    return found


def measured(stand: Stand, contender: Contender) -> Measured:
    """One measurement of a server, with what it used of its core."""
    server, port, requests = contender.running.server, contender.running.port, contender.requests
    # It has slept while others were measured, and what it knew is old.
    if contender.known:
        stand.ask_each(port, requests)
    if stand.plan.warm_up_seconds:
        stand.loads.measure(port, requests, stand.plan.warm_up_seconds, contender.connections)
    before = server.cpu_seconds()
    found = stand.loads.measure(port, requests, stand.plan.seconds, contender.connections)
    return replace(found, core=(server.cpu_seconds() - before) / found.seconds)


def race(stand: Stand, contenders: Sequence[Contender]) -> dict[str, list[Measured]]:
    """Every contender's measurements, one for each round. Raises BenchError when one of them answers wrongly."""
    by_name = {contender.name: contender for contender in contenders}
    for contender in contenders:
        stand.ask(contender.running.port, contender.requests, contender.expected)
    servers = {name: contender.running for name, contender in by_name.items()}
    return in_turn(stand, servers, lambda name: measured(stand, by_name[name]))


def rows(
    case: str,
    what: str,
    contenders: Sequence[Contender],
    found: Mapping[str, Sequence[Measured]],
    target: Target | None,
    besides: str = "",
) -> list[Row]:
    """Medians of the rounds. Ratios are medians too, of the ratios within each round, which drift less."""
    rates = {name: [each.rate for each in measurements] for name, measurements in found.items()}
    made = []
    for contender in contenders:
        measurements = found[contender.name]
        ours = contender.name not in (NGINX, LITELLM)
        to_nginx = ratio(rates, contender.name, NGINX) if ours else None
        to_litellm = ratio(rates, contender.name, LITELLM) if ours else None
        errors = sum(each.errors for each in measurements)
        made.append(
            Row(
                case,
                what,
                contender.name,
                rate=statistics.median(rates[contender.name]),
                p50_ms=statistics.median(each.p50_ms for each in measurements),
                p99_ms=statistics.median(each.p99_ms for each in measurements),
                core=statistics.median(each.core or 0.0 for each in measurements),
                memory_mb=contender.running.server.memory_mb(),
                to_nginx=to_nginx,
                to_litellm=to_litellm,
                errors=errors,
                besides=besides if ours else "",
                target=str(target) if ours and target else "",
                verdict=target.verdict(to_nginx, to_litellm, errors) if ours and target else "",
                figures={"rates": rates[contender.name]},
            )
        )
    return made


def ratio(rates: Mapping[str, Sequence[float]], of: str, to: str) -> float | None:
    """The median over the rounds, None where the other one did not run."""
    if to not in rates:
        return None
    return statistics.median(one / other if other else 0.0 for one, other in zip(rates[of], rates[to], strict=True))
