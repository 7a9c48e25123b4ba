"""Safe repeats: the same submit again gives the first task again, while this process remembers it.

An `Idempotency-Key` says that two submits are one. OpenAI's libraries send none, but repeat a submit on their own
after a time-out or a 5xx, and count their tries in `x-stainless-retry-count`: a count above 0 is a repeat.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson
from cachetools import TTLCache

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.tasks import Submitted
from providers.contract import VideoRequest

KEY_SECONDS = 24 * 3600.0
RETRY_SECONDS = 600.0
_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class _Made:
    fingerprint: bytes
    outcome: "asyncio.Future[Submitted]"


class Repeats:
    """Remembers submits by key, bounded in number and time. Those under way are shared."""

    def __init__(self, clock: Clock) -> None:
        self._by_key: TTLCache[str, _Made] = TTLCache(_REMEMBERED, KEY_SECONDS, timer=clock.now)
        self._by_content: TTLCache[str, _Made] = TTLCache(_REMEMBERED, RETRY_SECONDS, timer=clock.now)

    async def once(
        self,
        who: str,
        request: VideoRequest,
        submit: Callable[[], Awaitable[Submitted]],
        *,
        key: str | None = None,
        tries: int | None = None,
    ) -> Submitted:
        """The submission of a request, made by `submit` unless it was made before.

        `who` tells callers apart. `key` is the client's Idempotency-Key, `tries` its count of repeats, None where it
        sends none. Raises GatewayError: 409 `idempotency_mismatch` for a key that came with another body.
        """
        fingerprint = fingerprint_of(request)
        if key is not None:
            known = self._by_key.get(f"{who}\0{key}")
            if known is not None and known.fingerprint != fingerprint:
                raise GatewayError("idempotency_mismatch")
            return await self._share(self._by_key, f"{who}\0{key}", known, fingerprint, submit)
        if tries is None:
            return await submit()
        name = f"{who}\0{fingerprint.hex()}"
        known = self._by_content.get(name) if tries > 0 else None
        return await self._share(self._by_content, name, known, fingerprint, submit)

    async def _share(
        self,
        memory: "TTLCache[str, _Made]",
        name: str,
        known: _Made | None,
        fingerprint: bytes,
        submit: Callable[[], Awaitable[Submitted]],
    ) -> Submitted:
        if known is None:
            # A task of its own: the client that began it may go away while another waits for the same.
            outcome = asyncio.ensure_future(submit())
            known = memory[name] = _Made(fingerprint, outcome)
            outcome.add_done_callback(lambda done: self._forget_failure(memory, name, done))
        return await asyncio.shield(known.outcome)

    @staticmethod
    def _forget_failure(memory: "TTLCache[str, _Made]", name: str, done: "asyncio.Future[Submitted]") -> None:
        """A submit that surely created nothing may be tried again; one that is unconfirmed may not."""
        if done.cancelled():
            error: BaseException | None = asyncio.CancelledError()
        else:
            error = done.exception()
        unconfirmed = isinstance(error, GatewayError) and error.code == "submission_unconfirmed"
        present = memory.get(name)
        if error is not None and not unconfirmed and present is not None and present.outcome is done:
            del memory[name]


def fingerprint_of(request: VideoRequest) -> bytes:
    """What a request asks for: two bodies with the same parsed fields have the same, whatever their form."""
    return hashlib.sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS, default=str)).digest()
