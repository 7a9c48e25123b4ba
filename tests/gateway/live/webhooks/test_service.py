"""Webhooks from a submit to the delivery: retries, limits, repeats, secrets, and what is lost at a stop."""

import asyncio
import hashlib
import hmac
import json
import logging
import time
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from typing import Any

import pytest
from standardwebhooks import Webhook

from gateway.accounts.callers import Caller
from gateway.core import metrics
from gateway.core.errors import GatewayError
from gateway.core.logs import JsonFormatter, TextFormatter
from gateway.core.webhook_secrets import PREFIX, encode_secret
from gateway.live.webhooks.service import FOLLOWED_SECONDS, Followed, Webhooks
from gateway.task_ids.signed import TaskId, sign
from gateway.tasks.view import Task
from providers.contract.accounts import Account
from providers.contract.tasks import Phase
from tests.clock import TestClock
from tests.gateway.live.webhooks.receiver import HOST, FollowedTasks, Receiver
from tests.gateway.media.fetching.fixtures import INSIDE, PUBLIC, Names

KEY = b"k" * 32
ALICE, BOB = (Caller((Account("scripted", f"s-{name}"),)) for name in ("alice", "bob"))
LATE_HOUR = 24 * 3600.0


def followed(number: int = 1, render: Callable[[Task], dict[str, Any]] | None = None) -> Followed:
    signed_id = sign(TaskId("scripted", str(number), "a" * 12), KEY)
    return Followed(f"task-{number}", signed_id, KEY, render or (lambda task: {"task_id": task.id}))


@pytest.fixture
async def webhooks(receiver: Receiver, clock: TestClock, tasks: FollowedTasks) -> AsyncIterator[Webhooks]:
    webhooks = Webhooks(clock, receiver.sender(clock), tasks.watch, limit=3, limit_per_caller=2)
    yield webhooks
    await webhooks.aclose()


def follow(webhooks: Webhooks, url: str, number: int = 1, caller: Caller = ALICE, **options: Any) -> str | None:
    """A submit with a webhook."""
    with webhooks.reserve(caller, url, **options) as place:
        return place.follow(followed(number))


async def ended(webhooks: Webhooks) -> None:
    """Wait until nothing is pending."""
    await asyncio.wait_for(asyncio.gather(*webhooks._background._tasks), 10)
    await asyncio.sleep(0)
    assert webhooks._pending == {}
    assert webhooks._taken.total() == 0


def counted(outcome: str) -> float:
    return float(metrics.WEBHOOKS.labels(outcome)._value.get())


def pending() -> float:
    return float(metrics.WEBHOOKS_PENDING._value.get())


# --- delivery -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("phase", "type_"), [(Phase.COMPLETED, "video.completed"), (Phase.FAILED, "video.failed")])
async def test_event_is_delivered_once_the_task_has_ended(
    webhooks: Webhooks, receiver: Receiver, tasks: FollowedTasks, phase: Phase, type_: str
) -> None:
    before, in_all = counted("delivered"), pending()
    secret = follow(webhooks, receiver.url)
    await asyncio.sleep(0.01)
    assert (receiver.requests, pending() - in_all) == ([], 1)
    tasks.end(phase)
    await ended(webhooks)
    [request] = receiver.requests
    event = Webhook(secret or "").verify(request.body, request.headers)
    assert (event["type"], event["data"]) == (type_, {"task_id": "task-1"})
    assert (counted("delivered") - before, pending() - in_all) == (1, 0)


async def test_failed_attempts_are_repeated_after_growing_pauses(
    webhooks: Webhooks, receiver: Receiver, tasks: FollowedTasks, clock: TestClock
) -> None:
    receiver.answers = [500, "https://127.0.0.1/", 404, 503, 500, 204]
    tasks.end()
    secret = follow(webhooks, receiver.url)
    await ended(webhooks)
    assert clock.slept == [10, 30, 120, 600, 3600]
    times = [int(request.headers["webhook-timestamp"]) for request in receiver.requests]
    assert [later - earlier for earlier, later in pairwise(times)] == clock.slept
    assert len({(request.headers["webhook-id"], request.body) for request in receiver.requests}) == 1
    for request in receiver.requests:
        headers = request.headers
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
        expected = hmac.new(b64decode((secret or "").removeprefix(PREFIX)), signed, hashlib.sha256).digest()
        assert headers["webhook-signature"] == f"v1,{b64encode(expected).decode()}"


async def test_webhook_is_given_up_after_the_last_attempt(
    webhooks: Webhooks, receiver: Receiver, tasks: FollowedTasks, caplog: pytest.LogCaptureFixture
) -> None:
    before = counted("given_up")
    receiver.answers = [500] * 10
    tasks.end()
    follow(webhooks, receiver.url)
    with caplog.at_level(logging.INFO, "gateway"):
        await ended(webhooks)
    assert (len(receiver.requests), counted("given_up") - before) == (6, 1)
    assert [record.getMessage() for record in caplog.records] == ["webhook failed"] * 5 + ["webhook given up"]


async def test_address_is_checked_at_every_attempt(receiver: Receiver, tasks: FollowedTasks, clock: TestClock) -> None:
    names = Names({HOST: [[INSIDE], [INSIDE, "10.0.0.1"], [PUBLIC]]})
    webhooks = Webhooks(clock, receiver.sender(clock, names), tasks.watch, limit=1, limit_per_caller=1)
    tasks.end()
    follow(webhooks, receiver.url)
    await ended(webhooks)
    await webhooks.aclose()
    assert (len(receiver.requests), receiver.hits, clock.slept) == (1, 0, [10, 30])


async def test_error_of_the_status_is_no_end(
    webhooks: Webhooks, receiver: Receiver, tasks: FollowedTasks, clock: TestClock
) -> None:
    tasks.errors = [GatewayError(code) for code in ("task_not_found", "invalid_api_key", "upstream_unavailable")]
    tasks.end()
    follow(webhooks, receiver.url)
    await ended(webhooks)
    assert clock.slept == [15, 30, 60]
    assert json.loads(receiver.requests[0].body)["type"] == "video.completed"


async def test_task_that_never_ends_is_followed_for_a_day(
    webhooks: Webhooks, receiver: Receiver, tasks: FollowedTasks, clock: TestClock, caplog: pytest.LogCaptureFixture
) -> None:
    follow(webhooks, receiver.url)
    await clock.run(FOLLOWED_SECONDS - 1)
    assert len(webhooks._pending) == 1
    await clock.run(2)
    await ended(webhooks)
    assert (receiver.requests, FOLLOWED_SECONDS) == ([], LATE_HOUR)
    [record] = caplog.records
    assert record.__dict__["fields"] == {
        "task": "task-1",
        "host": HOST,
        "cause": "the task did not end within 24 h",
    }


async def test_unexpected_error_ends_one_webhook_only(
    webhooks: Webhooks, receiver: Receiver, tasks: FollowedTasks, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(task: Task) -> dict[str, Any]:
        raise KeyError("whatever")

    with webhooks.reserve(ALICE, receiver.url) as place:
        place.follow(followed(1, broken))
    follow(webhooks, receiver.url, 2)
    tasks.end()
    await ended(webhooks)
    assert len(receiver.requests) == 1
    assert ["KeyError" in record.__dict__["fields"]["cause"] for record in caplog.records] == [True]


# --- secrets ------------------------------------------------------------------------------------------------------


async def test_secret_of_the_configuration_signs_and_is_not_shown(
    webhooks: Webhooks, receiver: Receiver, tasks: FollowedTasks
) -> None:
    webhooks.secret = encode_secret(b"c" * 24)
    tasks.end()
    assert follow(webhooks, receiver.url) is None
    await ended(webhooks)
    request = receiver.requests[0]
    assert Webhook(webhooks.secret).verify(request.body, request.headers)


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
async def test_secret_and_query_are_never_logged(
    webhooks: Webhooks,
    receiver: Receiver,
    tasks: FollowedTasks,
    caplog: pytest.LogCaptureFixture,
    formatter: logging.Formatter,
) -> None:
    receiver.answers = [500]
    tasks.end()
    with caplog.at_level(logging.DEBUG):
        secret = follow(webhooks, receiver.url)
        await ended(webhooks)
        logging.getLogger("gateway").warning("a careless line with %s", secret)
    lines = [formatter.format(record) for record in caplog.records if record.name.startswith("gateway")]
    assert len(lines) == 3
    assert HOST in lines[0] and "task-1" in lines[1]
    for line in lines:
        assert (secret or "")[len(PREFIX) : -1] not in line
        assert "in-the-query" not in line and "/hook" not in line


async def test_each_delivery_is_a_log_line(
    webhooks: Webhooks, receiver: Receiver, tasks: FollowedTasks, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answers = [503]
    tasks.end()
    follow(webhooks, receiver.url)
    with caplog.at_level(logging.INFO, "gateway"):
        await ended(webhooks)
    first, second = (record.__dict__["fields"] for record in caplog.records)
    assert first.pop("seconds") >= 0
    assert first == {
        "task": "task-1",
        "host": HOST,
        "outcome": "http_error",
        "status": 503,
        "attempt": 1,
        "retry_in": 10,
    }
    assert (second["outcome"], second["status"], second["attempt"]) == ("delivered", 200, 2)


# --- limits and repeats -------------------------------------------------------------------------------------------


async def test_webhooks_of_a_caller_and_in_all_are_limited(webhooks: Webhooks, receiver: Receiver) -> None:
    follow(webhooks, receiver.url, 1)
    follow(webhooks, receiver.url, 2)
    with pytest.raises(GatewayError) as caught:
        webhooks.reserve(ALICE, receiver.url)
    assert (caught.value.spec.status, caught.value.spec.should_retry) == (429, True)
    assert "limit of 2 pending webhooks" in caught.value.message("en")
    follow(webhooks, receiver.url, 3, BOB)
    with pytest.raises(GatewayError) as caught:
        webhooks.reserve(BOB, receiver.url)
    assert (caught.value.spec.status, caught.value.spec.should_retry) == (503, True)
    assert "limit of 3 pending webhooks" in caught.value.message("en")


async def test_delivered_webhook_frees_its_place(webhooks: Webhooks, receiver: Receiver, tasks: FollowedTasks) -> None:
    tasks.end()
    for number in range(5):
        follow(webhooks, receiver.url, number)
        await ended(webhooks)
    assert len(receiver.requests) == 5


async def test_running_submits_count_and_failed_ones_free_their_place(webhooks: Webhooks, receiver: Receiver) -> None:
    with webhooks.reserve(ALICE, receiver.url), webhooks.reserve(ALICE, receiver.url), pytest.raises(GatewayError):
        webhooks.reserve(ALICE, receiver.url)
    assert webhooks._taken.total() == 0
    with pytest.raises(RuntimeError), webhooks.reserve(ALICE, receiver.url):
        raise RuntimeError
    assert webhooks._taken.total() == 0


async def test_repeat_of_a_submit_is_delivered_once(
    webhooks: Webhooks, receiver: Receiver, tasks: FollowedTasks
) -> None:
    """While its webhook is pending, beyond the limits too, and after its delivery."""
    secrets = [follow(webhooks, receiver.url), follow(webhooks, receiver.url, 2)]
    secrets.append(follow(webhooks, receiver.url, repeat=True))
    tasks.end()
    await ended(webhooks)
    secrets.append(follow(webhooks, receiver.url, repeat=True))
    await ended(webhooks)
    assert len(receiver.requests) == 2
    assert secrets[0] is not None and len(set(secrets)) == 1


async def test_repeat_after_a_given_up_webhook_is_delivered(
    webhooks: Webhooks, receiver: Receiver, tasks: FollowedTasks
) -> None:
    receiver.answers = [500] * 6
    tasks.end()
    for _ in range(2):
        follow(webhooks, receiver.url)
        await ended(webhooks)
    assert len(receiver.requests) == 7
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1


async def test_another_url_of_the_same_task_is_another_webhook(
    webhooks: Webhooks, receiver: Receiver, tasks: FollowedTasks
) -> None:
    tasks.end()
    follow(webhooks, receiver.url)
    follow(webhooks, receiver.url + "2")
    await ended(webhooks)
    assert len(receiver.requests) == 2


@pytest.mark.parametrize(
    "url",
    [
        *("http://hooks.example/", "https://10.0.0.1/", "https://localhost/", "https://[::1]/", "ftp://hooks.example/"),
        *("hooks.example/done", "", "https://", "https://u:p@hooks.example/", "https://hooks.example:22/", "\0"),
    ],
)
async def test_disallowed_url_takes_no_place(webhooks: Webhooks, url: str) -> None:
    webhooks.sender.url_policy = type(webhooks.sender.url_policy)()
    with pytest.raises(GatewayError) as caught:
        webhooks.reserve(ALICE, url)
    assert (caught.value.code, caught.value.param) == ("invalid_value", "webhook_url")
    assert "public https:// URL" in caught.value.message("en")
    assert "公网" in caught.value.message("zh")
    assert webhooks._taken.total() == 0


# --- stop ---------------------------------------------------------------------------------------------------------


async def test_pending_webhooks_are_logged_when_the_process_stops(
    receiver: Receiver, tasks: FollowedTasks, caplog: pytest.LogCaptureFixture
) -> None:
    """One whose task runs, and one whose receiver did not answer 2xx."""
    before, in_all = counted("lost"), pending()
    clock = TestClock(time.time())
    sleeping = asyncio.Event()

    async def sleep(seconds: float) -> None:
        sleeping.set()
        await asyncio.Event().wait()

    clock.sleep = sleep  # type: ignore[method-assign]
    webhooks = Webhooks(clock, receiver.sender(clock), tasks.watch, limit=3, limit_per_caller=3)
    receiver.answers = [500]
    tasks.end()
    follow(webhooks, receiver.url)
    await asyncio.wait_for(sleeping.wait(), 5)
    tasks.ends = asyncio.get_running_loop().create_future()
    follow(webhooks, receiver.url, 2)
    await asyncio.sleep(0)
    caplog.clear()
    await webhooks.aclose()
    [record] = caplog.records
    assert record.__dict__["fields"] == {"count": 2, "tasks": "task-1,task-2"}
    assert (counted("lost") - before, pending() - in_all) == (2, 0)
    assert webhooks._background._tasks == set()


async def test_nothing_is_logged_when_nothing_is_pending(webhooks: Webhooks, caplog: pytest.LogCaptureFixture) -> None:
    await webhooks.aclose()
    assert caplog.records == []
