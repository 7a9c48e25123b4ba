"""Events of webhooks, in the form of OpenAI's, and their signatures by Standard Webhooks.

`standardwebhooks` signs. It is one file without dependencies, and receivers verify with it: both sides read a secret
and join the signed text alike. See https://github.com/standard-webhooks/standard-webhooks.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

from gateway.task_ids.signed import identity_of
from providers.compact_json import compact_json
from providers.contract.tasks import Phase

_TYPES = {Phase.COMPLETED: "video.completed", Phase.FAILED: "video.failed"}
_ID_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Event:
    """An event: its id, and its body as it is signed and sent on every attempt."""

    id: str
    body: bytes


def event_of(signed_id: str, phase: Phase, data: Mapping[str, Any], now: float) -> Event:
    """The event of an ended task. `data` is its status object, `now` is in unix seconds. Its id is the same for every
    attempt, in every process, so that a receiver can drop repeats."""
    name = hashlib.sha256(identity_of(signed_id) + b"\0" + phase.status.encode()).hexdigest()[:_ID_DIGITS]
    return make_event(f"evt_{name}", phase, data, now)


def make_event(id: str, phase: Phase, data: Mapping[str, Any], now: float) -> Event:
    body = {"id": id, "object": "event", "type": _TYPES[phase], "created_at": int(now), "data": data}
    return Event(id, compact_json(body))


def signed_headers(event: Event, secret: str, now: float) -> dict[str, str]:
    """The headers of an attempt. Its time is that of the attempt: receivers reject one of more than 5 minutes ago."""
    moment = datetime.fromtimestamp(int(now), UTC)
    return {
        "webhook-id": event.id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": Webhook(secret).sign(event.id, moment, event.body.decode()),
    }
