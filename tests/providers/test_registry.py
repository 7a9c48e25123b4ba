"""Which provider a model, a credential or an id belongs to."""

import pytest

from providers.dashscope.provider import DashScope
from providers.jimeng.provider import Jimeng
from providers.registry import Registry
from providers.transport.client import HttpClient


@pytest.fixture
def registry() -> Registry:
    http = HttpClient()
    return Registry([DashScope(http), Jimeng(http)])


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
    ],
)
def test_a_credential_finds_its_provider(registry: Registry, credential: str, provider: str) -> None:
    account = registry.account_from(credential)
    assert account is not None
    assert account.provider == provider


@pytest.mark.parametrize(
    "credential",
    [
        *("ms-abc", "gw-abc", "", "a b", "a;b", "日本", "a\x01b", "dashscope:", "jimeng:"),
        *("modelscope:ms-abc", "openai:sk-abc", "alice:gw-abc", "http://h:1@sk-abc", "http://h:1@ms-abc", "us-sk-abc"),
    ],
)
def test_a_text_that_is_no_credential_of_theirs_finds_none(registry: Registry, credential: str) -> None:
    assert registry.account_from(credential) is None


@pytest.mark.parametrize(
    ("model", "provider", "open_card"),
    [
        ("jimeng-video-3.0", "jimeng", False),
        ("dreamina_seedance_99", "jimeng", True),
        ("dreamina_ic_generate_video_model_vgfm_3.0", "jimeng", False),
        ("wan2.6-t2v", "dashscope", False),
        ("wan9.9-t2v", "dashscope", True),
    ],
)
def test_a_model_finds_its_card(registry: Registry, model: str, provider: str, open_card: bool) -> None:
    card = registry.card(model)
    assert card is not None
    assert (card.provider, card.open) == (provider, open_card)


@pytest.mark.parametrize("model", ["", "gpt-5", "jimeng-video-99", "qwen-vl-plus"])
def test_a_stranger_finds_none(registry: Registry, model: str) -> None:
    assert registry.card(model) is None


@pytest.mark.parametrize(
    ("id", "provider"),
    [
        ("7535099487211244578", "jimeng"),
        ("0385dc79-5ff8-4d82-bcb6-0123456789ab", "dashscope"),
        ("12", None),
        ("x", None),
    ],
)
def test_an_id_finds_its_owner(registry: Registry, id: str, provider: str | None) -> None:
    owner = registry.owner(id)
    assert (owner.name if owner else None) == provider
