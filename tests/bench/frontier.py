"""The frontier of each server: `python -m tests.bench.frontier`.

For each case and each server, in one run: the latency that it adds at one connection, the highest rate at which p99
stays under 5, 10 and 50 ms, that rate per percent of CPU, the time from its start to its first answer, and its memory
idle, under load and five seconds later. The server has the first core to itself; load and upstream share the second.
The row `upstream` is the load at the upstream itself: the limit of the rig, above which no figure can lie. Requests are
due by the clock (`fixed_rate`). A cell counts only without failures: otherwise it says how many there were.
"""

import argparse
import contextlib
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.bench import litellm, wire
from tests.bench.load import Measured
from tests.bench.processes import BenchError, end_on_signals
from tests.bench.race import GATEWAY, LITELLM, NGINX, Contender
from tests.bench.requests import UNIQUE, Requests
from tests.bench.stand import KEY, Plan, Stand, bearer
from tests.bench.throughput import LIVE, LIVE_POLLS, REPEATED_IDS, SUBMIT, repeated

LIMITS_MS = (5, 10, 50)
UPSTREAM = "upstream"
CONTENT_BYTES = 65_536

_CONNECTIONS = 128
_SINGLE_RATE = 100.0
"""Requests per second at one connection: far below what any of the servers can do."""
_FIRST_RATE = 50.0
_HIGHEST_RATE = 60_000.0
_GROWTH = 2.0
_STEPS = 4
"""Bisections between a rate that holds and one that does not: to within 5 %."""
_KEPT_SHARE = 0.97
"""Of the rate that was asked for; a load that cannot keep it up measures itself."""
_REST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Try:
    """A load at a rate: what came of it, and the share of a core that the server used."""

    rate: float
    measured: Measured

    def holds(self, limit_ms: float) -> bool:
        measured = self.measured
        return not measured.errors and measured.p99_ms < limit_ms and measured.rate >= _KEPT_SHARE * self.rate


@dataclass(frozen=True, slots=True)
class Cell:
    """One server in one case. `highest` are requests per second by limit in ms, 0 where no rate holds."""

    case: str
    server: str
    p50_ms: float
    p99_ms: float
    highest: Mapping[int, float]
    per_core_percent: float
    start_seconds: float | None
    memory_mb: tuple[float, float, float]
    failures: int = 0


def search(measure: Callable[[float], Try], limit_ms: float, known: Sequence[Try] = ()) -> list[Try]:
    """The tries of a search for the highest rate that holds a limit: rates double until one does not, then the gap is
    halved in logarithmic steps. `known` are tries of a search before, which are not repeated."""
    made = list(known)
    holding = max((one.rate for one in made if one.holds(limit_ms)), default=0.0)
    failing = min((one.rate for one in made if not one.holds(limit_ms) and one.rate > holding), default=math.inf)
    while failing == math.inf and holding < _HIGHEST_RATE:
        made.append(measure(holding * _GROWTH or _FIRST_RATE))
        holding, failing = (made[-1].rate, failing) if made[-1].holds(limit_ms) else (holding, made[-1].rate)
    for _ in range(_STEPS if holding else 0):
        if failing == math.inf or failing / holding < 1.05:
            break
        made.append(measure(math.sqrt(holding * failing)))
        holding, failing = (made[-1].rate, failing) if made[-1].holds(limit_ms) else (holding, made[-1].rate)
    return made


def highest(tries: Sequence[Try], limit_ms: float) -> float:
    """The highest rate that held."""
    return max((one.rate for one in tries if one.holds(limit_ms)), default=0.0)


def measure_cell(stand: Stand, case: str, contender: Contender, started: float | None) -> Cell:
    """Everything about one server in one case. Raises BenchError where it answers wrongly."""
    server, port, requests = contender.running.server, contender.running.port, contender.requests
    stand.ask(port, requests, contender.expected)
    idle = server.memory_mb()

    def at(rate: float) -> Try:
        if contender.known:
            stand.ask_each(port, requests)
        before = server.cpu_seconds()
        found = stand.loads.fixed(port, requests, stand.plan.seconds, rate, _CONNECTIONS)
        return Try(rate, replace(found, core=(server.cpu_seconds() - before) / found.seconds))

    single = stand.loads.fixed(port, requests, stand.plan.seconds, _SINGLE_RATE, 1)
    tries: list[Try] = []
    for limit in LIMITS_MS:
        tries = search(at, limit, tries)
    loaded = server.memory_mb()
    time.sleep(_REST_SECONDS)
    best = max((one for one in tries if one.holds(10)), key=lambda one: one.rate, default=None)
    core = best.measured.core or 0.0 if best else 0.0
    return Cell(
        case,
        contender.name,
        single.p50_ms,
        single.p99_ms,
        {limit: highest(tries, limit) for limit in LIMITS_MS},
        best.rate / (100 * core) if best and core else 0.0,
        started,
        (idle, loaded, server.memory_mb()),
        single.errors,
    )


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked for in one case: of the gateway, in its environment; of nginx and of the upstream itself; of
    LiteLLM where it has it. `expected` stands in an answer. With `known` everything is asked for once before."""

    name: str
    ours: Requests
    expected: bytes
    direct: Requests
    direct_expected: bytes
    litellm: Requests | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    known: bool = False

    def cells(self, stand: Stand, starts: Mapping[str, float]) -> Iterator[Cell]:
        """One for each server, each of which sleeps while another is measured."""
        with stand.gateway(self.environment) as gateway:
            contenders = [Contender(UPSTREAM, stand.upstream, self.direct, self.direct_expected)]
            if stand.proxy is not None:
                contenders.append(Contender(NGINX, stand.proxy, self.direct, self.direct_expected))
            contenders.append(Contender(GATEWAY, gateway, self.ours, self.expected, self.known))
            if stand.litellm is not None and self.litellm is not None:
                contenders.append(Contender(LITELLM, stand.litellm, self.litellm))
            servers = [one.running.server for one in contenders if one.name != UPSTREAM]
            for server in servers:
                server.rest()
            try:
                for contender in contenders:
                    with contextlib.ExitStack() as stack:
                        if contender.name != UPSTREAM:
                            stack.enter_context(contender.running.server.awake())
                        yield measure_cell(stand, self.name, contender, starts.get(contender.name))
            finally:
                for server in servers:
                    server.wake()


def cases(stand: Stand) -> list[Case]:
    polls = Requests((wire.TASKS_PATH + UNIQUE,), bearer(KEY))
    running_ids = tuple(wire.TASKS_PATH + wire.running_id() for _ in range(REPEATED_IDS))
    piece = {**bearer(KEY), "Range": f"bytes=0-{CONTENT_BYTES - 1}"}
    at_litellm = tuple(f"/v1/videos/{id}" for id in stand.litellm_ids)
    litellm_polls = Requests(at_litellm, litellm.HEADERS) if at_litellm else None
    content = f"/v1/videos/{wire.finished_id()}/content"
    at_upstream = replace(SUBMIT, paths=(wire.SUBMIT_PATH,))
    running = b'"processing"'
    return [
        Case("live polls", LIVE_POLLS, running, polls, b'"RUNNING"', litellm_polls, LIVE),
        Case(
            "repeated polls",
            repeated(),
            running,
            replace(polls, paths=running_ids),
            b'"RUNNING"',
            litellm_polls,
            known=True,
        ),
        Case("submits", SUBMIT, b'"pending"', at_upstream, b'"PENDING"', litellm.SUBMIT),
        Case("content, 64 KB", Requests((content,), piece), b"", Requests((wire.FILE_PATH,), piece), b""),
    ]


def start_seconds(stand: Stand) -> dict[str, float]:
    """From the start of each server's process to its first answer."""
    found = {}
    began = time.monotonic()
    with stand.gateway():
        found[GATEWAY] = time.monotonic() - began
    for name in (NGINX, LITELLM):
        began = time.monotonic()
        if (stand.proxy if name == NGINX else stand.litellm) is not None:
            found[name] = time.monotonic() - began
    return found


def as_markdown(cells: Sequence[Cell]) -> str:
    """The table. What a server adds is its latency without that of the upstream itself."""
    limits = [f"p99 < {limit} ms" for limit in LIMITS_MS]
    header = [
        "case",
        "server",
        "p50 added",
        "p99 added",
        *limits,
        "per % of a core",
        "start",
        "memory idle, loaded, rested",
    ]
    lines = [header, ["---", "---", *["--:"] * (len(header) - 2)]]
    bare = {cell.case: cell for cell in cells if cell.server == UPSTREAM}
    for cell in cells:
        if cell.failures:
            lines.append([cell.case, cell.server, f"{cell.failures} failures", *[""] * (len(header) - 3)])
            continue
        base = bare[cell.case] if cell.server != UPSTREAM else None
        lines.append(
            [
                cell.case,
                cell.server,
                _milliseconds(cell.p50_ms, base.p50_ms if base else 0.0),
                _milliseconds(cell.p99_ms, base.p99_ms if base else 0.0),
                *(f"{cell.highest[limit]:,.0f}/s" if cell.highest[limit] else "none" for limit in LIMITS_MS),
                f"{cell.per_core_percent:,.0f}/s" if base else "",
                f"{cell.start_seconds:.2f} s" if cell.start_seconds is not None else "",
                ", ".join(f"{size:.0f}" for size in cell.memory_mb) + " MB" if base else "",
            ]
        )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _milliseconds(value: float, without: float) -> str:
    return f"{max(0.0, value - without):.2f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.frontier", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", help="names or their beginnings, such as live,submits; all of them else")
    parser.add_argument("--seconds", type=int, default=2, help="for each rate that is tried (2)")
    parser.add_argument("--without", default="", help="servers to do without: nginx, litellm")
    given = parser.parse_args()
    end_on_signals()
    wanted = tuple(filter(None, (given.cases or "").split(",")))
    cells: list[Cell] = []
    with (
        tempfile.TemporaryDirectory(prefix="frontier-", ignore_cleanup_errors=True) as folder,
        Stand(Path(folder), Plan(seconds=given.seconds), frozenset(given.without.split(","))) as stand,
    ):
        stand.make_file()
        starts = start_seconds(stand)
        failed = False
        for case in cases(stand):
            if wanted and not case.name.startswith(wanted):
                continue
            try:
                for cell in case.cells(stand, starts):
                    print(f"{cell.case}, {cell.server}: measured", file=sys.stderr, flush=True)
                    cells.append(cell)
            except BenchError as error:
                failed = True
                print(f"{case.name} could not be measured: {error}", file=sys.stderr)
    print(as_markdown(cells))
    sys.exit(failed)


if __name__ == "__main__":
    main()
