"""Run a program beside the event loop, for a limited time."""

import asyncio
import contextlib
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that has ended."""

    code: int | None
    output: bytes
    errors: bytes


async def run(*command: str, seconds: float, folder: Path | None = None) -> Finished:
    """Run a command, in a folder if one is given. Raises OSError, and TimeoutError after `seconds`; the program has
    ended in any case, also when the caller is cancelled."""
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
    try:
        async with asyncio.timeout(seconds):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return Finished(process.returncode, output, errors)
