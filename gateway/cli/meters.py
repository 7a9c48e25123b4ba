"""How far a file is: a bar on a terminal, and nothing where nobody watches."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Protocol

from gateway.cli.output import say


class Meter(Protocol):
    def show(self, name: str, done: int, total: int | None) -> None:
        """How many bytes are there, of how many; None where nobody knows. `done` falls when it starts anew."""

    def note(self, text: str) -> None:
        """A remark on the way, such as that the connection broke."""


@contextlib.contextmanager
def meter() -> Iterator[Meter]:
    """The meter for this standard error; whatever it draws is finished at the end."""
    if not sys.stderr.isatty():
        yield Silence()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.table import Column

    class Bar:
        def __init__(self) -> None:
            self._row: TaskID | None = None
            self._done = 0

        def show(self, name: str, done: int, total: int | None) -> None:
            if self._row is None:
                self._row = progress.add_task(name, total=total, completed=done)
            elif done < self._done:
                progress.reset(self._row, total=total, completed=done)
            else:
                progress.update(self._row, total=total, completed=done)
            self._done = done

        def note(self, text: str) -> None:
            progress.console.print(text, markup=False, highlight=False)

    name = Column(no_wrap=True, overflow="ellipsis", max_width=40)
    with Progress(
        TextColumn("{task.description}", markup=False, table_column=name),
        BarColumn(24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as progress:
        yield Bar()


class Silence:
    """Only remarks are worth a line."""

    def show(self, name: str, done: int, total: int | None) -> None:
        pass

    def note(self, text: str) -> None:
        say(text)
