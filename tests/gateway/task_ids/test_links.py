"""Renewal of result links."""

import asyncio
from types import TracebackType

import pytest

from gateway.core.background_tasks import Background
from gateway.polling.batcher import DEADLINE_SECONDS
from gateway.polling.poller import Poller
from gateway.polling.task_cache import GRACE_SECONDS
from gateway.task_ids.links import fresh_result
from gateway.task_ids.task_ref import TaskRef
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, Result, TaskState
from tests.clock import TestClock
from tests.upstream import ScriptedProvider, finished

ID = "scripted-1"
ACCOUNT = Account("scripted", "s-secret")


class Renewals:
    """Renews the links of one finished task of a scripted upstream."""

    def __init__(self, per_second: float = 0.0) -> None:
        self.clock, self.provider = TestClock(), ScriptedProvider()
        self.provider.states[ID] = finished(ID, "https://host.example/old.mp4")
        self.poller = Poller(self.clock, 1.0, Background(), per_second={"scripted": per_second})
        self.ref = TaskRef(ID, self.provider, ACCOUNT, ID)

    async def poll(self) -> None:
        await self.poller.observe(self.provider, ACCOUNT, {ID: None}, submitted_at={})

    async def fresh(self) -> Result | None:
        return await fresh_result(self.poller, self.ref, self.clock.monotonic())


async def test_link_is_queried_even_if_the_state_is_fresh() -> None:
    renewals = Renewals()
    await renewals.poll()
    renewals.provider.states[ID] = finished(ID, "https://host.example/new.mp4")
    assert await renewals.fresh() == Result("https://host.example/new.mp4")


@pytest.mark.parametrize("state", [None, TaskState(ID, Phase.PROCESSING)], ids=["unknown", "without a result"])
async def test_task_without_a_link_has_no_fresh_result(state: TaskState | None) -> None:
    renewals = Renewals()
    await renewals.poll()
    if state is None:
        del renewals.provider.states[ID]
        with pytest.raises(ProviderError):
            await renewals.fresh()
        renewals.clock.move(GRACE_SECONDS)
    else:
        renewals.provider.states[ID] = state
    assert await renewals.fresh() is None


@pytest.mark.parametrize("kind", [ErrorKind.UNREACHABLE, ErrorKind.RATE_LIMITED, ErrorKind.INVALID_CREDENTIAL])
async def test_failed_query_does_not_return_the_old_links(kind: ErrorKind) -> None:
    renewals = Renewals()
    await renewals.poll()
    renewals.provider.query_error = ProviderError(kind)
    with pytest.raises(ProviderError) as caught:
        await renewals.fresh()
    assert caught.value.kind is kind


async def test_new_task_that_the_upstream_hides_again_has_no_fresh_link() -> None:
    renewals = Renewals()
    renewals.poller.submitted(ACCOUNT, ID, renewals.clock.now())
    await renewals.poll()
    renewals.clock.move(5)
    del renewals.provider.states[ID]
    with pytest.raises(ProviderError):
        await renewals.fresh()


async def test_link_renewal_waits_for_its_batch() -> None:
    renewals = Renewals(per_second=1.0)
    await renewals.poll()
    renewals.poller.acquire(renewals.provider, ACCOUNT)
    asked = asyncio.create_task(renewals.fresh())
    await asyncio.sleep(0.01)
    assert not asked.done()
    renewals.clock.move(DEADLINE_SECONDS / 2)
    assert await asked == Result("https://host.example/old.mp4")


async def test_error_of_one_query_is_raised_by_each_renewal_on_its_own() -> None:
    renewals = Renewals()
    renewals.provider.query_error = shared = ProviderError(ErrorKind.UNREACHABLE)
    for _ in range(3):
        with pytest.raises(ProviderError) as caught:
            await renewals.fresh()
        assert caught.value is not shared
    # The traceback is that of the provider's own raise only, not of every caller.
    assert shared.__traceback__ is not None
    frame: TracebackType | None = shared.__traceback__
    while frame is not None:
        assert frame.tb_frame.f_code.co_name != "fresh_result"
        frame = frame.tb_next


async def test_link_renewal_ends_at_the_deadline() -> None:
    renewals = Renewals(per_second=0.01)
    await renewals.poll()
    asked = asyncio.create_task(renewals.fresh())
    await asyncio.sleep(0.01)
    assert not asked.done()
    renewals.clock.move(DEADLINE_SECONDS)
    with pytest.raises(ProviderError):
        await asked
