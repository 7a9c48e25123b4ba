"""The state of a task at an upstream."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from providers.contract.errors import ProviderError
from providers.contract.localized_text import LocalizedText


class Phase(StrEnum):
    """The phase of a task. Clients see some of them as one `status`."""

    QUEUED = "queued"
    PROCESSING = "processing"
    POST_PROCESSING = "post_processing"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def status(self) -> str:
        """The status for clients: pending, processing, completed or failed."""
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
    """A position in the upstream's queue; None for what the upstream does not tell."""

    position: int
    length: int | None = None
    eta_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The finished video. `expires_at` is when the link expires, None if unknown."""

    url: str
    cover_url: str | None = None
    expires_at: int | None = None
    width: int | None = None
    height: int | None = None
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class TaskState:
    """The current state of a task at the upstream.

    `progress` (0–95) is a fixed figure for this state; an estimate replaces it if `created_at` or `started_at` allows
    one. `note` is a message on this state rather than its phase. `expected_seconds` is the upstream's forecast of the
    duration of this phase. `result` is set exactly if the phase is COMPLETED, `error` exactly if it is FAILED.
    `native` is the upstream's own answer, JSON without secrets, for clients of its own API: only that of a task which
    has ended, where the upstream has such clients, else empty.
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
    native: bytes = field(default=b"", repr=False, compare=False)


class ListedTask(NamedTuple):
    """A task in an upstream's list: without a result, with its time and often its model.

    `submit_key` is the one it was submitted with, "" if the upstream stores none.
    """

    state: TaskState
    submit_key: str = ""


class HintPage(NamedTuple):
    """One page of an upstream's list of recent tasks, as hints: without results, and possibly out of date.

    `states` are the readable rows, in the order of the list. `size` is the number of rows of a full page, which may be
    less than was asked for, and `pages` the number of such pages; None where the upstream does not tell.
    `newest_first` is False if the page is clearly in the opposite order.
    """

    states: Sequence[TaskState]
    size: int | None
    pages: int | None
    newest_first: bool
