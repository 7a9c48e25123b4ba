"""The pool: what each account can do now, in memory only, for managed accounts and for those that callers bring along.

An account is known by its tag. Providers say what kind of failure they met, the table in `health` says what it does to
the account, a policy says who is next.
"""

import asyncio
import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Self

from cachetools import LRUCache, TTLCache

from gateway import metrics
from gateway.clock import Clock
from gateway.health import RESTS, AccountState, Health, Pause
from gateway.logs import GATEWAY, utc
from gateway.policies import Policy, RoundRobin
from providers.contract import Account, Blame, Credits, ErrorKind, ProviderError, TaskState

GUESTS = 10_000
"""Accounts of pass-through callers that are remembered, for callers that come back."""
RUNNING_SECONDS = 900.0
"""For this long a task counts as running unless a poll here sees it end: its client may poll another replica."""
WAY_SECONDS = 60.0
"""For this long a proxy that led nowhere is used only where there is no other way."""
FULL_SECONDS = 15.0
"""When to try again where as many tasks are running as the configuration allows."""
PATIENCE = 3.0
"""Seconds a submit waits for the first submit of an account that is new or was in trouble."""

_MOST_RUNNING = 1000
_MOST_WAYS = 1000


@dataclass(frozen=True, slots=True)
class ManagedAccount:
    """One of the gateway's own accounts. `weight` is its share of the submits, 0 for none; `max_running` is how many
    unfinished tasks it may have, None for as many as the upstream takes."""

    account: Account
    weight: int = 1
    max_running: int | None = None


class Standing(NamedTuple):
    """How one account stands. `until` is when it will be back, in unix seconds, None where nobody knows; `error` is
    the refusal that led there."""

    state: AccountState
    until: float | None = None
    error: ProviderError | None = None


class SeenCredits(NamedTuple):
    """Credits as they were read at `at`, in unix seconds."""

    credits: Credits
    at: float


class LastError(NamedTuple):
    """The last failure that was the account's own, at `at`, in unix seconds."""

    error: ProviderError
    at: float


@dataclass(slots=True)
class Seat:
    """All that is known of one account. It holds no credential, only a digest that tells when it was replaced."""

    credential: bytes
    health: Health
    label: str = "pass-through"
    weight: int = 1
    max_running: int | None = None
    turn: float = 0.0
    paused: bool = False
    in_flight: int = 0
    trial: "asyncio.Future[None] | None" = None
    """Under way while the first submit of an unproven account is."""
    running: dict[str, float] = field(default_factory=dict)
    """Upstream ids of unfinished tasks, each with the time at which it is forgotten, the oldest first."""
    looked_at: float = 0.0
    submitted: int = 0
    failed: int = 0
    last_error: LastError | None = None
    credits: SeenCredits | None = None

    @property
    def busy(self) -> int:
        return len(self.running) + self.in_flight

    @property
    def full(self) -> bool:
        return self.max_running is not None and self.busy >= self.max_running

    def prune(self, now: float) -> None:
        for id, until in list(self.running.items()):
            if until > now and len(self.running) <= _MOST_RUNNING:
                break
            del self.running[id]


class Lease:
    """An account for one submit. A context: leaving it gives the place back, however the submit went."""

    def __init__(self, pool: "AccountPool", account: Account, seat: Seat, model: str, sent_at: float) -> None:
        self.account = account
        self._pool = pool
        self._seat = seat
        self._model = model
        self._sent_at = sent_at
        self._trial = seat.trial is None and not seat.health.proven

    def __enter__(self) -> Self:
        self._seat.in_flight += 1
        if self._trial:
            self._seat.trial = asyncio.get_running_loop().create_future()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._seat.in_flight -= 1
        if self._trial and self._seat.trial is not None:
            self._seat.trial.set_result(None)
            self._seat.trial = None

    def submitted(self, id: str) -> None:
        """The upstream took the submit as `id`."""
        seat = self._seat
        seat.submitted += 1
        seat.health.succeed(self._model, sent_at=self._sent_at)
        seat.running[id] = self._pool.now() + RUNNING_SECONDS
        metrics.SUBMITS.labels(seat.label, "accepted").inc()

    def failed(self, error: ProviderError) -> None:
        """The submit came to nothing, or to nobody knows what. `error` is rid of secrets already."""
        metrics.SUBMITS.labels(self._seat.label, error.kind).inc()
        if error.kind.blame is Blame.CALLER:
            # What is refused for its content was let in by its login.
            self._seat.health.proven = self._seat.health.resting(self._pool.now()) is None
        if error.kind is ErrorKind.UNREACHABLE:
            self._pool.way_failed(self.account)
        if error.kind.blame is Blame.ACCOUNT:
            self._seat.failed += 1
            self._pool.hold_against(self.account, error, self._model, sent_at=self._sent_at)


class AccountPool:
    """Hands accounts out for submits and keeps in mind what became of them."""

    def __init__(
        self,
        clock: Clock,
        policy: Policy | None = None,
        *,
        spread: Callable[[], float] = random.random,
        patience: float = PATIENCE,
    ) -> None:
        """`spread` gives random numbers in [0, 1) for the jitter of pauses."""
        self._clock = clock
        self._policy = policy or RoundRobin()
        self._spread = spread
        self._patience = patience
        self._managed: dict[str, ManagedAccount] = {}
        self._seats: dict[str, Seat] = {}
        self._guests: LRUCache[str, Seat] = LRUCache(GUESTS)
        self._bad_ways: TTLCache[str, None] = TTLCache(_MOST_WAYS, WAY_SECONDS, timer=clock.now)

    def now(self) -> float:
        return self._clock.now()

    def manage(self, accounts: Sequence[ManagedAccount], policy: Policy | None = None) -> None:
        """Take these in place of the managed accounts there were. What is known of those that stay is kept, unless
        their credential is another one now."""
        self._policy = policy or self._policy
        seats: dict[str, Seat] = {}
        for managed in accounts:
            account = managed.account
            seat = self._seats.get(account.tag) or self._guests.pop(account.tag, None) or self._new_seat(account)
            if seat.credential != _digest(account):
                seat.credential = _digest(account)
                seat.health.forget()
                seat.credits = seat.last_error = None
            seat.label = account.name or account.tag
            seat.weight, seat.max_running = managed.weight, managed.max_running
            seats[account.tag] = seat
        self._seats = seats
        self._managed = {managed.account.tag: managed for managed in accounts}

    @property
    def managed(self) -> list[ManagedAccount]:
        return list(self._managed.values())

    # --- submits ------------------------------------------------------------------------------------------------

    async def take(self, accounts: Sequence[Account], model: str, passed_over: AbstractSet[str]) -> Lease | None:
        """The account for the next try of a submit, by the policy; None when there is none that can take it now.

        `passed_over` are the tags of those that were tried. Of an account that is new or was in trouble nobody knows
        what it will say: one submit finds out, the others take other accounts, or wait a little.
        """
        give_up = asyncio.get_running_loop().time() + self._patience
        while True:
            now = self._clock.now()
            ready: dict[str, Account] = {}
            trials: list[asyncio.Future[None]] = []
            for account in accounts:
                seat = self._seat(account)
                if account.tag in passed_over or self._standing(seat, model, now).state is not AccountState.READY:
                    continue
                if seat.trial is not None:
                    trials.append(seat.trial)
                if seat.trial is None or asyncio.get_running_loop().time() >= give_up:
                    ready[account.tag] = account
            if ready or not trials:
                return self._choose(ready, model, now)
            left = give_up - asyncio.get_running_loop().time()
            await asyncio.wait(trials, timeout=max(0.0, left), return_when=asyncio.FIRST_COMPLETED)

    def _choose(self, ready: Mapping[str, Account], model: str, now: float) -> Lease | None:
        if not ready:
            return None
        open_ways = [account for account in ready.values() if account.proxy not in self._bad_ways]
        seats = {tag: self._seat(ready[tag]) for tag in [account.tag for account in open_ways or ready.values()]}
        picked = self._policy.pick(list(seats.values()))
        tag = next(tag for tag, seat in seats.items() if seat is picked)
        return Lease(self, ready[tag], picked, model, now)

    def way_failed(self, account: Account) -> None:
        """Nobody got through by the account's proxy. It is a matter of the way, not of the account."""
        if account.proxy is not None:
            self._bad_ways[account.proxy] = None

    def hold_against(self, account: Account, error: ProviderError, model: str, *, sent_at: float) -> None:
        """A failure of the account's own. `error` is rid of secrets already."""
        seat, now = self._seat(account), self._clock.now()
        # Not the error itself: its traceback would keep a whole request alive.
        seat.last_error = LastError(
            ProviderError(error.kind, code=error.code, words=error.words, detail=error.detail), now
        )
        pause = seat.health.fail(error, model, sent_at=sent_at, now=now)
        if pause is not None:
            self._report(account, seat, pause)

    def _report(self, account: Account, seat: Seat, pause: Pause) -> None:
        metrics.PAUSES.labels(account.provider, pause.state).inc()
        fields = {
            "account": account.name or account.tag,
            "provider": account.provider,
            "reason": pause.state.value,
            "code": pause.code or "-",
            "until": utc(pause.until),
        }
        GATEWAY.warning("an account rests", extra={"fields": fields})

    def standing(self, account: Account, model: str = "", failure: ProviderError | None = None) -> Standing:
        """How an account stands for a model. `failure` is what a try just now came to."""
        standing = self._standing(self._seat(account), model, self._clock.now())
        if standing.state is AccountState.READY and failure is not None and failure.kind is ErrorKind.UNREACHABLE:
            return Standing(AccountState.UNREACHABLE, None, failure)
        return standing if standing.error or failure is None else standing._replace(error=failure)

    def _standing(self, seat: Seat, model: str, now: float) -> Standing:
        if seat.paused or seat.weight <= 0:
            return Standing(AccountState.PAUSED)
        pause = seat.health.resting(now) or seat.health.closed(model, now)
        if pause is not None:
            return Standing(pause.state, pause.until, pause.error(now))
        seat.prune(now)
        return Standing(AccountState.FULL, now + FULL_SECONDS) if seat.full else Standing(AccountState.READY)

    # --- what else is learned of accounts -----------------------------------------------------------------------

    def heard(self, account: Account, answers: Mapping[str, TaskState | ProviderError], sent_at: float) -> None:
        """What an upstream said of tasks of an account, by their ids, in answer to a query sent at `sent_at`."""
        seat = self._seats.get(account.tag) or self._guests.get(account.tag)
        for id, answer in answers.items():
            if isinstance(answer, TaskState) or answer.kind is ErrorKind.TASK_NOT_FOUND:
                if seat is None:
                    continue
                seat.health.log_in()
                if isinstance(answer, TaskState) and answer.phase.ended and seat.running.pop(id, None) is not None:
                    seat.health.task_ended()
            elif answer.kind in (ErrorKind.INVALID_CREDENTIAL, ErrorKind.RESTRICTED):
                # The other kinds are of the budget of queries, which is none of the submits' business.
                self.hold_against(account, answer, "", sent_at=sent_at)
                return

    def unseen(self, accounts: Sequence[Account], every: float) -> dict[Account, list[str]]:
        """The tasks that keep accounts from taking more, each account at most once in `every` seconds: to ask how
        they stand may show that there is room."""
        now, found = self._clock.now(), dict[Account, list[str]]()
        for account in accounts:
            seat = self._seat(account)
            if (
                seat.running
                and now - seat.looked_at >= every
                and self._standing(seat, "", now).state is AccountState.FULL
            ):
                seat.looked_at = now
                found[account] = list(seat.running)
        return found

    def expired(self, account: Account) -> bool:
        """True while its login counts as refused."""
        pause = self._seat(account).health.resting(self._clock.now())
        return pause is not None and pause.kind is ErrorKind.INVALID_CREDENTIAL

    def due(self, account: Account) -> bool:
        """True once in a while for an account whose login was refused: it may be tried again now."""
        now, health = self._clock.now(), self._seat(account).health
        pause = health.resting(now)
        if pause is None or pause.kind is not ErrorKind.INVALID_CREDENTIAL or now < pause.until:
            return False
        health.postpone(now + RESTS[pause.kind].first)
        return True

    def logged_in(self, account: Account) -> None:
        """The upstream knows the account's login."""
        self._seat(account).health.log_in()

    def topped_up(self, account: Account) -> None:
        """Credits came in, or whoever looks after the account says so."""
        self._seat(account).health.top_up()

    def saw_credits(self, account: Account, credits: Credits, *, refused: bool = False) -> None:
        """Credits were read; `refused` right after a submit was refused for want of them."""
        seat = self._seat(account)
        seat.credits = SeenCredits(credits, self._clock.now())
        if refused:
            seat.health.refused_with(credits.total)
        else:
            seat.health.see_credits(credits.total)

    def pause(self, account: Account) -> None:
        """Take no submits for it until `resume`. Its tasks are answered all the same."""
        self._seat(account).paused = True

    def resume(self, account: Account) -> None:
        """Hold nothing against it any more."""
        seat = self._seat(account)
        seat.paused = False
        seat.health.forget()

    def seat(self, account: Account) -> Seat:
        """What is known of an account, to be shown."""
        seat = self._seat(account)
        seat.prune(self._clock.now())
        return seat

    def __len__(self) -> int:
        """How many accounts are remembered."""
        return len(self._seats) + len(self._guests)

    def _seat(self, account: Account) -> Seat:
        seat = self._seats.get(account.tag) or self._guests.get(account.tag)
        if seat is None:
            seat = self._guests[account.tag] = self._new_seat(account)
        return seat

    def _new_seat(self, account: Account) -> Seat:
        return Seat(_digest(account), Health(self._spread))


def _digest(account: Account) -> bytes:
    return hashlib.sha256(account.credential.encode("utf-8", "surrogateescape")).digest()
