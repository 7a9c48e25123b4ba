"""Idempotency without a key: the retries of client libraries are matched by content."""

import asyncio

import pytest

from gateway.core.errors import GatewayError
from gateway.tasks.idempotency import RETRY_SECONDS, IdempotencyStore
from gateway.tasks.view import Submitted
from tests.clock import TestClock
from tests.gateway.tasks.counted_submits import CAT, DOG, Upstream, let_tasks_run, order


class TestLibraryRetries:
    async def test_retry_returns_the_first_task(self, store: IdempotencyStore) -> None:
        upstream = Upstream()
        tasks = [await store.run(order("a", CAT, retry_count=tries), upstream.submit) for tries in (0, 1, 2)]
        assert {task.id for task in tasks} == {"task-1"}

    async def test_new_request_with_the_same_content_is_a_new_task(self, store: IdempotencyStore) -> None:
        upstream = Upstream()
        tasks = [await store.run(order("a", CAT, retry_count=tries), upstream.submit) for tries in (0, 0, 1)]
        assert [task.id for task in tasks] == ["task-1", "task-2", "task-2"]

    async def test_retry_of_another_request_or_caller_is_a_new_submit(self, store: IdempotencyStore) -> None:
        upstream = Upstream()
        await store.run(order("a", CAT, retry_count=0), upstream.submit)
        await store.run(order("a", DOG, retry_count=1), upstream.submit)
        await store.run(order("b", CAT, retry_count=1), upstream.submit)
        assert upstream.submits == 3

    async def test_record_expires_after_ten_minutes(self, store: IdempotencyStore, clock: TestClock) -> None:
        upstream = Upstream()
        await store.run(order("a", CAT, retry_count=0), upstream.submit)
        clock.move(RETRY_SECONDS + 1)
        await store.run(order("a", CAT, retry_count=1), upstream.submit)
        assert upstream.submits == 2

    async def test_retry_of_a_refused_request_is_sent_once_among_identical_requests(
        self, store: IdempotencyStore
    ) -> None:
        upstream = Upstream()
        await store.run(order("a", CAT, retry_count=0), upstream.submit)
        upstream.errors = [GatewayError("rate_limit_exceeded")]
        with pytest.raises(GatewayError):
            await store.run(order("a", CAT, retry_count=0), upstream.submit)
        assert (await store.run(order("a", CAT, retry_count=1), upstream.submit)).id == "task-3"
        # Only one retry matches it.
        assert (await store.run(order("a", CAT, retry_count=1), upstream.submit)).id == "task-3"

    async def test_without_a_retry_count_every_request_is_a_new_task(self, store: IdempotencyStore) -> None:
        upstream = Upstream()
        for _ in range(2):
            await store.run(order("a", CAT), upstream.submit)
        assert upstream.submits == 2


class Client:
    """A client that is connected or disconnected."""

    def __init__(self, store: IdempotencyStore, upstream: Upstream) -> None:
        self._store = store
        self._closed = asyncio.Event()
        self.upstream = upstream
        self.answers: list[asyncio.Task[Submitted]] = []

    def leave(self) -> None:
        self._closed.set()

    async def ask(self) -> "asyncio.Task[Submitted]":
        """Send or resend the request on a new connection."""
        closed = self._closed = asyncio.Event()

        class Connection:
            async def is_disconnected(self) -> bool:
                await asyncio.sleep(0)
                return closed.is_set()

        once = self._store.run(
            order("a", CAT, retry_count=len(self.answers), client=Connection()), self.upstream.submit
        )
        self.answers.append(asyncio.create_task(once))
        await let_tasks_run()
        return self.answers[-1]


class TestIdenticalRequests:
    """Two clients of one caller send identical requests: each gets its own task, and is charged once."""

    @pytest.fixture
    def slow(self) -> Upstream:
        upstream = Upstream()
        upstream.gate.clear()
        return upstream

    @pytest.fixture
    def clients(self, store: IdempotencyStore, slow: Upstream) -> tuple[Client, Client]:
        return Client(store, slow), Client(store, slow)

    @pytest.mark.parametrize("last", [True, False])
    async def test_each_retry_returns_its_own_task(
        self, clients: tuple[Client, Client], slow: Upstream, last: bool
    ) -> None:
        """One client disconnects while both requests run; the other one gets its response."""
        for client in clients:
            await client.ask()
        leaving, staying = reversed(clients) if last else clients
        leaving.leave()
        slow.gate.set()
        await let_tasks_run()
        again = await leaving.ask()
        assert (await again).id == (await leaving.answers[0]).id
        assert (await again).id != (await staying.answers[0]).id
        assert slow.submits == 2

    async def test_retry_of_a_disconnected_client_joins_its_running_submit(
        self, clients: tuple[Client, Client], slow: Upstream
    ) -> None:
        for client in clients:
            await client.ask()
        clients[1].leave()
        again = await clients[1].ask()
        slow.gate.set()
        assert ((await clients[0].answers[0]).id, (await again).id) == ("task-1", "task-2")
        assert slow.submits == 2

    async def test_two_disconnected_clients_get_one_task_each(
        self, clients: tuple[Client, Client], slow: Upstream
    ) -> None:
        for client in clients:
            await client.ask()
            client.leave()
        slow.gate.set()
        await let_tasks_run()
        again = [await client.ask() for client in clients]
        assert {(await answer).id for answer in again} == {"task-1", "task-2"}
        assert slow.submits == 2

    @pytest.mark.parametrize("ended", [True, False])
    async def test_two_concurrent_retries_get_one_task_each(
        self, clients: tuple[Client, Client], slow: Upstream, ended: bool
    ) -> None:
        for client in clients:
            await client.ask()
            client.leave()
        if ended:
            slow.gate.set()
            await let_tasks_run()
        again = await asyncio.gather(*(client.ask() for client in clients))
        slow.gate.set()
        assert {(await answer).id for answer in again} == {"task-1", "task-2"}
        assert slow.submits == 2

    @pytest.mark.parametrize("code", ["rate_limit_exceeded", "content_policy_violation"])
    async def test_disconnected_client_finds_its_task_while_another_was_refused(
        self, clients: tuple[Client, Client], slow: Upstream, code: str
    ) -> None:
        first, second = clients
        await first.ask()
        refused = second.upstream = Upstream(GatewayError(code))
        with pytest.raises(GatewayError):
            await (await second.ask())
        first.leave()
        slow.gate.set()
        await let_tasks_run()
        assert (await (await first.ask())).id == "task-1"
        assert (slow.submits, refused.submits) == (1, 1)
        if code == "rate_limit_exceeded":
            assert (await (await second.ask())).id == "task-2"
            assert refused.submits == 2

    @pytest.mark.parametrize("steps", range(8))
    async def test_retry_finds_its_task_while_another_client_is_answered(
        self, clients: tuple[Client, Client], slow: Upstream, steps: int
    ) -> None:
        staying, leaving = clients
        for client in clients:
            await client.ask()
        leaving.leave()
        slow.gate.set()
        for _ in range(steps):
            await asyncio.sleep(0)
        again = await leaving.ask()
        assert ((await staying.answers[0]).id, (await again).id) == ("task-1", "task-2")
        assert slow.submits == 2

    async def test_each_of_many_retries_gets_its_own_task(self, store: IdempotencyStore, slow: Upstream) -> None:
        many = [Client(store, slow) for _ in range(100)]
        for client in many:
            await client.ask()
            client.leave()
        slow.gate.set()
        await let_tasks_run()
        again = [await client.ask() for client in many]
        assert len({(await answer).id for answer in again}) == slow.submits == 100

    async def test_old_refused_request_is_not_matched(self, store: IdempotencyStore, clock: TestClock) -> None:
        """A library gives up after three failures: a later identical request is a new one."""
        upstream = Upstream(*(GatewayError("rate_limit_exceeded") for _ in range(3)))
        given_up = Client(store, upstream)
        for _ in range(3):
            with pytest.raises(GatewayError):
                await (await given_up.ask())
        later = Client(store, upstream)
        first = await later.ask()
        assert (await (await later.ask())).id == (await first).id
        assert upstream.submits == 4

    async def test_refused_request_is_matched_while_libraries_retry(
        self, store: IdempotencyStore, clock: TestClock
    ) -> None:
        upstream = Upstream(GatewayError("rate_limit_exceeded"))
        with pytest.raises(GatewayError):
            await (await Client(store, upstream).ask())
        other = Client(store, upstream)
        first = await other.ask()
        clock.move(91)
        assert (await (await other.ask())).id == (await first).id
        assert upstream.submits == 2

    async def test_refused_request_does_not_affect_a_concurrent_one(self, store: IdempotencyStore) -> None:
        """During the search for the record of a retry, one record fails and another one starts."""
        bad = Upstream(GatewayError("content_policy_violation"))
        bad.gate.clear()
        refused, other = Client(store, bad), Client(store, Upstream())
        first = await refused.ask()
        looking = asyncio.create_task(refused.ask())
        await asyncio.sleep(0)
        bad.gate.set()
        accepted = await other.ask()
        await looking
        await let_tasks_run()
        assert (await (await other.ask())).id == (await accepted).id
        assert other.upstream.submits == 1
        with pytest.raises(GatewayError):
            await first
