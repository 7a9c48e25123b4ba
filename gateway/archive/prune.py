"""Pruning of the archive: deletes tasks that are older than the retention time."""

import asyncio
import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from gateway.archive.records import ArchivedTask, day_of, index_path, read_record, segment
from gateway.archive.store import ArchiveStore

_CONCURRENT_READS = 16
_DAY_SECONDS = 86_400.0
_DAY = re.compile(r"[^/]+/(\d{4}/\d\d/\d\d)")
_RECORD = re.compile(r"([^/]+)/\d{4}/\d\d/\d\d/([A-Za-z0-9_%~-]+)\.json", re.ASCII)


class _Files(NamedTuple):
    """The paths of a task's files. `entry` is that of its index entry, None where this is of another record."""

    record: str
    media: Sequence[str]
    entry: str | None


async def prune(
    store: ArchiveStore, keep_days: float, now: float, providers: Collection[str], *, dry_run: bool = False
) -> list[str]:
    """Delete the tasks of these providers whose day ended more than `keep_days` before `now`. Returns the paths of
    their records, without the ending. With `dry_run` nothing is deleted.

    Only the archive's own files are deleted: the records, and the videos and covers that they name. A video whose copy
    was killed before its record was written stays, and so does what is behind a symbolic link. The index entry of a
    task is deleted first, so that it is not found any more, and its record last, so that after an interruption the next
    run deletes the rest. Raises StoreError.
    """
    first_retained = day_of(max(0.0, now - keep_days * _DAY_SECONDS))
    pruned: list[str] = []
    for provider in providers:
        for year in await store.folders(provider):
            for month in await _folders_before(store, year, first_retained):
                for day in await _folders_before(store, month, first_retained):
                    match = _DAY.fullmatch(day)
                    if match and match[1] < first_retained:
                        pruned += await _prune_day(store, day, dry_run=dry_run)
    return pruned


async def _folders_before(store: ArchiveStore, folder: str, first_retained: str) -> Sequence[str]:
    """The folders in a year or month; empty where all of them are within the retention time."""
    until = folder.partition("/")[2]
    return await store.folders(folder) if until <= first_retained[: len(until)] else ()


async def _prune_day(store: ArchiveStore, day: str, *, dry_run: bool) -> list[str]:
    turns = asyncio.Semaphore(_CONCURRENT_READS)

    async def read(path: str) -> _Files | None:
        async with turns:
            return await _files_of(store, path)

    paths = [path for path in await store.files(day) if _RECORD.fullmatch(path)]
    found = [files for files in await asyncio.gather(*map(read, paths)) if files is not None]
    if not dry_run:
        await store.delete([files.entry for files in found if files.entry is not None])
        await store.delete([path for files in found for path in files.media])
        await store.delete([files.record for files in found])
    return [files.record.removesuffix(".json") for files in found]


async def _files_of(store: ArchiveStore, path: str) -> _Files | None:
    """The files of the task whose record is at `path`. None for any other file."""
    match = _RECORD.fullmatch(path)
    data = await store.get_small(path)
    record = read_record(data) if data is not None else None
    if match is None or record is None or (record.provider, segment(record.id)) != match.group(1, 2):
        return None
    archived = ArchivedTask(path.removesuffix(".json"), record)
    media = [file.path for file in (archived.video, archived.cover) if file is not None]
    # The task may have been archived again on another day.
    index = index_path(record.provider, segment(record.id))
    data = await store.get_small(index)
    is_here = data is not None and data.decode("ascii", "replace").strip() == path
    return _Files(path, media, index if is_here else None)
