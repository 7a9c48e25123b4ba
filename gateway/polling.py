"""The state of a task: from memory while it is fresh enough, else from the upstream.

The memory holds only what may be forgotten: an answer that is a second old, the last known state for when the
upstream is out of reach, and the moment of a submit, since upstreams show a task only a little later.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from cachetools import TTLCache

from gateway.clock import Clock
from gateway.errors import clean
from providers.contract import Account, ErrorKind, ModelCard, Phase, Provider, ProviderError, TaskState, Words
from providers.progress import estimate

REMEMBERED_TASKS = 100_000
REMEMBERED_SECONDS = 3600.0
GRACE_SECONDS = 60.0
"""For this long after its submit, a task that the upstream does not know is too new rather than gone."""

UNKNOWN = Words("暂时无法得知任务状态", "How the task stands is not known right now")

_SKEW_SECONDS = 5.0
_HIGHEST_UNFINISHED = 95

_TRANSIENT = frozenset(ErrorKind) - {ErrorKind.INVALID_CREDENTIAL, ErrorKind.TASK_NOT_FOUND}
"""A poll that ends in one of these says nothing about the task."""


Heard = Callable[[Account, Mapping[str, TaskState | ProviderError], float], None]
"""Told what an upstream said of tasks of an account, by their ids, and when it was asked."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What is known of a task. `trouble` is why the state may be old: the query of just now failed."""

    state: TaskState
    progress: int
    seen_at: float
    submitted_at: float | None = None
    trouble: ProviderError | None = None


class Polling:
    """Answers polls of any number of tasks of one account."""

    def __init__(self, clock: Clock, freshness: float, heard: Heard = lambda account, answers, sent_at: None) -> None:
        """`heard` is told what upstreams say, whatever it is."""
        self._clock = clock
        self.freshness = freshness
        self._heard = heard
        self._known: TTLCache[tuple[str, str], Observation] = TTLCache(
            REMEMBERED_TASKS, REMEMBERED_SECONDS, timer=clock.now
        )

    def submitted(self, account: Account, id: str, at: float) -> None:
        """Remember that a task is new."""
        state = TaskState(id, Phase.QUEUED, created_at=at)
        # Never fresh: the first poll asks the upstream.
        self._known[account.tag, id] = Observation(state, 0, seen_at=float("-inf"), submitted_at=at)

    async def observe(
        self,
        provider: Provider,
        account: Account,
        cards: Mapping[str, ModelCard | None],
        *,
        submitted_at: Mapping[str, float | None],
        ask: bool = False,
    ) -> dict[str, Observation | ProviderError]:
        """The state of each id of `cards`, in one query for those that are not fresh.

        `cards` gives the model of an id where it is known, for the estimate. `submitted_at` gives the time of its
        submit. `ask` asks for all of them, however fresh. An id maps to TASK_NOT_FOUND when the upstream does not
        know it, and to INVALID_CREDENTIAL when it refuses the account.
        """
        now = self._clock.now()
        wanted = [id for id in cards if ask or not self._is_fresh(account, id, now)]
        answers = await self._query(provider, account, wanted)
        now = self._clock.now()
        return {id: self._conclude(account, id, answers.get(id), cards[id], submitted_at.get(id), now) for id in cards}

    async def look(self, provider: Provider, account: Account, ids: Sequence[str]) -> None:
        """Let whoever hears of upstreams' answers hear how these tasks of an account stand."""
        await self.observe(provider, account, dict.fromkeys(ids), submitted_at={})

    def _is_fresh(self, account: Account, id: str, now: float) -> bool:
        known = self._known.get((account.tag, id))
        return known is not None and now - known.seen_at < self.freshness

    async def _query(
        self, provider: Provider, account: Account, ids: Sequence[str]
    ) -> Mapping[str, TaskState | ProviderError]:
        if not ids:
            return {}
        sent_at = self._clock.now()
        answers: Mapping[str, TaskState | ProviderError]
        try:
            answers = await provider.query(ids, account)
        except ProviderError as error:
            answers = dict.fromkeys(ids, error)
        for answer in answers.values():
            trouble = answer if isinstance(answer, ProviderError) else answer.error
            if trouble is not None:
                clean(trouble, account)
        self._heard(account, answers, sent_at)
        return answers

    def _conclude(
        self,
        account: Account,
        id: str,
        answer: TaskState | ProviderError | None,
        card: ModelCard | None,
        submitted_at: float | None,
        now: float,
    ) -> Observation | ProviderError:
        """What an answer means together with what was known; None stands for an id that was fresh."""
        known = self._known.get((account.tag, id))
        if answer is None and known is not None:
            return known
        if known is not None and submitted_at is None:
            submitted_at = known.submitted_at
        if isinstance(answer, TaskState):
            typical = card.typical_seconds if card else ModelCard(name="", provider="").typical_seconds
            progress = estimate(answer, now, typical)
            if known is not None and not answer.phase.ended:
                progress = max(progress, min(known.progress, _HIGHEST_UNFINISHED))
            seen = Observation(answer, progress, seen_at=now, submitted_at=submitted_at)
            self._known[account.tag, id] = seen
            return seen
        error = answer or ProviderError(ErrorKind.TASK_NOT_FOUND)
        if error.kind in _TRANSIENT:
            nothing_known = Observation(TaskState(id, Phase.PROCESSING, note=UNKNOWN), 0, seen_at=now)
            return replace(known or nothing_known, trouble=error)
        if error.kind is ErrorKind.TASK_NOT_FOUND and submitted_at is not None and _is_new(submitted_at, now):
            queued = TaskState(id, Phase.QUEUED, created_at=submitted_at)
            return known or Observation(queued, 0, seen_at=now, submitted_at=submitted_at)
        return error


def _is_new(submitted_at: float, now: float) -> bool:
    """True for a task that the upstream may not show yet. A time in the future is no task's."""
    return -_SKEW_SECONDS <= now - submitted_at < GRACE_SECONDS
