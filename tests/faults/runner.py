"""Runs rows: several at a time in this process, and in several processes."""

import logging
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from providers.sandbox.server import SandboxServer
from tests.archives import s3_endpoint
from tests.clock import SandboxClock
from tests.faults.relay import Loop
from tests.faults.routes import ROWS
from tests.faults.rows import Outcome, Row, Through
from tests.faults.stand import SANDBOX, Stand, new_bucket

AT_ONCE = 4
"""Rows that a process runs at once. They use its core."""
WAITING_AT_ONCE = 24
"""The same for rows that wait for time-outs. They use hardly any of it."""
_PART = 12


@dataclass(frozen=True, slots=True)
class Judged:
    """The outcome of a row, given by its place in ROWS, with its violations."""

    index: int
    outcome: Outcome
    problems: Sequence[str]

    @property
    def row(self) -> Row:
        return ROWS[self.index]


class Runner:
    """A sandbox and the relays' loop, for any number of rows. A context manager."""

    def __init__(self, through: Through = "") -> None:
        self._through: Through = through
        self._stack = ExitStack()

    def __enter__(self) -> "Runner":
        self.clock = SandboxClock()
        self.upstream = self._stack.enter_context(SandboxServer(SANDBOX, self.clock))
        self.loop = self._stack.enter_context(Loop())
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def run(self, row: Row) -> Outcome:
        """The outcome of a row. An unexpected error is a problem of it."""
        with ExitStack() as opened:
            try:
                stand = opened.enter_context(self._stand(row))
                return row.route.run(stand)
            except Exception as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                problem = f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}: {error}"
                return Outcome("no outcome", problems=[problem[:300]])

    @contextmanager
    def _stand(self, row: Row) -> Iterator[Stand]:
        with ExitStack() as opened:
            archive = bucket_server = ""
            if row.route.store == "file":
                folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True))
                archive = Path(folder).as_uri()
            elif row.route.store == "s3":
                bucket_server = s3_endpoint()
                archive = new_bucket(bucket_server)
            yield opened.enter_context(
                Stand(
                    row,
                    self.upstream,
                    self.clock,
                    self.loop,
                    archive=archive,
                    bucket_server=bucket_server,
                    through=self._through,
                )
            )


def run_rows(indices: Sequence[int], at_once: int, through: Through = "") -> list[Judged]:
    """The outcomes of rows in this process, given by their places in ROWS."""
    with Runner(through) as runner, ThreadPoolExecutor(at_once) as threads:

        def one(index: int) -> Judged:
            outcome = runner.run(ROWS[index])
            return Judged(index, outcome, ROWS[index].judged(outcome))

        return list(threads.map(one, indices))


def run_all(
    indices: Sequence[int], processes: int, progress: Callable[[int], object], through: Through = ""
) -> list[Judged]:
    """The outcomes of rows in the order of `indices`, run by several processes. `progress` gets the number done."""
    waiting = [index for index in indices if _waits(ROWS[index])]
    working = [index for index in indices if not _waits(ROWS[index])]
    # A row through a proxy starts two gateways and the proxy: the others that wait would time out meanwhile.
    waiting_at_once = WAITING_AT_ONCE // (3 if through else 1)
    parts = [(part, AT_ONCE) for part in _parts(working, _PART)]
    parts += [(part, waiting_at_once) for part in _parts(waiting, WAITING_AT_ONCE)]
    found: dict[int, Judged] = {}
    with ProcessPoolExecutor(processes, get_context("spawn"), _be_quiet) as pool:
        for done in as_completed([pool.submit(run_rows, part, at_once, through) for part, at_once in parts]):
            found |= {judged.index: judged for judged in done.result()}
            progress(len(found))
    return [found[index] for index in indices]


def _be_quiet() -> None:
    """Faults fill the log, which nobody reads here."""
    logging.disable(logging.CRITICAL)


def _waits(row: Row) -> bool:
    # After a cancel Jimeng's records are read again after whole seconds.
    return row.fault.waits or row.route.name.startswith("cancel")


def _parts(indices: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(indices), size):
        yield indices[start : start + size]
