"""DashScope as a provider of the gateway."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from providers.contract.localized_text import LocalizedText
from providers.contract.native import NativeEntrance
from providers.contract.spec import DefaultLanguageModels, DefaultModels, DemoVideo, ProviderSpec, SandboxPart
from providers.contract.upstream import Upstream
from providers.dashscope.models import PROVIDER
from providers.dashscope.payload import CLIENT_HEADERS
from providers.dashscope.settings import DashScopeSettings

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from providers.sandbox.context import SandboxContext
    from providers.transport.client import HttpClient


def _create(settings: DashScopeSettings, http: "HttpClient", now: Callable[[], float]) -> Upstream:
    from providers.dashscope.provider import DashScope

    return DashScope(
        http,
        base_url=settings.base_url,
        language_url=settings.language_url,
        language_models=(settings.chat_model, settings.embedding_model),
        now=now,
    )


def _native() -> NativeEntrance:
    from providers.dashscope.native.entrance import DashScopeEntrance

    return DashScopeEntrance()


def _default_models(settings: DashScopeSettings) -> DefaultModels:
    return DefaultModels(
        text=("wan2.6-t2v",), image=(settings.image_model,), edit=("wan2.7-videoedit",), extend=("wan2.7-i2v",)
    )


def _default_language_models(settings: DashScopeSettings) -> DefaultLanguageModels:
    return DefaultLanguageModels(settings.chat_model, settings.embedding_model)


def _sandbox(context: "SandboxContext") -> "Sequence[BaseRoute]":
    from providers.sandbox.dashscope.service import DashScope
    from providers.sandbox.language.compatible import CompatibleMode

    videos = DashScope(context.settings, context.clock, context.ledger, context.files)
    return [*videos.routes(), *CompatibleMode(context).routes()]


DASHSCOPE = ProviderSpec(
    name=PROVIDER,
    title="DashScope",
    settings=DashScopeSettings,
    environment={
        "DASHSCOPE_API_KEY": "credentials",
        "DASHSCOPE_BASE_URL": "base_url",
        # The name that the DashScope service's older clients use.
        "QWEN_BASE_URL": "base_url",
        "DASHSCOPE_COMPATIBLE_URL": "compatible_url",
        "QWEN_VIDEO_MODEL": "image_model",
        "DASHSCOPE_QPS": "queries_per_second",
    },
    former_keys={
        "dashscope_api_key": "credentials",
        "dashscope_base_url": "base_url",
        "qwen_video_model": "image_model",
        "dashscope_qps": "queries_per_second",
    },
    create=_create,
    default_models=_default_models,
    default_language_models=_default_language_models,
    credential_hint=LocalizedText("DashScope API Key（sk-…）", "a DashScope key (sk-…)"),
    # A whole key, or one that is cut in the middle: sk-ab12****cd34.
    secret_patterns=(r"\bsk-(?:[\w.~+=-]{6,}|[\w-]+(?:[*•…]+|\.{2,})[\w-]*)",),
    result_link_seconds=24 * 3600,
    # Arrears are paid and free quotas are used up: neither comes back with a new day.
    quota_reset=None,
    client_headers=CLIENT_HEADERS,
    native=_native,
    sandbox=SandboxPart(
        routes=_sandbox,
        addresses={"base_url": "/api/v1", "compatible_url": "/compatible-mode/v1"},
        demo=DemoVideo("sk-demo", "wan2.6-t2v", "A paper boat sails down a rainy street"),
    ),
)
