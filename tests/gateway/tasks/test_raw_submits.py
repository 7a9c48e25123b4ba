"""An upstream's own requests: sent as they are, by the rules of every submit."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.accounts.callers import Caller
from gateway.core.errors import GatewayError
from providers.contract.accounts import public_tag
from providers.contract.errors import ErrorKind
from providers.contract.models import ModelCard
from providers.contract.requests import RawSubmit, VideoRequest
from tests.gateway_fixture import ONE, THREE, TWO, GatewayFixture, managed_caller, pass_through_caller
from tests.upstream import ScriptedProvider, provider_error

STRICT = ModelCard("scripted-model", "scripted", durations=(5, 10), duration=5)


def raw(model: str = "scripted-model", tag: str = "", **fields: Any) -> VideoRequest:
    return VideoRequest(model, raw=RawSubmit("scripted", "/submit", model, b"{}", account_tag=tag), **fields)


def gateway(**settings: Any) -> tuple[GatewayFixture, ScriptedProvider]:
    provider = ScriptedProvider(cards=[STRICT])
    return GatewayFixture(provider, **settings), provider


async def test_request_is_neither_checked_nor_filled_in() -> None:
    env, provider = gateway()
    request = raw(duration=99, size="1x1")
    submitted = await env.submit(pass_through_caller(ONE), request)
    sent = provider.submitted[0][2]
    assert (sent, sent.resolution, sent.card) == (request, None, STRICT)
    assert (submitted.seconds, submitted.size, submitted.warnings) == (99, "1x1", ())


async def test_next_account_is_tried_after_an_error_of_an_account() -> None:
    env, provider = gateway()
    provider.submits = [provider_error(ErrorKind.NO_CREDITS), "scripted-2"]
    await env.submit(managed_caller(ONE, TWO), raw())
    assert [credential for credential, _, _ in provider.submitted] == [ONE.credential, TWO.credential]


async def test_submit_whose_answer_is_lost_is_not_sent_again() -> None:
    env, provider = gateway()
    provider.submits = [provider_error(ErrorKind.ANSWER_LOST)]
    assert (await env.submit_error(managed_caller(ONE, TWO), raw())).code == "submission_unconfirmed"
    assert len(provider.submitted) == 1


async def test_key_returns_the_first_task() -> None:
    env, provider = gateway()
    first, second = [await env.submit_with_key(managed_caller(ONE), raw()) for _ in range(2)]
    assert first == second
    assert len(provider.submitted) == 1


@pytest.mark.parametrize("account", [ONE, TWO, THREE])
async def test_uploaded_files_are_used_by_their_account_only(account: Any) -> None:
    env, provider = gateway()
    caller = managed_caller(ONE, TWO, THREE)
    await env.submit(caller, raw(tag=public_tag(account)))
    assert [credential for credential, _, _ in provider.submitted] == [account.credential]
    provider.submits = [provider_error(ErrorKind.NO_CREDITS)]
    assert (await env.submit_error(caller, raw(tag=public_tag(account)))).code == "insufficient_quota"
    assert len(provider.submitted) == 2


async def test_files_of_a_removed_account_are_to_be_uploaded_again() -> None:
    env, provider = gateway()
    error = await env.submit_error(managed_caller(ONE), raw(tag=public_tag(TWO)))
    assert (error.code, "upload them again" in error.message("en")) == ("invalid_value", True)
    assert provider.submitted == []


async def test_model_that_no_table_has_is_left_to_the_upstream() -> None:
    env, provider = gateway()
    await env.submit(pass_through_caller(ONE), raw("brand-new"))
    assert provider.submitted[0][2].model == "brand-new"


async def test_alias_becomes_its_model() -> None:
    env, provider = gateway(aliases={"mine": "scripted-model"})
    submitted = await env.submit(pass_through_caller(ONE), raw("mine"))
    sent = provider.submitted[0][2]
    assert (submitted.model, sent.model, sent.raw and sent.raw.model) == ("scripted-model", "scripted-model", "mine")


@pytest.mark.parametrize(
    ("caller", "code"),
    [
        (pass_through_caller(replace(ONE, provider="other")), "invalid_api_key"),
        (managed_caller(), "insufficient_quota"),
    ],
    ids=["another provider's", "none"],
)
async def test_caller_without_an_account_of_the_upstream_is_refused(caller: Caller, code: str) -> None:
    provider = ScriptedProvider(cards=[STRICT])
    env = GatewayFixture(provider, others=[ScriptedProvider("other", prefix="o-")])
    with pytest.raises(GatewayError) as caught:
        await env.submit(caller, raw())
    assert caught.value.code == code
    assert provider.submitted == []


@pytest.mark.parametrize(
    ("name", "provider"),
    [("scripted-model", "scripted"), ("mine", "scripted"), ("other-model", "other"), ("unknown", None), ("", "")],
)
async def test_provider_of_a_model_is_known_for_any_caller(name: str, provider: str | None) -> None:
    env = GatewayFixture(others=[ScriptedProvider("other", prefix="o-")], aliases={"mine": "scripted-model"})
    assert await env.tasks.catalog.provider_of(pass_through_caller(ONE), name) == provider
