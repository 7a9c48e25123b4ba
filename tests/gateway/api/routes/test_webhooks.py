"""The operator's sample event, over a real connection."""

import json
import ssl
import time
from collections.abc import AsyncIterator

import pytest
import trustme
from openai import OpenAI
from standardwebhooks import Webhook

from gateway.core.webhook_secrets import encode_secret
from tests.clock import TestClock
from tests.gateway.api.routes.conftest import Api
from tests.gateway.live.webhooks.receiver import HOST, Receiver, running_receiver

PATH = "/v1/webhooks/test"
SECRET = encode_secret(b"s" * 24)


@pytest.fixture
async def receiver(api: Api) -> AsyncIterator[Receiver]:
    tls, trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority = trustme.CA()
    authority.issue_cert(HOST).configure_cert(tls)
    authority.configure_trust(trusted)
    async with running_receiver(tls, trusted) as receiver:
        api.app.state.services.webhooks.sender = receiver.sender(TestClock(time.time()))
        yield receiver


async def test_sample_is_signed_with_the_given_secret(api: Api, receiver: Receiver) -> None:
    answer = (await api.post(PATH, {"url": receiver.url, "secret": SECRET})).json()
    assert (answer["delivered"], answer["status"], "error" in answer, "secret" in answer) == (True, 200, False, False)
    assert 0 <= answer["duration_ms"] < 5000
    [request] = receiver.requests
    assert answer["headers"].items() <= request.headers.items()
    assert answer["body"].encode() == request.body
    assert Webhook(SECRET).verify(request.body, request.headers)["data"]["task_id"] == "sample"


async def test_secret_is_made_where_there_is_none(api: Api, receiver: Receiver) -> None:
    answer = (await api.post(PATH, {"url": receiver.url})).json()
    event = OpenAI(api_key="k", webhook_secret=answer["secret"]).webhooks.unwrap(answer["body"], answer["headers"])
    assert event.id == answer["headers"]["webhook-id"]


async def test_secret_of_the_configuration_is_used_and_not_shown(api: Api, receiver: Receiver) -> None:
    api.app.state.services.webhooks.secret = SECRET
    answer = await api.post(PATH, {"url": receiver.url})
    assert SECRET not in answer.text and "secret" not in answer.json()
    assert Webhook(SECRET).verify(receiver.requests[0].body, receiver.requests[0].headers)


@pytest.mark.parametrize(("language", "words"), [("en", "HTTP 500: it must answer 2xx"), ("zh", "应返回 2xx")])
async def test_failure_is_told_in_words(api: Api, receiver: Receiver, language: str, words: str) -> None:
    receiver.answers = [500]
    answer = (await api.post(PATH, {"url": receiver.url}, accept_language=language)).json()
    assert (answer["delivered"], answer["status"]) == (False, 500)
    assert words in answer["error"]
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "url"),
        ({"url": ""}, "url"),
        ({"url": 5}, "url"),
        ({"url": "http://hooks.example/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "https://hooks.example/", "secret": "whsec_short"}, "secret"),
        ({"url": "https://hooks.example/", "secret": 1}, "secret"),
    ],
)
async def test_bad_field_is_refused(api: Api, body: dict[str, object], param: str) -> None:
    answer = await api.post(PATH, body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text
    assert "whsec_short" not in answer.text


async def test_sample_is_for_the_operator(managed_api: Api, receiver: Receiver) -> None:
    answer = await managed_api.post(PATH, {"url": receiver.url}, x_forwarded_for="203.0.113.9")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    assert receiver.requests == []


async def test_attempts_are_in_the_metrics(api: Api, receiver: Receiver) -> None:
    receiver.answers = [418]
    await api.post(PATH, {"url": receiver.url})
    text = (await api.get("/metrics")).text
    assert 'gateway_webhook_duration_seconds_count{outcome="http_error"}' in text
    assert "gateway_webhooks_pending " in text
    assert HOST not in text and json.dumps(SECRET) not in text
