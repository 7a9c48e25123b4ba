"""What people and scripts read: words for people on standard error, results and tables on standard output."""

import io
import sys
from collections.abc import Sequence


def say(text: str) -> None:
    """A line for the person."""
    print(text, file=sys.stderr, flush=True)


def give(text: str) -> None:
    """A result, for whatever reads this command."""
    print(text, flush=True)


def give_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, whole: bool = False) -> None:
    """A table on a terminal; lines of tab-separated fields, the names first, where a program reads.

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
    Console().print(table)


def _width(rows: Sequence[Sequence[str]], column: int) -> int:
    from rich.cells import cell_len

    return max((cell_len(row[column]) for row in rows), default=0)


def never_fail_to_print() -> None:
    """Terminals that cannot show a character get a question mark instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
