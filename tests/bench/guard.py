"""Regression guard: the ratios of a quick run beside the stored ones (`python -m tests.bench --quick`).

Only ratios to nginx are stored: they hardly depend on how fast a machine is. Each is a median over rounds in which both
servers run one after the other, so that what else the machine does meets both.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.bench.table import Row

FILE = Path(__file__).with_name("ratios.json")
TOLERANCE = 0.3
"""By how much of the stored ratio a present one may be lower: from run to run they move by up to a fifth."""


def ratios_of(rows: Iterable[Row]) -> dict[str, float]:
    """The ratio to nginx of each row that has one, by its case and server."""
    return {f"{row.what}, {row.server}": round(row.to_nginx, 4) for row in rows if row.to_nginx is not None}


def regressions(stored: Mapping[str, float], present: Mapping[str, float]) -> list[str]:
    """A sentence for each stored ratio that is not reached, or not measured."""
    found = []
    for name, before in stored.items():
        now = present.get(name)
        if now is None:
            found.append(f"{name}: not measured, stored is {before:g} × nginx")
        elif now < before * (1 - TOLERANCE):
            found.append(f"{name}: {now:g} × nginx, {1 - now / before:.0%} below the stored {before:g}")
    return found


def load() -> dict[str, float]:
    """The stored ratios."""
    found: dict[str, float] = json.loads(FILE.read_text("utf-8"))
    return found


def store(ratios: Mapping[str, float]) -> None:
    FILE.write_text(json.dumps(ratios, indent=2) + "\n", "utf-8")
