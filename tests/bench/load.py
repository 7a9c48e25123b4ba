"""Loads, each made by a process of its own: as many requests as go, polls by the clock, a file again and again."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.processes import BenchError, Program, module
from tests.bench.requests import Order, Requests

CONNECTIONS = 32
PACED_CONNECTIONS = 64

_START_SECONDS = 20.0
_ANSWER_SECONDS = 10
"""How long an answer may take before it counts as an error."""
_PACED_ANSWER_SECONDS = 40.0
"""How long the last of the polls by the clock may take: an upstream that limits queries keeps some of them waiting."""

_WRK = """\
local texts = {texts}
local head, tail = {head}, {tail}
local at, count = -1, #texts
if count > 0 then
  request = function() at = at + 1 return texts[at % count + 1] end
else
  local format = string.format
  request = function() at = at + 1 return head .. format("%012x", at) .. tail end
end
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('\\nRESULT {{"answers":%d,"errors":%d,"seconds":%f,"p50_ms":%f,"p99_ms":%f}}\\n',
    summary.requests - errors.status, errors.status + errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """`answers` are those with 2xx; `errors` all others, lost connections and answers that took too long.

    `core` is how much of a core the server used, where somebody looked.
    """

    answers: int
    errors: int
    seconds: float
    p50_ms: float
    p99_ms: float
    core: float | None = None

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return self.answers / self.seconds


@dataclass(frozen=True, slots=True)
class Paced:
    """Polls by the clock. Latencies count from the moment at which a poll was due, whenever it could be sent.

    `statuses` counts answers by their status, `in_time` the good ones among them that came within the `seconds` during
    which polls were sent, `stale` those that say of themselves that they are. `unanswered` were never answered,
    `left_out` never sent, since the last poll of the same task was not answered yet. `oldest` is the highest Age in
    seconds, None when no answer had one. `began` is unix time.
    """

    began: float
    seconds: float
    statuses: dict[str, int]
    in_time: int
    unanswered: int
    left_out: int
    stale: int
    oldest: int | None
    p50_ms: float
    p99_ms: float

    @property
    def refused(self) -> int:
        """Answers other than good ones."""
        return sum(count for status, count in self.statuses.items() if not status.startswith("2"))

    @property
    def errors(self) -> int:
        return self.refused + self.unanswered

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return self.in_time / self.seconds


@dataclass(frozen=True, slots=True)
class Loads:
    """Makes loads from `cores`; `wrk` is the program, or None to take the generator of this package."""

    folder: Path
    cores: frozenset[int]
    wrk: str | None

    @contextmanager
    def closed(
        self, port: int, requests: Requests, seconds: float, connections: int = CONNECTIONS
    ) -> Iterator[Callable[[], Measured]]:
        """Each of the connections sends its next request as soon as the last one is answered."""
        file = self.folder / f"load-{time.monotonic_ns()}"
        parts = requests.parts(port)
        texts = [] if parts else requests.texts(port)
        if self.wrk:
            head, tail = parts or ("", "")
            # JSON writes ASCII as Lua reads it.
            listed = "{" + ",".join(map(json.dumps, texts)) + "}"
            file.write_text(_WRK.format(texts=listed, head=json.dumps(head), tail=json.dumps(tail)), "ascii")
            sizes = [f"-c{connections}", f"-d{max(1, round(seconds))}", f"--timeout={_ANSWER_SECONDS}s"]
            command = [self.wrk, "-t1", *sizes, "--latency", "-s", str(file), f"http://127.0.0.1:{port}/"]
        else:
            Order(port, seconds, connections, texts, parts).write(file)
            command = module("closed_loop", str(file))
        with Program(command, self.cores, self.folder) as program:
            yield lambda: Measured(**_last(program.result(seconds + _ANSWER_SECONDS + _START_SECONDS)))

    def measure(self, port: int, requests: Requests, seconds: float, connections: int = CONNECTIONS) -> Measured:
        """The same, waited for."""
        with self.closed(port, requests, seconds, connections) as result:
            return result()

    @contextmanager
    def paced(
        self, port: int, requests: Requests, seconds: float, connections: int = PACED_CONNECTIONS
    ) -> Iterator[Callable[[], Paced]]:
        """Each path once a second, spread evenly over it, however long the answers take."""
        file = self.folder / f"load-{time.monotonic_ns()}"
        Order(port, seconds, connections, requests.texts(port), last_seconds=_PACED_ANSWER_SECONDS).write(file)
        with Program(module("open_loop", str(file)), self.cores, self.folder) as program:
            yield lambda: Paced(**_last(program.result(seconds + _PACED_ANSWER_SECONDS + _START_SECONDS)))

    def fixed(self, port: int, requests: Requests, seconds: float, rate: float, connections: int) -> Measured:
        """`rate` requests per second by the clock; latencies count from the moment at which a request was due."""
        file = self.folder / f"load-{time.monotonic_ns()}"
        parts = requests.parts(port)
        texts = [] if parts else requests.texts(port)
        Order(port, seconds, connections, texts, parts, last_seconds=2.0, rate=rate).write(file)
        with Program(module("fixed_rate", str(file)), self.cores, self.folder) as program:
            return Measured(**_last(program.result(seconds + _ANSWER_SECONDS + _START_SECONDS)))

    def download(self, port: int, requests: Requests, times: int, most_seconds: float) -> list[float]:
        """MB per second of each of `times` downloads, one after the other. Raises BenchError."""
        file = self.folder / f"load-{time.monotonic_ns()}"
        Order(port, most_seconds, times, requests.texts(port)).write(file)
        with Program(module("download", str(file)), self.cores, self.folder) as program:
            speeds: list[float] = _last(program.result(most_seconds))["speeds"]
            return speeds


def _last(said: str) -> dict[str, Any]:
    """What a generator found, on its last line. Raises BenchError."""
    line = said.rstrip().rpartition("\n")[2].removeprefix("RESULT ")
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        raise BenchError(f"a load generator said {line[:300]!r}") from None
    return found
