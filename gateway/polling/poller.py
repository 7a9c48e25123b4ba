"""The state of a task: from memory while it is fresh enough, else from the upstream.

The memory holds only what may be forgotten: an answer that is a second old, the last known state for when the
upstream is out of reach or its budget spent, and the moment of a submit, since upstreams show a task only a little
later.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from cachetools import LRUCache, TTLCache

from gateway.core import metrics
from gateway.core.background_tasks import Background
from gateway.core.clock import Clock
from gateway.core.errors import clean
from gateway.polling.batcher import Answer, OnResults, QueryBatcher
from gateway.polling.rate_limiter import AdaptiveRateLimiter
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.contract.models import ModelCard
from providers.contract.provider import Provider
from providers.contract.tasks import Phase, TaskState
from providers.progress import estimate

REMEMBERED_BYTES = 32 * 1024 * 1024
"""What the memory of tasks may take, more or less."""
REMEMBERED_SECONDS = 3600.0
ENDED_SECONDS = 60.0
"""For this long a task that has ended is not asked for again: it changes no more, but its link is signed anew."""
REMEMBERED_DESKS = 4096
GRACE_SECONDS = 60.0
"""For this long after its submit, a task that the upstream does not know is too new rather than gone."""

UNKNOWN = LocalizedText("暂时无法获取任务状态", "Task status is temporarily unavailable")
UNSEEN = LocalizedText(
    "此凭证下暂时查不到该任务：如刚刚提交，请稍候；否则请检查任务 ID 和凭证",
    "The task is not visible with this credential yet: if it is new, wait; otherwise check its ID and the credential",
)

_SKEW_SECONDS = 5.0
_HIGHEST_UNFINISHED = 95
_NEARLY_FINISHED = 80
_NEARLY_FINISHED_URGENCY = 2.0
"""How much sooner than by its age alone a task is asked for that is nearly finished."""
_BYTES_OF_STATE = 1200
_NO_CARD = ModelCard(name="", provider="")
_NEVER = float("-inf")

_TRANSIENT = frozenset(ErrorKind) - {ErrorKind.INVALID_CREDENTIAL, ErrorKind.TASK_NOT_FOUND}
"""A poll that ends in one of these says nothing about the task."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What is known of a task, as it was seen at `seen_at`, in unix seconds. `trouble` is why the state may be old: the
    query of just now failed."""

    state: TaskState
    progress: int
    seen_at: float
    submitted_at: float | None = None
    trouble: ProviderError | None = None


@dataclass(slots=True)
class CachedTask:
    """One task in memory. `floor` is the highest progress that anybody was told; `asked_at` is
    when the query was sent that told the state."""

    state: TaskState
    seen_at: float
    submitted_at: float | None = None
    floor: int = 0
    asked_at: float = _NEVER

    @property
    def told(self) -> bool:
        """False for a task that was submitted here and not asked for yet."""
        return self.seen_at != _NEVER

    def observe(self, card: ModelCard | None, now: float, trouble: ProviderError | None = None) -> Observation:
        """The task as it stands at `now`. Its progress never falls, whoever asks."""
        progress = estimate(self.state, now, (card or _NO_CARD).typical_seconds) if self.told else 0
        if not self.state.phase.ended:
            progress = self.floor = max(progress, min(self.floor, _HIGHEST_UNFINISHED))
        return Observation(self.state, progress, self.seen_at, self.submitted_at, trouble)


class Poller:
    """Answers polls of any number of tasks of any number of accounts.

    `per_second` says how many queries a second an account of a provider may be asked, 0 or nothing for any number.
    """

    def __init__(
        self,
        clock: Clock,
        freshness: float,
        background: Background,
        heard: OnResults = lambda account, answers, sent_at: None,
        per_second: Mapping[str, float] | None = None,
    ) -> None:
        """`heard` is told what upstreams say, whatever it is."""
        self._clock = clock
        self.freshness = freshness
        self._background = background
        self._heard = heard
        self._per_second = dict(per_second or {})
        self._known: TTLCache[tuple[str, str], CachedTask] = TTLCache(
            REMEMBERED_BYTES, REMEMBERED_SECONDS, timer=clock.now, getsizeof=_size_of
        )
        self._batchers: LRUCache[tuple[str, Account], QueryBatcher] = LRUCache(REMEMBERED_DESKS)
        self._budgets: LRUCache[tuple[str, str], AdaptiveRateLimiter] = LRUCache(REMEMBERED_DESKS)

    @property
    def per_second(self) -> Mapping[str, float]:
        """Queries a second for an account of each provider. Setting it applies to accounts in use as well."""
        return self._per_second

    @per_second.setter
    def per_second(self, limits: Mapping[str, float]) -> None:
        self._per_second = dict(limits)
        for (name, _), limiter in list(self._budgets.items()):
            limiter.change_limit(limits.get(name, 0.0), self._clock.now())

    def submitted(self, account: Account, id: str, at: float) -> None:
        """Remember that a task is new. It is not fresh: the first poll asks the upstream."""
        self._known[account.key, id] = CachedTask(TaskState(id, Phase.QUEUED, created_at=at), _NEVER, at)

    def expire(self, account: Account, id: str) -> None:
        """A task has just been changed: whoever asks next waits for the upstream's word, and is not told the old one
        while the account's pace holds the query up."""
        known = self._known.get((account.key, id))
        if known is not None:
            known.seen_at = _NEVER

    def fresh(self, account: Account, id: str, now: float) -> CachedTask | None:
        """What is known of a task, where nobody has to be asked for it."""
        known = self._known.get((account.key, id))
        if known is None:
            return None
        longest = ENDED_SECONDS if known.state.phase.ended and self.freshness > 0 else self.freshness
        # A time in the future is one from before the clock was set back.
        return known if -_SKEW_SECONDS < now - known.seen_at < longest else None

    def fresh_observation(self, account: Account, id: str, card: ModelCard | None) -> Observation | None:
        """The same, as it is to be told now."""
        now = self._clock.now()
        known = self.fresh(account, id, now)
        if known is None:
            return None
        metrics.QUERIES_SAVED.inc()
        return known.observe(card, now)

    async def observe(
        self,
        provider: Provider,
        account: Account,
        cards: Mapping[str, ModelCard | None],
        *,
        submitted_at: Mapping[str, float | None],
        force_refresh: bool = False,
        patient: bool = False,
    ) -> dict[str, Observation | ProviderError]:
        """The state of each id of `cards`, in as few queries as possible for those that are not fresh.

        `cards` gives the model of an id where it is known, for the estimate. `submitted_at` gives the time of its
        submit. `force_refresh` queries all of them, however fresh; `patient` waits for the turn of each, where otherwise
        the cached state has to do until then. An id maps to TASK_NOT_FOUND when the upstream does not know it, and to
        INVALID_CREDENTIAL when it refuses the account.
        """
        found: dict[str, Observation | ProviderError] = {}
        asked: dict[str, asyncio.Future[Answer]] = {}
        now = self._clock.now()
        for id, card in cards.items():
            known = None if force_refresh else self.fresh(account, id, now)
            if known is None:
                last = self._known.get((account.key, id))
                wait = patient or last is None or not last.told
                answer = self._batcher(provider, account).enqueue(id, force_refresh=force_refresh, wait=wait)
                if answer is not None:
                    asked[id] = answer
                    continue
                # Its turn has not come, and what is known has to do.
                known = last
            if known is not None:
                metrics.QUERIES_SAVED.inc()
                found[id] = known.observe(card, now)
        for id, future in asked.items():
            found[id] = self._conclude(account, id, await future, cards[id], submitted_at.get(id))
        return {id: found[id] for id in cards}

    async def look(self, provider: Provider, account: Account, ids: Sequence[str]) -> None:
        """Let whoever hears of upstreams' answers hear how these tasks of an account stand."""
        await self.observe(provider, account, dict.fromkeys(ids), submitted_at={})

    def acquire(self, provider: Provider, account: Account, calls: int = 1) -> None:
        """Calls to the upstream that share the budget of the queries."""
        self._batcher(provider, account).limiter.acquire(self._clock.now(), calls)

    def round_seconds(self, provider: Provider, account: Account) -> float:
        """How long it takes until every task of an account that waits has been asked for."""
        batcher = self._batchers.get((provider.name, account))
        return batcher.round_seconds if batcher is not None else 0.0

    def age(self, observation: Observation) -> float:
        """Seconds since the upstream said it; 0 for a task that it was not asked for yet."""
        return max(0.0, self._clock.now() - observation.seen_at) if observation.seen_at > 0 else 0.0

    def _batcher(self, provider: Provider, account: Account) -> QueryBatcher:
        """The desk of an account as it is now. Its budget is shared by all that go by the same credential."""
        batcher = self._batchers.get((provider.name, account))
        # Another provider of the name, after the configuration was read again.
        if batcher is None or batcher.provider is not provider:
            limiter = self._budgets.get((provider.name, account.key))
            if limiter is None:
                limiter = AdaptiveRateLimiter(self._per_second.get(provider.name, 0.0), self._clock.now())
                self._budgets[provider.name, account.key] = limiter
            urgency = partial(self._urgency, account.key)
            batcher = QueryBatcher(provider, account, limiter, self._clock, self._background, self.on_results, urgency)
            self._batchers[provider.name, account] = batcher
        return batcher

    def on_results(self, account: Account, answers: Mapping[str, Answer], sent_at: float) -> None:
        """Remember what an upstream said, whether anybody still waits for it or not."""
        now = self._clock.now()
        for id, answer in answers.items():
            trouble = answer if isinstance(answer, ProviderError) else answer.error
            if trouble is not None:
                clean(trouble, account)
            if isinstance(answer, TaskState):
                last = self._known.get((account.key, id))
                if last is None:
                    self._known[account.key, id] = CachedTask(answer, now, asked_at=sent_at)
                elif last.asked_at <= sent_at:
                    # An answer that took its time does not take the place of a younger one.
                    self._known[account.key, id] = CachedTask(answer, now, last.submitted_at, last.floor, sent_at)
        self._heard(account, answers, sent_at)

    def _urgency(self, key: str, id: str) -> float:
        known = self._known.get((key, id))
        if known is None or not known.told:
            return math.inf
        nearly = _NEARLY_FINISHED_URGENCY if known.floor >= _NEARLY_FINISHED else 1.0
        return (self._clock.now() - known.seen_at) * nearly

    def _conclude(
        self, account: Account, id: str, answer: Answer, card: ModelCard | None, submitted_at: float | None
    ) -> Observation | ProviderError:
        """What an answer means together with what was known."""
        now = self._clock.now()
        known = self._known.get((account.key, id))
        if known is not None and submitted_at is None:
            submitted_at = known.submitted_at
        if isinstance(answer, TaskState):
            known = known if known is not None and known.told else CachedTask(answer, now, submitted_at)
            return known.observe(card, now)
        if answer.kind in _TRANSIENT:
            known = known or CachedTask(TaskState(id, Phase.PROCESSING, note=UNKNOWN), _NEVER)
            return known.observe(card, now, answer)
        if answer.kind is ErrorKind.TASK_NOT_FOUND and submitted_at is not None and _is_new(submitted_at, now):
            unseen = TaskState(id, Phase.QUEUED, created_at=submitted_at, note=UNSEEN)
            known = known or CachedTask(unseen, _NEVER, submitted_at)
            return known.observe(card, now)
        return answer


def _is_new(submitted_at: float, now: float) -> bool:
    """True for a task that the upstream may not show yet. A time in the future is no task's."""
    return -_SKEW_SECONDS <= now - submitted_at < GRACE_SECONDS


def _size_of(known: CachedTask) -> int:
    result = known.state.result
    return _BYTES_OF_STATE + (len(result.url) + len(result.cover_url or "") if result else 0)
