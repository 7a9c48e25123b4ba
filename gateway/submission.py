"""How a submit reaches an upstream: over the accounts in order, and never twice what may have been accepted."""

from collections.abc import Callable, Sequence

from gateway.clock import Clock
from gateway.errors import clean, from_provider
from providers.contract import (
    Account,
    Blame,
    CanFind,
    ErrorKind,
    Provider,
    ProviderError,
    Submission,
    VideoRequest,
)

LOOKUP_DELAYS = (1.0, 1.0, 2.0, 3.0)
"""Seconds before each look-up of a submit whose answer was lost: the store of the upstream lags behind the submit."""

RESEND_WITHIN = 30.0
"""Seconds after which a submit is not sent again: clients and what stands in front of them give up at 60 to 90 s."""

_HOPE = (
    ErrorKind.TOO_MANY_RUNNING,
    ErrorKind.RATE_LIMITED,
    ErrorKind.UNREACHABLE,
    ErrorKind.NO_CREDITS,
    ErrorKind.NOT_ENTITLED,
    ErrorKind.RESTRICTED,
    ErrorKind.INVALID_CREDENTIAL,
)
"""Trouble of accounts, the kind that passes the soonest first."""

SubmitKeys = Callable[[Account], Sequence[str]]
"""The keys of one submit for an account: the same whenever they are asked for. The first one is sent; the others are
those that it may have been sent with under an older secret."""


class Submitter:
    """Sends submits. Raises GatewayError for what a client is to know."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def submit(
        self,
        provider: Provider,
        request: VideoRequest,
        accounts: Sequence[Account],
        keys: SubmitKeys,
        *,
        repeatable: bool = False,
    ) -> tuple[Account, Submission]:
        """Submit with the first account that can. **Charged.**

        The next one is tried only after trouble of an account's own, which surely created nothing; whatever else
        goes wrong goes back to the client. `repeatable` says that another replica may be at the same submit: then
        an account that refuses is asked first whether it has it, since it may refuse because it does.
        """
        failures: list[ProviderError] = []
        for account in accounts:
            try:
                return account, await self._submit_once(provider, request, account, keys(account)[0])
            except ProviderError as error:
                clean(error, account)
                # Of an account with a proxy of its own, being out of reach is its own trouble.
                own = error.kind.blame is Blame.ACCOUNT or (error.kind is ErrorKind.UNREACHABLE and account.proxy)
                if not own:
                    raise from_provider(error, request.model) from error
                failures.append(error)
            if repeatable and isinstance(provider, CanFind):
                await self._clock.sleep(LOOKUP_DELAYS[0])
                found = await self.find(provider, [account], keys)
                if found is not None:
                    return found
        raise from_provider(min(failures, key=lambda failure: _HOPE.index(failure.kind)), request.model)

    async def find(
        self, provider: Provider, accounts: Sequence[Account], keys: SubmitKeys
    ) -> tuple[Account, Submission] | None:
        """The submission that an earlier request with the same keys made, here or on another replica.

        None where there is none, and where the upstream has no look-up. Only an account whose login is refused is
        passed over; any other trouble is raised as what may be tried again, since to go on might be to submit twice.
        """
        if not isinstance(provider, CanFind):
            return None
        for account in accounts:
            for key in keys(account):
                try:
                    found = await provider.find(key, account)
                except ProviderError as error:
                    if error.kind is ErrorKind.INVALID_CREDENTIAL:
                        break
                    clean(error, account)
                    unreachable = ProviderError(ErrorKind.UNREACHABLE, code=error.code, detail=error.detail)
                    raise from_provider(unreachable) from error
                if found is not None:
                    return account, found
        return None

    async def _submit_once(self, provider: Provider, request: VideoRequest, account: Account, key: str) -> Submission:
        """One submit to one account. A lost answer is looked up; only a submit that the upstream does not know is
        sent again, once, as the same submit, and only while the client is likely to be there still."""
        began = self._clock.now()
        try:
            return await provider.submit(request, account, submit_key=key)
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
            return await provider.submit(request, account, submit_key=key)
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
