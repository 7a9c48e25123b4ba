"""Upload grants: one account for all files of a client and a model, whichever process is asked, while it works."""

from collections.abc import Mapping
from typing import Any

import pytest

from gateway.accounts.callers import Caller
from gateway.core.errors import GatewayError
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from tests.gateway_fixture import ONE, THREE, TWO, GatewayFixture, managed_caller, pass_through_caller
from tests.upstream import ScriptedProvider, provider_error

ACCOUNTS = (ONE, TWO, THREE)
MODEL = "scripted-model"


class GrantingProvider(ScriptedProvider):
    """Grants uploads, unless an account has an error."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: dict[str, ProviderError] = {}
        self.requests: list[tuple[str, str]] = []

    async def upload_grant(self, model: str, account: Account) -> Mapping[str, Any]:
        self.requests.append((model, account.credential))
        error = self.errors.get(account.credential)
        if error is not None:
            raise error.without_traceback()
        return {"for": account.credential}


async def grant(env: GatewayFixture, caller: Caller, model: str = MODEL, session: str = "s") -> Account:
    account, granted = await env.tasks.upload_grant(caller, "scripted", model, session)
    assert granted == {"for": account.credential}
    return account


@pytest.mark.parametrize("caller", [managed_caller(*ACCOUNTS), pass_through_caller(*ACCOUNTS)])
async def test_client_keeps_its_account_in_every_process(caller: Caller) -> None:
    granted = {await grant(GatewayFixture(GrantingProvider()), caller) for _ in range(3)}
    assert len(granted) == 1


async def test_models_and_sessions_are_spread_over_the_accounts() -> None:
    env = GatewayFixture(GrantingProvider())
    caller = managed_caller(*ACCOUNTS)
    assert {await grant(env, caller, session=str(number)) for number in range(40)} == set(ACCOUNTS)
    assert {await grant(env, caller, model=str(number)) for number in range(40)} == set(ACCOUNTS)


@pytest.mark.parametrize("kind", [ErrorKind.INVALID_CREDENTIAL, ErrorKind.NO_CREDITS, ErrorKind.RATE_LIMITED])
async def test_next_account_takes_over_from_one_that_is_refused(kind: ErrorKind) -> None:
    provider = GrantingProvider()
    env, caller = GatewayFixture(provider), managed_caller(*ACCOUNTS)
    first = await grant(env, caller)
    provider.errors[first.credential] = provider_error(kind)
    second = await grant(env, caller)
    assert second is not first
    assert [credential for _, credential in provider.requests] == [first.credential] * 2 + [second.credential]


async def test_account_that_cannot_take_the_submit_is_asked_last() -> None:
    provider = GrantingProvider()
    env, caller = GatewayFixture(provider), managed_caller(*ACCOUNTS)
    first = await grant(env, caller)
    env.pool.record_failure(first, provider_error(ErrorKind.NO_CREDITS), MODEL, sent_at=env.clock.monotonic())
    assert await grant(env, caller) is not first


async def test_error_of_the_request_is_not_tried_on_other_accounts() -> None:
    provider = GrantingProvider()
    for account in ACCOUNTS:
        provider.errors[account.credential] = provider_error(ErrorKind.MODEL_NOT_FOUND)
    env = GatewayFixture(provider)
    with pytest.raises(GatewayError) as caught:
        await grant(env, managed_caller(*ACCOUNTS))
    assert (caught.value.code, len(provider.requests)) == ("model_not_found", 1)


async def test_error_of_the_last_account_is_raised() -> None:
    provider = GrantingProvider()
    for account in ACCOUNTS:
        provider.errors[account.credential] = provider_error(ErrorKind.NO_CREDITS)
    env = GatewayFixture(provider)
    with pytest.raises(GatewayError) as caught:
        await grant(env, managed_caller(*ACCOUNTS))
    assert (caught.value.code, len(provider.requests)) == ("insufficient_quota", 3)


@pytest.mark.parametrize(
    ("caller", "code"), [(managed_caller(), "model_not_found"), (Caller(()), "invalid_api_key")], ids=["key", "own"]
)
async def test_caller_without_an_account_is_refused(caller: Caller, code: str) -> None:
    with pytest.raises(GatewayError) as caught:
        await grant(GatewayFixture(GrantingProvider()), caller)
    assert caught.value.code == code


async def test_upstream_without_uploads_grants_none() -> None:
    with pytest.raises(GatewayError):
        await grant(GatewayFixture(), pass_through_caller(ONE))


async def test_alias_is_granted_as_its_model() -> None:
    provider = GrantingProvider()
    env = GatewayFixture(provider, aliases={"mine": MODEL})
    await grant(env, pass_through_caller(ONE), model="mine")
    assert provider.requests == [(MODEL, ONE.credential)]
