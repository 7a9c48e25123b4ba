"""ModelScope as a provider of the gateway."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from providers.contract.localized_text import LocalizedText
from providers.contract.spec import DAILY_IN_SHANGHAI, DefaultLanguageModels, ProviderSpec, SandboxPart
from providers.contract.upstream import Upstream
from providers.modelscope.models import PROVIDER
from providers.modelscope.settings import ModelScopeSettings

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from providers.sandbox.context import SandboxContext
    from providers.transport.client import HttpClient


def _create(settings: ModelScopeSettings, http: "HttpClient", now: Callable[[], float]) -> Upstream:
    from providers.modelscope.provider import ModelScope

    return ModelScope(http, settings.base_url, (settings.model, settings.embedding_model))


def _default_language_models(settings: ModelScopeSettings) -> DefaultLanguageModels:
    return DefaultLanguageModels(settings.model, settings.embedding_model)


def _sandbox(context: "SandboxContext") -> "Sequence[BaseRoute]":
    from providers.sandbox.language.modelscope import ModelScope

    return ModelScope(context).routes()


MODELSCOPE = ProviderSpec(
    name=PROVIDER,
    title="ModelScope",
    settings=ModelScopeSettings,
    environment={
        "MODELSCOPE_API_KEY": "credentials",
        "MODELSCOPE_BASE_URL": "base_url",
        "QWEN_MODEL": "model",
    },
    create=_create,
    default_language_models=_default_language_models,
    credential_hint=LocalizedText("ModelScope 访问令牌（ms-…）", "a ModelScope token (ms-…)"),
    secret_patterns=(r"\bms-[\w-]{6,}",),
    quota_reset=DAILY_IN_SHANGHAI,
    sandbox=SandboxPart(routes=_sandbox, addresses={"base_url": "/v1"}),
)
