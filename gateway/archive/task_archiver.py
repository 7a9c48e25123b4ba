"""Task archiver: archives finished tasks, and restores tasks that the upstream no longer knows.

A finished task that is polled is queued for a copy. If enabled, submitted tasks are also followed until they end.
"""

import asyncio
from dataclasses import replace

from cachetools import LRUCache

from gateway.archive.archive import SIGNED_SECONDS, Archive, OpenedFile
from gateway.archive.copier import ArchiveResult, Outcome, Renew
from gateway.archive.records import ArchivedTask, TaskMetadata, Variant
from gateway.archive.store import StoreError
from gateway.core.background_tasks import Background
from gateway.core.clock import Clock
from gateway.core.errors import describe, describe_query
from gateway.core.logs import GATEWAY
from gateway.polling.poller import Poller
from gateway.polling.task_cache import Observation
from gateway.task_ids.links import fresh_result
from gateway.task_ids.task_ref import TaskRef
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, Result, TaskState

MAX_FOLLOWED = 5000
"""Limit of the followed tasks. Further tasks are archived when a client polls them."""

FOLLOWED_SECONDS = 24 * 3600.0
"""Time after which a task is no longer followed."""

TIMEOUT_SECONDS = 5.0
"""Timeout of the archive for a client's request."""

_MAX_CACHED_PROMPTS = 10_000


class TaskArchiver:
    """Connects tasks to the archive. Errors of the archive are logged and never fail a poll.

    `follow` polls submitted tasks every `interval` seconds until they end. `root_path` is the path prefix of links to
    this gateway.
    """

    def __init__(
        self,
        archive: Archive,
        poller: Poller,
        clock: Clock,
        background: Background,
        *,
        follow: bool = False,
        interval: float = 5.0,
        root_path: str = "",
    ) -> None:
        self.archive = archive
        self._poller = poller
        self._clock = clock
        self._background = background
        self._follow = follow
        self._interval = interval
        self._root_path = root_path
        self._prompts: LRUCache[tuple[str, str], str] = LRUCache(_MAX_CACHED_PROMPTS)
        self._followed = 0

    def submitted(self, ref: TaskRef, prompt: str) -> None:
        """Record a submitted task, and follow it if enabled."""
        if prompt and self.archive.stores_prompts:
            self._prompts[ref.provider.name, ref.upstream_id] = prompt
        if self._follow and self._followed < MAX_FOLLOWED:
            self._followed += 1
            self._background.start(self._follow_to_its_end(ref))

    def queue_copy(self, ref: TaskRef, state: TaskState) -> bool:
        """Queue a copy of a finished task. True where it is archived already. Does not block; repeated calls are
        cheap."""
        provider, id = ref.provider.name, ref.upstream_id
        if state.phase is not Phase.COMPLETED or state.result is None:
            return False
        if self.is_archived(ref):
            return True
        if self.archive.accepts(provider, id, ref.account.id):
            self.archive.queue_copy(self.metadata(ref, state), ref.account, state.result, self.renewal(ref))
        return False

    def is_archived(self, ref: TaskRef) -> bool:
        """True for a task that is archived, from the cache."""
        return self.archive.is_archived(ref.provider.name, ref.upstream_id, ref.account.id)

    def metadata(self, ref: TaskRef, state: TaskState) -> TaskMetadata:
        """The fields of the archive record of a finished task."""
        card = ref.provider.card(state.model) if state.model else None
        return TaskMetadata(
            ref.provider.name,
            ref.upstream_id,
            model=ref.model or (card.name if card else state.model),
            created=ref.created or state.created_at,
            ended=state.ended_at,
            seconds=ref.seconds,
            size=ref.size,
            prompt=self._prompts.get((ref.provider.name, ref.upstream_id)),
        )

    def renewal(self, ref: TaskRef) -> Renew:
        """A function that returns the result with fresh links: see `fresh_result`."""

        async def renew() -> Result | None:
            return await fresh_result(self._poller, ref, self._clock.monotonic())

        return renew

    async def find(self, ref: TaskRef) -> ArchivedTask | None:
        """The archived task of a reference, else None. Raises StoreError where the archive is unavailable."""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await self.archive.find(ref.provider.name, ref.upstream_id, ref.account)
        except (StoreError, TimeoutError) as error:
            self._log_outage(error)
            raise StoreError(_cause(error)) from error

    def _log_outage(self, error: Exception) -> None:
        """Log an outage of the archive once."""
        if self.archive.record_outage():
            GATEWAY.warning("the archive is unavailable", extra={"fields": {"cause": _cause(error)}})

    async def restore(self, ref: TaskRef) -> tuple[TaskRef, TaskState] | None:
        """Restore a task from the archive, else None. The reference has the fields of the archive's record.

        Raises StoreError where the archive is unavailable."""
        archived = await self.find(ref)
        if archived is None:
            return None
        record = archived.record
        restored = replace(
            ref,
            model=ref.model or record.model or "",
            created=ref.created or int(record.created or 0) or None,
            seconds=ref.seconds or record.seconds,
            size=ref.size or record.size,
        )
        return restored, await self._state(ref, archived)

    async def _state(self, ref: TaskRef, archived: ArchivedTask) -> TaskState:
        """The state of an archived task: completed, with links to the archive.

        Where the store signs no links, they are paths of this gateway without a host.
        """
        record, here = archived.record, f"{self._root_path}/v1/videos/{ref.public_id}/content"
        video, cover = await self._link(archived, "video"), await self._link(archived, "thumbnail")
        result = Result(
            video or here,
            cover or (f"{here}?variant=thumbnail" if record.cover else None),
            expires_at=int(self._clock.now() + SIGNED_SECONDS) if video else None,
            width=record.width,
            height=record.height,
            duration=record.duration,
        )
        return TaskState(
            ref.upstream_id,
            Phase.COMPLETED,
            created_at=record.created,
            ended_at=record.ended,
            model=record.model,
            result=result,
        )

    async def archive_now(self, ref: TaskRef) -> ArchiveResult:
        """Archive a task now, unless it is archived already."""
        opened = await self.open(ref, "video", head=True)
        if opened is not None:
            return ArchiveResult(Outcome.ALREADY_THERE, archived=opened.archived)
        observed = await self._observe(ref, force_refresh=True)
        if isinstance(observed, ProviderError):
            expired = observed.kind is ErrorKind.TASK_NOT_FOUND
            return (
                ArchiveResult(Outcome.EXPIRED) if expired else ArchiveResult(Outcome.FAILED, describe(observed, "en"))
            )
        state = observed.state
        if state.phase is Phase.FAILED:
            return ArchiveResult(Outcome.NO_VIDEO, describe(state.error, "en") if state.error else "")
        if state.result is None:
            if observed.query_error is not None:
                return ArchiveResult(Outcome.FAILED, describe_query(observed.query_error, "en"))
            return ArchiveResult(Outcome.UNFINISHED)
        return await self.archive.copy(self.metadata(ref, state), ref.account, state.result, self.renewal(ref))

    async def open(
        self, ref: TaskRef, variant: Variant, *, range: str = "", if_range: str = "", head: bool = False
    ) -> OpenedFile | None:
        """Open an archived file. None where it is missing or unreadable. Raises UnsatisfiableRangeError."""
        try:
            archived = await self.find(ref)
            if archived is None:
                return None
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await self.archive.open(archived, variant, range=range, if_range=if_range, head=head)
        except (StoreError, TimeoutError) as error:
            self._log_outage(error)
            return None

    async def _link(self, archived: ArchivedTask, variant: Variant) -> str | None:
        try:
            return await self.archive.link(archived, variant)
        except StoreError:
            return None

    async def _observe(self, ref: TaskRef, *, force_refresh: bool) -> Observation | ProviderError:
        card = ref.provider.card(ref.model) if ref.model else None
        observed = await self._poller.observe(
            ref.provider,
            ref.account,
            {ref.upstream_id: card},
            submitted_at={ref.upstream_id: ref.created or ref.provider.submitted_at(ref.upstream_id)},
            force_refresh=force_refresh,
        )
        return observed[ref.upstream_id]

    async def _follow_to_its_end(self, ref: TaskRef) -> None:
        deadline = self._clock.monotonic() + FOLLOWED_SECONDS
        try:
            while self._clock.monotonic() < deadline:
                await self._clock.sleep(self._interval)
                observed = await self._observe(ref, force_refresh=False)
                if not isinstance(observed, Observation):
                    return
                if observed.state.phase.ended:
                    self.queue_copy(ref, observed.state)
                    return
        finally:
            self._followed -= 1


def _cause(error: Exception) -> str:
    return str(error) or f"no answer within {TIMEOUT_SECONDS:g} s"
