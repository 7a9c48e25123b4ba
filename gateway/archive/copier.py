"""One copy of a finished video: from the upstream's link into the archive, verified while it streams.

A file of the wrong length, with the wrong checksum, or that is no video is never stored: the check raises before the
last piece is passed on, and the store discards a file whose pieces raise.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from gateway.archive.incoming import Incoming, InvalidFileError
from gateway.archive.records import (
    VERSION,
    ArchivedTask,
    Cover,
    Record,
    TaskMetadata,
    Variant,
    base_path_from_index,
    base_path_of,
    index_path,
    read_record,
    segment,
    write_record,
)
from gateway.archive.store import ArchiveStore, StoreError
from gateway.core.errors import describe
from gateway.core.logs import location_of
from gateway.media.result_files import detect_type
from gateway.task_ids.links import LinkExpiredError, NoFreshLinkError, check_expired, with_fresh_link
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Result
from providers.media_files import EXTENSIONS, MediaKind
from providers.transport.client import HttpClient

COPY_TIMEOUT_SECONDS = 3600.0
"""Timeout of one attempt, so that a slow host does not block the queue."""
MAX_COVER_BYTES = 16 * 1024 * 1024
"""A cover is held in memory."""

Renew = Callable[[], Awaitable[Result | None]]
"""Returns the result with fresh links, None where the upstream no longer has one. Its errors count as transient."""

_LONGEST_CAUSE = 300
_COVERS = {media_type: ending for media_type, ending in EXTENSIONS.items() if media_type.startswith("image/")} | {
    "image/avif": "avif",
    "image/gif": "gif",
    "image/heic": "heic",
}


class Outcome(StrEnum):
    COPIED = "copied"
    ALREADY_THERE = "already_there"
    EXPIRED = "expired"
    """The link has expired, and the upstream has no fresh one."""
    FAILED = "failed"
    """A later attempt may succeed."""
    UNFINISHED = "unfinished"
    """The task has not ended."""
    NO_VIDEO = "no video"
    """The task has failed."""


@dataclass(frozen=True, slots=True)
class ArchiveResult:
    """The result of archiving one task. `cause` is the reason of a failure, in English. `bytes` is the size of the
    copied video and cover. `archived` is None where the video is not in the archive."""

    outcome: Outcome
    cause: str = ""
    bytes: int = 0
    archived: ArchivedTask | None = None

    @property
    def path(self) -> str:
        """The path of the video in the archive, else ""."""
        return self.archived.video.path if self.archived is not None else ""


class _ConcurrentCopyError(Exception):
    """A concurrent copy of the same task has completed."""

    def __init__(self, archived: ArchivedTask) -> None:
        super().__init__()
        self.archived = archived


async def copy_task(
    store: ArchiveStore,
    http: HttpClient,
    metadata: TaskMetadata,
    account: Account,
    result: Result,
    renew: Renew,
    now: float,
) -> ArchiveResult:
    """Copy a video and its cover, unless they are archived. Raises nothing but CancelledError.

    An expired link is renewed once. Where the host refuses the renewed one too, a later attempt may succeed, unless its
    time is over. A cover that cannot be copied is left out.
    """
    try:
        async with asyncio.timeout(COPY_TIMEOUT_SECONDS):
            archived = await _find_existing(store, metadata, now)
            if archived is not None:
                return ArchiveResult(Outcome.ALREADY_THERE, archived=await _add_owner(store, archived, account))
            source = _Source(http, account, result, renew)
            base_path = base_path_of(metadata, now)
            try:
                video = await _copy_video(
                    store, source, f"{base_path}.mp4", partial(_find_existing, store, metadata, now), now
                )
            except _ConcurrentCopyError as other:
                return ArchiveResult(Outcome.ALREADY_THERE, archived=await _add_owner(store, other.archived, account))
            cover = await _copy_cover(store, source, base_path)
            record = _record(metadata, account, source.result, video, cover, now)
            archived = ArchivedTask(base_path, record)
            await store.put_small(f"{base_path}.json", write_record(record), "application/json")
            await _index(store, archived)
            if not await is_whole(store, archived):
                raise InvalidFileError("another copy was made at the same moment")
            return ArchiveResult(Outcome.COPIED, bytes=video.bytes + (cover.bytes if cover else 0), archived=archived)
    except NoFreshLinkError:
        return ArchiveResult(Outcome.EXPIRED)
    except Exception as error:
        return ArchiveResult(Outcome.FAILED, account.redact(_cause(error)))


async def look_up(store: ArchiveStore, provider: str, id: str) -> ArchivedTask | None:
    """The archived task that the index refers to, else None. Raises StoreError."""
    entry = await store.get_small(index_path(provider, segment(id)))
    base_path = base_path_from_index(entry, provider, id) if entry is not None else None
    return await _read(store, base_path, provider, id) if base_path is not None else None


async def is_whole(store: ArchiveStore, archived: ArchivedTask) -> bool:
    """True where the video of a record exists with the right length. Raises StoreError."""
    return await store.size(archived.video.path) == archived.video.bytes


async def _find_existing(store: ArchiveStore, metadata: TaskMetadata, now: float) -> ArchivedTask | None:
    """The task if it is archived already, else None. Completes the index where a copy was interrupted before it."""
    archived = await look_up(store, metadata.provider, metadata.id)
    if archived is not None and await is_whole(store, archived):
        return archived
    archived = await _read(store, base_path_of(metadata, now), metadata.provider, metadata.id)
    if archived is None or not await is_whole(store, archived):
        return None
    await _index(store, archived)
    return archived


async def _add_owner(store: ArchiveStore, archived: ArchivedTask, account: Account) -> ArchivedTask:
    """Add an account to the owners of a record: its upstream has just shown it the task."""
    owners = tuple(dict.fromkeys((*archived.record.account, *account.principals)))
    if owners == archived.record.account:
        return archived
    admitted = ArchivedTask(archived.base_path, archived.record.model_copy(update={"account": owners}))
    await store.put_small(f"{archived.base_path}.json", write_record(admitted.record), "application/json")
    return admitted


async def _read(store: ArchiveStore, base_path: str, provider: str, id: str) -> ArchivedTask | None:
    data = await store.get_small(f"{base_path}.json")
    record = read_record(data) if data is not None else None
    if record is None or (record.provider, record.id) != (provider, id):
        return None
    return ArchivedTask(base_path, record)


async def _index(store: ArchiveStore, archived: ArchivedTask) -> None:
    path = index_path(archived.record.provider, segment(archived.record.id))
    await store.put_small(path, f"{archived.base_path}.json".encode(), "text/plain")


class _Source:
    """The links of the files. `result` is the latest one."""

    def __init__(self, http: HttpClient, account: Account, result: Result, renew: Renew) -> None:
        self._http = http
        self._account = account
        self._renew: Renew | None = renew
        self.result = result

    async def fresh_link(self, variant: Variant) -> str | None:
        """Renew the links, once. None where there is no fresh link."""
        if self._renew is None:
            return None
        fresh = await self._renew()
        self._renew = None
        if fresh is None or not fresh.url:
            return None
        self.result = fresh
        return fresh.url if variant == "video" else fresh.cover_url

    @asynccontextmanager
    async def open(self, link: str) -> AsyncGenerator[Incoming, None]:
        """Raises LinkExpiredError."""
        async with self._http.stream("GET", link, headers={}, proxy=self._account.proxy) as answer:
            check_expired(answer.status)
            if answer.status != 200:
                raise InvalidFileError(f"HTTP {answer.status}")
            incoming = Incoming(answer)
            await incoming.begin()
            yield incoming


@dataclass(frozen=True, slots=True)
class _Video:
    bytes: int
    media_type: str
    sha256: str


async def _copy_video(
    store: ArchiveStore, source: _Source, path: str, existing: Callable[[], Awaitable[ArchivedTask | None]], now: float
) -> _Video:
    """Raises LinkExpiredError, which is a NoFreshLinkError where no later attempt can succeed, and
    _ConcurrentCopyError where `existing` finds a complete copy at the end. That copy stays: a process that replaced it
    might be killed before it writes the matching record."""

    async def unless_archived(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            yield piece
        archived = await existing()
        if archived is not None:
            raise _ConcurrentCopyError(archived)

    async def copy(link: str) -> _Video:
        async with source.open(link) as incoming:
            found = detect_type(incoming.head, MediaKind.VIDEO)
            if not incoming.head:
                raise InvalidFileError("an empty file")
            if found is None:
                raise InvalidFileError(f"no video, but {incoming.content_type[:60] or 'an unknown type'}")
            await store.put(path, unless_archived(incoming.pieces()), found)
            return _Video(incoming.bytes, found, incoming.sha256)

    try:
        return await with_fresh_link(source.result.url, partial(source.fresh_link, "video"), copy)
    except LinkExpiredError as error:
        # The upstream may show a link whose time it says is over.
        if source.result.expires_at is None or source.result.expires_at > now:
            raise
        raise NoFreshLinkError(error.status) from None


async def _copy_cover(store: ArchiveStore, source: _Source, base_path: str) -> Cover | None:
    async def copy(link: str) -> Cover | None:
        async with source.open(link) as incoming:
            found = detect_type(incoming.head, MediaKind.IMAGE)
            ending = _COVERS.get(found or "")
            if found is None or ending is None:
                return None
            data = bytearray()
            async for piece in incoming.pieces():
                data += piece
                if len(data) > MAX_COVER_BYTES:
                    return None
            await store.put_small(f"{base_path}.{ending}", bytes(data), found)
            return Cover(ending=ending, bytes=incoming.bytes, media_type=found, sha256=incoming.sha256)

    if not source.result.cover_url:
        return None
    try:
        return await with_fresh_link(source.result.cover_url, partial(source.fresh_link, "thumbnail"), copy)
    except StoreError:
        raise
    except Exception:
        return None


def _record(
    metadata: TaskMetadata, account: Account, result: Result, video: _Video, cover: Cover | None, now: float
) -> Record:
    return Record(
        version=VERSION,
        provider=metadata.provider,
        id=metadata.id,
        account=account.principals,
        bytes=video.bytes,
        media_type=video.media_type,
        sha256=video.sha256,
        archived_at=now,
        model=metadata.model,
        created=metadata.created,
        ended=metadata.ended,
        seconds=metadata.seconds,
        size=metadata.size,
        width=result.width,
        height=result.height,
        duration=result.duration,
        cover=cover,
        # A client's text may hold lone surrogates, which JSON in UTF-8 cannot.
        prompt=metadata.prompt.encode("utf-8", "replace").decode() if metadata.prompt is not None else None,
    )


def _cause(error: Exception) -> str:
    match error:
        case TimeoutError():
            text = f"not done within {COPY_TIMEOUT_SECONDS:g} s"
        case ProviderError(kind=ErrorKind.ANSWER_LOST):
            text = f"the host closed the connection ({error.detail})"
        case ProviderError(kind=ErrorKind.UNREACHABLE):
            text = f"the host cannot be reached ({error.detail})"
        case ProviderError():
            text = describe(error, "en")
        case LinkExpiredError(status=status):
            text = f"HTTP {status} for a link that the upstream has just given"
        case InvalidFileError() | StoreError():
            text = str(error)
        case _:
            text = location_of(error)
    return " ".join(text.split())[:_LONGEST_CAUSE]
