"""Where the queries of one account meet: gathered into batches, shared by all who ask, and sent at its pace.

A query belongs to nobody: a client that goes away does not end it, and one that hangs holds nobody up for longer than
the deadline.
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.core import metrics
from gateway.core.background_tasks import Background
from gateway.core.clock import Clock, Timer
from gateway.core.logs import GATEWAY, where
from gateway.polling.rate_limiter import AdaptiveRateLimiter
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.provider import Provider
from providers.contract.tasks import TaskState

BATCH_WINDOW_SECONDS = 0.003
"""How long a batch is open to further ids."""
DEADLINE_SECONDS = 10.0
"""After this long those who wait for an answer of the upstream go on without it."""
BATCHES_AT_ONCE = 2
SINGLES_AT_ONCE = 32
"""Queries of one account under way, for upstreams that take many ids in one and for those that take one."""
MAX_PENDING = 20_000
"""Ids of one account that wait for their turn."""

Answer = TaskState | ProviderError
OnResults = Callable[[Account, Mapping[str, Answer], float], None]
Urgency = Callable[[str], float]
"""How urgent it is to ask for an id: its age, and more for a task that is nearly finished."""

OVERDUE = ProviderError(ErrorKind.ANSWER_LOST, detail=f"no answer within {DEADLINE_SECONDS:g} s")
NOT_TOLD = ProviderError(ErrorKind.TASK_NOT_FOUND)
_REFUSED = frozenset({ErrorKind.INVALID_REQUEST, ErrorKind.UPSTREAM_ERROR})
"""What may be the fault of one id in a batch."""


@dataclass(slots=True)
class PendingQuery:
    """One id that is to be asked for, with everybody who waits for it, none of them for longer than the deadline."""

    id: str
    waiting: list["asyncio.Future[Answer]"] = field(default_factory=list)
    deadline: Timer | None = None

    def answer(self, answer: Answer) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None
        waiting, self.waiting = self.waiting, []
        for future in waiting:
            # Whoever waited may be gone.
            if not future.done():
                future.set_result(answer)


class QueryBatcher:
    """The queries of one account. `on_results` is told every answer, before those who wait for it."""

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
        self._max_calls = BATCHES_AT_ONCE if self._batch > 1 else SINGLES_AT_ONCE
        self._pending: dict[str, PendingQuery] = {}
        self._under_way: dict[str, PendingQuery] = {}
        self._calls = 0
        self._waking: Timer | None = None
        self._wakes_at = 0.0

    @property
    def idle(self) -> bool:
        return not self._pending and not self._calls

    @property
    def round_seconds(self) -> float:
        """How long it takes to ask for everything that waits."""
        return self.limiter.seconds_for(math.ceil(len(self._pending) / self._batch)) if self._pending else 0.0

    def enqueue(self, id: str, *, force_refresh: bool, wait: bool) -> "asyncio.Future[Answer] | None":
        """The next answer for an id. Only those who are patient are given a future, at most for the deadline, where
        its turn is not the next one: the pace of the account holds it up, or others are more urgent.

        `force_refresh` wants one that is asked for from now on, not one that is under way.
        """
        pending = None if force_refresh else self._under_way.get(id)
        if pending is not None:
            metrics.QUERIES_JOINED.inc()
            return self._wait_for(pending)
        pending = self._pending.get(id)
        if pending is None:
            pending = self._pending[id] = PendingQuery(id)
            if len(self._pending) > MAX_PENDING:
                self._forget()
        else:
            metrics.QUERIES_JOINED.inc()
        if self._calls >= self._max_calls or self.limiter.wait(self._clock.now()) > 0.0:
            self._plan()
            is_next = False
        elif len(self._pending) < self._batch:
            self._wake(BATCH_WINDOW_SECONDS)
            is_next = True
        else:
            self._send()
            is_next = self._under_way.get(id) is pending
        return self._wait_for(pending) if is_next or wait else None

    def _wait_for(self, pending: PendingQuery) -> "asyncio.Future[Answer]":
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        pending.waiting.append(future)
        if pending.deadline is None:
            pending.deadline = self._clock.later(DEADLINE_SECONDS, lambda: self._give_up(pending))
        return future

    def _give_up(self, pending: PendingQuery) -> None:
        """Nobody waits any longer, nor joins a call that hangs. The call itself goes on."""
        if self._under_way.get(pending.id) is pending:
            del self._under_way[pending.id]
        pending.answer(OVERDUE)

    # --- sending ------------------------------------------------------------------------------------------------

    def _send(self) -> None:
        """Send as many batches as the pace allows, then plan the next."""
        while self._pending and self._calls < self._max_calls:
            now = self._clock.now()
            if self.limiter.wait(now) > 0.0:
                break
            self.limiter.acquire(now)
            batch = self._most_urgent()
            for pending in batch:
                del self._pending[pending.id]
                self._under_way[pending.id] = pending
            self._calls += 1
            self._background.start(self._ask(batch))
        self._plan()

    def _plan(self) -> None:
        """Wake up when the pace allows the next call; a call that ends plans anew as well."""
        if self._pending and self._calls < self._max_calls:
            self._wake(self.limiter.wait(self._clock.now()))

    def _wake(self, seconds: float) -> None:
        """Wake up then, or before where that is planned already."""
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

    def _forget(self) -> None:
        oldest = self._pending.pop(next(iter(self._pending)))
        oldest.answer(ProviderError(ErrorKind.RATE_LIMITED, detail="too many tasks wait to be asked for"))

    # --- asking -------------------------------------------------------------------------------------------------

    async def _ask(self, batch: Sequence[PendingQuery]) -> None:
        answers: Mapping[str, Answer] = {}
        try:
            answers = await self._query([pending.id for pending in batch])
        except Exception as error:
            GATEWAY.error("a query broke", extra={"fields": {"provider": self.provider.name, "cause": where(error)}})
            broken = ProviderError(ErrorKind.UPSTREAM_ERROR, detail=type(error).__name__)
            answers = dict.fromkeys((pending.id for pending in batch), broken)
        finally:
            # Whatever ended the call: nobody is left waiting.
            self._calls -= 1
            for pending in batch:
                if self._under_way.get(pending.id) is pending:
                    del self._under_way[pending.id]
                pending.answer(answers.get(pending.id) or (NOT_TOLD if answers else OVERDUE))
        self._send()

    async def _query(self, ids: Sequence[str]) -> Mapping[str, Answer]:
        answers = await self._query_once(ids)
        error = _refusal_of_all(answers)
        return await self._query_halves(ids, error) if error is not None and len(ids) > 1 else answers

    async def _query_halves(self, ids: Sequence[str], error: ProviderError) -> Mapping[str, Answer]:
        """Find the id that a batch was refused for, and answer the others."""
        middle = len(ids) // 2
        halves = [ids[:middle], ids[middle:]]
        answers = [await self._query_paced(half) for half in halves]
        refusals = [_refusal_of_all(answer) for answer in answers]
        if all(refusals) and error.kind is ErrorKind.UPSTREAM_ERROR:
            # Not one id's fault.
            return dict.fromkeys(ids, error)
        found: dict[str, Answer] = {}
        for half, answer, refusal in zip(halves, answers, refusals, strict=True):
            found |= await self._query_halves(half, refusal) if refusal is not None and len(half) > 1 else answer
        return found

    async def _query_paced(self, ids: Sequence[str]) -> Mapping[str, Answer]:
        now = self._clock.now()
        wait = self.limiter.wait(now)
        self.limiter.acquire(now)
        if wait > 0.0:
            await self._clock.sleep(wait)
        return await self._query_once(ids)

    async def _query_once(self, ids: Sequence[str]) -> Mapping[str, Answer]:
        """The answers of one call; an error of the call as a whole stands for every id."""
        sent_at, began, outcome = self._clock.now(), time.perf_counter(), "broken"
        metrics.batch_sizes(self.provider.name).observe(len(ids))
        metrics.QUERIES_UNDER_WAY.inc()
        answers: Mapping[str, Answer]
        try:
            answers, outcome = await self.provider.query(ids, self.account), "ok"
        except ProviderError as error:
            answers, outcome = dict.fromkeys(ids, error), error.kind.value
        finally:
            metrics.QUERIES_UNDER_WAY.dec()
            metrics.observe_call(self.provider.name, "query", outcome, time.perf_counter() - began)
        limited = next(
            (a for a in answers.values() if isinstance(a, ProviderError) and a.kind is ErrorKind.RATE_LIMITED), None
        )
        if limited is not None:
            self.limiter.refused(self._clock.now(), sent_at, limited.retry_after)
        self._on_results(self.account, answers, sent_at)
        return answers


def _refusal_of_all(answers: Mapping[str, Answer]) -> ProviderError | None:
    """The error of a call that was refused as a whole."""
    first = next(iter(answers.values()), None)
    if isinstance(first, ProviderError) and first.kind in _REFUSED and all(a is first for a in answers.values()):
        return first
    return None
