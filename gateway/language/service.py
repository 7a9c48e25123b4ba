"""Language service: chat and embedding calls, with failover across the accounts of the pool up to the first byte.

A call has no task and no idempotency key. It is sent again, to another account, only where an account refuses it; a
client's own retry is a call of its own.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

from gateway.accounts.callers import Caller
from gateway.accounts.checks import AccountChecks
from gateway.accounts.failover import is_affected, may_try_another
from gateway.accounts.lease import Lease
from gateway.accounts.pool import AccountPool
from gateway.accounts.unavailable import unavailable_error
from gateway.core.clock import Clock
from gateway.core.errors import GatewayError, clean, from_provider, gateway_error
from gateway.core.messages import ERRORS
from gateway.core.upstream_call import UpstreamCall
from gateway.language.body import LanguageBody
from gateway.language.catalog import LanguageCatalog
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.language import LanguageKind, LanguageResponse
from providers.offload import offload

_RETRYABLE = frozenset({ErrorKind.UPSTREAM_ERROR, ErrorKind.UNREACHABLE, ErrorKind.ANSWER_LOST})

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})

_RETRY_SECONDS = 1.0
"""Retry-After where the upstream names none."""


@dataclass(frozen=True, slots=True)
class OpenedCall:
    """A call whose answer has begun. Its response is for the caller to close."""

    response: LanguageResponse
    model: str
    account: Account

    @property
    def log_fields(self) -> dict[str, str]:
        return _log_fields(self.model, self.account)


class Language:
    """Chat completions and embeddings. Raises GatewayError."""

    def __init__(
        self, catalog: LanguageCatalog, pool: AccountPool, checks: AccountChecks, clock: Clock, *, max_attempts: int
    ) -> None:
        self.catalog = catalog
        self._pool = pool
        self._checks = checks
        self._clock = clock
        self._max_attempts = max_attempts

    async def open(
        self, caller: Caller, kind: LanguageKind, body: LanguageBody, headers: Mapping[str, str] = _NO_HEADERS
    ) -> OpenedCall:
        """Send a request and return as soon as the beginning of its answer arrives. Of the client's `headers`, those
        are passed on that the provider takes.

        The next account is tried after an error of the account itself, and where only its site lacks the model.
        """
        choice = await self.catalog.choose(caller, kind, body.model)
        call, model = choice.call, choice.model
        text = await offload(len(body.text), partial(body.with_model, model))
        passed = choice.client_headers.of(headers, managed=caller.managed)
        accounts = caller.accounts_of(choice.provider.name)
        failures: dict[str, ProviderError] = {}
        for _ in range(self._max_attempts):
            accounts = tuple(one for one in accounts if not (caller.managed and self._pool.is_removed(one)))
            lease = await self._lease(accounts, model, failures)
            if lease is None:
                break
            account = lease.account
            with ExitStack() as held:
                held.enter_context(lease)
                try:
                    response = await self._send(partial(call, text, account, passed), kind, lease)
                except ProviderError as error:
                    affected = [one for one in accounts if is_affected(one, account, error)]
                    last = error.kind is ErrorKind.MODEL_NOT_FOUND and len(affected) == len(accounts)
                    if last or not may_try_another(error, account):
                        raise _gateway_error(error, model, account) from error
                    failures |= {one.id: error.without_traceback() for one in affected}
                else:
                    return OpenedCall(_leased(response, held.pop_all()), model, account)
        if not accounts:
            raise gateway_error("accounts_replaced")
        statuses = [
            self._pool.status(account, model, failures.get(account.id), is_call=True)
            for account in accounts
            if account.id not in failures or failures[account.id].kind is not ErrorKind.MODEL_NOT_FOUND
        ]
        if not statuses:
            raise from_provider(next(iter(failures.values())), model)
        raise unavailable_error(statuses, managed=caller.managed, now=self._clock.monotonic())

    async def _lease(self, accounts: tuple[Account, ...], model: str, tried: dict[str, ProviderError]) -> Lease | None:
        """Lease the account of the next attempt; None where none can take the call now. Where it is due, rejected
        credentials are checked again."""
        expired = [account for account in accounts if self._pool.is_expired(account)]
        recheck = self._checks.recheck(expired) if expired else None
        lease = await self._pool.take(accounts, model, tried.keys(), is_call=True)
        if lease is None and recheck is not None:
            await recheck
            lease = await self._pool.take(accounts, model, tried.keys(), is_call=True)
        return lease

    async def _send(
        self, call: Callable[[], Awaitable[LanguageResponse]], kind: LanguageKind, lease: Lease
    ) -> LanguageResponse:
        """Send the call with the leased account, and record the outcome."""
        account = lease.account
        lease.sending()
        sent_at = self._pool.monotonic()
        try:
            with UpstreamCall(account, kind.value):
                response = await call()
        except ProviderError as error:
            clean(error, account)
            lease.failed(error)
            raise
        else:
            lease.answered()
            self._pool.record_login(account, sent_at=sent_at)
            return response


def _leased(response: LanguageResponse, lease: ExitStack) -> LanguageResponse:
    """The response, which keeps its account leased until it is closed."""

    async def close() -> None:
        with lease:
            await response.close()

    return replace(response, close=close)


def _gateway_error(error: ProviderError, model: str, account: Account) -> GatewayError:
    """The error response. A client may send a call again that the upstream did not answer: it has no task."""
    fields = _log_fields(model, account)
    if error.kind not in _RETRYABLE:
        return from_provider(error, model, fields)
    text = error.message or ERRORS["upstream_unavailable" if error.kind is ErrorKind.UNREACHABLE else "call_failed"]
    return GatewayError(
        "upstream_unavailable",
        text,
        upstream_code=error.code,
        detail=error.detail,
        retry_after=error.retry_after or _RETRY_SECONDS,
        log_fields=fields,
    )


def interrupted(error: ProviderError) -> GatewayError:
    """The error of a stream that broke after its first byte."""
    return GatewayError("upstream_unavailable", ERRORS["answer_interrupted"], detail=error.detail)


def _log_fields(model: str, account: Account) -> dict[str, str]:
    return {"model": model, "provider": account.provider, "account": account.label}
