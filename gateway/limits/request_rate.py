"""Request rate of one gateway key: a token bucket, and the headers that tell how full it is."""

from collections.abc import Callable

_MAX_CACHED = 1024
"""Header lists in memory, one for each number of remaining requests."""

LIMIT_HEADERS = tuple(
    f"x-ratelimit-{word}-{name}"
    for name in ("requests", "tasks", "submits", "video-seconds")
    for word in ("limit", "remaining", "reset")
    if (word, name) != ("reset", "tasks")
)
"""The headers of all limits. Those of requests are OpenAI's, the others of its form. When a task ends is not known."""

LimitHeaderList = list[tuple[bytes, bytes]]
_NONE: LimitHeaderList = []


class RequestRate:
    """Token bucket of `burst` requests, which `per_second` refills. It is asked for each cached poll: nothing here may
    cost more than half a microsecond."""

    __slots__ = ("_at", "_headers", "_timer", "_tokens", "burst", "per_second")

    def __init__(self, per_second: float, burst: int, timer: Callable[[], float]) -> None:
        """`timer` gives monotonic seconds. The bucket begins full."""
        self._timer = timer
        self.per_second = per_second
        self.burst = burst
        self._tokens = float(burst)
        self._at = timer()
        self._headers: dict[int, LimitHeaderList] = {}

    def configure(self, per_second: float, burst: int) -> None:
        """Change the limit. What was used of the former one counts on."""
        self._refill()
        self._tokens = min(self._tokens, burst)
        self.per_second, self.burst = per_second, burst
        self._headers.clear()

    def take(self) -> bool:
        """Count a request; False where there is no room for one."""
        now = self._timer()
        tokens = self._tokens + (now - self._at) * self.per_second
        self._at = now
        if tokens > self.burst:
            tokens = self.burst
        if tokens < 1.0:
            self._tokens = tokens
            return False
        self._tokens = tokens - 1.0
        return True

    @property
    def remaining(self) -> int:
        """Requests that may come at once now."""
        self._refill()
        return int(self._tokens)

    @property
    def seconds_to_next(self) -> float:
        """Seconds until there is room for a request."""
        self._refill()
        return max(0.0, 1.0 - self._tokens) / self.per_second

    def headers(self) -> LimitHeaderList:
        """The headers of a response, as of the last request. The list is shared: not to be changed."""
        remaining = int(self._tokens)
        found = self._headers.get(remaining)
        if found is None:
            if len(self._headers) >= _MAX_CACHED:
                self._headers.clear()
            seconds = (self.burst - remaining) / self.per_second
            found = self._headers[remaining] = limit_headers("requests", self.burst, remaining, seconds)
        return found

    def headers_if_low(self) -> LimitHeaderList:
        """The same once less than half of the burst is left, before that none: they would cost a cached poll 6% and
        tell nothing that a client has to heed."""
        return self.headers() if 2.0 * self._tokens < self.burst else _NONE

    def _refill(self) -> None:
        now = self._timer()
        self._tokens = min(self._tokens + (now - self._at) * self.per_second, float(self.burst))
        self._at = now


def limit_headers(name: str, limit: int, remaining: int, reset_seconds: float | None) -> LimitHeaderList:
    """OpenAI's headers for one limit: how many, how many are left, and after which time all are there again."""
    values = {"limit": str(limit), "remaining": str(remaining)}
    if reset_seconds is not None:
        values["reset"] = duration(reset_seconds)
    return [(f"x-ratelimit-{word}-{name}".encode(), value.encode()) for word, value in values.items()]


def duration(seconds: float) -> str:
    """A duration as OpenAI writes it.

    >>> duration(0.12), duration(1.0), duration(6.4), duration(360), duration(7384)
    ('120ms', '1s', '6.4s', '6m0s', '2h3m4s')
    """
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    if seconds < 60:
        return f"{round(seconds, 1):g}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}h" if hours else "") + f"{minutes}m{rest}s"
