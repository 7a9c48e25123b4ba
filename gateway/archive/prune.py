"""Pruning of the archive: deletes tasks that are older than the retention time."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Collection, Sequence

from gateway.archive.records import day_of, index_path
from gateway.archive.store import ArchiveStore

_CONCURRENT_READS = 16
_DAY_SECONDS = 86_400.0
_DAY = re.compile(r"[^/]+/(\d{4}/\d\d/\d\d)")
_FILE = re.compile(r"([^/]+)/\d{4}/\d\d/\d\d/([A-Za-z0-9_%~-]+)\.([a-z0-9]{2,5})")


async def prune(store: ArchiveStore, keep_days: float, now: float, providers: Collection[str]) -> int:
    """Delete the tasks of these providers whose day ended more than `keep_days` before `now`. Returns their number.

    Only the archive's own files are deleted. The index entry of a task is deleted first, so that no record refers to a
    missing video. After an interruption, the next run deletes the rest. Raises StoreError.
    """
    first_retained = day_of(max(0.0, now - keep_days * _DAY_SECONDS))
    pruned = 0
    for provider in providers:
        for year in await store.folders(provider):
            for month in await _folders_before(store, year, first_retained):
                for day in await _folders_before(store, month, first_retained):
                    match = _DAY.fullmatch(day)
                    if match and match[1] < first_retained:
                        pruned += await _prune_day(store, day)
    return pruned


async def _folders_before(store: ArchiveStore, folder: str, first_retained: str) -> Sequence[str]:
    """The folders in a year or month; empty where all of them are within the retention time."""
    until = folder.partition("/")[2]
    return await store.folders(folder) if until <= first_retained[: len(until)] else ()


async def _prune_day(store: ArchiveStore, day: str) -> int:
    files: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for path in await store.files(day):
        match = _FILE.fullmatch(path)
        if match:
            files[match[1], match[2]].append(path)
    turns = asyncio.Semaphore(_CONCURRENT_READS)

    async def entry(provider: str, segment: str, paths: Sequence[str]) -> str | None:
        """The index entry of a task if it refers to this day. The task may have been archived again on another day."""
        path = index_path(provider, segment)
        async with turns:
            data = await store.get_small(path)
        return path if data is not None and data.decode("ascii", "replace").strip() in paths else None

    entries = await asyncio.gather(*(entry(*key, paths) for key, paths in files.items()))
    everything = [path for paths in files.values() for path in paths]
    records = [path for path in everything if path.endswith(".json")]
    await store.delete([path for path in entries if path is not None])
    await store.delete(records)
    await store.delete([path for path in everything if not path.endswith(".json")])
    return len(files)
