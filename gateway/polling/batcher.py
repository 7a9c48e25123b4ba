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
from gateway.polling.rate_limiter import Budget
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.provider import Provider
from providers.contract.tasks import TaskState

GATHER_SECONDS = 0.003
"""How long a batch is open to further ids."""
DEADLINE_SECONDS = 10.0
"""After this long those who wait for an answer of the upstream go on without it."""
BATCHES_AT_ONCE = 2
SINGLES_AT_ONCE = 32
"""Queries of one account under way, for upstreams that take many ids in one and for those that take one."""
MOST_WANTED = 20_000
"""Ids of one account that wait for their turn."""

Answer = TaskState | ProviderError
Hear = Callable[[Account, Mapping[str, Answer], float], None]
Urgency = Callable[[str], float]
"""How urgent it is to ask for an id: its age, and more for a task that is nearly finished."""

OVERDUE = ProviderError(ErrorKind.ANSWER_LOST, detail=f"no answer within {DEADLINE_SECONDS:g} s")
NOT_TOLD = ProviderError(ErrorKind.TASK_NOT_FOUND)
_REFUSED = frozenset({ErrorKind.INVALID_REQUEST, ErrorKind.UPSTREAM_ERROR})
"""What may be the fault of one id in a batch."""


@dataclass(slots=True)
class Wanted:
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


class Desk:
    """The queries of one account. `hear` is told every answer, before those who wait for it."""

    def __init__(
        self,
        provider: Provider,
        account: Account,
        budget: Budget,
        clock: Clock,
        background: Background,
        hear: Hear,
        urgency: Urgency,
    ) -> None:
        self.provider = provider
        self.account = account
        self.budget = budget
        self._clock = clock
        self._background = background
        self._hear = hear
        self._urgency = urgency
        self._batch = provider.query_batch
        self._at_once = BATCHES_AT_ONCE if self._batch > 1 else SINGLES_AT_ONCE
        self._wanted: dict[str, Wanted] = {}
        self._under_way: dict[str, Wanted] = {}
        self._calls = 0
        self._waking: Timer | None = None
        self._wakes_at = 0.0

    @property
    def idle(self) -> bool:
        return not self._wanted and not self._calls

    @property
    def round_seconds(self) -> float:
        """How long it takes to ask for everything that waits."""
        return self.budget.seconds_for(math.ceil(len(self._wanted) / self._batch)) if self._wanted else 0.0

    def want(self, id: str, *, newly: bool, patiently: bool) -> "asyncio.Future[Answer] | None":
        """The next answer for an id. Only those who are patient are given a future, at most for the deadline, where
        its turn is not the next one: the pace of the account holds it up, or others are more urgent.

        `newly` wants one that is asked for from now on, not one that is under way.
        """
        wanted = None if newly else self._under_way.get(id)
        if wanted is not None:
            metrics.QUERIES_JOINED.inc()
            return self._wait_for(wanted)
        wanted = self._wanted.get(id)
        if wanted is None:
            wanted = self._wanted[id] = Wanted(id)
            if len(self._wanted) > MOST_WANTED:
                self._forget()
        else:
            metrics.QUERIES_JOINED.inc()
        if self._calls >= self._at_once or self.budget.wait(self._clock.now()) > 0.0:
            self._plan()
            is_next = False
        elif len(self._wanted) < self._batch:
            self._wake(GATHER_SECONDS)
            is_next = True
        else:
            self._send()
            is_next = self._under_way.get(id) is wanted
        return self._wait_for(wanted) if is_next or patiently else None

    def _wait_for(self, wanted: Wanted) -> "asyncio.Future[Answer]":
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        wanted.waiting.append(future)
        if wanted.deadline is None:
            wanted.deadline = self._clock.later(DEADLINE_SECONDS, lambda: self._give_up(wanted))
        return future

    def _give_up(self, wanted: Wanted) -> None:
        """Nobody waits any longer, nor joins a call that hangs. The call itself goes on."""
        if self._under_way.get(wanted.id) is wanted:
            del self._under_way[wanted.id]
        wanted.answer(OVERDUE)

    # --- sending ------------------------------------------------------------------------------------------------

    def _send(self) -> None:
        """Send as many batches as the pace allows, then plan the next."""
        while self._wanted and self._calls < self._at_once:
            now = self._clock.now()
            if self.budget.wait(now) > 0.0:
                break
            self.budget.spend(now)
            batch = self._most_urgent()
            for wanted in batch:
                del self._wanted[wanted.id]
                self._under_way[wanted.id] = wanted
            self._calls += 1
            self._background.start(self._ask(batch))
        self._plan()

    def _plan(self) -> None:
        """Wake up when the pace allows the next call; a call that ends plans anew as well."""
        if self._wanted and self._calls < self._at_once:
            self._wake(self.budget.wait(self._clock.now()))

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

    def _most_urgent(self) -> list[Wanted]:
        if len(self._wanted) <= self._batch:
            return list(self._wanted.values())
        ranked = sorted(self._wanted, key=self._urgency, reverse=True)
        return [self._wanted[id] for id in ranked[: self._batch]]

    def _forget(self) -> None:
        oldest = self._wanted.pop(next(iter(self._wanted)))
        oldest.answer(ProviderError(ErrorKind.RATE_LIMITED, detail="too many tasks wait to be asked for"))

    # --- asking -------------------------------------------------------------------------------------------------

    async def _ask(self, batch: Sequence[Wanted]) -> None:
        answers: Mapping[str, Answer] = {}
        try:
            answers = await self._query([wanted.id for wanted in batch])
        except Exception as error:
            GATEWAY.error("a query broke", extra={"fields": {"provider": self.provider.name, "cause": where(error)}})
            broken = ProviderError(ErrorKind.UPSTREAM_ERROR, detail=type(error).__name__)
            answers = dict.fromkeys((wanted.id for wanted in batch), broken)
        finally:
            # Whatever ended the call: nobody is left waiting.
            self._calls -= 1
            for wanted in batch:
                if self._under_way.get(wanted.id) is wanted:
                    del self._under_way[wanted.id]
                wanted.answer(answers.get(wanted.id) or (NOT_TOLD if answers else OVERDUE))
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
        wait = self.budget.wait(now)
        self.budget.spend(now)
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
            self.budget.refused(self._clock.now(), sent_at, limited.retry_after)
        self._hear(self.account, answers, sent_at)
        return answers


def _refusal_of_all(answers: Mapping[str, Answer]) -> ProviderError | None:
    """The error of a call that was refused as a whole."""
    first = next(iter(answers.values()), None)
    if isinstance(first, ProviderError) and first.kind in _REFUSED and all(a is first for a in answers.values()):
        return first
    return None
