"""Work is offloaded to a thread where it is long, and done inline where it is short."""

import asyncio
import threading

import pytest

from providers.offload import INLINE_BYTES, in_thread, offload


@pytest.mark.parametrize(("size", "is_inline"), [(0, True), (INLINE_BYTES - 1, True), (INLINE_BYTES, False)])
async def test_only_long_work_takes_a_thread(size: int, is_inline: bool) -> None:
    thread = await offload(size, threading.current_thread)
    assert (thread is threading.current_thread()) is is_inline


@pytest.mark.parametrize("size", [0, INLINE_BYTES])
async def test_error_of_the_work_is_raised(size: int) -> None:
    def work() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await offload(size, work)


async def test_cancelled_caller_waits_for_the_end_of_the_work() -> None:
    begun, go_on, ended = asyncio.Event(), threading.Event(), []
    loop = asyncio.get_running_loop()

    def work() -> None:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(5)
        ended.append(True)

    running = asyncio.ensure_future(in_thread(work))
    await begun.wait()
    running.cancel()
    await asyncio.sleep(0.01)
    assert not running.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended
