"""How the system gives memory to this process."""

import contextlib
import ctypes

_M_MMAP_THRESHOLD = -3
"""From glibc's <malloc.h>."""
_LARGE_BYTES = 128 * 1024
_PR_SET_THP_DISABLE = 41
"""From Linux's <linux/prctl.h>."""


def disable_huge_pages() -> None:
    """Let a page of memory be 4 KiB in this process, and in those that it starts.

    The allocators of libraries in Rust ask for huge pages of 2 MiB, of which they use little: without them an idle
    process is 10 MB smaller. Call it before these libraries are imported.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_THP_DISABLE, 1, 0, 0, 0)


def return_large_blocks() -> None:
    """Let the allocator return freed blocks of 128 KiB or more to the system at once.

    By default glibc raises that limit up to 32 MB once larger blocks have been freed, and keeps the memory of past
    request bodies in fragments. Other C libraries have no such setting.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
