"""One copy of a finished video: from the upstream's link into the archive, checked while it goes by.

What is too short or too long, has another checksum than its host said, or is no video at all, is never stored: the
check fails before the last piece is handed on, and the store drops what it has of a file whose pieces end in an error.
"""

import asyncio
import base64
import binascii
import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from gateway.archive.records import (
    VERSION,
    Archived,
    Cover,
    Facts,
    Record,
    home_from_index,
    home_of,
    index_path,
    read_record,
    segment,
    write_record,
)
from gateway.archive.store import ArchiveStore, StoreError
from gateway.core.byte_ranges import content_length
from gateway.core.errors import describe
from gateway.core.logs import where
from gateway.task_ids.links import EXPIRED_STATUSES
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Result
from providers.media_files import EXTENSIONS, media_type_of
from providers.transport.client import Download, HttpClient

LONGEST_COPY = 3600.0
"""Seconds for one try, so that a host that trickles takes no place for ever."""
LARGEST_COVER = 16 * 1024 * 1024
"""Bytes. A cover is held in memory."""

Renew = Callable[[], Awaitable[Result | None]]
"""Gives the result with fresh links, None where the upstream has none any more. What it raises may pass."""

_HEAD_BYTES = 64
_SHA256 = re.compile(r"sha-256=:?([A-Za-z0-9+/]{43}=)", re.IGNORECASE)
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
    """The link is dead, and the upstream gives no other one."""
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
    archived: Archived | None = None

    @property
    def path(self) -> str:
        """The path of the video in the archive, else ""."""
        return self.archived.video.path if self.archived is not None else ""


class _LinkRefusedError(Exception):
    """The host finds the link too old."""


class _MadeMeanwhileError(Exception):
    """Another copy of the same was completed while this one was made."""

    def __init__(self, archived: Archived) -> None:
        super().__init__()
        self.archived = archived


class _UnusableError(Exception):
    """The host gives something, but not the whole file. The text says what was wrong."""


async def copy_task(
    store: ArchiveStore, http: HttpClient, facts: Facts, account: Account, result: Result, renew: Renew, now: float
) -> ArchiveResult:
    """Copy a video and its cover, unless they are there. It never raises, but for being cancelled.

    A link that is refused is renewed once. A cover that cannot be had is left out.
    """
    try:
        async with asyncio.timeout(LONGEST_COPY):
            archived = await _there(store, facts, now)
            if archived is not None:
                return ArchiveResult(Outcome.ALREADY_THERE, archived=await _admit(store, archived, account))
            source = _Source(http, account, result, renew)
            home = home_of(facts, now)
            try:
                video = await _copy_video(store, source, f"{home}.mp4", partial(_there, store, facts, now))
            except _MadeMeanwhileError as made:
                return ArchiveResult(Outcome.ALREADY_THERE, archived=await _admit(store, made.archived, account))
            if video is None:
                return ArchiveResult(Outcome.EXPIRED)
            cover = await _copy_cover(store, source, home)
            record = _record(facts, account, source.result, video, cover, now)
            archived = Archived(home, record)
            await store.put_small(f"{home}.json", write_record(record), "application/json")
            await _index(store, archived)
            if not await is_whole(store, archived):
                raise _UnusableError("another copy of it was made at the same moment")
            return ArchiveResult(Outcome.COPIED, bytes=video.bytes + (cover.bytes if cover else 0), archived=archived)
    except Exception as error:
        return ArchiveResult(Outcome.FAILED, account.redact(_cause(error)))


async def look_up(store: ArchiveStore, provider: str, id: str) -> Archived | None:
    """What the index names, where it is a record of this task. Raises StoreError."""
    entry = await store.get_small(index_path(provider, segment(id)))
    home = home_from_index(entry, provider, id) if entry is not None else None
    return await _read(store, home, provider, id) if home is not None else None


async def is_whole(store: ArchiveStore, archived: Archived) -> bool:
    """True where the video of a record is there, of the right length. Raises StoreError."""
    return await store.size(archived.video.path) == archived.video.bytes


async def _there(store: ArchiveStore, facts: Facts, now: float) -> Archived | None:
    """The task where it is archived already. A copy that ended just before the index knew of it is made known."""
    archived = await look_up(store, facts.provider, facts.id)
    if archived is not None and await is_whole(store, archived):
        return archived
    archived = await _read(store, home_of(facts, now), facts.provider, facts.id)
    if archived is None or not await is_whole(store, archived):
        return None
    await _index(store, archived)
    return archived


async def _admit(store: ArchiveStore, archived: Archived, account: Account) -> Archived:
    """The record with an account among its owners whose own upstream shows it the task."""
    owners = tuple(dict.fromkeys((*archived.record.account, *account.principals)))
    if owners == archived.record.account:
        return archived
    admitted = Archived(archived.home, archived.record.model_copy(update={"account": owners}))
    await store.put_small(f"{archived.home}.json", write_record(admitted.record), "application/json")
    return admitted


async def _read(store: ArchiveStore, home: str, provider: str, id: str) -> Archived | None:
    data = await store.get_small(f"{home}.json")
    record = read_record(data) if data is not None else None
    if record is None or (record.provider, record.id) != (provider, id):
        return None
    return Archived(home, record)


async def _index(store: ArchiveStore, archived: Archived) -> None:
    path = index_path(archived.record.provider, segment(archived.record.id))
    await store.put_small(path, f"{archived.home}.json".encode(), "text/plain")


class _Source:
    """Where the files come from. `result` is the newest that is known."""

    def __init__(self, http: HttpClient, account: Account, result: Result, renew: Renew) -> None:
        self._http = http
        self._account = account
        self._renew: Renew | None = renew
        self.result = result

    async def renewed(self) -> bool:
        """False where there is no fresh link, or this has been asked before."""
        if self._renew is None:
            return False
        fresh = await self._renew()
        self._renew = None
        if fresh is None or not fresh.url:
            return False
        self.result = fresh
        return True

    @asynccontextmanager
    async def open(self, link: str) -> AsyncGenerator["_Incoming", None]:
        async with self._http.stream("GET", link, headers={}, proxy=self._account.proxy) as answer:
            if answer.status in EXPIRED_STATUSES:
                raise _LinkRefusedError
            if answer.status != 200:
                raise _UnusableError(f"HTTP {answer.status}")
            incoming = _Incoming(answer)
            await incoming.begin()
            yield incoming


class _Incoming:
    """A file as it comes in. Its pieces end in an error when it is not what its host said it would be."""

    def __init__(self, answer: Download) -> None:
        """Raises _UnusableError where nothing would tell that the end is missing."""
        self.head = b""
        self.bytes = 0
        self.content_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        self._pieces = answer.pieces
        self._announced = content_length(answer.headers)
        if self._announced is None and "transfer-encoding" not in answer.headers:
            raise _UnusableError("the host says no length")
        self._digest = hashlib.sha256()
        self._sha256 = _sha256_of(answer.headers)
        self._md5 = _md5_of(answer.headers)
        self._md5_digest = hashlib.md5(usedforsecurity=False) if self._md5 else None

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    async def begin(self) -> None:
        """Read enough to tell what it is."""
        while len(self.head) < _HEAD_BYTES:
            try:
                self.head += await anext(self._pieces)
            except StopAsyncIteration:
                break

    async def pieces(self) -> AsyncIterator[bytes]:
        if self.head:
            self._take(self.head)
            yield self.head
        async for piece in self._pieces:
            self._take(piece)
            yield piece
        self._check()

    def _take(self, piece: bytes) -> None:
        self.bytes += len(piece)
        if self._announced is not None and self.bytes > self._announced:
            raise _UnusableError(f"longer than the {self._announced} bytes that were announced")
        self._digest.update(piece)
        if self._md5_digest is not None:
            self._md5_digest.update(piece)

    def _check(self) -> None:
        if not self.bytes:
            raise _UnusableError("an empty file")
        if self._announced is not None and self.bytes < self._announced:
            raise _UnusableError(f"{self.bytes} bytes of the {self._announced} that were announced")
        if self._sha256 and self._digest.digest() != self._sha256:
            raise _UnusableError("the SHA-256 is not the one that the host says")
        if self._md5_digest is not None and self._md5_digest.digest() != self._md5:
            raise _UnusableError("the MD5 is not the one that the host says")


@dataclass(frozen=True, slots=True)
class _Video:
    bytes: int
    media_type: str
    sha256: str


async def _copy_video(
    store: ArchiveStore, source: _Source, path: str, there: Callable[[], Awaitable[Archived | None]]
) -> _Video | None:
    """None where the link is dead. Raises _MadeMeanwhileError where a whole copy is `there` by the end, which stays: a
    process that put another file in its place might not live to write down that it did."""

    async def all_unless_there(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            yield piece
        archived = await there()
        if archived is not None:
            raise _MadeMeanwhileError(archived)

    while True:
        try:
            async with source.open(source.result.url) as incoming:
                media_type = media_type_of(incoming.head)
                if not incoming.head:
                    raise _UnusableError("an empty file")
                if media_type is None or not media_type.startswith("video/"):
                    raise _UnusableError(f"no video, but {incoming.content_type[:60] or 'something unknown'}")
                await store.put(path, all_unless_there(incoming.pieces()), media_type)
                return _Video(incoming.bytes, media_type, incoming.sha256)
        except _LinkRefusedError:
            if not await source.renewed():
                return None


async def _copy_cover(store: ArchiveStore, source: _Source, home: str) -> Cover | None:
    if not source.result.cover_url:
        return None
    try:
        async with source.open(source.result.cover_url) as incoming:
            media_type = media_type_of(incoming.head) or incoming.content_type
            ending = _COVERS.get(media_type)
            if ending is None:
                return None
            data = bytearray()
            async for piece in incoming.pieces():
                data += piece
                if len(data) > LARGEST_COVER:
                    return None
            await store.put_small(f"{home}.{ending}", bytes(data), media_type)
            return Cover(ending=ending, bytes=incoming.bytes, media_type=media_type, sha256=incoming.sha256)
    except StoreError:
        raise
    except Exception:
        return None


def _record(facts: Facts, account: Account, result: Result, video: _Video, cover: Cover | None, now: float) -> Record:
    return Record(
        version=VERSION,
        provider=facts.provider,
        id=facts.id,
        account=account.principals,
        bytes=video.bytes,
        media_type=video.media_type,
        sha256=video.sha256,
        archived_at=now,
        model=facts.model,
        created=facts.created,
        ended=facts.ended,
        seconds=facts.seconds,
        size=facts.size,
        width=result.width,
        height=result.height,
        duration=result.duration,
        cover=cover,
        # Half a character, which only a client's own text can hold, is none that can be stored.
        prompt=facts.prompt.encode("utf-8", "replace").decode() if facts.prompt is not None else None,
    )


def _sha256_of(headers: Mapping[str, str]) -> bytes | None:
    """Of RFC 9530, and of RFC 3230 before it."""
    for name in ("repr-digest", "content-digest", "digest"):
        found = _SHA256.search(headers.get(name, ""))
        if found:
            return _decoded(found[1], 32)
    return None


def _md5_of(headers: Mapping[str, str]) -> bytes | None:
    return _decoded(headers.get("content-md5", ""), 16)


def _decoded(text: str, length: int) -> bytes | None:
    """None for what is no checksum of so many bytes."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if len(value) == length else None


def _cause(error: Exception) -> str:
    match error:
        case TimeoutError():
            text = f"not done within {LONGEST_COPY:g} s"
        case ProviderError(kind=ErrorKind.ANSWER_LOST):
            text = f"the host broke off ({error.detail})"
        case ProviderError(kind=ErrorKind.UNREACHABLE):
            text = f"the host cannot be reached ({error.detail})"
        case ProviderError():
            text = describe(error, "en")
        case _UnusableError() | StoreError():
            text = str(error)
        case _:
            text = where(error)
    return " ".join(text.split())[:_LONGEST_CAUSE]
