"""Task cache: the last observed state of each task, in memory only, with the rules that decide whether it is fresh.

Everything in it may be lost: a state of about a second's age, the last observed state for when the upstream is
unreachable or the rate limit is reached, and the time of a submit, since upstreams list a task only some time after it.
"""

from dataclasses import dataclass

from cachetools import TTLCache

from gateway.core.clock import Clock
from gateway.core.metrics import OTHER_MODEL, model_label
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.models import ModelCard
from providers.contract.tasks import Phase, TaskState
from providers.progress import estimate

CACHE_BYTES = 32 * 1024 * 1024
"""Approximate limit of the cache's memory."""
CACHE_SECONDS = 3600.0
ENDED_SECONDS = 60.0
"""TTL of a task that has ended. Its state no longer changes, but its link is renewed."""
GRACE_SECONDS = 60.0
"""Within this time of its submit, a task that the upstream does not know is too new. After it, the task is gone. One
that the upstream did know keeps its last state for this time after the first query that missed it."""
NEVER = float("-inf")
"""A monotonic time before all others."""

_SKEW_SECONDS = 5.0
_HIGHEST_UNFINISHED = 95
_STATE_BYTES = 1200
_NO_CARD = ModelCard(name="", provider="")
_RANKS = {phase: number for number, phase in enumerate(Phase)}


@dataclass(frozen=True, slots=True)
class Observation:
    """State and progress (percent) of a task at `observed_at`, in monotonic seconds, NEVER for a state that no query
    has given. `submitted_at` is in unix seconds. `query_error` is the error of the latest query, where that failed or
    did not find the task: the state may be stale."""

    state: TaskState
    progress: int
    observed_at: float
    submitted_at: float | None = None
    query_error: ProviderError | None = None


@dataclass(slots=True)
class CachedTask:
    """A task in the cache. Its times are monotonic, but `submitted_at`, which is in unix seconds.

    `floor` is the highest progress reported so far. `sent_at` is when the latest query was sent that found the task or
    missed it, `answered_at` when that was answered, NEVER for a state that is to be queried again. `missing_since` is
    when the first of the latest queries in a row missed the task, None if they found it. `created_here_at` is when this
    process submitted it, NEVER for a task that it did not submit. `model` is its label in the metrics.

    `phase_since` is when the phase of the state was first answered. `listed_at` is the time as of which the upstream's
    list last showed the task as unfinished; `ended_in_list` is True where it shows it as ended, until a query confirms
    or denies that. `must_query` is True where the task was changed: until a query, hints on it are ignored."""

    state: TaskState
    observed_at: float
    submitted_at: float | None = None
    floor: int = 0
    sent_at: float = NEVER
    answered_at: float = NEVER
    missing_since: float | None = None
    created_here_at: float = NEVER
    model: str = OTHER_MODEL
    phase_since: float = NEVER
    listed_at: float = NEVER
    ended_in_list: bool = False
    must_query: bool = False

    @property
    def is_observed(self) -> bool:
        """False for a task that was submitted here and that the upstream has not shown yet."""
        return self.observed_at != NEVER

    def is_newer_than(self, answer: TaskState | None, sent_at: float) -> bool:
        """True where the cached state is newer than the answer of a query that was sent at `sent_at`, None for one that
        did not find the task. A list may be behind: one that was sent after the query replaces no later phase."""
        if sent_at < self.sent_at:
            return True
        return sent_at < self.listed_at and (answer is None or rank(answer.phase) < rank(self.state.phase))

    def is_gone(self, now: float) -> bool:
        """True for a task that the upstream has not found for GRACE_SECONDS, until a query finds it again."""
        return self.missing_since is not None and now - self.missing_since >= GRACE_SECONDS

    def miss(self, now: float, sent_at: float) -> None:
        """Note that a query which was sent at `sent_at` did not find the task."""
        self.sent_at, self.answered_at = sent_at, now
        if self.missing_since is None:
            self.missing_since = now

    def is_fresh(self, now: float, freshness: float) -> bool:
        """True where the cached state may be returned without a query. `freshness` is the TTL in seconds of the state
        of an unfinished task, 0 for no caching."""
        ended = self.state.phase.ended and self.missing_since is None
        ttl = ENDED_SECONDS if ended and freshness > 0 else freshness
        return now - self.answered_at < ttl

    def observe(self, card: ModelCard | None, unix_now: float, query_error: ProviderError | None = None) -> Observation:
        """The observation of the task at `unix_now`. Progress is monotonic across all callers."""
        if card is not None:
            self.model = model_label(card)
        progress = estimate(self.state, unix_now, (card or _NO_CARD).typical_seconds) if self.is_observed else 0
        if not self.state.phase.ended:
            progress = self.floor = max(progress, min(self.floor, _HIGHEST_UNFINISHED))
        if query_error is None and self.missing_since is not None:
            query_error = missing_task()
        return Observation(self.state, progress, self.observed_at, self.submitted_at, query_error)


def rank(phase: Phase) -> int:
    """The place of a phase in the course of a task."""
    return _RANKS[phase]


def new_task_cache(clock: Clock) -> TTLCache[tuple[str, str], CachedTask]:
    """An empty cache. Its keys are the account's id and the upstream's task id."""
    return TTLCache(CACHE_BYTES, CACHE_SECONDS, timer=clock.monotonic, getsizeof=_size_of)


def missing_task() -> ProviderError:
    """The query error of a task that the latest query did not find."""
    return ProviderError(ErrorKind.TASK_NOT_FOUND)


def is_new(submitted_at: float, unix_now: float) -> bool:
    """True for a task that the upstream may not list yet. False for a submit time in the future."""
    return -_SKEW_SECONDS <= unix_now - submitted_at < GRACE_SECONDS


def _size_of(cached: CachedTask) -> int:
    result = cached.state.result
    return _STATE_BYTES + len(cached.state.native) + (len(result.url) + len(result.cover_url or "") if result else 0)
