"""Webhooks follow a task by the watches of the process, whatever their number."""

import pytest

from gateway.live.webhooks.service import Followed, Webhooks
from gateway.tasks.view import Submitted
from providers.contract.tasks import Phase, TaskState
from tests.gateway.live.webhooks.receiver import Receiver
from tests.gateway_fixture import ONE, TWO, GatewayFixture, pass_through_caller


def follow(webhooks: Webhooks, submitted: Submitted, url: str) -> None:
    """One on the generations API, whose id is the upstream's own, and one on OpenAI's."""
    for number, id in enumerate((submitted.id, submitted.signed_id)):
        with webhooks.reserve(pass_through_caller(ONE), f"{url}/{number}") as place:
            place.follow(Followed(id, submitted.signed_id, b"k" * 32, lambda task: {"id": task.id}))


@pytest.mark.parametrize("urls", [0, 1, 20])
async def test_webhooks_and_watchers_of_a_task_share_its_queries(urls: int) -> None:
    gateway = GatewayFixture()
    caller = pass_through_caller(ONE)
    async with gateway.background:
        submitted = await gateway.submit(caller)
        gateway.provider.states[submitted.upstream_id] = TaskState(submitted.upstream_id, Phase.PROCESSING)
        async with gateway.process.watches.watch(caller, submitted.id):
            for number in range(urls):
                follow(gateway.process.webhooks, submitted, f"https://hooks.example/{number}")
            await gateway.clock.run(31)
            assert len(gateway.provider.asked) == 11
            assert len(gateway.process.webhooks._pending) == 2 * urls
        await gateway.process.webhooks.aclose()


async def test_events_of_many_tasks_and_callers_are_delivered(receiver: Receiver) -> None:
    gateway = GatewayFixture()
    webhooks, provider = gateway.process.webhooks, gateway.provider
    await webhooks.sender.aclose()
    webhooks.sender = receiver.sender(gateway.clock)
    ids = []
    async with gateway.background:
        for caller in (pass_through_caller(ONE), pass_through_caller(TWO)):
            for _ in range(3):
                submitted = await gateway.submit(caller)
                ids.append(submitted.id)
                provider.states[submitted.upstream_id] = TaskState(submitted.upstream_id, Phase.PROCESSING)
                with webhooks.reserve(caller, receiver.url) as place:
                    id = submitted.id
                    key = gateway.tasks.task_key(caller, submitted)
                    place.follow(Followed(id, submitted.signed_id, key, lambda task: {"id": task.id}))
        await gateway.clock.run(10)
        assert receiver.requests == []
        for id in ids:
            provider.states[id] = TaskState(id, Phase.FAILED)
        await gateway.clock.run(10)
        await receiver.received(6)
        await webhooks.aclose()
    assert sorted(request.body.partition(b'"data":{"id":"')[2][:-3].decode() for request in receiver.requests) == ids
