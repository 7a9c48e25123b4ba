"""Signed webhooks of `watch`: delivered from outside of the gateway, and so also after it was restarted."""

import asyncio
import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from ipaddress import ip_network
from types import TracebackType
from typing import Self

from gateway.cli.client.gateway_client import TaskView
from gateway.cli.errors import BAD_USAGE, CommandError
from gateway.cli.language import terminal_language
from gateway.core.clock import SystemClock
from gateway.core.localization import localize
from gateway.core.webhook_secrets import is_secret
from gateway.live.webhooks.events import Event, event_of, make_event
from gateway.live.webhooks.sender import Sender
from gateway.live.webhooks.service import RETRY_PAUSES
from gateway.media.url_policy import NOT_PUBLIC, DisallowedUrlError, UrlPolicy
from providers.contract.tasks import Phase

_PHASES = {"completed": Phase.COMPLETED, "failed": Phase.FAILED}
_OWN_NETWORKS = (*NOT_PUBLIC, ip_network("::1/128"), ip_network("fc00::/7"))
"""The user of the command names the URL, which may be on this machine or in its network."""

_CLOSE_SECONDS = 5.0


class WebhookDeliveries:
    """Delivers one event for each ended task, with the retries of the gateway. A context manager; what is pending when
    it is left is given up.

    `note` is called from another thread.
    """

    def __init__(self, url: str, secret: str, note: Callable[[str], None]) -> None:
        """Raises CommandError for a URL or a secret that cannot be used."""
        if not is_secret(secret):
            message = "--webhook-secret: must be whsec_ and the base64 of 24 to 64 bytes: the secret of the receiver"
            raise CommandError(message, BAD_USAGE)
        policy = UrlPolicy(networks=_OWN_NETWORKS)
        try:
            policy.check_url(url)
        except DisallowedUrlError as error:
            raise CommandError(f"--webhook {url}: {error.reason}", BAD_USAGE) from None
        self._url = url
        self._secret = secret
        self._note = note
        self._clock = SystemClock()
        self._sender = Sender(self._clock)
        self._sender.url_policy = policy
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="webhooks", daemon=True)
        self._begun: dict[str, Future[bool]] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(_CLOSE_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def deliver(self, task: TaskView) -> None:
        """Begin to deliver the event of a task that has ended; once for each task."""
        phase = _PHASES.get(task.status)
        if phase is not None and task.id not in self._begun:
            event = _event(task, phase, self._clock.now())
            self._begun[task.id] = asyncio.run_coroutine_threadsafe(self._deliver(task.id, event), self._loop)

    def wait(self) -> bool:
        """Wait for all deliveries. True if every receiver has answered well."""
        delivered = [delivery.result() for delivery in self._begun.values()]
        return all(delivered)

    async def _deliver(self, id: str, event: Event) -> bool:
        for pause in (*RETRY_PAUSES, None):
            attempt = await self._sender.send(self._url, self._secret, event)
            if attempt.delivered:
                self._note(f"webhook of {id} delivered")
                return True
            problem = localize(attempt.error, terminal_language()) if attempt.error else attempt.outcome
            if pause is not None:
                self._note(f"webhook of {id} failed: {problem}; again in {pause:g} s")
                await self._clock.sleep(pause)
            else:
                self._note(f"webhook of {id} given up: {problem}")
        return False

    async def _close(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._sender.aclose()


def _event(task: TaskView, phase: Phase, now: float) -> Event:
    """The event, of a signed id with the same id of its own as the gateway's, so that a receiver drops a repeat."""
    try:
        return event_of(task.id, phase, task.body, now)
    except ValueError:
        name = hashlib.sha256(f"{task.id}\0{task.status}".encode()).hexdigest()[:32]
        return make_event(f"evt_{name}", phase, task.body, now)
