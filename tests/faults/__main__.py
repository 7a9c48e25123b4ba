"""The fault table: `python -m tests.faults`.

Every row is one fault on one route of one upstream: what the client is answered, how many tasks exist for one request
and its retries, and whether everything works once the fault is over. The exit status is 1 if a row is charged twice or
is not as expected. With `--soak` it is mixed traffic under random faults, and what the gateway holds: memory, file
descriptors, asyncio tasks.
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence

import pytest

import tests.conftest  # noqa: F401 - certificates and the environment, as in the suite
from tests.deploy.programs import program
from tests.faults.coverage import table
from tests.faults.report import as_table, summary
from tests.faults.routes import ROWS, is_run
from tests.faults.rows import Through
from tests.faults.runner import run_all
from tests.faults.soak import DEFAULT_SECONDS, soak


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", help="only rows whose name holds all of these: dashscope poll hangs")
    parser.add_argument("--through", choices=["nginx"], default="", help="two gateways behind a proxy as in deploy/")
    parser.add_argument("--failed", action="store_true", help="print only rows that are not as expected")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="processes that run rows")
    parser.add_argument("--coverage", action="store_true", help="print how many faults each route meets, and run none")
    parser.add_argument("--list", action="store_true", help="print the names of the rows, and run none")
    parser.add_argument(
        "--soak",
        type=int,
        nargs="?",
        const=DEFAULT_SECONDS,
        metavar="SECONDS",
        help="traffic under random faults for so long, 30 minutes by default; fails where the gateway leaks",
    )
    given = parser.parse_args()
    if given.through:
        try:
            program(given.through)
        except pytest.skip.Exception as missing:
            parser.error(str(missing))
    if given.coverage:
        print(table())
        return 0
    if given.soak:
        return soak(given.soak)
    indices = [
        index
        for index, row in enumerate(ROWS)
        if is_run(row, given.through) and all(word in row.name for word in given.words)
    ]
    if not indices:
        parser.error(f"no row has all of these words: {' '.join(given.words)} (--list names the rows)")
    if given.list:
        print("\n".join(ROWS[index].name for index in indices))
        return 0
    return _run(indices, given.processes, given.through, only_failed=given.failed)


def _run(indices: Sequence[int], processes: int, through: Through, *, only_failed: bool) -> int:
    began = time.monotonic()
    counts = Counter(ROWS[index].upstream for index in indices)
    print(", ".join(f"{upstream}: {count} rows" for upstream, count in counts.items()), file=sys.stderr, flush=True)

    def progress(done: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done} of {len(indices)}", end="", file=sys.stderr, flush=True)

    judged = run_all(indices, processes, progress, through)
    print(as_table([one for one in judged if one.problems or not only_failed]))
    print(f"\n{summary(judged)}; {time.monotonic() - began:.0f} s")
    return 1 if any(one.problems for one in judged) else 0


if __name__ == "__main__":
    sys.exit(main())
