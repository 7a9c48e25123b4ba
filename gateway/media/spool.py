"""Bounded spool file for a stream of unknown length: in memory up to SPOOL_BYTES, on disk beyond that."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import IO

SPOOL_BYTES = 1024 * 1024
"""A larger file goes to disk."""


async def spool(pieces: AsyncIterator[bytes], max_bytes: int, too_large: Callable[[], Exception]) -> IO[bytes]:
    """Write the pieces to a spool file. Returns it at its start; the caller closes it.

    Raises what `too_large` makes after `max_bytes`, and what `pieces` raises; the file is then closed.
    """
    file = SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115 - it outlives this function
    size = 0
    try:
        async for piece in pieces:
            size += len(piece)
            if size > max_bytes:
                raise too_large()
            if size > SPOOL_BYTES:
                await _in_thread(partial(file.write, piece))
            else:
                file.write(piece)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


async def _in_thread(call: Callable[[], object]) -> None:
    """Run a call in a thread. A cancelled caller still waits for it, so that no file is closed during a write."""
    work = asyncio.get_running_loop().run_in_executor(None, call)
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise
