"""Running tasks of gateway keys, as this process knows them: submitted here, and not seen to end.

No store has the tasks of a key, so this is what can be known. A task that another process submitted does not count. One
that no query of this process sees for RUNNING_SECONDS is forgotten: before a key is refused, its tasks are queried, so
that a task which has ended in the meantime, while its client polled another process, refuses nothing.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping

from gateway.core.key_limit_settings import MAX_RUNNING_TASKS
from providers.contract.accounts import Account
from providers.contract.errors import ProviderError
from providers.contract.tasks import TaskState

RUNNING_SECONDS = 3600.0
"""A task counts for this long after it was last seen."""
UNCONFIRMED_SECONDS = 900.0
"""A submit without an answer counts for this long: there is no id to query."""
QUERY_SECONDS = 5.0
"""Minimum interval of the queries for a key at its limit."""

TaskKey = tuple[str, str]
"""Account id and upstream id of a task."""


class RunningTasks:
    """The running tasks of one key, and its submits in flight. `owners` is the index of all keys' tasks."""

    def __init__(self, timer: Callable[[], float], owners: "dict[TaskKey, RunningTasks]") -> None:
        """`timer` gives monotonic seconds."""
        self._timer = timer
        self._owners = owners
        self._in_flight = 0
        # By time of expiry, the soonest first.
        self._tasks: OrderedDict[TaskKey, float] = OrderedDict()
        self._unconfirmed: list[float] = []
        self._queried_at = float("-inf")

    @property
    def count(self) -> int:
        now = self._timer()
        while self._tasks and next(iter(self._tasks.values())) <= now:
            self._drop(next(iter(self._tasks)))
        self._unconfirmed = [until for until in self._unconfirmed if until > now]
        return len(self._tasks) + len(self._unconfirmed) + self._in_flight

    def begin(self) -> None:
        """Count a submit in flight."""
        self._in_flight += 1

    def end(self) -> None:
        """A submit in flight has ended: without a task, unless one of the following is called."""
        self._in_flight -= 1

    def accepted(self, task: TaskKey) -> None:
        """Count a task until it is seen to end."""
        self._drop(task)
        self._tasks[task] = self._timer() + RUNNING_SECONDS
        self._owners[task] = self
        if len(self._tasks) > MAX_RUNNING_TASKS:
            self._drop(next(iter(self._tasks)))

    def unconfirmed(self) -> None:
        """Count a submit that may have made a task."""
        self._unconfirmed = [*self._unconfirmed, self._timer() + UNCONFIRMED_SECONDS][-MAX_RUNNING_TASKS:]

    def seen(self, task: TaskKey, *, ended: bool) -> None:
        """A query has found one of these tasks."""
        self._drop(task)
        if not ended:
            self.accepted(task)

    def to_query(self) -> list[TaskKey]:
        """The tasks to query where the key is at its limit, those that were seen least recently first; none within
        QUERY_SECONDS of the last time."""
        now = self._timer()
        if now - self._queried_at < QUERY_SECONDS:
            return []
        self._queried_at = now
        return list(self._tasks)

    def _drop(self, task: TaskKey) -> None:
        if self._tasks.pop(task, None) is not None:
            del self._owners[task]


def record_results(
    owners: Mapping[TaskKey, RunningTasks], account: Account, results: Mapping[str, TaskState | ProviderError]
) -> None:
    """Record what a query of an account has found, by upstream id."""
    if not owners:
        return
    for id, result in results.items():
        if isinstance(result, TaskState):
            running = owners.get((account.id, id))
            if running is not None:
                running.seen((account.id, id), ended=result.phase.ended)
