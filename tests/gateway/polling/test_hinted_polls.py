"""Polls of more tasks than the rate limit allows queries: pages of the upstream's list in place of single queries."""

import asyncio
from itertools import pairwise

import pytest
from prometheus_client import REGISTRY

from gateway.polling.list_hints import LAG_SECONDS, PAUSE_SECONDS, SMALLEST_SIZE
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase
from tests.gateway.polling.listing_upstream import ACCOUNT, PER_SECOND, Faults, Polling


@pytest.mark.parametrize(("count", "oldest"), [(500, 3.0), (2000, 8.0)])
async def test_answers_for_many_tasks_of_one_key_are_fresh(count: int, oldest: float) -> None:
    polling = Polling()
    ids = polling.upstream.add(count)
    await polling.run(ids, 3)
    assert len(polling.ages) == count
    assert await polling.run(ids, 4) <= oldest
    assert polling.upstream.most_in_a_second() <= PER_SECOND


async def test_distant_upstream_costs_its_latency_and_no_more() -> None:
    polling = Polling()
    polling.upstream.latency = 0.4
    ids = polling.upstream.add(500)
    await polling.run(ids, 3)
    assert await polling.run(ids, 4) <= 2.5
    assert polling.upstream.most_in_a_second() <= PER_SECOND


async def test_list_that_does_not_answer_leaves_room_for_the_queries() -> None:
    polling = Polling()
    # Pages enough to take all places.
    polling.upstream.faults.cap = 10
    ids = polling.upstream.add(1000)
    await polling.run(ids, 3)
    polling.upstream.hang = True
    await polling.run(ids, 4)
    polling.upstream.queried.clear()
    await polling.run(ids, 4)
    # Calls in flight count for the rate limit.
    assert len(polling.upstream.queried) >= 4 * 11


@pytest.mark.parametrize("count", [60, 500, 2000])
@pytest.mark.parametrize("seconds", [0.3, 0.9, 3.0])
async def test_calls_that_a_stall_delivers_at_once_stay_within_the_limit(count: int, seconds: float) -> None:
    polling = Polling()
    polling.upstream.latency = 0.02
    ids = polling.upstream.add(count)
    await polling.run(ids, 3)
    polling.upstream.stalled_until = polling.clock.now() + seconds
    await polling.run(ids, 7)
    assert polling.upstream.most_in_a_second() <= PER_SECOND
    assert await polling.run(ids, 2) <= 4


async def test_first_polls_do_not_wait_for_a_round_of_queries() -> None:
    polling = Polling()
    ids = polling.upstream.add(500)
    began = polling.clock.now()
    await asyncio.gather(polling.poll(ids), polling.clock.run(1))
    assert len(polling.ages) == 500
    assert polling.clock.now() == began + 1


async def test_end_of_a_task_is_told_by_its_own_query() -> None:
    polling = Polling()
    ids = polling.upstream.add(500)
    await polling.run(ids, 3)
    end = polling.clock.now() + 1
    for id in ids[100:110]:
        polling.upstream.courses[id].ends = end
    await polling.run(ids, 4)
    assert {id for id, phase in polling.phases.items() if phase.ended} == set(ids[100:110])
    assert max(polling.ended_at.values()) <= end + 3
    assert {id for at, id in polling.upstream.queried if at >= end} >= set(ids[100:110])


async def test_start_of_a_task_is_told_by_the_list() -> None:
    polling = Polling()
    ids = polling.upstream.add(500)
    await polling.run(ids, 3)
    for id in ids:
        polling.upstream.courses[id].starts = polling.clock.now()
    await polling.run(ids, 3)
    assert set(polling.phases.values()) == {Phase.PROCESSING}


async def test_watchers_are_told_of_tasks_that_the_list_shows() -> None:
    polling = Polling()
    ids = polling.upstream.add(200)
    told = set[str]()
    polling.poller.on_observed = lambda account, found, sent_at: told.update(found)
    await polling.run(ids, 2)
    assert told == set(ids)


async def test_round_of_queries_is_as_long_as_a_round_of_pages() -> None:
    polling = Polling()
    ids = polling.upstream.add(500)
    await polling.run(ids, 3)
    rounds = []
    for _ in range(10):
        await polling.run(ids, 1, steps=1)
        await polling.poll(ids)
        rounds.append(polling.poller.round_seconds(polling.upstream, ACCOUNT))
    assert 0 < max(rounds) < 1


async def test_pages_are_counted_as_calls_of_their_own() -> None:
    labels = {"provider": "scripted", "call": "hint", "outcome": "ok"}
    name = "gateway_upstream_duration_seconds_count"
    before = REGISTRY.get_sample_value(name, labels) or 0
    polling = Polling()
    await polling.run(polling.upstream.add(200), 3)
    assert REGISTRY.get_sample_value(name, labels) == before + len(polling.upstream.pages) > before


@pytest.mark.parametrize("count", [1, 15])
async def test_list_is_not_read_without_pressure(count: int) -> None:
    polling = Polling()
    await polling.run(polling.upstream.add(count), 5)
    assert not polling.upstream.pages


async def test_list_is_not_read_without_a_rate_limit() -> None:
    polling = Polling(per_second=0.0)
    await polling.run(polling.upstream.add(300), 3)
    assert not polling.upstream.pages


async def test_forced_refresh_waits_for_its_own_query() -> None:
    polling = Polling()
    ids = polling.upstream.add(300)
    await polling.run(ids, 3)
    polling.upstream.queried.clear()
    refresh = asyncio.create_task(polling.poll(ids[:30], force_refresh=True))
    await polling.run(ids, 4)
    await refresh
    assert {id for _, id in polling.upstream.queried} >= set(ids[:30])


async def test_changed_task_is_not_told_by_the_list() -> None:
    polling = Polling()
    ids = polling.upstream.add(300)
    await polling.run(ids, 3)
    polling.upstream.queried.clear()
    polling.poller.expire(ACCOUNT, ids[7])
    await polling.run(ids, 2)
    assert ids[7] in {id for _, id in polling.upstream.queried}


async def test_task_that_the_list_does_not_show_is_queried() -> None:
    polling = Polling()
    ids = polling.upstream.add(500)
    hidden = ids[::100]
    for id in hidden:
        polling.upstream.courses[id].listed = False
    await polling.run(ids, 3)
    assert await polling.run(ids, 4) <= 3
    polling.upstream.queried.clear()
    await polling.run(ids, 3)
    assert {id for _, id in polling.upstream.queried} >= set(hidden)


async def test_tasks_of_others_stay_out_of_the_cache() -> None:
    polling = Polling()
    others = polling.upstream.add(300, "other")
    ids = polling.upstream.add(200)
    assert await polling.run(ids, 4) <= 3
    assert all(polling.poller.last_observation(ACCOUNT, id, None) is None for id in others)


async def test_pages_of_older_tasks_are_not_read() -> None:
    polling = Polling()
    polling.upstream.add(2000, "older", age=3600)
    ids = polling.upstream.add(150)
    for id in ids:
        polling.poller.submitted(ACCOUNT, id, polling.clock.now())
    await polling.run(ids, 2)
    polling.upstream.pages.clear()
    assert await polling.run(ids, 4) <= 2
    assert {number for _, number, _ in polling.upstream.pages} == {1, 2}


async def test_list_with_few_of_the_tasks_is_given_up() -> None:
    polling = Polling()
    ids = polling.upstream.add(100)
    for number in range(20):
        polling.upstream.add(100, "other")
        if number:
            ids += polling.upstream.add(1)
    for id in ids[:100]:
        polling.upstream.courses[id].listed = False
    await polling.run(ids, 15)
    polling.upstream.pages.clear()
    polling.upstream.queried.clear()
    assert await polling.run(ids, 8) <= len(ids) / (PER_SECOND * 0.9) + 3
    assert len(polling.upstream.pages) <= 21
    assert len(polling.upstream.queried) >= 8 * PER_SECOND * 0.7


@pytest.mark.parametrize("tells", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("cap", [100, 25])
async def test_page_size_that_comes_back_is_used(cap: int, tells: tuple[bool, bool]) -> None:
    polling = Polling()
    polling.upstream.faults = Faults(cap=cap, tells_size=tells[0], tells_pages=tells[1])
    ids = polling.upstream.add(250)
    await polling.run(ids, 3)
    assert len(polling.ages) == 250
    assert await polling.run(ids, 4) <= 2.5


@pytest.mark.parametrize("largest", [50, SMALLEST_SIZE])
async def test_refused_page_size_is_halved(largest: int) -> None:
    polling = Polling()
    polling.upstream.faults.largest = largest
    ids = polling.upstream.add(200)
    await polling.run(ids, 3)
    assert await polling.run(ids, 4) <= 4
    assert largest / 2 < polling.upstream.pages[-1][2] <= largest
    assert polling.upstream.most_in_a_second() <= PER_SECOND


ERRORS = [
    ProviderError(ErrorKind.INVALID_CREDENTIAL),
    ProviderError(ErrorKind.NOT_ENTITLED),
    ProviderError(ErrorKind.UPSTREAM_ERROR),
    ProviderError(ErrorKind.UNREACHABLE),
    ProviderError(ErrorKind.RATE_LIMITED),
    ProviderError(ErrorKind.RATE_LIMITED, retry_after=30.0),
    ValueError("a row that nobody expected"),
]


@pytest.mark.parametrize("error", ERRORS, ids=str)
async def test_failing_list_falls_back_to_single_queries(error: Exception) -> None:
    polling = Polling()
    polling.upstream.faults.error = error
    ids = polling.upstream.add(60)
    await polling.run(ids, 5)
    assert len(polling.upstream.pages) <= 3
    assert len(polling.ages) == 60
    assert await polling.run(ids, 5) <= 60 / (PER_SECOND * 0.9) + 2
    assert set(polling.phases.values()) == {Phase.QUEUED}


async def test_failing_list_is_tried_again_ever_more_rarely() -> None:
    polling = Polling()
    polling.upstream.faults.error = ProviderError(ErrorKind.INVALID_CREDENTIAL)
    ids = polling.upstream.add(60)
    await polling.run(ids, 40, steps=4)
    tries = [at for at, *_ in polling.upstream.pages]
    pauses = [after - before for before, after in pairwise(tries)]
    assert pauses[0] >= PAUSE_SECONDS
    assert all(after >= 1.8 * before for before, after in pairwise(pauses))
    polling.upstream.faults.error = None
    await polling.run(ids, 40, steps=4)
    assert await polling.run(ids, 3) <= 2


@pytest.mark.parametrize("lag", [3.0, 10.0])
async def test_measured_lag_is_part_of_the_age(lag: float) -> None:
    polling = Polling()
    polling.upstream.faults.lag = lag
    ids = polling.upstream.add(400, age=60)
    await polling.run(ids, 4)
    now = polling.clock.now()
    for number, id in enumerate(ids[::4]):
        polling.upstream.courses[id].ends = now + 1 + number / 5
    assert await polling.run(ids, 5) <= 3
    # Nothing has contradicted the list yet.
    assert polling.most_untold > 2
    await polling.run(ids, 15)
    polling.most_untold = 0.0
    oldest = await polling.run(ids, 6)
    assert polling.most_untold <= 1
    assert lag < oldest + 1 < lag + 5
    assert all(ended <= polling.upstream.courses[id].ends + lag + 4 for id, ended in polling.ended_at.items())


async def test_measured_lag_is_forgotten() -> None:
    polling = Polling()
    polling.upstream.faults.lag = 4.0
    ids = polling.upstream.add(300, age=60)
    await polling.run(ids, 3)
    for id in ids:
        polling.upstream.courses[id].starts = polling.clock.now()
    await polling.run(ids, 6)
    polling.upstream.faults.lag = 0.0
    assert await polling.run(ids, 5) > 3
    await polling.clock.run(LAG_SECONDS)
    await polling.run(ids, 3)
    assert await polling.run(ids, 3) <= 2


async def test_list_that_stands_still_is_given_up() -> None:
    polling = Polling()
    polling.upstream.faults.lag = 0.0
    ids = polling.upstream.add(200, age=60)
    await polling.run(ids, 3)
    now = polling.clock.now()
    for number, id in enumerate(ids[:100]):
        polling.upstream.courses[id].ends = now + number / 10
    for _ in range(35):
        # The list shows what it showed when it stopped.
        polling.upstream.faults.lag = polling.clock.now() - now
        await polling.run(ids, 1)
    polling.upstream.pages.clear()
    polling.upstream.queried.clear()
    polling.most_untold = 0.0
    await polling.run(ids, 4)
    assert len(polling.upstream.pages) <= 8
    assert len(polling.upstream.queried) >= 4 * PER_SECOND * 0.7
    assert len(polling.ended_at) == 100
    assert polling.most_untold == 0
