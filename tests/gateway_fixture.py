"""A gateway as `bootstrap` builds it, over scripted providers, on a clock moved by hand."""

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

import pytest

from gateway.accounts.callers import Caller
from gateway.archive.copier import ArchiveResult
from gateway.archive.store import ArchiveStore
from gateway.bootstrap import build_process_state, build_services
from gateway.core.errors import GatewayError
from gateway.core.settings import RotationSettings, Settings
from gateway.tasks.idempotency import fingerprint_of
from gateway.tasks.order import Derivation, SubmitOrder
from gateway.tasks.view import Submitted
from providers import registry
from providers.contract.accounts import Account
from providers.contract.client_headers import NO_CLIENT_HEADERS, ClientHeaders
from providers.contract.localized_text import LocalizedText
from providers.contract.provider import Provider
from providers.contract.requests import VideoRequest
from providers.contract.settings import ProviderSettings
from providers.contract.spec import (
    AnySpec,
    DefaultLanguageModels,
    DefaultModels,
    DemoVideo,
    ProviderSpec,
    SandboxPart,
)
from providers.contract.upstream import Upstream
from providers.transport.client import HttpClient
from tests.clock import TestClock
from tests.language_upstream import LanguageUpstream
from tests.upstream import ScriptedProvider

ONE, TWO, THREE = (Account("scripted", f"s-secret-{number}") for number in range(1, 4))
REQUEST = VideoRequest("scripted-model", "cat")
OWNER = "a" * 12
KEYS = ("alice:gw-1", "bob:gw-2")
LOOPBACK = (ip_network("127.0.0.0/8"),)
NO_DEFAULTS = DefaultModels()


def pass_through_caller(*accounts: Account) -> Caller:
    return Caller(accounts)


def managed_caller(*accounts: Account, owner: str = OWNER) -> Caller:
    return Caller(accounts, managed=True, owner=owner)


def order(caller: Caller, request: VideoRequest | Derivation = REQUEST, **options: Any) -> SubmitOrder:
    """The order of a route for a request."""
    return SubmitOrder(caller, request, fingerprint_of(str(request)), **options)


def spec_of(
    provider: Upstream,
    defaults: DefaultModels = NO_DEFAULTS,
    result_link_seconds: int | None = None,
    language_defaults: DefaultLanguageModels | None = None,
    client_headers: ClientHeaders = NO_CLIENT_HEADERS,
) -> AnySpec:
    """The spec of a provider that a test has made."""
    return ProviderSpec(
        name=provider.name,
        title=provider.name,
        settings=ProviderSettings,
        environment={},
        create=lambda settings, http, now: provider,
        default_models=lambda settings: defaults,
        default_language_models=lambda settings: language_defaults or DefaultLanguageModels(),
        credential_hint=LocalizedText(provider.name, provider.name),
        sandbox=SandboxPart(lambda context: [], {}, DemoVideo("", "", "")),
        result_link_seconds=result_link_seconds,
        client_headers=client_headers,
    )


class GatewayFixture:
    """A gateway as `bootstrap` builds it, over scripted providers, on a clock moved by hand.

    `settings` are fields of `Settings`. Unless they say otherwise there are several keys, callers with credentials of
    their own and no accounts, and links may lead to this machine. Pauses have no jitter. `results` are those of the
    copies to the archive, which is in `store` if there is one.
    """

    def __init__(
        self,
        provider: ScriptedProvider | None = None,
        *,
        others: Sequence[Provider] = (),
        defaults: DefaultModels = NO_DEFAULTS,
        result_link_seconds: int | None = None,
        clock: TestClock | None = None,
        http: HttpClient | None = None,
        store: ArchiveStore | None = None,
        **settings: Any,
    ) -> None:
        self.provider = provider or ScriptedProvider()
        self.clock = clock or TestClock()
        self.results: list[ArchiveResult] = []
        specs = (spec_of(self.provider, defaults, result_link_seconds), *map(spec_of, others))
        fields: dict[str, Any] = {
            "keys": KEYS,
            "pass_through": True,
            "rotation": RotationSettings(policy="fill_first"),
            "upstream_networks": LOOPBACK,
        } | settings
        configured = Settings(**fields)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(registry, "PROVIDERS", specs)
            self.process = build_process_state(
                configured, self.clock, http, store=store, jitter=lambda: 0.0, on_copy=self.results.append
            )
            services = build_services(configured, self.process)
        self.tasks, self.checks = services.tasks, services.checks
        self.locator, self.listing = self.tasks._locator, self.tasks._listing
        self.pool, self.background = self.process.pool, self.process.background
        self.watches, self.streams = self.process.watches, self.process.streams
        self.archiver = self.process.archiver

    async def submit(self, caller: Caller, request: VideoRequest = REQUEST) -> Submitted:
        return await self.tasks.submit(order(caller, request))

    async def submit_with_key(self, caller: Caller, request: VideoRequest, key: str = "k") -> Submitted:
        """A submit with an idempotency key."""
        return await self.tasks.submit(order(caller, request, idempotency_key=key))

    async def submit_error(self, caller: Caller, request: VideoRequest = REQUEST) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            await self.tasks.submit(order(caller, request))
        assert "secret" not in caught.value.message("zh")
        return caught.value

    async def no_such_task(self, caller: Caller, id: str) -> None:
        with pytest.raises(GatewayError) as caught:
            await self.tasks.status(caller, id)
        assert caught.value.code == "task_not_found"


class LanguageFixture:
    """A gateway as `bootstrap` builds it, over one scripted provider of language models."""

    def __init__(self, provider: LanguageUpstream, **settings: Any) -> None:
        self.provider = provider
        self.clock = TestClock()
        defaults = DefaultLanguageModels(f"{provider.name}-chat", f"{provider.name}-embedding")
        configured = Settings(**{"rotation": RotationSettings(policy="fill_first")} | settings)
        with pytest.MonkeyPatch.context() as patch:
            spec = spec_of(provider, language_defaults=defaults, client_headers=ClientHeaders(("X-One",), ("X-Space",)))
            patch.setattr(registry, "PROVIDERS", (spec,))
            process = build_process_state(configured, self.clock, jitter=lambda: 0.0)
            services = build_services(configured, process)
        self.pool, self.language = process.pool, services.language
