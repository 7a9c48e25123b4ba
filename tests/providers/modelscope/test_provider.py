"""ModelScope's accounts, models and list."""

import httpx
import orjson
import pytest

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.language import LanguageKind
from providers.modelscope.provider import ModelScope
from providers.transport.client import HttpClient

ACCOUNT = Account("modelscope", "ms-secret")


def provider(answer: httpx.Response | None = None, *defaults: str) -> ModelScope:
    def handle(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer ms-secret"
        assert request.url == "http://m/v1/models"
        assert answer is not None
        return answer

    return ModelScope(HttpClient(transport=lambda proxy: httpx.MockTransport(handle)), "http://m/v1", defaults)


@pytest.mark.parametrize(
    ("credential", "named", "known"), [("ms-1", False, True), ("x", False, False), ("x", True, True)]
)
def test_token_is_an_account(credential: str, named: bool, known: bool) -> None:
    account = provider().account_from(credential, named=named)
    assert (account is not None) is known


@pytest.mark.parametrize(
    ("name", "kind", "unlisted"),
    [
        ("Qwen/Qwen3-235B-A22B-Instruct-2507", LanguageKind.CHAT, False),
        ("qwen/qwen3-235b-a22b-instruct-2507", LanguageKind.CHAT, False),
        ("Qwen/Qwen3-Embedding-8B", LanguageKind.EMBEDDING, False),
        ("New/Model-1B:free", LanguageKind.CHAT, True),
        ("BAAI/bge-m3", LanguageKind.EMBEDDING, True),
        ("my/own", LanguageKind.CHAT, False),
    ],
)
def test_model_is_found_by_its_name(name: str, kind: LanguageKind, unlisted: bool) -> None:
    model = provider(None, "my/own").language_model(name)
    assert model is not None
    assert (model.kind, model.unlisted) == (kind, unlisted)


@pytest.mark.parametrize("name", ["qwen-plus", "Qwen/Qwen-Image", "black/FLUX.1-dev", "Wan-AI/Wan2.2-T2V-A14B", ""])
def test_other_names_are_no_language_model(name: str) -> None:
    assert provider().language_model(name) is None


@pytest.mark.parametrize(
    ("name", "sees"),
    [
        ("Qwen/Qwen3-VL-235B-A22B-Instruct", True),
        ("Qwen/QVQ-72B-Preview", True),
        ("Qwen/Qwen2.5-VL-7B-Instruct", True),
        ("OpenGVLab/InternVL3_5-241B-A28B", True),
        ("ZhipuAI/GLM-4.5V", True),
        ("moonshotai/Kimi-K2.5", True),
        ("Qwen/Qwen3-235B-A22B-Instruct-2507", False),
        ("deepseek-ai/DeepSeek-V3.2", False),
        ("ZhipuAI/GLM-4.6", False),
        ("deepseek-ai/DeepSeek-OCR-VL", False),
        ("Qwen/Qwen3-VL-Embedding-8B", False),
    ],
)
def test_name_tells_whether_a_model_sees_pictures(name: str, sees: bool) -> None:
    found = provider().language_model(name)
    assert found is not None
    assert found.sees_pictures is sees


async def test_list_has_the_language_models_in_its_order() -> None:
    rows = [{"id": "Qwen/Qwen-Image"}, {"id": "New/Model-1B"}, {"id": "BAAI/bge-m3"}, {"id": 5}, "x"]
    listed = await provider(httpx.Response(200, content=orjson.dumps({"data": rows}))).discover_language(ACCOUNT)
    assert [(model.name, model.kind) for model in listed] == [
        ("New/Model-1B", LanguageKind.CHAT),
        ("BAAI/bge-m3", LanguageKind.EMBEDDING),
    ]


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"data": []}', b'{"data": 5}', b"<html>"])
async def test_unreadable_list_is_an_error(body: bytes) -> None:
    with pytest.raises(ProviderError) as caught:
        await provider(httpx.Response(200, content=body)).discover_language(ACCOUNT)
    assert caught.value.kind is ErrorKind.UPSTREAM_ERROR


async def test_check_reports_a_rejected_token() -> None:
    with pytest.raises(ProviderError) as caught:
        await provider(httpx.Response(401, json={"errors": {"message": "bad ms-secret"}})).check(ACCOUNT)
    assert caught.value.kind is ErrorKind.INVALID_CREDENTIAL
    assert "secret" not in str(caught.value)
    await provider(httpx.Response(200, json={"data": [{"id": "a/b"}]})).check(ACCOUNT)
