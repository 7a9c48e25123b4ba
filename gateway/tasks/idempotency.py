"""Safe repeats: the same submit again gives the first task again, while this process remembers it.

An `Idempotency-Key` says that two submits are one, whichever surface they came by. OpenAI's libraries send none, but
repeat a submit on their own after a time-out or a 5xx, and count their tries in `x-stainless-retry-count`: a count
above 0 is a repeat. Of what, only its content tells, and several may be alike: each is remembered with whether its
client had an answer, since a library repeats only what it had none to.
"""

import asyncio
import hashlib
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import orjson
from cachetools import TTLCache

from gateway.core.clock import Clock
from gateway.core.errors import GatewayError
from gateway.tasks.submitter import Sending
from gateway.tasks.view import Submitted

KEY_SECONDS = 24 * 3600.0
RETRY_SECONDS = 600.0
_REMEMBERED = 20_000
_MOST_ALIKE = 64
_OWED_SECONDS = 90.0
"""For this long a library may wait before it repeats what was refused: it heeds a Retry-After of a minute at most."""
_UNCONFIRMED = "submission_unconfirmed"

Gone = Callable[[], Awaitable[bool]]
"""True when a client is no longer there to be answered."""


async def _never() -> bool:
    return False


class Submit(Protocol):
    async def __call__(self, seed: str, *, find_only: bool, sending: Sending) -> Submitted:
        """Submit under a seed, which is the same for all repeats of one submit. With `find_only` the submission of
        an earlier try is looked for and nothing is sent. `sending` is called before anything is that may be charged."""


@dataclass(slots=True, eq=False)
class _Made:
    """One submit: under way, done, refused, or unconfirmed. It holds no error, which may be large, and requests only
    while they wait. `tries` is the count of the last request for it. `sent` is what a log line tells of it, once an
    upstream may have it; `told` says that a client was there when it ended."""

    fingerprint: bytes
    seed: str
    tries: int = 0
    under_way: "asyncio.Task[Submitted] | None" = None
    submitted: Submitted | None = None
    refused: bool = False
    unconfirmed: bool = False
    sent: Mapping[str, str] | None = None
    told: bool = False
    ended_at: float = math.inf
    waiting: list[Gone] = field(default_factory=list)

    def sending(self, facts: Mapping[str, str] | None) -> None:
        self.sent = facts

    def conclude(self, error: BaseException | None, now: float) -> None:
        """Note what came of it. One that was refused may be tried again; one that is unconfirmed may not."""
        self.under_way = None
        self.ended_at = now
        if error is None or self.unconfirmed:
            return
        # An error that nobody foresaw says nothing of what was accepted, once anything was sent.
        unforeseen = self.sent is not None and not isinstance(error, GatewayError)
        self.unconfirmed = unforeseen or (isinstance(error, GatewayError) and error.code == _UNCONFIRMED)
        self.refused = not self.unconfirmed

    def interrupted(self) -> BaseException:
        """What a request is told whose process ends: only what was surely not sent may be sent again."""
        return asyncio.CancelledError() if self.sent is None else GatewayError(_UNCONFIRMED, facts=self.sent)

    def owed(self, tries: int, now: float) -> bool:
        """True where the request of this count may be the one by which a library repeats what was refused."""
        return self.refused and self.tries == tries - 1 and now - self.ended_at < _OWED_SECONDS


Keep = Callable[[_Made, BaseException | None], None]


class Repeats:
    """Remembers submits by key and by content, bounded in number and time. Those under way are shared."""

    def __init__(self, clock: Clock, new_seed: Callable[[], str]) -> None:
        self._clock = clock
        self._new_seed = new_seed
        self._by_key: TTLCache[bytes, _Made] = TTLCache(_REMEMBERED, KEY_SECONDS, timer=clock.now)
        self._by_content: TTLCache[bytes, list[_Made]] = TTLCache(_REMEMBERED, RETRY_SECONDS, timer=clock.now)
        # However long they take: what is under way is not forgotten.
        self._keys_under_way: dict[bytes, _Made] = {}
        self._contents_under_way: dict[bytes, list[_Made]] = {}

    async def once(
        self,
        who: str,
        fingerprint: bytes,
        submit: Submit,
        *,
        key: str | None = None,
        tries: int | None = None,
        gone: Gone = _never,
    ) -> Submitted:
        """The submission of a request, made by `submit` unless it was made before.

        `who` tells callers apart. `fingerprint` is of what the client wrote. `key` is its Idempotency-Key, `tries`
        its count of repeats, None where it sends none. `gone` tells whether its client still waits. Raises
        GatewayError: 409 `idempotency_mismatch` for a key that came with another body, 504 `submission_unconfirmed`
        where the process ends while an upstream may have it.
        """
        if key is not None:
            name = _digest(f"{who}\0{key}".encode("utf-8", "surrogateescape"))
            made = self._of_key(name, fingerprint, f"client:{key}")
            return await self._share(made, submit, gone, partial(self._keep_key, name))
        made = _Made(fingerprint, f"own:{self._new_seed()}", tries or 0)
        if tries is None:
            try:
                return await submit(made.seed, find_only=False, sending=made.sending)
            except asyncio.CancelledError:
                raise made.interrupted() from None
        name = _digest(who.encode() + fingerprint)
        alike = self._alike(name)
        made = (await _repeated(alike, tries, self._clock.now()) if tries > 0 else None) or made
        made.tries = max(made.tries, tries)
        return await self._share(made, submit, gone, partial(self._keep_content, name, alike))

    async def _share(self, made: _Made, submit: Submit, gone: Gone, keep: Keep) -> Submitted:
        made.waiting.append(gone)
        try:
            if made.submitted is not None:
                return made.submitted
            return await asyncio.shield(self._under_way(made, submit, keep))
        except asyncio.CancelledError:
            if made.submitted is not None:
                return made.submitted
            raise made.interrupted() from None
        finally:
            # Until that is known it waits: nobody else is to take it for one that was left.
            try:
                made.told = not await gone() or made.told
            except asyncio.CancelledError:
                # The process ends, and what came of it stands.
                made.told = True
            finally:
                made.waiting.remove(gone)

    def _under_way(self, made: _Made, submit: Submit, keep: Keep) -> "asyncio.Task[Submitted]":
        """A task of its own: the client that began it may go away while another waits for the same. What is unconfirmed
        is looked for, and never sent again."""
        if made.under_way is None:
            call = submit(made.seed, find_only=made.unconfirmed, sending=made.sending)
            made.under_way = asyncio.ensure_future(call)
            made.under_way.add_done_callback(partial(self._conclude, made, keep))
            keep(made, None)
        return made.under_way

    def _conclude(self, made: _Made, keep: Keep, done: "asyncio.Task[Submitted]") -> None:
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if error is None:
            made.submitted = done.result()
        made.conclude(error, self._clock.now())
        keep(made, error)

    # --- by key -------------------------------------------------------------------------------------------------

    def _of_key(self, name: bytes, fingerprint: bytes, seed: str) -> _Made:
        known = self._keys_under_way.get(name) or self._by_key.get(name)
        if known is None:
            return _Made(fingerprint, seed)
        if known.fingerprint != fingerprint:
            raise GatewayError("idempotency_mismatch")
        return known

    def _keep_key(self, name: bytes, made: _Made, error: BaseException | None) -> None:
        """Keep it from now on, for as long as keys are kept."""
        if made.under_way is not None:
            self._keys_under_way[name] = made
        else:
            self._keys_under_way.pop(name, None)
        if made.refused:
            self._by_key.pop(name, None)
        else:
            self._by_key[name] = made

    # --- by content ---------------------------------------------------------------------------------------------

    def _alike(self, name: bytes) -> list[_Made]:
        """What a caller submitted in the same words of late, the oldest first; of very many, those whose clients may
        still come back."""
        alike = self._contents_under_way.get(name, self._by_content.get(name))
        if alike is None:
            return []
        long_ago = self._clock.now() - RETRY_SECONDS
        alike[:] = [made for made in alike if made.ended_at > long_ago]
        spare = len(alike) - _MOST_ALIKE
        if spare > 0:
            over = [made for made in alike if made.told or made.refused][:spare]
            alike[:] = [made for made in alike if made not in over]
        return alike

    def _keep_content(self, name: bytes, alike: list[_Made], made: _Made, error: BaseException | None) -> None:
        """Keep it among those alike, for as long as contents are kept; what was refused, only where it may come
        again."""
        again = isinstance(error, GatewayError) and error.shape.should_retry
        if made.refused and not again:
            alike[:] = [one for one in alike if one is not made]
        elif made not in alike:
            alike.append(made)
        if any(one.under_way is not None for one in alike):
            self._contents_under_way[name] = alike
        else:
            self._contents_under_way.pop(name, None)
        self._by_content[name] = alike


async def _repeated(alike: list[_Made], tries: int, now: float) -> _Made | None:
    """The submit that a repeat means, None where it is to be sent anew.

    A library repeats what it had no good answer to. That is one whose clients have gone without an answer; else one
    that was refused for the moment a moment ago; else one that is under way, whose client may have gone unseen; else
    the last one, whose answer may have got lost on its way.
    """
    left: dict[_Made, list[Gone]] = {}
    for made in list(alike):
        waiting = list(made.waiting)
        if not (made.told or made.refused) and all([await gone() for gone in waiting]):
            left[made] = waiting
    for made in list(alike):
        # Unless it was told or refused, or another repeat took it, meanwhile.
        if made in left and not (made.told or made.refused) and all(gone in left[made] for gone in made.waiting):
            return made
    for made in list(alike):
        if made.owed(tries, now):
            alike.remove(made)
            return None
    accepted = [made for made in alike if not made.refused]
    under_way = [made for made in accepted if made.under_way is not None]
    return under_way[0] if under_way else accepted[-1] if accepted else None


def fingerprint_of(*parts: Any) -> bytes:
    """What a client asks for: two bodies that are parsed to the same have the same, whatever their form."""
    return _digest(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str))


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
