"""Account lease: one account lent to one submit or call, the record of the account, and the probe of a half-open
account."""

import asyncio
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from gateway.accounts.health import Health, Price
from gateway.core import metrics
from providers.contract.accounts import Account, Credits
from providers.contract.errors import Blame, ErrorKind, ProviderError

RUNNING_SECONDS = 900.0
"""A task counts as running for this long unless a poll of this replica sees it end. Clients may poll another one."""

UNMANAGED_LABEL = "pass-through"
MAX_RUNNING = 1000
"""Running tasks that the record of one account lists."""


class CreditBalance(NamedTuple):
    """The credit balance read at `at`, in monotonic seconds."""

    credits: Credits
    at: float


class LastError(NamedTuple):
    """The last error that counted against the account, at `at`, in monotonic seconds."""

    error: ProviderError
    at: float


@dataclass(slots=True)
class AccountRecord:
    """The record of one account. It holds a digest of the credential, to detect a replacement, not the credential."""

    credential: bytes
    health: Health
    label: str = UNMANAGED_LABEL
    weight: int = 1
    max_running: int | None = None
    turn: float = 0.0
    paused: bool = False
    in_flight: int = 0
    running_calls: int = 0
    """Calls without a task that are not answered to their end."""
    calls: int = 0
    """Calls without a task that the upstream answered."""
    probe: "Probe | None" = None
    """The running probe of a half-open account."""
    running: dict[str, float] = field(default_factory=dict)
    """Upstream ids of unfinished tasks with their expiry times in monotonic seconds, the oldest first."""
    polled_at: float = float("-inf")
    submitted: int = 0
    failed: int = 0
    last_error: LastError | None = None
    credits: CreditBalance | None = None

    @property
    def busy(self) -> int:
        return len(self.running) + self.in_flight

    @property
    def full(self) -> bool:
        return self.max_running is not None and self.busy >= self.max_running

    def prune(self, now: float) -> None:
        while self.running:
            oldest = next(iter(self.running))
            if self.running[oldest] > now and len(self.running) <= MAX_RUNNING:
                break
            del self.running[oldest]


class Probe:
    """Half-open probe: the submit that finds out whether an account works."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = loop.create_future()
        self._began = loop.time()

    @property
    def seconds(self) -> float:
        return asyncio.get_running_loop().time() - self._began


class OutcomeRecorder(Protocol):
    """The part of the pool that a lease reports to."""

    def monotonic(self) -> float: ...

    def proxy_failed(self, account: Account, error: ProviderError) -> None: ...

    def record_failure(
        self, account: Account, error: ProviderError, model: str, *, sent_at: float, price: Price | None = None
    ) -> bool: ...

    def log_ended_pause(self, account: Account) -> None: ...


class Lease:
    """An account leased for one submit. A context manager: leaving it releases the account, whatever the outcome.

    With `is_call` it is leased for a call without a task, which takes no slot of the running tasks.
    """

    def __init__(
        self,
        pool: OutcomeRecorder,
        account: Account,
        record: AccountRecord,
        model: str,
        sent_at: float,
        price: Price | None = None,
        *,
        is_call: bool = False,
    ) -> None:
        self.account = account
        self._slots = 0 if is_call else 1
        self._pool = pool
        self._record = record
        self._model = model
        self._price = price
        self._sent_at = sent_at
        self._credential = record.credential
        self._probe: Probe | None = None

    def __enter__(self) -> Self:
        self._record.in_flight += self._slots
        self._record.running_calls += 1 - self._slots
        if self._slots and self._record.health.is_half_open:
            self._probe = self._record.probe = Probe()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._record.in_flight -= self._slots
        self._record.running_calls -= 1 - self._slots
        if self._probe is not None:
            self._probe.ended.set_result(None)
            if self._record.probe is self._probe:
                self._record.probe = None

    def sending(self) -> None:
        """Record that the submit is sent now. Preparing it may have taken a while."""
        self._sent_at = self._pool.monotonic()

    def submitted(self, id: str) -> None:
        """Record that the upstream accepted the submit as task `id`."""
        record = self._record
        record.submitted += 1
        record.running[id] = self._pool.monotonic() + RUNNING_SECONDS
        if record.credential == self._credential:
            record.health.succeed(self._model, sent_at=self._sent_at, price=self._price)
            self._pool.log_ended_pause(self.account)
        metrics.SUBMITS.labels(record.label, "accepted").inc()

    def answered(self) -> None:
        """Record that the upstream answered a call without a task."""
        self._record.calls += 1
        if self._record.credential == self._credential:
            self._record.health.succeed(self._model, sent_at=self._sent_at)
            self._pool.log_ended_pause(self.account)

    def failed(self, error: ProviderError) -> bool:
        """Record a failed submit or call, or one with unknown outcome. True where it pauses the account, or the model.

        `error` must not contain secrets.
        """
        if self._slots:
            metrics.SUBMITS.labels(self._record.label, error.kind).inc()
        if error.kind is ErrorKind.CONTENT_REFUSED and self._record.credential == self._credential:
            self._record.health.record_content_refused(self._pool.monotonic())
        if error.kind is ErrorKind.UNREACHABLE:
            self._pool.proxy_failed(self.account, error)
        if error.kind.blame is not Blame.ACCOUNT and error.kind is not ErrorKind.UNKNOWN_REFUSAL:
            return False
        self._record.failed += 1
        return self._pool.record_failure(self.account, error, self._model, sent_at=self._sent_at, price=self._price)
