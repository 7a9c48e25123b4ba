"""Attempts over real connections: what is delivered, where nothing may go, and what is reported."""

import asyncio
import time

import pytest
from openai import OpenAI
from standardwebhooks import Webhook

from gateway.core.webhook_secrets import encode_secret
from gateway.live.webhooks.events import make_event
from gateway.live.webhooks.sender import MAX_ATTEMPTS_PER_CALLER, Attempt, Sender
from gateway.media.url_policy import UrlPolicy
from providers.contract.tasks import Phase
from tests.clock import TestClock
from tests.gateway.live.webhooks.receiver import HOST, Receiver
from tests.gateway.media.fetching.fixtures import INSIDE, PUBLIC, URL_POLICY, Names

SECRET = encode_secret(b"k" * 32)
EVENT = make_event("evt_1", Phase.COMPLETED, {"id": "video_1"}, time.time())


async def sent(receiver: Receiver, url: str, names: Names | None = None, **options: float) -> Attempt:
    return await receiver.sender(TestClock(time.time()), names, **options).send(url, SECRET, EVENT)


async def test_received_request_is_verified(receiver: Receiver) -> None:
    attempt = await sent(receiver, receiver.url)
    assert (attempt.outcome, attempt.status, attempt.error) == ("delivered", 200, None)
    [request] = receiver.requests
    assert request.path == "/hook?token=in-the-query"
    assert request.headers["content-type"] == "application/json"
    assert attempt.headers.items() <= request.headers.items()
    assert Webhook(SECRET).verify(request.body, request.headers)["data"] == {"id": "video_1"}
    assert OpenAI(api_key="k", webhook_secret=SECRET).webhooks.unwrap(request.body, request.headers).id == "evt_1"


@pytest.mark.parametrize("status", [201, 202, 204, 299])
async def test_every_2xx_counts_as_delivered(receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    assert (await sent(receiver, receiver.url)).delivered


@pytest.mark.parametrize("status", [400, 404, 410, 429, 500, 503])
async def test_other_status_is_reported(receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    attempt = await sent(receiver, receiver.url)
    assert (attempt.outcome, attempt.status) == ("http_error", status)
    assert attempt.error is not None
    assert str(status) in attempt.error.en and str(status) in attempt.error.zh


@pytest.mark.parametrize("to", ["https://127.0.0.1:{port}/", f"https://{HOST}:{{port}}/moved"])
async def test_redirect_is_not_followed(receiver: Receiver, to: str) -> None:
    receiver.answers = [to.format(port=receiver.port)]
    attempt = await sent(receiver, receiver.url)
    assert (attempt.outcome, attempt.status) == ("redirect", 307)
    assert (len(receiver.requests), receiver.hits) == (1, 0)


@pytest.mark.parametrize("addresses", [[INSIDE], ["::1"], [INSIDE, "10.0.0.1"], ["169.254.169.254"]])
async def test_name_of_an_internal_address_is_not_connected_to(receiver: Receiver, addresses: list[str]) -> None:
    attempt = await sent(receiver, receiver.url, Names({HOST: [addresses]}))
    assert (attempt.outcome, receiver.hits, receiver.requests) == ("disallowed", 0, [])


async def test_name_that_changes_its_address_is_checked_at_each_attempt(receiver: Receiver) -> None:
    sender = receiver.sender(TestClock(), Names({HOST: [[PUBLIC], [INSIDE], [PUBLIC]]}))
    attempts = [await sender.send(receiver.url, SECRET, EVENT) for _ in range(3)]
    assert [attempt.outcome for attempt in attempts] == ["delivered", "disallowed", "delivered"]
    assert receiver.hits == 0


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:{port}/",
        "https://[::1]:{port}/",
        "https://2130706433:{port}/",
        "https://169.254.169.254/latest",
        "https://localhost:{port}/",
        "http://public.example/",
        "https://user:password@hooks.example:{port}/",
        "data:text/plain,x",
    ],
)
async def test_disallowed_url_is_not_connected_to(receiver: Receiver, url: str) -> None:
    sender = receiver.sender(TestClock())
    sender.url_policy = UrlPolicy()
    attempt = await sender.send(url.format(port=receiver.port), SECRET, EVENT)
    assert (attempt.outcome, receiver.hits) == ("disallowed", 0)


async def test_own_network_of_the_operator_is_reached_over_http(receiver: Receiver) -> None:
    url = f"http://{PUBLIC}:{receiver.plain}/"
    sender = receiver.sender(TestClock())
    assert (await sender.send(url, SECRET, EVENT)).delivered
    sender.url_policy = UrlPolicy()
    assert (await sender.send(url, SECRET, EVENT)).outcome == "disallowed"
    sender.url_policy = URL_POLICY
    assert (await sender.send(url.replace(PUBLIC, INSIDE), SECRET, EVENT)).outcome == "disallowed"


async def test_public_address_is_not_reached_over_http(receiver: Receiver) -> None:
    """Where the operator has own networks, a URL may begin with http. Its name must lead there."""
    attempt = await sent(receiver, f"http://{HOST}:{receiver.plain}/", Names({HOST: [["93.184.215.14"]]}))
    assert attempt.outcome == "disallowed"


async def test_receiver_that_does_not_answer_in_time(receiver: Receiver) -> None:
    receiver.gate.clear()
    attempt = await sent(receiver, receiver.url, answer_seconds=0.05)
    assert (attempt.outcome, attempt.status) == ("timeout", None)


async def test_unreachable_receivers_are_told_apart(receiver: Receiver) -> None:
    outcomes = {
        "unknown_host": receiver.url.replace(HOST, "unknown.example"),
        "unreachable": f"https://{PUBLIC}:1024/",
    }
    for outcome, url in outcomes.items():
        attempt = await sent(receiver, url)
        assert attempt.outcome == outcome
        assert attempt.error is not None and attempt.error.zh and attempt.error.en


async def test_untrusted_certificate_is_a_tls_failure(receiver: Receiver) -> None:
    sender = Sender(TestClock(), resolver=Names({HOST: [[PUBLIC]]}))
    sender.url_policy = URL_POLICY
    receiver.senders.append(sender)
    assert (await sender.send(receiver.url, SECRET, EVENT)).outcome == "tls_failed"


async def test_slow_receivers_of_one_caller_do_not_block_another(receiver: Receiver) -> None:
    sender = receiver.sender(TestClock())
    receiver.gate.clear()
    slow = [
        asyncio.create_task(sender.send(receiver.url, SECRET, EVENT, client="slow"))
        for _ in range(MAX_ATTEMPTS_PER_CALLER + 2)
    ]
    async with asyncio.timeout(5):
        await receiver.received(MAX_ATTEMPTS_PER_CALLER)
        other = asyncio.create_task(sender.send(receiver.url, SECRET, EVENT, client="other"))
        await receiver.received(MAX_ATTEMPTS_PER_CALLER + 1)
        await asyncio.sleep(0.05)
        assert len(receiver.requests) == MAX_ATTEMPTS_PER_CALLER + 1
        receiver.gate.set()
        assert all(attempt.delivered for attempt in await asyncio.gather(other, *slow))


async def test_missing_file_descriptors_are_a_failed_attempt(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library is imported by the first attempt."""

    async def load(module: str) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("gateway.live.webhooks.sender.load", load)
    assert (await sent(receiver, receiver.url)).outcome == "unreachable"
    monkeypatch.undo()
    assert (await sent(receiver, receiver.url)).delivered
