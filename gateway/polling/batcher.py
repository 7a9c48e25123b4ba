"""Query batcher: coalesces the status queries of one account into batches, with single flight and a rate limit.

Queries run independently of their callers. A disconnected client does not cancel a query, and no caller waits longer
than the deadline.
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.core import metrics
from gateway.core.background_tasks import Background
from gateway.core.clock import Clock, Timer
from gateway.core.logs import GATEWAY, location_of
from gateway.polling.rate_limiter import AdaptiveRateLimiter
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.provider import Provider
from providers.contract.tasks import TaskState

BATCH_WINDOW_SECONDS = 0.003
"""How long a batch collects ids."""
DEADLINE_SECONDS = 10.0
"""Time after which a caller stops waiting for the upstream's answer."""
CONCURRENT_BATCHES = 2
CONCURRENT_SINGLES = 32
"""Concurrent queries of one account, for upstreams that take several ids in one query and for those that take one."""
MAX_PENDING = 20_000
"""Limit of the pending queries of one account."""

Answer = TaskState | ProviderError
OnResults = Callable[[Account, Mapping[str, Answer], float], None]
Urgency = Callable[[str], float]
"""Priority of the query of an id: the age of its state, higher for a task that is nearly finished."""

OVERDUE = ProviderError(ErrorKind.ANSWER_LOST, detail=f"no answer within {DEADLINE_SECONDS:g} s")
NO_ANSWER = ProviderError(ErrorKind.TASK_NOT_FOUND)
_SPLITTABLE = frozenset({ErrorKind.INVALID_REQUEST, ErrorKind.UPSTREAM_ERROR})
"""Errors of a batch that a single id may have caused."""


@dataclass(slots=True)
class PendingQuery:
    """A pending query of one id, with the futures of its callers. All of them resolve by the deadline."""

    id: str
    waiting: list["asyncio.Future[Answer]"] = field(default_factory=list)
    deadline: Timer | None = None

    def answer(self, answer: Answer) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None
        waiting, self.waiting = self.waiting, []
        for future in waiting:
            # The caller may have been cancelled.
            if not future.done():
                future.set_result(answer)


class QueryBatcher:
    """Batches the queries of one account. `on_results` gets every result before the futures of the callers resolve."""

    def __init__(
        self,
        provider: Provider,
        account: Account,
        limiter: AdaptiveRateLimiter,
        clock: Clock,
        background: Background,
        on_results: OnResults,
        urgency: Urgency,
    ) -> None:
        self.provider = provider
        self.account = account
        self.limiter = limiter
        self._clock = clock
        self._background = background
        self._on_results = on_results
        self._urgency = urgency
        self._batch = provider.query_batch
        self._max_calls = CONCURRENT_BATCHES if self._batch > 1 else CONCURRENT_SINGLES
        self._pending: dict[str, PendingQuery] = {}
        self._in_flight: dict[str, PendingQuery] = {}
        self._calls = 0
        self._waking: Timer | None = None
        self._wakes_at = 0.0

    @property
    def round_seconds(self) -> float:
        """Seconds until all pending queries have been sent."""
        return self.limiter.seconds_for(math.ceil(len(self._pending) / self._batch)) if self._pending else 0.0

    def enqueue(self, id: str, *, force_refresh: bool, wait: bool) -> "asyncio.Future[Answer] | None":
        """Enqueue a status query. Returns a future if the id goes out with the next batch or `wait` is set, else None.

        The future resolves with OVERDUE after DEADLINE_SECONDS. `force_refresh` sends a new query where one of the id
        is already in flight.
        """
        pending = None if force_refresh else self._in_flight.get(id)
        if pending is not None:
            metrics.QUERIES_JOINED.inc()
            return self._wait_for(pending)
        pending = self._pending.get(id)
        if pending is None:
            pending = self._pending[id] = PendingQuery(id)
            if len(self._pending) > MAX_PENDING:
                self._drop_oldest()
        else:
            metrics.QUERIES_JOINED.inc()
        if self._calls >= self._max_calls or self.limiter.wait(self._clock.now()) > 0.0:
            self._schedule()
            is_next = False
        elif len(self._pending) < self._batch:
            self._wake(BATCH_WINDOW_SECONDS)
            is_next = True
        else:
            self._send()
            is_next = self._in_flight.get(id) is pending
        return self._wait_for(pending) if is_next or wait else None

    def _wait_for(self, pending: PendingQuery) -> "asyncio.Future[Answer]":
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        pending.waiting.append(future)
        if pending.deadline is None:
            pending.deadline = self._clock.later(DEADLINE_SECONDS, lambda: self._give_up(pending))
        return future

    def _give_up(self, pending: PendingQuery) -> None:
        """Resolve the futures with OVERDUE, and let no caller join the slow call. The call itself goes on."""
        if self._in_flight.get(pending.id) is pending:
            del self._in_flight[pending.id]
        pending.answer(OVERDUE)

    # --- sending ------------------------------------------------------------------------------------------------

    def _send(self) -> None:
        """Send as many batches as the rate limit allows, then schedule the next one."""
        while self._pending and self._calls < self._max_calls:
            now = self._clock.now()
            if self.limiter.wait(now) > 0.0:
                break
            self.limiter.acquire(now)
            batch = self._most_urgent()
            for pending in batch:
                del self._pending[pending.id]
                self._in_flight[pending.id] = pending
            self._calls += 1
            self._background.start(self._run(batch))
        self._schedule()

    def _schedule(self) -> None:
        """Schedule a wake-up for when the rate limit allows the next call. The end of a call also reschedules."""
        if self._pending and self._calls < self._max_calls:
            self._wake(self.limiter.wait(self._clock.now()))

    def _wake(self, seconds: float) -> None:
        """Schedule a wake-up in `seconds`, unless an earlier one is scheduled."""
        due = self._clock.now() + max(seconds, 0.0)
        if self._waking is not None:
            if self._wakes_at <= due:
                return
            self._waking.cancel()
        self._wakes_at = due
        self._waking = self._clock.later(max(seconds, 0.0), self._woken)

    def _woken(self) -> None:
        self._waking = None
        self._send()

    def _most_urgent(self) -> list[PendingQuery]:
        if len(self._pending) <= self._batch:
            return list(self._pending.values())
        ranked = sorted(self._pending, key=self._urgency, reverse=True)
        return [self._pending[id] for id in ranked[: self._batch]]

    def _drop_oldest(self) -> None:
        oldest = self._pending.pop(next(iter(self._pending)))
        oldest.answer(ProviderError(ErrorKind.RATE_LIMITED, detail="too many status queries are pending"))

    # --- queries ------------------------------------------------------------------------------------------------

    async def _run(self, batch: Sequence[PendingQuery]) -> None:
        answers: Mapping[str, Answer] = {}
        try:
            answers = await self._query([pending.id for pending in batch])
        except Exception as error:
            GATEWAY.error(
                "a status query failed unexpectedly",
                extra={"fields": {"provider": self.provider.name, "cause": location_of(error)}},
            )
            broken = ProviderError(ErrorKind.UPSTREAM_ERROR, detail=type(error).__name__)
            answers = dict.fromkeys((pending.id for pending in batch), broken)
        finally:
            # Resolve all futures, however the call ended.
            self._calls -= 1
            for pending in batch:
                if self._in_flight.get(pending.id) is pending:
                    del self._in_flight[pending.id]
                pending.answer(answers.get(pending.id, OVERDUE))
        self._send()

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
        now = self._clock.now()
        wait = self.limiter.wait(now)
        self.limiter.acquire(now)
        if wait > 0.0:
            await self._clock.sleep(wait)
        return await self._query_once(ids)

    async def _query_once(self, ids: Sequence[str]) -> Mapping[str, Answer]:
        """The results of one call. An error of the call is the result of every id."""
        sent_at, began, outcome = self._clock.now(), time.perf_counter(), "broken"
        metrics.batch_sizes(self.provider.name).observe(len(ids))
        metrics.QUERIES_IN_FLIGHT.inc()
        answers: Mapping[str, Answer]
        try:
            found, outcome = await self.provider.query(ids, self.account), "ok"
            answers = {id: found.get(id, NO_ANSWER) for id in ids}
        except ProviderError as error:
            answers, outcome = dict.fromkeys(ids, error), error.kind.value
        finally:
            metrics.QUERIES_IN_FLIGHT.dec()
            metrics.observe_call(self.provider.name, "query", outcome, time.perf_counter() - began)
        limited = next(
            (a for a in answers.values() if isinstance(a, ProviderError) and a.kind is ErrorKind.RATE_LIMITED), None
        )
        if limited is not None:
            self.limiter.on_rate_limit_error(self._clock.now(), sent_at, limited.retry_after)
        self._on_results(self.account, answers, sent_at)
        return answers


def _error_of_all(answers: Mapping[str, Answer]) -> ProviderError | None:
    """The error of a call that was rejected as a whole, else None."""
    first = next(iter(answers.values()), None)
    if isinstance(first, ProviderError) and first.kind in _SPLITTABLE and all(a is first for a in answers.values()):
        return first
    return None
