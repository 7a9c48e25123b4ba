"""Which provider a model, a credential or an id belongs to."""

import time

import pytest

from providers.contract.provider import Provider
from providers.dashscope.provider import DashScope
from providers.jimeng.provider import Jimeng
from providers.modelscope.provider import ModelScope
from providers.modelscope.settings import BASE_URL
from providers.registry import PROVIDERS, Registry, credential_hints, credential_variables, titles
from providers.transport.client import HttpClient
from tests.upstream import ScriptedProvider


@pytest.fixture
def registry() -> Registry:
    http = HttpClient()
    return Registry([DashScope(http), Jimeng(http), ModelScope(http, BASE_URL)])


@pytest.mark.parametrize(
    ("credential", "provider"),
    [
        ("sk-abc", "dashscope"),
        (" sk-abc ", "dashscope"),
        ("abcdef0123456789", "jimeng"),
        ("us-abcdef0123456789", "jimeng"),
        ("http://u:p@h:1@abcdef", "jimeng"),
        ("dashscope:whatever", "dashscope"),
        ("DashScope:whatever", "dashscope"),
        ("jimeng:sk-abc", "jimeng"),
        ("ms-abc", "modelscope"),
        ("modelscope:any", "modelscope"),
    ],
)
def test_credential_finds_its_provider(registry: Registry, credential: str, provider: str) -> None:
    account = registry.account_from(credential)
    assert account is not None
    assert account.provider == provider


@pytest.mark.parametrize(
    "credential",
    [
        *("gw-abc", "", "a b", "a;b", "日本", "a\x01b", "dashscope:", "jimeng:"),
        *("modelscope:", "openai:sk-abc", "alice:gw-abc", "http://h:1@sk-abc", "http://h:1@ms-abc", "us-sk-abc"),
    ],
)
def test_text_that_is_no_credential_of_theirs_finds_none(registry: Registry, credential: str) -> None:
    assert registry.account_from(credential) is None


@pytest.mark.parametrize(
    ("model", "provider", "unlisted_card"),
    [
        ("jimeng-video-3.0", "jimeng", False),
        ("dreamina_seedance_99", "jimeng", True),
        ("dreamina_ic_generate_video_model_vgfm_3.0", "jimeng", False),
        ("wan2.6-t2v", "dashscope", False),
        ("wan9.9-t2v", "dashscope", True),
    ],
)
def test_model_finds_its_card(registry: Registry, model: str, provider: str, unlisted_card: bool) -> None:
    card = registry.videos.card(model)
    assert card is not None
    assert (card.provider, card.unlisted) == (provider, unlisted_card)


@pytest.mark.parametrize("model", ["", "gpt-5", "jimeng-video-99", "qwen-vl-plus"])
def test_unknown_model_has_no_card(registry: Registry, model: str) -> None:
    assert registry.videos.card(model) is None


@pytest.mark.parametrize(
    ("id", "provider"),
    [
        ("7535099487211244578", "jimeng"),
        ("0385dc79-5ff8-4d82-bcb6-0123456789ab", "dashscope"),
        ("12", None),
        ("x", None),
    ],
)
def test_id_finds_its_owner(registry: Registry, id: str, provider: str | None) -> None:
    owner = registry.videos.owner(id)
    assert (owner.name if owner else None) == provider


def test_views_have_the_providers_of_each_kind(registry: Registry) -> None:
    assert {provider.name for provider in registry.videos} == {"dashscope", "jimeng"}
    assert {provider.name for provider in registry.languages} == {"dashscope", "modelscope"}
    assert "modelscope" in registry
    assert "modelscope" not in registry.videos


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("qwen-plus", True),
        ("QWEN-PLUS", True),
        ("qwen9-max", True),
        ("Qwen/Qwen3-8B", True),
        ("new-org/NewModel-1B", True),
        ("wan2.6-t2v", False),
        ("jimeng-video-3.0", False),
        ("gpt-5", False),
    ],
)
def test_language_model_is_known_by_its_name_or_form(registry: Registry, name: str, known: bool) -> None:
    assert registry.languages.knows(name) is known


def test_ambiguous_credential_needs_a_provider_prefix() -> None:
    registry = Registry([ScriptedProvider("one", prefix="k-"), ScriptedProvider("two", prefix="k-")])
    assert registry.account_from("k-secret") is None
    account = registry.account_from("two:k-secret")
    assert account is not None
    assert account.provider == "two"


@pytest.mark.parametrize("reverse", [False, True])
def test_format_precedes_the_provider_that_claims_any_credential(reverse: bool) -> None:
    http = HttpClient()
    providers: list[Provider] = [Jimeng(http), ScriptedProvider("one", prefix="k-")]
    registry = Registry(providers[::-1] if reverse else providers)
    found = [registry.account_from(credential) for credential in ("k-secret", "secret", "us-k-secret")]
    assert [account and account.provider for account in found] == ["one", "jimeng", None]


def test_every_address_of_a_sandbox_part_and_the_accounts_have_a_variable() -> None:
    for spec in PROVIDERS:
        assert spec.variable("credentials")
        assert {spec.variable(key) for key in spec.sandbox.addresses} <= set(spec.environment)


def test_names_in_the_specs_are_those_of_settings_and_belong_to_one_provider() -> None:
    variables = [variable for spec in PROVIDERS for variable in spec.environment]
    former = [name for spec in PROVIDERS for name in spec.former_keys]
    assert len(set(variables)) == len(variables)
    assert len(set(former)) == len(former)
    for spec in PROVIDERS:
        keys = {
            *spec.environment.values(),
            *spec.former_keys.values(),
            *spec.sandbox.addresses,
        }
        assert keys - {""} <= set(spec.settings.model_fields)
    assert len([spec for spec in PROVIDERS if spec.claims_any_credential]) == 1


def test_default_models_are_there() -> None:
    registry = Registry([spec.create(spec.settings(), HttpClient(), time.time) for spec in PROVIDERS])
    for spec in PROVIDERS:
        for names in spec.default_models(spec.settings()):
            for name in names:
                card = registry.videos.card(name)
                assert card is not None
                assert card.provider == spec.name
        for name in filter(None, spec.default_language_models(spec.settings())):
            language = registry.languages[spec.name].language_model(name)
            assert language is not None
            assert (language.provider, language.unlisted) == (spec.name, False)


def test_texts_list_every_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    assert titles() == "Jimeng, ModelScope and DashScope"
    abroad = "a Jimeng sessionid (with us-, hk-, jp-, sg- in front for a site abroad)"
    assert credential_hints().en == f"{abroad}, a ModelScope token (ms-…) or a DashScope key (sk-…)"
    assert credential_hints().zh == (
        "Jimeng sessionid（国际站加前缀 us-、hk-、jp-、sg-）、ModelScope 访问令牌（ms-…）或 DashScope API Key（sk-…）"
    )
    monkeypatch.setattr("providers.registry.PROVIDERS", PROVIDERS[:1])
    assert (titles(), credential_variables()) == ("Jimeng", "JIMENG_TOKENS")
