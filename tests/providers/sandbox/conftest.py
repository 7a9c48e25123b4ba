"""The sandbox in-process on a clock that tests move, and on a port with thousandths of a second."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from starlette.applications import Starlette

from providers.sandbox.app import create_sandbox
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from providers.sandbox.state import Ledger
from tests.providers.sandbox.clients import Clock, DashScopeClient, JimengClient

FAST = SandboxSettings(task_seconds=0.04, visible_after=0.0, drip_seconds=0.1, queries_per_second=0, max_running=99)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings() -> SandboxSettings:
    return SandboxSettings(known_uris=frozenset({"tos/known.png", "tos/other.png", "v0known"}))


@pytest.fixture
def app(settings: SandboxSettings, clock: Clock) -> Starlette:
    return create_sandbox(settings, clock)


@pytest.fixture
def ledger(app: Starlette) -> Ledger:
    found: Ledger = app.state.sandbox
    return found


@pytest.fixture
async def http(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://upstream.test:81") as client:
        yield client


@pytest.fixture
def jimeng(http: httpx.AsyncClient) -> JimengClient:
    return JimengClient(http)


@pytest.fixture
def dashscope(http: httpx.AsyncClient) -> DashScopeClient:
    return DashScopeClient(http)


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(FAST) as running:
        yield running


@pytest.fixture
async def wire(server: SandboxServer) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the running server."""
    async with httpx.AsyncClient(base_url=server.url, timeout=5) as client:
        yield client
