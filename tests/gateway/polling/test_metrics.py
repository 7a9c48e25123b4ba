"""What polls count: tasks that end, and how long queries wait for their rate limit."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from gateway.core.background_tasks import Background
from gateway.polling.poller import Poller
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind
from providers.contract.models import ModelCard
from providers.contract.tasks import Phase, TaskState
from tests.clock import TestClock
from tests.upstream import ScriptedProvider, finished, provider_error

ID = "scripted-1"


def finished_tasks(provider: str, model: str, outcome: str) -> float:
    labels = {"provider": provider, "model": model, "outcome": outcome}
    return REGISTRY.get_sample_value("gateway_tasks_finished_total", labels) or 0.0


class Polls:
    """A poller over an upstream with a name of its own, so that its series are no other test's."""

    def __init__(self, name: str, per_second: float = 0.0) -> None:
        self.clock = TestClock()
        self.provider = ScriptedProvider()
        self.provider.name = name
        self.account = Account(name, "s-1")
        self.poller = Poller(self.clock, 1.0, Background(), per_second={name: per_second})

    async def poll(self, state: TaskState, card: ModelCard | None = None) -> None:
        self.clock.move(2)
        self.provider.states[ID] = state
        await self.poller.observe(self.provider, self.account, {ID: card}, submitted_at={})


async def test_task_is_counted_once_when_it_ends() -> None:
    polls, card = Polls("p-once"), ModelCard("m", "p-once")
    polls.poller.submitted(polls.account, ID, polls.clock.now(), card)
    await polls.poll(TaskState(ID, Phase.PROCESSING))
    assert finished_tasks("p-once", "m", "completed") == 0
    for _ in range(2):
        polls.clock.move(100)
        await polls.poll(finished(ID), card)
    assert finished_tasks("p-once", "m", "completed") == 1


async def test_model_of_a_task_that_ends_between_submit_and_first_poll_is_known() -> None:
    polls = Polls("p-fast")
    polls.poller.submitted(polls.account, ID, polls.clock.now(), ModelCard("m", "p-fast"))
    error = provider_error(ErrorKind.CONTENT_REFUSED)
    await polls.poll(TaskState(ID, Phase.FAILED, error=error))
    assert finished_tasks("p-fast", "m", "content_refused") == 1


async def test_old_task_that_had_ended_before_its_first_poll_is_not_counted() -> None:
    polls = Polls("p-old")
    await polls.poll(finished(ID), ModelCard("m", "p-old"))
    assert finished_tasks("p-old", "m", "completed") == 0


async def test_unlisted_model_is_counted_as_other() -> None:
    polls = Polls("p-other")
    await polls.poll(TaskState(ID, Phase.PROCESSING), ModelCard("what-a-caller-wrote", "p-other", unlisted=True))
    await polls.poll(finished(ID))
    assert finished_tasks("p-other", "other", "completed") == 1


@pytest.mark.parametrize(("per_second", "waits"), [(0.0, False), (0.5, True)])
async def test_wait_of_a_query_for_its_rate_limit_is_measured(per_second: float, waits: bool) -> None:
    polls = Polls(f"p-wait-{waits}", per_second)
    polls.provider.query_batch = 1
    labels = {"provider": polls.provider.name, "queue": "query"}
    running = asyncio.ensure_future(
        polls.poller.observe(polls.provider, polls.account, dict.fromkeys(["a", "b"]), submitted_at={})
    )
    for _ in range(200):
        await asyncio.sleep(0)
        polls.clock.move(0.05)
    await running
    assert REGISTRY.get_sample_value("gateway_queue_duration_seconds_count", labels) == 2
    assert ((REGISTRY.get_sample_value("gateway_queue_duration_seconds_sum", labels) or 0) > 1) is waits
