"""The table of the gateway's metrics in `deploy/README.md`. `python -m tests.metrics_table` writes it anew."""

import re
from pathlib import Path
from typing import NamedTuple

from prometheus_client import metrics as client
from prometheus_client.metrics import MetricWrapperBase

from gateway.core import metrics

FILE = Path(__file__).parent.parent / "deploy" / "README.md"
_MARKERS = re.compile(r"(<!-- metrics -->\n).*?(<!-- /metrics -->)", re.DOTALL)
_HEAD = "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n"


class Row(NamedTuple):
    """A metric by the name in queries: that of a counter ends in `_total`."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def rows() -> list[Row]:
    """Every metric that the gateway declares, by name."""
    found = []
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            name = metric._name + ("_total" if isinstance(metric, client.Counter) else "")
            found.append(Row(name, metric._type or "", tuple(metric._labelnames), metric._documentation))
    return sorted(found)


def table() -> str:
    lines = (
        f"| `{row.name}` | {row.kind} | {', '.join(f'`{label}`' for label in row.labels)} | {row.meaning} |\n"
        for row in rows()
    )
    return _HEAD + "".join(lines).replace("|  |", "| |")


def rewritten(text: str) -> str:
    """The text with its table as it should be."""
    assert _MARKERS.search(text)
    return _MARKERS.sub(lambda found: f"{found[1]}{table()}{found[2]}", text)


if __name__ == "__main__":
    FILE.write_text(rewritten(FILE.read_text("utf-8")), "utf-8")
