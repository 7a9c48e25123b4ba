"""Task watching: any number of watchers of a task share one status query per interval.

The interval is that of the task's state, its queue position and the rate limit of its account. What any other query
finds is told as well. What a watcher misses while it is slow is replaced by the newest status.
"""

import heapq
import itertools
from collections.abc import AsyncGenerator, Callable, Hashable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from gateway.accounts.callers import Caller
from gateway.core.background_tasks import Background
from gateway.core.clock import Clock, Timer
from gateway.core.errors import GatewayError
from gateway.core.logs import GATEWAY, location_of
from gateway.live.watcher import Status, Watch, Watcher
from gateway.tasks.service import Tasks
from gateway.tasks.view import Task
from providers.contract.accounts import Account
from providers.single_flight import SingleFlight

SWEEP_SECONDS = 1.0
"""Interval at which time limits and heartbeats are checked: a timer for each watcher would cost more."""
FAILING_SECONDS = 15.0
"""Longest interval of a task whose queries fail, which doubles with each failure."""
LOST_AFTER_FAILURES, LOST_SECONDS = 40, 900.0
"""After so many failures in a row, ten minutes, the interval doubles again, up to this one."""

_GRID = 8
"""Due times are rounded down to this fraction of the interval, so that queries of one account meet in one batch."""
_SOONEST = 0.25
"""Fraction of the interval after which the status of a new watcher, which may be old, is queried again."""


@dataclass(slots=True, eq=False)
class _View:
    """One id as one caller sees it."""

    caller: Caller
    id: str
    status: Status
    group: "_Group"
    watchers: set[Watcher] = field(default_factory=set)

    @property
    def key(self) -> tuple[str, str]:
        return self.caller.identity, self.id


@dataclass(slots=True, eq=False)
class _Group:
    """A task of an upstream, under all the ids and for all the callers that watch it. `failures` is the number of
    queries in a row that have failed."""

    key: Hashable
    views: dict[tuple[str, str], _View] = field(default_factory=dict)
    is_querying: bool = False
    failures: int = 0
    due_at: float = 0.0
    """In monotonic seconds. Other entries of the group in the queue are out of date."""


class Watches:
    """The watched tasks of a process.

    `tasks`, `current` and `interval` are those of the newest configuration: `current` gives a caller with the accounts
    that it has now, `interval` is the time between two queries of a task in seconds, unless its queue position or the
    rate limit asks for a longer one.
    """

    tasks: Tasks
    current: Callable[[Caller], Caller]

    def __init__(self, clock: Clock, background: Background) -> None:
        self._clock = clock
        self._background = background
        self.interval = 5.0
        self._views: dict[tuple[str, str], _View] = {}
        self._groups: dict[Hashable, _Group] = {}
        self._view_of: dict[Watcher, _View] = {}
        self._due: list[tuple[float, int, _Group]] = []
        self._numbers = itertools.count()
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._is_sweeping = False
        # Nothing is cached: watchers that come at once share the first query.
        self._first: SingleFlight[tuple[str, str], Task] = SingleFlight(1, 0.0, clock.monotonic)

    def __len__(self) -> int:
        """The number of watchers."""
        return len(self._view_of)

    # --- watchers ------------------------------------------------------------------------------------------------

    async def add(
        self, caller: Caller, id: str, watcher: Watcher, *, seconds: float | None = None, known: Task | None = None
    ) -> Status:
        """Add a watcher of a task and return the current status; `on_status` is called from the next change on. Where
        the returned status has ended, the watcher is not added.

        `seconds` limits the watching. With `known`, that is the current status and the first query is due after an
        interval. Raises GatewayError like a poll.
        """
        caller = self.current(caller)
        key = (caller.identity, id)
        view = self._views.get(key)
        if view is None:
            task = known or await self._first.get(key, lambda: self.tasks.status(caller, id))
            group_key = await self._group_key(caller, id)
            view = self._views.get(key) or self._new_view(caller, id, Status(task), group_key)
        if view.status.task.state.phase.ended:
            return view.status
        if not view.watchers:
            self._register(view)
        if seconds is not None:
            watcher.deadline = self._clock.monotonic() + seconds
        view.watchers.add(watcher)
        self._view_of[watcher] = view
        if not self._is_sweeping:
            self._is_sweeping = True
            self._clock.later(SWEEP_SECONDS, self._sweep)
        return view.status

    def remove(self, watcher: Watcher) -> None:
        """Remove a watcher. Idempotent. A task without watchers is not queried any more."""
        view = self._view_of.pop(watcher, None)
        if view is not None:
            view.watchers.discard(watcher)
            if not view.watchers:
                self._forget(view)

    @asynccontextmanager
    async def watch(
        self, caller: Caller, id: str, *, seconds: float | None = None, known: Task | None = None
    ) -> "AsyncGenerator[Watch, None]":
        """Iterate over the statuses of a task, the current one first, until it ends. See `add`."""
        watch = Watch()
        try:
            status = await self.add(caller, id, watch, seconds=seconds, known=known)
            watch.on_status(status)
            yield watch
        finally:
            self.remove(watch)

    def _tell(self, watcher: Watcher, tell: Callable[[Watcher], None]) -> None:
        """Call a method of a watcher. One that raises is removed: the others are told."""
        try:
            tell(watcher)
        except Exception as error:
            GATEWAY.error("a watcher of a task failed", extra={"fields": {"cause": location_of(error)}})
            self.remove(watcher)

    # --- views ---------------------------------------------------------------------------------------------------

    async def _group_key(self, caller: Caller, id: str) -> Hashable:
        """What the ids of one task have in common."""
        ref = await self.tasks.located(caller, id)
        return _key_of(ref.account, ref.upstream_id) if ref is not None else (caller.identity, id)

    def _new_view(self, caller: Caller, id: str, status: Status, group_key: Hashable) -> _View:
        return _View(caller, id, status, self._groups.get(group_key) or _Group(group_key))

    def _register(self, view: _View) -> None:
        group = view.group = self._groups.setdefault(view.group.key, view.group)
        self._views[view.key] = group.views[view.key] = view
        if len(group.views) == 1 and not group.is_querying:
            self._schedule(group, view.status.task.age)

    def _forget(self, view: _View) -> None:
        self._views.pop(view.key, None)
        view.group.views.pop(view.key, None)
        if not view.group.views and self._groups.get(view.group.key) is view.group:
            del self._groups[view.group.key]

    async def _regroup(self, view: _View, caller: Caller) -> None:
        """Put a view into the group of its task: a reload may have given the account another credential."""
        key = await self._group_key(caller, view.id)
        if key != view.group.key and view.watchers:
            self._forget(view)
            view.group = _Group(key)
            self._register(view)

    # --- queries -------------------------------------------------------------------------------------------------

    def _schedule(self, group: _Group, age: float = 0.0) -> None:
        """Schedule the next query of a task, an interval after the last one was sent, `age` seconds ago."""
        tasks = [view.status.task for view in group.views.values()]
        intervals = [task.interval(self.interval) for task in tasks if not task.state.phase.ended]
        if not intervals:
            return
        interval = max(min(intervals), _pause_after(group.failures, min(intervals)))
        now = self._clock.monotonic()
        grid = interval / _GRID
        due = now + max(interval - age, interval * _SOONEST)
        group.due_at = max(due // grid * grid, now)
        heapq.heappush(self._due, (group.due_at, next(self._numbers), group))
        self._wake()

    def _wake(self) -> None:
        if not self._due:
            return
        due = self._due[0][0]
        if self._timer is not None:
            if self._timer_at <= due:
                return
            self._timer.cancel()
        self._timer_at = due
        self._timer = self._clock.later(max(0.0, due - self._clock.monotonic()), self._query_due)

    def _query_due(self) -> None:
        """Query all tasks that are due, in the same turn of the event loop, so that they share batches."""
        self._timer = None
        now = self._clock.monotonic()
        while self._due and self._due[0][0] <= now:
            due, _, group = heapq.heappop(self._due)
            if group.due_at == due and group.views and not group.is_querying:
                group.is_querying = True
                self._background.start(self._query(group))
        self._wake()

    async def _query(self, group: _Group) -> None:
        """Query a task and tell its watchers. The poller caches the status: the second view costs no query."""
        began_at, failed, late = self._clock.monotonic(), False, False
        try:
            for view in list(group.views.values()):
                try:
                    caller = self.current(view.caller)
                    task = await self.tasks.status(caller, view.id)
                    await self._regroup(view, caller)
                except GatewayError as error:
                    if error.spec.status == 401:
                        self._end(view, lambda watcher, error=error: watcher.on_error(error))  # type: ignore[misc]
                        continue
                    failed = True
                except Exception as error:
                    failed = True
                    GATEWAY.error("a watched task cannot be queried", extra={"fields": {"cause": location_of(error)}})
                else:
                    if _is_late(task):
                        late = True
                        continue
                    failed = failed or task.query_error is not None
                    self._update(view, Status(task))
                    continue
                # It may be found again: a watcher gets no failure that the upstream has not told.
                self._update(view, Status(replace(view.status.task, stale=True)))
        finally:
            group.is_querying = False
            group.failures = group.failures + 1 if failed else 0
            self._schedule(group, 0.0 if failed or late else self._clock.monotonic() - began_at)

    def on_observed(self, account: Account, ids: Iterable[str], sent_at: float) -> None:
        """Tell the watchers what any query has found that was sent at `sent_at`, without a query of their own. Does not
        raise."""
        for id in ids:
            group = self._groups.get(_key_of(account, id))
            if group is None:
                continue
            try:
                for view in list(group.views.values()):
                    with suppress(GatewayError):
                        task = self.tasks.last_status(self.current(view.caller), view.id)
                        if task is not None:
                            self._update(view, Status(task))
                group.failures = 0
                self._schedule(group, self._clock.monotonic() - sent_at)
            except Exception as error:
                GATEWAY.error("a watched task cannot be told", extra={"fields": {"cause": location_of(error)}})

    def _update(self, view: _View, status: Status) -> None:
        changed = _shown(status.task) != _shown(view.status.task)
        view.status = status
        if status.task.state.phase.ended:
            self._end(view, lambda watcher: watcher.on_status(status))
        elif changed:
            for watcher in list(view.watchers):
                self._tell(watcher, lambda watcher: watcher.on_status(status))

    def _end(self, view: _View, tell: Callable[[Watcher], None]) -> None:
        for watcher in list(view.watchers):
            self.remove(watcher)
            self._tell(watcher, tell)

    # --- time ----------------------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        now = self._clock.monotonic()
        for watcher, view in list(self._view_of.items()):
            if watcher not in self._view_of:
                continue
            if watcher.deadline <= now:
                self.remove(watcher)
                self._tell(watcher, lambda watcher, status=view.status: watcher.on_timeout(status))  # type: ignore[misc]
            else:
                self._tell(watcher, lambda watcher: watcher.on_sweep(now))
        self._is_sweeping = bool(self._view_of)
        if self._is_sweeping:
            self._clock.later(SWEEP_SECONDS, self._sweep)


def _pause_after(failures: int, interval: float) -> float:
    """Seconds until the next query after a number of failures in a row."""
    if not failures:
        return 0.0
    if failures <= LOST_AFTER_FAILURES:
        return min(interval * 2.0 ** (failures - 1), FAILING_SECONDS)
    return min(FAILING_SECONDS * 2.0 ** min(failures - LOST_AFTER_FAILURES, 10), LOST_SECONDS)


def _key_of(account: Account, upstream_id: str) -> tuple[str, str, str]:
    return account.provider, account.id, upstream_id


def _is_late(task: Task) -> bool:
    """True where the rate limit delays the query of a task, whose result `on_observed` will tell."""
    return task.stale and task.query_error is None and not task.state.phase.ended


def _shown(task: Task) -> tuple[object, ...]:
    """What a client sees of a status."""
    error = task.query_error
    return task.state, task.progress, task.model, task.stale, task.archived, error and (error.kind, error.detail)
