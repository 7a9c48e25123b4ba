"""The regression guard of the benchmark."""

from pathlib import Path

import pytest

from tests.bench import guard
from tests.bench.table import Row


def test_ratio_below_the_tolerance_and_one_that_is_missing_are_named() -> None:
    stored = {"live polls, gateway": 0.1, "submits, gateway": 0.04, "repeated polls, gateway": 0.5}
    assert guard.regressions(stored, {name: value * 0.71 for name, value in stored.items()}) == []
    found = guard.regressions(stored, {"live polls, gateway": 0.069, "submits, gateway": 0.4})
    assert found == [
        "live polls, gateway: 0.069 × nginx, 31% below the stored 0.1",
        "repeated polls, gateway: not measured, stored is 0.5 × nginx",
    ]


def test_only_rows_with_a_ratio_are_compared_and_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "FILE", tmp_path / "ratios.json")
    rows = [Row("a", "live polls", "nginx", rate=1.0), Row("a", "live polls", "gateway", to_nginx=0.123456)]
    guard.store(guard.ratios_of(rows))
    assert guard.load() == {"live polls, gateway": 0.1235}


def test_stored_ratios_are_those_of_the_guarded_cases() -> None:
    assert set(guard.load()) == {
        "live polls, gateway",
        "repeated polls, gateway",
        "repeated polls, gateway, signed ids",
        "submits, gateway",
    }
