"""What people and scripts read: words for people on standard error, results and tables on standard output."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TextIO

from gateway.cli.errors import CommandError


def say(text: str) -> None:
    """A line for the person, who may not be there to read it."""
    if sys.stderr is None:
        return
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _forget(sys.stderr)


def give(text: str) -> None:
    """A result, for whatever reads this command. Raises CommandError where it cannot be written."""
    with writing():
        print(text, flush=True)


def give_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, whole: bool = False) -> None:
    """A table on a terminal; lines of tab-separated fields, the names first, where a program reads. Raises CommandError
    where they cannot be written.

    The first column is what people copy: it is never cut. With `whole` only the last one is, to a line.
    """
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            give("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    if whole:
        last = Column(columns[-1], no_wrap=True, overflow="ellipsis")
        whole_ones = [Column(name, min_width=_width(rows, at)) for at, name in enumerate(columns[:-1])]
        table = Table(*whole_ones, last, padding=(0, 1, 0, 0), box=None)
    else:
        table = Table(Column(columns[0], no_wrap=True), *columns[1:])
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    with writing():
        Console().print(table)


def _width(rows: Sequence[Sequence[str]], column: int) -> int:
    from rich.cells import cell_len

    return max((cell_len(row[column]) for row in rows), default=0)


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Turns a standard output that takes nothing more into a failed command. That whoever read it has gone, as `head`
    does, is no failure to speak of and ends the command silently."""
    if sys.stdout is None:
        raise CommandError("standard output is closed")
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        forget_output()
        raise CommandError(f"standard output cannot be written: {error.strerror or error}") from None


def forget_output() -> None:
    """What Python still holds for standard output is written nowhere."""
    _forget(sys.stdout)


def _forget(stream: TextIO) -> None:
    """Let go of what Python still holds for a stream: it would be written, and fail once more, at the end of the
    process."""
    # A stream that is no file of the system's holds nothing back.
    with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - no path of anybody's
        os.dup2(nowhere.fileno(), stream.fileno())


def never_fail_to_print() -> None:
    """Terminals that cannot show a character get a question mark instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
