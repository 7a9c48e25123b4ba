"""Calls that run at the same time."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

V = TypeVar("V")


async def all_of(calls: Sequence[Coroutine[Any, Any, V]]) -> list[V]:
    """The results of concurrent calls, in order. The first failure cancels the other calls and is raised once they have
    ended. A single call gets no task of its own, which would cost more than most of what it does."""
    if len(calls) < 2:
        return [await call for call in calls]
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # An error's traceback would hold this frame, and the frame the error.
        tasks.clear()
