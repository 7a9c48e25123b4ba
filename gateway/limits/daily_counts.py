"""Daily counts of one gateway key: what is submitted counts at once, and is given back where nothing is charged."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo


class Calendar:
    """Days in a time zone, by unix time."""

    def __init__(self, zone: tzinfo = UTC, name: str = "UTC") -> None:
        self._zone = zone
        self.name = name

    def day_of(self, now: float) -> date:
        return datetime.fromtimestamp(now, self._zone).date()

    def next_day_at(self, now: float) -> float:
        """The unix time at which the next day begins."""
        return datetime.combine(self.day_of(now) + timedelta(days=1), time(), self._zone).timestamp()

    def text(self, at: float) -> str:
        """A time for people: `2026-12-02 00:00 (Asia/Shanghai)`."""
        return f"{datetime.fromtimestamp(at, self._zone):%Y-%m-%d %H:%M} ({self.name})"


@dataclass(frozen=True, slots=True)
class Counted:
    """What one submit has been counted as. `reset` is the number of resets before it."""

    reset: int
    seconds: int


class DailyCounts:
    """The submits of the current day and their seconds of video."""

    def __init__(self, today: date) -> None:
        self.day = today
        self.submits = 0
        self.seconds = 0
        self._resets = 0

    def begin(self, today: date) -> None:
        """A new day begins at 0. Where the clock has been set back, the counts go on."""
        if today > self.day:
            self.submits = self.seconds = 0
            self._resets += 1
        self.day = today

    def count(self, seconds: int) -> Counted:
        """Count a submit of a video of so many seconds."""
        self.submits += 1
        self.seconds += seconds
        return Counted(self._resets, seconds)

    def give_back(self, counted: Counted) -> None:
        """Take a submit back that was not charged, once. That of an earlier day is forgotten already."""
        if counted.reset == self._resets:
            self.submits -= 1
            self.seconds -= counted.seconds
