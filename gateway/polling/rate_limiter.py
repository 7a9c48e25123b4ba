"""Adaptive rate limiter: limits the calls of an account to its upstream, and halves the rate after a 429.

Queries, lists and cancels of one account share a limiter. It does not block: `wait` returns the delay of the next call.

A connection that stalls delivers its calls to the upstream at once. So a call counts from when it is sent until a
second after its answer, whenever in between it has arrived.
"""

import math
from collections import deque

_USED_SHARE = 0.9
"""Share of the upstream's limit that is used, since clocks differ and calls bunch up in transit."""
_BURST = 0.1
"""Burst after an idle time, as a share of the calls of a second. Burst and rate together stay within the limit."""
_RECOVERY = 50.0
"""Seconds in which the rate recovers from zero to full."""
_SLOWEST = 0.05
"""Lower bound of the rate, as a share of the full rate."""
_MAX_RETRY_AFTER = 60.0
"""Upper bound of Retry-After in seconds."""
_LOST_SECONDS = 10.0
"""Time after which a call without an answer has arrived long ago, or never will."""
_TOLERANCE = 1e-4
"""Tolerance for rounding errors."""


class AdaptiveRateLimiter:
    """Token bucket of `per_second` calls (0: unlimited), reduced after a 429. Times are arguments, in monotonic
    seconds."""

    def __init__(self, per_second: float, now: float) -> None:
        self._full = per_second * _USED_SHARE
        self._burst = max(1.0, per_second * _BURST)
        self._rate = self._full
        self._calls = self._burst
        self._at = now
        self._blocked_until = 0.0
        self._limited_at = float("-inf")
        self._set_window(per_second)
        self._sent: deque[float] = deque()
        self._answered: deque[float] = deque()

    def _set_window(self, per_second: float) -> None:
        """Of a limit below one call a second, the window is as long as one call takes."""
        self._window = max(1.0, 1.0 / per_second) if per_second > 0 else 1.0
        self._most = max(1, math.floor(per_second * self._window))

    def change_limit(self, per_second: float, now: float) -> None:
        """Set a new limit. The current reduction of the rate stays in force."""
        self._advance(now)
        share = self._rate / self._full if self._full > 0 else 1.0
        self._full = per_second * _USED_SHARE
        self._burst = max(1.0, per_second * _BURST)
        self._rate = self._full * share
        self._calls = min(self._calls, self._burst)
        self._set_window(per_second)

    @property
    def unlimited(self) -> bool:
        return self._full <= 0 and self._blocked_until == 0.0

    def wait(self, now: float) -> float:
        """Seconds until the next call may be sent, 0 for none."""
        if self.unlimited:
            return 0.0
        self._advance(now)
        held = min(max(0.0, self._blocked_until - now), _MAX_RETRY_AFTER)
        if self._full > 0:
            held = max(held, self._wait_for_window(now))
        if self._full <= 0 or self._calls >= 1.0 - _TOLERANCE:
            return held
        return max(held, (1.0 - self._calls) / self._rate)

    def _wait_for_window(self, now: float) -> float:
        """Seconds until fewer calls than the limit may have arrived in the last second, as far as answers are known."""
        sent, answered = self._sent, self._answered
        while sent and sent[0] <= now - _LOST_SECONDS:
            sent.popleft()
        while answered and answered[0] <= now - self._window:
            answered.popleft()
        surplus = len(sent) + len(answered) - self._most
        if surplus < 0:
            return 0.0
        return answered[min(surplus, len(answered) - 1)] + self._window - now if answered else self._window

    def acquire(self, now: float, calls: int = 1) -> None:
        """Count calls that are sent. Calls sent too early delay the next ones."""
        if self._full > 0:
            self._answered.extend([now] * calls)
            self._charge(now, calls)

    def start(self, now: float) -> None:
        """Count a call that is sent, and whose answer `finish` tells."""
        if self._full > 0:
            self._sent.append(now)
            self._charge(now, 1)

    def finish(self, now: float) -> None:
        """Note that a call is answered, or will not be. Which one it was makes no difference to the others."""
        if self._sent:
            self._sent.popleft()
            self._answered.append(now)

    def _charge(self, now: float, calls: int) -> None:
        self._advance(now)
        self._calls = max(self._calls - calls, -self._burst - self._full)

    def on_rate_limit_error(self, now: float, sent_at: float, retry_after: float | None = None) -> None:
        """Record a rate limit error of a call sent at `sent_at`. Errors of concurrent calls count once."""
        if sent_at < self._limited_at:
            return
        self._advance(now)
        self._limited_at = now
        self._rate = max(self._rate / 2, self._full * _SLOWEST)
        self._calls = min(self._calls, 0.0)
        self._blocked_until = max(self._blocked_until, now + min(retry_after or 0.0, _MAX_RETRY_AFTER))

    def seconds_for(self, calls: float) -> float:
        """Seconds that a number of calls takes."""
        return calls / self._rate if self._full > 0 else 0.0

    def _advance(self, now: float) -> None:
        passed, self._at = now - self._at, now
        self._rate = min(self._full, self._rate + self._full * passed / _RECOVERY)
        self._calls = min(self._burst, self._calls + self._rate * passed)
        if now >= self._blocked_until:
            self._blocked_until = 0.0
