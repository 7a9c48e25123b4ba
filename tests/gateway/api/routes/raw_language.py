"""A gateway on a port, over an upstream of language models that sends whatever bytes a test likes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import Settings, TimeoutSettings
from providers.modelscope.settings import ModelScopeSettings

SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b'{ "model":"Qwen/Qwen3-8B",\n "messages": [{"role":"user","content":"\\u4f60\xe5\xa5\xbd"}], "top_p": 1.00 }'
HEADERS = {"Authorization": "Bearer ms-secret-1", "Accept-Language": "en"}

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def chunk(text: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(text), text)


def whole(body: bytes, status: str = "200 OK", *headers: str) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    return answer


@dataclass
class Upstream:
    """Answers each request with the next of `answers`. `gone` is set once a connection of the gateway has ended."""

    answers: list[Answer] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
                )
                self.heads.append(head)
                self.bodies.append(await reader.readexactly(length))
                answering = asyncio.ensure_future(self.answers.pop(0)(writer))
                reading = asyncio.ensure_future(reader.read(1))
                await asyncio.wait({answering, reading}, return_when=asyncio.FIRST_COMPLETED)
                if not answering.done():
                    answering.cancel()
                    break
                reading.cancel()
                await asyncio.wait({reading})
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.gone.set()
            writer.close()


@asynccontextmanager
async def running(upstream: Upstream, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway."""
    async with serving(upstream, **settings) as (_, client):
        yield client


@asynccontextmanager
async def serving(
    upstream: Upstream, grace_seconds: float = 1.0, **settings: Any
) -> AsyncIterator[tuple[BackgroundServer, httpx.AsyncClient]]:
    """A gateway and a client of it."""
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    fields: dict[str, Any] = {"timeouts": TimeoutSettings()} | settings
    configured = Settings.model_construct(providers={"modelscope": ModelScopeSettings(base_url=base_url)}, **fields)
    try:
        with BackgroundServer(create_app(configured), grace_seconds) as gateway:
            async with httpx.AsyncClient(base_url=gateway.url, headers=HEADERS, timeout=5) as client:
                yield gateway, client
    finally:
        server.close()


async def chat(client: httpx.AsyncClient, body: bytes = BODY, **more: Any) -> httpx.Response:
    return await client.post("/v1/chat/completions", content=body, **more)
