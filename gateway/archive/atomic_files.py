"""Atomic writes: a file is written under a temporary name, then renamed in one step.

Each writer holds a lock on its temporary file. The lock ends with the process, so the next writer can delete the
files of killed processes without touching those of running ones.
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
    # Windows does not delete an open file, which has the same effect.
    fcntl = None  # type: ignore[assignment]

FOLDER = ".incoming"
BUFFER_BYTES = 1024 * 1024

_ATTEMPTS = 5
_NAME = re.compile(r"\d+-[0-9a-f]+#\d+", re.ASCII)
"""Process id and random numbers. The store does not list a name with such an ending."""


async def write(root: Path, path: str, pieces: AsyncIterable[bytes]) -> None:
    """Write a file below `root` from pieces, replacing an existing one. Nothing changes where the pieces raise, or the
    writer is cancelled.

    The file is synced to disk before it is visible. Raises OSError, and what the pieces raise.
    """
    staged = _TemporaryFile(root)
    try:
        await _in_thread(staged.create)
        buffer = bytearray()
        async for piece in pieces:
            buffer += piece
            if len(buffer) >= BUFFER_BYTES:
                await _in_thread(staged.add, bytes(buffer))
                buffer.clear()
        await _in_thread(staged.add, bytes(buffer))
        await _in_thread(staged.move, root / path)
    finally:
        await _in_thread(staged.discard)


class _TemporaryFile:
    """A file that is being written. Every method blocks: call it in a thread."""

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER
        self._path: Path | None = None
        self._file: IO[bytes] | None = None

    @property
    def file(self) -> IO[bytes]:
        assert self._file is not None  # noqa: S101
        return self._file

    def create(self) -> None:
        for _ in range(_ATTEMPTS):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._delete_abandoned()
            self._path = self._folder / f"{os.getpid()}-{secrets.token_hex(4)}#{secrets.randbits(48)}"
            self._file = self._path.open("xb")
            if fcntl is not None:
                with suppress(OSError):
                    fcntl.flock(self._file, fcntl.LOCK_EX)
            # Another process may have deleted the file between the two calls.
            if os.fstat(self._file.fileno()).st_nlink:
                return
            self._file.close()
        raise OSError(f"cannot create a file in {FOLDER}")

    def _delete_abandoned(self) -> None:
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
        for attempts_left in reversed(range(_ATTEMPTS)):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                (self._path or target).replace(target)
                break
            except FileNotFoundError:
                # Another process has deleted the empty folder.
                if not attempts_left:
                    raise
        if fcntl is not None:
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def discard(self) -> None:
        """Delete the temporary file, if any. Idempotent, also after `move`."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


async def _in_thread(work: Callable[..., None], *args: object) -> None:
    """Run `work` in a thread. A cancelled caller still waits for it, so that no file is closed during a write."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *args))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait((running,))
        raise
