"""Safe repeats: the same submit again gives the first task again, while this process remembers it.

An `Idempotency-Key` says that two submits are one, whichever surface they came by. OpenAI's libraries send none, but
repeat a submit on their own after a time-out or a 5xx, and count their tries in `x-stainless-retry-count`: a count
above 0 is a repeat.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from cachetools import TTLCache

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.views import Submitted

KEY_SECONDS = 24 * 3600.0
RETRY_SECONDS = 600.0
_REMEMBERED = 20_000
_UNCONFIRMED = "submission_unconfirmed"


class Submit(Protocol):
    async def __call__(self, seed: str, *, find_only: bool) -> Submitted:
        """Submit under a seed, which is the same for all repeats of one submit. With `find_only` the submission of
        an earlier try is looked for and nothing is sent."""


@dataclass(slots=True)
class _Made:
    """One submit: under way, done, or unconfirmed. It holds no request and no error, which may be large."""

    fingerprint: bytes
    seed: str
    under_way: "asyncio.Task[Submitted] | None" = None
    submitted: Submitted | None = None
    unconfirmed: bool = False


class Repeats:
    """Remembers submits by key, bounded in number and time. Those under way are shared."""

    def __init__(self, clock: Clock, new_seed: Callable[[], str]) -> None:
        self._by_key: TTLCache[bytes, _Made] = TTLCache(_REMEMBERED, KEY_SECONDS, timer=clock.now)
        self._by_content: TTLCache[bytes, _Made] = TTLCache(_REMEMBERED, RETRY_SECONDS, timer=clock.now)
        self._under_way: dict[bytes, _Made] = {}
        """However long they take: what is under way is not forgotten."""
        self._new_seed = new_seed

    async def once(
        self, who: str, fingerprint: bytes, submit: Submit, *, key: str | None = None, tries: int | None = None
    ) -> Submitted:
        """The submission of a request, made by `submit` unless it was made before.

        `who` tells callers apart. `fingerprint` is of what the client wrote. `key` is its Idempotency-Key, `tries`
        its count of repeats, None where it sends none. Raises GatewayError: 409 `idempotency_mismatch` for a key that
        came with another body.
        """
        if key is not None:
            name = _digest(f"{who}\0{key}".encode("utf-8", "surrogateescape"))
            known = self._under_way.get(name) or self._by_key.get(name)
            if known is not None and known.fingerprint != fingerprint:
                raise GatewayError("idempotency_mismatch")
            return await self._share(self._by_key, name, known, fingerprint, f"client:{key}", submit)
        if tries is None:
            return await submit(f"own:{self._new_seed()}", find_only=False)
        name = _digest(who.encode() + fingerprint)
        known = self._under_way.get(name) or self._by_content.get(name) if tries > 0 else None
        return await self._share(self._by_content, name, known, fingerprint, f"own:{self._new_seed()}", submit)

    async def _share(
        self,
        memory: "TTLCache[bytes, _Made]",
        name: bytes,
        known: _Made | None,
        fingerprint: bytes,
        seed: str,
        submit: Submit,
    ) -> Submitted:
        made = known
        if made is None:
            made = memory[name] = _Made(fingerprint, seed)
        if made.submitted is not None:
            return made.submitted
        if made.under_way is None:
            # A task of its own: the client that began it may go away while another waits for the same. What is
            # unconfirmed is looked for, and never sent again.
            made.under_way = asyncio.ensure_future(submit(made.seed, find_only=made.unconfirmed))
            self._under_way[name] = made
            made.under_way.add_done_callback(lambda done: self._conclude(memory, name, made, done))
        return await asyncio.shield(made.under_way)

    def _conclude(
        self, memory: "TTLCache[bytes, _Made]", name: bytes, made: _Made, done: "asyncio.Task[Submitted]"
    ) -> None:
        """Keep what came of a submit, for as long as such is kept from now on. One that was refused may be tried again;
        one that is unconfirmed may not."""
        made.under_way = None
        if self._under_way.get(name) is made:
            del self._under_way[name]
            memory[name] = made
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if error is None:
            made.submitted = done.result()
        elif not isinstance(error, GatewayError) or error.code == _UNCONFIRMED:
            # An error that nobody foresaw says nothing of what was accepted.
            made.unconfirmed = True
        elif not made.unconfirmed and memory.get(name) is made:
            del memory[name]


def fingerprint_of(*parts: Any) -> bytes:
    """What a client asks for: two bodies that are parsed to the same have the same, whatever their form."""
    return _digest(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str))


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
