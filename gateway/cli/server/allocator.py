"""The C library's memory allocator."""

import contextlib
import ctypes

_M_MMAP_THRESHOLD = -3
"""From glibc's <malloc.h>."""
_LARGE_BYTES = 128 * 1024


def return_large_blocks() -> None:
    """Let the allocator return freed blocks of 128 KiB or more to the system at once.

    By default glibc raises that limit up to 32 MB once larger blocks have been freed, and keeps the memory of past
    request bodies in fragments. Other C libraries have no such setting.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
