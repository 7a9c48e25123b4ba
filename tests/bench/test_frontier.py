"""The search for the highest rate, with servers whose latency is a formula."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.frontier import LIMITS_MS, Cell, Try, as_markdown, highest, search
from tests.bench.load import Measured


def tried(rate: float, capacity: float, errors: int = 0, kept: float = 1.0) -> Try:
    """A queue: the closer to its capacity, the longer it takes."""
    p99 = 1.0 / (1 - rate / capacity) if rate < capacity else 1000.0
    answers = int(min(rate, capacity) * 100 * kept)
    return Try(rate, Measured(answers, errors, 100.0, p99 / 2, p99))


@given(st.floats(120, 50_000))
def test_highest_rate_is_found_to_within_a_twentieth(capacity: float) -> None:
    tries: list[Try] = []
    for limit in LIMITS_MS:
        tries = search(lambda rate: tried(rate, capacity), limit, tries)
        exact = capacity * (1 - 1 / limit)
        assert exact * 0.9 < highest(tries, limit) <= exact
    assert len(tries) < 30


@pytest.mark.parametrize("options", [{"errors": 1}, {"kept": 0.9}], ids=["failures", "load behind"])
def test_rate_with_failures_or_without_the_whole_load_does_not_count(options: dict[str, float]) -> None:
    tries = search(lambda rate: tried(rate, 1e9, **options), 50)  # type: ignore[arg-type]
    assert highest(tries, 50) == 0.0
    assert len(tries) == 1


def test_table_subtracts_the_upstream_and_names_failures() -> None:
    def cell(server: str, p50: float, failures: int = 0) -> Cell:
        return Cell("polls", server, p50, 3.0, {5: 100.0, 10: 2000.0, 50: 0.0}, 23.0, 0.5, (1.0, 2.0, 3.0), failures)

    *_, upstream, gateway, broken = as_markdown(
        [cell("upstream", 0.2), cell("gateway", 0.5), cell("LiteLLM", 1.0, 7)]
    ).splitlines()
    assert "| upstream | 0.20 ms |" in upstream
    assert "| gateway | 0.30 ms | 0.00 ms | 100/s | 2,000/s | none | 23/s | 0.50 s | 1, 2, 3 MB |" in gateway
    assert "| LiteLLM | 7 failures |" in broken
