"""Files that nobody sees before they are whole: written under another name, then moved in one step.

What a process left behind that was killed in the middle is told by its lock, which ended with the process, and thrown
away by whoever writes next. Others that are at work at the same moment keep theirs.
"""

import asyncio
import os
import re
import secrets
from collections.abc import AsyncIterable, Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:
    # Windows refuses to delete what is open, which does the same.
    fcntl = None  # type: ignore[assignment]

FOLDER = ".incoming"
BUFFER_BYTES = 1024 * 1024

_TRIES = 5
_NAME = re.compile(r"\d+-[0-9a-f]+#\d+", re.ASCII)
"""Of a process and a number. With such an ending the store lists it under no name."""


async def write(root: Path, path: str, pieces: AsyncIterable[bytes]) -> None:
    """Write a file below `root` from pieces, in the place of what was there. When the pieces end in an error, or the
    writer is cancelled, everything stays as it was.

    The disk has it all before it is seen. Raises OSError, and whatever the pieces raise.
    """
    staged = _Staged(root)
    try:
        await _to_the_end(staged.create)
        buffer = bytearray()
        async for piece in pieces:
            buffer += piece
            if len(buffer) >= BUFFER_BYTES:
                await _to_the_end(staged.add, bytes(buffer))
                buffer.clear()
        await _to_the_end(staged.add, bytes(buffer))
        await _to_the_end(staged.move, root / path)
    finally:
        await _to_the_end(staged.discard)


class _Staged:
    """A file on its way. Every method is for a thread."""

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER
        self._path: Path | None = None
        self._file: IO[bytes] | None = None

    @property
    def file(self) -> IO[bytes]:
        assert self._file is not None  # noqa: S101
        return self._file

    def create(self) -> None:
        for _ in range(_TRIES):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
            self._path = self._folder / f"{os.getpid()}-{secrets.token_hex(4)}#{secrets.randbits(48)}"
            self._file = self._path.open("xb")
            if fcntl is not None:
                with suppress(OSError):
                    fcntl.flock(self._file, fcntl.LOCK_EX)
            # A sweep may have come between the two.
            if os.fstat(self._file.fileno()).st_nlink:
                return
            self._file.close()
        raise OSError(f"no file can be kept in {FOLDER}")

    def _sweep(self) -> None:
        for left in self._folder.iterdir():
            if not _NAME.fullmatch(left.name):
                continue
            with suppress(OSError), left.open("rb+") as file:
                if fcntl is not None:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()

    def add(self, data: bytes) -> None:
        self.file.write(data)

    def move(self, target: Path) -> None:
        self.file.flush()
        os.fsync(self.file.fileno())
        if fcntl is None:
            self.file.close()
        for tries_left in reversed(range(_TRIES)):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                (self._path or target).replace(target)
                break
            except FileNotFoundError:
                # Somebody has tidied the empty folder away.
                if not tries_left:
                    raise
        if fcntl is not None:
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def discard(self) -> None:
        """Also after it was moved."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


async def _to_the_end(work: Callable[..., None], *args: object) -> None:
    """Work in a thread. It is waited for even by one who is cancelled: nobody closes a file that is being written."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *args))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait((running,))
        raise
