"""List hints: when a page of an upstream's list is read in place of a single query, which page, and how far lists are
trusted.

A page costs a call of the account's rate limit and tells the states of many tasks, so pages are read only while the
pending queries take longer than a cached state stays fresh. A list may be incomplete, capped, out of date or refused:
what a sweep of its pages has told decides whether the next one is read. No I/O; times are arguments, in monotonic
seconds.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import HintPage

PAGES_IN_A_ROW = 2
"""Pages that are read in a row. Then a single query goes out: only those find out that a list is out of date."""
MIN_YIELD = 2.0
"""Pending queries that a page has to make unnecessary or urgent, as the mean of a sweep. With fewer, single queries are
as good."""
JUDGED_AFTER = 10
"""Pages of a sweep that are read before its yield is judged, unless it has fewer, or there are more pending queries."""
MAX_IN_FLIGHT = 8
"""Concurrent pages, so that a list which does not answer leaves room for the queries."""
SMALLEST_SIZE = 10
"""Rows of a page, below which an upstream's refusal of the size is taken for a refusal of lists."""
PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 600.0
"""First pause after a list that failed or was of no use, and the longest: each one in a row is twice as long."""
LAG_SECONDS = 300.0
"""How long a measured lag is assumed after the list has last been seen to lag."""
_MARGIN_SECONDS = 60.0
"""How much older than the oldest pending task a page's tasks must be, so that the pages after it are not read."""


@dataclass(slots=True, eq=False)
class _Sweep:
    """The pages of the list, read once. `pending` is the number of pending queries at its start, `oldest` the unix time
    of the oldest pending task, None if unknown. `total` is the number of pages that the upstream tells, None until the
    first has come back. No page after `last` has a pending task."""

    began_at: float
    pending: int
    oldest: float | None
    size: int
    sent: int = 0
    read: int = 0
    useful: int = 0
    total: int | None = None
    last: float = math.inf

    @property
    def pages(self) -> float | None:
        return min(self.total, self.last) if self.total is not None else None

    @property
    def is_sent(self) -> bool:
        return self.pages is not None and self.sent >= self.pages


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A page to read: its number, from 1, and its size in rows."""

    sweep: _Sweep
    number: int
    size: int


class ListHints:
    """The list of one account, which is asked for pages of `size` rows."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._sweep: _Sweep | None = None
        self._in_a_row = 0
        self._in_flight = 0
        self._paused_until = self._stopped_at = float("-inf")
        self._pause = 0.0
        self._lag = 0.0
        self._lagged_at = float("-inf")
        self._pages = math.inf

    @property
    def calls_per_sweep(self) -> float:
        """Calls in which the list was read the last time, with the single queries between; infinite while it is not
        read."""
        return self._pages * (1 + 1 / PAGES_IN_A_ROW)

    def lag(self, now: float) -> float:
        """Seconds by which the list is behind, as far as that has been measured."""
        return self._lag if now - self._lagged_at < LAG_SECONDS else 0.0

    def measure_lag(self, seconds: float, now: float) -> None:
        """Note that a page was at least `seconds` behind a query that had been answered before it was sent."""
        self._lag, self._lagged_at = max(self.lag(now), seconds), now

    def next_page(
        self, now: float, interval: float, pending: int, oldest: Callable[[], float | None]
    ) -> PageRequest | None:
        """The page to read with the next call, None where that is to be a single query.

        `interval` is the freshness in seconds: what was read less than that ago is not read again. `pending` is the
        number of pending queries, `oldest` gives the unix time of the submit of the oldest of their tasks, None if that
        is unknown.
        """
        if now < self._paused_until or self._in_a_row >= PAGES_IN_A_ROW or self._in_flight >= MAX_IN_FLIGHT:
            return None
        sweep = self._sweep
        if sweep is None or sweep.is_sent:
            if sweep is not None and now - sweep.began_at < interval:
                return None
            sweep = self._sweep = _Sweep(now, pending, oldest(), self._size)
        elif sweep.pages is None:
            # The first page tells how many there are.
            return None
        sweep.sent += 1
        self._in_a_row += 1
        self._in_flight += 1
        return PageRequest(sweep, sweep.sent, sweep.size)

    def on_single_query(self) -> None:
        self._in_a_row = 0

    def on_page(self, request: PageRequest, page: HintPage, useful: int, now: float) -> None:
        """Note what a page has told. `useful` is the number of pending queries that it made unnecessary or urgent."""
        self._in_flight -= 1
        sweep, rows = request.sweep, len(page.states)
        sweep.read += 1
        sweep.useful += useful
        sweep.total = self._pages_of(request, page)
        if not rows:
            sweep.last = min(sweep.last, request.number)
        elif request.number == 1 and rows < request.size and sweep.total > 1:
            # The upstream's own size from now on: the pages then follow each other whichever of the two it counts by.
            sweep.size = max(rows, SMALLEST_SIZE)
        created = [state.created_at for state in page.states if state.created_at is not None]
        if page.newest_first and created and sweep.oldest is not None and min(created) < sweep.oldest - _MARGIN_SECONDS:
            sweep.last = min(sweep.last, request.number)
        if sweep.began_at > self._stopped_at:
            self._judge(sweep, now)

    def on_error(self, request: PageRequest, error: ProviderError, now: float) -> None:
        """Note a page that failed. A size that is refused, with the first page, is halved. After any other error lists
        are not read for a while."""
        self._in_flight -= 1
        if request.sweep.began_at <= self._stopped_at:
            return
        if error.kind is ErrorKind.INVALID_REQUEST and request.number == 1 and request.size > SMALLEST_SIZE:
            self._size = max(SMALLEST_SIZE, request.size // 2)
            self._sweep = None
            return
        self._stop(now, error.retry_after or 0.0)

    def _pages_of(self, request: PageRequest, page: HintPage) -> int:
        if page.pages is not None:
            return page.pages
        is_last = page.size is not None and len(page.states) < page.size
        return request.number if is_last or not page.states else request.number + 1

    def _judge(self, sweep: _Sweep, now: float) -> None:
        is_read = sweep.pages is not None and sweep.read >= sweep.pages
        if not is_read and sweep.read < max(JUDGED_AFTER, sweep.pending / MIN_YIELD):
            return
        if sweep.useful < MIN_YIELD * sweep.read:
            self._stop(now)
        elif is_read:
            self._pages = sweep.read
            self._pause = 0.0

    def _stop(self, now: float, retry_after: float = 0.0) -> None:
        self._pause = min(max(PAUSE_SECONDS, 2 * self._pause), MAX_PAUSE_SECONDS)
        self._stopped_at = now
        self._paused_until = now + min(max(self._pause, retry_after), MAX_PAUSE_SECONDS)
        self._sweep = None
        self._pages = math.inf
