"""Archive: stores finished videos, for when the upstream's link and record have expired.

A poll of a finished task calls `queue_copy`, which does not block. The video is copied in the background. All
persistent state is in the store; this module only caches it.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

from cachetools import TTLCache

from gateway.archive.copier import ArchiveResult, Renew, copy_task, is_whole, look_up
from gateway.archive.copy_queue import CONCURRENT_COPIES, CopyQueue
from gateway.archive.prune import prune
from gateway.archive.records import ArchivedTask, StoredFile, TaskMetadata, Variant
from gateway.archive.store import ArchiveStore, StoreError
from gateway.core.background_tasks import Background
from gateway.core.byte_ranges import parse_range
from gateway.core.clock import Clock
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Result
from providers.transport.client import HttpClient

FOUND_SECONDS = 60.0
"""TTL of a found task."""
MISSED_SECONDS = 5.0
"""TTL of a task that was not found. Another replica may be copying it."""
ARCHIVED_SECONDS = 3600.0
"""TTL of the cached fact that a task is archived. Others may delete it from the store."""
CONCURRENT_LOOKUPS = 16
LOOKUP_SECONDS = 5.0
OUTAGE_SECONDS = 10.0
"""After a failure, the store is not accessed for this long (circuit breaker)."""
SIGNED_SECONDS = 24 * 3600.0

_OUTAGE = "the archive could not be reached a moment ago"
_MAX_CACHED = 50_000
_MAX_CACHED_FINDS = 5_000

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """An open file of the archive, or a range of it.

    It covers the bytes from `start` to before `stop`. `content_range` is None for a whole file. `pieces` can be read
    once. It streams from the store, and raises ProviderError (ANSWER_LOST) where the stream breaks off.
    """

    archived: ArchivedTask
    file: StoredFile
    start: int
    stop: int
    content_range: str | None
    pieces: AsyncGenerator[bytes, None]

    @property
    def size(self) -> int:
        return self.file.bytes

    @property
    def length(self) -> int:
        return self.stop - self.start

    @property
    def media_type(self) -> str:
        return self.file.media_type

    @property
    def etag(self) -> str:
        return self.file.etag


class Archive:
    """Copies finished videos and serves them. It lives as long as the process."""

    def __init__(
        self,
        store: ArchiveStore,
        http: HttpClient,
        clock: Clock,
        background: Background,
        *,
        copies: int = CONCURRENT_COPIES,
        store_prompts: bool = False,
        link_seconds: Mapping[str, int | None] = MappingProxyType({}),
        on_result: Callable[[ArchiveResult], object] = lambda result: None,
    ) -> None:
        """`copies` is the number of concurrent background copies. `store_prompts` adds the prompts to the records.
        `link_seconds` is the lifetime by provider of a link without an expiry time, LINK_LIFE_SECONDS where it is None.
        `on_result` is called with the result of every background copy."""
        self._store = store
        self._http = http
        self._clock = clock
        self._background = background
        self._store_prompts = store_prompts
        self._queue = CopyQueue(clock, background, self.copy, copies, link_seconds, on_result)
        self._archived_for: TTLCache[_Key, set[str]] = TTLCache(_MAX_CACHED, ARCHIVED_SECONDS, timer=clock.monotonic)
        """The tags of the accounts that own an archived task."""
        self._found: TTLCache[_Key, asyncio.Future[ArchivedTask | None]] = TTLCache(
            _MAX_CACHED_FINDS, FOUND_SECONDS, timer=clock.monotonic
        )
        self._missed: TTLCache[_Key, None] = TTLCache(_MAX_CACHED_FINDS, MISSED_SECONDS, timer=clock.monotonic)
        self._look_ups = asyncio.Semaphore(CONCURRENT_LOOKUPS)
        self._outage_until = float("-inf")

    # --- copying ------------------------------------------------------------------------------------------------

    @property
    def stores_prompts(self) -> bool:
        return self._store_prompts

    def is_archived(self, provider: str, id: str, tag: str) -> bool:
        """True for a task that is archived for the account of this tag, from the cache. False may also mean unknown."""
        return tag in self._archived_for.get((provider, id), ())

    def accepts(self, provider: str, id: str, tag: str) -> bool:
        """False where `queue_copy` has no effect: the task is archived, queued, or was given up recently."""
        return not self.is_archived(provider, id, tag) and self._queue.accepts((provider, id))

    def queue_copy(self, metadata: TaskMetadata, account: Account, result: Result, renew: Renew) -> None:
        """Queue the copy of a finished task, unless it is archived or queued. Does not block, and never raises.

        A failed copy is retried while the link lives. `renew` gets a fresh link for one that expired.
        """
        if not self.accepts(metadata.provider, metadata.id, account.id):
            return
        self._queue.add(self._without_prompt(metadata), account, result, renew)

    async def copy(self, metadata: TaskMetadata, account: Account, result: Result, renew: Renew) -> ArchiveResult:
        """Copy a task now, unless it is archived. Never raises: errors are in the result."""
        copied = await copy_task(
            self._store, self._http, self._without_prompt(metadata), account, result, renew, self._clock.now()
        )
        if copied.archived is not None:
            self._cache(copied.archived, account)
        return copied

    def close(self) -> None:
        """Start no more copies. Running copies end with the background they run in."""
        self._queue.close()

    def _without_prompt(self, metadata: TaskMetadata) -> TaskMetadata:
        if self._store_prompts or metadata.prompt is None:
            return metadata
        return replace(metadata, prompt=None)

    def _cache(self, archived: ArchivedTask, account: Account) -> None:
        key = (archived.record.provider, archived.record.id)
        self._archived_for[key] = self._archived_for.get(key, set()) | {account.id}
        self._missed.pop(key, None)
        self._queue.forget_failure(key)
        found: asyncio.Future[ArchivedTask | None] = asyncio.get_running_loop().create_future()
        found.set_result(archived)
        self._found[key] = found

    def _forget(self, archived: ArchivedTask) -> None:
        key = (archived.record.provider, archived.record.id)
        self._archived_for.pop(key, None)
        self._found.pop(key, None)

    # --- serving ------------------------------------------------------------------------------------------------

    async def find(self, provider: str, id: str, account: Account) -> ArchivedTask | None:
        """The archived task of an upstream id. None where there is none, or it belongs to another account.

        Single-flight cache: concurrent calls share one lookup. Raises StoreError, without a lookup for OUTAGE_SECONDS
        after an outage.
        """
        key = (provider, id)
        if key in self._missed:
            return None
        search = self._found.get(key)
        if search is None:
            if self._clock.monotonic() < self._outage_until:
                raise StoreError(_OUTAGE)
            search = self._found[key] = asyncio.ensure_future(self._look_up(provider, id))
            search.add_done_callback(partial(self._looked_up, key))
        archived = await asyncio.shield(search)
        if archived is None or not set(archived.record.account) & set(account.principals):
            return None
        self._archived_for[key] = self._archived_for.get(key, set()) | {account.id}
        return archived

    def record_outage(self) -> bool:
        """Record an outage of the store. True where it has just begun."""
        now = self._clock.monotonic()
        begins = now >= self._outage_until
        self._outage_until = now + OUTAGE_SECONDS
        return begins

    async def _look_up(self, provider: str, id: str) -> ArchivedTask | None:
        async with self._look_ups:
            if self._clock.monotonic() < self._outage_until:
                raise StoreError(_OUTAGE)
            try:
                async with asyncio.timeout(LOOKUP_SECONDS):
                    archived = await look_up(self._store, provider, id)
                    # A file that differs from its record counts as not found.
                    return archived if archived is not None and await is_whole(self._store, archived) else None
            except TimeoutError:
                raise StoreError(f"no answer within {LOOKUP_SECONDS:g} s") from None

    def _looked_up(self, key: _Key, search: "asyncio.Future[ArchivedTask | None]") -> None:
        missed = not search.cancelled() and search.exception() is None and search.result() is None
        if missed:
            self._missed[key] = None
            self._archived_for.pop(key, None)
        if (missed or search.cancelled() or search.exception() is not None) and self._found.get(key) is search:
            del self._found[key]

    async def open(
        self,
        archived: ArchivedTask,
        variant: Variant = "video",
        *,
        range: str = "",
        if_range: str = "",
        head: bool = False,
    ) -> OpenedFile | None:
        """Open a file, or the range of a Range header. None where the file is gone.

        The whole file is opened for an invalid header, for several ranges, and where `if_range` is the ETag of another
        file. With `head` there are no pieces. Raises StoreError, and UnsatisfiableRangeError.
        """
        file = archived.file(variant)
        if file is None:
            return None
        ranges = parse_range(range) if not if_range or if_range == file.etag else ()
        part = ranges[0].within(file.bytes) if len(ranges) == 1 else None
        start, stop = part or (0, file.bytes)
        if head:
            size, pieces = await self._store.size(file.path), _nothing()
        else:
            found = await self._store.get(file.path, start, stop if part else None)
            size, pieces = (found.size, _counted(found.pieces, stop - start)) if found else (None, _nothing())
        if size != file.bytes:
            # The file was deleted, or is not the one of the record: accept a new copy.
            self._forget(archived)
            return None
        return OpenedFile(
            archived, file, start, stop, f"bytes {start}-{stop - 1}/{file.bytes}" if part else None, pieces
        )

    async def link(
        self, archived: ArchivedTask, variant: Variant = "video", seconds: float = SIGNED_SECONDS
    ) -> str | None:
        """A signed link, valid for `seconds`. None where the store signs none."""
        file = archived.file(variant)
        return await self._store.sign(file.path, seconds) if file is not None else None

    # --- deleting -----------------------------------------------------------------------------------------------

    async def prune(
        self, keep_days: float, now: float, providers: Collection[str], *, dry_run: bool = False
    ) -> list[str]:
        """Delete tasks older than `keep_days`: see `prune.prune`."""
        pruned = await prune(self._store, keep_days, now, providers, dry_run=dry_run)
        if pruned and not dry_run:
            self._archived_for.clear()
            self._found.clear()
        return pruned


async def _counted(pieces: AsyncGenerator[bytes, None], length: int) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                length -= len(piece)
                yield piece
    except StoreError as error:
        raise ProviderError(ErrorKind.ANSWER_LOST, detail=str(error)) from error
    if length:
        raise ProviderError(ErrorKind.ANSWER_LOST, detail="the archive's file has another length")


async def _nothing() -> AsyncGenerator[bytes, None]:
    return
    yield b""
