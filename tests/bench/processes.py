"""Processes of the benchmark: each on its cores, in a group of its own, gone with the block that started it.

`Server` runs until it is told to end, `Program` until its work is done.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Self

from tests.bench.stream_memory import resident_mb
from tests.environment import bare

ROOT = Path(__file__).parents[2]

_GRACE_SECONDS = 5.0
_START_SECONDS = 20.0
_SETTLE_SECONDS = 0.2


class BenchError(Exception):
    """A measurement cannot be made; the text says why."""


def end_on_signals() -> None:
    """The first Ctrl-C or SIGTERM unwinds this process, so that everything it started is ended; further ones wait."""

    def end(number: int, frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def _start(
    argv: Sequence[str],
    cores: frozenset[int],
    folder: Path,
    stdout: int,
    stderr: int,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Raises BenchError when there is no such program."""
    ours = {"PYTHONPATH": str(ROOT)} if argv[0] == sys.executable else {}
    before = os.sched_getaffinity(0)
    # A child inherits the cores of the thread that starts it: so none of its threads was ever elsewhere.
    os.sched_setaffinity(0, cores)
    try:
        return subprocess.Popen(
            argv,
            cwd=folder,
            env={**bare(os.environ), **ours, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            # Ctrl-C is then for this process alone, which ends the others in their order.
            process_group=0,
        )
    except OSError as error:
        raise BenchError(f"{argv[0]}: {error.strerror}") from error
    finally:
        os.sched_setaffinity(0, before)


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


class Server:
    """A server with its children. A context manager; what it says goes to a file in `folder`."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        cores: frozenset[int],
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = folder / f"{name}-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self._process = _start(argv, cores, folder, log.fileno(), subprocess.STDOUT, environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()

    def end(self) -> None:
        """Its children too, and for good."""
        _signal_group(self._process, signal.SIGCONT)
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_SECONDS)
        _signal_group(self._process, signal.SIGKILL)
        self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def said(self, pattern: str, seconds: float = _START_SECONDS) -> str:
        """The first group of the pattern, as soon as it stands in the log. Raises BenchError."""
        return self._await(lambda: self._found(pattern), seconds, f"did not say {pattern}")

    def listening(self, port: int, seconds: float = _START_SECONDS) -> Self:
        """Itself, as soon as somebody can connect. Raises BenchError."""
        self._await(lambda: _connects(port), seconds, f"does not listen on port {port}")
        return self

    def rest(self) -> None:
        """Take no time of any core, until `wake`."""
        _signal_group(self._process, signal.SIGSTOP)

    def wake(self) -> None:
        _signal_group(self._process, signal.SIGCONT)
        time.sleep(_SETTLE_SECONDS)

    @contextlib.contextmanager
    def awake(self) -> Iterator[None]:
        """For a block only."""
        self.wake()
        try:
            yield
        finally:
            self.rest()

    def memory_mb(self, name: str = "VmRSS") -> float:
        """Resident memory, children's too: `VmRSS` now, `VmHWM` the most since `forget_peak`.

        Pages that several processes share count for each.
        """
        return sum(resident_mb(pid, name) for pid in _family(self._process.pid))

    def cpu_seconds(self) -> float:
        """Time of cores that it has used so far, its children too."""
        return sum(_cpu_seconds(pid) for pid in _family(self._process.pid))

    def forget_peak(self) -> None:
        """Let VmHWM begin anew."""
        for pid in _family(self._process.pid):
            Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")

    def _found(self, pattern: str) -> str:
        found = re.search(pattern, self.log.read_text("utf-8", "replace"))
        return found[1] if found else ""

    def _await(self, look: Callable[[], str], seconds: float, complaint: str) -> str:
        deadline = time.monotonic() + seconds
        while not (seen := look()):
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                why = f"ended with {self._process.returncode}" if ended else f"{complaint} within {seconds:g} s"
                raise BenchError(f"{self.name} {why}; its last words: {self._last_words()}")
            time.sleep(0.02)
        return seen

    def _last_words(self) -> str:
        return " ".join(self.log.read_text("utf-8", "replace")[-600:].split()) or "none"


class Program:
    """A program with an end. A context manager: left early, it is ended."""

    def __init__(self, argv: Sequence[str], cores: frozenset[int], folder: Path) -> None:
        self._name = " ".join(argv[:3])
        self._process = _start(argv, cores, folder, subprocess.PIPE, subprocess.PIPE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        _signal_group(self._process, signal.SIGKILL)
        self._process.communicate()

    def result(self, seconds: float) -> str:
        """What it prints, once it has ended. Raises BenchError when that takes longer, or it fails."""
        try:
            said, complained = self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise BenchError(f"{self._name} did not end within {seconds:g} s") from None
        if self._process.returncode:
            raise BenchError(f"{self._name} failed: {complained.decode('utf-8', 'replace')[-600:]}")
        return said.decode("utf-8", "replace")


def module(name: str, *arguments: str) -> list[str]:
    """The command of a module of this package."""
    return [sys.executable, "-m", f"tests.bench.{name}", *arguments]


def _connects(port: int) -> str:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return ""
    return "yes"


def _cpu_seconds(pid: int) -> float:
    """Of user and system together."""
    # The name stands in brackets and may hold anything, so what follows is counted from behind them.
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    pids = [pid]
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text("ascii").split():
                pids += _family(int(child))
    return pids
