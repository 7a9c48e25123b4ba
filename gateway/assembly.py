"""The parts of one application, made from its settings and put together. What cannot be used stops the start."""

import uuid
from collections.abc import Sequence

from pydantic import SecretStr

from gateway.callers import Callers, GatewayKey, parse_key
from gateway.catalog import Catalog
from gateway.clock import Clock
from gateway.context import Parts
from gateway.listing import Listing
from gateway.logs import GATEWAY
from gateway.places import Places
from gateway.polling import Polling
from gateway.repeats import Repeats
from gateway.settings import Settings, SettingsError
from gateway.task_ids import derived_key
from gateway.tasks import Tasks
from providers.contract import Account
from providers.dashscope.provider import DashScope
from providers.http import HttpClient, Timeouts
from providers.jimeng.models import extra_model
from providers.jimeng.provider import Jimeng
from providers.jimeng.regions import Hosts
from providers.registry import Registry

_SHORTEST_SECRET = 16


def assemble(settings: Settings, http: HttpClient | None, clock: Clock) -> Parts:
    """Every part. Raises SettingsError when the configuration cannot be used."""
    http = http or HttpClient(Timeouts(settings.timeouts.connect, settings.timeouts.read, settings.timeouts.total))
    registry = _registry(settings, http, clock)
    keys = _keys(settings)
    callers = Callers(registry, keys=keys, accounts=_accounts(settings, registry), pass_through=settings.pass_through)
    places = Places(registry, [derived_key(secret.get_secret_value()) for secret in settings.secret])
    tasks = Tasks(
        registry,
        _catalog(settings, registry),
        places,
        Listing(registry, places, sole_owner=len(keys) <= 1),
        Polling(clock, settings.poll_freshness),
        clock,
        poll_interval=settings.video_poll_interval / 1000,
    )
    _warn(settings)
    return Parts(settings, callers, tasks, Repeats(clock, lambda: str(uuid.uuid4())), http)


def _keys(settings: Settings) -> list[GatewayKey]:
    """The gateway's own keys. One that is none stops the start."""
    keys = [parse_key(key.get_secret_value()) for key in settings.keys]
    for number, key in enumerate(keys, 1):
        if not key.secret.startswith("gw-"):
            raise SettingsError(f"GATEWAY_KEYS: entry {number} is no key of the form name:gw-… or gw-…")
    return keys


def _catalog(settings: Settings, registry: Registry) -> Catalog:
    """The models. A name that leads to none stops the start."""
    defaults = [("jimeng-video-3.5-pro", "jimeng-video-3.5-pro"), ("wan2.6-t2v", settings.qwen_video_model)]
    catalog = Catalog(registry, settings.aliases, defaults)
    if unknown := catalog.unknown():
        raise SettingsError(f"aliases or QWEN_VIDEO_MODEL name models that nobody has: {', '.join(unknown)}")
    return catalog


def _registry(settings: Settings, http: HttpClient, clock: Clock) -> Registry:
    dashscope = DashScope(http, base_url=settings.dashscope_base_url)
    jimeng = Jimeng(
        http,
        hosts=Hosts(settings.jimeng_base_url, settings.jimeng_commerce_url),
        query_batch=settings.jimeng_query_batch,
        extra_models=[
            extra_model(model.name, model.key, model.benefit_type, model.durations, model.resolutions)
            for model in settings.models
        ],
        now=clock.now,
    )
    return Registry([dashscope, jimeng])


def _accounts(settings: Settings, registry: Registry) -> list[Account]:
    """The managed accounts. A credential that cannot be one stops the start."""
    accounts: list[Account] = []
    for name, setting, provider in (
        ("JIMENG_TOKENS", settings.jimeng_tokens, "jimeng"),
        ("DASHSCOPE_API_KEY", settings.dashscope_api_key, "dashscope"),
    ):
        accounts += _accounts_of(name, setting, registry, provider)
    return accounts


def _accounts_of(name: str, credentials: Sequence[SecretStr], registry: Registry, provider: str) -> list[Account]:
    accounts: list[Account] = []
    for number, credential in enumerate(credentials, 1):
        text = credential.get_secret_value().strip().removeprefix(f"{provider}:")
        account = registry[provider].account_from(text, named=True)
        if account is None:
            raise SettingsError(f"{name}: entry {number} is not a credential of {provider}")
        accounts.append(account)
    return accounts


def _warn(settings: Settings) -> None:
    """What can be used, but will surprise somebody."""
    if any(len(secret.get_secret_value()) < _SHORTEST_SECRET for secret in settings.secret):
        GATEWAY.warning(f"GATEWAY_SECRET is shorter than {_SHORTEST_SECRET} characters: set it to a long random text")
    if settings.keys and not (settings.jimeng_tokens or settings.dashscope_api_key):
        GATEWAY.warning("keys are configured, but no account: set JIMENG_TOKENS or DASHSCOPE_API_KEY")
    if settings.keys and not settings.secret:
        GATEWAY.warning(
            "GATEWAY_SECRET is not set: task ids will not outlive this process nor be known to other replicas; "
            "set it to a long random text"
        )
