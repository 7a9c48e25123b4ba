"""A receiver of webhooks at a public address, internal servers on the same ports, and the tasks that are followed."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from gateway.accounts.callers import Caller
from gateway.core.errors import GatewayError
from gateway.live.webhooks.sender import Sender
from gateway.tasks.view import Task
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, Result, TaskState
from tests.clock import TestClock
from tests.gateway.media.fetching.fixtures import INSIDE, PUBLIC, URL_POLICY, Names

HOST = "hooks.example"


@dataclass
class Request:
    """A received request, its header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers each request with the next of `answers`, an HTTP status or a location, then with 200. `gate` holds the
    answers. `hits` are the connections to the internal servers."""

    trusted: ssl.SSLContext
    port: int = 0
    plain: int = 0
    answers: list[int | str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    hits: int = 0
    senders: list[Sender] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}/hook?token=in-the-query"

    def sender(self, clock: TestClock, names: Names | None = None, *, answer_seconds: float = 5.0) -> Sender:
        """A sender that takes 127.0.0.2 for a public address."""
        resolver = names or Names({HOST: [[PUBLIC]]})
        sender = Sender(clock, resolver=resolver, tls=self.trusted, answer_seconds=answer_seconds)
        sender.url_policy = URL_POLICY
        self.senders.append(sender)
        return sender

    async def received(self, count: int) -> None:
        """Wait for this many requests."""
        async with self.arrived, asyncio.timeout(5):
            await self.arrived.wait_for(lambda: len(self.requests) >= count)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await reader.readexactly(int(headers["content-length"]))
            async with self.arrived:
                self.requests.append(Request(first.split(" ")[1], headers, body))
                self.arrived.notify_all()
            await self.gate.wait()
            answer = self.answers.pop(0) if self.answers else 200
            status = answer if isinstance(answer, int) else 307
            location = "" if isinstance(answer, int) else f"Location: {answer}\r\n"
            writer.write(f"HTTP/1.1 {status} Whatever\r\n{location}Content-Length: 0\r\n\r\n".encode())
            await writer.drain()
        writer.close()

    async def count(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hits += 1
        writer.close()


@asynccontextmanager
async def running_receiver(tls: ssl.SSLContext, trusted: ssl.SSLContext) -> AsyncGenerator[Receiver, None]:
    receiver, servers = Receiver(trusted), []
    receiver.gate.set()
    for name, context in (("port", tls), ("plain", None)):
        while True:
            public = await asyncio.start_server(receiver.serve, PUBLIC, 0, ssl=context)
            port = public.sockets[0].getsockname()[1]
            try:
                servers.append(await asyncio.start_server(receiver.count, INSIDE, port))
            except OSError:
                public.close()
                continue
            servers.append(public)
            setattr(receiver, name, port)
            break
    yield receiver
    receiver.gate.set()
    for sender in receiver.senders:
        await sender.aclose()
    for server in servers:
        server.close()
    await asyncio.sleep(0)


def task(phase: Phase = Phase.COMPLETED, id: str = "task-1") -> Task:
    result = Result("https://files.example/v.mp4") if phase is Phase.COMPLETED else None
    error = ProviderError(ErrorKind.GENERATION_FAILED, code="E1") if phase is Phase.FAILED else None
    return Task(id, "scripted", TaskState(id, phase, result=result, error=error), 100, model="m")


class FollowedTasks:
    """A fake of the watches: `ended` gives the phase in which a task ends, or keeps it running. `errors` are raised by
    the next watches."""

    def __init__(self) -> None:
        self.ends: asyncio.Future[Phase] = asyncio.get_running_loop().create_future()
        self.errors: list[GatewayError] = []
        self.watched: list[tuple[Caller, str]] = []

    def end(self, phase: Phase = Phase.COMPLETED) -> None:
        self.ends.set_result(phase)

    @asynccontextmanager
    async def watch(self, caller: Caller, id: str) -> AsyncIterator[AsyncIterator[Task]]:
        self.watched.append((caller, id))
        if self.errors:
            raise self.errors.pop(0)

        async def states() -> AsyncIterator[Task]:
            yield task(Phase.QUEUED, id)
            yield task(await asyncio.shield(self.ends), id)

        yield states()
