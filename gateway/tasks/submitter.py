"""Submits with failover across the accounts of the pool. A submit that may have been accepted is never resent."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.requests import ClientDisconnect

from gateway.accounts.checks import AccountChecks
from gateway.accounts.failover import is_affected, may_try_another
from gateway.accounts.health import AccountState, Price
from gateway.accounts.lease import Lease
from gateway.accounts.pool import AccountPool
from gateway.accounts.unavailable import unavailable_error
from gateway.core import metrics, tracing
from gateway.core.clock import Clock
from gateway.core.errors import clean, from_provider, gateway_error
from gateway.core.upstream_call import UpstreamCall
from gateway.task_ids.submit_keys import SubmitKeys
from gateway.tasks.idempotency import Charge, SubmitRecord
from gateway.tasks.order import SubmitOrder
from gateway.tasks.send_deadline import SendDeadline
from gateway.tasks.submit_lookup import LOOKUP_DELAYS, RECENT_SECONDS, LookupResult, SubmitLookup
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.provider import CanFind, Provider
from providers.contract.requests import Prepared, Submission, VideoRequest

MAX_ATTEMPTS = 6
"""Default limit of the accounts that one submit tries."""

MAX_UNKNOWN_REFUSALS = 2
"""Accounts that are asked where an upstream refuses for an unknown reason: it may be the request's."""

_STATES_OF_THIS_PROCESS = frozenset(
    {AccountState.FULL, AccountState.RATE_LIMITED, AccountState.PAUSED, AccountState.UNREACHABLE}
)
"""States that another process may see otherwise: it counts its own tasks and pauses, and a proxy may work for it."""

_OTHER_PROCESS_SECONDS = 2 * RECENT_SECONDS
"""Seconds until a lookup shows what another process submits now, after a lookup that is still recent there."""

_REFRESH_SECONDS = 5.0
"""Minimum interval of the status queries for an account at its limit of concurrent tasks."""

_REFRESHED_TASKS = 5
"""Tasks queried then, where the upstream takes one id per query."""

RefreshTasks = Callable[[Provider, Account, Sequence[str]], Awaitable[None]]
"""Queries tasks of an account, so that the pool learns which have ended."""


class Submitter:
    """Sends submits to upstreams. Raises GatewayError."""

    def __init__(
        self,
        clock: Clock,
        pool: AccountPool,
        checks: AccountChecks,
        lookup: SubmitLookup,
        refresh_tasks: RefreshTasks,
        *,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> None:
        self._clock = clock
        self._pool = pool
        self._checks = checks
        self._lookup = lookup
        self._refresh_tasks = refresh_tasks
        self._max_attempts = max_attempts

    async def find(
        self,
        provider: Provider,
        accounts: Sequence[Account],
        keys: SubmitKeys,
        *,
        charged: str | None = None,
        leased: Account | None = None,
    ) -> LookupResult | None:
        """Look up the submission of an earlier request with the same keys, here or on another replica. None where the
        upstream has no lookup. `charged` is the id of the account that it was sent to, where that is known; `leased` is
        the account that is to be charged next."""
        if not isinstance(provider, CanFind):
            return None
        accounts = self._pool.in_rendezvous_order(accounts, keys.order_key)
        accounts.sort(key=lambda account: account.id != charged)
        with tracing.span("look up earlier submit"):
            return await self._lookup.find(provider, accounts, keys, leased.id if leased is not None else charged)

    async def submit(
        self,
        provider: Provider,
        requests: Mapping[Account, VideoRequest],
        order: SubmitOrder,
        record: SubmitRecord,
        deadline: SendDeadline,
        keys: SubmitKeys,
        *,
        lookup: LookupResult | None,
        without_model: list[Account],
    ) -> tuple[Account, Submission, bool]:
        """Submit with one of the accounts, of which there is at least one. **Charged.** The last value is False where
        an earlier submission was found instead.

        `requests` has the request for each account: they differ only in the model card of the account's site. The next
        account is tried only after an error of the account itself, where only its site lacks the model, or after the
        first refusal for an unknown reason: none of these creates a task. Every other error is raised. An account that
        a reload removes is not charged, since its task could not be found again. `record.on_charge` is called before
        anything is sent that may be charged. Accounts whose site lacks the model are added to `without_model`.

        `lookup` is that of a submit with an idempotency key, which another replica may run as well: the accounts are
        tried in the order of the key, and none is charged before those before it, and itself, are known not to have the
        submission. The lookup is repeated where it is not recent.

        Raises GatewayError, and ClientDisconnect where all clients disconnect before anything is charged.
        """
        accounts, model = list(requests), next(iter(requests.values())).model
        own = order.caller.accounts_of(provider.name)
        if lookup is not None:
            accounts = self._pool.in_rendezvous_order(accounts, keys.order_key)
        price = _price_of(next(iter(requests.values())))
        failures: dict[str, ProviderError] = {}
        attempts = 0
        while attempts < self._max_attempts and not deadline.has_passed:
            attempts += 1
            accounts = [account for account in accounts if not self._is_removed(order, account)]
            began = time.perf_counter()
            with tracing.span("lease account"):
                lease = await self._next(provider, accounts, price, failures, deadline, in_order=lookup is not None)
            metrics.queue_wait(provider.name, "submit").observe(time.perf_counter() - began)
            if lease is None:
                break
            account = lease.account
            with lease:
                try:
                    if lookup is not None and self._passes_usable_accounts(accounts, account, price, failures):
                        # Another process may be submitting to one of them. After this, the lookup is repeated.
                        await self._clock.sleep(_OTHER_PROCESS_SECONDS)
                    with deadline.transfer():
                        prepared = await _prepare(provider, requests[account], account)
                    if lookup is not None:
                        if not lookup.is_current(account, self._clock.monotonic()):
                            lookup = await self.find(provider, own, keys, leased=account) or lookup
                        if lookup.found is not None:
                            return *lookup.found, False
                        lookup.raise_if_uncertain(account)
                    if await record.is_abandoned():
                        raise ClientDisconnect
                    if deadline.has_passed:
                        break
                    if self._is_removed(order, account):
                        continue
                    lease.sending()
                    record.on_charge(Charge(account.id, _log_fields(account, model)))
                    key = next(keys.of(account))
                    submission = await self._submit_once(provider, prepared, account, key, record, deadline)
                except ProviderError as error:
                    self._record_failure(lease, error)
                    if error.kind is not ErrorKind.ANSWER_LOST:
                        record.on_charge(None)
                    affected = [one for one in accounts if is_affected(one, account, error)]
                    if error.kind is ErrorKind.MODEL_NOT_FOUND:
                        without_model.append(account)
                    if not _may_try_another(error, account, failures) or (
                        error.kind is ErrorKind.MODEL_NOT_FOUND and len(affected) == len(accounts)
                    ):
                        raise from_provider(error, model, _log_fields(account, model)) from error
                    failures |= {one.id: error.without_traceback() for one in affected}
                    refused = error.kind is not ErrorKind.UNREACHABLE
                else:
                    lease.submitted(submission.id)
                    return account, submission, True
            if lookup is not None and refused:
                # Another replica may run the same submit, and the account may have refused it for that reason.
                await self._clock.sleep(LOOKUP_DELAYS[0])
                lookup = await self.find(provider, own, keys) or lookup
                if lookup.found is not None:
                    return *lookup.found, False
        if not accounts:
            raise gateway_error("accounts_replaced")
        refusals = _unknown_refusals(failures)
        if refusals:
            raise from_provider(refusals[0], model)
        if deadline.has_passed and not failures:
            raise gateway_error("not_sent_in_time")
        statuses = [
            self._pool.status(account, model, failures.get(account.id), price)
            for account in accounts
            if not _is_model_missing(failures.get(account.id))
        ]
        if not statuses:
            raise from_provider(next(iter(failures.values())), model)
        raise unavailable_error(statuses, managed=order.caller.managed, now=self._clock.monotonic())

    def _passes_usable_accounts(
        self, accounts: Sequence[Account], leased: Account, price: Price, failures: Mapping[str, ProviderError]
    ) -> bool:
        """True where an account before the leased one is passed over for a reason that only this process may know."""
        refused = {id for id, error in failures.items() if error.kind is not ErrorKind.UNREACHABLE}
        before = accounts[: accounts.index(leased)]
        states = (self._pool.status(one, price.model, price=price).state for one in before if one.id not in refused)
        return any(state in _STATES_OF_THIS_PROCESS for state in states)

    def _is_removed(self, order: SubmitOrder, account: Account) -> bool:
        return order.caller.managed and self._pool.is_removed(account)

    async def _next(
        self,
        provider: Provider,
        accounts: Sequence[Account],
        price: Price,
        tried: Mapping[str, object],
        deadline: SendDeadline,
        *,
        in_order: bool,
    ) -> Lease | None:
        """Lease the account of the next attempt; None where none can take the submit now."""

        async def take() -> Lease | None:
            return await self._pool.take(
                accounts, price.model, tried.keys(), price, in_order=in_order, max_wait=deadline.seconds_left
            )

        expired = [account for account in accounts if self._pool.is_expired(account)]
        recheck = self._checks.recheck(expired) if expired else None
        lease = await take()
        if lease is not None:
            return lease
        # None is ready: check expired credentials, whether an account that lacks credits has some for this video, and
        # whether accounts at their limit have free slots again.
        if recheck is not None:
            await deadline.wait(recheck)
        await self._checks.balances_read(accounts)
        unseen = self._pool.tasks_to_poll(accounts, _REFRESH_SECONDS, max(provider.query_batch, _REFRESHED_TASKS))
        refreshes = (self._refresh_tasks(provider, account, ids) for account, ids in unseen.items())
        await deadline.wait(asyncio.gather(*refreshes))
        return await take()

    def _record_failure(self, lease: Lease, error: ProviderError) -> None:
        clean(error, lease.account)
        if lease.failed(error) and error.kind is ErrorKind.NO_CREDITS:
            self._checks.refresh_credits(lease.account)

    async def _submit_once(
        self,
        provider: Provider,
        prepared: Prepared,
        account: Account,
        key: str,
        record: SubmitRecord,
        deadline: SendDeadline,
    ) -> Submission:
        """One submit to one account. A submit whose response was lost is looked up. Where the upstream does not know
        it, it is resent once, with the same key, as long as it may be sent at all."""
        try:
            return await _submit(provider, prepared, account, key)
        except ProviderError as error:
            if error.kind is not ErrorKind.ANSWER_LOST or not isinstance(provider, CanFind):
                raise
            lost = error.without_traceback()
        found = await self._lookup.find_lost(provider, key, account, lost=lost)
        if found is not None:
            return found
        if deadline.has_passed or await record.is_abandoned():
            raise lost.without_traceback()
        try:
            return await _submit(provider, prepared, account, key)
        except ProviderError as error:
            # The upstream may have rejected the resend because the first submit is running.
            found = await self._lookup.find_lost(provider, key, account, lost=lost)
            if found is None:
                # A copy: with its traceback, `lost` would hold this frame and what it has prepared.
                raise lost.without_traceback() from error
            return found


def _log_fields(account: Account, model: str) -> dict[str, str]:
    """The log fields of a submit that failed or whose outcome is unknown."""
    return {"model": model, "provider": account.provider, "account": account.label}


async def _prepare(provider: Provider, request: VideoRequest, account: Account) -> Prepared:
    """Prepare a submit. A failed upload is retried once. Calls with files are in the metrics."""
    if not request.has_files:
        return await provider.prepare(request, account)
    for last in (False, True):
        try:
            with UpstreamCall(account, "upload"):
                return await provider.prepare(request, account)
        except ProviderError as error:
            if last or error.kind is not ErrorKind.UPLOAD_FAILED:
                raise
    raise AssertionError


async def _submit(provider: Provider, prepared: Prepared, account: Account, key: str) -> Submission:
    with UpstreamCall(account, "submit"):
        return await provider.submit(prepared, account, submit_key=key)


def _price_of(request: VideoRequest) -> Price:
    return Price(request.model, request.duration, request.resolution)


def _unknown_refusals(failures: Mapping[str, ProviderError]) -> list[ProviderError]:
    return [error for error in failures.values() if error.kind is ErrorKind.UNKNOWN_REFUSAL]


def _may_try_another(error: ProviderError, account: Account, failures: Mapping[str, ProviderError]) -> bool:
    """True for an error that may be specific to the account and created no task. `failures` are those before it."""
    if error.kind is ErrorKind.UNKNOWN_REFUSAL:
        return len(_unknown_refusals(failures)) + 1 < MAX_UNKNOWN_REFUSALS
    return may_try_another(error, account)


def _is_model_missing(error: ProviderError | None) -> bool:
    return error is not None and error.kind is ErrorKind.MODEL_NOT_FOUND
