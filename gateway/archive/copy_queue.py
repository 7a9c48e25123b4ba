"""Copy queue: copies finished videos in the background, a few at a time, with retries and exponential backoff."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from cachetools import LRUCache

from gateway.archive.copier import ArchiveResult, Outcome, Renew
from gateway.archive.records import TaskMetadata
from gateway.core.background_tasks import Background
from gateway.core.clock import Clock, Timer
from gateway.core.logs import GATEWAY
from providers.contract.accounts import Account
from providers.contract.tasks import Result

CONCURRENT_COPIES = 2
MAX_WAITING = 5_000
"""Limit of queued copies, with those that wait for a retry. Above it a task is dropped; the next poll offers it
again."""
FIRST_RETRY_SECONDS = 30.0
LONGEST_RETRY_SECONDS = 3600.0
GIVEN_UP_SECONDS = 3600.0
"""A task whose copy was given up is not queued again for this long."""
LINK_LIFE_SECONDS = 24 * 3600.0
"""Assumed lifetime of a link without an expiry time."""

_MAX_GIVEN_UP = 50_000

Key = tuple[str, str]
"""Provider and upstream id."""
Copy = Callable[[TaskMetadata, Account, Result, Renew], Awaitable[ArchiveResult]]


@dataclass(slots=True)
class _Job:
    metadata: TaskMetadata
    account: Account
    result: Result
    renew: Renew
    deadline: float
    attempts: int = 0
    timer: Timer | None = field(default=None, repr=False)


class CopyQueue:
    """The queue of background copies, and their retries until the link expires."""

    def __init__(
        self,
        clock: Clock,
        background: Background,
        copy: Copy,
        max_concurrent: int,
        link_seconds: Mapping[str, int | None],
        on_result: Callable[[ArchiveResult], object],
    ) -> None:
        """`link_seconds` is the lifetime by provider of a link without an expiry time. `on_result` is called
        with the result of every attempt."""
        self._clock = clock
        self._background = background
        self._copy = copy
        self._max_concurrent = max_concurrent
        self._link_seconds = link_seconds
        self._on_result = on_result
        self._closed = False
        self._queue: deque[_Job] = deque()
        self._jobs: dict[Key, _Job] = {}
        """Copies that are running, queued or waiting for a retry."""
        self._running = 0
        self._given_up: LRUCache[Key, float] = LRUCache(_MAX_GIVEN_UP)
        """Until when a task is not queued again, in monotonic seconds."""

    def accepts(self, key: Key) -> bool:
        """False where a task is queued, was given up recently, or the queue is full or closed."""
        if key in self._jobs or self._closed or len(self._jobs) >= MAX_WAITING:
            return False
        until = self._given_up.get(key)
        return until is None or until <= self._clock.monotonic()

    def add(self, metadata: TaskMetadata, account: Account, result: Result, renew: Renew) -> None:
        """Queue a copy. A failed copy is retried while the link lives. `renew` gets a fresh link for one that
        expired."""
        link_seconds = self._link_seconds.get(metadata.provider) or LINK_LIFE_SECONDS
        deadline = result.expires_at if result.expires_at is not None else self._clock.now() + link_seconds
        job = _Job(metadata, account, result, renew, deadline)
        self._jobs[metadata.provider, metadata.id] = job
        self._enqueue(job)

    def forget_failure(self, key: Key) -> None:
        """Accept a task again whose copy was given up."""
        self._given_up.pop(key, None)

    def close(self) -> None:
        """Start no more copies. Running copies end with the background they run in."""
        self._closed = True
        self._queue.clear()
        for job in self._jobs.values():
            if job.timer is not None:
                job.timer.cancel()
        self._jobs.clear()

    def _enqueue(self, job: _Job) -> None:
        job.timer = None
        if not self._closed:
            self._queue.append(job)
            self._start()

    def _start(self) -> None:
        while self._queue and self._running < self._max_concurrent and not self._closed:
            self._running += 1
            self._background.start(self._work(self._queue.popleft()))

    async def _work(self, job: _Job) -> None:
        try:
            result = await self._copy(job.metadata, job.account, job.result, job.renew)
            self._conclude(job, result)
            self._on_result(result)
        except asyncio.CancelledError:
            # The application is stopping: start no further copy.
            self.close()
            raise
        finally:
            self._running -= 1
            self._start()

    def _conclude(self, job: _Job, result: ArchiveResult) -> None:
        if self._closed:
            return
        key = (job.metadata.provider, job.metadata.id)
        fields = {
            "provider": job.metadata.provider,
            "upstream_id": job.metadata.id,
            "account": job.account.label,
        }
        if result.outcome in (Outcome.COPIED, Outcome.ALREADY_THERE):
            self._jobs.pop(key, None)
            if result.outcome is Outcome.COPIED:
                GATEWAY.info("archived", extra={"fields": fields | {"bytes": result.bytes}})
            return
        now = self._clock.now()
        pause = min(FIRST_RETRY_SECONDS * 2**job.attempts, LONGEST_RETRY_SECONDS)
        job.attempts += 1
        if result.outcome is Outcome.EXPIRED or now + pause > job.deadline:
            self._jobs.pop(key, None)
            self._given_up[key] = self._clock.monotonic() + GIVEN_UP_SECONDS
            cause = result.cause or "the link has expired"
            GATEWAY.warning("archiving a finished video failed; giving up", extra={"fields": fields | {"cause": cause}})
            return
        job.timer = self._clock.later(pause, partial(self._enqueue, job))
        GATEWAY.warning(
            "archiving a finished video failed; retrying",
            extra={"fields": fields | {"cause": result.cause, "retry_in": round(pause)}},
        )
