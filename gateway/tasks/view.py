"""Task views: values that each API renders in its own way."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.polling.task_cache import Observation
from gateway.task_ids.task_ref import TaskRef
from providers.contract.accounts import Proxy
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
"""A queued task is polled about this often until the forecast time of its queue position."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A task that was accepted. `id` is the public one; `created` is in unix seconds.

    `signed_id` is the public id of the OpenAI surface. It is `id` as well where the upstream's own id is not enough.
    `upstream_id` and `account`, its label, are for the log only. `seconds` (0: unknown) and `size` ("WIDTHxHEIGHT", "":
    unknown) are those of the validated request. `revised_prompt` is what a language model wrote in place of the
    client's prompt, None if nothing; `rewriting` are the log fields of that.

    It is not a `TaskRef`: the idempotency store caches it for a day, and a `TaskRef` holds the credential.
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
    revised_prompt: str | None = None
    rewriting: Mapping[str, str] = field(default_factory=dict)

    def log_fields(self, id: str) -> dict[str, str]:
        """The fields for the access log. `id` is the one that the client got."""
        return {
            "task": id,
            "upstream_id": self.upstream_id,
            "model": self.model,
            "provider": self.provider,
            "account": self.account,
            **self.rewriting,
        }


@dataclass(frozen=True, slots=True)
class Task:
    """The status of one task. `model` and `created` are None if unknown.

    `seconds` (0: unknown) and `size` ("WIDTHxHEIGHT", "": unknown) are those of the request. `query_error` is the error
    of the last query, where that failed. `stale` is True where the state is older than it should be, for any reason.
    `unavailable` is the error in place of a status: the upstream rejects the credential or does not respond, and
    `state` is a placeholder. `age` is in seconds. `round_seconds` is the time in which its account sends all pending
    queries. `proxy` is the proxy of its account. `archived` is True where the video is known to be archived,
    `restored` where the task comes from the archive only.
    """

    id: str
    provider: str
    state: TaskState
    progress: int = 0
    model: str | None = None
    created: int | None = None
    seconds: int = 0
    size: str = ""
    query_error: ProviderError | None = None
    unavailable: ProviderError | None = None
    age: float = 0.0
    stale: bool = False
    round_seconds: float = 0.0
    proxy: Proxy | None = field(default=None, repr=False)
    archived: bool = False
    restored: bool = False

    @property
    def poll_after_ms(self) -> int | None:
        """Milliseconds until the next poll; None once the task has ended."""
        return None if self.state.phase.ended else self._pause_ms(_POLL_AFTER_MS[self.state.phase])

    def interval(self, longest: float) -> float:
        """Seconds between two queries of a task that is watched: at most `longest`, unless its queue position or the
        rate limit of its account asks for more."""
        return self._pause_ms(min(_POLL_AFTER_MS.get(self.state.phase, 0), longest * 1000)) / 1000

    def _pause_ms(self, pause: float) -> int:
        queue = self.state.queue
        if queue and queue.eta_seconds:
            pause = max(pause, math.ceil(queue.eta_seconds * 1000 / _QUEUE_POLLS))
        pause = min(math.ceil(pause), _LONGEST_POLL_AFTER_MS)
        return max(pause, min(math.ceil(self.round_seconds * 1000), _LONGEST_ROUND_MS))


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
    """Build the view of a task from an observation and its task ref, whose fields take precedence."""
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
        size=ref.size,
        query_error=observation.query_error,
        age=age,
        stale=late or observation.query_error is not None,
        round_seconds=round_seconds,
        proxy=ref.account.proxy,
        archived=archived,
    )
