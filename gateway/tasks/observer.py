"""Task status: find the accounts of ids, query each account once, fall back to the archive, and build the views."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from gateway.accounts.callers import Caller
from gateway.archive.store import StoreError
from gateway.archive.task_archiver import TaskArchiver
from gateway.core import metrics
from gateway.core.clock import Clock
from gateway.core.messages import ERRORS
from gateway.polling.poller import UNKNOWN, Poller
from gateway.polling.task_cache import NEVER, Observation
from gateway.task_ids.locator import TaskLocator
from gateway.task_ids.task_ref import AmbiguousId, TaskRef
from gateway.tasks.view import Task, view_of
from providers.concurrent_calls import all_of
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, TaskState

MAX_ARCHIVE_LOOKUPS = 200
"""Limit of the look-ups in the archive for the ids of one request that may belong to several accounts."""

_STALE_AFTER_SECONDS = 1.0
"""An unfinished task is stale once its observation is this much older than the poller's freshness."""


class TaskObserver:
    """The status of tasks. Concurrent polls of one account share its status queries."""

    def __init__(self, locator: TaskLocator, poller: Poller, archiver: TaskArchiver | None, clock: Clock) -> None:
        self._locator = locator
        self._poller = poller
        self._archiver = archiver
        self._clock = clock

    def cached(self, caller: Caller, id: str) -> Task | None:
        """The task from the cache, without a query; None unless its id is located and its observation is fresh."""
        ref = self._locator.cached(caller, id)
        if ref is None:
            return None
        card = ref.provider.card(ref.model) if ref.model else None
        observation = self._poller.fresh_observation(ref.account, ref.upstream_id, card)
        return self._view(ref, observation) if observation is not None else None

    def last(self, caller: Caller, id: str) -> Task | None:
        """The task from the cache, however old its observation is; None unless its id is located and a query has found
        it."""
        ref = self._locator.cached(caller, id)
        if ref is None:
            return None
        card = ref.provider.card(ref.model) if ref.model else None
        observation = self._poller.last_observation(ref.account, ref.upstream_id, card)
        return self._view(ref, observation) if observation is not None else None

    async def find(self, caller: Caller, ids: Sequence[str], *, force_refresh: bool) -> dict[str, Task | None]:
        """The status of each id, with one query per account; None for an id that no account and no archive knows.

        `force_refresh` bypasses the cache."""
        refs = await self._locator.find(caller, ids)
        by_account: defaultdict[str, list[TaskRef]] = defaultdict(list)
        found: dict[str, Task | None] = dict.fromkeys(refs)
        for id, ref in refs.items():
            if isinstance(ref, TaskRef):
                by_account[ref.account.id].append(ref)
            elif isinstance(ref, AmbiguousId):
                found[id] = _ambiguous(id, ref)
        calls = [self.observe(group, force_refresh=force_refresh) for group in by_account.values()]
        for statuses in await all_of(calls):
            found |= statuses
        missing = [id for id, ref in refs.items() if not isinstance(ref, TaskRef) and not _is_unauthorized(found[id])]
        for id, status in (await self._restore_all({id: self._locator.possible(caller, id) for id in missing})).items():
            if _is_available(status) or found[id] is None:
                found[id] = status
        return found

    async def _restore_all(self, possible: Mapping[str, Sequence[TaskRef]]) -> dict[str, Task | None]:
        """The task of each id from the archive, which is looked up under each of its possible references. Unavailable
        for an id with which there would be more than MAX_ARCHIVE_LOOKUPS."""
        found: dict[str, Task | None] = {}
        searched: list[str] = []
        left = MAX_ARCHIVE_LOOKUPS if self._archiver is not None else 0
        for id, refs in possible.items():
            if len(refs) <= left:
                left -= len(refs)
                searched.append(id)
            elif self._archiver is not None:
                error = ProviderError(ErrorKind.UNREACHABLE, message=ERRORS["archive_not_searched"])
                found[id] = _unavailable(refs[0], error)
        restored = await all_of([self._restore(possible[id]) for id in searched])
        return found | dict(zip(searched, restored, strict=True))

    async def observe(self, refs: Sequence[TaskRef], *, force_refresh: bool) -> dict[str, Task | None]:
        """The status of tasks that all belong to one account, by public id."""
        provider, account = refs[0].provider, refs[0].account
        observed = await self._poller.observe(
            provider,
            account,
            {ref.upstream_id: provider.card(ref.model) if ref.model else None for ref in refs},
            submitted_at={ref.upstream_id: ref.created or provider.submitted_at(ref.upstream_id) for ref in refs},
            force_refresh=force_refresh,
        )
        found: dict[str, Task | None] = {}
        for ref in refs:
            observation = observed[ref.upstream_id]
            if isinstance(observation, Observation):
                found[ref.public_id] = self._view(ref, observation)
            elif observation.kind is ErrorKind.TASK_NOT_FOUND:
                found[ref.public_id] = None
            else:
                found[ref.public_id] = _unavailable(ref, observation)
        missing = [ref for ref in refs if self._may_be_archived(ref, observed[ref.upstream_id])]
        restored = await all_of([self._restore([ref]) for ref in missing])
        for ref, status in zip(missing, restored, strict=True):
            if _is_available(status) or (status is not None and found[ref.public_id] is None):
                found[ref.public_id] = status
        return found

    def _may_be_archived(self, ref: TaskRef, observation: Observation | ProviderError) -> bool:
        """True where the upstream has no status of the task, unless it rejects the credential. A task that it has lost
        counts too, and one that it does not list yet, unless this process submitted it."""
        if isinstance(observation, ProviderError):
            return observation.kind is not ErrorKind.INVALID_CREDENTIAL
        if observation.query_error is not None and observation.query_error.kind is ErrorKind.TASK_NOT_FOUND:
            return True
        return observation.observed_at == NEVER and not self._locator.submitted_here(ref)

    async def _restore(self, refs: Sequence[TaskRef]) -> Task | None:
        """The task from the archive, under the first of the refs that has it. Unavailable where the store fails: the
        task may still be there."""
        if self._archiver is None:
            return None
        for ref in refs:
            try:
                restored = await self._archiver.restore(ref)
            except StoreError:
                error = ProviderError(ErrorKind.UNREACHABLE, message=ERRORS["archive_unavailable"])
                return _unavailable(ref, error)
            if restored is not None:
                restored_ref, state = restored
                observation = Observation(state, 100, self._clock.monotonic())
                return replace(self._view(restored_ref, observation), archived=True, restored=True)
        return None

    def _view(self, ref: TaskRef, observation: Observation) -> Task:
        model = ref.model
        if not model and observation.state.model:
            card = ref.provider.card(observation.state.model)
            model = card.name if card else observation.state.model
        age = self._poller.age(observation)
        late = False
        if not observation.state.phase.ended:
            metrics.STATUS_AGES.observe(age)
            late = age > self._poller.freshness + _STALE_AFTER_SECONDS
        round_seconds = self._poller.round_seconds(ref.provider, ref.account)
        archived = self._archiver.queue_copy(ref, observation.state) if self._archiver is not None else False
        return view_of(ref, observation, model, age=age, late=late, round_seconds=round_seconds, archived=archived)


def _unavailable(ref: TaskRef, error: ProviderError) -> Task:
    """A placeholder for a task whose query failed."""
    observation = Observation(TaskState(ref.public_id, Phase.PROCESSING), 0, observed_at=NEVER, query_error=error)
    return replace(view_of(ref, observation, None), unavailable=error)


def _ambiguous(id: str, ref: AmbiguousId) -> Task:
    """The status of an id whose account could not be determined: queued, or the error of the lookup. Only a rejected
    credential makes it unavailable."""
    name, error = ref.provider.name, ref.error
    if error is None:
        return Task(id, name, TaskState(id, Phase.QUEUED, created_at=ref.provider.submitted_at(id)))
    unavailable = error if error.kind is ErrorKind.INVALID_CREDENTIAL else None
    state = TaskState(id, Phase.PROCESSING, note=UNKNOWN)
    return Task(id, name, state, query_error=error, unavailable=unavailable, stale=True)


def _is_available(task: Task | None) -> bool:
    return task is not None and task.unavailable is None


def _is_unauthorized(task: Task | None) -> bool:
    """True where the upstream rejects the credential: its holder gets nothing from the archive either."""
    error = task.unavailable if task is not None else None
    return error is not None and error.kind is ErrorKind.INVALID_CREDENTIAL
