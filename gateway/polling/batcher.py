"""Query batcher: coalesces the status queries of one account into batches, with single flight and a rate limit.

While an upstream that takes one id a query has more pending queries than it allows before a state is no longer fresh,
pages of its list are read in place of some of them, see `list_hints`.

Queries run independently of their callers. A disconnected client does not cancel a query, and no caller waits longer
than the deadline.
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.core import metrics
from gateway.core.background_tasks import Background
from gateway.core.clock import Clock, Timer
from gateway.core.logs import GATEWAY, location_of
from gateway.core.upstream_call import UpstreamCall
from gateway.polling.hinted_tasks import HintedTasks
from gateway.polling.list_hints import ListHints, PageRequest
from gateway.polling.query_queue import Priority, QueryQueue
from gateway.polling.rate_limiter import AdaptiveRateLimiter
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.provider import CanHint, Provider
from providers.contract.tasks import HintPage, TaskState

BATCH_WINDOW_SECONDS = 0.003
"""How long a batch collects ids."""
DEADLINE_SECONDS = 10.0
"""Time after which a caller stops waiting for the upstream's answer."""
CONCURRENT_BATCHES = 2
CONCURRENT_SINGLES = 32
"""Concurrent queries of one account, for upstreams that take several ids in one query and for those that take one."""
MIN_PRESSURE_SECONDS = 1.0
"""Time that the pending queries may take, with any freshness, before pages of the list are read."""
MAX_PENDING = 20_000
"""Limit of the pending queries of one account."""

Answer = TaskState | ProviderError
OnResults = Callable[[Account, Mapping[str, Answer], float], None]
PriorityOf = Callable[[str], Priority]
"""Priority of the query of an id among those that wait."""

_SPLITTABLE = frozenset({ErrorKind.INVALID_REQUEST, ErrorKind.UPSTREAM_ERROR})
"""Errors of a batch that a single id may have caused."""


def _overdue() -> ProviderError:
    """The answer to a caller that has waited for DEADLINE_SECONDS."""
    return ProviderError(ErrorKind.ANSWER_LOST, detail=f"no answer within {DEADLINE_SECONDS:g} s")


@dataclass(slots=True)
class PendingQuery:
    """A pending query of one id, with the futures of its callers. `since` is when it was enqueued, in monotonic
    seconds. `forced` is True while one of them waits for a forced refresh."""

    id: str
    since: float
    waiting: list["asyncio.Future[Answer]"] = field(default_factory=list)
    forced: bool = False


class QueryBatcher:
    """Batches the queries of one account. `on_results` gets every result before the futures of the callers resolve.

    `hinted` are the cached tasks to which hints apply. `freshness` tells how long a state is fresh, in seconds.
    `on_observed` gets the ids of the tasks that a page of the list shows as unfinished, and when that was sent, in
    monotonic seconds.
    """

    def __init__(
        self,
        provider: Provider,
        account: Account,
        limiter: AdaptiveRateLimiter,
        clock: Clock,
        background: Background,
        on_results: OnResults,
        priority_of: PriorityOf,
        hinted: HintedTasks,
        *,
        freshness: Callable[[], float] = lambda: 0.0,
        on_observed: Callable[[Iterable[str], float], None] = lambda ids, sent_at: None,
    ) -> None:
        self.provider = provider
        self.account = account
        self.limiter = limiter
        self._clock = clock
        self._background = background
        self._on_results = on_results
        self._priority_of = priority_of
        self._hinted = hinted
        self._freshness = freshness
        self._on_observed = on_observed
        self._reader = provider if isinstance(provider, CanHint) else None
        self._hints = ListHints(self._reader.hint_size if self._reader is not None else 0)
        self._queue_wait = metrics.queue_wait(provider.name, "query")
        self._batch = provider.query_batch
        self._max_calls = CONCURRENT_BATCHES if self._batch > 1 else CONCURRENT_SINGLES
        self._pending: QueryQueue[PendingQuery] = QueryQueue()
        self._in_flight: dict[str, PendingQuery] = {}
        self._calls = 0
        self._waking: Timer | None = None
        self._wakes_at = 0.0
        # In the order of the deadlines, which are all equally far away: one timer serves all.
        self._deadlines: OrderedDict[asyncio.Future[Answer], tuple[float, PendingQuery]] = OrderedDict()
        self._deadline_timer: Timer | None = None

    @property
    def round_seconds(self) -> float:
        """Seconds until all pending queries have been sent, or have become unnecessary by hints."""
        calls = min(math.ceil(len(self._pending) / self._batch), self._hints.calls_per_sweep)
        return self.limiter.seconds_for(calls) if calls else 0.0

    def enqueue(self, id: str, *, force_refresh: bool, wait: bool) -> "asyncio.Future[Answer] | None":
        """Enqueue a status query. Returns a future if the id goes out with the next batch, or `wait` or `force_refresh`
        is set, else None.

        The future resolves with ANSWER_LOST after DEADLINE_SECONDS. `force_refresh` waits for a query that is sent from
        now on: those of one id share it, and it is sent before the queries that are not forced.
        """
        query = None if force_refresh else self._in_flight.get(id)
        if query is not None:
            metrics.QUERIES_JOINED.inc()
            return self._wait_for(query)
        query = self._pending.get(id)
        if query is None:
            query = PendingQuery(id, self._clock.monotonic())
            self._pending.add(id, query, self._priority_of(id))
            if len(self._pending) > MAX_PENDING:
                self._drop_oldest()
        else:
            metrics.QUERIES_JOINED.inc()
        if force_refresh and not query.forced:
            query.forced = True
            self._pending.force(id)
        if self._calls >= self._max_calls or self.limiter.wait(self._clock.monotonic()) > 0.0:
            self._schedule()
            is_next = False
        elif len(self._pending) < self._batch:
            self._wake(BATCH_WINDOW_SECONDS)
            is_next = True
        else:
            self._send()
            is_next = self._in_flight.get(id) is query
        return self._wait_for(query) if is_next or wait or force_refresh else None

    # --- deadlines ----------------------------------------------------------------------------------------------

    def _wait_for(self, query: PendingQuery) -> "asyncio.Future[Answer]":
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        query.waiting.append(future)
        self._deadlines[future] = self._clock.monotonic() + DEADLINE_SECONDS, query
        if self._deadline_timer is None:
            self._schedule_deadline()
        return future

    def _schedule_deadline(self) -> None:
        """Schedule the next deadline. It may pass without effect, where its future has been resolved before."""
        self._deadline_timer = None
        if self._deadlines:
            deadline, _ = next(iter(self._deadlines.values()))
            left = max(0.0, deadline - self._clock.monotonic())
            self._deadline_timer = self._clock.later(left, lambda: self._on_deadline(deadline))

    def _on_deadline(self, deadline: float) -> None:
        """Resolve the futures whose deadline is reached, and let no caller join their slow calls, which go on."""
        while self._deadlines:
            future, (due, query) = next(iter(self._deadlines.items()))
            if due > deadline:
                break
            del self._deadlines[future]
            query.waiting.remove(future)
            if self._in_flight.get(query.id) is query:
                del self._in_flight[query.id]
            elif not query.waiting and self._pending.get(query.id) is query:
                # Nobody waits for it any more: it no longer goes first.
                query.forced = False
                self._pending.unforce(query.id)
            if not future.done():
                future.set_result(_overdue())
        self._schedule_deadline()

    def _answer(self, query: PendingQuery, answer: Answer) -> None:
        waiting, query.waiting = query.waiting, []
        for future in waiting:
            del self._deadlines[future]
            # The caller may have been cancelled.
            if not future.done():
                future.set_result(answer)

    # --- sending ------------------------------------------------------------------------------------------------

    def _send(self) -> None:
        """Send as many batches as the rate limit allows, then schedule the next one."""
        while self._pending and self._calls < self._max_calls:
            now = self._clock.monotonic()
            if self.limiter.wait(now) > 0.0:
                break
            self.limiter.start(now)
            reading = self._next_page(now)
            if reading is not None:
                self._calls += 1
                self._background.start(reading)
                continue
            self._hints.on_single_query()
            batch = [self._pending.pop(now) for _ in range(min(self._batch, len(self._pending)))]
            for query in batch:
                self._in_flight[query.id] = query
                self._queue_wait.observe(now - query.since)
            self._calls += 1
            self._background.start(self._run(batch))
        self._schedule()

    def _schedule(self) -> None:
        """Schedule a wake-up for when the rate limit allows the next call. The end of a call also reschedules."""
        if self._pending and self._calls < self._max_calls:
            self._wake(self.limiter.wait(self._clock.monotonic()))

    def _wake(self, seconds: float) -> None:
        """Schedule a wake-up in `seconds`, unless an earlier one is scheduled."""
        due = self._clock.monotonic() + max(seconds, 0.0)
        if self._waking is not None:
            if self._wakes_at <= due:
                return
            self._waking.cancel()
        self._wakes_at = due
        self._waking = self._clock.later(max(seconds, 0.0), self._woken)

    def _woken(self) -> None:
        self._waking = None
        self._send()

    def _drop_oldest(self) -> None:
        error = ProviderError(ErrorKind.RATE_LIMITED, detail="too many status queries are pending")
        self._answer(self._pending.pop_oldest(), error)

    # --- queries ------------------------------------------------------------------------------------------------

    async def _run(self, batch: Sequence[PendingQuery]) -> None:
        answers: Mapping[str, Answer] = {}
        try:
            answers = await self._query([query.id for query in batch])
        except Exception as error:
            self._log_unexpected(error)
            broken = ProviderError(ErrorKind.UPSTREAM_ERROR, detail=type(error).__name__)
            answers = dict.fromkeys((query.id for query in batch), broken)
        finally:
            # Resolve all futures, however the call ended.
            self._calls -= 1
            for query in batch:
                if self._in_flight.get(query.id) is query:
                    del self._in_flight[query.id]
                self._answer(query, answers.get(query.id) or _overdue())
        self._send()

    def _log_unexpected(self, error: Exception) -> None:
        fields = {"provider": self.provider.name, "cause": location_of(error)}
        GATEWAY.error("a status query failed unexpectedly", extra={"fields": fields})

    async def _query(self, ids: Sequence[str]) -> Mapping[str, Answer]:
        answers = await self._query_once(ids)
        error = _error_of_all(answers)
        return await self._query_halves(ids, error) if error is not None and len(ids) > 1 else answers

    async def _query_halves(self, ids: Sequence[str], error: ProviderError) -> Mapping[str, Answer]:
        """Bisect a rejected batch to isolate the id that caused the error."""
        middle = len(ids) // 2
        halves = [ids[:middle], ids[middle:]]
        answers = [await self._query_rate_limited(half) for half in halves]
        errors = [_error_of_all(answer) for answer in answers]
        if all(errors) and error.kind is ErrorKind.UPSTREAM_ERROR:
            # The error does not depend on one id.
            return dict.fromkeys(ids, error)
        found: dict[str, Answer] = {}
        for half, answer, error_of_half in zip(halves, answers, errors, strict=True):
            found |= (
                await self._query_halves(half, error_of_half) if error_of_half is not None and len(half) > 1 else answer
            )
        return found

    async def _query_rate_limited(self, ids: Sequence[str]) -> Mapping[str, Answer]:
        now = self._clock.monotonic()
        wait = self.limiter.wait(now)
        self.limiter.start(now)
        if wait > 0.0:
            await self._clock.sleep(wait)
        return await self._query_once(ids)

    async def _query_once(self, ids: Sequence[str]) -> Mapping[str, Answer]:
        """The results of one call. An error of the call is the result of every id."""
        sent_at = self._clock.monotonic()
        metrics.batch_sizes(self.provider.name).observe(len(ids))
        metrics.QUERIES_IN_FLIGHT.inc()
        answers: Mapping[str, Answer]
        try:
            with UpstreamCall(self.account, "query", shared=True):
                found = await self.provider.query(ids, self.account)
            answers = {id: found.get(id) or ProviderError(ErrorKind.TASK_NOT_FOUND) for id in ids}
        except ProviderError as error:
            answers = dict.fromkeys(ids, error)
        finally:
            metrics.QUERIES_IN_FLIGHT.dec()
            self.limiter.finish(self._clock.monotonic())
        limited = next(
            (a for a in answers.values() if isinstance(a, ProviderError) and a.kind is ErrorKind.RATE_LIMITED), None
        )
        if limited is not None:
            self.limiter.on_rate_limit_error(self._clock.monotonic(), sent_at, limited.retry_after)
        self._on_results(self.account, answers, sent_at)
        return answers

    # --- hints --------------------------------------------------------------------------------------------------

    def _next_page(self, now: float) -> Coroutine[Any, Any, None] | None:
        """The call that reads the next page of the list, None where a query is to be sent: without pressure, all
        are."""
        if self._reader is None:
            return None
        freshness, pending = max(self._freshness(), MIN_PRESSURE_SECONDS), self._pending
        if self.limiter.seconds_for(len(pending)) <= freshness:
            return None
        page = self._hints.next_page(now, freshness, len(pending), lambda: self._hinted.oldest(pending.ids()))
        return self._read_page(self._reader, page) if page is not None else None

    async def _read_page(self, reader: CanHint, request: PageRequest) -> None:
        sent_at = self._clock.monotonic()
        try:
            with UpstreamCall(self.account, "hint", shared=True):
                page = await reader.hint(self.account, page=request.number, size=request.size)
            useful = self._apply(page, sent_at)
        except ProviderError as error:
            self._hints.on_error(request, error, self._clock.monotonic())
        except Exception as error:
            self._log_unexpected(error)
            broken = ProviderError(ErrorKind.UPSTREAM_ERROR, detail=type(error).__name__)
            self._hints.on_error(request, broken, self._clock.monotonic())
        else:
            self._hints.on_page(request, page, useful, self._clock.monotonic())
        finally:
            self._calls -= 1
            self.limiter.finish(self._clock.monotonic())
        self._send()

    def _apply(self, page: HintPage, sent_at: float) -> int:
        """Apply the hints of a page. Returns the number of pending queries that are now unnecessary or urgent."""
        now, pending = self._clock.monotonic(), self._pending
        hints = self._hinted.apply(page.states, sent_at, self._hints.lag(now), pending.__contains__)
        if hints.lag > 0.0:
            self._hints.measure_lag(hints.lag, now)
        useful = 0
        for id, state in hints.unfinished.items():
            query = pending.get(id)
            if query is not None:
                useful += 1
                # A forced refresh waits for a query.
                if not query.forced:
                    pending.remove(id)
                    self._queue_wait.observe(now - query.since)
                    self._answer(query, state)
        for id in hints.ended:
            if id in pending:
                useful += 1
                pending.reprioritize(id, self._priority_of(id))
        self._on_observed(hints.unfinished, sent_at)
        return useful


def _error_of_all(answers: Mapping[str, Answer]) -> ProviderError | None:
    """The error of a call that was rejected as a whole, else None."""
    first = next(iter(answers.values()), None)
    if isinstance(first, ProviderError) and first.kind in _SPLITTABLE and all(a is first for a in answers.values()):
        return first
    return None
