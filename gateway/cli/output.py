"""Output: messages to standard error, results and tables to standard output."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from gateway.cli.errors import CommandError, OutputClosedError
from gateway.cli.language import localize, localize_column, localize_prefixed

if TYPE_CHECKING:
    from rich.table import Table

_MIN_LAST_WIDTH = 20
"""Terminal cells of the last column of a table below which it cannot be read."""
_GAP = 2
"""Terminal cells between columns."""


def print_message(text: str) -> None:
    """Print a message to standard error, in the language of the terminal. Errors are ignored."""
    _print(localize(text))


def _print(text: str) -> None:
    if sys.stderr is None:
        return
    try:
        print(_printable(text) if sys.stderr.isatty() else text, file=sys.stderr, flush=True)
    except OSError:
        _discard(sys.stderr)


def print_error(error: CommandError) -> None:
    """Print the message of an error and its hint to standard error, each on a line of one language."""
    _print(localize_prefixed("error", str(error)))
    if error.hint:
        _print(localize_prefixed("hint", error.hint))


def print_result(text: str) -> None:
    """Print a result to standard output. Raises CommandError if it cannot be written."""
    with output_errors():
        print(_printable(text) if sys.stdout.isatty() else text, flush=True)


def _printable(text: str) -> str:
    """The text without what controls a terminal: it may quote an upstream."""
    return "".join(one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in text)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on a terminal, else tab-separated lines with a header. Raises CommandError if they cannot be
    written.

    On a terminal, the header is in its language, and columns without a value are left out. Only the last column is
    wrapped. Where less than `_MIN_LAST_WIDTH` is left for it, each row is a block of its own.
    """
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            print_result("\t".join(row))
        return
    from rich.console import Console

    with output_errors():
        console = Console(highlight=False)
        console.print(_table([localize_column(name) for name in columns], rows, console.width))


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> "Table":
    from rich.cells import cell_len

    shown = [at for at, name in enumerate(columns) if not at or not rows or any(row[at] for row in rows)]
    columns, rows = [columns[at] for at in shown], [[_cell(row[at]) for at in shown] for row in rows]
    widths = [max(map(cell_len, cells)) for cells in zip(columns, *rows, strict=True)]
    left = width - sum(widths[:-1]) - _GAP * (len(widths) - 1)
    return _grid(columns, rows) if left >= min(widths[-1], _MIN_LAST_WIDTH) else _blocks(columns, rows, width)


def _cell(text: str) -> str:
    return " ".join(_printable(text).split())


def _grid(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> "Table":
    from rich.table import Column, Table
    from rich.text import Text

    last = Column(columns[-1], overflow="fold")
    table = Table(*(Column(name, no_wrap=True) for name in columns[:-1]), last, padding=(0, _GAP, 0, 0), box=None)
    table.pad_edge = False
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _blocks(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> "Table":
    """Each row as lines of a heading and a value, below its first cell."""
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    heading = max(map(cell_len, columns))
    table = Table.grid()
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(Text(row[0], "bold"))
        values = Table.grid(padding=(0, 1, 0, 0))
        values.add_column(width=2)
        values.add_column(width=min(heading, width // 2), style="dim")
        values.add_column(overflow="fold")
        for name, cell in zip(columns[1:], row[1:], strict=True):
            if cell:
                values.add_row("", name, Text(cell))
        table.add_row(values)
    return table


@contextlib.contextmanager
def output_errors() -> Iterator[None]:
    """Turns errors of standard output into CommandError."""
    if sys.stdout is None:
        raise CommandError("standard output is closed")
    try:
        yield
    except BrokenPipeError:
        discard_output()
        raise OutputClosedError from None
    except OSError as error:
        discard_output()
        raise CommandError(f"standard output cannot be written: {error.strerror or error}") from None


def discard_output() -> None:
    """Discard the buffered standard output."""
    _discard(sys.stdout)


def _discard(stream: TextIO) -> None:
    """Discard the buffer of a stream, whose flush at exit would fail again."""
    # Streams without a file descriptor have no such buffer.
    with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - no user path
        os.dup2(nowhere.fileno(), stream.fileno())


def replace_unprintable() -> None:
    """Replace characters that the terminal cannot show with a question mark instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
