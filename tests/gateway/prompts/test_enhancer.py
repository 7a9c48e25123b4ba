"""Which language model rewrites a prompt, and what becomes of its trouble."""

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from gateway.accounts.callers import Caller
from gateway.core.errors import GatewayError
from gateway.prompts.draft import PromptDraft, PromptLimit
from gateway.prompts.enhancer import PromptEnhancer
from gateway.prompts.failure import CODES, PromptError, reason_of
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.language import LanguageResponse
from tests.gateway_fixture import LanguageFixture
from tests.language_upstream import Answer, LanguageUpstream

ONE, TWO = Account("one", "k-secret-1"), Account("one", "k-secret-2")
CALLER = Caller((ONE, TWO))
CAT, PICTURE = PromptDraft("a cat"), "https://h/a.png"
ANY = PromptLimit()


def says(text: str) -> bytes:
    return orjson.dumps({"choices": [{"message": {"content": text}}]})


class PromptUpstream(LanguageUpstream):
    """Answers by model: `said`, by default a prompt that names the model and the number of pictures."""

    def __init__(self, *models: str) -> None:
        super().__init__("one", *models or ("one-chat", "one-seeing"))
        self.said: dict[str, Answer] = {}
        self.asked: list[tuple[str, int]] = []

    async def chat(self, body: bytes, account: Account, headers: Mapping[str, str]) -> LanguageResponse:
        request = orjson.loads(body)
        content = request["messages"][-1]["content"]
        pictures = len(content) - 1 if isinstance(content, list) else 0
        self.asked.append((request["model"], pictures))
        self.answers.setdefault(account.credential, b"{}")
        response = await super().chat(body, account, headers)
        answer = self.said.get(request["model"], says(f"{request['model']} saw {pictures}"))
        if isinstance(answer, ProviderError):
            raise answer
        return dataclasses.replace(response, first=answer)


class Fixture:
    def __init__(self, *models: str, time_limit: float = 5.0, **settings: Any) -> None:
        self.provider = PromptUpstream(*models)
        self.gateway = LanguageFixture(self.provider, **settings)
        self.enhancer = PromptEnhancer(self.gateway.language, time_limit=time_limit)

    async def prompt(self, draft: PromptDraft = CAT, *pictures: str, caller: Caller = CALLER) -> str:
        return (await self.enhancer.enhance(caller, draft, ANY, pictures)).prompt

    async def reason(self, draft: PromptDraft = CAT, *pictures: str, caller: Caller = CALLER) -> str:
        with pytest.raises(GatewayError) as caught:
            await self.enhancer.enhance(caller, draft, ANY, pictures)
        for language in ("zh", "en"):
            assert "{" not in caught.value.message(language)
        return reason_of(caught.value)


@pytest.fixture
def fixture() -> Fixture:
    return Fixture()


async def test_default_model_rewrites_words(fixture: Fixture) -> None:
    done = await fixture.enhancer.enhance(CALLER, CAT, ANY)
    assert (done.prompt, done.model) == ("one-chat saw 0", "one-chat")
    assert done.log_fields == {"model": "one-chat", "provider": "one", "account": ONE.label}
    assert fixture.provider.closed == 1


async def test_model_that_sees_pictures_gets_them(fixture: Fixture) -> None:
    assert await fixture.prompt(CAT, PICTURE) == "one-seeing saw 1"
    assert await fixture.prompt(PromptDraft(""), PICTURE, PICTURE) == "one-seeing saw 2"


async def test_without_a_model_that_sees_pictures_the_words_are_rewritten() -> None:
    fixture = Fixture("one-chat")
    assert await fixture.prompt(CAT, PICTURE) == "one-chat saw 0"
    assert not await fixture.enhancer.sees_pictures(CALLER)
    assert await fixture.reason(PromptDraft(""), PICTURE) == "missing"


async def test_words_are_rewritten_where_the_pictures_are_refused(fixture: Fixture) -> None:
    fixture.provider.said["one-seeing"] = ProviderError(ErrorKind.INVALID_REQUEST)
    assert await fixture.prompt(CAT, PICTURE) == "one-chat saw 0"
    assert fixture.provider.asked == [("one-seeing", 1), ("one-chat", 0)]


async def test_refused_content_is_sent_to_no_other_model(fixture: Fixture) -> None:
    for answer in (says("I'm sorry, but I can't."), ProviderError(ErrorKind.CONTENT_REFUSED)):
        fixture.provider.asked.clear()
        fixture.provider.said["one-seeing"] = answer
        assert await fixture.reason(CAT, PICTURE) in ("refused", "content_policy_violation")
        assert fixture.provider.asked == [("one-seeing", 1)]


async def test_next_account_rewrites_after_an_error_of_the_account(fixture: Fixture) -> None:
    fixture.provider.answers["k-secret-1"] = ProviderError(ErrorKind.INVALID_CREDENTIAL)
    done = await fixture.enhancer.enhance(CALLER, CAT, ANY)
    assert done.log_fields["account"] == TWO.label


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ProviderError(ErrorKind.INVALID_CREDENTIAL), "invalid_api_key"),
        (ProviderError(ErrorKind.DAILY_LIMIT, model_only=True), "insufficient_quota"),
        (ProviderError(ErrorKind.RATE_LIMITED), "rate_limit_exceeded"),
        (ProviderError(ErrorKind.UPSTREAM_ERROR), "upstream_unavailable"),
        (ProviderError(ErrorKind.UNREACHABLE), "upstream_unavailable"),
        (says(""), "empty"),
        (says("抱歉，我无法提供"), "refused"),
        (says("x" * 6000), "too_long"),
        (b"<html>", "unreadable"),
        (b'{"error": "x"}', "interrupted"),
    ],
)
async def test_trouble_has_a_reason_and_a_sentence(fixture: Fixture, answer: Answer, reason: str) -> None:
    fixture.provider.said["one-chat"] = answer
    assert await fixture.reason() == reason


async def test_caller_without_a_language_account_is_told_what_to_add(fixture: Fixture) -> None:
    video = Account("video", "v-1")
    assert await fixture.reason(caller=Caller((video,))) == "no_account"
    assert await fixture.reason(caller=Caller((video,), managed=True)) == "no_managed_account"
    assert await fixture.reason(PromptDraft(""), PICTURE, caller=Caller((video,))) == "no_account"


async def test_draft_without_words_or_with_too_many_is_not_sent(fixture: Fixture) -> None:
    assert await fixture.reason(PromptDraft(" ")) == "missing"
    assert await fixture.reason(PromptDraft("x" * 5001)) == "too_long_to_rewrite"
    assert fixture.provider.asked == []


async def test_model_that_takes_too_long_is_given_up() -> None:
    fixture = Fixture(time_limit=0.05)
    fixture.provider.may_answer = asyncio.Event()
    assert await fixture.reason() == "timeout"
    with pytest.raises(PromptError) as caught:
        await Fixture().enhancer.enhance(CALLER, CAT, ANY, seconds=-1.0)
    assert caught.value.reason == "timeout"


def test_every_reason_has_an_error() -> None:
    for reason in CODES:
        error = PromptError(reason, limit=5, seconds=20, credentials="x")
        assert error.spec.status >= 400
        assert error.message("zh") != error.message("en")
