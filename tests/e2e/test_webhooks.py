"""Webhooks of real submits, verified with OpenAI's library as a receiver does it."""

import itertools
import queue
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any, cast

import httpx
import openai
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api.schemas.responses import TaskEvent
from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import LiveSettings
from gateway.core.webhook_secrets import encode_secret
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import FastClock, bearer, follow, settings_for

JIMENG, WAN = "jimeng-video-3.0-fast", "wan2.6-t2v"
GENERATIONS, VIDEOS = "/v1/videos/generations", "/v1/videos"
LOOPBACK = (ip_network("127.0.0.0/8"),)
SECONDS = 8


@dataclass
class Receiver:
    """Notes the requests to /hook, and answers them with the next of `answers`, then with 204."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    requests: "queue.Queue[tuple[dict[str, str], bytes]]" = field(default_factory=queue.Queue)

    def app(self) -> Starlette:
        async def hook(request: Request) -> Response:
            self.requests.put((dict(request.headers), await request.body()))
            return Response(status_code=self.answers.pop(0) if self.answers else 204)

        return Starlette(routes=[Route("/hook", hook, methods=["POST"])])

    def event(self, secret: str) -> Any:
        """The next event, verified."""
        headers, body = self.requests.get(timeout=SECONDS)
        TaskEvent.model_validate_json(body)
        event = openai.OpenAI(api_key="unused", webhook_secret=secret).webhooks.unwrap(body, headers)
        assert event.id == headers["webhook-id"]
        return cast(Any, event)

    def gets_no_more(self) -> bool:
        try:
            self.requests.get(timeout=0.2)
        except queue.Empty:
            return True
        return False


class Stand:
    """A receiver, and gateways that may send to this machine. `settings` are fields of `Settings`."""

    def __init__(self, stack: ExitStack, upstream: SandboxServer) -> None:
        self._stack = stack
        self._upstream = upstream
        self.receiver = Receiver()
        self.receiver.url = stack.enter_context(BackgroundServer(self.receiver.app())).url + "/hook"

    def gateway(self, **settings: Any) -> httpx.Client:
        fields: dict[str, Any] = {"webhook_networks": LOOPBACK, "video_poll_interval": 20} | settings
        app = create_app(settings_for(self._upstream, **fields), clock=FastClock())
        url = self._stack.enter_context(BackgroundServer(app, grace_seconds=0.05)).url
        return self._stack.enter_context(httpx.Client(base_url=url, timeout=10, trust_env=False))


@pytest.fixture
def stand(upstream: SandboxServer) -> Iterator[Stand]:
    with ExitStack() as stack:
        yield Stand(stack, upstream)


def submitted(gateway: httpx.Client, path: str, key: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    sent = bearer(key) | {name.replace("_", "-"): value for name, value in headers.items()}
    answer = gateway.post(path, json={"model": WAN, "prompt": "a cat"} | body, headers=sent)
    assert answer.status_code == 200, answer.text
    return cast(dict[str, Any], answer.json())


@pytest.mark.parametrize(
    ("path", "model", "prompt", "type_"),
    [
        (GENERATIONS, WAN, "a cat", "video.completed"),
        (GENERATIONS, JIMENG, "a cat #fail", "video.failed"),
        (VIDEOS, WAN, "a cat #fail", "video.failed"),
        (VIDEOS, JIMENG, "a cat", "video.completed"),
    ],
)
def test_event_has_the_status_that_a_poll_returns(
    stand: Stand, key: str, session: str, path: str, model: str, prompt: str, type_: str
) -> None:
    gateway, credential = stand.gateway(), key if model == WAN else session
    body = {"model": model, "prompt": prompt, "webhook_url": stand.receiver.url}
    answer = submitted(gateway, path, credential, body)
    event = stand.receiver.event(answer["webhook_secret"])
    assert event.type == type_
    id = answer.get("task_id") or answer["id"]
    poll = gateway.get(f"{GENERATIONS if path == GENERATIONS else VIDEOS}/{id}", headers=bearer(credential)).json()
    told = event.data.to_dict()
    varying = ("result", "data", "url", "expires_at")
    assert {name: value for name, value in told.items() if name not in varying} == {
        name: value for name, value in poll.items() if name not in varying
    }
    assert "webhook_secret" not in poll
    assert ("url" in told or "result" in told) == (type_ == "video.completed")


def test_remix_takes_a_webhook_too(stand: Stand, key: str) -> None:
    gateway = stand.gateway()
    first = submitted(gateway, VIDEOS, key, {})
    follow(gateway, first["id"], key)
    body = {"prompt": "a dog", "callback_url": stand.receiver.url}
    answer = gateway.post(f"{VIDEOS}/{first['id']}/remix", json=body, headers=bearer(key)).json()
    assert stand.receiver.event(answer["webhook_secret"]).data.id == answer["id"]


@pytest.mark.filterwarnings("ignore:The Sora API is scheduled:DeprecationWarning")
def test_openai_library_submits_and_verifies(stand: Stand, key: str) -> None:
    gateway = stand.gateway()
    with openai.OpenAI(base_url=f"{gateway.base_url}/v1", api_key=key) as client:
        video = client.videos.create(model=WAN, prompt="a cat", extra_body={"webhook_url": stand.receiver.url})
    secret = cast(Any, video).webhook_secret
    assert stand.receiver.event(secret).data.id == video.id


def test_form_takes_a_webhook_under_another_name(stand: Stand, key: str) -> None:
    form = {"model": WAN, "prompt": "a cat", "notifyHook": stand.receiver.url}
    answer = stand.gateway().post(GENERATIONS, data=form, headers=bearer(key)).json()
    assert stand.receiver.event(answer["webhook_secret"]).data.task_id == answer["task_id"]
    assert "warnings" not in answer


def test_held_submit_has_a_webhook_too(stand: Stand, key: str) -> None:
    body = {"webhook_url": stand.receiver.url, "wait_completion": True}
    answer = submitted(stand.gateway(), GENERATIONS, key, body)
    assert answer["status"] == "completed"
    assert stand.receiver.event(answer["webhook_secret"]).data.task_id == answer["task_id"]


def test_failed_attempt_is_repeated(stand: Stand, key: str) -> None:
    stand.receiver.answers = [500]
    answer = submitted(stand.gateway(), GENERATIONS, key, {"webhook_url": stand.receiver.url})
    events = [stand.receiver.event(answer["webhook_secret"]) for _ in range(2)]
    assert events[0] == events[1]
    assert stand.receiver.gets_no_more()


@pytest.mark.parametrize("path", [GENERATIONS, VIDEOS])
def test_disallowed_address_is_refused_before_the_charge(
    stand: Stand, upstream: SandboxServer, key: str, path: str
) -> None:
    gateway = stand.gateway(webhook_networks=())
    urls = ("http://example.com/", "https://127.0.0.1/", "https://169.254.169.254/", "https://localhost/", "x")
    for name, url in itertools.product(("webhook_url", "callbackUrl"), urls):
        answer = gateway.post(path, json={"model": WAN, "prompt": "a cat", name: url}, headers=bearer(key))
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, "invalid_value", name), answer.text
        assert "https://" in error["message"] and "webhook_networks" in error["message"]
    assert upstream.sandbox.submits("dashscope", key) == 0


def test_submit_with_one_webhook_too_many_is_refused_before_the_charge(
    stand: Stand, upstream: SandboxServer, key: str
) -> None:
    gateway = stand.gateway(live=LiveSettings(webhooks_per_caller=1))
    body = {"model": WAN, "prompt": "a cat #stuck", "webhook_url": stand.receiver.url}
    first = submitted(gateway, GENERATIONS, key, body, Idempotency_Key="k")
    answer = gateway.post(GENERATIONS, json=body, headers=bearer(key))
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limit_exceeded"), answer.text
    assert (answer.headers["x-should-retry"], "retry-after" in answer.headers) == ("true", True)
    assert upstream.sandbox.submits("dashscope", key) == 1
    # The repeat of the first one has its place already, and another caller has places of its own.
    assert submitted(gateway, GENERATIONS, key, body, Idempotency_Key="k") == first
    assert submitted(gateway, GENERATIONS, f"{key}-other", body)["webhook_secret"]
    assert submitted(gateway, GENERATIONS, key, {})["task_id"]


@pytest.mark.parametrize("path", [GENERATIONS, VIDEOS])
def test_repeat_with_the_same_key_has_the_same_secret_and_is_delivered_once(
    stand: Stand, upstream: SandboxServer, key: str, path: str
) -> None:
    gateway, body = stand.gateway(), {"webhook_url": stand.receiver.url}
    secrets = [submitted(gateway, path, key, body, Idempotency_Key="k")["webhook_secret"] for _ in range(2)]
    stand.receiver.event(secrets[0])
    secrets.append(submitted(gateway, path, key, body, Idempotency_Key="k")["webhook_secret"])
    assert len(set(secrets)) == 1
    assert stand.receiver.gets_no_more()
    assert upstream.sandbox.submits("dashscope", key) == 1


def test_key_with_another_address_is_a_mismatch(stand: Stand, key: str) -> None:
    gateway, url = stand.gateway(), stand.receiver.url
    submitted(gateway, GENERATIONS, key, {"webhook_url": url}, Idempotency_Key="k")
    body = {"model": WAN, "prompt": "a cat", "webhook_url": f"{url}?2"}
    answer = gateway.post(GENERATIONS, json=body, headers=bearer(key) | {"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "idempotency_mismatch")


def test_repeat_on_another_replica_has_the_same_secret_and_event(stand: Stand, session: str) -> None:
    """Jimeng's submits are found there. The receiver tells the second event by its id."""
    shared: dict[str, Any] = {"secret": (SecretStr("a long random text"),), "keys": (SecretStr("user:gw-one"),)}
    shared |= {"jimeng": {"credentials": (SecretStr(session),)}}
    body = {"model": JIMENG, "webhook_url": stand.receiver.url}
    answers = [
        submitted(stand.gateway(**shared), VIDEOS, "gw-one", body, Idempotency_Key=f"k{session}") for _ in range(2)
    ]
    first, second = (answer["webhook_secret"] for answer in answers)
    assert first == second
    assert stand.receiver.event(first).id == stand.receiver.event(second).id


def test_secret_of_the_configuration_is_in_no_answer(stand: Stand, key: str) -> None:
    secret = encode_secret(b"c" * 24)
    gateway = stand.gateway(webhook_secret=SecretStr(secret))
    for path in (GENERATIONS, VIDEOS):
        answer = submitted(gateway, path, key, {"webhook_url": stand.receiver.url})
        assert "webhook_secret" not in answer
        stand.receiver.event(secret)
    sample = gateway.post("/v1/webhooks/test", json={"url": stand.receiver.url}).json()
    assert (sample["status"], sample["delivered"]) == (204, True)
    stand.receiver.event(secret)


def test_task_whose_webhook_is_lost_at_the_stop_is_logged(
    upstream: SandboxServer, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as stack:
        stand = Stand(stack, upstream)
        body = {"prompt": "a cat #stuck", "webhook_url": stand.receiver.url}
        gateway = stand.gateway()
        ids = [submitted(gateway, GENERATIONS, key, body)["task_id"] for _ in range(2)]
    [line] = [vars(record)["fields"] for record in caplog.records if "webhooks are lost" in record.message]
    assert (line["count"], line["tasks"].split(",")) == (2, ids)
