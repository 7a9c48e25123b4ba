"""Idempotency: a repeated submit returns the first task, as long as this process has a record of it.

An `Idempotency-Key` says that two submits are one, whichever surface they came by. OpenAI's libraries send none, but
retry a submit on their own after a time-out or a 5xx, and count their retries in `x-stainless-retry-count`: a count
above 0 is a retry. Without a key, a retry is matched by request content. Identical requests may coexist; a retry
matches one whose client got no response, since a library retries only those. Other libraries resend a submit after a
lost connection without a mark: with `unmarked_retries` a request is taken for a retry only where there is an identical
one whose clients have all disconnected without a response.
"""

import asyncio
import hashlib
import math
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import orjson
from starlette.requests import ClientDisconnect

from gateway.accounts.callers import Caller
from gateway.core.clock import Clock
from gateway.core.errors import GatewayError
from gateway.core.fair_cache import FairCache
from gateway.core.logs import GATEWAY, location_of
from gateway.tasks.order import ClientPresence, SubmitOrder
from gateway.tasks.view import Submitted
from providers.offload import CHUNK_BYTES

KEY_SECONDS = 24 * 3600.0
"""TTL of a record by key."""
RETRY_SECONDS = 600.0
"""TTL of a record by content."""
_MAX_RECORDS, _MAX_UNKNOWN_RECORDS = 20_000, 2000
"""Records of gateway keys and of accounts that are known, and of other accounts."""
_MAX_IDENTICAL = 64
_MAX_KEPT_KEY = 255
_RETRY_WITHIN_SECONDS = 90.0
"""A library retries a failed submit within this time: it heeds a Retry-After of a minute at most."""
_NOTICE_TURNS = 3
"""Turns of the event loop in which asyncio reads a request, then the end of its connection, then closes it."""
_UNCONFIRMED = "submission_unconfirmed"
_KEY_OWNER = "key:"


class Charge(NamedTuple):
    """The account, by its id, that a submit was sent to, and the log fields of the submit."""

    account_id: str
    log_fields: Mapping[str, str]


@dataclass(slots=True, eq=False)
class SubmitRecord:
    """One submit: running, submitted, failed, or unconfirmed. It holds no error, which may be large, nor the order.

    `seed` is the same for all repeats of one submit; the submit keys are derived from it. `retry_count` is that of its
    latest request. `charge` is set from the moment the upstream may have the submit. `answered` is True
    where a client was connected at the end. `waiting` are the clients that wait now.
    """

    fingerprint: bytes
    seed: str
    retry_count: int = 0
    running: "asyncio.Task[Submitted] | None" = None
    submitted: Submitted | None = None
    failed: bool = False
    unconfirmed: bool = False
    charge: Charge | None = None
    answered: bool = False
    ended_at: float = math.inf
    waiting: list[ClientPresence] = field(default_factory=list)

    def on_charge(self, charge: Charge | None) -> None:
        """Called before anything is sent that may be charged, and with None once it is certain that nothing is."""
        self.charge = charge

    def conclude(self, error: BaseException | None, now: float) -> None:
        """Record the outcome. A failed submit may be sent again; an unconfirmed one may not."""
        self.running = None
        self.ended_at = now
        if error is None or self.unconfirmed:
            return
        # A cancelled submit raises no GatewayError: where it was sent, its outcome is unknown.
        cancelled = self.charge is not None and not isinstance(error, GatewayError)
        self.unconfirmed = cancelled or (isinstance(error, GatewayError) and error.code == _UNCONFIRMED)
        self.failed = not self.unconfirmed

    async def is_abandoned(self) -> bool:
        """True where every client that waited for the response has disconnected, those that came meanwhile as well."""
        gone: list[ClientPresence] = []
        while waiting := [client for client in self.waiting if client not in gone]:
            for client in waiting:
                if not await client.is_disconnected():
                    return False
            gone += waiting
        return True

    def interrupted(self) -> BaseException:
        """The error of a request whose process stops: it may be retried only where nothing was sent."""
        if self.charge is None:
            return asyncio.CancelledError()
        return GatewayError(_UNCONFIRMED, log_fields=self.charge.log_fields)

    def may_be_retried_as(self, retry_count: int, now: float) -> bool:
        """True where a request of this count may be the library's retry of this failed submit."""
        recent = now - self.ended_at < _RETRY_WITHIN_SECONDS
        return self.failed and self.retry_count == retry_count - 1 and recent


class Create(Protocol):
    """The submit itself. It calls `record.on_charge`. For an unconfirmed record it only looks up the earlier
    submission."""

    def __call__(self, order: SubmitOrder, record: SubmitRecord, /) -> Coroutine[Any, Any, Submitted]: ...


class _Save(Protocol):
    def __call__(self, record: SubmitRecord, error: BaseException | None, /) -> None: ...


class IdempotencyStore:
    """Submit records by key and by content, bounded in number and age. Single flight: repeats share one submit."""

    def __init__(
        self, clock: Clock, new_seed: Callable[[], str], is_known: Callable[[str], bool] = lambda account_id: True
    ) -> None:
        """`new_seed` returns texts that are unique across processes. `is_known` is True for the ids of accounts whose
        records the records of other accounts do not push out."""
        self._clock = clock
        self._new_seed = new_seed

        def is_known_owner(owner: str) -> bool:
            return owner.startswith(_KEY_OWNER) or is_known(owner)

        limits = _MAX_RECORDS, _MAX_UNKNOWN_RECORDS
        self._by_key: FairCache[bytes, SubmitRecord] = FairCache(*limits, KEY_SECONDS, clock.monotonic, is_known_owner)
        self._by_content: FairCache[bytes, list[SubmitRecord]] = FairCache(
            *limits, RETRY_SECONDS, clock.monotonic, is_known_owner
        )
        # Running submits have no TTL.
        self._running_by_key: dict[bytes, SubmitRecord] = {}
        self._running_by_content: dict[bytes, list[SubmitRecord]] = {}

    async def run(self, order: SubmitOrder, create: Create) -> Submitted:
        """The submission of an order, from its record, else created by `create`.

        Raises GatewayError: 409 `idempotency_mismatch` for a key with another body, 504 `submission_unconfirmed` where
        the process stops while the upstream may have accepted the submit.
        """
        fingerprint = order.fingerprint
        if order.idempotency_key is not None:
            name = _name_of_key(order)
            record = self._by_client_key(name, fingerprint, _seed_of(order.idempotency_key))
            return await self._share(record, order, create, partial(self._save_by_key, name, order.caller))
        retry_count = order.retry_count
        record = SubmitRecord(fingerprint, f"own:{self._new_seed()}", retry_count or 0)
        if retry_count is None and not order.unmarked_retries:
            record.waiting.append(order.client)
            try:
                return await _confirmed(create, order, record)
            except asyncio.CancelledError:
                raise record.interrupted() from None
        name = _name_of_content(order)
        identical = self._identical(name)
        if retry_count:
            record = await _retried(identical, retry_count, self._clock.monotonic()) or record
        elif retry_count is None and identical:
            await _closed_connections_noticed()
            record = await _abandoned(identical) or record
        record.retry_count = max(record.retry_count, retry_count or 0)
        return await self._share(record, order, create, partial(self._save_by_content, name, order.caller, identical))

    def is_repeat(self, order: SubmitOrder) -> bool:
        """True where an order repeats a submit of which there is a record."""
        if order.idempotency_key is not None:
            name = _name_of_key(order)
            return name in self._running_by_key or self._by_key.get(name) is not None
        return bool(order.retry_count) and bool(self._identical(_name_of_content(order)))

    async def _share(self, record: SubmitRecord, order: SubmitOrder, create: Create, save: _Save) -> Submitted:
        """Wait for the submit of a record. Starts it where it is not running."""
        client = order.client
        record.waiting.append(client)
        try:
            while record.submitted is None:
                try:
                    return await asyncio.shield(self._start(record, order, create, save))
                except ClientDisconnect:
                    # The submit was given up when no client waited. This one has come since.
                    if await client.is_disconnected():
                        raise
                    # Let the outcome be recorded.
                    await asyncio.sleep(0)
            return record.submitted
        except asyncio.CancelledError:
            if record.submitted is not None:
                return record.submitted
            raise record.interrupted() from None
        finally:
            # The client counts as waiting until this is known, so that no retry takes the record as abandoned.
            try:
                if order.unmarked_retries:
                    await _closed_connections_noticed()
                record.answered = not await client.is_disconnected() or record.answered
            except asyncio.CancelledError:
                # The process stops: the outcome is final.
                record.answered = True
            finally:
                record.waiting.remove(client)

    def _start(
        self, record: SubmitRecord, order: SubmitOrder, create: Create, save: _Save
    ) -> "asyncio.Task[Submitted]":
        """Start the submit in its own asyncio task: its first client may disconnect while another one waits."""
        if record.running is None:
            record.failed = False
            record.running = asyncio.ensure_future(_confirmed(create, order, record))
            record.running.add_done_callback(partial(self._conclude, record, save))
            save(record, None)
        return record.running

    def _conclude(self, record: SubmitRecord, save: _Save, done: "asyncio.Task[Submitted]") -> None:
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if error is None:
            record.submitted = done.result()
        record.conclude(error, self._clock.monotonic())
        save(record, error)

    # --- by key -------------------------------------------------------------------------------------------------

    def _by_client_key(self, name: bytes, fingerprint: bytes, seed: str) -> SubmitRecord:
        known = self._running_by_key.get(name) or self._by_key.get(name)
        if known is None:
            return SubmitRecord(fingerprint, seed)
        if known.fingerprint != fingerprint:
            raise GatewayError("idempotency_mismatch")
        return known

    def _save_by_key(self, name: bytes, caller: Caller, record: SubmitRecord, error: BaseException | None) -> None:
        """Store a record, from its end on for KEY_SECONDS; a failed one is removed."""
        if record.running is not None:
            self._running_by_key[name] = record
            return
        self._running_by_key.pop(name, None)
        if record.failed:
            self._by_key.pop(name)
        else:
            self._by_key.set(name, record, _owner_of(record, caller))

    # --- by content ---------------------------------------------------------------------------------------------

    def _identical(self, name: bytes) -> list[SubmitRecord]:
        """The recent records with identical content, oldest first. Above _MAX_IDENTICAL, those that were answered or
        failed are dropped."""
        identical = self._running_by_content.get(name, self._by_content.get(name))
        if identical is None:
            return []
        expired_before = self._clock.monotonic() - RETRY_SECONDS
        identical[:] = [record for record in identical if record.ended_at > expired_before]
        excess = len(identical) - _MAX_IDENTICAL
        if excess > 0:
            dropped = [record for record in identical if record.answered or record.failed][:excess]
            identical[:] = [record for record in identical if record not in dropped]
        return identical

    def _save_by_content(
        self,
        name: bytes,
        caller: Caller,
        identical: list[SubmitRecord],
        record: SubmitRecord,
        error: BaseException | None,
    ) -> None:
        """Store a record, from its end on for RETRY_SECONDS; a failed one only where its error may be retried."""
        retryable = isinstance(error, GatewayError) and error.spec.should_retry
        if record.failed and not retryable:
            identical[:] = [other for other in identical if other is not record]
        elif record not in identical:
            identical.append(record)
        if any(other.running is not None for other in identical):
            self._running_by_content[name] = identical
        else:
            self._running_by_content.pop(name, None)
            if identical:
                self._by_content.set(name, identical, _owner_of(record, caller))
            else:
                self._by_content.pop(name)


def _owner_of(record: SubmitRecord, caller: Caller) -> str:
    """Whose records push out this one: those of the gateway key, or of the account that the submit was sent to, since a
    caller can combine its account with any others."""
    if caller.managed:
        return _KEY_OWNER + caller.identity
    if record.charge is not None:
        return record.charge.account_id
    return caller.accounts[0].id if caller.accounts else ""


async def _confirmed(create: Create, order: SubmitOrder, record: SubmitRecord) -> Submitted:
    """Run a submit. Raises GatewayError (504) for an unexpected error after something was sent: the upstream may have
    accepted it."""
    try:
        return await create(order, record)
    except (GatewayError, ClientDisconnect):
        raise
    except Exception as error:
        if record.charge is None:
            raise
        fields = record.charge.log_fields
        cause = {"cause": location_of(error)}
        GATEWAY.error("a submit failed unexpectedly after it was sent", extra={"fields": {**fields, **cause}})
        raise GatewayError(_UNCONFIRMED, log_fields=fields) from error


async def _closed_connections_noticed() -> None:
    """Wait until the server has noticed the connections that are closed by now. A resend comes on a new connection, and
    may be read before the end of the old one."""
    for _ in range(_NOTICE_TURNS):
        await asyncio.sleep(0)


async def _retried(identical: list[SubmitRecord], retry_count: int, now: float) -> SubmitRecord | None:
    """The record that a library retries; None to submit again.

    A library retries a request without a successful response. In this order: one whose clients disconnected without a
    response; one that has just failed with an error that may be retried; one that is running, whose client may have
    disconnected unnoticed; the last one, whose response may be lost.
    """
    abandoned = await _abandoned(identical)
    if abandoned is not None:
        return abandoned
    for record in list(identical):
        if record.may_be_retried_as(retry_count, now):
            identical.remove(record)
            return None
    accepted = [record for record in identical if not record.failed]
    running = [record for record in accepted if record.running is not None]
    return running[0] if running else accepted[-1] if accepted else None


async def _abandoned(identical: list[SubmitRecord]) -> SubmitRecord | None:
    """The first record all of whose clients have disconnected without a response."""
    for record in list(identical):
        if record.answered or record.failed:
            continue
        # It may have been answered or have failed in the meantime.
        if await record.is_abandoned() and not (record.answered or record.failed):
            return record
    return None


def fingerprint_of(*parts: Any) -> bytes:
    """Fingerprint of a request: the same for two bodies with the same parsed content, whatever their format. A file in
    a `data:` URL may be large: see `providers.offload`."""
    options = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS
    return _digest(orjson.dumps(parts, option=options, default=_content_of))


def _content_of(value: Any) -> Any:
    """A dataclass as an object, in which the digest of a large text stands for it; anything else as text."""
    if not is_dataclass(value) or isinstance(value, type):
        return str(value)
    content = {one.name: getattr(value, one.name) for one in fields(value)}
    for name, text in content.items():
        if isinstance(text, str) and len(text) > CHUNK_BYTES:
            content[name] = ["sha256", _digest_of_text(text)]
    return content


def _digest_of_text(text: str) -> str:
    digest = hashlib.sha256()
    for at in range(0, len(text), CHUNK_BYTES):
        digest.update(text[at : at + CHUNK_BYTES].encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _name_of_key(order: SubmitOrder) -> bytes:
    return _digest(f"{order.caller.identity}\0{order.idempotency_key}".encode("utf-8", "surrogateescape"))


def _name_of_content(order: SubmitOrder) -> bytes:
    return _digest(order.caller.identity.encode() + order.fingerprint)


def _seed_of(key: str) -> str:
    """The seed of a client's key. A long key is not kept itself: there may be 20,000 records."""
    short = len(key) <= _MAX_KEPT_KEY
    return f"client:{key if short else hashlib.sha256(key.encode('utf-8', 'surrogateescape')).hexdigest()}"


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
