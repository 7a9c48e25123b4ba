"""An idempotency store on a clock moved by hand."""

import itertools

import pytest

from gateway.tasks.idempotency import IdempotencyStore
from tests.clock import TestClock


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def store(clock: TestClock) -> IdempotencyStore:
    seeds = itertools.count(1)
    return IdempotencyStore(clock, lambda: str(next(seeds)))
