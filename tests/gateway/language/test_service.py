"""Calls go to the next account after an error of the account before the first byte, and pause what failed."""

import asyncio
from typing import Any

import pytest

from gateway.accounts.callers import Caller
from gateway.accounts.health import AccountState
from gateway.core.errors import GatewayError
from gateway.core.localization import Language
from gateway.language.body import parse_body
from gateway.language.service import OpenedCall
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.language import LanguageKind
from tests.gateway_fixture import LanguageFixture
from tests.language_upstream import LanguageUpstream

ONE, TWO = Account("one", "k-secret-1"), Account("one", "k-secret-2")
BOTH = Caller((ONE, TWO))
BODY = b'{"model": "one-chat"}'


@pytest.fixture
def fixture() -> LanguageFixture:
    return LanguageFixture(LanguageUpstream())


def failing(kind: ErrorKind, **more: Any) -> ProviderError:
    return ProviderError(kind, code="c", detail="quotes k-secret-1", **more)


async def call(fixture: LanguageFixture, caller: Caller = BOTH, body: bytes = BODY) -> OpenedCall:
    return await fixture.language.open(caller, LanguageKind.CHAT, parse_body(body))


async def error(fixture: LanguageFixture, caller: Caller = BOTH, body: bytes = BODY) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await call(fixture, caller, body)
    assert "k-secret-1" not in caught.value.message("en")
    return caught.value


async def test_body_passes_unchanged_and_the_account_is_named(fixture: LanguageFixture) -> None:
    opened = await call(fixture, body=b'{ "model":"one-chat", "n": 1.0 }')
    assert fixture.provider.calls == [("k-secret-1", b'{ "model":"one-chat", "n": 1.0 }')]
    assert opened.log_fields == {"model": "one-chat", "provider": "one", "account": ONE.label}


async def test_alias_and_a_missing_model_are_named_in_the_body() -> None:
    fixture = LanguageFixture(LanguageUpstream(), aliases={"fast": "one-chat"})
    await call(fixture, body=b'{"n":1.0,"model":"fast"}')
    await call(fixture, body=b'{"n":1.0}')
    assert [body for _, body in fixture.provider.calls] == [
        b'{"n":1.0,"model":"one-chat"}',
        b'{"model":"one-chat","n":1.0}',
    ]


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (ErrorKind.INVALID_CREDENTIAL, AccountState.EXPIRED),
        (ErrorKind.NO_CREDITS, AccountState.NO_CREDITS),
        (ErrorKind.RATE_LIMITED, AccountState.RATE_LIMITED),
        (ErrorKind.DAILY_LIMIT, AccountState.DAILY_LIMIT),
        (ErrorKind.RESTRICTED, AccountState.RESTRICTED),
    ],
)
async def test_error_of_an_account_pauses_it_and_the_next_one_answers(
    fixture: LanguageFixture, kind: ErrorKind, state: AccountState
) -> None:
    fixture.provider.answers["k-secret-1"] = failing(kind)
    assert (await call(fixture)).account == TWO
    assert fixture.pool.status(ONE).state is state
    await call(fixture)
    assert [credential for credential, _ in fixture.provider.calls] == ["k-secret-1", "k-secret-2", "k-secret-2"]


@pytest.mark.parametrize("kind", [ErrorKind.DAILY_LIMIT, ErrorKind.RATE_LIMITED, ErrorKind.NO_CREDITS])
async def test_error_with_one_model_pauses_that_model_only(fixture: LanguageFixture, kind: ErrorKind) -> None:
    fixture.provider.answers["k-secret-1"] = failing(kind, model_only=True)
    assert (await call(fixture)).account == TWO
    assert fixture.pool.status(ONE).state is AccountState.READY
    assert fixture.pool.status(ONE, "one-chat").state is not AccountState.READY
    del fixture.provider.answers["k-secret-1"]
    assert (await call(fixture)).account == TWO
    assert (await call(fixture, body=b'{"model": "one-other"}')).account == ONE


async def test_paused_model_is_used_again_after_its_pause(fixture: LanguageFixture) -> None:
    fixture.provider.answers["k-secret-1"] = failing(ErrorKind.RATE_LIMITED, model_only=True, retry_after=7.0)
    found = await error(fixture, Caller((ONE,)))
    assert (found.code, found.retry_after) == ("rate_limit_exceeded", 7.0)
    assert "use this model again in about 7 s" in found.message("en")
    del fixture.provider.answers["k-secret-1"]
    fixture.clock.move(8)
    assert (await call(fixture, Caller((ONE,)))).account == ONE


async def test_model_that_one_region_lacks_is_called_in_another(fixture: LanguageFixture) -> None:
    north, also, south = (
        Account("one", f"k-secret-{n}", region=region) for n, region in enumerate(("north", "north", "south"))
    )
    for account in (north, also):
        fixture.provider.answers[account.credential] = failing(ErrorKind.MODEL_NOT_FOUND)
    assert (await call(fixture, Caller((north, also, south)))).account == south
    assert len(fixture.provider.calls) == 2
    assert (await error(fixture, Caller((north, also)))).code == "model_not_found"


@pytest.mark.parametrize(
    ("kind", "code", "retry"),
    [
        (ErrorKind.INVALID_REQUEST, "invalid_value", False),
        (ErrorKind.CONTENT_REFUSED, "content_policy_violation", False),
        (ErrorKind.UPSTREAM_ERROR, "upstream_unavailable", True),
        (ErrorKind.ANSWER_LOST, "upstream_unavailable", True),
        (ErrorKind.UNREACHABLE, "upstream_unavailable", True),
    ],
)
async def test_other_error_is_the_answer_and_pauses_nothing(
    fixture: LanguageFixture, kind: ErrorKind, code: str, retry: bool
) -> None:
    fixture.provider.answers["k-secret-1"] = failing(kind)
    found = await error(fixture)
    assert (found.code, found.spec.should_retry) == (code, retry)
    assert len(fixture.provider.calls) == 1
    assert fixture.pool.status(ONE, "one-chat").state is AccountState.READY
    assert found.log_fields()["model"] == "one-chat"


async def test_unreachable_proxy_leads_to_the_next_account(fixture: LanguageFixture) -> None:
    behind = Account("one", "k-secret-1", proxy="http://p:1")
    fixture.provider.answers["k-secret-1"] = failing(ErrorKind.UNREACHABLE)
    assert (await call(fixture, Caller((behind, TWO)))).account == TWO
    assert fixture.pool.status(behind).state is AccountState.UNREACHABLE


async def test_all_accounts_failing_are_summed_up(fixture: LanguageFixture) -> None:
    fixture.provider.answers["k-secret-1"] = failing(ErrorKind.RATE_LIMITED, retry_after=9.0)
    fixture.provider.answers["k-secret-2"] = failing(ErrorKind.INVALID_CREDENTIAL)
    found = await error(fixture)
    assert (found.code, found.retry_after) == ("rate_limit_exceeded", 9.0)


async def test_account_at_its_limit_of_running_tasks_still_chats(fixture: LanguageFixture) -> None:
    record = fixture.pool.record(ONE)
    record.max_running = 1
    record.running["task"] = float("inf")
    assert fixture.pool.status(ONE).state is AccountState.FULL
    assert (await call(fixture, Caller((ONE,)))).account == ONE
    assert record.busy == 1


async def test_new_account_answers_many_calls_at_once(fixture: LanguageFixture) -> None:
    """A call without a task does not wait for the probe of another."""
    fixture.provider.may_answer = asyncio.Event()
    calling = [asyncio.create_task(call(fixture, Caller((ONE,)))) for _ in range(50)]
    await asyncio.sleep(0.02)
    assert len(fixture.provider.calls) == 50
    fixture.provider.may_answer.set()
    await asyncio.gather(*calling)


async def test_embedding_goes_to_the_embedding_call(fixture: LanguageFixture) -> None:
    opened = await fixture.language.open(BOTH, LanguageKind.EMBEDDING, parse_body(b'{"input":"x"}'))
    assert opened.model == "one-embedding"
    assert fixture.provider.calls == [("k-secret-1", b'{"model":"one-embedding","input":"x"}')]


@pytest.mark.parametrize("managed", [True, False])
async def test_headers_that_the_provider_takes_are_passed_on(fixture: LanguageFixture, managed: bool) -> None:
    given = {"X-One": "1", "X-Space": "2", "Authorization": "Bearer k-secret-2", "Cookie": "3"}
    await fixture.language.open(Caller((ONE,), managed=managed), LanguageKind.CHAT, parse_body(BODY), given)
    assert fixture.provider.headers == [{"X-One": "1"} if managed else {"X-One": "1", "X-Space": "2"}]


async def test_call_counts_as_running_until_its_response_is_closed(fixture: LanguageFixture) -> None:
    record = fixture.pool.record(ONE)
    first, second = await call(fixture, Caller((ONE,))), await call(fixture, Caller((ONE,)))
    assert (record.running_calls, record.calls, record.busy) == (2, 2, 0)
    await first.response.close()
    assert (record.running_calls, fixture.provider.closed) == (1, 1)
    await second.response.close()
    await second.response.close()
    assert (record.running_calls, record.calls) == (0, 2)


async def test_refused_or_cancelled_call_no_longer_runs(fixture: LanguageFixture) -> None:
    fixture.provider.answers["k-secret-1"] = failing(ErrorKind.RATE_LIMITED)
    await error(fixture, Caller((ONE,)))
    assert (fixture.pool.record(ONE).running_calls, fixture.pool.record(ONE).failed) == (0, 1)
    fixture.provider.may_answer = asyncio.Event()
    calling = asyncio.create_task(call(fixture, Caller((TWO,))))
    await asyncio.sleep(0.01)
    assert fixture.pool.record(TWO).running_calls == 1
    calling.cancel()
    await asyncio.wait({calling})
    assert (fixture.pool.record(TWO).running_calls, fixture.pool.record(TWO).calls) == (0, 0)


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_error_of_all_accounts_speaks_of_no_tasks(fixture: LanguageFixture, language: Language) -> None:
    for account in (ONE, TWO):
        fixture.provider.answers[account.credential] = failing(ErrorKind.NO_CREDITS)
    for caller in (BOTH, Caller((ONE,))):
        for _ in range(2):
            message = (await error(fixture, caller)).message(language)
            assert "task" not in message
            assert "任务" not in message
