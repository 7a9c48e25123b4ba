"""Submits with failover across the accounts of the pool. A submit that may have been accepted is never resent."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.requests import ClientDisconnect

from gateway.accounts.checks import AccountChecks
from gateway.accounts.health import Price
from gateway.accounts.lease import Lease
from gateway.accounts.pool import AccountPool
from gateway.accounts.unavailable import unavailable_error
from gateway.core import metrics
from gateway.core.clock import Clock
from gateway.core.errors import as_transient, clean, from_provider, gateway_error
from gateway.task_ids.submit_keys import SubmitKeys
from gateway.tasks.idempotency import SubmitRecord
from gateway.tasks.order import SubmitOrder
from providers.contract.accounts import Account
from providers.contract.errors import Blame, ErrorKind, ProviderError
from providers.contract.provider import CanFind, Provider
from providers.contract.requests import Prepared, Submission, VideoRequest

LOOKUP_DELAYS = (1.0, 1.0, 2.0, 3.0)
"""Seconds before each lookup of a submit whose response was lost: the upstream's store lags behind the submit."""

RESEND_WITHIN = 30.0
"""Seconds after which a submit is not resent, nor sent to another account: clients and their proxies time out after 60
to 90 s, and would pay for a video of which they get no id. Uploads, which cost nothing, do not count."""

MAX_ATTEMPTS = 6
"""Default limit of the accounts that one submit tries."""

MAX_UNKNOWN_REFUSALS = 2
"""Accounts that are asked where an upstream refuses for an unknown reason: it may be the request's."""

_REFRESH_SECONDS = 5.0
"""Minimum interval of the status queries for an account at its limit of concurrent tasks."""

_REFRESHED_TASKS = 5
"""Tasks queried then, where the upstream takes one id per query."""
_CONCURRENT_FINDS = 4

RefreshTasks = Callable[[Provider, Account, Sequence[str]], Awaitable[None]]
"""Queries tasks of an account, so that the pool learns which have ended."""


class Submitter:
    """Sends submits to upstreams. Raises GatewayError."""

    def __init__(
        self,
        clock: Clock,
        pool: AccountPool,
        checks: AccountChecks,
        refresh_tasks: RefreshTasks,
        *,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> None:
        self._clock = clock
        self._pool = pool
        self._checks = checks
        self._refresh_tasks = refresh_tasks
        self._max_attempts = max_attempts

    async def submit(
        self,
        provider: Provider,
        requests: Mapping[Account, VideoRequest],
        order: SubmitOrder,
        record: SubmitRecord,
        keys: SubmitKeys,
        *,
        without_model: list[Account],
    ) -> tuple[Account, Submission]:
        """Submit with one of the accounts, of which there is at least one. **Charged.**

        `requests` has the request for each account: they differ only in the model card of the account's site. The next
        account is tried only after an error of the account itself, where only its site lacks the model, or after the
        first refusal for an unknown reason: none of these creates a task. Every other error is raised. With an
        idempotency key, another replica may run the same submit, and an account may reject it for that reason: it is
        then searched for that submit before the next account is tried. An account that a reload removes is not charged,
        since its task could not be found again. `record.on_charge` is called before anything is sent that may be
        charged. Accounts whose site lacks the model are added to `without_model`.

        Raises GatewayError, and ClientDisconnect where the client disconnects before anything is charged, unless it can
        repeat the request.
        """
        accounts, model = list(requests), next(iter(requests.values())).model
        price = _price_of(next(iter(requests.values())))
        failures: dict[str, ProviderError] = {}
        began, attempts, uploading = self._clock.monotonic(), 0, 0.0
        while attempts < self._max_attempts and self._clock.monotonic() - began - uploading <= RESEND_WITHIN:
            attempts += 1
            accounts = [account for account in accounts if not self._is_removed(order, account)]
            lease = await self._next(provider, accounts, price, failures) if accounts else None
            if lease is None:
                break
            account = lease.account
            request = requests[account]
            with lease:
                try:
                    uploading -= self._clock.monotonic()
                    try:
                        prepared = await _prepare(provider, request, account)
                    finally:
                        uploading += self._clock.monotonic()
                    if request.has_files and not order.is_repeatable and await order.client.is_disconnected():
                        raise ClientDisconnect
                    if self._is_removed(order, account):
                        continue
                    lease.sending()
                    record.on_charge(_log_fields(account, model))
                    submission = await self._submit_once(provider, prepared, account, next(keys.of(account)))
                except ProviderError as error:
                    self._record_failure(lease, error)
                    affected = [one for one in accounts if _is_affected(one, account, error)]
                    if error.kind is ErrorKind.MODEL_NOT_FOUND:
                        without_model.append(account)
                    if not _may_try_another(error, account, failures) or (
                        error.kind is ErrorKind.MODEL_NOT_FOUND and len(affected) == len(accounts)
                    ):
                        raise from_provider(error, model, _log_fields(account, model)) from error
                    record.on_charge(None)
                    failures |= {one.id: error.without_traceback() for one in affected}
                else:
                    lease.submitted(submission.id)
                    return account, submission
            if order.idempotency_key is not None and isinstance(provider, CanFind):
                await self._clock.sleep(LOOKUP_DELAYS[0])
                found = await self.find(provider, [account], keys)
                if found is not None:
                    return found
        if not accounts:
            raise gateway_error("accounts_replaced")
        refusals = _unknown_refusals(failures)
        if refusals:
            raise from_provider(refusals[0], model)
        statuses = [
            self._pool.status(account, model, failures.get(account.id), price)
            for account in accounts
            if not _is_model_missing(failures.get(account.id))
        ]
        if not statuses:
            raise from_provider(next(iter(failures.values())), model)
        raise unavailable_error(statuses, managed=order.caller.managed, now=self._clock.monotonic())

    def _is_removed(self, order: SubmitOrder, account: Account) -> bool:
        return order.caller.managed and self._pool.is_removed(account)

    async def _next(
        self, provider: Provider, accounts: Sequence[Account], price: Price, tried: Mapping[str, object]
    ) -> Lease | None:
        """Lease the account of the next attempt; None where none can take the submit now."""
        expired = [account for account in accounts if self._pool.is_expired(account)]
        recheck = self._checks.recheck(expired) if expired else None
        lease = await self._pool.take(accounts, price.model, tried.keys(), price)
        if lease is not None:
            return lease
        # None is ready: check expired credentials, whether an account that lacks credits has some for this video, and
        # whether accounts at their limit have free slots again.
        if recheck is not None:
            await recheck
        await self._checks.balances_read(accounts)
        unseen = self._pool.tasks_to_poll(accounts, _REFRESH_SECONDS, max(provider.query_batch, _REFRESHED_TASKS))
        await asyncio.gather(*(self._refresh_tasks(provider, account, ids) for account, ids in unseen.items()))
        return await self._pool.take(accounts, price.model, tried.keys(), price)

    def _record_failure(self, lease: Lease, error: ProviderError) -> None:
        clean(error, lease.account)
        if lease.failed(error) and error.kind is ErrorKind.NO_CREDITS:
            self._checks.refresh_credits(lease.account)

    async def find(
        self, provider: Provider, accounts: Sequence[Account], keys: SubmitKeys
    ) -> tuple[Account, Submission] | None:
        """The submission of an earlier request with the same keys, here or on another replica.

        None where there is none, or the upstream has no lookup. An account with a rejected credential is skipped. Any
        other error is raised as transient, since the request must not be submitted twice.
        """
        if not isinstance(provider, CanFind):
            return None
        turns = asyncio.Semaphore(_CONCURRENT_FINDS)

        async def find_with(account: Account) -> Submission | ProviderError | None:
            async with turns:
                try:
                    return await self._find_with(provider, account, keys)
                except ProviderError as error:
                    clean(error, account)
                    return error

        answers = await asyncio.gather(*map(find_with, accounts))
        for account, found in zip(accounts, answers, strict=True):
            if isinstance(found, Submission):
                return account, found
        error = next((answer for answer in answers if isinstance(answer, ProviderError)), None)
        if error is not None:
            raise from_provider(as_transient(error))
        return None

    async def _find_with(self, provider: CanFind, account: Account, keys: SubmitKeys) -> Submission | None:
        for key in keys.of(account):
            try:
                found = await provider.find(key, account)
            except ProviderError as error:
                if error.kind is ErrorKind.INVALID_CREDENTIAL:
                    return None
                raise
            if found is not None:
                return found
        return None

    async def _submit_once(self, provider: Provider, prepared: Prepared, account: Account, key: str) -> Submission:
        """One submit to one account. A submit whose response was lost is looked up. Where the upstream does not know
        it, it is resent once, with the same key, and only within RESEND_WITHIN."""
        began = self._clock.monotonic()
        try:
            return await _submit(provider, prepared, account, key)
        except ProviderError as error:
            if error.kind is not ErrorKind.ANSWER_LOST or not isinstance(provider, CanFind):
                raise
            lost = error.without_traceback()
        found = await self._look_up(provider, key, account, lost=lost)
        if found is not None:
            return found
        if self._clock.monotonic() - began > RESEND_WITHIN:
            raise lost
        try:
            return await _submit(provider, prepared, account, key)
        except ProviderError as error:
            # The upstream may have rejected the resend because the first submit is running.
            found = await self._look_up(provider, key, account, lost=lost)
            if found is None:
                raise lost from error
            return found

    async def _look_up(
        self, provider: CanFind, key: str, account: Account, *, lost: ProviderError
    ) -> Submission | None:
        """The submission of a key, None where the upstream does not know it. Raises `lost` where that is uncertain."""
        unknown = False
        for delay in LOOKUP_DELAYS:
            await self._clock.sleep(delay)
            try:
                found = await provider.find(key, account)
            except ProviderError:
                unknown = False
                continue
            if found is not None:
                return found
            unknown = True
        if not unknown:
            raise lost
        return None


def _log_fields(account: Account, model: str) -> dict[str, str]:
    """The log fields of a submit that failed or whose outcome is unknown."""
    return {"model": model, "provider": account.provider, "account": account.label}


async def _prepare(provider: Provider, request: VideoRequest, account: Account) -> Prepared:
    """Prepare a submit. A failed upload is retried once. Calls with files are in the metrics."""
    if not request.has_files:
        return await provider.prepare(request, account)
    for last in (False, True):
        began, outcome = time.perf_counter(), "ok"
        try:
            return await provider.prepare(request, account)
        except ProviderError as error:
            outcome = error.kind.value
            if last or error.kind is not ErrorKind.UPLOAD_FAILED:
                raise
        finally:
            metrics.observe_call(account.provider, "upload", outcome, time.perf_counter() - began)
    raise AssertionError


async def _submit(provider: Provider, prepared: Prepared, account: Account, key: str) -> Submission:
    began, outcome = time.perf_counter(), "ok"
    try:
        return await provider.submit(prepared, account, submit_key=key)
    except ProviderError as error:
        outcome = error.kind.value
        raise
    finally:
        metrics.observe_call(provider.name, "submit", outcome, time.perf_counter() - began)


def _price_of(request: VideoRequest) -> Price:
    return Price(request.model, request.duration, request.resolution)


def _unknown_refusals(failures: Mapping[str, ProviderError]) -> list[ProviderError]:
    return [error for error in failures.values() if error.kind is ErrorKind.UNKNOWN_REFUSAL]


def _may_try_another(error: ProviderError, account: Account, failures: Mapping[str, ProviderError]) -> bool:
    """True for an error that may be specific to the account and created no task. `failures` are those before it."""
    if error.kind is ErrorKind.UNKNOWN_REFUSAL:
        return len(_unknown_refusals(failures)) + 1 < MAX_UNKNOWN_REFUSALS
    if error.kind is ErrorKind.UNREACHABLE:
        # The proxy of the account may be down.
        return account.proxy is not None
    return error.kind.blame is Blame.ACCOUNT or error.kind is ErrorKind.MODEL_NOT_FOUND


def _is_model_missing(error: ProviderError | None) -> bool:
    return error is not None and error.kind is ErrorKind.MODEL_NOT_FOUND


def _is_affected(one: Account, failed: Account, error: ProviderError) -> bool:
    """True for an account that the error of another one affects too: by the same proxy, or by a site without the
    model."""
    if error.kind is ErrorKind.MODEL_NOT_FOUND:
        return one.region == failed.region
    return one is failed or (error.kind is ErrorKind.UNREACHABLE and one.proxy == failed.proxy)
