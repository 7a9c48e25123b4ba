"""Idempotency: a repeated submit returns the first task, as long as this process has a record of it.

An `Idempotency-Key` says that two submits are one, whichever surface they came by. OpenAI's libraries send none, but
retry a submit on their own after a time-out or a 5xx, and count their retries in `x-stainless-retry-count`: a count
above 0 is a retry. Without a key, a retry is matched by request content. Identical requests may coexist; a retry
matches one whose client got no response, since a library retries only those.
"""

import asyncio
import hashlib
import math
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import orjson
from cachetools import TTLCache

from gateway.core.clock import Clock
from gateway.core.errors import GatewayError
from gateway.tasks.order import ClientPresence, SubmitOrder
from gateway.tasks.view import Submitted

KEY_SECONDS = 24 * 3600.0
"""TTL of a record by key."""
RETRY_SECONDS = 600.0
"""TTL of a record by content."""
_MAX_RECORDS = 20_000
_MAX_IDENTICAL = 64
_RETRY_WITHIN_SECONDS = 90.0
"""A library retries a failed submit within this time: it heeds a Retry-After of a minute at most."""
_UNCONFIRMED = "submission_unconfirmed"


@dataclass(slots=True, eq=False)
class SubmitRecord:
    """One submit: running, submitted, failed, or unconfirmed. It holds no error, which may be large, nor the order.

    `seed` is the same for all repeats of one submit; the key that the upstream sees is made of it. `retry_count` is
    that of the last request for it. `charge` is what the log tells of it once an upstream may have it. `answered` says
    that a client was there when it ended. `waiting` are the clients that wait for it now.
    """

    fingerprint: bytes
    seed: str
    retry_count: int = 0
    running: "asyncio.Task[Submitted] | None" = None
    submitted: Submitted | None = None
    failed: bool = False
    unconfirmed: bool = False
    charge: Mapping[str, str] | None = None
    answered: bool = False
    ended_at: float = math.inf
    waiting: list[ClientPresence] = field(default_factory=list)

    def on_charge(self, log_fields: Mapping[str, str] | None) -> None:
        """Called before anything is sent that may be charged, and with None once that surely came to nothing."""
        self.charge = log_fields

    def conclude(self, error: BaseException | None, now: float) -> None:
        """Record the outcome. A failed submit may be sent again; an unconfirmed one may not."""
        self.running = None
        self.ended_at = now
        if error is None or self.unconfirmed:
            return
        # An unexpected error says nothing of what was accepted, once anything was sent.
        unexpected = self.charge is not None and not isinstance(error, GatewayError)
        self.unconfirmed = unexpected or (isinstance(error, GatewayError) and error.code == _UNCONFIRMED)
        self.failed = not self.unconfirmed

    def interrupted(self) -> BaseException:
        """The error for a request whose process stops: only what was surely not sent may be sent again."""
        return asyncio.CancelledError() if self.charge is None else GatewayError(_UNCONFIRMED, log_fields=self.charge)

    def may_be_retried_as(self, retry_count: int, now: float) -> bool:
        """True where a request of this count may be the library's retry of this failed submit."""
        recent = now - self.ended_at < _RETRY_WITHIN_SECONDS
        return self.failed and self.retry_count == retry_count - 1 and recent


class Create(Protocol):
    """The submit itself. It reports to the record what may be charged; for an unconfirmed record it looks for the
    earlier submission and sends nothing."""

    def __call__(self, order: SubmitOrder, record: SubmitRecord, /) -> Coroutine[Any, Any, Submitted]: ...


class _Keep(Protocol):
    def __call__(self, record: SubmitRecord, error: BaseException | None, /) -> None: ...


class IdempotencyStore:
    """Submit records by key and by content, bounded in number and age. Single flight: repeats share one submit."""

    def __init__(self, clock: Clock, new_seed: Callable[[], str]) -> None:
        """`new_seed` gives texts that no other process gives."""
        self._clock = clock
        self._new_seed = new_seed
        self._by_key: TTLCache[bytes, SubmitRecord] = TTLCache(_MAX_RECORDS, KEY_SECONDS, timer=clock.now)
        self._by_content: TTLCache[bytes, list[SubmitRecord]] = TTLCache(_MAX_RECORDS, RETRY_SECONDS, timer=clock.now)
        # However long it takes: what is running is not forgotten.
        self._running_by_key: dict[bytes, SubmitRecord] = {}
        self._running_by_content: dict[bytes, list[SubmitRecord]] = {}

    async def run(self, order: SubmitOrder, create: Create) -> Submitted:
        """The submission of an order, made by `create` unless an earlier request made it.

        Raises GatewayError: 409 `idempotency_mismatch` for a key that came with another body, 504
        `submission_unconfirmed` where the process stops while an upstream may have it.
        """
        identity, fingerprint = order.caller.identity, order.fingerprint
        if order.idempotency_key is not None:
            name = _digest(f"{identity}\0{order.idempotency_key}".encode("utf-8", "surrogateescape"))
            record = self._of_key(name, fingerprint, f"client:{order.idempotency_key}")
            return await self._share(record, order, create, partial(self._keep_key, name))
        retry_count = order.retry_count
        record = SubmitRecord(fingerprint, f"own:{self._new_seed()}", retry_count or 0)
        if retry_count is None:
            try:
                return await create(order, record)
            except asyncio.CancelledError:
                raise record.interrupted() from None
        name = _digest(identity.encode() + fingerprint)
        identical = self._identical(name)
        if retry_count > 0:
            record = await _retried(identical, retry_count, self._clock.now()) or record
        record.retry_count = max(record.retry_count, retry_count)
        return await self._share(record, order, create, partial(self._keep_content, name, identical))

    async def _share(self, record: SubmitRecord, order: SubmitOrder, create: Create, keep: _Keep) -> Submitted:
        """Wait for the submit of a record, which is started where it does not run."""
        client = order.client
        record.waiting.append(client)
        try:
            if record.submitted is not None:
                return record.submitted
            return await asyncio.shield(self._start(record, order, create, keep))
        except asyncio.CancelledError:
            if record.submitted is not None:
                return record.submitted
            raise record.interrupted() from None
        finally:
            # Until that is known the client waits: no retry is to take the record for one that was left.
            try:
                record.answered = not await client.is_disconnected() or record.answered
            except asyncio.CancelledError:
                # The process stops, and the outcome stands.
                record.answered = True
            finally:
                record.waiting.remove(client)

    def _start(
        self, record: SubmitRecord, order: SubmitOrder, create: Create, keep: _Keep
    ) -> "asyncio.Task[Submitted]":
        """Runs apart from the request: the client that began it may go away while another waits for the same."""
        if record.running is None:
            record.running = asyncio.ensure_future(create(order, record))
            record.running.add_done_callback(partial(self._conclude, record, keep))
            keep(record, None)
        return record.running

    def _conclude(self, record: SubmitRecord, keep: _Keep, done: "asyncio.Task[Submitted]") -> None:
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if error is None:
            record.submitted = done.result()
        record.conclude(error, self._clock.now())
        keep(record, error)

    # --- by key -------------------------------------------------------------------------------------------------

    def _of_key(self, name: bytes, fingerprint: bytes, seed: str) -> SubmitRecord:
        known = self._running_by_key.get(name) or self._by_key.get(name)
        if known is None:
            return SubmitRecord(fingerprint, seed)
        if known.fingerprint != fingerprint:
            raise GatewayError("idempotency_mismatch")
        return known

    def _keep_key(self, name: bytes, record: SubmitRecord, error: BaseException | None) -> None:
        """Keep it from now on, for as long as keys are kept."""
        if record.running is not None:
            self._running_by_key[name] = record
        else:
            self._running_by_key.pop(name, None)
        if record.failed:
            self._by_key.pop(name, None)
        else:
            self._by_key[name] = record

    # --- by content ---------------------------------------------------------------------------------------------

    def _identical(self, name: bytes) -> list[SubmitRecord]:
        """What a caller submitted lately with identical content, the oldest first; of very many, those whose clients
        may still come back."""
        identical = self._running_by_content.get(name, self._by_content.get(name))
        if identical is None:
            return []
        expired_before = self._clock.now() - RETRY_SECONDS
        identical[:] = [record for record in identical if record.ended_at > expired_before]
        excess = len(identical) - _MAX_IDENTICAL
        if excess > 0:
            dropped = [record for record in identical if record.answered or record.failed][:excess]
            identical[:] = [record for record in identical if record not in dropped]
        return identical

    def _keep_content(
        self, name: bytes, identical: list[SubmitRecord], record: SubmitRecord, error: BaseException | None
    ) -> None:
        """Keep it among the identical ones, for as long as contents are kept; a failed one only where its client may
        send it again."""
        retryable = isinstance(error, GatewayError) and error.shape.should_retry
        if record.failed and not retryable:
            identical[:] = [other for other in identical if other is not record]
        elif record not in identical:
            identical.append(record)
        if any(other.running is not None for other in identical):
            self._running_by_content[name] = identical
        else:
            self._running_by_content.pop(name, None)
        self._by_content[name] = identical


async def _retried(identical: list[SubmitRecord], retry_count: int, now: float) -> SubmitRecord | None:
    """The record that a library retries; None to submit again.

    A library retries what got no good response. That is, in this order: one whose clients have gone without a
    response; one that failed a moment ago with an error that may be retried; one that is running, whose client may
    have gone unnoticed; the last one, whose response may have got lost on its way.
    """
    left: dict[SubmitRecord, list[ClientPresence]] = {}
    for record in list(identical):
        waiting = list(record.waiting)
        if not (record.answered or record.failed) and all([await client.is_disconnected() for client in waiting]):
            left[record] = waiting
    for record in list(identical):
        # Unless it was answered or failed, or another retry took it, meanwhile.
        still_left = record in left and all(client in left[record] for client in record.waiting)
        if still_left and not (record.answered or record.failed):
            return record
    for record in list(identical):
        if record.may_be_retried_as(retry_count, now):
            identical.remove(record)
            return None
    accepted = [record for record in identical if not record.failed]
    running = [record for record in accepted if record.running is not None]
    return running[0] if running else accepted[-1] if accepted else None


def fingerprint_of(*parts: Any) -> bytes:
    """What a client asks for: two bodies that are parsed to the same have the same, whatever their form."""
    return _digest(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str))


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
