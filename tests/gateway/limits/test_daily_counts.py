"""Days of a time zone, and counts that begin anew with each."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limits.daily_counts import Calendar, Counted, DailyCounts

NOON = 1764590400.0  # 2025-12-01 12:00 UTC


@pytest.mark.parametrize(
    ("zone", "day", "text"),
    [
        ("UTC", date(2025, 12, 1), "2025-12-02 00:00 (UTC)"),
        ("Asia/Shanghai", date(2025, 12, 1), "2025-12-02 00:00 (Asia/Shanghai)"),
        ("Pacific/Kiritimati", date(2025, 12, 2), "2025-12-03 00:00 (Pacific/Kiritimati)"),
    ],
)
def test_day_begins_at_midnight_of_the_zone(zone: str, day: date, text: str) -> None:
    calendar = Calendar(ZoneInfo(zone), zone)
    assert calendar.day_of(NOON) == day
    at = calendar.next_day_at(NOON)
    assert calendar.text(at) == text
    assert calendar.day_of(at - 1) == day < calendar.day_of(at)


def test_day_of_a_change_to_summer_time_has_23_hours() -> None:
    calendar = Calendar(ZoneInfo("Europe/Berlin"), "Europe/Berlin")
    midnight = 1774738800.0  # 2026-03-29 00:00 in Berlin
    assert calendar.next_day_at(midnight) - midnight == 23 * 3600


def test_submit_of_yesterday_takes_nothing_from_today() -> None:
    counts = DailyCounts(date(2025, 12, 1))
    yesterday = counts.count(5)
    counts.begin(date(2025, 12, 2))
    counts.count(3)
    counts.give_back(yesterday)
    assert (counts.submits, counts.seconds) == (1, 3)


def test_clock_that_is_set_back_gives_no_new_quota() -> None:
    counts = DailyCounts(date(2025, 12, 2))
    counts.count(5)
    counts.begin(date(2025, 12, 1))
    assert (counts.submits, counts.seconds) == (1, 5)
    counts.begin(date(2025, 12, 2))
    assert counts.submits == 0


@given(st.lists(st.tuples(st.sampled_from(["count", "give_back", "day", "back"]), st.integers(0, 20)), max_size=100))
def test_counts_are_never_negative(events: list[tuple[str, int]]) -> None:
    counts, day, open_ones = DailyCounts(date(2025, 12, 1)), 10, list[Counted]()
    for event, number in events:
        if event == "count":
            open_ones.append(counts.count(number))
        elif event == "give_back" and open_ones:
            counts.give_back(open_ones.pop(number % len(open_ones)))
        elif event in ("day", "back"):
            day = max(1, min(28, day + (1 if event == "day" else -1)))
            counts.begin(date(2025, 12, day))
        assert counts.submits >= 0
        assert counts.seconds >= 0
