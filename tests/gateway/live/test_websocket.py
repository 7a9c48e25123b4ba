"""The WebSocket of a client over ASGI, on a clock moved by hand."""

import asyncio
from typing import Any

import orjson
import pytest
from starlette.types import Message
from starlette.websockets import WebSocket

from gateway.accounts.callers import Caller
from gateway.core.errors import GatewayError, gateway_error
from gateway.live import websocket
from gateway.live.websocket import SocketSession
from gateway.tasks.view import Task
from providers.contract.errors import ErrorKind
from providers.contract.tasks import Phase, TaskState
from tests.gateway_fixture import ONE, TWO, GatewayFixture, pass_through_caller
from tests.upstream import finished, provider_error

CALLER = pass_through_caller(ONE)


def status_of(task: Task) -> bytes:
    state = {"type": "status", "task_id": task.id, "status": task.state.phase.status, "progress": task.progress}
    return orjson.dumps(state)


def timeout_of(task: Task) -> bytes:
    return orjson.dumps({"type": "timeout", "task_id": task.id})


def identify(authorization: str) -> Caller:
    if authorization != "Bearer one":
        raise gateway_error("unknown_key")
    return CALLER


class Client:
    """The other end of a connection, and the session that serves it."""

    def __init__(self, env: GatewayFixture, caller: Caller | None = CALLER, seconds: float = 600) -> None:
        self.env = env
        self.got: list[dict[str, Any]] = []
        self.close_code: int | None = None
        self.is_reading = asyncio.Event()
        self.is_reading.set()
        self._sent: asyncio.Queue[Message] = asyncio.Queue()
        self._sent.put_nowait({"type": "websocket.connect"})
        scope = {"type": "websocket", "headers": [], "path": "/", "query_string": b""}
        session = SocketSession(
            WebSocket(scope, self._sent.get, self._receive),
            env.watches,
            env.streams,
            env.background,
            identify,
            status_of,
            timeout_of,
            lambda error: {"error": error.code},
            seconds=seconds,
        )
        self.session = asyncio.ensure_future(session.run(caller))

    async def _receive(self, message: Message) -> None:
        await self.is_reading.wait()
        if message["type"] == "websocket.send":
            self.got.append(orjson.loads(message["text"]))
        elif message["type"] == "websocket.close":
            self.close_code = message["code"]
            self._sent.put_nowait({"type": "websocket.disconnect", "code": message["code"]})

    async def send(self, **fields: Any) -> None:
        self._sent.put_nowait({"type": "websocket.receive", "text": orjson.dumps(fields).decode()})
        await self.env.clock.run(0.1)

    async def leave(self) -> None:
        self._sent.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await self.session


async def submitted(env: GatewayFixture) -> str:
    id = (await env.submit(CALLER)).id
    env.provider.states[id] = TaskState(id, Phase.PROCESSING)
    return id


async def test_client_that_leaves_frees_everything() -> None:
    env = GatewayFixture()
    client = Client(env)
    await client.send(subscribe=[await submitted(env), await submitted(env)])
    assert len(env.watches) == 2
    await client.leave()
    assert (len(env.watches), env.streams._total) == (0, 0)


async def test_slow_client_gets_the_newest_status_of_each_task() -> None:
    env = GatewayFixture()
    ids = [await submitted(env), await submitted(env)]
    client = Client(env)
    await client.send(subscribe=ids)
    client.is_reading.clear()
    for progress in (20, 30, 40, 50):
        for id in ids:
            env.provider.states[id] = TaskState(id, Phase.PROCESSING, progress=progress)
        await env.clock.run(4)
    client.got.clear()
    client.is_reading.set()
    await env.clock.run(0.1)
    # One message was on its way when the client stopped.
    assert [message["progress"] for message in client.got][-2:] == [50, 50]
    assert len(client.got) == 3
    await client.leave()


async def test_time_limit_is_a_message_of_its_own() -> None:
    env = GatewayFixture()
    id = await submitted(env)
    client = Client(env, seconds=20)
    await client.send(subscribe=[id])
    await env.clock.run(22)
    assert client.got[-1] == {"type": "timeout", "task_id": id}
    assert env.streams._total == 0
    await client.leave()


async def test_rejected_credential_ends_the_task_and_not_the_connection() -> None:
    env = GatewayFixture()
    id = await submitted(env)
    client = Client(env)
    await client.send(subscribe=[id])
    env.provider.query_error = provider_error(ErrorKind.INVALID_CREDENTIAL)
    await env.clock.run(4)
    assert client.got[-1] == {"type": "error", "task_id": id, "error": "invalid_api_key"}
    await client.send(type="ping")
    assert client.got[-1] == {"type": "pong"}
    await client.leave()


async def test_stop_asks_to_reconnect_and_closes() -> None:
    env = GatewayFixture()
    client = Client(env)
    await client.send(subscribe=[await submitted(env)])
    env.streams.stop()
    await client.session
    assert client.got[-1] == {"type": "reconnect"}
    assert client.close_code == 1012


async def test_stop_closes_a_connection_without_tasks() -> None:
    env = GatewayFixture()
    client = Client(env)
    await client.send(type="ping")
    env.streams.stop()
    await client.session
    assert (client.got[-1], client.close_code) == ({"type": "reconnect"}, 1012)


async def test_task_that_is_unsubscribed_before_its_first_status_is_not_watched() -> None:
    env = GatewayFixture()
    id = await submitted(env)
    client = Client(env)
    client._sent.put_nowait({"type": "websocket.receive", "text": orjson.dumps({"subscribe": [id]}).decode()})
    await client.send(unsubscribe=[id])
    await env.clock.run(10)
    assert (client.got, len(env.watches), env.streams._total) == ([], 0, 0)
    await client.leave()


async def test_task_is_subscribed_once() -> None:
    env = GatewayFixture()
    id = await submitted(env)
    client = Client(env)
    await client.send(subscribe=[id, id])
    await client.send(subscribe=[id])
    assert (len(client.got), env.streams._total) == (1, 1)
    await client.leave()


async def test_task_that_has_ended_is_told_and_frees_its_place() -> None:
    env = GatewayFixture()
    id = await submitted(env)
    env.provider.states[id] = finished(id)
    client = Client(env)
    await client.send(subscribe=[id])
    assert ([message["status"] for message in client.got], env.streams._total) == (["completed"], 0)
    await client.leave()


async def test_unforeseen_error_is_an_error_of_its_task(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*args: object, **options: object) -> Task:
        raise RuntimeError("secret")

    env = GatewayFixture()
    monkeypatch.setattr(env.watches.tasks, "status", broken)
    client = Client(env)
    await client.send(subscribe=["one"])
    assert client.got == [{"type": "error", "task_id": "one", "error": "internal_error"}]
    assert env.streams._total == 0
    assert "a task cannot be watched" in caplog.text
    assert "secret" not in caplog.text
    await client.leave()


async def test_unsubscribed_tasks_are_no_longer_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    running = 0

    async def slow(*args: object, **options: object) -> Task:
        nonlocal running
        running += 1
        try:
            await asyncio.Event().wait()
        finally:
            running -= 1
        raise AssertionError

    env = GatewayFixture()
    monkeypatch.setattr(env.watches.tasks, "status", slow)
    client = Client(env)
    for number in range(5):
        ids = [f"id-{number}-{index}" for index in range(500)]
        await client.send(subscribe=ids)
        assert running == 500
        await client.send(unsubscribe=ids)
    assert (running, env.streams._total) == (0, 0)
    await client.leave()


class TestAuthorization:
    async def test_messages_do_not_extend_the_time_to_authenticate(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(websocket, "AUTHORIZATION_SECONDS", 0.2)
        env = GatewayFixture()
        client = Client(env, None)
        async with asyncio.timeout(5):
            while not client.session.done():
                client._sent.put_nowait({"type": "websocket.receive", "text": "junk"})
                await asyncio.sleep(0.02)
        assert client.close_code == 1008

    async def test_authenticated_connection_has_no_time_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(websocket, "AUTHORIZATION_SECONDS", 0.05)
        env = GatewayFixture()
        client = Client(env, None)
        await client.send(authorization="one")
        await asyncio.sleep(0.15)
        assert not client.session.done()
        await client.leave()

    @pytest.mark.parametrize("value", ["two", "", 1, None, "Basic one"])
    async def test_invalid_credential_closes_the_connection(self, value: object) -> None:
        env = GatewayFixture()
        client = Client(env, None)
        await client.send(authorization=value)
        await client.session
        assert (client.got, client.close_code) == ([{"type": "error", "error": "invalid_api_key"}], 1008)

    async def test_credential_cannot_change_while_tasks_are_watched(self) -> None:
        env = GatewayFixture()
        client = Client(env, pass_through_caller(ONE, TWO))
        await client.send(subscribe=[await submitted(env)])
        await client.send(authorization="one")
        assert client.got[-1] == {"type": "error", "error": "invalid_value"}
        await client.leave()


async def test_error_of_a_limit_names_no_task() -> None:
    env = GatewayFixture()

    def full(caller: Caller, tasks: int = 1) -> None:
        raise GatewayError("rate_limit_exceeded")

    env.streams.count = full  # type: ignore[method-assign]
    client = Client(env)
    await client.send(subscribe=["one", "two"])
    assert client.got == [{"type": "error", "error": "rate_limit_exceeded"}]
    await client.leave()
