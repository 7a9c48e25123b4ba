"""Where running tasks are shown while they are followed: as bars on a terminal, else as plain lines."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Protocol

from gateway.cli.client.gateway_client import TaskView
from gateway.cli.output import say

_BAR_WIDTH = 24
_LONGEST_NAME = 24
_STEP = 10
"""A plain line is written when the state changes, and else once in this many percent."""


class Board(Protocol):
    def show(self, name: str, task: TaskView) -> None:
        """How a task stands now, under the name by which the person knows it."""

    def note(self, text: str) -> None:
        """A remark on the whole, such as that the gateway does not answer; empty when that is over."""


@contextlib.contextmanager
def board() -> Iterator[Board]:
    """The board for this standard error; whatever it draws is finished at the end."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn
    from rich.table import Column

    class Bars:
        def __init__(self) -> None:
            self._rows: dict[str, TaskID] = {}

        def show(self, name: str, task: TaskView) -> None:
            row = self._rows.get(name)
            if row is None:
                row = self._rows[name] = progress.add_task(short(name), total=100, state="", message="")
            # The link is the result, printed whole at the end.
            message = "" if task.url else " ".join(task.message.split())
            # Of a failed task nobody tells how far it got: its bar stays where it was.
            progress.update(row, completed=None if task.failed else task.progress, state=task.status, message=message)

        def note(self, text: str) -> None:
            if text:
                progress.console.print(text, markup=False, highlight=False)

    rest = Column(no_wrap=True, overflow="ellipsis")
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(_BAR_WIDTH),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[state]:<10}", markup=False),
        TextColumn("{task.fields[message]}", markup=False, table_column=rest),
        console=Console(stderr=True),
    ) as progress:
        yield Bars()


class Lines:
    """One line for each thing that is worth a line."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[str, str, int]] = {}

    def show(self, name: str, task: TaskView) -> None:
        step = task.progress // _STEP
        news = (task.status, task.message, step)
        if self._said.get(name) != news:
            self._said[name] = news
            figure = "" if task.failed else f"{task.progress}%"
            say(f"{short(name):<10}  {figure:>4}  {task.status:<10}  {task.message}".rstrip())

    def note(self, text: str) -> None:
        if text:
            say(text)


def short(name: str) -> str:
    """A name that leaves room for its bar: sealed ids are long, and differ at their ends."""
    if len(name) <= _LONGEST_NAME:
        return name
    half = (_LONGEST_NAME - 1) // 2
    return f"{name[:half]}…{name[-half:]}"
