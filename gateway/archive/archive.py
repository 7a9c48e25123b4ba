"""The archive: finished videos, kept where the operator says, for when the upstream's link and record are gone.

A poll that sees a finished task says so with `seen`, which takes no time; the copy is made in the background and is
nobody's concern. Everything that outlives the process lies in the archive itself: what is remembered here only saves
asking it.
"""

import asyncio
import re
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType

from cachetools import LRUCache, TTLCache

from gateway.archive.copier import Outcome, Renew, Report, copy_task, is_whole, look_up
from gateway.archive.records import Archived, Facts, StoredFile, Variant, day_of, index_path
from gateway.archive.store import ArchiveStore, StoreError
from gateway.core.background_tasks import Background
from gateway.core.byte_ranges import parse_range
from gateway.core.clock import Clock, Timer
from gateway.core.logs import GATEWAY
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Result
from providers.transport.client import HttpClient

COPIES_AT_ONCE = 2
MAX_WAITING = 5_000
"""Copies that wait for their turn or for their next try. What is seen beyond them waits to be seen again."""
FIRST_RETRY_SECONDS = 30.0
LONGEST_RETRY_SECONDS = 3600.0
GIVEN_UP_SECONDS = 3600.0
"""For this long a task whose copy was given up is let alone, however often it is seen."""
LINK_LIFE_SECONDS = 24 * 3600.0
"""Of a link that does not say how long it lives."""
FOUND_SECONDS = 60.0
"""For this long the archive is not asked again for a task that was found."""
MISSED_SECONDS = 5.0
"""The same for one that was not: another replica may be at it."""
KNOWN_SECONDS = 3600.0
"""For this long a task counts as archived, unless it is found missing. What lies there may be deleted by others."""
LOOK_UPS_AT_ONCE = 16
LOOK_UP_SECONDS = 5.0
OUTAGE_SECONDS = 10.0
"""For this long after it could not be reached the archive is not asked at all."""
SIGNED_SECONDS = 24 * 3600.0

_OUTAGE = "the archive could not be reached a moment ago"
_REMEMBERED = 50_000
_REMEMBERED_FINDS = 5_000
_PRUNED_AT_ONCE = 16
_DAY_SECONDS = 86_400.0
_DAY = re.compile(r"[^/]+/(\d{4}/\d\d/\d\d)")
_FILE = re.compile(r"([^/]+)/\d{4}/\d\d/\d\d/([A-Za-z0-9_%~-]+)\.([a-z0-9]{2,5})")

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Opened:
    """A file of the archive, or a part of it, on its way.

    `start` to before `stop` are the bytes that come; `content_range` is None for a whole file. `pieces` can be read
    once, are read from the store as they are asked for, and raise ProviderError (ANSWER_LOST) when it breaks off.
    """

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


@dataclass(slots=True)
class _Job:
    facts: Facts
    account: Account
    result: Result
    renew: Renew
    deadline: float
    tries: int = 0
    timer: Timer | None = field(default=None, repr=False)


class Archive:
    """Copies finished videos and gives them again. It lives as long as the process."""

    def __init__(
        self,
        store: ArchiveStore,
        http: HttpClient,
        clock: Clock,
        background: Background,
        *,
        copies: int = COPIES_AT_ONCE,
        keep_prompt: bool = False,
        link_seconds: Mapping[str, int | None] = MappingProxyType({}),
        ended: Callable[[Report], object] = lambda report: None,
    ) -> None:
        """`copies` may run at once. Prompts are only written down with `keep_prompt`. `link_seconds` says by provider
        how long a link lives that does not tell; LINK_LIFE_SECONDS for others. `ended` hears of every copy that
        was tried in the background, however it ended."""
        self._store = store
        self._http = http
        self._clock = clock
        self._background = background
        self._copies = copies
        self._keep_prompt = keep_prompt
        self._link_seconds = link_seconds
        self._ended = ended
        self._closed = False
        self._queue: deque[_Job] = deque()
        self._jobs: dict[_Key, _Job] = {}
        self._running = 0
        self._known: TTLCache[_Key, set[str]] = TTLCache(_REMEMBERED, KNOWN_SECONDS, timer=clock.now)
        """By the tags of the accounts that may have it."""
        self._given_up: LRUCache[_Key, float] = LRUCache(_REMEMBERED)
        """Until when."""
        self._found: TTLCache[_Key, asyncio.Future[Archived | None]] = TTLCache(
            _REMEMBERED_FINDS, FOUND_SECONDS, timer=clock.now
        )
        self._missed: TTLCache[_Key, None] = TTLCache(_REMEMBERED_FINDS, MISSED_SECONDS, timer=clock.now)
        self._look_ups = asyncio.Semaphore(LOOK_UPS_AT_ONCE)
        self._outage_until = 0.0

    # --- copying ------------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Copies under way, in the queue, and between two tries."""
        return len(self._jobs)

    @property
    def keeps_prompts(self) -> bool:
        return self._keep_prompt

    def known(self, provider: str, id: str, tag: str) -> bool:
        """True for a task that is archived for the account of this tag. From memory: False may only mean that nobody
        has looked."""
        return tag in self._known.get((provider, id), ())

    def wants(self, provider: str, id: str, tag: str) -> bool:
        """False where `seen` would do nothing: it is archived, in work, or given up a short while ago."""
        key = (provider, id)
        if self.known(provider, id, tag) or key in self._jobs or self._closed or len(self._jobs) >= MAX_WAITING:
            return False
        until = self._given_up.get(key)
        return until is None or until <= self._clock.now()

    def seen(self, facts: Facts, account: Account, result: Result, renew: Renew) -> None:
        """A task was seen finished: copy it when its turn comes, unless that is done or under way. It returns at once
        and raises nothing.

        What fails is tried again for as long as the link lives; `renew` is asked for a fresh one when it is refused.
        """
        if not self.wants(facts.provider, facts.id, account.tag):
            return
        now = self._clock.now()
        link_seconds = self._link_seconds.get(facts.provider) or LINK_LIFE_SECONDS
        deadline = result.expires_at if result.expires_at is not None else now + link_seconds
        job = _Job(self._shown(facts), account, result, renew, deadline)
        self._jobs[facts.provider, facts.id] = job
        self._enqueue(job)

    async def copy(self, facts: Facts, account: Account, result: Result, renew: Renew) -> Report:
        """Copy a task now, unless it is there. It never raises: the report tells what came of it."""
        report = await copy_task(self._store, self._http, self._shown(facts), account, result, renew, self._clock.now())
        if report.archived is not None:
            self._remember(report.archived, account)
        return report

    def close(self) -> None:
        """Start no more copies. What runs ends with the background it runs in."""
        self._closed = True
        self._queue.clear()
        for job in self._jobs.values():
            if job.timer is not None:
                job.timer.cancel()
        self._jobs.clear()

    def _shown(self, facts: Facts) -> Facts:
        if self._keep_prompt or facts.prompt is None:
            return facts
        return replace(facts, prompt=None)

    def _enqueue(self, job: _Job) -> None:
        job.timer = None
        if not self._closed:
            self._queue.append(job)
            self._start()

    def _start(self) -> None:
        while self._queue and self._running < self._copies and not self._closed:
            self._running += 1
            self._background.start(self._work(self._queue.popleft()))

    async def _work(self, job: _Job) -> None:
        try:
            report = await self.copy(job.facts, job.account, job.result, job.renew)
            self._conclude(job, report)
            self._ended(report)
        except asyncio.CancelledError:
            # The application ends, and nothing may start behind its back.
            self.close()
            raise
        finally:
            self._running -= 1
            self._start()

    def _conclude(self, job: _Job, report: Report) -> None:
        if self._closed:
            return
        key = (job.facts.provider, job.facts.id)
        fields = {
            "provider": job.facts.provider,
            "upstream_id": job.facts.id,
            "account": job.account.label,
        }
        if report.outcome in (Outcome.COPIED, Outcome.ALREADY_THERE):
            self._jobs.pop(key, None)
            if report.outcome is Outcome.COPIED:
                GATEWAY.info("archived", extra={"fields": fields | {"bytes": report.bytes}})
            return
        now = self._clock.now()
        pause = min(FIRST_RETRY_SECONDS * 2**job.tries, LONGEST_RETRY_SECONDS)
        job.tries += 1
        if report.outcome is Outcome.EXPIRED or now + pause > job.deadline:
            self._jobs.pop(key, None)
            self._given_up[key] = now + GIVEN_UP_SECONDS
            cause = report.cause or "the link has expired"
            GATEWAY.warning(
                "a finished video could not be archived, and is given up", extra={"fields": fields | {"cause": cause}}
            )
            return
        job.timer = self._clock.later(pause, partial(self._enqueue, job))
        GATEWAY.warning(
            "a finished video could not be archived yet",
            extra={"fields": fields | {"cause": report.cause, "again_in": round(pause)}},
        )

    def _remember(self, archived: Archived, account: Account) -> None:
        key = (archived.record.provider, archived.record.id)
        self._known[key] = self._known.get(key, set()) | {account.tag}
        self._missed.pop(key, None)
        self._given_up.pop(key, None)
        found: asyncio.Future[Archived | None] = asyncio.get_running_loop().create_future()
        found.set_result(archived)
        self._found[key] = found

    def _forget(self, archived: Archived) -> None:
        key = (archived.record.provider, archived.record.id)
        self._known.pop(key, None)
        self._found.pop(key, None)

    # --- giving -------------------------------------------------------------------------------------------------

    async def find(self, provider: str, id: str, account: Account) -> Archived | None:
        """The archived task of an upstream's id; None where there is none, or it is not this account's.

        Those who look for the same at the same time look once, and what was found is kept for a while. Raises
        StoreError, and for a while after one at once.
        """
        key = (provider, id)
        if key in self._missed:
            return None
        search = self._found.get(key)
        if search is None:
            if self._clock.now() < self._outage_until:
                raise StoreError(_OUTAGE)
            search = self._found[key] = asyncio.ensure_future(self._look_up(provider, id))
            search.add_done_callback(partial(self._looked_up, key))
        archived = await asyncio.shield(search)
        if archived is None or not set(archived.record.account) & set(account.marks):
            return None
        self._known[key] = self._known.get(key, set()) | {account.tag}
        return archived

    def out_of_reach(self) -> bool:
        """Note that the archive does not answer. True where that was not known."""
        now = self._clock.now()
        news = now >= self._outage_until
        self._outage_until = now + OUTAGE_SECONDS
        return news

    async def _look_up(self, provider: str, id: str) -> Archived | None:
        async with self._look_ups:
            if self._clock.now() < self._outage_until:
                raise StoreError(_OUTAGE)
            try:
                async with asyncio.timeout(LOOK_UP_SECONDS):
                    archived = await look_up(self._store, provider, id)
                    # Of a file that is not what its record says, nothing is told.
                    return archived if archived is not None and await is_whole(self._store, archived) else None
            except TimeoutError:
                raise StoreError(f"no answer within {LOOK_UP_SECONDS:g} s") from None

    def _looked_up(self, key: _Key, search: "asyncio.Future[Archived | None]") -> None:
        missed = not search.cancelled() and search.exception() is None and search.result() is None
        if missed:
            self._missed[key] = None
            self._known.pop(key, None)
        if (missed or search.cancelled() or search.exception() is not None) and self._found.get(key) is search:
            del self._found[key]

    async def open(
        self, archived: Archived, variant: Variant = "video", *, range: str = "", if_range: str = "", head: bool = False
    ) -> Opened | None:
        """A file, or the part that a Range header asks for; None where the archive has it no longer.

        A header that nobody can read, one of several ranges, and one whose `if_range` names another file mean the
        whole. With `head` there are no pieces. Raises StoreError, and UnsatisfiableRangeError.
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
            # Deleted by hand, or not the file that the record tells of: it can be copied again.
            self._forget(archived)
            return None
        return Opened(file, start, stop, f"bytes {start}-{stop - 1}/{file.bytes}" if part else None, pieces)

    async def link(self, archived: Archived, variant: Variant = "video", seconds: float = SIGNED_SECONDS) -> str | None:
        """A signed link that anybody can follow for so long; None where the store gives none."""
        file = archived.file(variant)
        return await self._store.sign(file.path, seconds) if file is not None else None

    # --- deleting -----------------------------------------------------------------------------------------------

    async def prune(self, keep_days: float, now: float, providers: Collection[str]) -> int:
        """Delete the tasks of these providers whose day ended more than `keep_days` ago, and give their number.

        Nothing but the archive's own files is touched. Of each task the index goes first, so that no record is ever
        known whose video is gone; what is left by one who was interrupted goes the next time. Raises StoreError.
        """
        first_kept = day_of(max(0.0, now - keep_days * _DAY_SECONDS))
        pruned = 0
        for provider in providers:
            for year in await self._store.folders(provider):
                for month in await self._older(year, first_kept):
                    for day in await self._older(month, first_kept):
                        match = _DAY.fullmatch(day)
                        if match and match[1] < first_kept:
                            pruned += await self._prune_day(day)
        if pruned:
            self._known.clear()
            self._found.clear()
        return pruned

    async def _older(self, folder: str, first_kept: str) -> Sequence[str]:
        """What lies in a folder of a year or a month, unless all of it is to be kept."""
        until = folder.partition("/")[2]
        return await self._store.folders(folder) if until <= first_kept[: len(until)] else ()

    async def _prune_day(self, day: str) -> int:
        files: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for path in await self._store.files(day):
            match = _FILE.fullmatch(path)
            if match:
                files[match[1], match[2]].append(path)
        turns = asyncio.Semaphore(_PRUNED_AT_ONCE)

        async def entry(provider: str, segment: str, paths: Sequence[str]) -> str | None:
            """The task's place in the index, where that leads here: it may have been archived anew under another
            day."""
            path = index_path(provider, segment)
            async with turns:
                data = await self._store.get_small(path)
            return path if data is not None and data.decode("ascii", "replace").strip() in paths else None

        entries = await asyncio.gather(*(entry(*key, paths) for key, paths in files.items()))
        everything = [path for paths in files.values() for path in paths]
        records = [path for path in everything if path.endswith(".json")]
        await self._store.delete([path for path in entries if path is not None])
        await self._store.delete(records)
        await self._store.delete([path for path in everything if not path.endswith(".json")])
        return len(files)


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
