"""Webhooks: each follows a task to its end and delivers one signed event, with retries.

Nothing is stored: a webhook lives as long as the process that took its submit. What is pending when the process stops
is logged with its task ids.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from secrets import token_bytes, token_hex
from typing import Any, NamedTuple, Protocol, Self

from cachetools import TTLCache

from gateway.accounts.callers import Caller
from gateway.core import metrics
from gateway.core.background_tasks import Background
from gateway.core.clock import Clock
from gateway.core.errors import GatewayError, gateway_error, invalid
from gateway.core.logs import GATEWAY, location_of
from gateway.core.messages import ERRORS
from gateway.core.webhook_secrets import encode_secret
from gateway.live.webhooks.events import Event, event_of, make_event
from gateway.live.webhooks.sender import Attempt, Sender
from gateway.media.url_policy import DisallowedUrlError
from gateway.task_ids.signed import identity_of
from gateway.tasks.view import Task
from providers.contract.errors import FieldProblem, FieldReason
from providers.contract.tasks import Phase

RETRY_PAUSES = (10.0, 30.0, 120.0, 600.0, 3600.0)
"""Seconds between an attempt that failed and the next one."""

FOLLOWED_SECONDS = 24 * 3600.0
"""Time after which a task is no longer followed."""

_FIRST_PAUSE, _LONGEST_PAUSE = 15.0, 900.0
"""Seconds until a task is followed again after an error of its status; each pause doubles."""

SECRET_BYTES = 32

_MAX_DELIVERED = 20_000
"""Delivered webhooks that are remembered, for as long as an idempotency key is."""


class FollowTask(Protocol):
    """Follows a task: a context manager whose iterator gives the task now and at each change, until it has ended.

    Raises GatewayError where there is no status."""

    def __call__(self, caller: Caller, id: str, /) -> AbstractAsyncContextManager[AsyncIterator[Task]]: ...


@dataclass(frozen=True, slots=True)
class Followed:
    """The task of a webhook: `id` is the public id that is followed, `key` the task's derived key. `render` makes the
    status object of the API that took the submit."""

    id: str
    signed_id: str
    key: bytes = field(repr=False)
    render: Callable[[Task], Mapping[str, Any]]


class Sample(NamedTuple):
    """A sample event, what came of it, and the secret where it was made for it."""

    event: Event
    attempt: Attempt
    made_secret: str | None


@dataclass(frozen=True, slots=True, eq=False)
class _Webhook:
    """A pending webhook. `shown_secret` is the secret that the answer to the submit shows."""

    fingerprint: bytes
    caller: Caller
    url: str = field(repr=False)
    host: str
    task: Followed
    secret: str = field(repr=False)
    shown_secret: str | None = field(repr=False)


class Webhooks:
    """The webhooks of a process, at most `limit`, and `limit_per_caller` of one caller.

    `secret` signs webhooks that are made from then on; a reload of the configuration replaces it.
    """

    secret: str | None = None

    def __init__(
        self, clock: Clock, sender: Sender, follow_task: FollowTask, *, limit: int, limit_per_caller: int
    ) -> None:
        self.sender = sender
        self._follow_task = follow_task
        self._clock = clock
        self._limit = limit
        self._limit_per_caller = limit_per_caller
        self._background = Background()
        self._places = 0
        """Places taken: pending webhooks, and submits that are running."""
        self._taken: Counter[str] = Counter()
        """The same by those that hold them."""
        self._pending: dict[bytes, _Webhook] = {}
        self._delivered: TTLCache[bytes, None] = TTLCache(_MAX_DELIVERED, FOLLOWED_SECONDS, timer=clock.monotonic)

    def check_url(self, url: str, param: str) -> str:
        """The host of an allowed URL. Raises GatewayError (400) with `param` for another one. What its name resolves to
        is checked at each attempt."""
        try:
            return self.sender.url_policy.check_url(url).raw_host or ""
        except DisallowedUrlError as error:
            hint = ERRORS["webhook_url_not_allowed"]
            raise invalid([FieldProblem(param, FieldReason.NOT_ALLOWED, hint=hint)]) from error

    def reserve(self, caller: Caller, url: str, *, repeat: bool = False) -> "Place":
        """A place for a webhook, before its task is submitted. A context manager that frees it again unless `follow`
        used it. The repeat of a submit has one already, so that the limits do not apply.

        Raises GatewayError: 400 for a URL that is not allowed, 429 or 503 where there are too many webhooks.
        """
        host = self.check_url(url, "webhook_url")
        if repeat:
            pass
        elif self._places >= self._limit:
            raise gateway_error("too_many_webhooks", limit=self._limit)
        elif any(self._taken[holder] >= self._limit_per_caller for holder in caller.holders):
            raise gateway_error("too_many_webhooks_of_caller", limit=self._limit_per_caller)
        self._places += 1
        for holder in caller.holders:
            self._taken[holder] += 1
        return Place(self, caller, url, host)

    def release(self, caller: Caller) -> None:
        """Free a place."""
        self._places -= 1
        for holder in caller.holders:
            self._taken[holder] -= 1
            if not self._taken[holder]:
                del self._taken[holder]

    def follow(self, caller: Caller, url: str, host: str, task: Followed) -> tuple[bool, str | None]:
        """Follow a task, in a place that is taken. Returns False where a webhook of the same task and URL is pending or
        delivered, and the secret that the client is shown: None where the configuration has one for all."""
        fingerprint = hashlib.sha256(
            identity_of(task.signed_id) + b"\0" + url.encode("utf-8", "surrogateescape")
        ).digest()
        known = self._pending.get(fingerprint)
        if known is not None:
            return False, known.shown_secret
        shown = None if self.secret else encode_secret(task.key)
        if fingerprint in self._delivered:
            return False, shown
        webhook = _Webhook(fingerprint, caller, url, host, task, self.secret or encode_secret(task.key), shown)
        self._pending[fingerprint] = webhook
        metrics.WEBHOOKS_PENDING.inc()
        self._background.start(self._run(webhook))
        return True, shown

    async def send_sample(self, url: str, secret: str | None, data: Mapping[str, Any]) -> Sample:
        """Send an event of a task that does not exist, once. Signed with `secret`, else that of the configuration, else
        a new one. Raises GatewayError (400) for a URL that is not allowed."""
        self.check_url(url, "url")
        made = None if secret or self.secret else encode_secret(token_bytes(SECRET_BYTES))
        event = make_event(f"evt_sample_{token_hex(8)}", Phase.COMPLETED, data, self._clock.now())
        attempt = await self.sender.send(url, secret or self.secret or made or "", event, client="operator")
        return Sample(event, attempt, made)

    async def aclose(self) -> None:
        """Stop, and log what is pending."""
        lost, self._pending = list(self._pending.values()), {}
        if lost:
            fields = {"count": len(lost), "tasks": ",".join(webhook.task.id for webhook in lost)}
            GATEWAY.warning("pending webhooks are lost as the process stops", extra={"fields": fields})
            metrics.WEBHOOKS.labels("lost").inc(len(lost))
            metrics.WEBHOOKS_PENDING.dec(len(lost))
        await self._background.__aexit__()
        await self.sender.aclose()

    async def _run(self, webhook: _Webhook) -> None:
        delivered = False
        try:
            event = await self._event(webhook)
            delivered = event is not None and await self._deliver(webhook, event)
        except Exception as error:
            # Not expected: the others go on, and this one is not lost silently.
            _log_end(webhook, location_of(error))
        del self._pending[webhook.fingerprint]
        self.release(webhook.caller)
        metrics.WEBHOOKS.labels("delivered" if delivered else "given_up").inc()
        metrics.WEBHOOKS_PENDING.dec()
        if delivered:
            self._delivered[webhook.fingerprint] = None

    async def _event(self, webhook: _Webhook) -> Event | None:
        """The event of the task, once it has ended; None where that is not known in time."""
        loop = asyncio.get_running_loop()
        limit = asyncio.timeout(None)
        try:
            async with limit:
                timer = self._clock.later(FOLLOWED_SECONDS, lambda: limit.reschedule(loop.time()))
                try:
                    task = await self._ended(webhook)
                finally:
                    timer.cancel()
        except TimeoutError:
            if not limit.expired():
                raise
            _log_end(webhook, f"the task did not end within {FOLLOWED_SECONDS / 3600:g} h")
            return None
        return event_of(webhook.task.signed_id, task.state.phase, webhook.task.render(task), self._clock.now())

    async def _ended(self, webhook: _Webhook) -> Task:
        """The ended task. An error of its status is no end: it may be found again."""
        pause = _FIRST_PAUSE
        while True:
            with suppress(GatewayError):
                async with self._follow_task(webhook.caller, webhook.task.id) as watched:
                    async for task in watched:
                        if task.state.phase.ended:
                            return task
            await self._clock.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _deliver(self, webhook: _Webhook, event: Event) -> bool:
        for number, pause in enumerate((*RETRY_PAUSES, None), 1):
            attempt = await self.sender.send(webhook.url, webhook.secret, event, client=webhook.caller.identity)
            fields: dict[str, object] = {
                "task": webhook.task.id,
                "host": webhook.host,
                "outcome": attempt.outcome,
                "status": attempt.status or "-",
                "attempt": number,
                "seconds": round(attempt.seconds, 3),
            }
            if attempt.delivered:
                GATEWAY.info("webhook delivered", extra={"fields": fields})
                return True
            if pause is not None:
                GATEWAY.warning("webhook failed", extra={"fields": {**fields, "retry_in": pause}})
                await self._clock.sleep(pause)
            else:
                GATEWAY.error("webhook given up", extra={"fields": fields})
        return False


class Place:
    """A place for one webhook."""

    def __init__(self, webhooks: Webhooks, caller: Caller, url: str, host: str) -> None:
        self._webhooks = webhooks
        self._caller = caller
        self._url = url
        self._host = host
        self._used = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if not self._used:
            self._webhooks.release(self._caller)

    def follow(self, task: Followed) -> str | None:
        """Follow the submitted task. Returns the secret that the client is shown, None where the configuration has one
        for all. A webhook of the same task and URL is not repeated."""
        self._used, secret = self._webhooks.follow(self._caller, self._url, self._host, task)
        return secret


def _log_end(webhook: _Webhook, cause: str) -> None:
    fields = {"task": webhook.task.id, "host": webhook.host, "cause": cause}
    GATEWAY.error("webhook given up", extra={"fields": fields})
