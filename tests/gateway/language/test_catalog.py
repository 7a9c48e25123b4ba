"""Which provider a language model goes to, and which models a caller can use."""

import asyncio
from typing import Any

import pytest

from gateway.accounts.callers import Caller
from gateway.accounts.model_discovery import Discovery, ModelList
from gateway.core.background_tasks import Background
from gateway.core.errors import GatewayError
from gateway.core.key_limit_settings import KeyLimits
from gateway.language.catalog import LanguageCatalog
from gateway.limits.daily_counts import Calendar
from gateway.limits.key_usage import KeyUsage
from providers.contract.accounts import Account
from providers.contract.client_headers import ClientHeaders
from providers.contract.language import CanDiscoverLanguage, LanguageKind, LanguageModel
from providers.contract.spec import DefaultLanguageModels
from providers.contract.upstream import Upstream
from providers.registry import LanguageProviders
from tests.clock import TestClock
from tests.language_upstream import EmbeddingUpstream, LanguageUpstream

CHAT, EMBEDDING = LanguageKind.CHAT, LanguageKind.EMBEDDING
ONE, TWO = Account("one", "k-1"), Account("two", "k-2")
BOTH = Caller((ONE, TWO))


def list_of(provider: Upstream) -> ModelList[LanguageModel] | None:
    return provider.discover_language if isinstance(provider, CanDiscoverLanguage) else None


class Fixture:
    def __init__(self, *providers: Any, aliases: dict[str, str] | None = None) -> None:
        self.one, self.two = LanguageUpstream("one"), LanguageUpstream("two")
        given = providers or (self.one, self.two)
        defaults = {one.name: DefaultLanguageModels(f"{one.name}-chat", f"{one.name}-embedding") for one in given}
        discovery = Discovery(TestClock(), Background(), list_of)
        headers = {one.name: ClientHeaders((f"X-{one.name}",)) for one in given}
        self.catalog = LanguageCatalog(LanguageProviders(given), aliases or {}, defaults, discovery, headers)

    async def choice(self, caller: Caller, model: str, kind: LanguageKind = CHAT) -> tuple[str, str]:
        found = await self.catalog.choose(caller, kind, model)
        return found.provider.name, found.model

    async def error(self, caller: Caller, model: str, kind: LanguageKind = CHAT) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            await self.catalog.choose(caller, kind, model)
        return caught.value


@pytest.mark.parametrize("model", ["one-chat", "two-chat"])
async def test_model_of_a_table_goes_to_its_provider(model: str) -> None:
    assert await Fixture().choice(BOTH, model) == (model[:3], model)


async def test_unknown_model_goes_to_the_provider_of_the_only_credential() -> None:
    fixture = Fixture()
    assert await fixture.choice(Caller((ONE,)), "gpt-5") == ("one", "gpt-5")
    assert await fixture.choice(Caller((TWO,)), "gpt-5") == ("two", "gpt-5")


async def test_unlisted_model_goes_to_the_provider_whose_names_have_its_form() -> None:
    fixture = Fixture()
    assert await fixture.choice(BOTH, "two-new") == ("two", "two-new")
    # Not to a provider that the caller has no credential for: another one may have a model of this name.
    assert await fixture.choice(Caller((ONE,)), "two-new") == ("one", "two-new")


async def test_model_of_a_live_list_goes_to_the_provider_that_lists_it() -> None:
    fixture = Fixture()
    fixture.two.listed = ["one-special"]
    assert await fixture.choice(BOTH, "one-special") == ("two", "one-special")


async def test_model_of_a_table_without_its_credential_is_refused() -> None:
    error = await Fixture().error(Caller((ONE,)), "two-chat")
    assert (error.code, "two" in error.message("en")) == ("invalid_api_key", True)
    error = await Fixture().error(Caller((ONE,), managed=True), "two-chat")
    assert (error.code, "two" in error.message("en")) == ("insufficient_quota", True)


async def test_caller_without_a_language_credential_is_refused() -> None:
    other = Caller((Account("video", "v-1"),))
    for model in ("", "one-chat", "gpt-5"):
        assert (await Fixture().error(other, model)).code == "invalid_api_key"


@pytest.mark.parametrize(("kind", "default"), [(CHAT, "chat"), (EMBEDDING, "embedding")])
async def test_missing_model_is_the_default_of_the_first_provider(kind: LanguageKind, default: str) -> None:
    fixture = Fixture()
    assert await fixture.choice(BOTH, "", kind) == ("one", f"one-{default}")
    assert await fixture.choice(Caller((TWO,)), "", kind) == ("two", f"two-{default}")


async def test_provider_without_chat_is_not_asked_to_chat() -> None:
    fixture = Fixture(EmbeddingUpstream("one"), LanguageUpstream("two"))
    assert await fixture.choice(BOTH, "gpt-5") == ("two", "gpt-5")
    assert await fixture.choice(BOTH, "", EMBEDDING) == ("one", "one-embedding")


async def test_alias_is_another_name_in_any_case() -> None:
    fixture = Fixture(aliases={"fast": "two-chat"})
    assert await fixture.choice(BOTH, "Fast") == ("two", "two-chat")


async def test_models_are_those_of_the_caller_with_their_aliases() -> None:
    fixture = Fixture(aliases={"fast": "two-chat", "sora-2": "a-video"})
    found = await fixture.catalog.models(Caller((TWO,)))
    assert {name: model.name for name, model in found.items()} == {
        "two-chat": "two-chat",
        "two-embedding": "two-embedding",
        "fast": "two-chat",
    }
    assert (await fixture.catalog.model(BOTH, "FAST")) == found["fast"]
    assert await fixture.catalog.model(BOTH, "gpt-5") is None


async def test_live_list_replaces_the_table() -> None:
    fixture = Fixture()
    fixture.one.listed = ["one-new"]
    assert list(await fixture.catalog.models(Caller((ONE,)))) == ["one-new"]
    await asyncio.sleep(0)


async def test_chat_model_of_each_provider_is_its_default() -> None:
    fixture = Fixture(EmbeddingUpstream("none"), LanguageUpstream("one"), LanguageUpstream("two"))
    assert await fixture.catalog.chat_models(BOTH) == ["one-chat", "two-chat"]
    assert await fixture.catalog.chat_models(Caller((TWO,))) == ["two-chat"]
    assert await fixture.catalog.chat_models(Caller((Account("none", "k-1"),))) == []
    assert set(fixture.catalog.chat_providers) == {"one", "two"}


async def seeing(provider: LanguageUpstream) -> list[str]:
    return await Fixture(provider).catalog.chat_models(Caller((ONE,)), see_pictures=True)


async def test_default_that_sees_pictures_comes_before_others() -> None:
    upstream = LanguageUpstream("one", "one-first-seeing", "one-chat")
    fixture = Fixture(upstream)
    assert await fixture.catalog.chat_models(Caller((ONE,)), see_pictures=True) == ["one-first-seeing"]
    fixture.catalog._defaults = {"one": DefaultLanguageModels("one-own-seeing")}
    assert await fixture.catalog.chat_models(Caller((ONE,)), see_pictures=True) == ["one-own-seeing"]


async def test_model_that_sees_pictures_is_one_that_the_upstream_lists() -> None:
    upstream = LanguageUpstream("one", "one-old-seeing", "one-good-seeing", "one-chat")
    upstream.listed = ["one-new-seeing", "one-good-seeing"]
    assert await seeing(upstream) == ["one-good-seeing"]
    upstream.listed = ["one-chat", "one-new-seeing"]
    assert await seeing(upstream) == ["one-new-seeing"]
    upstream.listed = ["one-chat"]
    assert await seeing(upstream) == []


async def test_provider_without_a_model_that_sees_pictures_has_none() -> None:
    assert await seeing(LanguageUpstream("one")) == []


def limited_caller(**limits: Any) -> Caller:
    usage = KeyUsage("alice", TestClock(), {})
    usage.configure("alice", KeyLimits(**limits), Calendar())
    return Caller((ONE, TWO), managed=True, usage=usage)


class TestLimitsOfAKey:
    """A key may use some models or providers only."""

    async def test_models_that_are_not_allowed_do_not_exist(self) -> None:
        fixture = Fixture(aliases={"house": "two-chat"})
        caller = limited_caller(models=["one-*", "house"])
        assert await fixture.choice(caller, "one-chat") == ("one", "one-chat")
        assert await fixture.choice(caller, "house") == ("two", "two-chat")
        error = await fixture.error(caller, "two-chat")
        assert (error.code, error.param) == ("model_not_found", "model")
        names = list(await fixture.catalog.models(caller))
        assert "house" in names
        assert "two-chat" not in names

    async def test_default_is_one_that_is_allowed(self) -> None:
        assert await Fixture().choice(limited_caller(providers=["two"]), "") == ("two", "two-chat")
        assert (await Fixture().error(limited_caller(providers=["three"]), "")).code == "model_not_found"

    async def test_unlisted_model_goes_to_an_allowed_provider(self) -> None:
        caller = limited_caller(providers=["two"])
        assert await Fixture().choice(caller, "gpt-5") == ("two", "gpt-5")
        assert (await Fixture().error(caller, "one-chat")).code == "model_not_found"


async def test_chat_model_is_one_that_the_limits_of_the_key_allow() -> None:
    upstream = LanguageUpstream("one", "one-chat", "one-embedding", "one-small", "one-large")
    upstream.listed = ["one-chat", "one-large", "one-new"]

    async def found(**limits: Any) -> list[str]:
        fixture = Fixture(upstream, LanguageUpstream("two"), aliases={"House": "one-large"})
        return await fixture.catalog.chat_models(limited_caller(**limits))

    assert await found(providers=["two"]) == ["two-chat"]
    assert await found(models=["one-*"]) == ["one-chat"]
    assert await found(models=["one-embedding", "one-small", "one-l*"]) == ["one-large"]
    assert await found(models=["one-new"]) == ["one-new"]
    assert await found(models=["house"]) == ["house"]
    assert await found(models=["three-*"]) == []
