"""An event stream over ASGI, on a clock moved by hand: slow clients, heartbeats, and clients that leave."""

import asyncio
from collections.abc import Awaitable, Callable

import orjson
import pytest
from starlette.types import Message

from gateway.core.errors import GatewayError
from gateway.live.sse import HEARTBEAT_SECONDS, EventRenderers, EventStream
from gateway.tasks.view import Task
from providers.contract.errors import ErrorKind
from providers.contract.tasks import Phase, TaskState
from tests.gateway_fixture import ONE, GatewayFixture, pass_through_caller
from tests.upstream import finished, provider_error

CALLER = pass_through_caller(ONE)


def status_of(task: Task) -> bytes:
    return orjson.dumps({"status": task.state.phase.status, "progress": task.progress})


RENDERERS = EventRenderers(status_of, lambda task: b'{"late":true}', lambda error: error.code.encode())


class Client:
    """The other end of a stream. While `is_reading` is cleared, its connection takes nothing."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.is_reading = asyncio.Event()
        self.is_reading.set()
        self._has_left = asyncio.Event()

    def leave(self) -> None:
        self._has_left.set()

    async def receive(self) -> Message:
        await self._has_left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        await self.is_reading.wait()
        self.messages.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            # A server tells the end of the response in the same way.
            self._has_left.set()

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.messages).decode()

    @property
    def events(self) -> list[str]:
        return [line.removeprefix("event: ") for line in self.text.splitlines() if line.startswith("event: ")]


class Streaming:
    """A stream of a submitted task, in a task of its own."""

    def __init__(self, env: GatewayFixture, id: str, client: Client, seconds: float = 600) -> None:
        self.env, self.id, self.client = env, id, client
        stream = EventStream(
            env.watches, env.streams, env.clock, env.background, CALLER, id, RENDERERS, seconds=seconds
        )
        scope = {"type": "http", "method": "GET"}
        self.response = asyncio.ensure_future(stream(scope, client.receive, client.send))

    def show(self, state: TaskState) -> None:
        self.env.provider.states[self.id] = state


Start = Callable[..., Awaitable[Streaming]]


@pytest.fixture
def start() -> Start:
    async def start(seconds: float = 600) -> Streaming:
        env = GatewayFixture()
        id = (await env.submit(CALLER)).id
        env.provider.states[id] = TaskState(id, Phase.PROCESSING)
        streaming = Streaming(env, id, Client(), seconds)
        await env.clock.run(0.1)
        return streaming

    return start


async def test_current_status_comes_first_and_the_end_last(start: Start) -> None:
    streaming = await start()
    assert streaming.client.events == ["status"]
    streaming.show(finished(streaming.id))
    await streaming.env.clock.run(4)
    await streaming.response
    assert streaming.client.events == ["status", "status", "end"]
    assert len(streaming.env.watches) == 0


async def test_slow_client_gets_the_newest_status_only(start: Start) -> None:
    streaming = await start()
    streaming.client.is_reading.clear()
    for progress in range(20, 60, 10):
        streaming.show(TaskState(streaming.id, Phase.PROCESSING, progress=progress))
        await streaming.env.clock.run(4)
    streaming.client.is_reading.set()
    await streaming.env.clock.run(0.1)
    # The first of them was on its way when the client stopped.
    told = [orjson.loads(line[6:])["progress"] for line in streaming.client.text.splitlines() if "data: " in line]
    assert told == [0, 20, 50]
    streaming.client.leave()
    await streaming.response


async def test_end_follows_the_last_status_of_a_slow_client(start: Start) -> None:
    streaming = await start()
    streaming.client.is_reading.clear()
    streaming.show(TaskState(streaming.id, Phase.PROCESSING, progress=20))
    await streaming.env.clock.run(4)
    streaming.show(finished(streaming.id))
    await streaming.env.clock.run(4)
    streaming.client.is_reading.set()
    await streaming.response
    assert streaming.client.events == ["status", "status", "status", "end"]


async def test_silent_stream_has_a_heartbeat(start: Start) -> None:
    streaming = await start()
    await streaming.env.clock.run(3 * HEARTBEAT_SECONDS + 3)
    assert streaming.client.text.count(": heartbeat\n\n") == 3
    streaming.client.leave()
    await streaming.response


async def test_slow_client_gets_no_heartbeats_in_a_row(start: Start) -> None:
    streaming = await start()
    streaming.client.is_reading.clear()
    await streaming.env.clock.run(10 * HEARTBEAT_SECONDS)
    streaming.client.is_reading.set()
    await streaming.env.clock.run(0.1)
    assert streaming.client.text.count(": heartbeat") == 1
    streaming.client.leave()
    await streaming.response


async def test_client_that_leaves_frees_everything(start: Start) -> None:
    streaming = await start()
    streaming.client.leave()
    await streaming.response
    assert len(streaming.env.watches) == 0
    streaming.env.provider.asked.clear()
    await streaming.env.clock.run(60)
    assert streaming.env.provider.asked == []
    streaming.env.streams.count(CALLER, 5000)


async def test_time_limit_ends_the_stream(start: Start) -> None:
    streaming = await start(seconds=20)
    await streaming.env.clock.run(22)
    await streaming.response
    assert streaming.client.events == ["status", "timeout"]
    assert '{"late":true}' in streaming.client.text


async def test_rejected_credential_ends_the_stream_with_an_error(start: Start) -> None:
    streaming = await start()
    streaming.env.provider.query_error = provider_error(ErrorKind.INVALID_CREDENTIAL)
    await streaming.env.clock.run(4)
    await streaming.response
    assert streaming.client.events == ["status", "unauthorized"]
    assert "data: invalid_api_key" in streaming.client.text


async def test_events_wait_for_a_head_that_is_blocked() -> None:
    env, client = GatewayFixture(), Client()
    id = (await env.submit(CALLER)).id
    env.provider.states[id] = TaskState(id, Phase.PROCESSING)
    client.is_reading.clear()
    streaming = Streaming(env, id, client)
    await env.clock.run(20)
    streaming.show(finished(id))
    await env.clock.run(4)
    client.is_reading.set()
    await streaming.response
    assert [message["type"] for message in client.messages][:2] == ["http.response.start", "http.response.body"]
    assert client.events[-1] == "end"


async def test_stream_that_has_ended_is_not_told_to_reconnect(start: Start) -> None:
    streaming = await start()
    streaming.client.is_reading.clear()
    streaming.show(finished(streaming.id))
    await streaming.env.clock.run(4)
    streaming.env.streams.stop()
    streaming.client.is_reading.set()
    await streaming.response
    assert streaming.client.events[-1] == "end"


async def test_stop_ends_the_stream(start: Start) -> None:
    streaming = await start()
    streaming.env.streams.stop()
    await streaming.env.clock.run(0.1)
    await streaming.response
    assert streaming.client.events == ["status", "reconnect"]


async def test_error_before_the_stream_sends_nothing() -> None:
    env, client = GatewayFixture(), Client()
    with pytest.raises(GatewayError) as caught:
        await Streaming(env, "nonsense", client).response
    assert (caught.value.code, client.messages) == ("task_not_found", [])
    env.streams.count(CALLER, 5000)
