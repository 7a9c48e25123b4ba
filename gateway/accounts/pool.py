"""Account pool: the status of each account, in memory only, for managed accounts and those of pass-through callers.

Accounts are identified by id. Providers classify errors, the table in `health` maps them to pauses, and a policy
selects the account of the next submit.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from gateway.accounts.failed_proxies import PROXY_PAUSE_SECONDS, FailedProxies
from gateway.accounts.health import AccountState, Health, Pause, Price, counts_on_any_call
from gateway.accounts.lease import UNMANAGED_LABEL, AccountRecord, CreditBalance, LastError, Lease, Probe
from gateway.accounts.records import AccountRecords, login_digest
from gateway.accounts.selection import Policy, RoundRobin, rendezvous_score
from gateway.accounts.trouble_log import TroubleLog
from gateway.core import metrics
from gateway.core.clock import Clock
from gateway.core.localization import format_text
from gateway.core.messages import ERRORS
from providers.contract.accounts import Account, Credits
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.spec import QuotaReset
from providers.contract.tasks import TaskState

FULL_RETRY_SECONDS = 15.0
"""Retry after this time where the configured limit of running tasks is reached."""
SECOND_PROBE_SECONDS = 3.0
"""Seconds until a second submit may be sent with a half-open account while its probe is running."""
MAX_WAIT_SECONDS = 15.0
"""Seconds that a submit waits for the probes of others."""


@dataclass(frozen=True, slots=True)
class ManagedAccount:
    """One of the gateway's own accounts. `weight` is its share of the submits, 0 for none. `max_running` limits its
    unfinished tasks, None for no limit."""

    account: Account
    weight: int = 1
    max_running: int | None = None


class AccountStatus(NamedTuple):
    """The status of one account. `until` is when it is available again, in monotonic seconds, None where unknown.
    `error` is the error that led to it."""

    state: AccountState
    until: float | None = None
    error: ProviderError | None = None


class AccountPool:
    """Leases accounts for submits, and records the outcomes."""

    def __init__(
        self,
        clock: Clock,
        policy: Policy | None = None,
        *,
        jitter: Callable[[], float] = random.random,
        second_probe_after: float = SECOND_PROBE_SECONDS,
        max_wait: float = MAX_WAIT_SECONDS,
        quota_resets: Mapping[str, QuotaReset | None] = MappingProxyType({}),
    ) -> None:
        """`jitter` returns a random number in [0, 1) to lengthen a pause by. `quota_resets` is when each provider
        renews credits."""
        self._quota_resets = quota_resets
        self._max_wait = max_wait
        self._clock = clock
        self._policy = policy or RoundRobin()
        self._jitter = jitter
        self._second_probe_after = second_probe_after
        self._managed: dict[str, ManagedAccount] = {}
        self._removed: set[str] = set()
        self._records = AccountRecords()
        self._log = TroubleLog(clock)
        self._failed_proxies: FailedProxies[AccountStatus] = FailedProxies(clock.monotonic)

    def monotonic(self) -> float:
        """The time of leases and pauses, in monotonic seconds."""
        return self._clock.monotonic()

    def unix_time(self, at: float) -> float:
        """A time of a lease or a pause in unix seconds, for display."""
        return self._clock.now() + at - self._clock.monotonic()

    def manage(self, accounts: Sequence[ManagedAccount], policy: Policy | None = None) -> None:
        """Replace the managed accounts. The records of accounts that stay are kept, but their health is reset where the
        credential was replaced."""
        self._policy = policy or self._policy
        for managed in accounts:
            metrics.declare_account(managed.account.provider, managed.account.label)
        records: dict[str, AccountRecord] = {}
        for managed in accounts:
            account = managed.account
            record = self._records.get(account.id) or self._new_record(account)
            if record.credential != login_digest(account):
                record.credential = login_digest(account)
                record.health.reset()
                record.credits = record.last_error = None
            record.label = account.label
            record.weight, record.max_running, record.turn = managed.weight, managed.max_running, 0.0
            records[account.id] = record
        for record in self._records.replace_managed(records):
            record.label, record.weight, record.max_running, record.paused = UNMANAGED_LABEL, 1, None, False
        self._removed = (self._removed | self._managed.keys()) - records.keys()
        self._managed = {managed.account.id: managed for managed in accounts}

    def is_removed(self, account: Account) -> bool:
        """True for an account that a reload removed. An account with a replaced credential is not removed."""
        return account.id in self._removed

    @property
    def managed(self) -> list[ManagedAccount]:
        """The gateway's own accounts, in configuration order."""
        return list(self._managed.values())

    # --- submits ------------------------------------------------------------------------------------------------

    def in_rendezvous_order(self, accounts: Sequence[Account], key: str) -> list[Account]:
        """The accounts in the order in which a submit with this key tries them: the same in every process with the
        same accounts and weights."""
        return sorted(accounts, key=lambda one: rendezvous_score(key, one.id, self._record(one).weight), reverse=True)

    async def take(
        self,
        accounts: Sequence[Account],
        model: str,
        tried: AbstractSet[str],
        price: Price | None = None,
        *,
        in_order: bool = False,
        max_wait: float | None = None,
        is_call: bool = False,
    ) -> Lease | None:
        """Lease an account for the next attempt of a submit, by the policy. None where no account is ready. With
        `is_call` it is for a call without a task: it takes no slot of the running tasks and does not wait for a probe.

        `tried` are the ids of accounts tried before, `price` is that of the submit. A new account, or one after a
        failure, is half-open: one submit probes it, while others use other accounts or wait for the probe, at most
        `max_wait` seconds. With `in_order` the first ready account is leased whatever the policy is, and its probe is
        waited for.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self._max_wait if max_wait is None else min(max_wait, self._max_wait))
        while True:
            now = self._clock.monotonic()
            usable = {
                account.id: account
                for account in accounts
                if account.id not in tried
                and self._status(self._record(account), model, now, price, is_call=is_call).state is AccountState.READY
            }
            if in_order and usable:
                first = next(iter(self._with_reachable_proxy(usable.values())))
                usable = {first.id: first}
            probes = {
                id: probe for id, account in usable.items() if not is_call and (probe := self._awaited_probe(account))
            }
            ready = {id: account for id, account in usable.items() if id not in probes}
            if ready:
                return self._choose(ready, model, now, price, is_call=is_call)
            left = deadline - loop.time()
            if not probes or left <= 0:
                return None
            soonest = min(self._second_probe_after - probe.seconds for probe in probes.values())
            await asyncio.wait(
                [probe.ended for probe in probes.values()],
                timeout=max(0.0, min(left, soonest)),
                return_when=asyncio.FIRST_COMPLETED,
            )

    def _awaited_probe(self, account: Account) -> Probe | None:
        """The probe of a half-open account, until a second submit may be sent."""
        probe = self._record(account).probe
        return probe if probe is not None and probe.seconds < self._second_probe_after else None

    def _with_reachable_proxy(self, accounts: Iterable[Account]) -> list[Account]:
        """The accounts whose proxy has not just failed; all of them where each has."""
        accounts = list(accounts)
        return [account for account in accounts if (account.proxy or "") not in self._failed_proxies] or accounts

    def _choose(
        self, ready: Mapping[str, Account], model: str, now: float, price: Price | None, *, is_call: bool
    ) -> Lease:
        usable = self._with_reachable_proxy(ready.values())
        # An unknown refusal may be the request's fault: the account is used again where there is no other.
        trusted = [account for account in usable if not self._record(account).health.is_doubtful(now)]
        records = {account.id: self._record(account) for account in trusted or usable}
        picked = self._policy.pick(list(records.values()))
        id = next(id for id, record in records.items() if record is picked)
        return Lease(self, ready[id], picked, model, now, price, is_call=is_call)

    def proxy_failed(self, account: Account, error: ProviderError) -> None:
        """Record that the account's proxy cannot reach the upstream. It does not count against the account."""
        if account.proxy is None:
            return
        managed = account.id in self._managed
        if account.proxy not in self._failed_proxies:
            self._log.proxy_failed(account, error, managed=managed)
        status_error = ProviderError(error.kind, message=ERRORS["proxy_unreachable"], detail=error.detail)
        until = self._clock.monotonic() + PROXY_PAUSE_SECONDS
        status = AccountStatus(AccountState.UNREACHABLE, until, status_error)
        self._failed_proxies.add(account.proxy, status, managed=managed)

    def has_failed_proxy(self, account: Account) -> bool:
        """True where the account's proxy has just failed."""
        return account.proxy is not None and account.proxy in self._failed_proxies

    def log_failed_lookups(self, errors: Mapping[Account, ProviderError]) -> None:
        """Log the errors of one lookup of a submit. They must not contain secrets."""
        self._log.lookups_failed(errors, managed=self._managed.keys())

    def record_failure(
        self, account: Account, error: ProviderError, model: str, *, sent_at: float, price: Price | None = None
    ) -> bool:
        """Record an error that counts against the account. True when it starts a pause. `error` must not contain
        secrets."""
        record, now = self._current(account), self._clock.monotonic()
        if record is None:
            return False
        record.last_error = LastError(error.without_traceback(), now)
        pause = record.health.fail(error, model, sent_at=sent_at, now=now, price=price)
        if pause is not None:
            metrics.PAUSES.labels(account.provider, pause.state).inc()
            self._log.paused(account, pause, record.health, managed=account.id in self._managed)
        return pause is not None

    def log_ended_pause(self, account: Account) -> None:
        """Log the end of a managed account's pause, once it has ended."""
        self._log.pause_may_have_ended(account, self._record(account).health)

    def status(
        self,
        account: Account,
        model: str = "",
        failure: ProviderError | None = None,
        price: Price | None = None,
        *,
        is_call: bool = False,
    ) -> AccountStatus:
        """The status of an account for a model at a price, or for a call without a task. `failure` is the error of an
        attempt that just failed."""
        status = self._status(self._record(account), model, self._clock.monotonic(), price, is_call=is_call)
        failed_proxy = self._failed_proxies.get(account.proxy or "")
        if status.state is AccountState.READY and failed_proxy is not None:
            return failed_proxy
        return status if status.error or failure is None else status._replace(error=failure)

    def _status(
        self, record: AccountRecord, model: str, now: float, price: Price | None = None, *, is_call: bool = False
    ) -> AccountStatus:
        if record.paused or record.weight <= 0:
            return AccountStatus(AccountState.PAUSED)
        pause = record.health.active_pause(now) or record.health.model_pause(model, now)
        if pause is not None:
            return AccountStatus(pause.state, pause.until, pause.error(now))
        closed = record.health.closed_price(price, now) if price is not None else None
        if closed is not None:
            message = format_text(ERRORS["too_few_credits"], credits=closed.credits)
            error = ProviderError(ErrorKind.NO_CREDITS, code=closed.code, message=message)
            return AccountStatus(AccountState.LOW_CREDITS, closed.until, error)
        record.prune(now)
        if record.full and not is_call:
            return AccountStatus(AccountState.FULL, now + FULL_RETRY_SECONDS)
        return AccountStatus(AccountState.READY)

    # --- other observations -------------------------------------------------------------------------------------

    def on_results(self, account: Account, results: Mapping[str, TaskState | ProviderError], sent_at: float) -> None:
        """Record the results of a query that was sent at `sent_at`, by upstream task id."""
        if any(_shows_login(result) for result in results.values()):
            self._records.accept(account.id)
        record = self._current(account) if account.id in self._records else None
        for id, result in results.items():
            if isinstance(result, TaskState) or result.kind is ErrorKind.TASK_NOT_FOUND:
                if record is None:
                    continue
                record.health.record_login(sent_at)
                if isinstance(result, TaskState) and result.phase.ended and record.running.pop(id, None) is not None:
                    record.health.task_ended()
                self.log_ended_pause(account)
            elif counts_on_any_call(result):
                self.record_failure(account, result, "", sent_at=sent_at)
                return

    def tasks_to_poll(self, accounts: Sequence[Account], interval: float, limit: int) -> dict[Account, list[str]]:
        """The tasks to poll for full accounts, since one of them may have ended: the `limit` oldest tasks of each, at
        most once in `interval` seconds."""
        now, found = self._clock.monotonic(), dict[Account, list[str]]()
        for account in accounts:
            record = self._record(account)
            if (
                record.running
                and now - record.polled_at >= interval
                and self._status(record, "", now).state is AccountState.FULL
            ):
                record.polled_at = now
                found[account] = list(record.running)[:limit]
        return found

    def is_expired(self, account: Account) -> bool:
        """True while the credential counts as rejected."""
        return self._pause_of(account, ErrorKind.INVALID_CREDENTIAL) is not None

    def lacks_credits(self, account: Account) -> bool:
        """True while the account is paused for lack of credits, or has too few of them for a video."""
        paused = self._pause_of(account, ErrorKind.NO_CREDITS) is not None
        return paused or self._record(account).health.has_closed_prices(self._clock.monotonic())

    def claim_check(self, account: Account) -> bool:
        """True where the credential was rejected and a check is due, which the caller then runs. The next one is due an
        interval later."""
        pause, now = self._pause_of(account, ErrorKind.INVALID_CREDENTIAL), self._clock.monotonic()
        if pause is None or now < pause.until:
            return False
        self._record(account).health.postpone_check(now)
        return True

    def _pause_of(self, account: Account, kind: ErrorKind) -> Pause | None:
        return self._record(account).health.pause_of(kind, self._clock.monotonic())

    def record_login(self, account: Account, *, sent_at: float) -> None:
        """Record that the upstream accepted the credential in a call sent at `sent_at`."""
        self._records.accept(account.id)
        record = self._current(account)
        if record is not None:
            record.health.record_login(sent_at)
            self.log_ended_pause(account)

    def record_top_up(self, account: Account) -> None:
        """Record new credits. This ends the pause for lack of credits."""
        record = self._current(account)
        if record is not None:
            record.health.record_top_up()
            self.log_ended_pause(account)

    def record_credits(self, account: Account, credits: Credits) -> None:
        """Record a credit balance."""
        record = self._current(account)
        if record is not None:
            if account.id in self._managed:
                before = record.credits.credits.total if record.credits is not None else None
                metrics.credits_read(account.provider, account.label, credits.total, before)
            record.credits = CreditBalance(credits, self._clock.monotonic())
            record.health.record_credits(credits.total, self._clock.monotonic())
            self.log_ended_pause(account)

    def pause(self, account: Account) -> None:
        """Send the account no submits until `resume`. Its tasks can still be polled."""
        self._record(account).paused = True

    def resume(self, account: Account) -> None:
        """End the operator's pause and all others."""
        record = self._record(account)
        record.paused = False
        record.health.reset()
        self.log_ended_pause(account)

    def record(self, account: Account) -> AccountRecord:
        """The record of an account, for display."""
        record = self._record(account)
        record.prune(self._clock.monotonic())
        return record

    def __len__(self) -> int:
        """Number of account records."""
        return len(self._records)

    def is_known(self, account_id: str) -> bool:
        """True for an account whose credential its upstream has accepted, and for a managed one: caches keep its
        entries before those of others."""
        return self._records.is_known(account_id)

    def _record(self, account: Account) -> AccountRecord:
        record = self._records.get(account.id)
        return record if record is not None else self._records.add(account.id, self._new_record(account))

    def _current(self, account: Account) -> AccountRecord | None:
        """The record of an account. None where its credential has been replaced, so that the result is outdated."""
        record = self._record(account)
        return record if record.credential == login_digest(account) else None

    def _new_record(self, account: Account) -> AccountRecord:
        return AccountRecord(login_digest(account), Health(self._jitter, self._seconds_to_reset(account.provider)))

    def _seconds_to_reset(self, provider: str) -> Callable[[], float] | None:
        reset = self._quota_resets.get(provider)
        return (lambda: reset.seconds_left(self._clock.now())) if reset is not None else None


def _shows_login(result: TaskState | ProviderError) -> bool:
    """True for the result of a query whose credential the upstream accepted."""
    return isinstance(result, TaskState) or result.kind is ErrorKind.TASK_NOT_FOUND
