"""The pool: what each account can do now, in memory only, for managed accounts and for those that callers bring along.

An account is known by its tag. Providers say what kind of failure they met, the table in `health` says what it does to
the account, a policy says who is next.
"""

import asyncio
import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from cachetools import LRUCache, TTLCache

from gateway.accounts.health import RESTS, AccountState, Health, Pause
from gateway.accounts.lease import GUEST, AccountRecord, LastError, Lease, Probe, SeenCredits
from gateway.accounts.selection import Policy, RoundRobin
from gateway.core import metrics
from gateway.core.clock import Clock
from gateway.core.logs import GATEWAY, utc
from gateway.core.messages import ERRORS
from providers.contract.accounts import Account, Credits
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.spec import QuotaReset
from providers.contract.tasks import TaskState

GUESTS = 10_000
"""Accounts of pass-through callers that are remembered, for callers that come back."""
WAY_SECONDS = 60.0
"""For this long a proxy that led nowhere is used only where there is no other way."""
FULL_SECONDS = 15.0
"""When to try again where as many tasks are running as the configuration allows."""
PATIENCE = 3.0
"""Seconds after which the first submit of an account that is new or was in trouble is joined by a second one."""
LONGEST_WAIT = 15.0
"""Seconds a submit waits for what others find out."""

_MOST_WAYS = 1000


@dataclass(frozen=True, slots=True)
class ManagedAccount:
    """One of the gateway's own accounts. `weight` is its share of the submits, 0 for none; `max_running` is how many
    unfinished tasks it may have, None for as many as the upstream takes."""

    account: Account
    weight: int = 1
    max_running: int | None = None


class AccountStatus(NamedTuple):
    """How one account stands. `until` is when it will be back, in unix seconds, None where nobody knows; `error` is
    the refusal that led there."""

    state: AccountState
    until: float | None = None
    error: ProviderError | None = None


class AccountPool:
    """Hands accounts out for submits and keeps in mind what became of them."""

    def __init__(
        self,
        clock: Clock,
        policy: Policy | None = None,
        *,
        spread: Callable[[], float] = random.random,
        patience: float = PATIENCE,
        longest_wait: float = LONGEST_WAIT,
        quota_resets: Mapping[str, QuotaReset | None] = MappingProxyType({}),
    ) -> None:
        """`spread` gives random numbers in [0, 1) for the jitter of pauses. `quota_resets` says by provider when spent
        credits come back by themselves."""
        self._quota_resets = quota_resets
        self._longest_wait = longest_wait
        self._clock = clock
        self._policy = policy or RoundRobin()
        self._spread = spread
        self._patience = patience
        self._managed: dict[str, ManagedAccount] = {}
        self._removed: set[str] = set()
        self._records: dict[str, AccountRecord] = {}
        self._guests: LRUCache[str, AccountRecord] = LRUCache(GUESTS)
        self._bad_ways: TTLCache[str, AccountStatus] = TTLCache(_MOST_WAYS, WAY_SECONDS, timer=clock.now)

    def now(self) -> float:
        return self._clock.now()

    def manage(self, accounts: Sequence[ManagedAccount], policy: Policy | None = None) -> None:
        """Take these in place of the managed accounts there were. What is known of those that stay is kept, unless
        their credential is another one now."""
        self._policy = policy or self._policy
        records: dict[str, AccountRecord] = {}
        for managed in accounts:
            account = managed.account
            record = self._records.get(account.tag) or self._guests.pop(account.tag, None) or self._new_seat(account)
            if record.credential != _digest(account):
                record.credential = _digest(account)
                record.health.forget()
                record.credits = record.last_error = None
            record.label = account.label
            record.weight, record.max_running, record.turn = managed.weight, managed.max_running, 0.0
            records[account.tag] = record
        for tag, record in self._records.items():
            if tag not in records:
                # It may come back, and is then what it was.
                record.label, record.weight, record.max_running, record.paused = GUEST, 1, None, False
                self._guests[tag] = record
        self._records = records
        self._removed = (self._removed | self._managed.keys()) - records.keys()
        self._managed = {managed.account.tag: managed for managed in accounts}

    def is_removed(self, account: Account) -> bool:
        """True for an account that the configuration had and no longer has. A new credential is the same account."""
        return account.tag in self._removed

    @property
    def managed(self) -> list[ManagedAccount]:
        """The gateway's own accounts, in the order in which they are configured."""
        return list(self._managed.values())

    # --- submits ------------------------------------------------------------------------------------------------

    async def take(self, accounts: Sequence[Account], model: str, passed_over: AbstractSet[str]) -> Lease | None:
        """The account for the next try of a submit, by the policy; None when there is none that can take it now.

        `passed_over` are the tags of those that were tried. Of an account that is new or was in trouble nobody knows
        what it will say: one submit finds out, the others take other accounts, or wait for it.
        """
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self._longest_wait
        while True:
            now = self._clock.now()
            ready: dict[str, Account] = {}
            probes: list[Probe] = []
            for account in accounts:
                record = self._record(account)
                if account.tag in passed_over or self._status(record, model, now).state is not AccountState.READY:
                    continue
                if record.probe is None or record.probe.seconds >= self._patience:
                    ready[account.tag] = account
                else:
                    probes.append(record.probe)
            if ready:
                return self._choose(ready, model, now)
            left = give_up - loop.time()
            if not probes or left <= 0:
                return None
            soonest = min(self._patience - probe.seconds for probe in probes)
            await asyncio.wait(
                [probe.ended for probe in probes],
                timeout=max(0.0, min(left, soonest)),
                return_when=asyncio.FIRST_COMPLETED,
            )

    def _choose(self, ready: Mapping[str, Account], model: str, now: float) -> Lease:
        open_ways = [account for account in ready.values() if (account.proxy or "") not in self._bad_ways]
        records = {tag: self._record(ready[tag]) for tag in [account.tag for account in open_ways or ready.values()]}
        picked = self._policy.pick(list(records.values()))
        tag = next(tag for tag, record in records.items() if record is picked)
        return Lease(self, ready[tag], picked, model, now)

    def way_failed(self, account: Account, error: ProviderError) -> None:
        """Nobody got through by the account's proxy. It is a matter of the way, not of the account."""
        if account.proxy is None:
            return
        if account.proxy not in self._bad_ways:
            fields = {"account": account.label, "provider": account.provider, "cause": error.detail}
            GATEWAY.warning("a proxy leads nowhere", extra={"fields": fields})
        told = ProviderError(error.kind, words=ERRORS["proxies_lead_nowhere"], detail=error.detail)
        until = self._clock.now() + WAY_SECONDS
        self._bad_ways[account.proxy] = AccountStatus(AccountState.UNREACHABLE, until, told)

    def hold_against(self, account: Account, error: ProviderError, model: str, *, sent_at: float) -> bool:
        """A failure of the account's own. True when it began a pause. `error` is rid of secrets already."""
        record, now = self._current(account), self._clock.now()
        if record is None:
            return False
        # Not the error itself: its traceback would keep a whole request alive.
        record.last_error = LastError(
            ProviderError(error.kind, code=error.code, words=error.words, detail=error.detail), now
        )
        pause = record.health.fail(error, model, sent_at=sent_at, now=now)
        if pause is not None:
            self._report(account, record, pause)
        return pause is not None

    def _report(self, account: Account, record: AccountRecord, pause: Pause) -> None:
        metrics.PAUSES.labels(account.provider, pause.state).inc()
        fields = {
            "account": account.label,
            "provider": account.provider,
            "reason": pause.state.value,
            "code": pause.code or "-",
            "until": utc(pause.until),
        }
        GATEWAY.warning("an account rests", extra={"fields": fields})

    def status(self, account: Account, model: str = "", failure: ProviderError | None = None) -> AccountStatus:
        """How an account stands for a model. `failure` is what a try just now came to."""
        status = self._status(self._record(account), model, self._clock.now())
        bad_way = self._bad_ways.get(account.proxy or "")
        if status.state is AccountState.READY and bad_way is not None:
            return bad_way
        return status if status.error or failure is None else status._replace(error=failure)

    def _status(self, record: AccountRecord, model: str, now: float) -> AccountStatus:
        if record.paused or record.weight <= 0:
            return AccountStatus(AccountState.PAUSED)
        pause = record.health.resting(now) or record.health.closed(model, now)
        if pause is not None:
            return AccountStatus(pause.state, pause.until, pause.error(now))
        record.prune(now)
        return (
            AccountStatus(AccountState.FULL, now + FULL_SECONDS) if record.full else AccountStatus(AccountState.READY)
        )

    # --- what else is learned of accounts -----------------------------------------------------------------------

    def heard(self, account: Account, answers: Mapping[str, TaskState | ProviderError], sent_at: float) -> None:
        """What an upstream said of tasks of an account, by their ids, in answer to a query sent at `sent_at`."""
        known = account.tag in self._records or account.tag in self._guests
        record = self._current(account) if known else None
        for id, answer in answers.items():
            if isinstance(answer, TaskState) or answer.kind is ErrorKind.TASK_NOT_FOUND:
                if record is None:
                    continue
                record.health.log_in(sent_at)
                if isinstance(answer, TaskState) and answer.phase.ended and record.running.pop(id, None) is not None:
                    record.health.task_ended()
            elif matters(answer):
                self.hold_against(account, answer, "", sent_at=sent_at)
                return

    def unseen(self, accounts: Sequence[Account], every: float, most: int) -> dict[Account, list[str]]:
        """The oldest tasks that keep accounts from taking more, at most so many of each account and each account at
        most once in `every` seconds: to ask how they stand may show that there is room."""
        now, found = self._clock.now(), dict[Account, list[str]]()
        for account in accounts:
            record = self._record(account)
            if (
                record.running
                and now - record.looked_at >= every
                and self._status(record, "", now).state is AccountState.FULL
            ):
                record.looked_at = now
                found[account] = list(record.running)[:most]
        return found

    def expired(self, account: Account) -> bool:
        """True while its login counts as refused."""
        return self._rests_for(account, ErrorKind.INVALID_CREDENTIAL) is not None

    def without_credits(self, account: Account) -> bool:
        """True while it rests for want of credits."""
        return self._rests_for(account, ErrorKind.NO_CREDITS) is not None

    def due(self, account: Account) -> bool:
        """True once in a while for an account whose login was refused: it may be looked at again now."""
        pause, now = self._rests_for(account, ErrorKind.INVALID_CREDENTIAL), self._clock.now()
        if pause is None or now < pause.until:
            return False
        self._record(account).health.look_again(now)
        return True

    def _rests_for(self, account: Account, kind: ErrorKind) -> Pause | None:
        return self._record(account).health.pause_of(kind, self._clock.now())

    def logged_in(self, account: Account, *, sent_at: float) -> None:
        """The upstream knew the account's login in answer to a call sent at `sent_at`."""
        record = self._current(account)
        if record is not None:
            record.health.log_in(sent_at)

    def topped_up(self, account: Account) -> None:
        """Credits came in, or whoever looks after the account says so."""
        record = self._current(account)
        if record is not None:
            record.health.top_up()

    def saw_credits(self, account: Account, credits: Credits) -> None:
        """Credits were read."""
        record = self._current(account)
        if record is not None:
            record.credits = SeenCredits(credits, self._clock.now())
            record.health.see_credits(credits.total, self._clock.now())

    def pause(self, account: Account) -> None:
        """Take no submits for it until `resume`. Its tasks are answered all the same."""
        self._record(account).paused = True

    def resume(self, account: Account) -> None:
        """Hold nothing against it any more."""
        record = self._record(account)
        record.paused = False
        record.health.forget()

    def record(self, account: Account) -> AccountRecord:
        """What is known of an account, to be shown."""
        record = self._record(account)
        record.prune(self._clock.now())
        return record

    def __len__(self) -> int:
        """How many accounts are remembered."""
        return len(self._records) + len(self._guests)

    def _record(self, account: Account) -> AccountRecord:
        record = self._records.get(account.tag) or self._guests.get(account.tag)
        if record is None:
            record = self._guests[account.tag] = self._new_seat(account)
        return record

    def _current(self, account: Account) -> AccountRecord | None:
        """The seat of an account; None where its credential has been replaced, so that news of it are old news."""
        record = self._record(account)
        return record if record.credential == _digest(account) else None

    def _new_seat(self, account: Account) -> AccountRecord:
        return AccountRecord(_digest(account), Health(self._spread, self._quota_resets.get(account.provider)))


def matters(error: ProviderError) -> bool:
    """True for a failure that counts against an account whatever the call was."""
    rest = RESTS.get(error.kind)
    return rest is not None and rest.any_call


def _digest(account: Account) -> bytes:
    """Tells one login from the next."""
    login = "\0".join((account.region, account.credential, account.cookie or ""))
    return hashlib.sha256(login.encode("utf-8", "surrogateescape")).digest()
