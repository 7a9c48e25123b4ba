"""The token bucket of requests, and its headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limits.request_rate import LIMIT_HEADERS, RequestRate, duration, limit_headers
from tests.clock import TestClock


def rate_of(per_second: float, burst: int) -> tuple[RequestRate, TestClock]:
    clock = TestClock()
    return RequestRate(per_second, burst, clock.monotonic), clock


def test_burst_is_taken_at_once_and_refills() -> None:
    rate, clock = rate_of(2, 3)
    assert [rate.take() for _ in range(4)] == [True, True, True, False]
    assert rate.seconds_to_next == pytest.approx(0.5)
    clock.move(0.5)
    assert [rate.take(), rate.take()] == [True, False]
    clock.move(100)
    assert rate.remaining == 3


def test_refused_requests_do_not_delay_the_next() -> None:
    rate, clock = rate_of(1, 1)
    assert rate.take()
    for _ in range(9):
        clock.move(0.1)
        assert not rate.take()
    clock.move(0.11)
    assert rate.take()


def test_headers_are_of_the_last_request() -> None:
    rate, clock = rate_of(2, 4)
    rate.take()
    assert dict(rate.headers()) == {
        b"x-ratelimit-limit-requests": b"4",
        b"x-ratelimit-remaining-requests": b"3",
        b"x-ratelimit-reset-requests": b"500ms",
    }
    clock.move(10)
    rate.take()
    assert dict(rate.headers())[b"x-ratelimit-remaining-requests"] == b"3"


def test_configure_keeps_what_was_used() -> None:
    rate, clock = rate_of(1, 10)
    for _ in range(10):
        rate.take()
    rate.configure(5, 20)
    assert not rate.take()
    clock.move(1)
    assert rate.remaining == 5
    rate.configure(5, 2)
    assert rate.remaining == 2
    assert dict(rate.headers())[b"x-ratelimit-limit-requests"] == b"2"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0, "0ms"), (0.0004, "0ms"), (0.12, "120ms"), (1, "1s"), (6.44, "6.4s"), (59.9, "59.9s"), (60, "1m0s")),
        *((360, "6m0s"), (7384, "2h3m4s"), (86400, "24h0m0s")),
    ],
)
def test_durations_are_written_as_openai_does(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_all_headers_are_exposed() -> None:
    names = {name.decode() for one in ("requests", "submits") for name, _ in limit_headers(one, 1, 1, 1.0)}
    assert names < set(LIMIT_HEADERS)
    assert [name.decode() for name, _ in limit_headers("tasks", 5, 2, None)] == [
        "x-ratelimit-limit-tasks",
        "x-ratelimit-remaining-tasks",
    ]


@given(
    per_second=st.floats(0.01, 1000),
    burst=st.integers(1, 50),
    pauses=st.lists(st.floats(0, 5), max_size=200),
)
def test_never_more_than_the_limit(per_second: float, burst: int, pauses: list[float]) -> None:
    rate, clock = rate_of(per_second, burst)
    taken: list[float] = []
    for pause in pauses:
        clock.move(pause)
        if rate.take():
            taken.append(clock.monotonic())
        assert 0 <= rate.remaining <= burst
        assert 0 <= int(dict(rate.headers())[b"x-ratelimit-remaining-requests"]) <= burst
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            room = burst + per_second * (taken[last] - taken[first])
            assert last - first + 1 <= room + 1e-3
