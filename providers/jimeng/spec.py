"""Jimeng as a provider of the gateway."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from providers.contract.localized_text import LocalizedText
from providers.contract.spec import DAILY_IN_SHANGHAI, DefaultModels, DemoVideo, ProviderSpec, SandboxPart
from providers.contract.upstream import Upstream
from providers.jimeng.models import PREFERRED, extra_model
from providers.jimeng.settings import JimengSettings
from providers.jimeng.site.regions import PREFIXES, PROVIDER, Hosts
from providers.jimeng.site.session import Versions

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from providers.sandbox.context import SandboxContext
    from providers.transport.client import HttpClient


def _create(settings: JimengSettings, http: "HttpClient", now: Callable[[], float]) -> Upstream:
    from providers.jimeng.provider import Jimeng

    return Jimeng(
        http,
        hosts=Hosts(settings.base_url, settings.commerce_url, settings.imagex_url, settings.vod_url),
        query_batch=settings.query_batch,
        extra_models=[
            extra_model(model.name, model.key, model.benefit_type, model.durations, model.resolutions)
            for model in settings.models
        ],
        versions=Versions(settings.app_version, settings.draft_version),
        now=now,
    )


def _sandbox(context: "SandboxContext") -> "Sequence[BaseRoute]":
    from providers.sandbox.jimeng.site import Jimeng

    site = Jimeng(context.settings, context.clock, context.ledger, context.files)
    context.state.jimeng_models = site.models
    return site.routes()


JIMENG = ProviderSpec(
    name=PROVIDER,
    title="Jimeng",
    settings=JimengSettings,
    environment={
        "JIMENG_TOKENS": "credentials",
        "JIMENG_BASE_URL": "base_url",
        "JIMENG_COMMERCE_URL": "commerce_url",
        "JIMENG_IMAGEX_URL": "imagex_url",
        "JIMENG_VOD_URL": "vod_url",
        "JIMENG_QPS": "queries_per_second",
        "JIMENG_QUERY_BATCH": "query_batch",
    },
    former_keys={
        "jimeng_tokens": "credentials",
        "jimeng_base_url": "base_url",
        "jimeng_commerce_url": "commerce_url",
        "jimeng_imagex_url": "imagex_url",
        "jimeng_vod_url": "vod_url",
        "jimeng_qps": "queries_per_second",
        "jimeng_query_batch": "query_batch",
        "jimeng": "",
        "models": "models",
    },
    create=_create,
    default_models=lambda settings: DefaultModels(text=PREFERRED, image=PREFERRED),
    credential_hint=LocalizedText(
        f"Jimeng sessionid（国际站加前缀 {'、'.join(PREFIXES)}）",
        f"a Jimeng sessionid (with {', '.join(PREFIXES)} in front for a site abroad)",
    ),
    secret_patterns=(r"((?:sessionid(?:_ss)?|sid_tt|sid_guard)=)[^\s;,&\"']+",),
    # A sessionid is 32 hex digits. Ids of tasks are decimal, but those of requests may be as long.
    path_secret_patterns=(r"(?<![0-9a-z])[0-9a-f]{32}(?![0-9a-z])",),
    account_fields=frozenset({"cookie"}),
    result_link_seconds=24 * 3600,
    quota_reset=DAILY_IN_SHANGHAI,
    claims_any_credential=True,
    sandbox=SandboxPart(
        routes=_sandbox,
        addresses={"base_url": "", "commerce_url": "", "imagex_url": "/imagex", "vod_url": "/vod"},
        demo=DemoVideo("demo-session", "jimeng-video-seedance-2.0-fast", "海边日落，一只猫在沙滩上奔跑"),
    ),
)
