"""One attempt to deliver an event, to where `gateway.media.url_policy` allows."""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from weakref import WeakValueDictionary

from gateway.core import metrics
from gateway.core.clock import Clock
from gateway.core.localization import format_text
from gateway.core.messages import ERRORS
from gateway.live.webhooks.events import Event, signed_headers
from gateway.media.checked_sessions import CheckedSessions
from gateway.media.url_policy import DisallowedUrlError, UrlPolicy
from providers.contract.localized_text import LocalizedText
from providers.on_demand import load

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver

ANSWER_SECONDS = 10.0
"""Within which a receiver answers, DNS and connection included."""

MAX_ATTEMPTS = 64
"""Concurrent attempts."""

MAX_ATTEMPTS_PER_CALLER = 8
"""Concurrent attempts for one caller, so that its slow receivers do not block others."""

Outcome = Literal[
    "delivered", "http_error", "redirect", "timeout", "disallowed", "unknown_host", "tls_failed", "unreachable"
]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of an attempt, after how many seconds. `status` is the receiver's HTTP status, None without one;
    `headers` are the signed ones. `error` says in words what went wrong."""

    outcome: Outcome
    seconds: float
    headers: Mapping[str, str]
    status: int | None = None

    @property
    def delivered(self) -> bool:
        return self.outcome == "delivered"

    @property
    def error(self) -> LocalizedText | None:
        if self.delivered:
            return None
        return format_text(ERRORS[f"webhook_{self.outcome}"], status=self.status, seconds=f"{ANSWER_SECONDS:g}")


class Sender:
    """Posts events. `url_policy` may be replaced at any time. `tls` replaces the system's certificates, `resolver` the
    system's DNS; the caller closes the resolver."""

    def __init__(
        self,
        clock: Clock,
        *,
        answer_seconds: float = ANSWER_SECONDS,
        resolver: "AbstractResolver | None" = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.url_policy = UrlPolicy()
        self._clock = clock
        self._answer_seconds = answer_seconds
        self._sessions = CheckedSessions(
            lambda address, scheme: self.url_policy.allows(address, scheme),
            resolver=resolver,
            tls=tls,
        )
        self._slots = asyncio.Semaphore(MAX_ATTEMPTS)
        self._slots_by_caller: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def aclose(self) -> None:
        await self._sessions.aclose()

    async def send(self, url: str, secret: str, event: Event, *, client: str = "") -> Attempt:
        """Post an event once. `client` is the identity of the caller whose task it is of."""
        own = self._slots_by_caller.setdefault(client, asyncio.Semaphore(MAX_ATTEMPTS_PER_CALLER))
        async with AsyncExitStack() as slots:
            await slots.enter_async_context(own)
            await slots.enter_async_context(self._slots)
            headers = signed_headers(event, secret, self._clock.now())
            began = self._clock.monotonic()
            outcome, status = await self._post(url, headers, event.body)
            seconds = self._clock.monotonic() - began
        metrics.observe_webhook(outcome, seconds)
        return Attempt(outcome, seconds, headers, status)

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[Outcome, int | None]:
        try:
            await load("aiohttp")
        except (ImportError, OSError):
            return "unreachable", None
        import aiohttp

        try:
            target = self.url_policy.check_url(url)
            async with asyncio.timeout(self._answer_seconds):
                session = await self._sessions.of(target.scheme)
                answer = await session.post(
                    target,
                    data=body,
                    headers={**headers, "content-type": "application/json"},
                    allow_redirects=False,
                )
        except DisallowedUrlError:
            return "disallowed", None
        except TimeoutError:
            return "timeout", None
        except (aiohttp.ClientError, OSError) as error:
            return _failure(error), None
        # The body says nothing that is needed.
        answer.close()
        if 200 <= answer.status < 300:
            return "delivered", answer.status
        return ("redirect" if 300 <= answer.status < 400 else "http_error"), answer.status


def _failure(error: Exception) -> Outcome:
    import aiohttp

    match error:
        case aiohttp.ClientConnectorDNSError():
            return "unknown_host"
        case aiohttp.ClientSSLError():
            return "tls_failed"
        case aiohttp.ClientConnectorError(os_error=PermissionError()):
            return "disallowed"
    return "unreachable"
