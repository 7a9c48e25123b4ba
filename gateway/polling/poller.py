"""Task polling: the state of a task from the cache while it is fresh, else from a query to the upstream.

Queries are batched, coalesced and rate limited for each account. After a transient query error the cached state is
returned.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from gateway.core import metrics
from gateway.core.background_tasks import Background
from gateway.core.clock import Clock
from gateway.core.errors import clean
from gateway.core.request_record import waited_for_upstream
from gateway.core.segmented_lru import SegmentedLRU
from gateway.polling.batcher import Answer, OnResults, QueryBatcher
from gateway.polling.hinted_tasks import HintedTasks
from gateway.polling.query_queue import Priority
from gateway.polling.rate_limiter import AdaptiveRateLimiter
from gateway.polling.task_cache import (
    GRACE_SECONDS,
    NEVER,
    CachedTask,
    Observation,
    is_new,
    missing_task,
    new_task_cache,
)
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.contract.models import ModelCard
from providers.contract.provider import Provider
from providers.contract.tasks import Phase, TaskState

MAX_BATCHERS = 4096
"""Known accounts whose query batcher and rate limiter are in memory."""
MAX_UNKNOWN_BATCHERS = 512
"""Others, whose credential no upstream has accepted yet."""

UNKNOWN = LocalizedText("暂时无法获取任务状态", "Task status is temporarily unavailable")
NOT_LISTED_YET = LocalizedText(
    "此凭证下暂时查不到该任务：如刚刚提交，请稍候；否则请检查任务 ID 和凭证",
    "The task is not visible with this credential yet: if it is new, wait; otherwise check its ID and the credential",
)

_NEARLY_FINISHED = 80
_NEARLY_FINISHED_WEIGHT = 2.0
"""Factor on the urgency of a task whose progress is at least `_NEARLY_FINISHED` percent."""
_ENDED_IN_LIST_WEIGHT = 1000.0
"""Factor on the urgency of a task that the upstream's list shows as ended."""

_TRANSIENT = frozenset(ErrorKind) - {ErrorKind.INVALID_CREDENTIAL, ErrorKind.TASK_NOT_FOUND}
"""Query errors that say nothing about the task."""


class Poller:
    """Returns task states for any number of tasks and accounts.

    `freshness` is the TTL of a cached state in seconds. `per_second` is the rate limit by provider, in queries a second
    for each account. 0, or no entry, means no limit.
    """

    def __init__(
        self,
        clock: Clock,
        freshness: float,
        background: Background,
        on_results: OnResults = lambda account, answers, sent_at: None,
        per_second: Mapping[str, float] | None = None,
        *,
        is_known: Callable[[str], bool] = lambda account_id: True,
    ) -> None:
        """`on_results` is called with every result and every error of a query. `is_known` is True for the ids of
        accounts that others do not push out of memory."""
        self._clock = clock
        self.freshness = freshness
        self._background = background
        self._notify = on_results
        self._per_second = dict(per_second or {})
        self.on_observed: Callable[[Account, Iterable[str], float], None] = lambda account, ids, sent_at: None
        """Called with the ids that a query has found, once their states are in the cache, and when the query was sent,
        in monotonic seconds. Must not raise."""
        self._cached = new_task_cache(clock)
        self._batchers: SegmentedLRU[tuple[str, Account], QueryBatcher] = SegmentedLRU(
            MAX_BATCHERS, MAX_UNKNOWN_BATCHERS, lambda key, _: is_known(key[1].id)
        )
        self._limiters: SegmentedLRU[tuple[str, str], AdaptiveRateLimiter] = SegmentedLRU(
            MAX_BATCHERS, MAX_UNKNOWN_BATCHERS, lambda key, _: is_known(key[1])
        )

    @property
    def per_second(self) -> Mapping[str, float]:
        """Rate limits by provider, in queries a second for each account. Setting it also applies to limiters in use."""
        return self._per_second

    @per_second.setter
    def per_second(self, limits: Mapping[str, float]) -> None:
        self._per_second = dict(limits)
        for (name, _), limiter in list(self._limiters.items()):
            limiter.change_limit(limits.get(name, 0.0), self._clock.monotonic())

    def submitted(self, account: Account, id: str, at: float, card: ModelCard | None = None) -> None:
        """Cache a submitted task as queued. The entry is not fresh, so the first poll queries the upstream. `at` is in
        unix seconds, `card` that of its model."""
        self._cached[account.id, id] = CachedTask(
            TaskState(id, Phase.QUEUED, created_at=at),
            NEVER,
            at,
            created_here_at=self._clock.monotonic(),
            model=metrics.model_label(card),
        )

    def expire(self, account: Account, id: str) -> None:
        """Invalidate the cached state of a task that was just changed. The next poll waits for the upstream's answer,
        even where the rate limit delays the query."""
        cached = self._cached.get((account.id, id))
        if cached is not None:
            cached.answered_at = NEVER
            cached.must_query = True

    def fresh(self, account: Account, id: str, now: float) -> CachedTask | None:
        """The cached task if it is fresh at `now`, in monotonic seconds, else None."""
        cached = self._cached.get((account.id, id))
        if cached is None:
            return None
        return cached if cached.is_fresh(now, self.freshness) else None

    def fresh_observation(self, account: Account, id: str, card: ModelCard | None) -> Observation | None:
        """The observation of a fresh cached task, else None; None as well for one that is gone."""
        now = self._clock.monotonic()
        cached = self.fresh(account, id, now)
        if cached is None or cached.is_gone(now):
            return None
        metrics.QUERIES_SAVED.inc()
        return cached.observe(card, self._clock.now())

    def last_observation(self, account: Account, id: str, card: ModelCard | None) -> Observation | None:
        """The observation of a cached task, however old it is; None where no query has found it."""
        cached = self._cached.get((account.id, id))
        return cached.observe(card, self._clock.now()) if cached is not None and cached.is_observed else None

    async def observe(
        self,
        provider: Provider,
        account: Account,
        cards: Mapping[str, ModelCard | None],
        *,
        submitted_at: Mapping[str, float | None],
        force_refresh: bool = False,
    ) -> dict[str, Observation | ProviderError]:
        """Observe the task of each id in `cards`, with as few queries as possible for those that are not fresh.

        `cards` maps an id to its model card, where known. `submitted_at` maps an id to its submit
        time in unix seconds. `force_refresh` queries all ids, fresh or not, and waits for the answer of each, which may
        take until the deadline; without it, the cached state is returned while the rate limit delays the query. Where
        there is no answer by the deadline, the observation has the error of the query. An id maps to TASK_NOT_FOUND
        where the upstream does not know it, and to INVALID_CREDENTIAL where it rejects the account. A task that the
        upstream has shown and then misses keeps its state for GRACE_SECONDS, with that error beside it; after that it
        maps to TASK_NOT_FOUND until a query finds it again.
        """
        found: dict[str, Observation | ProviderError] = {}
        pending: dict[str, asyncio.Future[Answer]] = {}
        now = self._clock.monotonic()
        for id, card in cards.items():
            cached = None if force_refresh else self.fresh(account, id, now)
            if cached is None:
                last = self._cached.get((account.id, id))
                has_state = last is not None and last.answered_at != NEVER
                batcher = self._batcher(provider, account)
                answer = batcher.enqueue(id, force_refresh=force_refresh, wait=not has_state)
                if answer is not None:
                    pending[id] = answer
                    continue
                # The rate limit delays its batch: return the cached state.
                cached = last
            if cached is not None:
                metrics.QUERIES_SAVED.inc()
                found[id] = self._observation_of(cached, card)
        began = time.perf_counter() if pending else 0.0
        for id, future in pending.items():
            result, card = await future, cards[id]
            if card is None and isinstance(result, TaskState) and result.model:
                card = provider.card(result.model)
            found[id] = self._conclude(account, id, result, card, submitted_at.get(id))
        if pending:
            waited_for_upstream(account.label, time.perf_counter() - began)
        return {id: found[id] for id in cards}

    async def refresh(self, provider: Provider, account: Account, ids: Sequence[str]) -> None:
        """Query tasks of an account, unless they are fresh. The results go to `on_results` only."""
        await self.observe(provider, account, dict.fromkeys(ids), submitted_at={})

    def acquire(self, provider: Provider, account: Account, calls: int = 1) -> None:
        """Count calls that share the rate limit of the queries."""
        self._batcher(provider, account).limiter.acquire(self._clock.monotonic(), calls)

    def round_seconds(self, provider: Provider, account: Account) -> float:
        """Seconds until every pending query of an account has been sent."""
        batcher = self._batchers.get((provider.name, account))
        return batcher.round_seconds if batcher is not None else 0.0

    def age(self, observation: Observation) -> float:
        """Seconds since the observation; 0 for a task that has not been queried yet."""
        return self._clock.monotonic() - observation.observed_at if observation.observed_at != NEVER else 0.0

    def _batcher(self, provider: Provider, account: Account) -> QueryBatcher:
        """The query batcher of an account. Accounts with the same key share one rate limiter."""
        batcher = self._batchers.get((provider.name, account))
        # A reload of the configuration replaces the provider object.
        if batcher is None or batcher.provider is not provider:
            limiter = self._limiters.get((provider.name, account.id))
            if limiter is None:
                limiter = AdaptiveRateLimiter(self._per_second.get(provider.name, 0.0), self._clock.monotonic())
                self._limiters[provider.name, account.id] = limiter
            priority_of = partial(self._priority_of, account.id)
            batcher = QueryBatcher(
                provider,
                account,
                limiter,
                self._clock,
                self._background,
                self.on_results,
                priority_of,
                HintedTasks(self._cached, account.id, self._clock),
                freshness=lambda: self.freshness,
                on_observed=lambda ids, sent_at: self.on_observed(account, ids, sent_at),
            )
            self._batchers[provider.name, account] = batcher
        return batcher

    def on_results(self, account: Account, answers: Mapping[str, Answer], sent_at: float) -> None:
        """Cache the results of a query, and pass them on. Called even where no caller waits any more."""
        now = self._clock.monotonic()
        for id, answer in answers.items():
            error = answer if isinstance(answer, ProviderError) else answer.error
            if error is not None:
                clean(error, account)
            if isinstance(answer, TaskState):
                last = self._cached.get((account.id, id))
                if last is None:
                    self._cached[account.id, id] = CachedTask(
                        answer, now, sent_at=sent_at, answered_at=now, phase_since=now
                    )
                elif not last.is_newer_than(answer, sent_at):
                    # A slow response does not replace one of a later query.
                    self._cached[account.id, id] = CachedTask(
                        answer,
                        now,
                        last.submitted_at,
                        last.floor,
                        sent_at,
                        now,
                        model=last.model,
                        phase_since=last.phase_since if answer.phase is last.state.phase else now,
                        listed_at=last.listed_at,
                    )
                    if answer.phase.ended and not last.state.phase.ended:
                        metrics.task_finished(account.provider, last.model, answer)
            elif answer.kind is ErrorKind.TASK_NOT_FOUND:
                last = self._cached.get((account.id, id))
                if last is not None and last.is_observed and not last.is_newer_than(None, sent_at):
                    last.miss(now, sent_at)
        self._notify(account, answers, sent_at)
        self.on_observed(account, [id for id, answer in answers.items() if isinstance(answer, TaskState)], sent_at)

    def _priority_of(self, key: str, id: str) -> Priority:
        cached = self._cached.get((key, id))
        if cached is None or not cached.is_observed:
            return Priority()
        if cached.ended_in_list:
            return Priority(cached.answered_at, _ENDED_IN_LIST_WEIGHT)
        return Priority(cached.answered_at, _NEARLY_FINISHED_WEIGHT if cached.floor >= _NEARLY_FINISHED else 1.0)

    def _conclude(
        self, account: Account, id: str, answer: Answer, card: ModelCard | None, submitted_at: float | None
    ) -> Observation | ProviderError:
        """Combine the result of a query with the cached task."""
        cached = self._cached.get((account.id, id))
        if cached is not None and submitted_at is None:
            submitted_at = cached.submitted_at
        if isinstance(answer, TaskState):
            if cached is None or not cached.is_observed:
                cached = CachedTask(answer, self._clock.monotonic(), submitted_at)
            return self._observation_of(cached, card)
        if answer.kind in _TRANSIENT:
            cached = cached or CachedTask(TaskState(id, Phase.PROCESSING, note=UNKNOWN), NEVER)
            return self._observation_of(cached, card, answer)
        if answer.kind is ErrorKind.TASK_NOT_FOUND:
            if cached is not None and cached.is_observed:
                return self._observation_of(cached, card)
            if self._is_new(cached, submitted_at):
                queued = TaskState(id, Phase.QUEUED, created_at=submitted_at, note=NOT_LISTED_YET)
                cached = cached or CachedTask(queued, NEVER, submitted_at)
                return cached.observe(card, self._clock.now())
        return answer

    def _is_new(self, cached: CachedTask | None, submitted_at: float | None) -> bool:
        """True for a task that the upstream may not list yet."""
        if cached is not None and self._clock.monotonic() - cached.created_here_at < GRACE_SECONDS:
            return True
        return submitted_at is not None and is_new(submitted_at, self._clock.now())

    def _observation_of(
        self, cached: CachedTask, card: ModelCard | None, query_error: ProviderError | None = None
    ) -> Observation | ProviderError:
        """The observation of a cached task; TASK_NOT_FOUND for one that is gone."""
        if cached.is_gone(self._clock.monotonic()):
            return missing_task()
        return cached.observe(card, self._clock.now(), query_error)
