"""Hints on cached tasks: what a row of an upstream's list says of a task, next to what queries have told.

A row is never a verdict: that a task has ended is cached from its own query only. A row that shows it as unfinished
makes its state as fresh as the list, which may be behind by a measured lag.
"""

from collections.abc import Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.core.clock import Clock
from gateway.polling.task_cache import NEVER, CachedTask, rank
from providers.contract.tasks import TaskState

FEW_UNKNOWN = 20
"""Tasks for which the whole list is not searched: single queries find them sooner."""


@dataclass(slots=True)
class Hints:
    """What a page has told. `unfinished` are the states of tasks that need no query for now, `ended` the ids of those
    whose end is to be confirmed by a query. `lag` is the number of seconds by which a row was behind a query, 0 if none
    was."""

    unfinished: dict[str, TaskState] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    lag: float = 0.0


class HintedTasks:
    """The cached tasks of one account, as far as hints are concerned."""

    def __init__(self, cached: MutableMapping[tuple[str, str], CachedTask], account_id: str, clock: Clock) -> None:
        self._cached = cached
        self._account_id = account_id
        self._clock = clock

    def get(self, id: str) -> CachedTask | None:
        return self._cached.get((self._account_id, id))

    def oldest(self, ids: Iterable[str]) -> float | None:
        """The unix time of the oldest submit of the tasks; None if that of more than FEW_UNKNOWN of them is unknown."""
        oldest, unknown = float("inf"), 0
        for id in ids:
            cached = self.get(id)
            if cached is not None and cached.state.created_at is not None:
                oldest = min(oldest, cached.state.created_at)
            else:
                unknown += 1
                if unknown > FEW_UNKNOWN:
                    return None
        return oldest if oldest < float("inf") else None

    def apply(self, rows: Sequence[TaskState], sent_at: float, lag: float, is_pending: Callable[[str], bool]) -> Hints:
        """Apply the rows of a page that was sent at `sent_at`, in monotonic seconds, to the cached tasks. `lag` is how
        far the list is known to be behind, in seconds. A task that is not cached gets a state if its query is pending;
        the tasks of others stay out of the cache."""
        hints = Hints()
        known = [(row, self.get(row.id)) for row in rows]
        for row, cached in known:
            if cached is not None and not row.phase.ended and rank(row.phase) < rank(cached.state.phase):
                hints.lag = max(hints.lag, sent_at - cached.phase_since)
        lag = max(lag, hints.lag)
        now = self._clock.monotonic()
        for row, cached in known:
            if cached is None and not is_pending(row.id):
                continue
            if row.phase.ended:
                if cached is None or self._is_news(cached, sent_at):
                    hints.ended.append(row.id)
                    if cached is not None:
                        cached.ended_in_list = True
            elif cached is None or self._is_newer(cached, row, sent_at - lag, now - lag):
                hints.unfinished[row.id] = self._store(cached, row, sent_at - lag, now - lag)
        return hints

    def _is_news(self, cached: CachedTask, sent_at: float) -> bool:
        """True for a row that may tell the end of an unfinished task."""
        return not cached.state.phase.ended and cached.sent_at <= sent_at and not cached.must_query

    def _is_newer(self, cached: CachedTask, row: TaskState, as_of: float, observed_at: float) -> bool:
        """True for the row of an unfinished task that is newer than the cached state, and not behind it."""
        return (
            not cached.state.phase.ended
            and not cached.must_query
            and not cached.ended_in_list
            and cached.missing_since is None
            and max(cached.sent_at, cached.listed_at) <= as_of
            and cached.answered_at < observed_at
            and rank(row.phase) >= rank(cached.state.phase)
        )

    def _store(self, cached: CachedTask | None, row: TaskState, as_of: float, observed_at: float) -> TaskState:
        now = self._clock.monotonic()
        # Queries do not tell the model: a state that has it now and then would look like a change.
        row = replace(row, model=None)
        if cached is None:
            cached = self._cached[self._account_id, row.id] = CachedTask(row, NEVER, phase_since=now)
        elif not cached.is_observed:
            cached.state, cached.phase_since = row, now
        elif rank(row.phase) > rank(cached.state.phase):
            cached.state = replace(cached.state, phase=row.phase, progress=row.progress, note=None, queue=None)
            cached.phase_since = now
        cached.observed_at = cached.answered_at = observed_at
        cached.listed_at = as_of
        return cached.state
