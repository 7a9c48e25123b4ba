"""The command line as a process of its own."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.environment import bare

PROGRAM = (sys.executable, "-m", "gateway")


class Process:
    """A command in a process of its own, with an environment that holds nothing of ours. `program` runs the command
    line, by default that of this folder."""

    def __init__(self, directory: Path, *argv: str, program: Sequence[str] = PROGRAM, **environment: str) -> None:
        self.process = subprocess.Popen(
            [*program, *argv],
            cwd=directory,
            env={**bare(os.environ), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line)

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def find(self, pattern: str) -> str:
        """The first group of the pattern, as soon as the process prints it."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = re.search(pattern, self.output)
            if found:
                return found[1]
            if self.process.poll() is not None and not self._reader.is_alive():
                break
            time.sleep(0.01)
        raise AssertionError(f"{pattern} was not printed, but: {self.output}")

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        code = self.process.wait(20)
        self._reader.join(5)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            # Told to end it takes its workers along, which hold the pipe.
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        self.process.kill()
        self.wait()
        assert self.process.stdout
        self.process.stdout.close()


@contextlib.contextmanager
def running(directory: Path, *argv: str, program: Sequence[str] = PROGRAM, **environment: str) -> Iterator[Process]:
    process = Process(directory, *argv, program=program, **environment)
    try:
        yield process
    finally:
        process.close()
