"""How long the gateway takes to start, and what it holds when idle: `python -m tests.bench.start`.

Each round starts `video-gateway serve` anew and asks every 2 ms, on a new connection, until /healthz answers 200 and
then until a poll is answered. With `--base`, another checkout starts in turn with this one, so that both meet the same
load of the machine. Bytecode is compiled before the first round, as an installation does. Linux only: it reads /proc.
"""

import argparse
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from tests.bench.processes import ROOT, BenchError, Server, end_on_signals, free_port
from tests.bench.requests import Requests
from tests.bench.stand import KEY, Plan, Stand, bearer
from tests.bench.stream_memory import resident_mb
from tests.bench.wire import running_id

_ASK_SECONDS = 0.002
_START_SECONDS = 30.0
_POLLS = 20
_IDLE_SECONDS = 1.0
_SUBMIT = Requests(
    ("/v1/videos/generations",), bearer(KEY), "POST", json.dumps({"model": "wan2.6-t2v", "prompt": "a cat"})
)


@dataclass(frozen=True, slots=True)
class Start:
    """One start. Times are from the creation of the process, `core` is the time of cores until the first poll was
    answered. Memory after some polls and a second without requests: `rss` with shared pages, `pss` with its share of
    them."""

    healthz_s: float
    first_poll_s: float
    core_s: float
    rss_mb: float
    pss_mb: float


def measure(stand: Stand, checkout: Path, arguments: Sequence[str], *, submits: bool) -> Start:
    """Start a checkout's gateway. With `submits` the first poll is of a new task. Raises BenchError."""
    port = free_port()
    command = [sys.executable, "-m", "gateway", "serve", "--port", str(port), *arguments]
    environment = {
        "PYTHONPATH": str(checkout),
        "PYTHONPYCACHEPREFIX": str(stand.folder / "bytecode"),
        # An empty one is not set.
        "PYTHONDONTWRITEBYTECODE": "",
    }
    began = time.perf_counter()
    with Server("gateway", command, stand.server_core, stand.folder, environment) as server:
        _until(lambda: stand.ask(port, Requests(("/healthz",))), server)
        healthz = time.perf_counter() - began
        id = json.loads(stand.ask(port, _SUBMIT).body)["task_id"] if submits else running_id()
        poll = Requests((f"/v1/videos/tasks/{id}",), bearer(KEY))
        stand.ask(port, poll, b'"status"')
        first_poll = time.perf_counter() - began
        core = server.cpu_seconds()
        for _ in range(_POLLS):
            stand.ask(port, poll)
        time.sleep(_IDLE_SECONDS)
        return Start(healthz, first_poll, core, resident_mb(server.pid), _proportional_mb(server.pid))


def _until(work: Callable[[], object], server: Server) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            work()
            return
        except BenchError:
            if time.monotonic() > deadline or server.has_ended:
                raise
        time.sleep(_ASK_SECONDS)


def _proportional_mb(pid: int) -> float:
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text("ascii"), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def medians(starts: list[Start]) -> dict[str, float]:
    return {each.name: statistics.median(getattr(start, each.name) for start in starts) for each in fields(Start)}


def cases(stand: Stand) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """The name, the arguments of `serve`, and whether a submit is needed, since the embedded upstream starts empty."""
    configuration = stand.folder / "gateway.toml"
    upstream = f"http://127.0.0.1:{stand.upstream.port}/api/v1"
    configuration.write_text(f'[providers.dashscope]\nbase_url = "{upstream}"\n', "utf-8")
    yield "--sandbox, first poll after a submit", ("--sandbox",), True
    yield "--config FILE", ("--config", str(configuration)), False


def report(rounds: int, base: Path | None) -> Iterator[list[str]]:
    """A row for each case and checkout with the medians, those of the base as multiples too. Raises BenchError."""
    checkouts = {"this": ROOT} | ({"base": base} if base else {})
    with tempfile.TemporaryDirectory(prefix="bench-start-") as name, Stand(Path(name), Plan()) as stand:
        for case, arguments, submits in cases(stand):
            starts: dict[str, list[Start]] = {name: [] for name in checkouts}
            for number in range(rounds + 1):
                for name, checkout in checkouts.items():
                    start = measure(stand, checkout, arguments, submits=submits)
                    # The first one compiles bytecode.
                    if number:
                        starts[name].append(start)
            this = medians(starts["this"])
            for name, measured in starts.items():
                multiple = "" if name == "this" else " (× {:.2f})"
                figures = medians(measured).items()
                yield [case, name, *(f"{value:.2f}{multiple.format(value / this[key])}" for key, value in figures)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="starts of each case, of which the median counts")
    parser.add_argument("--base", type=Path, help="another checkout to compare with")
    given = parser.parse_args()
    end_on_signals()
    try:
        print(" | ".join(["case", "checkout", *(each.name for each in fields(Start))]))
        for row in report(max(1, given.rounds), given.base and given.base.resolve()):
            print(" | ".join(row), flush=True)
    except BenchError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
