"""Submits with failover across the accounts of the pool. A submit that may have been accepted is never resent."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.requests import ClientDisconnect

from gateway.accounts.checks import AccountChecks
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
"""Seconds before each look-up of a submit whose answer was lost: the store of the upstream lags behind the submit."""

RESEND_WITHIN = 30.0
"""Seconds after which a submit is not sent again, nor to another account: clients and what stands in front of them give
up at 60 to 90 s, and would pay for a video that they never hear of. Uploads, which cost nothing, do not count."""

MAX_ATTEMPTS = 6
"""Accounts that one submit is tried with, unless configured."""

_LOOK_EVERY = 5.0
"""Seconds between two looks at the tasks that keep an account full."""

_LOOK_AT = 5
"""Tasks of an account that are looked at then, where the upstream takes one id at a time."""
_FINDS_AT_ONCE = 4

Look = Callable[[Provider, Account, Sequence[str]], Awaitable[None]]
"""Asks the upstream how tasks of an account stand, so that the pool hears of those that have ended."""


class Submitter:
    """Sends submits to upstreams. Raises GatewayError."""

    def __init__(
        self,
        clock: Clock,
        pool: AccountPool,
        checks: AccountChecks,
        look: Look,
        *,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> None:
        self._clock = clock
        self._pool = pool
        self._checks = checks
        self._look = look
        self._max_attempts = max_attempts

    async def submit(
        self,
        provider: Provider,
        requests: Mapping[Account, VideoRequest],
        order: SubmitOrder,
        record: SubmitRecord,
        keys: SubmitKeys,
        *,
        lacking: list[Account],
    ) -> tuple[Account, Submission]:
        """Submit with one of the accounts, of which there is at least one. **Charged.**

        `requests` is the request for each of them: the same, but for the card that the account's site has of the model.
        The next account is tried only after trouble of an account's own, and for a model that only this account's site
        no longer has: both surely created nothing. Whatever else goes wrong goes back to the client. With an
        idempotency key, another replica may run the same submit: then an account that refuses is asked first whether
        it has it, since it may refuse because it does. An account that a reload removes meanwhile is not charged: its
        task could not be found again. `record` is told before anything is sent that may be charged. Accounts whose site
        no longer has the model are added to `lacking`.

        Raises GatewayError, and ClientDisconnect where the client has gone before anything was charged, unless it may
        come back for the result.
        """
        accounts, model = list(requests), next(iter(requests.values())).model
        failures: dict[str, ProviderError] = {}
        began, attempts, uploading = self._clock.now(), 0, 0.0
        while attempts < self._max_attempts and self._clock.now() - began - uploading <= RESEND_WITHIN:
            attempts += 1
            accounts = [account for account in accounts if not self._is_removed(order, account)]
            lease = await self._next(provider, accounts, model, failures) if accounts else None
            if lease is None:
                break
            account = lease.account
            request = requests[account]
            with lease:
                try:
                    uploading -= self._clock.now()
                    try:
                        prepared = await _prepare(provider, request, account)
                    finally:
                        uploading += self._clock.now()
                    if request.has_files and not order.is_repeatable and await order.client.is_disconnected():
                        raise ClientDisconnect
                    if self._is_removed(order, account):
                        continue
                    lease.sending()
                    record.on_charge(_log_fields(account, model))
                    submission = await self._submit_once(provider, prepared, account, next(keys.of(account)))
                except ProviderError as error:
                    self._note(lease, error)
                    sharing = [one for one in accounts if _shares_trouble(one, account, error)]
                    if error.kind is ErrorKind.MODEL_NOT_FOUND:
                        lacking.append(account)
                    if not _may_try_another(error, account) or (
                        error.kind is ErrorKind.MODEL_NOT_FOUND and len(sharing) == len(accounts)
                    ):
                        raise from_provider(error, model, _log_fields(account, model)) from error
                    record.on_charge(None)
                    failures |= {one.id: error for one in sharing}
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
        statuses = [
            self._pool.status(account, model, failures.get(account.id))
            for account in accounts
            if not _lacks_model(failures.get(account.id))
        ]
        if not statuses:
            raise from_provider(next(iter(failures.values())), model)
        raise unavailable_error(statuses, managed=order.caller.managed, now=self._clock.now())

    def _is_removed(self, order: SubmitOrder, account: Account) -> bool:
        return order.caller.managed and self._pool.is_removed(account)

    async def _next(
        self, provider: Provider, accounts: Sequence[Account], model: str, tried: Mapping[str, object]
    ) -> Lease | None:
        """The account for the next try; None when none of them can take the submit now."""
        expired = [account for account in accounts if self._pool.is_expired(account)]
        looking = self._checks.recheck(expired) if expired else None
        lease = await self._pool.take(accounts, model, tried.keys())
        if lease is not None:
            return lease
        # Nobody is ready: what was refused for its login or is full may be so no longer.
        if looking is not None:
            await looking
        running = self._pool.tasks_to_poll(accounts, _LOOK_EVERY, max(provider.query_batch, _LOOK_AT))
        await asyncio.gather(*(self._look(provider, account, ids) for account, ids in running.items()))
        return await self._pool.take(accounts, model, tried.keys())

    def _note(self, lease: Lease, error: ProviderError) -> None:
        clean(error, lease.account)
        if lease.failed(error) and error.kind is ErrorKind.NO_CREDITS:
            self._checks.refresh_credits(lease.account)

    async def find(
        self, provider: Provider, accounts: Sequence[Account], keys: SubmitKeys
    ) -> tuple[Account, Submission] | None:
        """The submission that an earlier request with the same keys made, here or on another replica.

        None where there is none, and where the upstream has no look-up. Only an account whose login is refused is
        passed over; any other trouble is raised as what may be tried again, since to go on might be to submit twice.
        """
        if not isinstance(provider, CanFind):
            return None
        turns = asyncio.Semaphore(_FINDS_AT_ONCE)

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
        trouble = next((answer for answer in answers if isinstance(answer, ProviderError)), None)
        if trouble is not None:
            raise from_provider(as_transient(trouble))
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
        """One submit to one account. A lost answer is looked up; only a submit that the upstream does not know is
        sent again, once, as the same submit, and only while the client is likely to be there still."""
        began = self._clock.now()
        try:
            return await _submit(provider, prepared, account, key)
        except ProviderError as error:
            if error.kind is not ErrorKind.ANSWER_LOST or not isinstance(provider, CanFind):
                raise
            lost = error
        found = await self._look_up(provider, key, account, lost=lost)
        if found is not None:
            return found
        if self._clock.now() - began > RESEND_WITHIN:
            raise lost
        try:
            return await _submit(provider, prepared, account, key)
        except ProviderError as error:
            # A refused repeat proves nothing: it may be refused because the first one runs.
            found = await self._look_up(provider, key, account, lost=lost)
            if found is None:
                raise lost from error
            return found

    async def _look_up(
        self, provider: CanFind, key: str, account: Account, *, lost: ProviderError
    ) -> Submission | None:
        """The submission of a key, None when the upstream surely does not know it. Raises `lost` when it cannot
        be told."""
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
    """Prepare a submit; an upload that got lost on its way is sent once more. Calls with files are in the metrics."""
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


def _may_try_another(error: ProviderError, account: Account) -> bool:
    """True for trouble that another account need not have, and that surely created nothing."""
    if error.kind is ErrorKind.UNREACHABLE:
        # Of an account with a proxy of its own, being out of reach is the trouble of its way.
        return account.proxy is not None
    return error.kind.blame is Blame.ACCOUNT or error.kind is ErrorKind.MODEL_NOT_FOUND


def _lacks_model(error: ProviderError | None) -> bool:
    return error is not None and error.kind is ErrorKind.MODEL_NOT_FOUND


def _shares_trouble(one: Account, failed: Account, error: ProviderError) -> bool:
    """True for the account that failed, for those that go the same dead way, and for those of a site that no longer has
    the model."""
    if error.kind is ErrorKind.MODEL_NOT_FOUND:
        return one.region == failed.region
    return one is failed or (error.kind is ErrorKind.UNREACHABLE and one.proxy == failed.proxy)
