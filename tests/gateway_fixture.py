"""A gateway's tasks over scripted providers, on a clock moved by hand."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.accounts.callers import Caller
from gateway.accounts.checks import AccountChecks
from gateway.accounts.pool import AccountPool
from gateway.accounts.selection import FillFirst, Policy
from gateway.archive.archive import Archive
from gateway.archive.copier import ArchiveResult
from gateway.archive.store import ArchiveStore
from gateway.archive.task_archiver import TaskArchiver
from gateway.core.background_tasks import Background
from gateway.core.errors import GatewayError
from gateway.media.fetcher import Fetcher
from gateway.media.intake import MediaIntake
from gateway.media.url_policy import UrlPolicy
from gateway.polling.poller import Poller
from gateway.task_ids.locator import TaskLocator
from gateway.task_ids.owner_lookup import OwnerLookup
from gateway.tasks.idempotency import IdempotencyStore, fingerprint_of
from gateway.tasks.listing import Listing
from gateway.tasks.model_catalog import Catalog
from gateway.tasks.model_discovery import Discovery
from gateway.tasks.order import Derivation, SubmitOrder
from gateway.tasks.service import Tasks
from gateway.tasks.submitter import Submitter
from gateway.tasks.view import Submitted
from providers.contract.accounts import Account
from providers.contract.provider import Provider
from providers.contract.requests import VideoRequest
from providers.contract.spec import DefaultModels
from providers.registry import Registry
from providers.transport.client import HttpClient
from tests.clock import TestClock
from tests.upstream import ScriptedProvider

ONE, TWO, THREE = (Account("scripted", f"s-secret-{number}") for number in range(1, 4))
REQUEST = VideoRequest("scripted-model", "cat")
OWNER = "a" * 12


def no_owners() -> OwnerLookup:
    """For those who never look for one."""
    clock, background = TestClock(), Background()
    return OwnerLookup(clock, Poller(clock, 1.0, background), background)


def pass_through(*accounts: Account) -> Caller:
    return Caller(accounts)


def managed(*accounts: Account, owner: str = OWNER) -> Caller:
    return Caller(accounts, managed=True, owner=owner)


def order(caller: Caller, request: VideoRequest | Derivation = REQUEST, **options: Any) -> SubmitOrder:
    """What a route orders for a request."""
    return SubmitOrder(caller, request, fingerprint_of(str(request)), **options)


@dataclass
class GatewayFixture:
    """A gateway's tasks over scripted providers, on a clock moved by hand."""

    provider: ScriptedProvider = field(default_factory=ScriptedProvider)
    others: Sequence[Provider] = ()
    secrets: Sequence[bytes] = ()
    aliases: dict[str, str] = field(default_factory=dict)
    defaults: DefaultModels = DefaultModels()  # noqa: RUF009 - it cannot be changed
    sole_owner: bool = False
    policy: Policy = field(default_factory=FillFirst)
    max_attempts: int = 6
    clock: TestClock = field(default_factory=TestClock)
    http: HttpClient = field(default_factory=HttpClient)
    store: ArchiveStore | None = None
    store_prompts: bool = False
    follow: bool = False

    def __post_init__(self) -> None:
        seeds = (f"seed-{number}" for number in itertools.count(1))
        registry = Registry([self.provider, *self.others])
        self.pool = AccountPool(self.clock, self.policy, jitter=lambda: 0.0)
        self.background = Background()
        poller = Poller(self.clock, 1.0, self.background, self.pool.on_results)
        self.locator = TaskLocator(registry, OwnerLookup(self.clock, poller, self.background), self.secrets)
        self.results: list[ArchiveResult] = []
        self.archiver = self._archiver(poller)
        checks = AccountChecks(registry, self.pool, self.clock, self.background)
        self.tasks = Tasks(
            registry,
            Catalog(registry, self.aliases, self.defaults, Discovery(self.clock, self.background)),
            self.locator,
            Listing(registry, self.locator, sole_owner=self.sole_owner),
            poller,
            IdempotencyStore(self.clock, lambda: next(seeds)),
            Submitter(self.clock, self.pool, checks, poller.refresh, max_attempts=self.max_attempts),
            MediaIntake(Fetcher(UrlPolicy()).fetch, self.http, max_bytes=1_000_000),
            self.clock,
            archiver=self.archiver,
            poll_interval=5.0,
        )

    def _archiver(self, poller: Poller) -> TaskArchiver | None:
        if self.store is None:
            return None
        archive = Archive(
            self.store,
            self.http,
            self.clock,
            self.background,
            store_prompts=self.store_prompts,
            on_result=self.results.append,
        )
        return TaskArchiver(archive, poller, self.clock, self.background, follow=self.follow, interval=5.0)

    async def submit(self, caller: Caller, request: VideoRequest = REQUEST) -> Submitted:
        return await self.tasks.submit(order(caller, request))

    async def submit_with_key(self, caller: Caller, request: VideoRequest, key: str = "k") -> Submitted:
        """A submit with an idempotency key."""
        return await self.tasks.submit(order(caller, request, idempotency_key=key))

    async def refusal(self, caller: Caller, request: VideoRequest = REQUEST) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            await self.tasks.submit(order(caller, request))
        assert "secret" not in caught.value.message("zh")
        return caught.value

    async def no_such_task(self, caller: Caller, id: str) -> None:
        with pytest.raises(GatewayError) as caught:
            await self.tasks.status(caller, id)
        assert caught.value.code == "task_not_found"
