"""How many calls a second an account's upstream is asked: a budget that learns from refusals.

Queries, lists and cancels of one account share one. It never makes anybody wait: it tells when the next call may go.
"""

_SHARE = 0.9
"""Of what the upstream allows: its second is not ours, and calls bunch up on the way."""
_BURST = 0.1
"""Calls that may go at once after a rest, as a share of a second's: with the rest of a second's calls behind them they
stay within the limit."""
_RECOVERY = 50.0
"""Seconds from nothing to the full rate."""
_SLOWEST = 0.05
"""Of the full rate, however often the upstream refuses."""
_LONGEST_HOLD = 60.0
"""Seconds. No header silences an account for longer."""
_NEARLY = 1e-4
"""Sums of fractions never quite make a whole, and unix time has no finer parts than a quarter of a microsecond."""


class AdaptiveRateLimiter:
    """Calls at `per_second` (0: any number), less after a refusal. Times are arguments, in seconds."""

    def __init__(self, per_second: float, now: float) -> None:
        self._full = per_second * _SHARE
        self._burst = max(1.0, per_second * _BURST)
        self._rate = self._full
        self._calls = self._burst
        self._at = now
        self._held_until = 0.0
        self._refused_at = float("-inf")

    def change_limit(self, per_second: float, now: float) -> None:
        """Another limit from now on. The share of it that refusals have left counts for the new one as well."""
        self._advance(now)
        share = self._rate / self._full if self._full > 0 else 1.0
        self._full = per_second * _SHARE
        self._burst = max(1.0, per_second * _BURST)
        self._rate = self._full * share
        self._calls = min(self._calls, self._burst)

    @property
    def unlimited(self) -> bool:
        return self._full <= 0 and self._held_until == 0.0

    def wait(self, now: float) -> float:
        """Seconds until the next call may go; 0 for now."""
        if self.unlimited:
            return 0.0
        self._advance(now)
        held = min(max(0.0, self._held_until - now), _LONGEST_HOLD)
        if self._full <= 0 or self._calls >= 1.0 - _NEARLY:
            return held
        return max(held, (1.0 - self._calls) / self._rate)

    def acquire(self, now: float, calls: int = 1) -> None:
        """Calls go. Those that could not wait are made up for by the next ones."""
        if self._full > 0:
            self._advance(now)
            self._calls = max(self._calls - calls, -self._burst - self._full)

    def refused(self, now: float, sent_at: float, retry_after: float | None = None) -> None:
        """The upstream found a call that was sent at `sent_at` one too many. Calls that were under way together are
        refused together: that counts once."""
        if sent_at < self._refused_at:
            return
        self._advance(now)
        self._refused_at = now
        self._rate = max(self._rate / 2, self._full * _SLOWEST)
        self._calls = min(self._calls, 0.0)
        self._held_until = max(self._held_until, now + min(retry_after or 0.0, _LONGEST_HOLD))

    def seconds_for(self, calls: float) -> float:
        """How long a number of calls takes."""
        return calls / self._rate if self._full > 0 else 0.0

    def _advance(self, now: float) -> None:
        # A clock that was set back begins anew.
        passed, self._at = max(0.0, now - self._at), now
        self._rate = min(self._full, self._rate + self._full * passed / _RECOVERY)
        self._calls = min(self._burst, self._calls + self._rate * passed)
        if now >= self._held_until:
            self._held_until = 0.0
