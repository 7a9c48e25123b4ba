"""What several want at the same time is made once; what fails ends the others."""

import asyncio

import pytest

from providers.single_flight import SingleFlight


class Maker:
    """Makes numbers, each when it is let."""

    def __init__(self) -> None:
        self.made = 0
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.made += 1
        mine = self.made
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return mine


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def shared(now: list[float]) -> SingleFlight[str, int]:
    return SingleFlight(2, 10.0, lambda: now[0])


async def started(shared: SingleFlight[str, int], make: Maker, *routes: object) -> list["asyncio.Task[int]"]:
    tasks = [asyncio.create_task(shared.get("k", make, route=str(route))) for route in routes]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_concurrent_and_later_callers_share_one_computation(shared: SingleFlight[str, int]) -> None:
    make = Maker()
    tasks = await started(shared, make, 1, 1, 1)
    make.go.set()
    assert await asyncio.gather(*tasks) == [1, 1, 1]
    assert await shared.get("k", make) == 1
    assert make.made == 1


async def test_value_is_computed_anew_after_its_ttl_and_when_forgotten(
    shared: SingleFlight[str, int], now: list[float]
) -> None:
    make = Maker()
    make.go.set()
    await shared.get("k", make)
    now[0] = 10.0
    assert await shared.get("k", make) == 2
    shared.forget("k")
    shared.forget("nobody")
    assert await shared.get("k", make) == 3


async def test_cache_size_is_limited(shared: SingleFlight[str, int]) -> None:
    make = Maker()
    make.go.set()
    for key in ("a", "b", "c", "a"):
        await shared.get(key, make)
    assert make.made == 4


async def test_error_is_shared_and_not_cached(shared: SingleFlight[str, int]) -> None:
    make = Maker()
    make.error = OSError("no")
    tasks = await started(shared, make, 1, 1)
    make.go.set()
    assert [type(found) for found in await asyncio.gather(*tasks, return_exceptions=True)] == [OSError, OSError]
    make.error = None
    assert await shared.get("k", make) == 2


async def test_another_route_does_not_wait_for_the_first(shared: SingleFlight[str, int]) -> None:
    make = Maker()
    tasks = await started(shared, make, 1, 2)
    assert make.made == 2
    make.go.set()
    assert sorted(await asyncio.gather(*tasks)) == [1, 2]


async def test_next_caller_computes_when_the_first_is_cancelled(shared: SingleFlight[str, int]) -> None:
    make = Maker()
    first, second = await started(shared, make, 1, 1)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    make.go.set()
    assert await second == 2
