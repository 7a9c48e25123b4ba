"""Task views: values that each API renders in its own way."""

import math
from dataclasses import dataclass, field

from gateway.polling.task_cache import Observation
from gateway.task_ids.task_ref import TaskRef
from providers.contract.errors import ProviderError
from providers.contract.requests import FieldWarning
from providers.contract.tasks import Phase, TaskState

_POLL_AFTER_MS = {
    Phase.QUEUED: 3000,
    Phase.PROCESSING: 3000,
    Phase.POST_PROCESSING: 2000,
    Phase.FINALIZING: 1000,
}
_LONGEST_POLL_AFTER_MS = 15_000
_LONGEST_ROUND_MS = 60_000
_QUEUE_POLLS = 5
"""How many polls a place in a queue is worth until its forecast has passed."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A task that was accepted. `id` is the public one; `created` is in unix seconds.

    `signed_id` is the public id of the OpenAI surface, which is `id` as well where a sealed one is needed.
    `upstream_id` and `account`, its name or else its tag, are for the operator alone. `seconds` (0: not known) and
    `size` ("": not known) are those of the video that was really asked for, `warnings` what differs from the request.
    """

    id: str
    signed_id: str
    upstream_id: str
    provider: str
    account: str
    model: str
    created: int
    seconds: int = 0
    size: str = ""
    warnings: tuple[FieldWarning, ...] = ()

    def log_fields(self, id: str) -> dict[str, str]:
        """The fields for the access log. `id` is the one that the client got."""
        return {
            "task": id,
            "upstream_id": self.upstream_id,
            "model": self.model,
            "provider": self.provider,
            "account": self.account,
        }


@dataclass(frozen=True, slots=True)
class Task:
    """The status of one task. `model` and `created` are None if unknown.

    `seconds` (0: not known) and `size` ("": not known) are those that were asked for. `trouble` is why the state may
    be old: the last query failed on its way. `age` is in seconds; `stale` says that the answer is older than it should
    be, whatever the reason. `round_seconds` is how long its account takes to ask for every task that waits for it.
    `proxy` is the way by which the task's account goes out. `archived` says that the video is surely kept,
    `restored` that nothing but the archive tells of it.
    """

    id: str
    provider: str
    state: TaskState
    progress: int = 0
    model: str | None = None
    created: int | None = None
    seconds: int = 0
    size: str = ""
    trouble: ProviderError | None = None
    age: float = 0.0
    stale: bool = False
    round_seconds: float = 0.0
    proxy: str | None = field(default=None, repr=False)
    archived: bool = False
    restored: bool = False

    @property
    def poll_after_ms(self) -> int | None:
        """When to ask again; None once the task has ended."""
        if self.state.phase.ended:
            return None
        pause = _POLL_AFTER_MS[self.state.phase]
        queue = self.state.queue
        if queue and queue.eta_seconds:
            pause = max(pause, math.ceil(queue.eta_seconds * 1000 / _QUEUE_POLLS))
        pause = min(pause, _LONGEST_POLL_AFTER_MS)
        return max(pause, min(math.ceil(self.round_seconds * 1000), _LONGEST_ROUND_MS))


@dataclass(frozen=True, slots=True)
class UnavailableTask:
    """A task without a status: the upstream rejects the credential or does not respond."""

    id: str
    provider: str
    error: ProviderError
    ref: TaskRef | None = None

    @property
    def task(self) -> Task:
        """A stale placeholder, for lists of tasks."""
        state = TaskState(self.id, Phase.PROCESSING)
        if self.ref is None:
            return Task(self.id, self.provider, state, trouble=self.error, stale=True)
        return view_of(self.ref, Observation(state, 0, observed_at=0, trouble=self.error), None)


def view_of(
    ref: TaskRef,
    observation: Observation,
    model: str | None,
    *,
    age: float = 0.0,
    late: bool = False,
    round_seconds: float = 0.0,
    archived: bool = False,
) -> Task:
    """Build the view of a task from an observation and its task ref."""
    state = observation.state
    created = ref.created or state.created_at or observation.submitted_at
    return Task(
        ref.public_id,
        ref.provider.name,
        state,
        observation.progress,
        model=ref.model or model or None,
        created=int(created) if created else None,
        seconds=ref.seconds,
        size=f"{ref.width}x{ref.height}" if ref.width and ref.height else "",
        trouble=observation.trouble,
        age=age,
        stale=late or observation.trouble is not None,
        round_seconds=round_seconds,
        proxy=ref.account.proxy,
        archived=archived,
    )
