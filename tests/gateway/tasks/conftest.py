"""An idempotency store on a clock moved by hand, and short time limits of lookups."""

import itertools

import pytest

from gateway.tasks import submit_lookup
from gateway.tasks.idempotency import IdempotencyStore
from tests.clock import TestClock


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def store(clock: TestClock) -> IdempotencyStore:
    seeds = itertools.count(1)
    return IdempotencyStore(clock, lambda: str(next(seeds)))


@pytest.fixture
def short_lookups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short time limits, for gateways of `shared_site.process`."""
    monkeypatch.setattr(submit_lookup, "LOOKUP_SECONDS", 0.1)
    monkeypatch.setattr(submit_lookup, "AFTER_CONNECT_SECONDS", 0.05)
    monkeypatch.setattr(submit_lookup, "GRACE_SECONDS", 0.02)
