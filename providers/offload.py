"""Work that would block the event loop: long work in a thread, short work inline."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

INLINE_BYTES = 256 * 1024
"""Work on fewer bytes is done inline: to hash, decode or parse so many takes 0.3 to 1 ms, and a hop to a thread and
back 0.05 to 0.15 ms."""
CHUNK_BYTES = 256 * 1024
"""A thread works in chunks of this size: a call of a C function may hold the interpreter's lock until it returns."""
_THREADS = ThreadPoolExecutor((os.cpu_count() or 1) + 4, "offload")
"""Apart from the default executor, in which lookups of slow name servers may wait."""


async def offload(size: int, work: Callable[[], T]) -> T:
    """The result of work whose duration grows with `size` in bytes. Raises what it raises."""
    return work() if size < INLINE_BYTES else await in_thread(work)


async def in_thread(work: Callable[[], T]) -> T:
    """The result of work in a thread. A cancelled caller still waits for it, so that no file is closed while it is in
    use."""
    running = asyncio.get_running_loop().run_in_executor(_THREADS, work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
