"""A response is relayed piece by piece, and ends as soon as the client leaves or the upstream fails."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from gateway.api.relay import Failure, Relay, ResponseInterruptedError, WhileConnected
from providers.contract.errors import ErrorKind, ProviderError


class Client:
    """Takes what is sent; `leave` disconnects it."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def bodies(self) -> list[bytes]:
        return [message["body"] for message in self.sent if message["type"] == "http.response.body"]


@pytest.fixture
def client() -> Client:
    return Client()


async def pieces(*given: bytes | Exception) -> AsyncIterator[bytes]:
    for piece in given:
        if isinstance(piece, Exception):
            raise piece
        yield piece


def lost() -> ProviderError:
    return ProviderError(ErrorKind.ANSWER_LOST, detail="closed")


async def test_pieces_are_sent_one_by_one(client: Client) -> None:
    await Relay(200, {"a": "b"}, b"1", pieces(b"2", b"3"))({}, client.receive, client.send)
    assert client.bodies == [b"1", b"2", b"3", b""]
    assert client.sent[-1]["more_body"] is False


async def test_next_piece_is_read_once_the_client_has_taken_the_one_before(client: Client) -> None:
    read: list[int] = []
    may_take = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        for number in range(100):
            read.append(number)
            yield b"x"

    async def send(message: Message) -> None:
        if message.get("body"):
            await may_take.wait()

    relaying = asyncio.create_task(Relay(200, {}, b"first", endless())({}, client.receive, send))
    await asyncio.sleep(0.02)
    assert read == []
    may_take.set()
    await relaying
    assert len(read) == 100


async def test_many_pieces_at_once_leave_others_a_turn(client: Client) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    running = asyncio.create_task(other())
    await Relay(200, {}, b"1", pieces(*[b"x"] * 2000))({}, client.receive, client.send)
    running.cancel()
    assert turns >= 20
    assert len(client.bodies) == 2002


@pytest.mark.parametrize("end", [b"data: error\n\n", None])
async def test_failure_ends_the_body_or_the_connection(client: Client, end: bytes | None) -> None:
    seen: list[tuple[str, bytes]] = []

    def on_failure(failure: Failure, last: bytes) -> bytes | None:
        assert isinstance(failure, ProviderError)
        seen.append((failure.detail, last))
        return end

    relay = Relay(200, {}, b"1", pieces(b"2", lost()), on_failure=on_failure)
    if end is None:
        with pytest.raises(ResponseInterruptedError):
            await relay({}, client.receive, client.send)
    else:
        await relay({}, client.receive, client.send)
        assert client.bodies == [b"1", b"2", end, b""]
    assert seen == [("closed", b"12")]


@pytest.mark.parametrize("given", [[b"event\n", b"\n"], [b"x", b"\n\n"], [b"a long one\n\n"], [b"\n"] * 9])
async def test_last_bytes_are_those_of_several_pieces(client: Client, given: list[bytes]) -> None:
    seen: list[bytes] = []

    def on_failure(failure: Failure, last: bytes) -> bytes:
        seen.append(last)
        return b""

    relay = Relay(200, {}, b"", pieces(*given, lost()), on_failure=on_failure)
    await relay({}, client.receive, client.send)
    assert seen[0].endswith(b"".join(given)[-4:])
    assert len(seen[0]) <= len(given[-1]) + 4


async def test_leaving_client_ends_the_upstream_call(client: Client) -> None:
    ended = asyncio.Event()
    opened = AsyncExitStack()
    opened.callback(ended.set)

    async def silent() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    relaying = asyncio.create_task(Relay(200, {}, b"1", silent(), opened)({}, client.receive, client.send))
    await asyncio.sleep(0)
    client.left.set()
    async with asyncio.timeout(1):
        with pytest.raises(ClientDisconnect):
            await relaying
    assert ended.is_set()


@pytest.mark.parametrize("end", [b"data: stopping\n\n", None])
async def test_stop_of_the_process_ends_the_body_or_the_connection(client: Client, end: bytes | None) -> None:
    ended = asyncio.Event()
    opened = AsyncExitStack()
    opened.callback(ended.set)
    seen: list[bytes] = []

    def on_failure(failure: Failure, last: bytes) -> bytes | None:
        assert isinstance(failure, asyncio.CancelledError)
        seen.append(last)
        return end

    async def silent() -> AsyncIterator[bytes]:
        yield b"2"
        await asyncio.Event().wait()

    relay = Relay(200, {}, b"1", silent(), opened, on_failure)
    relaying = asyncio.create_task(relay({}, client.receive, client.send))
    await asyncio.sleep(0.01)
    relaying.cancel()
    async with asyncio.timeout(1):
        if end is None:
            with pytest.raises(ResponseInterruptedError):
                await relaying
        else:
            await relaying
    assert client.bodies == ([b"1", b"2"] if end is None else [b"1", b"2", end, b""])
    assert (seen, ended.is_set()) == ([b"12"], True)


class TestWhileConnected:
    async def test_block_ends_where_the_client_leaves(self, client: Client) -> None:
        async def wait() -> None:
            async with WhileConnected(client.receive):
                client.left.set()
                await asyncio.Event().wait()

        with pytest.raises(ClientDisconnect):
            await asyncio.wait_for(wait(), 1)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    @pytest.mark.parametrize("leaves", [True, False])
    async def test_result_of_a_block_that_ends_in_time_is_kept(self, client: Client, leaves: bool) -> None:
        async with WhileConnected(client.receive):
            await asyncio.sleep(0)
            if leaves:
                client.left.set()
        await asyncio.sleep(0.01)

    @pytest.mark.parametrize("first", ["client", "stop"])
    async def test_cancellation_from_elsewhere_stays_one(self, client: Client, first: str) -> None:
        async def wait() -> None:
            async with WhileConnected(client.receive):
                await asyncio.Event().wait()

        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0.01)
        steps: dict[str, Callable[[], object]] = {"client": client.left.set, "stop": waiting.cancel}
        steps.pop(first)()
        for step in steps.values():
            step()
        with pytest.raises((asyncio.CancelledError, ClientDisconnect)) as caught:
            await waiting
        if first == "stop":
            assert caught.type is asyncio.CancelledError
