"""Idempotency: a repeated submit returns the first task."""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Coroutine
from typing import Any

import pytest

from gateway.accounts.callers import Caller
from gateway.core.errors import GatewayError
from gateway.tasks import idempotency
from gateway.tasks.idempotency import KEY_SECONDS, RETRY_SECONDS, IdempotencyStore, SubmitRecord, fingerprint_of
from gateway.tasks.order import SubmitOrder
from gateway.tasks.view import Submitted
from providers.contract.accounts import Account
from providers.contract.requests import Media, VideoRequest
from providers.media_files import MediaKind
from tests.clock import TestClock
from tests.gateway.tasks.counted_submits import CAT, DOG, Upstream, let_tasks_run, order


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

    async def test_long_key_is_not_kept(self, store: IdempotencyStore) -> None:
        upstream = Upstream()
        for key in ("k" * 60_000, "k" * 60_000, "k" * 59_999 + "l"):
            await store.run(order("a", CAT, idempotency_key=key), upstream.submit)
        assert upstream.submits == 2
        assert max(map(len, upstream.seeds)) < 100

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
        for _ in range(2):
            with pytest.raises(GatewayError) as caught:
                await store.run(order("a", CAT, idempotency_key="k"), upstream.submit)
            assert caught.value.code == "submission_unconfirmed"
        assert upstream.submits == 1

    @pytest.mark.parametrize("options", [{}, {"retry_count": 0}])
    async def test_unexpected_error_after_sending_is_unconfirmed_without_a_key(
        self, store: IdempotencyStore, options: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        upstream = Upstream(RuntimeError("a bug"))
        with pytest.raises(GatewayError) as caught:
            await store.run(order("a", CAT, **options), upstream.submit)
        assert (caught.value.code, caught.value.log_fields()["account"]) == ("submission_unconfirmed", "main")
        assert "RuntimeError" in str([vars(record).get("fields") for record in caplog.records])

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


class TestOtherCallers:
    """Submits of other callers do not make a key unknown: its next request would be charged again."""

    @pytest.fixture
    def store(self, clock: TestClock, monkeypatch: pytest.MonkeyPatch) -> IdempotencyStore:
        monkeypatch.setattr(idempotency, "_MAX_RECORDS", 8)
        monkeypatch.setattr(idempotency, "_MAX_UNKNOWN_RECORDS", 4)
        known = {Account("p", name).id for name in ("guest", "other")}
        return IdempotencyStore(clock, iter(map(str, range(1000))).__next__, known.__contains__)

    @pytest.mark.parametrize("options", [{"idempotency_key": "k"}, {"retry_count": 1}], ids=["by key", "by content"])
    @pytest.mark.parametrize("error", [None, GatewayError("submission_unconfirmed")], ids=["submitted", "unconfirmed"])
    async def test_known_account_keeps_its_record(
        self, store: IdempotencyStore, options: dict[str, Any], error: GatewayError | None
    ) -> None:
        guest, others = Upstream(*([error] if error else [])), Upstream()
        guest.account, others.account = "guest", "other"
        await outcome_of(store.run(order("guest", CAT, **options), guest.submit))
        for number in range(20):
            others.errors.append(GatewayError("submission_unconfirmed"))
            await outcome_of(store.run(order("other", DOG, idempotency_key=f"k{number}"), others.submit))
            others.errors.append(GatewayError("submission_unconfirmed"))
            body = fingerprint_of("video", number)
            await outcome_of(store.run(order("other", body, retry_count=0), others.submit))
        for number in range(20):
            others.account = f"stranger {number}"
            others.errors.append(GatewayError("submission_unconfirmed"))
            await outcome_of(store.run(order(others.account, DOG, idempotency_key="k"), others.submit))
        assert others.submits == 60
        await outcome_of(store.run(order("guest", CAT, **options), guest.submit))
        assert guest.submits == 1

    async def test_account_in_many_combinations_is_one_owner(self, store: IdempotencyStore) -> None:
        guest, others = Upstream(), Upstream()
        guest.account, others.account = "guest", "other"
        await store.run(order("guest", CAT, idempotency_key="k"), guest.submit)
        for number in range(20):
            caller = Caller((Account("p", f"stranger {number}"), Account("p", "other")))
            await store.run(SubmitOrder(caller, VideoRequest("m"), DOG, idempotency_key="k"), others.submit)
        await store.run(order("guest", CAT, idempotency_key="k"), guest.submit)
        assert (guest.submits, others.submits) == (1, 20)

    async def test_gateway_keys_of_one_account_are_owners_of_their_own(self, store: IdempotencyStore) -> None:
        upstream = Upstream()
        first, second = (Caller((Account("p", "guest"),), managed=True, owner=one * 12) for one in "ab")
        submits = [(first, "k"), *((second, f"k{number}") for number in range(20)), (first, "k")]
        for caller, key in submits:
            await store.run(SubmitOrder(caller, VideoRequest("m"), CAT, idempotency_key=key), upstream.submit)
        assert upstream.submits == 21


async def outcome_of(submit: Coroutine[Any, Any, Submitted]) -> None:
    with contextlib.suppress(GatewayError):
        await submit


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


async def test_repeat_is_told_from_a_first_submit(store: IdempotencyStore, clock: TestClock) -> None:
    upstream = Upstream()
    keyed, retried = order("a", CAT, idempotency_key="k"), order("a", CAT, retry_count=1)
    plain, first = order("a", CAT), order("a", CAT, retry_count=0)
    assert not any(map(store.is_repeat, (keyed, retried, plain, first)))
    upstream.gate.clear()
    running = [asyncio.create_task(store.run(one, upstream.submit)) for one in (keyed, first)]
    await let_tasks_run()
    assert [store.is_repeat(one) for one in (keyed, retried, plain, first)] == [True, True, False, False]
    assert not store.is_repeat(order("b", CAT, idempotency_key="k"))
    upstream.gate.set()
    await asyncio.gather(*running)
    assert [store.is_repeat(one) for one in (keyed, retried)] == [True, True]
    clock.move(KEY_SECONDS + 1)
    assert not any(map(store.is_repeat, (keyed, retried)))


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
