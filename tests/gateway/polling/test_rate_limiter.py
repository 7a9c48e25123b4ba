"""The adaptive rate limiter: calls per second, and reduction after a 429."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.polling.rate_limiter import AdaptiveRateLimiter


def spend_all(limiter: AdaptiveRateLimiter, start: float, seconds: float, step: float = 0.001) -> list[float]:
    """The times of calls that are made as early as allowed."""
    calls, now = [], start
    while now < start + seconds:
        wait = limiter.wait(now)
        if wait <= 0:
            limiter.acquire(now)
            calls.append(now)
        else:
            now += max(wait, step)
    return calls


def most_in_a_second(calls: list[float]) -> int:
    return max(sum(1 for other in calls if 0 <= other - call < 1.0) for call in calls)


@pytest.mark.parametrize("limit", [1, 5, 20, 100])
def test_rate_limit_is_never_exceeded_and_mostly_used(limit: int) -> None:
    calls = spend_all(AdaptiveRateLimiter(limit, 0.0), 0.0, 20.0)
    assert most_in_a_second(calls) <= limit
    assert len(calls) >= 0.85 * limit * 20


@given(
    st.sampled_from([1, 3, 20]),
    st.lists(st.tuples(st.floats(0, 3), st.floats(0, 1)), min_size=1, max_size=30),
)
def test_calls_stay_within_the_limit_whenever_they_arrive(limit: int, trips: list[tuple[float, float]]) -> None:
    """Calls take any time, and arrive at any moment of it."""
    limiter, now = AdaptiveRateLimiter(limit, 0.0), 0.0
    arrived: list[float] = []
    answers: list[float] = []
    for number in range(4 * limit + 20):
        while True:
            for answer in sorted(at for at in answers if at <= now):
                answers.remove(answer)
                limiter.finish(answer)
            wait = limiter.wait(now)
            if wait <= 0:
                break
            now += min(wait, 0.05)
        limiter.start(now)
        seconds, share = trips[number % len(trips)]
        arrived.append(now + seconds * share)
        answers.append(now + seconds)
    assert max(sum(one <= other < one + 0.999 for other in arrived) for one in arrived) <= limit


def test_usual_latency_costs_little_of_the_rate() -> None:
    limiter, now, sent, answers = AdaptiveRateLimiter(20, 0.0), 0.0, 0, list[float]()
    while now < 20:
        while answers and answers[0] <= now:
            limiter.finish(answers.pop(0))
        if limiter.wait(now) <= 0:
            limiter.start(now)
            answers.append(now + 0.1)
            sent += 1
        now += 0.002
    assert sent >= 0.85 * 20 * 20


def test_calls_without_an_answer_hold_the_others_for_a_while_only() -> None:
    limiter = AdaptiveRateLimiter(20, 0.0)
    for number in range(20):
        limiter.start(number * 0.1)
    assert limiter.wait(5.0) > 0
    assert limiter.wait(12.0) == 0
    for _ in range(20):
        limiter.finish(12.0)
    assert limiter.wait(12.0) == 0


def test_limit_below_one_call_a_second() -> None:
    limiter = AdaptiveRateLimiter(0.5, 0.0)
    limiter.start(0.0)
    limiter.finish(0.4)
    assert limiter.wait(2.3) > 0
    assert limiter.wait(2.5) == 0


def test_limit_that_is_set_later_counts_from_then_on() -> None:
    limiter = AdaptiveRateLimiter(0, 0.0)
    limiter.start(0.0)
    limiter.change_limit(1, 0.0)
    limiter.finish(0.1)
    assert limiter.wait(2.0) == 0


def test_idle_time_allows_no_burst() -> None:
    limiter = AdaptiveRateLimiter(20, 0.0)
    assert most_in_a_second(spend_all(limiter, 1000.0, 5.0)) <= 20


def test_without_a_limit_there_is_no_wait() -> None:
    limiter = AdaptiveRateLimiter(0, 0.0)
    for _ in range(1000):
        limiter.acquire(0.0)
    assert limiter.wait(0.0) == 0
    assert limiter.seconds_for(1000) == 0


def test_calls_made_without_waiting_delay_later_ones() -> None:
    limiter = AdaptiveRateLimiter(10, 0.0)
    for _ in range(5):
        limiter.acquire(0.0)
    assert limiter.wait(0.0) == pytest.approx(5 / 9, rel=0.01)


def test_rate_limit_error_halves_the_rate_which_recovers_slowly() -> None:
    limiter = AdaptiveRateLimiter(20, 0.0)
    limiter.on_rate_limit_error(0.0, sent_at=0.0)
    assert len(spend_all(limiter, 0.0, 5.0)) == pytest.approx(5 * 9 + 5, abs=8)
    assert len(spend_all(limiter, 60.0, 5.0)) == pytest.approx(5 * 18, abs=8)


def test_concurrent_rate_limit_errors_count_as_one() -> None:
    limiter = AdaptiveRateLimiter(20, 0.0)
    for _ in range(10):
        limiter.on_rate_limit_error(1.0, sent_at=0.5)
    assert limiter.seconds_for(9) == pytest.approx(1.0, rel=0.05)


def test_retry_after_of_the_upstream_is_respected() -> None:
    for limit in (0, 20):
        limiter = AdaptiveRateLimiter(limit, 0.0)
        limiter.on_rate_limit_error(0.0, sent_at=0.0, retry_after=7)
        assert limiter.wait(1.0) == pytest.approx(6.0)
        assert limiter.wait(8.0) == 0


def test_rate_never_falls_to_zero() -> None:
    limiter = AdaptiveRateLimiter(20, 0.0)
    for second in range(100):
        limiter.on_rate_limit_error(second / 10, sent_at=second / 10)
    assert limiter.wait(10.0) < 3


@given(
    st.one_of(st.just(0.0), st.floats(0.1, 1000)),
    st.lists(st.tuples(st.sampled_from(["spend", "refused", "wait"]), st.floats(0, 10)), max_size=60),
)
def test_wait_is_always_finite(limit: float, steps: list[tuple[str, float]]) -> None:
    limiter, now = AdaptiveRateLimiter(limit, 0.0), 0.0
    for what, passed in steps:
        now += passed
        if what == "spend":
            limiter.acquire(now)
        elif what == "refused":
            limiter.on_rate_limit_error(now, sent_at=now)
        wait = limiter.wait(now)
        assert 0 <= wait < 10_000


def test_retry_after_is_limited() -> None:
    limiter = AdaptiveRateLimiter(20, 0.0)
    limiter.on_rate_limit_error(0.0, sent_at=0.0, retry_after=10**7)
    assert limiter.wait(0.0) <= 60
    limiter.on_rate_limit_error(1.0, sent_at=1.0)
    assert limiter.wait(1.0) > 50, "a later refusal without a time does not shorten the one before"


@pytest.mark.parametrize(("old", "new"), [(5, 20), (20, 5), (0, 10), (10, 0)])
def test_changed_limit_applies_from_then_on(old: int, new: int) -> None:
    limiter = AdaptiveRateLimiter(old, 0.0)
    for _ in range(3):
        limiter.acquire(0.0)
    limiter.change_limit(new, 0.0)
    if not new:
        assert limiter.wait(0.0) == 0
        return
    calls = spend_all(limiter, 1.0, 20.0)
    assert most_in_a_second(calls) <= new
    assert len(calls) >= 0.85 * new * 20


def test_changed_limit_keeps_the_slowdown_after_an_error() -> None:
    limiter = AdaptiveRateLimiter(20, 0.0)
    limiter.on_rate_limit_error(0.0, sent_at=0.0)
    limiter.change_limit(40, 0.0)
    assert limiter.seconds_for(18) == pytest.approx(1.0)
