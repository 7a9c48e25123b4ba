"""The command line. Worker processes import this package too, so only `main` imports its dependencies."""

import logging
import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code: 0 success, 1 failure, 2 wrong usage or configuration, 130 interrupted."""
    try:
        from gateway.cli.commands import run

        code = run(argv)
    except KeyboardInterrupt:
        # Outside of the command itself: while it is loaded or exits.
        code = 130
    if argv is None and "obstore" in sys.modules:
        _exit(code)
    return code


def _exit(code: int) -> None:
    """Exit without finalizing Python. The threads of obstore cannot be joined, and one that releases an object during
    the finalization can crash the process."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
