"""What one gateway key uses, against its limits: requests, running tasks, submits and seconds of video of the day."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.core.clock import Clock
from gateway.core.errors import GatewayError
from gateway.core.key_limit_settings import KeyLimits
from gateway.core.localization import format_duration
from gateway.core.messages import ERRORS
from gateway.limits.allowed_models import AllowedModels
from gateway.limits.daily_counts import Calendar, DailyCounts
from gateway.limits.request_rate import LimitHeaderList, RequestRate, limit_headers
from gateway.limits.running_tasks import RunningTasks, TaskKey

_BURST_SECONDS = 2.0
_RUNNING_RETRY_SECONDS = 15.0
"""Retry-After where the next task to end is not known."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """How much of something is used, and its limit, None without one."""

    used: int
    limit: int | None

    @property
    def remaining(self) -> int | None:
        """0 as well where a limit was lowered below what is used."""
        return None if self.limit is None else max(0, self.limit - self.used)


class Reservation:
    """One submit, counted before it is sent. It says what became of it; otherwise it is taken back."""

    def __init__(self) -> None:
        self.task: TaskKey | None = None
        self.is_charged = False

    def accepted(self, account_id: str, id: str) -> None:
        """The upstream has accepted it as this task."""
        self.task, self.is_charged = (account_id, id), True

    def unconfirmed(self) -> None:
        """The upstream may have accepted it: it counts, with a task that nobody can query."""
        self.is_charged = True


class KeyUsage:
    """The counters of a key of the name `name`. They outlive a reload, which sets `limits`, `calendar` and `allowed`
    by `configure`."""

    def __init__(self, name: str, clock: Clock, owners: dict[TaskKey, RunningTasks]) -> None:
        self.name = name
        self._clock = clock
        self.limits = KeyLimits()
        self.calendar = Calendar()
        self.allowed = AllowedModels()
        self.rate: RequestRate | None = None
        self.running = RunningTasks(clock.monotonic, owners)
        self._today = DailyCounts(self.calendar.day_of(clock.now()))

    def configure(self, name: str, limits: KeyLimits, calendar: Calendar) -> None:
        """Change the limits. The counters stay."""
        self.name, self.limits, self.calendar = name, limits, calendar
        self.allowed = AllowedModels(limits.models or (), limits.providers or ())
        if not limits.requests_per_second:
            self.rate = None
            return
        burst = limits.burst or max(1, round(limits.requests_per_second * _BURST_SECONDS))
        if self.rate is None:
            self.rate = RequestRate(limits.requests_per_second, burst, self._clock.monotonic)
        else:
            self.rate.configure(limits.requests_per_second, burst)

    @property
    def is_idle(self) -> bool:
        """True where nothing would be lost without these counters: nothing runs, and nothing is counted today."""
        today = self._begun_today()
        return not (today.submits or today.seconds or self.running.count)

    # --- requests -----------------------------------------------------------------------------------------------

    def count_request(self) -> None:
        """Count a request. Raises GatewayError (429)."""
        rate = self.rate
        if rate is None or rate.take():
            return
        seconds = rate.seconds_to_next
        values = {"limit": f"{rate.per_second:g}", "burst": rate.burst, "eta": format_duration(seconds)}
        raise _refused("rate_limit_exceeded", "key_requests", values, seconds)

    # --- submits ------------------------------------------------------------------------------------------------

    @property
    def running_tasks(self) -> Quantity:
        return Quantity(self.running.count, self.limits.running_tasks or None)

    @property
    def submits(self) -> Quantity:
        """Of today."""
        return Quantity(self._begun_today().submits, self.limits.submits_per_day or None)

    @property
    def video_seconds(self) -> Quantity:
        """Of today."""
        return Quantity(self._begun_today().seconds, self.limits.video_seconds_per_day or None)

    @property
    def day(self) -> str:
        return self._begun_today().day.isoformat()

    @property
    def resets_at(self) -> float:
        """Unix time at which the next day begins."""
        return self.calendar.next_day_at(self._clock.now())

    def tasks_to_query(self) -> list[TaskKey]:
        """The running tasks of a key at its limit, whose query may show that one has ended."""
        return self.running.to_query() if self.running_tasks.remaining == 0 else []

    @contextmanager
    def reserve(self, seconds: int) -> Iterator[Reservation]:
        """Count the submit of a video of so many seconds. What its block does not report as charged is taken back.

        Raises GatewayError (429) where a limit is reached: nothing is counted then.
        """
        self._check(seconds)
        counted = self._begun_today().count(seconds)
        self.running.begin()
        reservation = Reservation()
        try:
            yield reservation
        finally:
            self.running.end()
            if not reservation.is_charged:
                self._today.give_back(counted)
            elif reservation.task is not None:
                self.running.accepted(reservation.task)
            else:
                self.running.unconfirmed()

    def _check(self, seconds: int) -> None:
        if self.submits.remaining == 0:
            raise self._used_up("key_submits", limit=self.submits.limit)
        left = self.video_seconds.remaining
        if left is not None and left < max(seconds, 1):
            raise self._used_up("key_seconds", limit=self.video_seconds.limit, left=left, seconds=seconds)
        if self.running_tasks.remaining == 0:
            values = {"limit": self.running_tasks.limit}
            raise _refused("rate_limit_exceeded", "key_running", values, _RUNNING_RETRY_SECONDS)

    def _used_up(self, message: str, **values: object) -> GatewayError:
        at = self.resets_at
        left = at - self._clock.now()
        values |= {"at": self.calendar.text(at), "eta": format_duration(left)}
        return _refused("insufficient_quota", message, values, left)

    def _begun_today(self) -> DailyCounts:
        self._today.begin(self.calendar.day_of(self._clock.now()))
        return self._today

    # --- headers: the lists may be shared, and are not to be changed ---------------------------------------------

    def poll_headers(self) -> LimitHeaderList:
        """Those of a poll: of requests, once less than half of the burst is left."""
        rate = self.rate
        return rate.headers_if_low() if rate is not None else []

    def request_headers(self) -> LimitHeaderList:
        """Those of other requests, where there is a rate limit."""
        return self.rate.headers() if self.rate is not None else []

    def submit_headers(self) -> LimitHeaderList:
        """Those of a request that may be a submit, for each limit that is set."""
        found = self.request_headers()
        reset = self.resets_at - self._clock.now()
        quotas = (
            ("tasks", self.running_tasks, None),
            ("submits", self.submits, reset),
            ("video-seconds", self.video_seconds, reset),
        )
        for name, quantity, seconds in quotas:
            if quantity.limit is not None:
                found = [*found, *limit_headers(name, quantity.limit, quantity.remaining or 0, seconds)]
        return found


def _refused(code: str, message: str, values: Mapping[str, object], retry_after: float) -> GatewayError:
    return GatewayError(code, ERRORS[message], values=values, retry_after=retry_after, log_fields={"limit": message})
