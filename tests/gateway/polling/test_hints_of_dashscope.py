"""Polls of hundreds of DashScope tasks before the sandbox, over the provider's own wire, on a clock moved by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from providers.contract.accounts import Account
from providers.contract.requests import VideoRequest
from providers.contract.tasks import Phase
from providers.dashscope.provider import DashScope
from providers.sandbox.app import create_sandbox
from providers.sandbox.settings import SandboxSettings
from providers.sandbox.state import Ledger
from providers.transport.client import HttpClient
from providers.validation import validate
from tests.clock import TestClock
from tests.gateway.polling.listing_upstream import PER_SECOND, Clients

MODEL = "wan2.6-t2v"


@dataclass(frozen=True, slots=True)
class Key:
    """The tasks of a key, and those who poll them."""

    clients: Clients
    ids: list[str]
    ledger: Ledger

    async def run(self, seconds: float) -> float:
        return await self.clients.run(self.ids, seconds)

    def statuses(self) -> set[int]:
        return {entry["status"] for entry in self.ledger.log() if entry["method"] == "GET"}

    def queries(self) -> int:
        return self.ledger.calls("dashscope", "/api/v1/tasks/{id}")

    def lists(self) -> int:
        return self.ledger.calls("dashscope", "/api/v1/tasks")


@asynccontextmanager
async def key_of(tasks: int, key: str = "sk-many", prompt: str = "a cat", **settings: Any) -> AsyncIterator[Key]:
    clock = TestClock()
    given = {"task_seconds": 1e6, "log_size": 10_000, **settings}
    app = create_sandbox(SandboxSettings(**given), clock.now)
    transport = httpx.ASGITransport(app)
    async with HttpClient(transport=lambda proxy: transport) as http:
        provider = DashScope(http, "http://upstream.test/api/v1", now=clock.now)
        card, account = provider.card(MODEL), Account("dashscope", key)
        assert card is not None
        prepared = await provider.prepare(validate(card, VideoRequest(MODEL, prompt)), account)
        ids = [(await provider.submit(prepared, account, submit_key="k")).id for _ in range(tasks)]
        yield Key(Clients(clock, provider, account, PER_SECOND), ids, app.state.sandbox)


async def test_states_of_500_tasks_of_one_key_are_at_most_three_seconds_old() -> None:
    async with key_of(500) as key:
        await key.run(2)
        assert await key.run(3) <= 3
        assert len(key.clients.ages) == 500
        assert key.statuses() == {200}


@pytest.mark.parametrize("settings", [{"list_page_cap": 20}, {"list_page_max": 40}], ids=str)
async def test_page_that_is_smaller_than_asked_for(settings: dict[str, Any]) -> None:
    async with key_of(300, **settings) as key:
        await key.run(4)
        assert await key.run(3) <= 3
        assert 429 not in key.statuses()
        assert key.lists() > 300 / 40


@pytest.mark.parametrize("lag", [0.0, 3.0])
async def test_ends_of_tasks_are_told_soon_after_the_list_shows_them(lag: float) -> None:
    # Five run at a time.
    async with key_of(100, prompt="a cat #seconds=0.9", list_lag=lag) as key:
        await key.run(18)
        assert set(key.clients.phases.values()) == {Phase.COMPLETED}
        assert len(key.clients.told_after) == 100
        assert max(key.clients.told_after) <= lag + 3.5
        assert key.statuses() == {200}


async def test_key_that_may_not_list_is_queried_singly() -> None:
    async with key_of(60, "sk-nolist") as key:
        await key.run(4)
        assert key.statuses() == {200, 403}
        assert key.lists() <= 3
        assert await key.run(4) <= 60 / (PER_SECOND * 0.9) + 2
        assert set(key.clients.phases.values()) == {Phase.QUEUED}


async def test_few_tasks_are_not_listed() -> None:
    async with key_of(12) as key:
        assert await key.run(4) <= 2
        assert key.lists() == 0
