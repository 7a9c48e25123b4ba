"""Events and their signatures, as verifiers of others judge them."""

import base64
import hashlib
import hmac
import json
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from openai import InvalidWebhookSignatureError, OpenAI
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.core.webhook_secrets import encode_secret
from gateway.live.webhooks.events import Event, event_of, signed_headers
from gateway.task_ids.signed import TaskId, sign
from providers.contract.tasks import Phase

README = Path(__file__).parents[4] / "gateway" / "README.md"
KEY = bytes(range(32))
SECRET = encode_secret(KEY)
TASK = TaskId("scripted", "1234", "a" * 12, "b" * 12, "model", 1_700_000_000, 5, "1280x720")
OTHERS: dict[str, Any] = {"upstream_id": "1235", "owner_tag": "c" * 12, "account_tag": "c" * 12, "provider": "other"}
DATA = {"task_id": "一", "status": "completed"}


def event(phase: Phase = Phase.COMPLETED, task: TaskId = TASK, data: Any = None) -> Event:
    return event_of(sign(task, KEY), phase, data or DATA, time.time())


def test_signature_is_that_of_standard_webhooks() -> None:
    made = event()
    headers = signed_headers(made, SECRET, 1_700_000_000.9)
    assert headers["webhook-timestamp"] == "1700000000"
    signed = b".".join((headers["webhook-id"].encode(), b"1700000000", made.body))
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


@pytest.mark.parametrize(("phase", "type_"), [(Phase.COMPLETED, "video.completed"), (Phase.FAILED, "video.failed")])
def test_verifiers_accept_the_event(phase: Phase, type_: str) -> None:
    made = event(phase, data={"id": "video_1", "prompt": "猫"})
    headers = signed_headers(made, SECRET, time.time())
    verified = Webhook(SECRET).verify(made.body, headers)
    assert (verified["object"], verified["type"], verified["id"]) == ("event", type_, headers["webhook-id"])
    # Its models do not name all of OpenAI's own events: an event of any type has these fields.
    unwrapped = cast(Any, OpenAI(api_key="k", webhook_secret=SECRET).webhooks.unwrap(made.body, headers))
    assert (unwrapped.type, unwrapped.data.id, unwrapped.data.prompt) == (type_, "video_1", "猫")
    assert abs(unwrapped.created_at - time.time()) < 60


@pytest.mark.parametrize("changed", ["body", "id", "timestamp", "signature", "secret"])
def test_verifiers_refuse_a_changed_byte(changed: str) -> None:
    made, secret = event(), SECRET
    headers = signed_headers(made, secret, time.time())
    body = made.body
    match changed:
        case "body":
            body = body.replace(b"completed", b"complete!", 1)
        case "id":
            headers["webhook-id"] += "0"
        case "timestamp":
            headers["webhook-timestamp"] = str(int(headers["webhook-timestamp"]) + 1)
        case "signature":
            headers["webhook-signature"] = f"v1,{base64.b64encode(b'x' * 32).decode()}"
        case "secret":
            secret = encode_secret(KEY[::-1])
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers)
    with pytest.raises(InvalidWebhookSignatureError):
        OpenAI(api_key="k", webhook_secret=secret).webhooks.unwrap(body, headers)


def test_receiver_of_the_readme_verifies_the_event(capsys: pytest.CaptureFixture[str]) -> None:
    [code] = re.findall(
        r"```python\n(from openai import OpenAI\n\nwebhooks = .*?)```", README.read_text("utf-8"), re.DOTALL
    )
    names: dict[str, Any] = {}
    exec(code.replace("whsec_…", SECRET), names)
    made = event(data={"id": "video_1"})
    names["receive"](made.body, signed_headers(made, SECRET, time.time()))
    assert capsys.readouterr().out == f"{made.id} video.completed video_1\n"
    with pytest.raises(InvalidWebhookSignatureError):
        names["receive"](made.body + b" ", signed_headers(made, SECRET, time.time()))


def test_event_id_is_the_same_for_each_id_of_the_task() -> None:
    """The id that a retry gets from another replica may have another time and no size."""
    assert event().id == event(task=replace(TASK, created=0, model="", size="", seconds=0)).id
    others = [replace(TASK, **{name: value}) for name, value in OTHERS.items()]
    assert len({event().id, event(Phase.FAILED).id, *(event(task=other).id for other in others)}) == 2 + len(others)


def test_body_has_the_status_object_as_it_is() -> None:
    body = json.loads(event().body)
    assert list(body) == ["id", "object", "type", "created_at", "data"]
    assert body["data"] == DATA
