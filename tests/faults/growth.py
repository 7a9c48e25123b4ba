"""Whether what a process holds grows: the plateau compared with the end.

A process fills its caches and pools at first. So the second quarter of the time is compared with the last one, each by
its median: a peak in one of them is no leak.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

MOST_GROWTH: Mapping[str, float] = {"memory": 5.0, "descriptors": 10.0, "tasks": 10.0}
"""What counts as flat, in the unit of the sample."""
UNFILLED_MB = 15.0
"""By how much more memory may grow where the caches of the process are still empty at the beginning."""


class Sample(NamedTuple):
    """What a process holds `at` so many seconds: MB of memory, open file descriptors, asyncio tasks."""

    at: float
    memory: float
    descriptors: float
    tasks: float


def leaks(samples: Sequence[Sample], *, filled: float = 1.0) -> list[str]:
    """What grows. `filled` is the share of its caches that the process had filled before. Raises ValueError for fewer
    than four samples."""
    most = {**MOST_GROWTH, "memory": MOST_GROWTH["memory"] + (1 - filled) * UNFILLED_MB}
    return [name for name, plateau, end in _compared(samples) if end - plateau > most[name]]


def described(samples: Sequence[Sample]) -> list[str]:
    """A line for each figure."""
    return [
        f"{name}: second quarter {plateau:.1f}, last quarter {end:.1f}" for name, plateau, end in _compared(samples)
    ]


def _compared(samples: Sequence[Sample]) -> Iterator[tuple[str, float, float]]:
    if len(samples) < 4:
        raise ValueError("too few samples")
    quarter = len(samples) // 4
    for name in MOST_GROWTH:
        values = [getattr(sample, name) for sample in samples]
        yield name, statistics.median(values[quarter : 2 * quarter]), statistics.median(values[3 * quarter :])


def held_by(metrics: str) -> tuple[float, float]:
    """Open file descriptors and asyncio tasks in the text of `/metrics`."""
    values = {
        family.name: family.samples[0].value for family in text_string_to_metric_families(metrics) if family.samples
    }
    return values["process_open_fds"], values["gateway_asyncio_tasks"]
