"""The poll shortcut and the route give the same responses."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from tests.e2e.conftest import FastClock, bearer, follow, settings_for

ORDINARY = {"Origin": "https://page.example"}
"""What a web page sends: its answers need more headers, which the short way does not know."""
OF_THE_WAY = {"date", "x-request-id", "server-timing", "vary", "age"} | {
    "access-control-allow-origin",
    "access-control-expose-headers",
}

SUBMIT = "/v1/videos/generations"


class StoppableClock(FastClock):
    """The real time, stopped between the two responses that are compared, since they depend on it."""

    def __init__(self) -> None:
        self._stopped_at: tuple[float, float] | None = None

    def now(self) -> float:
        return super().now() if self._stopped_at is None else self._stopped_at[0]

    def monotonic(self) -> float:
        return super().monotonic() if self._stopped_at is None else self._stopped_at[1]

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self._stopped_at = super().now(), super().monotonic()
        try:
            yield
        finally:
            self._stopped_at = None


@pytest.fixture(scope="module")
def clock() -> StoppableClock:
    return StoppableClock()


@pytest.fixture(scope="module")
def url(upstream: SandboxServer, clock: StoppableClock) -> Iterator[str]:
    """A gateway that queries once for both responses, since the upstream signs a new link for each query."""
    with BackgroundServer(create_app(settings_for(upstream, poll_freshness=0.02), clock=clock)) as gateway:
        yield gateway.url


def both(client: httpx.Client, path: str, headers: dict[str, str]) -> tuple[httpx.Response, httpx.Response]:
    short = client.get(path, headers=headers)
    return short, client.get(path, headers=headers | ORDINARY)


def same(client: httpx.Client, path: str, headers: dict[str, str]) -> httpx.Response:
    short, ordinary = both(client, path, headers)
    assert "access-control-allow-origin" not in short.headers
    assert "access-control-allow-origin" in ordinary.headers
    assert short.status_code == ordinary.status_code
    kept = [
        {name: value for name, value in answer.headers.items() if name not in OF_THE_WAY}
        for answer in (short, ordinary)
    ]
    assert kept[0] == kept[1]
    bodies = [answer.json() for answer in (short, ordinary)]
    for body in bodies:
        if "error" in body and isinstance(body["error"], dict):
            body["error"].pop("request_id", None)
    assert bodies[0] == bodies[1]
    assert short.headers["x-request-id"] != ordinary.headers["x-request-id"]
    return short


AskBothWays = Callable[[str, dict[str, str]], httpx.Response]


@pytest.fixture
def ask(client: httpx.Client, clock: StoppableClock, surface: str, language: str) -> AskBothWays:
    """Poll a task both ways at one moment; the responses are equal."""

    def answer(id: str, headers: dict[str, str]) -> httpx.Response:
        with clock.stopped():
            return same(client, surface.format(id=id), headers | {"Accept-Language": language})

    return answer


@pytest.mark.parametrize("surface", ["/v1/videos/tasks/{id}", "/v1/videos/{id}", "/videos/{id}"])
@pytest.mark.parametrize("language", ["zh", "en"])
class TestShortcutAndRoute:
    def test_finished_task_is_answered_the_same(self, client: httpx.Client, ask: AskBothWays, session: str) -> None:
        id = client.post("/v1/videos", json={"prompt": "x"}, headers=bearer(session)).json()["id"]
        follow(client, id, session)
        answer = ask(id, bearer(session))
        assert answer.json()["status"] == "completed"

    def test_running_task_is_answered_the_same(self, client: httpx.Client, ask: AskBothWays, session: str) -> None:
        answer = client.post("/v1/videos", json={"prompt": "x #stuck"}, headers=bearer(session))
        time.sleep(0.25)
        answer = ask(answer.json()["id"], bearer(session))
        assert answer.json()["status"] in ("processing", "in_progress", "pending", "queued")
        assert int(answer.headers["openai-poll-after-ms"]) > 0

    def test_failed_task_is_answered_the_same(self, client: httpx.Client, ask: AskBothWays, session: str) -> None:
        answer = client.post("/v1/videos", json={"prompt": "x #fail=2038"}, headers=bearer(session))
        follow(client, answer.json()["id"], session)
        answer = ask(answer.json()["id"], bearer(session))
        assert answer.json()["status"] == "failed"

    @pytest.mark.parametrize("id", ["7535099487211244578", "video_nothing", "0", "%20", "a.b"])
    def test_unknown_task_is_answered_the_same(self, ask: AskBothWays, session: str, id: str) -> None:
        answer = ask(id, bearer(session))
        assert answer.status_code == 404

    @pytest.mark.parametrize("authorization", ["", "Bearer", "Basic x", "Bearer gw-nobody"])
    def test_invalid_credential_is_answered_the_same(self, ask: AskBothWays, authorization: str) -> None:
        assert ask("7535099487211244578", {"Authorization": authorization}).status_code == 401

    def test_stale_state_is_answered_the_same(self, client: httpx.Client, ask: AskBothWays, session: str) -> None:
        answer = client.post("/v1/videos", json={"prompt": "x #poll-500"}, headers=bearer(session))
        time.sleep(0.05)
        answer = ask(answer.json()["id"], bearer(session))
        assert answer.json()["stale"] is True


def test_request_id_of_the_client_is_kept(client: httpx.Client, session: str) -> None:
    headers = bearer(session) | {"X-Request-ID": "mine-1"}
    assert client.get("/v1/videos/tasks/video_nothing", headers=headers).headers["x-request-id"] == "mine-1"
    ids = {client.get("/v1/videos/tasks/video_x", headers=bearer(session)).headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


class AcceleratedClock:
    """Time that passes six times as fast as the real one."""

    times = 6.0

    def __init__(self) -> None:
        self._began = time.time()

    def now(self) -> float:
        return self._began + (time.time() - self._began) * self.times

    def monotonic(self) -> float:
        return time.monotonic() * self.times

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.times)

    def later(self, seconds: float, call: Callable[[], object]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds / self.times, call)


@pytest.fixture
def slow() -> Iterator[tuple[SandboxServer, httpx.Client]]:
    """A gateway with a rate limit of two queries a second, on the same clock as its upstream."""
    clock = AcceleratedClock()
    with SandboxServer(SandboxSettings(task_seconds=60, queries_per_second=2), clock=clock.now) as upstream:
        settings = settings_for(upstream, dashscope={"queries_per_second": 2.0}, poll_freshness=1.0)
        with (
            BackgroundServer(create_app(settings, clock=clock)) as server,
            httpx.Client(base_url=server.url, headers=bearer("sk-slow"), timeout=20) as made,
        ):
            yield upstream, made


def test_polls_over_the_rate_limit_return_older_states_instead_of_errors(
    slow: tuple[SandboxServer, httpx.Client],
) -> None:
    upstream, client = slow
    ids = [
        client.post(SUBMIT, json={"model": "wan2.6-t2v", "prompt": f"{number}"}).json()["task_id"]
        for number in range(8)
    ]
    ages: list[int] = []
    pauses: list[int] = []
    stale = 0
    began = time.monotonic()
    # Six seconds, or as many more as a busy machine takes until a poll is told to wait for its turn.
    while (seconds := (time.monotonic() - began) * AcceleratedClock.times) < 6 or (
        max(pauses) <= 3000 and seconds < 18
    ):
        for id in ids:
            answer = client.get(f"/v1/videos/tasks/{id}")
            assert answer.status_code == 200
            ages.append(int(answer.headers["age"]))
            stale += answer.json().get("stale", False)
            pauses.append(int(answer.headers["openai-poll-after-ms"]))
        time.sleep(0.02)
    refused = [entry for entry in upstream.sandbox.log() if entry["method"] == "GET" and entry["status"] != 200]
    # On this clock two queries that a busy machine delays differently may come too close to each other.
    assert len(refused) <= 1
    assert 2 <= max(ages) <= 6
    assert stale > 0
    assert max(pauses) > 3000
