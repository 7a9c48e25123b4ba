"""Polls through the shortcut and through the route, which share one function."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from gateway.accounts.callers import Caller
from gateway.api.paths import STATUS, NormalizePath, all_paths
from gateway.api.poll_endpoint import PollShortcut
from gateway.api.response_cache import ResponseCache
from gateway.app import ROUTES, create_app
from gateway.core.clock import SystemClock
from gateway.core.errors import GatewayError
from gateway.core.settings import Settings
from gateway.tasks.service import Tasks
from gateway.tasks.view import Task
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, TaskState

PAGE = {"Origin": "https://page.example"}
"""The header of a web page. Its response needs CORS headers, so that the route answers it."""
BOTH = pytest.mark.parametrize("headers", [{}, PAGE], ids=["shortcut", "route"])
OPENAI = ["/v1/videos/{id}", "/videos/{id}", "/v1/v1/videos/{id}/"]
PATHS = [*OPENAI, *all_paths(STATUS), "/v1/videos/tasks/{id}/", "//v1/videos/generations/{id}"]


async def nothing() -> None:
    pass


@dataclass
class ScriptedTasks:
    """A fake of `Tasks`: records each status call, after what `script` does."""

    script: Callable[[], Awaitable[None]] = nothing
    query_error: ProviderError | None = None
    age: float = 0.0
    looks: list[tuple[str, str, bool]] = field(default_factory=list)
    cancelled: bool = False

    async def status(self, caller: Caller, id: str, *, force_refresh: bool = False) -> Task:
        self.looks.append((caller.name, id, force_refresh))
        phase = Phase.FAILED if self.cancelled else Phase.PROCESSING
        error = ProviderError(ErrorKind.CANCELLED) if self.cancelled else None
        await self.script()
        return Task(id, "dashscope", TaskState(id, phase, error=error), 50, query_error=self.query_error, age=self.age)

    async def cancel(self, caller: Caller, id: str) -> Task:
        self.cancelled = True
        return await self.status(caller, id, force_refresh=True)


@dataclass
class Polls:
    """An application whose tasks are scripted, and a client of it."""

    app: Starlette
    tasks: ScriptedTasks
    client: httpx.AsyncClient

    async def get(self, path: str = "/v1/videos/tasks/one", **headers: str) -> httpx.Response:
        return await self.client.get(path, headers={"Authorization": "Bearer sk-1"} | headers)


def polls_of(freshness: float = 1.0) -> Polls:
    settings = Settings.model_construct(poll_freshness=freshness)
    app = create_app(settings, reload=False, clock=SystemClock())
    tasks = ScriptedTasks()
    app.state.services = replace(app.state.services, tasks=cast(Tasks, tasks))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return Polls(app, tasks, httpx.AsyncClient(transport=transport, base_url="http://gateway"))


@pytest.fixture
def polls() -> Polls:
    return polls_of()


async def until_stopped(app: Starlette, headers: dict[str, str]) -> list[Message]:
    """The response of a poll that the server cancels when it stops."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    given = {"authorization": "Bearer sk-1", "accept-language": "en"} | headers
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/v1/videos/tasks/one",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
    }
    poll = asyncio.create_task(cast(Any, app(scope, receive, send)))
    await asyncio.sleep(0.01)
    poll.cancel()
    await poll
    return sent


@BOTH
class TestShortcutAndRoute:
    @pytest.mark.parametrize("path", PATHS)
    async def test_poll_is_rendered_for_its_api(self, polls: Polls, headers: dict[str, str], path: str) -> None:
        answer = await polls.get(path.format(id="one"), **headers)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["openai-poll-after-ms"] == "3000"
        surface = ("id", "in_progress") if path in OPENAI else ("task_id", "processing")
        assert (answer.json()[surface[0]], answer.json()["status"]) == ("one", surface[1])

    async def test_no_cache_forces_a_query(self, polls: Polls, headers: dict[str, str]) -> None:
        for _ in range(2):
            await polls.get(**headers, **{"Cache-Control": "no-cache"})
        assert [ask for _, _, ask in polls.tasks.looks] == [True, True]

    async def test_language_of_the_client_is_used(self, polls: Polls, headers: dict[str, str]) -> None:
        zh = await polls.get(**headers)
        en = await polls.get(**headers, **{"Accept-Language": "en"})
        assert zh.json()["message"] != en.json()["message"]
        assert en.json()["message"].isascii()

    async def test_error_contains_the_request_id(self, polls: Polls, headers: dict[str, str]) -> None:
        async def refuse() -> None:
            raise GatewayError("task_not_found")

        polls.tasks.script = refuse
        answer = await polls.get(**headers, **{"X-Request-ID": "mine-1"})
        assert (answer.status_code, answer.headers["x-request-id"]) == (404, "mine-1")
        assert answer.headers["x-should-retry"] == "false"
        assert answer.json()["error"]["request_id"] == "mine-1"

    async def test_log_line_has_caller_and_error_code(
        self, polls: Polls, headers: dict[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        async def refuse() -> None:
            raise GatewayError("task_not_found")

        polls.tasks.script = refuse
        with caplog.at_level(logging.INFO):
            await polls.get(**headers, **{"X-Request-ID": "mine-1"})
        fields = [getattr(record, "fields", {}) for record in caplog.records if record.message == "request"]
        assert [(line["status"], line["caller"], line["code"], line["request_id"]) for line in fields] == [
            (404, "pass-through", "task_not_found", "mine-1")
        ]

    async def test_poll_that_outlasts_the_stop_is_answered_with_retry(
        self, polls: Polls, headers: dict[str, str]
    ) -> None:
        async def hang() -> None:
            await asyncio.Event().wait()

        polls.tasks.script = hang
        start, body, *_ = await until_stopped(polls.app, headers)
        sent_headers = dict(start["headers"])
        assert (start["status"], sent_headers[b"x-should-retry"]) == (502, b"true")
        assert int(sent_headers[b"retry-after"]) >= 1
        error = orjson.loads(body["body"])["error"]
        assert (error["code"], error["request_id"]) == ("upstream_unavailable", sent_headers[b"x-request-id"].decode())

    async def test_unexpected_error_queries_once_and_is_logged_without_its_text(
        self, polls: Polls, headers: dict[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        async def fail() -> None:
            raise RuntimeError("a secret")

        polls.tasks.script = fail
        answer = await polls.get(**headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
        assert answer.headers["x-should-retry"] == "false"
        assert len(polls.tasks.looks) == 1
        assert "internal error" in caplog.messages
        assert "a secret" not in caplog.text


class TestResponseCache:
    @BOTH
    async def test_repeated_poll_is_answered_from_the_response_cache(
        self, polls: Polls, headers: dict[str, str]
    ) -> None:
        answers = [await polls.get(**headers) for _ in range(3)]
        assert len(polls.tasks.looks) == 1
        assert len({answer.content for answer in answers}) == 1
        assert len({answer.headers["x-request-id"] for answer in answers}) == 3

    async def test_browser_and_program_share_a_cached_response(self, polls: Polls) -> None:
        program, page = await polls.get(), await polls.get(**PAGE)
        assert len(polls.tasks.looks) == 1
        assert program.content == page.content
        assert "access-control-allow-origin" in page.headers
        assert "access-control-allow-origin" not in program.headers

    @pytest.mark.parametrize(
        "other", [{"Authorization": "Bearer sk-2"}, {"Accept-Language": "en"}], ids=["caller", "language"]
    )
    async def test_response_cache_key_has_everything_a_response_depends_on(
        self, polls: Polls, other: dict[str, str]
    ) -> None:
        await polls.get()
        await polls.get(**other)
        assert len(polls.tasks.looks) == 2

    async def test_response_with_a_long_key_is_not_cached(self, polls: Polls) -> None:
        for _ in range(2):
            assert (await polls.get(**{"Accept-Language": "en, " + "x" * 5000})).status_code == 200
        assert len(polls.tasks.looks) == 2

    async def test_apis_do_not_share_cached_responses(self, polls: Polls) -> None:
        for path in PATHS:
            await polls.get(path.format(id="one"))
        assert len(polls.tasks.looks) == 2

    async def test_failed_query_is_not_cached(self, polls: Polls) -> None:
        polls.tasks.query_error = ProviderError(ErrorKind.UNREACHABLE)
        for _ in range(2):
            await polls.get()
        assert len(polls.tasks.looks) == 2

    async def test_zero_freshness_disables_the_response_cache(self) -> None:
        polls = polls_of(freshness=0)
        for _ in range(2):
            await polls.get()
        assert len(polls.tasks.looks) == 2

    async def test_reload_starts_with_an_empty_response_cache(self, polls: Polls) -> None:
        await polls.get()
        polls.app.state.services = replace(polls.app.state.services, poll_responses=ResponseCache())
        await polls.get()
        assert len(polls.tasks.looks) == 2

    @pytest.mark.parametrize(
        ("method", "path"), [("POST", "/v1/videos/tasks/one/cancel"), ("DELETE", "/v1/videos/one")]
    )
    async def test_cancelled_task_is_shown_as_cancelled_at_once(self, polls: Polls, method: str, path: str) -> None:
        await polls.get()
        await polls.client.request(method, path, headers={"Authorization": "Bearer sk-1"})
        assert (await polls.get()).json()["status"] == "failed"

    async def test_state_observed_before_a_cancel_is_not_cached_after_it(self, polls: Polls) -> None:
        seen = asyncio.Event()
        polls.tasks.script = lambda: cast(Awaitable[None], seen.wait())
        early = asyncio.create_task(polls.get())
        await asyncio.sleep(0.01)
        polls.tasks.script = nothing
        await polls.client.delete("/v1/videos/one", headers={"Authorization": "Bearer sk-1"})
        seen.set()
        assert (await early).json()["status"] == "processing"
        assert (await polls.get()).json()["status"] == "failed"


@pytest.mark.parametrize("path", PATHS)
async def test_shortcut_answers_a_poll_before_the_middleware(polls: Polls, path: str) -> None:
    behind: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        behind.append(scope["path"])

    async def shortcut(scope: Scope, receive: Receive, send: Send) -> None:
        await NormalizePath(PollShortcut(app, ROUTES))(
            {**scope, "app": polls.app, "gateway.services": polls.app.state.services}, receive, send
        )

    async with httpx.AsyncClient(transport=httpx.ASGITransport(shortcut), base_url="http://gateway") as client:
        answer = await client.get(path.format(id="one"), headers={"Authorization": "Bearer sk-1"})
    assert (answer.status_code, behind) == (200, [])


class TestOtherPaths:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/v1/videos/generations", 405),
            ("GET", "/v1/videos/tasks", 400),
            ("GET", "/v1/videos/generations/async", 405),
            ("GET", "/videos/tasks", 400),
            ("GET", "/v1/videos/tasks/one/more", 404),
            ("POST", "/v1/videos/tasks/one", 405),
        ],
    )
    async def test_other_paths_reach_their_own_routes(self, polls: Polls, method: str, path: str, status: int) -> None:
        answer = await polls.client.request(method, path, headers={"Authorization": "Bearer sk-1"})
        assert answer.status_code == status
        assert polls.tasks.looks == []

    async def test_a_head_has_the_headers_of_the_get(self, polls: Polls) -> None:
        answer = await polls.client.head("/v1/videos/tasks/one", headers={"Authorization": "Bearer sk-1"})
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")


async def test_first_of_two_equal_headers_counts(polls: Polls) -> None:
    async def poll(headers: Iterable[tuple[str, str]]) -> httpx.Response:
        return await polls.client.get("/v1/videos/tasks/one", headers=list(headers))

    twice = [("Authorization", "Bearer sk-1"), ("Authorization", "nobody")]
    assert (await poll(twice)).status_code == 200
    assert (await poll(reversed(twice))).status_code == 401
