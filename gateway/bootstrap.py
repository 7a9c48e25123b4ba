"""Builds the application from its settings: `ProcessState` once, `Services` for each configuration.

An invalid configuration stops the start. A reload builds new services and keeps the process state.
"""

import itertools
import random
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from yarl import URL

from gateway.accounts.callers import Callers, GatewayKey, parse_key
from gateway.accounts.checks import AccountChecks
from gateway.accounts.configured import managed_accounts
from gateway.accounts.model_discovery import Discovery, ModelList
from gateway.accounts.pool import AccountPool
from gateway.accounts.selection import POLICIES
from gateway.api.metric_series import declare_series
from gateway.api.services import Services
from gateway.archive.archive import Archive
from gateway.archive.copier import ArchiveResult
from gateway.archive.store import ArchiveStore, StoreError
from gateway.archive.task_archiver import TaskArchiver
from gateway.configuration_warnings import log_warnings, warnings_of
from gateway.core import metrics
from gateway.core.background_tasks import Background
from gateway.core.clock import Clock
from gateway.core.settings import Settings, SettingsError
from gateway.language.catalog import LanguageCatalog
from gateway.language.service import Language
from gateway.limits.key_usages import KeyUsages
from gateway.live.open_streams import OpenStreams
from gateway.live.watching import Watches
from gateway.live.webhooks.sender import Sender
from gateway.live.webhooks.service import Webhooks
from gateway.media.fetcher import Fetcher
from gateway.media.intake import MediaIntake
from gateway.media.resize import INSTALL, can_shrink
from gateway.media.url_policy import UrlPolicy
from gateway.polling.poller import Poller
from gateway.prompts.enhancer import PromptEnhancer
from gateway.task_ids.locator import TaskLocator, TaskRefCache
from gateway.task_ids.owner_lookup import OwnerLookup
from gateway.task_ids.signed import derived_key
from gateway.tasks.idempotency import IdempotencyStore
from gateway.tasks.listing import Listing
from gateway.tasks.model_catalog import Catalog
from gateway.tasks.prompt_rewriting import PromptRewriter
from gateway.tasks.service import Tasks
from gateway.tasks.submit_lookup import SubmitLookup
from gateway.tasks.submitter import Submitter
from gateway.tasks.upload_grants import UploadGrants
from providers import registry as provider_registry
from providers.contract.accounts import Account
from providers.contract.errors import ProviderError
from providers.contract.language import CanDiscoverLanguage, LanguageModel
from providers.contract.models import ModelCard
from providers.contract.provider import CanDiscover
from providers.contract.settings import ProviderSettings
from providers.contract.spec import DefaultModels
from providers.contract.tasks import TaskState
from providers.contract.upstream import Upstream
from providers.registry import Registry
from providers.transport.address_policy import Policies
from providers.transport.client import FILES, SESSION_ROUTE, HttpClient
from providers.transport.timeouts import Timeouts


@dataclass(frozen=True, slots=True)
class ProcessState:
    """Process-wide state: connections, caches and accounts. `logged_warnings` are the configuration warnings already
    logged, so that a reload does not repeat them."""

    clock: Clock
    http: HttpClient
    fetcher: Fetcher
    background: Background
    pool: AccountPool
    discovery: Discovery[ModelCard]
    language_discovery: Discovery[LanguageModel]
    poller: Poller
    owners: OwnerLookup
    locator: TaskRefCache
    idempotency: IdempotencyStore
    archiver: TaskArchiver | None
    watches: Watches
    streams: OpenStreams
    webhooks: Webhooks
    usages: KeyUsages
    logged_warnings: set[str] = field(default_factory=set)


def _count_copy(result: ArchiveResult) -> None:
    metrics.observe_copy(result.outcome)


def build_process_state(
    settings: Settings,
    clock: Clock,
    http: HttpClient | None = None,
    *,
    store: ArchiveStore | None = None,
    jitter: Callable[[], float] = random.random,
    on_copy: Callable[[ArchiveResult], object] = _count_copy,
) -> ProcessState:
    """Build the initial process state. Raises SettingsError if the archive cannot be opened.

    `store` is the archive's store, by default that of the settings. `jitter` returns random numbers in [0, 1) for the
    jitter of pauses. `on_copy` is called with the result of each copy to the archive.
    """
    resets = {spec.name: spec.quota_reset for spec in provider_registry.PROVIDERS}
    pool, background = AccountPool(clock, jitter=jitter, quota_resets=resets), Background()
    if http is None:
        timeouts = settings.timeouts
        http = HttpClient(Timeouts(timeouts.connect, timeouts.read, timeouts.total, timeouts.answer))
    usages = KeyUsages(clock)

    def on_results(account: Account, results: Mapping[str, TaskState | ProviderError], sent_at: float) -> None:
        pool.on_results(account, results, sent_at)
        usages.on_results(account, results)

    poller = Poller(clock, settings.poll_freshness, background, on_results, is_known=pool.is_known)
    store = store or open_archive(settings)
    archiver = None
    if store is not None:
        archive = Archive(
            store,
            http,
            clock,
            background,
            copies=settings.archive.copies,
            store_prompts=settings.archive.prompt,
            link_seconds={spec.name: spec.result_link_seconds for spec in provider_registry.PROVIDERS},
            on_result=on_copy,
        )
        interval = settings.video_poll_interval / 1000
        archiver = TaskArchiver(
            archive,
            poller,
            clock,
            background,
            follow=settings.archive.follow,
            interval=interval,
            root_path=settings.root_path,
        )
    watches = Watches(clock, background)
    poller.on_observed = watches.on_observed
    return ProcessState(
        clock,
        http,
        Fetcher(UrlPolicy(), max_seconds=settings.media.fetch_seconds),
        background,
        pool,
        Discovery(clock, background, _model_list, pool.is_known),
        Discovery(clock, background, _language_model_list, pool.is_known),
        poller,
        OwnerLookup(clock, poller, background, pool.is_known),
        TaskRefCache(),
        IdempotencyStore(clock, _seeds().__next__, pool.is_known),
        archiver,
        watches,
        OpenStreams(settings.live.watchers, settings.live.watchers_per_caller),
        Webhooks(
            clock,
            Sender(clock),
            watches.watch,
            limit=settings.live.webhooks,
            limit_per_caller=settings.live.webhooks_per_caller,
        ),
        usages,
    )


def modules_needed(process: ProcessState) -> list[str]:
    """The modules imported on demand that this configuration needs anyway. They are loaded right after the start, so
    that no request waits for them."""
    proxied = any(managed.account.proxy for managed in process.pool.managed)
    return [SESSION_ROUTE] * proxied + [FILES] * (process.archiver is not None)


def _model_list(provider: Upstream) -> ModelList[ModelCard] | None:
    return provider.discover if isinstance(provider, CanDiscover) else None


def _language_model_list(provider: Upstream) -> ModelList[LanguageModel] | None:
    return provider.discover_language if isinstance(provider, CanDiscoverLanguage) else None


def open_archive(settings: Settings) -> ArchiveStore | None:
    """Open the archive store; None if none is configured. Raises SettingsError if it cannot be opened."""
    if settings.archive_url is None:
        return None
    try:
        return ArchiveStore.open(settings.archive_url)
    except StoreError as error:
        raise SettingsError(f"ARCHIVE_URL: {error}") from None


def _seeds() -> Iterator[str]:
    """Unique idempotency seeds, one per submit."""
    process = secrets.token_hex(16)
    return (f"{process}-{number}" for number in itertools.count(1))


def build_services(settings: Settings, process: ProcessState) -> Services:
    """Build the services of a configuration and apply it to the process state.

    Raises SettingsError if the configuration is invalid; the process state is then unchanged.
    """
    clock, pool, poller = process.clock, process.pool, process.poller
    registry = _registry(settings, process.http, clock)
    keys = _keys(settings)
    catalog = _catalog(settings, registry, process.discovery)
    languages = LanguageCatalog(
        registry.languages,
        settings.aliases,
        {spec.name: spec.default_language_models(settings.provider(spec)) for spec in provider_registry.PROVIDERS},
        process.language_discovery,
        {spec.name: spec.client_headers for spec in provider_registry.PROVIDERS},
    )
    accounts = managed_accounts(settings, registry)
    locator = TaskLocator(
        registry.videos,
        process.owners,
        [derived_key(secret.get_secret_value()) for secret in settings.secret],
        process.locator,
    )
    checks = AccountChecks(registry, pool, clock, process.background)
    max_attempts = settings.rotation.max_attempts
    connect_seconds = process.http.timeouts.connect
    lookup = SubmitLookup(clock, pool, poller.acquire, max_attempts=max_attempts, connect_seconds=connect_seconds)
    submitter = Submitter(clock, pool, checks, lookup, poller.refresh, max_attempts=max_attempts)
    url_policy, policies = _url_policy(settings), _policies(settings)
    intake = MediaIntake(
        process.fetcher.fetch,
        process.http,
        max_bytes=settings.media.max_bytes,
        max_total_bytes=settings.limits.upload_bytes,
        shrink=settings.media.shrink,
    )
    language = Language(languages, pool, checks, clock, max_attempts=max_attempts)
    prompts = PromptRewriter(PromptEnhancer(language), catalog, intake, clock)
    tasks = Tasks(
        registry.videos,
        catalog,
        locator,
        Listing(registry.videos, locator, sole_owner=len(keys) <= 1, acquire=poller.acquire),
        poller,
        process.idempotency,
        submitter,
        intake,
        clock,
        grants=UploadGrants(clock, pool),
        prompts=prompts,
        archiver=process.archiver,
    )
    callers = Callers(
        registry,
        keys=keys,
        accounts=[managed.account for managed in accounts],
        pass_through=settings.pass_through,
        proxies=settings.pass_through_proxies,
        usage_of=lambda key: process.usages.of(key.owner, key.label),
    )
    declare_series(registry)
    log_warnings(process.logged_warnings, warnings_of(settings, len(accounts), registry))
    # Nothing below raises: the configuration is applied as a whole.
    process.discovery.expire()
    process.language_discovery.expire()
    process.usages.configure({key.owner: key.label for key in keys}, settings.key_limits)
    pool.manage(accounts, POLICIES[settings.rotation.policy]())
    process.fetcher.url_policy, process.fetcher.max_seconds = url_policy, settings.media.fetch_seconds
    process.http.policies = policies
    process.webhooks.sender.url_policy = UrlPolicy(
        networks=settings.webhook_networks, denied_networks=settings.media.denied_networks
    )
    process.webhooks.secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else None
    poller.freshness = settings.poll_freshness
    configured = {spec.name: settings.provider(spec) for spec in provider_registry.PROVIDERS}
    poller.per_second = {
        name: own.queries_per_second for name, own in configured.items() if isinstance(own, ProviderSettings)
    }
    metrics.RELOAD_OK.set(1)
    metrics.RELOADED_AT.set(clock.now())
    watches = process.watches
    watches.tasks, watches.current, watches.interval = tasks, callers.current, settings.video_poll_interval / 1000
    return Services(
        settings,
        registry,
        callers,
        tasks,
        language,
        prompts,
        process.http,
        pool,
        checks,
        watches,
        process.streams,
        process.webhooks,
        process.usages,
        clock,
        process.background,
    )


def _keys(settings: Settings) -> list[GatewayKey]:
    """The gateway keys. Raises SettingsError for a malformed key."""
    keys = [parse_key(key.get_secret_value()) for key in settings.keys]
    for number, key in enumerate(keys, 1):
        if not key.secret.startswith("gw-"):
            raise SettingsError(f"GATEWAY_KEYS: entry {number} must have the form name:gw-… or gw-…")
    return keys


def _url_policy(settings: Settings) -> UrlPolicy:
    """The URL policy for media. Raises SettingsError for an invalid host or a missing library."""
    media = settings.media
    if media.shrink and not can_shrink():
        raise SettingsError(f"media.shrink needs Pillow: {INSTALL}")
    try:
        return UrlPolicy(
            networks=media.networks,
            denied_networks=media.denied_networks,
            hosts=media.hosts,
            denied_hosts=media.denied_hosts,
        )
    except ValueError as error:
        raise SettingsError(f"media.hosts or media.denied_hosts: {error}") from None


def _policies(settings: Settings) -> Policies:
    """The policies for links of upstreams and for proxies of callers. The lists of hosts in `[media]` do not apply to
    them."""
    denied = settings.media.denied_networks
    return Policies(
        links=UrlPolicy(networks=settings.upstream_networks, denied_networks=denied),
        proxies=UrlPolicy(networks=settings.proxy_networks, denied_networks=denied),
        trusted=frozenset(_upstream_origins(settings)),
    )


def _upstream_origins(settings: Settings) -> Iterator[tuple[str, int]]:
    """Host and port of the upstreams' URLs."""
    for spec in provider_registry.PROVIDERS:
        configured = settings.provider(spec)
        for key in spec.sandbox.addresses:
            if address := getattr(configured, key):
                url = URL(address)
                yield url.raw_host or "", url.port or 0


def _catalog(settings: Settings, registry: Registry, discovery: Discovery[ModelCard]) -> Catalog:
    """The model catalog. Raises SettingsError for an alias or default of an unknown model."""
    defaults = DefaultModels()
    for spec in provider_registry.PROVIDERS:
        own = spec.default_models(settings.provider(spec))
        if unknown := sorted({name for names in own for name in names if registry.videos.card(name) is None}):
            raise SettingsError(f"providers.{spec.name}: unknown default model: {', '.join(unknown)}")
        defaults = defaults.then(own)
    catalog = Catalog(registry.videos, settings.aliases, defaults, discovery)
    if unknown := [name for name in catalog.unknown_aliases() if not registry.languages.knows(name)]:
        raise SettingsError(f"aliases: unknown model: {', '.join(unknown)}")
    return catalog


def _registry(settings: Settings, http: HttpClient, clock: Clock) -> Registry:
    return Registry([spec.create(settings.provider(spec), http, clock.now) for spec in provider_registry.PROVIDERS])
