"""The command line. Worker processes import this package too, so what it needs is imported by `main` alone."""

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted."""
    try:
        from gateway.cli.commands import run

        return run(argv)
    except KeyboardInterrupt:
        # Outside of the command itself: while it is loaded, or on its way out.
        return 130
