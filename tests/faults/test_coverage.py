"""The table of the README is that of the code, without an empty cell."""

from pathlib import Path

import pytest

from tests.faults import coverage
from tests.faults.catalog import UPSTREAMS
from tests.faults.routes import ROWS

README = (Path(__file__).parent / "README.md").read_text("utf-8")


def test_table_of_the_readme_is_up_to_date() -> None:
    """`python -m tests.faults --coverage` prints it."""
    assert coverage.table() == README.split("<!-- coverage -->\n")[1].split("\n<!-- /coverage -->")[0]


def test_cell_is_a_number_or_a_reason() -> None:
    lines = [line.strip("| ").split(" | ") for line in coverage.table().splitlines() if line.startswith("|")]
    cells = [cell for line in lines[2:] for cell in line[1:]]
    assert {len(line) for line in lines} == {len(coverage.GROUPS) + 1}
    assert all(cell in coverage.REASONS or cell.replace("/", "").isdigit() for cell in cells)
    assert coverage.REASONS.keys() <= set(cells)


def test_both_upstreams_meet_every_fault_but_their_own_words() -> None:
    common, jimeng, dashscope = coverage.faults()
    assert len(common) >= 95
    assert {fault.name for fault in (*jimeng, *dashscope)} <= {fault.name for fault in coverage.GROUPS["own words"]}
    assert README.count(f"{len(common)} faults for both, {len(jimeng)} and {len(dashscope)} of their own") == 1


def test_cell_without_a_reason_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "_RULES", coverage._RULES[:-1])
    with pytest.raises(AssertionError, match="no reason"):
        coverage.table()


def test_rows_of_the_readme_are_counted() -> None:
    counts = {bool(through): sum(1 for row in ROWS if through or not row.route.in_front) for through in ("", "nginx")}
    for through, count in counts.items():
        command = f"python -m tests.faults{' --through nginx' if through else ''}"
        assert f"| `{command}` | {count:,} | 0 | 0 |" in README
    assert set(UPSTREAMS) == {row.upstream for row in ROWS}
