"""Idempotency for libraries that resend a submit without a mark: a lost connection is what tells a retry."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from gateway.core.errors import GatewayError
from gateway.tasks.idempotency import RETRY_SECONDS, IdempotencyStore, SubmitRecord
from gateway.tasks.order import SubmitOrder
from gateway.tasks.view import Submitted
from tests.clock import TestClock
from tests.gateway.tasks.counted_submits import CAT, DOG, Upstream, let_tasks_run, order


class Connection:
    """A client that is connected until it leaves."""

    left = False

    async def is_disconnected(self) -> bool:
        await asyncio.sleep(0)
        return self.left


class Clients:
    """Send identical requests to an upstream whose answer waits for `gate`."""

    def __init__(self, store: IdempotencyStore) -> None:
        self._store = store
        self.upstream = Upstream()
        self.upstream.gate.clear()

    async def ask(self, fingerprint: bytes = CAT, caller: str = "a") -> tuple[Connection, "asyncio.Task[Submitted]"]:
        connection = Connection()
        made = order(caller, fingerprint, unmarked_retries=True, client=connection)
        answer = asyncio.create_task(self._store.run(made, self.upstream.submit))
        await let_tasks_run()
        return connection, answer


@pytest.fixture
def clients(store: IdempotencyStore) -> Clients:
    return Clients(store)


async def test_resend_joins_the_submit_that_runs(clients: Clients) -> None:
    lost, _ = await clients.ask()
    lost.left = True
    _, answer = await clients.ask()
    clients.upstream.gate.set()
    assert ((await answer).id, clients.upstream.submits) == ("task-1", 1)


async def test_resend_returns_the_task_of_a_submit_that_has_ended_meanwhile(clients: Clients) -> None:
    lost, first = await clients.ask()
    lost.left = True
    clients.upstream.gate.set()
    await first
    _, answer = await clients.ask()
    assert ((await answer).id, clients.upstream.submits) == ("task-1", 1)


async def test_identical_requests_of_connected_clients_are_different_tasks(clients: Clients) -> None:
    answers = [(await clients.ask())[1] for _ in range(3)]
    clients.upstream.gate.set()
    answers += [(await clients.ask())[1]]
    assert {(await answer).id for answer in answers} == {"task-1", "task-2", "task-3", "task-4"}


async def test_one_lost_request_is_resent_once(clients: Clients) -> None:
    lost, _ = await clients.ask()
    lost.left = True
    clients.upstream.gate.set()
    answers = [(await clients.ask())[1] for _ in range(2)]
    assert [(await answer).id for answer in answers] == ["task-1", "task-2"]


async def test_other_content_and_other_callers_are_no_resends(clients: Clients) -> None:
    lost, _ = await clients.ask()
    lost.left = True
    clients.upstream.gate.set()
    answers = [(await clients.ask(DOG))[1], (await clients.ask(CAT, "b"))[1]]
    assert {(await answer).id for answer in answers} == {"task-2", "task-3"}


async def test_refused_submit_is_sent_again(clients: Clients) -> None:
    clients.upstream.errors = [GatewayError("rate_limit_exceeded")]
    lost, first = await clients.ask()
    lost.left = True
    clients.upstream.gate.set()
    with pytest.raises(GatewayError):
        await first
    assert (await (await clients.ask())[1]).id == "task-2"


async def test_submit_with_an_unknown_outcome_is_not_sent_again(clients: Clients) -> None:
    clients.upstream.errors = [GatewayError("submission_unconfirmed")]
    lost, first = await clients.ask()
    lost.left = True
    clients.upstream.gate.set()
    with pytest.raises(GatewayError):
        await first
    with pytest.raises(GatewayError) as caught:
        await (await clients.ask())[1]
    assert (caught.value.code, clients.upstream.submits) == ("submission_unconfirmed", 1)


async def test_record_expires_after_ten_minutes(clients: Clients, clock: TestClock) -> None:
    lost, first = await clients.ask()
    lost.left = True
    clients.upstream.gate.set()
    await first
    clock.move(RETRY_SECONDS + 1)
    assert (await (await clients.ask())[1]).id == "task-2"


class ServedConnection:
    """A client as the server sees it: a close is noticed some turns of the event loop later."""

    closed = False

    def leave(self, turns: int = 1) -> None:
        loop = asyncio.get_running_loop()
        notice: Callable[[], object] = partial(setattr, self, "closed", True)
        for _ in range(turns - 1):
            notice = partial(loop.call_soon, notice)
        loop.call_soon(notice)

    async def is_disconnected(self) -> bool:
        return self.closed


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("resends", [1, 2, 3])
async def test_resends_that_come_before_a_close_is_noticed_join_the_submit(
    clients: Clients, store: IdempotencyStore, resends: int, turns: int
) -> None:
    lost, _ = await clients.ask()
    lost.left = True
    connections = [ServedConnection() for _ in range(resends)]
    answers = []
    for connection in connections:
        made = order("a", CAT, unmarked_retries=True, client=connection)
        answers.append(asyncio.create_task(store.run(made, clients.upstream.submit)))
    await asyncio.sleep(0)
    for connection in connections[:-1]:
        connection.leave(turns)
    await let_tasks_run()
    clients.upstream.gate.set()
    assert ((await answers[-1]).id, clients.upstream.submits) == ("task-1", 1)


@pytest.mark.parametrize("turns", [1, 3, 5])
async def test_client_that_left_as_the_outcome_came_is_not_answered(
    clients: Clients, store: IdempotencyStore, turns: int
) -> None:
    lost = ServedConnection()

    async def submit(order: SubmitOrder, record: SubmitRecord) -> Submitted:
        submitted = await clients.upstream.submit(order, record)
        lost.leave(turns)
        return submitted

    clients.upstream.gate.set()
    await store.run(order("a", CAT, unmarked_retries=True, client=lost), submit)
    assert ((await (await clients.ask())[1]).id, clients.upstream.submits) == ("task-1", 1)
