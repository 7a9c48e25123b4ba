"""Errors of commands.

CommandError             a message of one line and an exit code
├── OutputClosedError    the reader of standard output has left
├── UnreachableError     the gateway cannot be reached
├── BrokenResponseError  its response did not arrive completely
└── ResponseError        its response is an error
"""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

BAD_USAGE = 2
"""Exit code for wrong options or configuration."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, by the convention of shells."""

TERMINATED = 143
"""Exit code after SIGTERM, by the same convention."""

OUTPUT_CLOSED = 141
"""Exit code where the reader of standard output, such as `head`, has left, by the same convention."""


class CommandError(Exception):
    """The command fails; the message says in one line what happened and what to do. `hint` is another line: what to do
    in this program after an error of the gateway, whose message may be in another language."""

    def __init__(self, message: str, exit_code: int = 1, *, hint: str = "") -> None:
        super().__init__(" ".join(message.split()))
        self.exit_code = exit_code
        self.hint = hint


class OutputClosedError(CommandError):
    """The reader of standard output has left: the command ends without a message of its own."""

    def __init__(self) -> None:
        super().__init__("standard output was closed by its reader", OUTPUT_CLOSED)


@contextlib.contextmanager
def configuration_errors() -> Iterator[None]:
    """Turns SettingsError into CommandError."""
    from gateway.core.settings import SettingsError

    try:
        yield
    except SettingsError as error:
        raise CommandError(f"configuration: {error}", BAD_USAGE) from None


@contextlib.contextmanager
def exit_on(*signals: signal.Signals, exit_code: int) -> Iterator[None]:
    """Inside of the context these signals raise SystemExit, so that contexts are closed and a command says what it
    leaves behind."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(exit_code)

    before = {number: signal.signal(number, end) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
