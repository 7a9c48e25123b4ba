"""The one table: a row for each server in each case, as text, Markdown or JSON."""

import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["", "ok", "below", "n/a"]

COLUMNS = (
    "case",
    "what",
    "server",
    "rate",
    "p50 ms",
    "p99 ms",
    "core",
    "memory MB",
    "× nginx",
    "× LiteLLM",
    "errors",
    "besides",
    "target",
    "",
)

_SAID_ONCE = 2
"""So many columns at the beginning are blank where they would repeat the row above."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one server did in one case; None and "" where there is nothing to say.

    `rate` is in `unit` per second: good answers, or MB. `to_nginx` and `to_litellm` say how many times their rate that
    is. `core` is how much of its core the server used: one that used little was held up by the load or the upstream.
    `errors` are answers other than 2xx, lost connections and answers that did not come. `besides` is what the case
    measures that has no column of its own. `figures` are for the JSON only.
    """

    case: str
    what: str
    server: str
    rate: float | None = None
    unit: Literal["", "MB"] = ""
    p50_ms: float | None = None
    p99_ms: float | None = None
    core: float | None = None
    memory_mb: float | None = None
    to_nginx: float | None = None
    to_litellm: float | None = None
    errors: int | None = None
    besides: str = ""
    target: str = ""
    verdict: Verdict = ""
    figures: dict[str, Any] | None = None

    def cells(self) -> list[str]:
        rate = "" if self.rate is None else f"{self.rate:,.{0 if self.rate >= 10 else 1}f}{_unit(self.unit)}"
        return [
            self.case,
            self.what,
            self.server,
            rate,
            _number(self.p50_ms, 1),
            _number(self.p99_ms, 1),
            "" if self.core is None else f"{self.core:.0%}",
            _number(self.memory_mb, 0),
            _number(self.to_nginx, 3),
            _number(self.to_litellm, 1),
            "" if self.errors is None else f"{self.errors:,}",
            self.besides,
            self.target,
            self.verdict,
        ]


def as_text(rows: Sequence[Row]) -> str:
    """For a terminal; columns in which nothing stands are left out."""
    lines, numeric = _lines(rows)
    widths = [max(_width(line[column]) for line in lines) for column in range(len(lines[0]))]
    lines.insert(1, ["─" * width for width in widths])
    return "\n".join(
        "  ".join(
            _padded(cell, width, right) for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    )


def as_markdown(rows: Sequence[Row]) -> str:
    """For the README of this folder."""
    lines, numeric = _lines(rows)
    lines.insert(1, ["--:" if right else "---" for right in numeric])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows]


def _lines(rows: Sequence[Row]) -> tuple[list[list[str]], list[bool]]:
    """The header and the rows without their empty columns, and which of these hold numbers."""
    cells = [row.cells() for row in rows]
    for line, before in reversed(list(zip(cells[1:], cells, strict=False))):
        if line[:_SAID_ONCE] == before[:_SAID_ONCE]:
            line[:_SAID_ONCE] = [""] * _SAID_ONCE
    kept = [column for column in range(len(COLUMNS)) if any(line[column] for line in cells)]
    lines = [[line[column] for column in kept] for line in (list(COLUMNS), *cells)]
    return lines, [3 <= column <= 10 for column in kept]


def _unit(unit: str) -> str:
    return f" {unit}/s" if unit else "/s"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def _padded(text: str, width: int, right: bool) -> str:
    spaces = " " * (width - _width(text))
    return spaces + text if right else text + spaces
