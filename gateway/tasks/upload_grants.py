"""Upload grants: the permission of an upstream for a client to upload files itself, before it submits.

The files can be used by one account only. A client asks once per file, and all files of one submit must be of one
account: so the account depends on the client and the model alone, the same on every replica, while it works.
"""

from collections.abc import Mapping
from typing import Any

from gateway.accounts.callers import Caller
from gateway.accounts.health import AccountState, counts_on_any_call
from gateway.accounts.pool import AccountPool
from gateway.core.clock import Clock
from gateway.core.errors import GatewayError, clean, from_provider, gateway_error
from providers.contract.accounts import Account
from providers.contract.errors import Blame, ErrorKind, ProviderError
from providers.contract.provider import GrantsUploads, Provider

MAX_ATTEMPTS = 6
"""Accounts that are asked for one grant."""


class UploadGrants:
    """Requests upload grants. Nothing of this is charged."""

    def __init__(self, clock: Clock, pool: AccountPool) -> None:
        self._clock = clock
        self._pool = pool

    async def request(
        self, caller: Caller, provider: Provider, model: str, session: str
    ) -> tuple[Account, Mapping[str, Any]]:
        """The upstream's grant for a model, and the account whose files will be uploaded with it. `session` tells one
        process of the client from another: different ones may use different accounts.

        Raises GatewayError: the error of the last account that was asked.
        """
        accounts = caller.accounts_of(provider.name)
        if not accounts or not isinstance(provider, GrantsUploads):
            if caller.managed:
                raise GatewayError("model_not_found", values={"model": model}, param="model")
            raise gateway_error("no_account_for_provider", provider=provider.name)
        ordered = self._pool.in_rendezvous_order(accounts, f"{caller.identity}\0{model}\0{session}")
        ordered.sort(key=lambda account: self._pool.status(account, model).state is not AccountState.READY)
        last = ordered[:MAX_ATTEMPTS][-1]
        for account in ordered:
            sent_at = self._clock.monotonic()
            try:
                return account, await provider.upload_grant(model, account)
            except ProviderError as error:
                clean(error, account)
                if error.kind is ErrorKind.UNREACHABLE:
                    self._pool.proxy_failed(account, error)
                elif counts_on_any_call(error):
                    self._pool.record_failure(account, error, "", sent_at=sent_at)
                own = error.kind.blame is Blame.ACCOUNT or account.proxy is not None
                if account is last or not own:
                    raise from_provider(error, model) from error
        raise AssertionError
