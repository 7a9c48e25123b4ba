"""What ends a command early.

CommandError           one line for the person, and the exit code
├── UnreachableError   nothing listens at the address
├── BrokenAnswerError  it listens, but its answer did not arrive
└── RefusedError       it answered with an error
"""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

BAD_USAGE = 2
"""Exit code for what the person can mend: options and configuration."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells count it."""


class CommandError(Exception):
    """The command cannot go on; the text says in one line what happened and what to do."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(" ".join(message.split()))
        self.exit_code = exit_code


@contextlib.contextmanager
def configuration_mistakes() -> Iterator[None]:
    """Turns a configuration that cannot be used into a failed command."""
    from gateway.core.settings import SettingsError

    try:
        yield
    except SettingsError as error:
        raise CommandError(f"configuration: {error}", BAD_USAGE) from None


def end_on(*signals: signal.Signals, exit_code: int) -> None:
    """Let these signals unwind the process, so that whatever is open is closed, and end it with `exit_code`."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(exit_code)

    for number in signals:
        signal.signal(number, end)
