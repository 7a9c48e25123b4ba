"""Idempotency: a repeated submit returns the first task."""

import asyncio
import contextlib
import gc
import itertools
import weakref
from typing import Any

import pytest

from gateway.accounts.callers import Caller
from gateway.core.errors import GatewayError
from gateway.tasks.idempotency import KEY_SECONDS, RETRY_SECONDS, IdempotencyStore, SubmitRecord, fingerprint_of
from gateway.tasks.order import SubmitOrder
from gateway.tasks.view import Submitted
from providers.contract.accounts import Account
from providers.contract.requests import Media, VideoRequest
from providers.media_files import MediaKind
from tests.clock import TestClock

CAT, DOG = (fingerprint_of("video", VideoRequest("m", prompt)) for prompt in ("cat", "dog"))


def made(id: str) -> Submitted:
    return Submitted(id, id, id, "p", "account", "m", 0)


def order(caller: str, fingerprint: bytes, **options: Any) -> SubmitOrder:
    return SubmitOrder(Caller((Account("p", caller),)), VideoRequest("m"), fingerprint, **options)


class Upstream:
    """Counts submits. Raises `errors` first, after sending unless `early`."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.submits = 0
        self.early = False
        self.findable = False
        self.seeds: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def submit(self, order: SubmitOrder, record: SubmitRecord) -> Submitted:
        self.seeds.append(record.seed)
        if record.unconfirmed:
            if self.findable:
                return made("found")
            raise GatewayError("submission_unconfirmed")
        self.submits += 1
        number = self.submits
        if not self.early:
            record.on_charge({"account": "main"})
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        return made(f"task-{number}")


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def store(clock: TestClock) -> IdempotencyStore:
    seeds = itertools.count(1)
    return IdempotencyStore(clock, lambda: str(next(seeds)))


class TestKeys:
    async def test_same_key_and_body_is_one_submit(self, store: IdempotencyStore) -> None:
        upstream = Upstream()
        tasks = [await store.run(order("a", CAT, idempotency_key="k"), upstream.submit) for _ in range(3)]
        assert [task.id for task in tasks] == ["task-1"] * 3
        assert upstream.submits == 1

    async def test_same_key_with_another_body_is_refused(self, store: IdempotencyStore) -> None:
        upstream = Upstream()
        await store.run(order("a", CAT, idempotency_key="k"), upstream.submit)
        with pytest.raises(GatewayError) as caught:
            await store.run(order("a", DOG, idempotency_key="k"), upstream.submit)
        assert (caught.value.code, caught.value.spec.status) == ("idempotency_mismatch", 409)
        assert upstream.submits == 1

    async def test_other_key_or_caller_is_another_submit(self, store: IdempotencyStore) -> None:
        upstream = Upstream()
        for who, key in (("a", "k"), ("a", "l"), ("b", "k")):
            await store.run(order(who, CAT, idempotency_key=key), upstream.submit)
        assert upstream.submits == 3

    async def test_key_expires_after_a_day(self, store: IdempotencyStore, clock: TestClock) -> None:
        upstream = Upstream()
        await store.run(order("a", CAT, idempotency_key="k"), upstream.submit)
        clock.move(KEY_SECONDS + 1)
        await store.run(order("a", CAT, idempotency_key="k"), upstream.submit)
        assert upstream.submits == 2

    async def test_concurrent_requests_share_one_submit(self, store: IdempotencyStore) -> None:
        upstream = Upstream()
        upstream.gate.clear()
        waiting = [
            asyncio.create_task(store.run(order("a", CAT, idempotency_key="k"), upstream.submit)) for _ in range(3)
        ]
        await asyncio.sleep(0)
        upstream.gate.set()
        assert {task.id for task in await asyncio.gather(*waiting)} == {"task-1"}
        assert upstream.submits == 1

    async def test_disconnected_client_does_not_cancel_the_submit(self, store: IdempotencyStore) -> None:
        upstream = Upstream()
        upstream.gate.clear()
        first = asyncio.create_task(store.run(order("a", CAT, idempotency_key="k"), upstream.submit))
        await asyncio.sleep(0)
        first.cancel()
        second = asyncio.create_task(store.run(order("a", CAT, idempotency_key="k"), upstream.submit))
        await asyncio.sleep(0)
        upstream.gate.set()
        assert (await second).id == "task-1"

    async def test_refused_submit_can_be_retried(self, store: IdempotencyStore) -> None:
        upstream = Upstream(GatewayError("rate_limit_exceeded"))
        with pytest.raises(GatewayError):
            await store.run(order("a", CAT, idempotency_key="k"), upstream.submit)
        assert (await store.run(order("a", CAT, idempotency_key="k"), upstream.submit)).id == "task-2"

    async def test_unconfirmed_submit_is_looked_up_and_never_resent(self, store: IdempotencyStore) -> None:
        upstream = Upstream(GatewayError("submission_unconfirmed"))
        for _ in range(3):
            with pytest.raises(GatewayError) as caught:
                await store.run(order("a", CAT, idempotency_key="k"), upstream.submit)
            assert caught.value.code == "submission_unconfirmed"
        assert upstream.submits == 1
        upstream.findable = True
        assert (await store.run(order("a", CAT, idempotency_key="k"), upstream.submit)).id == "found"
        assert set(upstream.seeds) == {"client:k"}

    async def test_unexpected_error_is_unconfirmed(self, store: IdempotencyStore) -> None:
        upstream = Upstream(RuntimeError("a bug"))
        with pytest.raises(RuntimeError):
            await store.run(order("a", CAT, idempotency_key="k"), upstream.submit)
        with pytest.raises(GatewayError):
            await store.run(order("a", CAT, idempotency_key="k"), upstream.submit)
        assert upstream.submits == 1

    async def test_unexpected_error_before_sending_is_retryable(self, store: IdempotencyStore) -> None:
        upstream = Upstream(RuntimeError("a bug"))
        upstream.early = True
        with pytest.raises(RuntimeError):
            await store.run(order("a", CAT, idempotency_key="k"), upstream.submit)
        assert (await store.run(order("a", CAT, idempotency_key="k"), upstream.submit)).id == "task-2"

    async def test_failed_submit_keeps_nothing_of_its_request(self, store: IdempotencyStore) -> None:
        class Picture:
            pass

        async def fail() -> "weakref.ref[Picture]":
            picture = Picture()

            async def submit(order: SubmitOrder, record: SubmitRecord) -> Submitted:
                raise GatewayError("submission_unconfirmed", detail=str(picture))

            with contextlib.suppress(GatewayError):
                await store.run(order("a", CAT, idempotency_key="k"), submit)
            return weakref.ref(picture)

        left = await fail()
        await asyncio.sleep(0)
        gc.collect()
        assert left() is None


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


async def let_tasks_run() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


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


class TestCancelledRequests:
    @pytest.mark.parametrize("options", [{}, {"idempotency_key": "k"}, {"retry_count": 0}])
    @pytest.mark.parametrize("early", [True, False])
    async def test_cancelled_request_is_retryable_only_if_nothing_was_sent(
        self, store: IdempotencyStore, options: dict[str, Any], early: bool
    ) -> None:
        upstream = Upstream()
        upstream.early = early
        upstream.gate.clear()
        request = asyncio.create_task(store.run(order("a", CAT, **options), upstream.submit))
        await let_tasks_run()
        request.cancel()
        if early:
            with pytest.raises(asyncio.CancelledError):
                await request
        else:
            with pytest.raises(GatewayError) as caught:
                await request
            assert (caught.value.code, caught.value.spec.should_retry) == ("submission_unconfirmed", False)
            assert caught.value.log_fields() == {"code": "submission_unconfirmed", "account": "main"}
        upstream.gate.set()
        await let_tasks_run()

    @pytest.mark.parametrize("options", [{"idempotency_key": "k"}, {"retry_count": 0}])
    @pytest.mark.parametrize("steps", range(8))
    async def test_cancellation_around_the_response_keeps_the_outcome(
        self, store: IdempotencyStore, options: dict[str, Any], steps: int
    ) -> None:
        """The process ends at any moment around the response."""

        class Connection:
            async def is_disconnected(self) -> bool:
                for _ in range(3):
                    await asyncio.sleep(0)
                return False

        upstream = Upstream()
        upstream.gate.clear()
        request = asyncio.create_task(store.run(order("a", CAT, client=Connection(), **options), upstream.submit))
        await let_tasks_run()
        upstream.gate.set()
        for _ in range(steps):
            await asyncio.sleep(0)
        request.cancel()
        (outcome,) = await asyncio.gather(request, return_exceptions=True)
        if not isinstance(outcome, Submitted):
            assert isinstance(outcome, GatewayError), steps
            assert outcome.code == "submission_unconfirmed"


def test_fingerprint_covers_every_field() -> None:
    picture = Media(MediaKind.IMAGE, "https://h/a.png", "image")
    other = Media(MediaKind.IMAGE, "https://h/b.png", "image")
    requests = [
        VideoRequest("m", "cat"),
        VideoRequest("m", "dog"),
        VideoRequest("m", "cat", media=(picture,)),
        VideoRequest("m", "cat", media=(other,)),
        VideoRequest("m", "cat", options={"a": {"b": 1}}),
        VideoRequest("m", "cat", seed=1),
    ]
    prints = {fingerprint_of(what, request) for what in ("video", "remix") for request in requests}
    assert len(prints) == 2 * len(requests)
    assert fingerprint_of(VideoRequest("m", "x", options={"a": 1, "b": 2})) == fingerprint_of(
        VideoRequest("m", "x", options={"b": 2, "a": 1})
    )


async def test_submit_that_outlasts_its_ttl_is_sent_once(store: IdempotencyStore, clock: TestClock) -> None:
    for options in ({"idempotency_key": "k"}, {"retry_count": 1}):
        upstream = Upstream()
        upstream.gate.clear()
        first = asyncio.create_task(store.run(order("a", CAT, **options), upstream.submit))
        await asyncio.sleep(0)
        clock.move(max(KEY_SECONDS, RETRY_SECONDS) + 1)
        again = asyncio.create_task(store.run(order("a", CAT, **options), upstream.submit))
        await asyncio.sleep(0)
        upstream.gate.set()
        assert (await first).id == (await again).id
        # Its TTL starts at its end.
        clock.move(RETRY_SECONDS - 1)
        assert (await store.run(order("a", CAT, **options), upstream.submit)).id == (await first).id
        assert upstream.submits == 1
