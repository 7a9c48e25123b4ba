"""Chat and embeddings of DashScope: models, hosts of the regions, errors."""

import httpx
import pytest

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.language import LanguageKind
from providers.dashscope.language import error_of, model_of
from providers.dashscope.provider import DashScope
from providers.dashscope.settings import DashScopeSettings
from providers.openai_compatible import Failure
from providers.transport.client import HttpClient


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("qwen-plus", LanguageKind.CHAT),
        ("qwen9-new", LanguageKind.CHAT),
        ("deepseek-v9", LanguageKind.CHAT),
        ("text-embedding-v9", LanguageKind.EMBEDDING),
    ],
)
def test_name_of_a_family_is_a_language_model(name: str, kind: LanguageKind) -> None:
    found = model_of(name)
    assert found is not None
    assert found.kind is kind


@pytest.mark.parametrize(
    ("name", "sees"),
    [
        *(("qwen3-vl-plus", True), ("qwen-vl-max-latest", True), ("qwen2.5-vl-72b-instruct", True), ("qvq-max", True)),
        *(("qwen3.5-plus", True), ("qwen3.6-plus", True), ("qwen-omni-turbo", True), ("kimi-k2.5", True)),
        *(("qwen-plus", False), ("qwen3-max", False), ("qwen2.5-72b-instruct", False), ("qwen-vl-ocr", False)),
        *(("glm-4.6", False), ("kimi-k2-thinking", False), ("deepseek-v3.2", False), ("text-embedding-v4", False)),
    ],
)
def test_name_tells_whether_a_model_sees_pictures(name: str, sees: bool) -> None:
    found = model_of(name)
    assert found is not None
    assert found.sees_pictures is sees


@pytest.mark.parametrize("name", ["wan2.6-t2v", "qwen-image-plus", "qwen3-tts-flash", "qwen3-asr-flash", "gpt-5"])
def test_other_names_are_no_language_model(name: str) -> None:
    assert model_of(name) is None


@pytest.mark.parametrize(
    ("status", "code", "kind", "model_only"),
    [
        (401, "invalid_api_key", ErrorKind.INVALID_CREDENTIAL, False),
        (400, "Arrearage", ErrorKind.NO_CREDITS, False),
        (403, "AllocationQuota.FreeTierOnly", ErrorKind.NO_CREDITS, True),
        (429, "limit_requests", ErrorKind.RATE_LIMITED, True),
        (429, "Throttling.RateQuota", ErrorKind.RATE_LIMITED, True),
        (429, "insufficient_quota", ErrorKind.RATE_LIMITED, True),
        (404, "model_not_found", ErrorKind.MODEL_NOT_FOUND, False),
        (403, "access_denied", ErrorKind.NOT_ENTITLED, False),
        (400, "data_inspection_failed", ErrorKind.CONTENT_REFUSED, False),
        (400, "invalid_parameter_error", ErrorKind.INVALID_REQUEST, False),
        (500, "InternalError", ErrorKind.UPSTREAM_ERROR, False),
    ],
)
def test_code_gives_the_kind(status: int, code: str, kind: ErrorKind, model_only: bool) -> None:
    error = error_of(Failure(status, code, "text", {}, None))
    assert (error.kind, error.model_only) == (kind, model_only)


@pytest.mark.parametrize(
    ("language_url", "region", "called"),
    [
        (None, "", "https://dashscope.aliyuncs.com/compatible-mode/v1"),
        (None, "ap-southeast-1", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
        ("http://own/v1", "ap-southeast-1", "http://own/v1"),
    ],
)
async def test_call_goes_to_the_host_of_the_region(language_url: str | None, region: str, called: str) -> None:
    seen: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        assert request.headers["x-dashscope-datainspection"] == "{}"
        assert request.headers.get_list("authorization") == ["Bearer sk-1"]
        return httpx.Response(500, json={"error": {"code": "InternalError", "message": "x"}})

    http = HttpClient(transport=lambda proxy: httpx.MockTransport(handle))
    provider = DashScope(http, language_url=language_url) if language_url else DashScope(http)
    account = Account("dashscope", "sk-1", region=region)
    for call in (provider.chat, provider.embed):
        with pytest.raises(ProviderError):
            await call(b"{}", account, {"X-DashScope-DataInspection": "{}", "Authorization": "Bearer sk-other"})
    assert seen == [f"{called}/chat/completions", f"{called}/embeddings"]


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "https://dashscope.aliyuncs.com/compatible-mode/v1"),
        ({"base_url": "https://abroad/api/v1"}, "https://abroad/compatible-mode/v1"),
        ({"base_url": "http://h/api/v1", "compatible_url": "http://chat/v1"}, "http://chat/v1"),
    ],
)
def test_chat_goes_to_the_host_of_the_videos_unless_it_has_its_own(settings: dict[str, str], url: str) -> None:
    assert DashScopeSettings.model_validate(settings).language_url == url
