"""Connection pools: a bounded number of them, whatever proxies callers name."""

import asyncio

import httpx
import pytest

from providers.contract.accounts import CallerProxy, Proxy
from providers.transport.client import MAX_POOLS, HttpClient
from providers.transport.pools import PoolCache


class Pool:
    def __init__(self) -> None:
        self.closed = 0

    async def aclose(self) -> None:
        self.closed += 1


async def settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_least_recently_used_pool_is_evicted_and_closed() -> None:
    pools = PoolCache[str, Pool](2)
    made = {}
    for key in ("a", "b", "a", "c"):
        lease = pools.acquire(key, Pool)
        made[key] = lease.pool
        pools.release(lease)
    await settled()
    assert {key: pool.closed for key, pool in made.items()} == {"a": 0, "b": 1, "c": 0}
    assert ("a" in pools, "b" in pools, len(pools)) == (True, False, 2)


async def test_evicted_pool_closes_when_its_last_call_ends() -> None:
    pools = PoolCache[str, Pool](1)
    first, second = pools.acquire("a", Pool), pools.acquire("a", Pool)
    pools.release(pools.acquire("b", Pool))
    assert first.pool is second.pool
    assert len(pools) == 2
    pools.release(first)
    await settled()
    assert (first.pool.closed, len(pools)) == (0, 2)
    pools.release(second)
    await settled()
    assert (first.pool.closed, len(pools)) == (1, 1)


async def test_guests_do_not_evict_others() -> None:
    pools = PoolCache[str, Pool](2)
    mine = pools.acquire("mine", Pool)
    pools.release(mine)
    for number in range(10):
        pools.release(pools.acquire(str(number), Pool, guest=True))
    await settled()
    assert ("mine" in pools, mine.pool.closed, len(pools)) == (True, 0, 3)


async def test_closing_closes_each_pool_once_also_those_in_use() -> None:
    pools = PoolCache[str, Pool](1)
    evicted, kept = pools.acquire("a", Pool), pools.acquire("b", Pool)
    await pools.aclose()
    for lease in (evicted, kept):
        pools.release(lease)
    await settled()
    assert (evicted.pool.closed, kept.pool.closed, len(pools)) == (1, 1, 0)


async def test_failed_pool_is_not_kept() -> None:
    pools = PoolCache[str, Pool](1)

    def broken() -> Pool:
        raise OSError

    with pytest.raises(OSError):
        pools.acquire("a", broken)
    assert len(pools) == 0


class CountedTransport(httpx.AsyncBaseTransport):
    """Counts the open transports. Its answers wait for `gate`."""

    open = 0

    def __init__(self, gate: asyncio.Event) -> None:
        self._gate = gate
        CountedTransport.open += 1

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self._gate.wait()
        return httpx.Response(200)

    async def aclose(self) -> None:
        CountedTransport.open -= 1


@pytest.mark.parametrize("kind", [str, CallerProxy])
async def test_thousands_of_proxies_hold_a_bounded_number_of_pools(kind: type[str] | type[CallerProxy]) -> None:
    gate = asyncio.Event()
    gate.set()
    CountedTransport.open = 0
    async with HttpClient(transport=lambda proxy: CountedTransport(gate)) as http:
        await http.send("GET", "http://h/", headers={})
        for number in range(2 * MAX_POOLS):
            proxy: Proxy = kind(f"http://p{number}:1")
            for once in (False, True):
                await http.send("GET", "http://h/", headers={}, proxy=proxy, once=once)
            async with http.stream("GET", "http://h/", headers={}, proxy=proxy):
                pass
        await settled()
        # Calls and files each; a caller's evict none of the operator's.
        assert CountedTransport.open == 2 * MAX_POOLS + (kind is CallerProxy)
    assert CountedTransport.open == 0


async def test_pool_in_use_is_open_until_its_call_ends() -> None:
    gate = asyncio.Event()
    CountedTransport.open = 0
    async with HttpClient(transport=lambda proxy: CountedTransport(gate)) as http:
        calls = [
            asyncio.ensure_future(http.send("GET", "http://h/", headers={}, proxy=f"http://p{number}:1"))
            for number in range(MAX_POOLS + 20)
        ]
        await settled()
        assert CountedTransport.open == MAX_POOLS + 20
        calls[0].cancel()
        await settled()
        assert CountedTransport.open == MAX_POOLS + 19
        gate.set()
        replies = await asyncio.gather(*calls[1:])
        await settled()
        assert {reply.status for reply in replies} == {200}
        assert CountedTransport.open == MAX_POOLS
