"""The command line. Worker processes import this package too, so what it needs is imported by `main` alone."""

import logging
import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted."""
    try:
        from gateway.cli.commands import run

        code = run(argv)
    except KeyboardInterrupt:
        # Outside of the command itself: while it is loaded, or on its way out.
        code = 130
    if argv is None and "obstore" in sys.modules:
        _leave(code)
    return code


def _leave(code: int) -> None:
    """End the process without taking Python down first. The threads of the archive's library, which nothing can wait
    for, may still let go of something, and the process would die of that in one case of many."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
