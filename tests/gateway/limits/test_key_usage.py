"""The counters of one key against its limits."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.core.errors import GatewayError
from gateway.core.key_limit_settings import KeyLimits
from gateway.limits.daily_counts import Calendar
from gateway.limits.key_usage import KeyUsage, Quantity, Reservation
from gateway.limits.running_tasks import RUNNING_SECONDS
from tests.clock import TestClock

UTC = Calendar()
DAY = 86_400.0


def usage_of(clock: TestClock | None = None, **limits: Any) -> KeyUsage:
    usage = KeyUsage("alice", clock or TestClock(), {})
    usage.configure("alice", KeyLimits(**limits), UTC)
    return usage


def refused(call: Callable[[], object]) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        call()
    return caught.value


def submit(usage: KeyUsage, seconds: int = 5, id: str | None = None) -> None:
    with usage.reserve(seconds) as reservation:
        if id is not None:
            reservation.accepted("account", id)


def test_requests_beyond_the_rate_are_refused_with_the_time_of_the_next() -> None:
    usage = usage_of(requests_per_second=0.5, burst=1)
    usage.count_request()
    error = refused(usage.count_request)
    assert (error.code, error.spec.status) == ("rate_limit_exceeded", 429)
    assert error.headers() == {"x-should-retry": "true", "retry-after": "2"}
    assert "0.5" in error.message("en")
    assert "2 秒" in error.message("zh")
    assert error.log_fields()["limit"] == "key_requests"


def test_burst_is_that_of_two_seconds_by_default() -> None:
    for per_second, burst in ((10, 20), (0.1, 1), (1.6, 3)):
        rate = usage_of(requests_per_second=per_second).rate
        assert rate is not None
        assert rate.burst == burst
    assert usage_of(requests_per_second=0).rate is None


def test_used_up_day_is_no_error_to_retry() -> None:
    clock = TestClock(1764590400.0)  # noon, UTC
    usage = usage_of(clock, submits_per_day=1)
    submit(usage, id="t1")
    error = refused(lambda: submit(usage))
    assert (error.code, error.spec.status, error.spec.type) == ("insufficient_quota", 429, "insufficient_quota")
    assert error.headers() == {"x-should-retry": "false", "retry-after": "43200"}
    assert "2025-12-02 00:00 (UTC)" in error.message("en")
    assert "12 小时后" in error.message("zh")
    clock.move(43_200)
    submit(usage, id="t2")


def test_seconds_of_video_are_counted_before_they_are_made() -> None:
    usage = usage_of(video_seconds_per_day=12)
    submit(usage, 5, "t1")
    submit(usage, 5, "t2")
    error = refused(lambda: submit(usage, 5))
    assert error.code == "insufficient_quota"
    assert "2 s left" in error.message("en")
    submit(usage, 2, "t3")
    assert refused(lambda: submit(usage, 0)).code == "insufficient_quota"
    assert usage.video_seconds == Quantity(12, 12)


def test_running_tasks_are_refused_for_a_while() -> None:
    usage = usage_of(running_tasks=1)
    submit(usage, id="t1")
    error = refused(lambda: submit(usage))
    assert (error.code, error.headers()["x-should-retry"]) == ("rate_limit_exceeded", "true")
    usage.running.seen(("account", "t1"), ended=True)
    submit(usage, id="t2")


def test_submit_in_flight_counts_as_running() -> None:
    usage = usage_of(running_tasks=1)
    with usage.reserve(5):
        assert refused(lambda: submit(usage)).code == "rate_limit_exceeded"
    submit(usage)


def test_failed_submit_gives_everything_back() -> None:
    usage = usage_of(submits_per_day=1, video_seconds_per_day=5, running_tasks=1)
    for _ in range(3):
        with pytest.raises(KeyError), usage.reserve(5):
            raise KeyError
    assert (usage.submits.used, usage.video_seconds.used, usage.running_tasks.used) == (0, 0, 0)


def test_unconfirmed_submit_counts() -> None:
    usage = usage_of(submits_per_day=5)
    with usage.reserve(5) as reservation:
        reservation.unconfirmed()
    assert (usage.submits.used, usage.video_seconds.used, usage.running_tasks.used) == (1, 5, 1)


def test_headers_name_the_limits_that_are_set() -> None:
    clock = TestClock(1764590400.0)
    usage = usage_of(clock, submits_per_day=3, running_tasks=2)
    submit(usage, id="t1")
    assert usage.request_headers() == []
    assert {name.decode(): value.decode() for name, value in usage.submit_headers()} == {
        "x-ratelimit-limit-tasks": "2",
        "x-ratelimit-remaining-tasks": "1",
        "x-ratelimit-limit-submits": "3",
        "x-ratelimit-remaining-submits": "2",
        "x-ratelimit-reset-submits": "12h0m0s",
    }
    assert usage_of().submit_headers() == []


def test_polls_tell_of_the_rate_once_less_than_half_is_left() -> None:
    usage = usage_of(requests_per_second=1, burst=4)
    told = []
    for _ in range(4):
        usage.count_request()
        told.append(bool(usage.poll_headers()))
        assert usage.request_headers()
    assert told == [False, False, True, True]
    assert usage_of().poll_headers() == []


def test_new_limits_keep_the_counts() -> None:
    usage = usage_of()
    for number in range(3):
        submit(usage, id=f"t{number}")
    usage.configure("alice", KeyLimits(submits_per_day=2, running_tasks=2), UTC)
    assert (usage.submits, usage.submits.remaining) == (Quantity(3, 2), 0)
    assert usage.running_tasks == Quantity(3, 2)
    usage.configure("alice", KeyLimits(submits_per_day=4), UTC)
    submit(usage, id="t4")
    assert refused(lambda: submit(usage)).code == "insufficient_quota"


def test_midnight_of_another_zone_begins_another_day() -> None:
    clock = TestClock(1764590400.0)
    usage = usage_of(clock)
    usage.configure("alice", KeyLimits(submits_per_day=1), Calendar(ZoneInfo("Asia/Shanghai"), "Asia/Shanghai"))
    submit(usage, id="t1")
    assert (usage.day, usage.resets_at - clock.now()) == ("2025-12-01", 4 * 3600)
    clock.move(4 * 3600)
    submit(usage, id="t2")
    assert usage.day == "2025-12-02"


class Submits(RuleBasedStateMachine):
    """Any order of submits, outcomes, ends of tasks, days, clock steps and reloads."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = TestClock(1764590400.0)
        self.limits = KeyLimits(submits_per_day=4, video_seconds_per_day=20, running_tasks=3)
        self.usage = usage_of(self.clock)
        self.usage.configure("alice", self.limits, UTC)
        self.open: list[tuple[ExitStack, Reservation]] = []
        self.tasks: list[str] = []
        self.ids = 0

    @rule(seconds=st.integers(0, 12))
    def begin(self, seconds: int) -> None:
        before = (self.usage.submits.used, self.usage.video_seconds.used, self.usage.running_tasks.used)
        stack = ExitStack()
        try:
            self.open.append((stack, stack.enter_context(self.usage.reserve(seconds))))
        except GatewayError:
            assert before == (self.usage.submits.used, self.usage.video_seconds.used, self.usage.running_tasks.used)
        else:
            assert self.usage.submits.used == before[0] + 1 <= (self.limits.submits_per_day or 10**9)
            assert self.usage.video_seconds.used == before[1] + seconds
            assert self.usage.running_tasks.used == before[2] + 1 <= (self.limits.running_tasks or 10**9)
            if self.limits.video_seconds_per_day:
                assert self.usage.video_seconds.used <= self.limits.video_seconds_per_day

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 100), outcome=st.sampled_from(["accepted", "refused", "unconfirmed"]))
    def end(self, which: int, outcome: str) -> None:
        stack, reservation = self.open.pop(which % len(self.open))
        if outcome == "accepted":
            self.ids += 1
            self.tasks.append(f"t{self.ids}")
            reservation.accepted("account", self.tasks[-1])
        elif outcome == "unconfirmed":
            reservation.unconfirmed()
        stack.close()

    @precondition(lambda self: self.tasks)
    @rule(which=st.integers(0, 100), ended=st.booleans())
    def see(self, which: int, ended: bool) -> None:
        id = self.tasks.pop(which % len(self.tasks))
        running = self.usage.running._owners.get(("account", id))
        if running is not None:
            running.seen(("account", id), ended=ended)
        if not ended:
            self.tasks.append(id)

    @rule(seconds=st.sampled_from([1.0, 600.0, RUNNING_SECONDS, DAY]))
    def wait(self, seconds: float) -> None:
        self.clock.move(seconds)

    @rule(seconds=st.sampled_from([-DAY, -3600.0, 3600.0, DAY]))
    def step(self, seconds: float) -> None:
        self.clock.step(seconds)

    @rule(submits=st.integers(0, 5), seconds=st.integers(0, 20), running=st.integers(0, 3))
    def reload(self, submits: int, seconds: int, running: int) -> None:
        self.limits = KeyLimits(submits_per_day=submits, video_seconds_per_day=seconds, running_tasks=running)
        self.usage.configure("alice", self.limits, UTC)

    @invariant()
    def nothing_is_negative(self) -> None:
        for quantity in (self.usage.submits, self.usage.video_seconds, self.usage.running_tasks):
            assert quantity.used >= 0
            assert quantity.remaining is None or quantity.remaining >= 0
        assert self.usage.running_tasks.used >= len(self.open)


TestSubmits = Submits.TestCase
TestSubmits.settings = hypothesis_settings(max_examples=60, stateful_step_count=40, deadline=None)
