"""The state of a task as an upstream tells it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from providers.contract.errors import ProviderError
from providers.contract.localized_text import LocalizedText


class Phase(StrEnum):
    """Where a task is. Four of them are `processing` to a client; see `status`."""

    QUEUED = "queued"
    PROCESSING = "processing"
    POST_PROCESSING = "post_processing"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def status(self) -> str:
        """The client's word: pending, processing, completed or failed."""
        return _STATUS[self]

    @property
    def ended(self) -> bool:
        return self in (Phase.COMPLETED, Phase.FAILED)


_STATUS = {
    Phase.QUEUED: "pending",
    Phase.PROCESSING: "processing",
    Phase.POST_PROCESSING: "processing",
    Phase.FINALIZING: "processing",
    Phase.COMPLETED: "completed",
    Phase.FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class Queue:
    """A place in the upstream's queue; None where the upstream does not say."""

    position: int
    length: int | None = None
    eta_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The finished video. `expires_at` is when the link stops working, where that is known."""

    url: str
    cover_url: str | None = None
    expires_at: int | None = None
    width: int | None = None
    height: int | None = None
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class TaskState:
    """What the upstream says of one task now.

    `progress` (0–95) is the figure that the wire facts name for this state; an estimate takes its place where
    `created_at` or `started_at` allow one. `note` is a sentence that belongs to this state rather than to its phase.
    `expected_seconds` is the upstream's own forecast of how long this phase lasts.
    `result` is there exactly when the phase is COMPLETED, `error` exactly when it is FAILED.
    """

    id: str
    phase: Phase
    progress: int = 0
    note: LocalizedText | None = None
    queue: Queue | None = None
    created_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    expected_seconds: float | None = None
    model: str | None = None
    result: Result | None = None
    error: ProviderError | None = None


class ListedTask(NamedTuple):
    """A task as an upstream's list shows it: no result, but its time and often its model.

    `submit_key` is the one it was submitted with, "" where the upstream keeps none.
    """

    state: TaskState
    submit_key: str = ""
