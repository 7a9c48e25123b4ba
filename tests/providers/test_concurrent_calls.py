"""`all_of`: concurrent calls, and a single one."""

import asyncio

import pytest

from providers.concurrent_calls import all_of


async def test_all_of_keeps_the_order_and_raises_the_first_failure_when_the_others_have_ended() -> None:
    ended = []

    async def gives(value: int, pause: int) -> int:
        try:
            for _ in range(pause):
                await asyncio.sleep(0)
            if value < 0:
                raise ValueError(value)
            return value
        finally:
            ended.append(value)

    assert await all_of([gives(1, 3), gives(2, 1)]) == [1, 2]
    ended.clear()
    with pytest.raises(ValueError, match="-1"):
        await all_of([gives(5, 1000), gives(-1, 1), gives(-2, 1000)])
    assert sorted(ended) == [-2, -1, 5]
    assert await all_of([]) == []


async def test_single_call_runs_in_the_task_of_its_caller() -> None:
    async def task() -> asyncio.Task[object] | None:
        return asyncio.current_task()

    assert await all_of([task()]) == [asyncio.current_task()]
    assert asyncio.current_task() not in await all_of([task(), task()])
