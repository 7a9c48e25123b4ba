"""How fast, how frugal, how small: `python -m tests.bench`.

It starts the gateway, an upstream and those it is compared with on free loopback ports, each on a core of its own,
measures them in turn and prints one table. Linux only. nginx and wrk are used where they are installed, LiteLLM where
LITELLM_PYTHON names a Python that has `litellm[proxy]`.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tests.bench import guard, soak, streaming, throughput, upstream_use
from tests.bench.processes import BenchError, end_on_signals
from tests.bench.stand import Plan, Stand
from tests.bench.table import Row, as_json, as_markdown, as_text

CASES: dict[str, Callable[[Stand], list[Row]]] = {
    "a": throughput.live_polls,
    "b": throughput.repeated_polls,
    "c": upstream_use.jimeng_tasks,
    "d": upstream_use.dashscope_tasks,
    "e": throughput.submits,
    "f": streaming.file,
    "g": throughput.two_workers,
    "h": throughput.many_connections,
    "m": soak.memory,
    "n": throughput.native_entrance,
}
TOOLS = ("nginx", "wrk", "litellm")

_GUARDED = ("a", "b", "e")
_QUICK = Plan(seconds=2, rounds=3, warm_up_seconds=0)
_SHORT = Plan(seconds=2, rounds=1, warm_up_seconds=0, paced_seconds=20, soak_seconds=20)
_NOTE = """\
Rates are good answers per second, medians of the rounds; the ratios are medians of the ratios within each round.
The server that is measured has one core to itself, the load and the upstream share another: where `core` is well below
100%, they were the limit, or something else that runs on the machine was."""


def main() -> None:
    given = _arguments()
    end_on_signals()
    plan = _plan(given)
    rows: list[Row] = []
    failed = False
    with (
        tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder,
        Stand(Path(folder), plan, frozenset(given.without)) as stand,
    ):
        _say(
            f"cores: {_cores(stand)}; nginx: {_present(stand.nginx_binary)}; wrk: {_present(stand.wrk_binary)}; "
            f"LiteLLM: {_present(stand.litellm_python)}"
        )
        for name in given.cases:
            measure = CASES[name]
            _say(f"{name}: {measure.__doc__}")
            try:
                rows += measure(stand)
            except BenchError as error:
                failed = True
                _say(f"{name}: could not be measured: {error}")
                rows.append(Row(name, measure.__name__.replace("_", " "), "", besides="could not be measured"))
    print(as_markdown(rows) if given.markdown else as_text(rows))
    print(f"\n{_NOTE}")
    if given.quick:
        failed = _guard(rows, store=given.store) or failed
    if given.json:
        given.json.write_text(json.dumps(_report(rows, plan, stand), indent=2, ensure_ascii=False), "utf-8")
    sys.exit(failed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        epilog="cases:\n" + "\n".join(f"  {name}  {measure.__doc__}" for name, measure in CASES.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cases", type=_some_of(CASES), default=list(CASES), help="such as a,b; all of them else")
    parser.add_argument("--seconds", type=int, help="for each measurement (5)")
    parser.add_argument("--rounds", type=int, help="measurements of each server, of which the median counts (3)")
    parser.add_argument("--soak", type=int, help="seconds over which memory is watched (60)")
    parser.add_argument("--short", action="store_true", help="once and short: to see that it works")
    parser.add_argument(
        "--quick", action="store_true", help="one minute: compare the ratios to nginx with the stored ones"
    )
    parser.add_argument("--store", action="store_true", help="for --quick: store the ratios instead")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there as well")
    parser.add_argument("--without", type=_some_of(TOOLS), default=[], help=f"tools to do without: {', '.join(TOOLS)}")
    given = parser.parse_args()
    if given.quick:
        given.cases, given.without = list(_GUARDED), [*given.without, "litellm"]
    return given


def _guard(rows: Sequence[Row], *, store: bool) -> bool:
    """Compare the ratios with the stored ones, or store them. True where there is a regression."""
    ratios = guard.ratios_of(rows)
    if not ratios:
        print("nothing to compare: --quick needs nginx")
        return True
    if store:
        guard.store(ratios)
        return False
    found = guard.regressions(guard.load(), ratios)
    print("\n".join(found) or f"no ratio is more than {guard.TOLERANCE:.0%} below the stored one")
    return bool(found)


def _plan(given: argparse.Namespace) -> Plan:
    plan = _QUICK if given.quick else _SHORT if given.short else Plan()
    wished = {"seconds": given.seconds, "rounds": given.rounds, "soak_seconds": given.soak}
    return replace(plan, **{name: max(1, value) for name, value in wished.items() if value is not None})


def _some_of(known: Sequence[str] | dict[str, Any]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",") if name.strip()]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(known)}")
        return names

    return read


def _report(rows: Sequence[Row], plan: Plan, stand: Stand) -> dict[str, Any]:
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {"system": platform.system(), "cores": os.cpu_count(), "python": platform.python_version()},
        "tools": {
            "nginx": _version(stand.nginx_binary, "-v"),
            "wrk": _version(stand.wrk_binary, "-v"),
            "litellm": _version(
                stand.litellm_python, "-c", "from importlib.metadata import version as v; print(v('litellm'))"
            ),
        },
        "plan": asdict(plan),
        "rows": as_json(rows),
    }


def _cores(stand: Stand) -> str:
    server, load = (",".join(map(str, sorted(cores))) for cores in (stand.server_core, stand.load_core))
    return f"{server} for the server, {load} for the load and the upstream"


def _version(program: str | None, *arguments: str) -> str | None:
    """The first number with dots that a program says; None where it was not used or does not run."""
    if program is None:
        return None
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\d+(?:\.\d+)+", done.stdout + done.stderr)
    return found[0] if found else "unknown"


def _present(found: str | None) -> str:
    return "yes" if found else "no"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
