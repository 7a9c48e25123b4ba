"""Errors of commands.

CommandError             a message of one line and an exit code
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


class CommandError(Exception):
    """The command fails; the message says in one line what happened and what to do. `hint` is another line: what to do
    in this program after an error of the gateway, whose message may be in another language."""

    def __init__(self, message: str, exit_code: int = 1, *, hint: str = "") -> None:
        super().__init__(" ".join(message.split()))
        self.exit_code = exit_code
        self.hint = hint


@contextlib.contextmanager
def configuration_errors() -> Iterator[None]:
    """Turns SettingsError into CommandError."""
    from gateway.core.settings import SettingsError

    try:
        yield
    except SettingsError as error:
        raise CommandError(f"configuration: {error}", BAD_USAGE) from None


def exit_on(*signals: signal.Signals, exit_code: int) -> None:
    """Exit with `exit_code` on these signals, by an exception, so that contexts are closed."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(exit_code)

    for number in signals:
        signal.signal(number, end)
