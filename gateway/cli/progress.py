"""Progress of tasks and of downloads: bars on a terminal, else plain lines."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Protocol

from gateway.cli.client.gateway_client import TaskView
from gateway.cli.language import localize
from gateway.cli.output import print_message

_BAR_WIDTH = 24
_MAX_NAME_LENGTH = 24
_STEP = 10
"""Percent of progress after which a plain line is printed without a change of the status."""


class TaskProgress(Protocol):
    def show(self, name: str, task: TaskView) -> None:
        """Show the status of a task under a name for the user."""

    def note(self, text: str) -> None:
        """Show a message, such as that the gateway does not respond."""


@contextlib.contextmanager
def task_progress() -> Iterator[TaskProgress]:
    """The progress display for this standard error, which is closed on exit."""
    if not sys.stderr.isatty():
        yield TaskLines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn
    from rich.table import Column

    class TaskBars:
        def __init__(self) -> None:
            self._rows: dict[str, TaskID] = {}

        def show(self, name: str, task: TaskView) -> None:
            row = self._rows.get(name)
            if row is None:
                row = self._rows[name] = progress.add_task(shorten_name(name), total=100, state="", message="")
            # The link is the result, which is printed at the end.
            message = "" if task.url else " ".join(task.message.split())
            # A failed task has no progress: its bar stays.
            progress.update(row, completed=None if task.failed else task.progress, state=task.status, message=message)

        def note(self, text: str) -> None:
            progress.console.print(localize(text), markup=False, highlight=False)

    rest = Column(no_wrap=True, overflow="ellipsis")
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(_BAR_WIDTH),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[state]:<10}", markup=False),
        TextColumn("{task.fields[message]}", markup=False, table_column=rest),
        console=Console(stderr=True),
    ) as progress:
        yield TaskBars()


class TaskLines:
    """Prints a line when the status, the message or the progress changes."""

    def __init__(self) -> None:
        self._printed: dict[str, tuple[str, str, int]] = {}

    def show(self, name: str, task: TaskView) -> None:
        step = task.progress // _STEP
        line_key = (task.status, task.message, step)
        if self._printed.get(name) != line_key:
            self._printed[name] = line_key
            figure = "" if task.failed else f"{task.progress}%"
            print_message(f"{shorten_name(name):<10}  {figure:>4}  {task.status:<10}  {task.message}".rstrip())

    def note(self, text: str) -> None:
        print_message(text)


def shorten_name(name: str) -> str:
    """A name cut in the middle: signed ids are long, and differ at their ends."""
    if len(name) <= _MAX_NAME_LENGTH:
        return name
    half = (_MAX_NAME_LENGTH - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


class DownloadProgress(Protocol):
    def show(self, name: str, done: int, total: int | None) -> None:
        """Show `done` of `total` bytes, None if unknown. `done` falls when the download restarts."""

    def note(self, text: str) -> None:
        """Show a message, such as that the connection was lost."""


@contextlib.contextmanager
def download_progress() -> Iterator[DownloadProgress]:
    """The progress display for this standard error, which is closed on exit."""
    if not sys.stderr.isatty():
        yield MessagesOnly()
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
            progress.console.print(localize(text), markup=False, highlight=False)

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


class MessagesOnly:
    """Prints messages only."""

    def show(self, name: str, done: int, total: int | None) -> None:
        pass

    def note(self, text: str) -> None:
        print_message(text)
