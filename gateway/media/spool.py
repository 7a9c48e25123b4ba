"""Bounded spool file for a stream of unknown length: in memory up to SPOOL_BYTES, on disk beyond that."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import IO

from providers.media_files import IN_MEMORY_BYTES
from providers.offload import CHUNK_BYTES, in_thread

SPOOL_BYTES = IN_MEMORY_BYTES
"""A larger file goes to disk."""


async def spool(pieces: AsyncIterator[bytes], max_bytes: int, too_large: Callable[[], Exception]) -> IO[bytes]:
    """Write the pieces to a spool file. Returns it at its start; the caller closes it.

    Raises what `too_large` makes after `max_bytes`, and what `pieces` raises; the file is then closed.
    """
    file = SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115 - it outlives this function
    size, unwritten = 0, bytearray()
    try:
        async for piece in pieces:
            size += len(piece)
            if size > max_bytes:
                raise too_large()
            if size <= SPOOL_BYTES:
                file.write(piece)
                continue
            unwritten += piece
            if len(unwritten) >= CHUNK_BYTES:
                await in_thread(partial(file.write, unwritten))
                unwritten = bytearray()
        if unwritten:
            await in_thread(partial(file.write, unwritten))
    except BaseException:
        await close_spooled(file, size)
        raise
    file.seek(0)
    return file


async def close_spooled(file: IO[bytes], size: int) -> None:
    """Close a spool file of `size` bytes: to free the pages of a large one takes time."""
    if size > SPOOL_BYTES:
        await in_thread(file.close)
    else:
        file.close()
