"""Output: messages to standard error, results and tables to standard output."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TextIO

from gateway.cli.errors import CommandError


def print_message(text: str) -> None:
    """Print a message to standard error. Errors are ignored."""
    if sys.stderr is None:
        return
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _discard(sys.stderr)


def print_result(text: str) -> None:
    """Print a result to standard output. Raises CommandError if it cannot be written."""
    with output_errors():
        print(text, flush=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, cut_last: bool = False) -> None:
    """Print a table on a terminal, else tab-separated lines with a header. Raises CommandError if they cannot be
    written.

    The first column, which users copy, is never wrapped. With `cut_last` no column is, but the last one is cut.
    """
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            print_result("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    if cut_last:
        last = Column(columns[-1], no_wrap=True, overflow="ellipsis")
        others = [Column(name, min_width=_width(rows, at)) for at, name in enumerate(columns[:-1])]
        table = Table(*others, last, padding=(0, 1, 0, 0), box=None)
    else:
        table = Table(Column(columns[0], no_wrap=True), *columns[1:])
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    with output_errors():
        Console().print(table)


def _width(rows: Sequence[Sequence[str]], column: int) -> int:
    from rich.cells import cell_len

    return max((cell_len(row[column]) for row in rows), default=0)


@contextlib.contextmanager
def output_errors() -> Iterator[None]:
    """Turns errors of standard output into CommandError, except for BrokenPipeError: a reader that exits early, such as
    `head`, is no error and ends the command silently."""
    if sys.stdout is None:
        raise CommandError("standard output is closed")
    try:
        yield
    except BrokenPipeError:
        raise
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
