"""A gateway on a port with the sandbox behind it, fast enough for tests."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import Settings, TimeoutSettings
from providers import registry
from providers.contract.settings import ProviderSettings
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings

UPSTREAM = SandboxSettings(
    task_seconds=0.2, visible_after=0.03, queries_per_second=0, max_running=1000, credits=10_000, drip_seconds=2.0
)
# On a busy machine a call may take a second that is not meant to time out.
PATIENT = TimeoutSettings(connect=2, read=5, total=6)

_numbers = itertools.count(1)


class FastClock:
    """The real time, but pauses are a fiftieth of what they should be."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 50)

    def later(self, seconds: float, call: Callable[[], object]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds / 50, call)


def settings_for(upstream: SandboxServer, **more: Any) -> Settings:
    """Settings for the sandbox that read nothing from the environment. What stands under a
    provider's name is for its settings: `dashscope={"queries_per_second": 2}`."""
    own = {
        spec.name: ({"queries_per_second": 0.0} if issubclass(spec.settings, ProviderSettings) else {})
        | more.pop(spec.name, {})
        for spec in registry.PROVIDERS
    }
    defaults: dict[str, Any] = {"providers": upstream.settings(**own), "timeouts": PATIENT}
    defaults |= {"poll_freshness": 0.0, "video_poll_interval": 20}
    return Settings.model_construct(**defaults | more)


@pytest.fixture(scope="session")
def upstream() -> Iterator[SandboxServer]:
    with SandboxServer(UPSTREAM) as running:
        yield running


@pytest.fixture(scope="session")
def url(upstream: SandboxServer) -> Iterator[str]:
    with BackgroundServer(create_app(settings_for(upstream), clock=FastClock())) as gateway:
        yield gateway.url


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=10) as made:
        yield made


@pytest.fixture
def session() -> str:
    """A Jimeng session that no other test uses."""
    return f"session{next(_numbers)}x{time.time_ns()}"


@pytest.fixture
def key() -> str:
    """A DashScope key that no other test uses."""
    return f"sk-key{next(_numbers)}x{time.time_ns()}"


def bearer(*credentials: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {','.join(credentials)}"}


def follow(client: httpx.Client, id: str, *credentials: str, seconds: float = 8) -> list[dict[str, Any]]:
    """Every status object of a task until it ends."""
    seen = []
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        answer = client.get(f"/v1/videos/tasks/{id}", headers=bearer(*credentials))
        assert answer.status_code == 200, answer.text
        seen.append(answer.json())
        if seen[-1]["status"] in ("completed", "failed"):
            return seen
        time.sleep(0.02)
    raise AssertionError(f"not finished: {seen[-1]}")
