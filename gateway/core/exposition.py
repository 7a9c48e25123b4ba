"""The metrics of all processes in the Prometheus text format."""

import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, Metric, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from gateway.core.metrics import ACCOUNTS, CREDITS

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_FILE_OF_LIVE_PROCESS = re.compile(r"gauge_live\w*_(\d+)\.db")
_STARTED = "process_start_time_seconds"


def exposition(accounts: Mapping[tuple[str, str], int], names: Collection[str]) -> bytes:
    """The metrics in the Prometheus text format. `accounts` is the current number of accounts by provider and state,
    with those that no account is in; `names` are the accounts of the configuration."""
    for (provider, state), number in accounts.items():
        ACCOUNTS.labels(provider, state).set(number)
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder is None:
        sources: list[Collector] = [REGISTRY]
    else:
        own = CollectorRegistry()
        MultiProcessCollector(own)  # type: ignore[no-untyped-call]
        sources = [own, PlatformCollector(registry=None), _Processes(_pids(Path(folder)))]
    shown = CollectorRegistry()
    shown.register(_Shown(sources, names))
    return generate_latest(shown)


class _Shown(Collector):
    """All metrics, without the credits of accounts that the configuration no longer has."""

    def __init__(self, sources: Iterable[Collector], names: Collection[str]) -> None:
        self._sources = sources
        self._names = names

    def describe(self) -> Iterable[Metric]:
        """None: to register this collects nothing."""
        return ()

    def collect(self) -> Iterator[Metric]:
        for source in self._sources:
            for metric in source.collect():
                if metric.name == CREDITS._name:
                    metric.samples = [one for one in metric.samples if one.labels["account"] in self._names]
                yield metric


class _Processes(Collector):
    """`process_*` of several processes together: sums, and the earliest start."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = pids

    def collect(self) -> Iterator[Metric]:
        metrics: dict[str, Metric] = {}
        values: defaultdict[str, list[float]] = defaultdict(list)
        for pid in self._pids:
            for metric in ProcessCollector(pid=partial(int, pid), registry=None).collect():
                metrics[metric.name] = metric
                values[metric.name] += [sample.value for sample in metric.samples]
        for name, metric in metrics.items():
            value = min(values[name]) if name == _STARTED else sum(values[name])
            metric.samples = [Sample(one.name, one.labels, value) for one in metric.samples]
            yield metric


def _pids(folder: Path) -> list[int]:
    """The processes of one `serve`, by their files. Those of a worker that has ended are gone."""
    found = (_FILE_OF_LIVE_PROCESS.fullmatch(file.name) for file in folder.iterdir())
    return sorted({int(match[1]) for match in found if match is not None})
