"""Real proxies for tests, each on a free loopback port and in a thread of its own."""

import base64
import ssl
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AsyncExitStack, ExitStack, aclosing, suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import anyio
import tiny_proxy  # type: ignore[import-untyped]
from anyio.abc import ByteStream, SocketAttribute, TaskStatus
from anyio.from_thread import start_blocking_portal
from anyio.streams.buffered import BufferedByteStream
from anyio.streams.tls import TLSStream

_BROKEN = (
    OSError,
    anyio.EndOfStream,
    anyio.IncompleteRead,
    anyio.ClosedResourceError,
    anyio.BrokenResourceError,
    tiny_proxy.ProxyError,
    NotImplementedError,
)
_LINGER_SECONDS = 1.0


class _TLSStream(TLSStream):
    async def send_eof(self) -> None:
        """Half of it cannot be closed; anyio's own method stumbles over a connection that has ended."""
        raise NotImplementedError


class RunningProxy:
    """A proxy. A context manager; `start` and `stop` do the same by hand.

    with RunningProxy("socks5", username="u", password="p") as proxy:
        ... proxy.url, proxy.connections ...

    `scheme` is http, https (which needs `tls`, a server's context), socks4, socks4a, socks5 or socks5h; SOCKS4 has no
    passwords. An http:// address is passed on as well as tunnelled to, so any upstream will do.

    Stopped it hangs up on everybody and its port refuses connections; started again it takes the same port.
    """

    def __init__(
        self, scheme: str, *, username: str = "", password: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        self.scheme = scheme
        self.connections: list[str] = []
        """The target of every connection that it let through, "host:port" as the client named it."""
        self.cut_after: int | None = None
        """How many bytes of answers a connection carries before both sides of it are hung up; None: all."""
        self._username = username
        self._password = password
        self._tls = tls
        self._port = 0
        self._running = ExitStack()

    @property
    def url(self) -> str:
        """The address with the name and the password in it."""
        user = quote(self._username, safe="")
        if self._password:
            user += f":{quote(self._password, safe='')}"
        return self.url_as(user)

    def url_as(self, user: str) -> str:
        """The address with another `name:password`, or without one."""
        return f"{self.scheme}://{user}@127.0.0.1:{self._port}" if user else f"{self.scheme}://127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Listen in a thread; returns once it does."""
        with ExitStack() as starting:
            portal = starting.enter_context(start_blocking_portal(name="proxy"))
            serving, self._port = portal.start_task(self._serve)
            starting.callback(_stop, serving)
            self._running = starting.pop_all()
        return self

    def stop(self) -> None:
        """Close every connection and end the thread. Harmless when it does not run. Raises what went wrong in it."""
        self._running.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def _serve(self, *, task_status: TaskStatus[int]) -> None:
        async with await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=self._port) as listener:
            task_status.started(listener.extra(SocketAttribute.local_port))
            await listener.serve(self._welcome)

    async def _welcome(self, connection: ByteStream) -> None:
        with suppress(*_BROKEN):
            async with connection, AsyncExitStack() as opened:
                stream = connection
                if self._tls:
                    stream = await _TLSStream.wrap(
                        connection, server_side=True, ssl_context=self._tls, standard_compatible=False
                    )
                client = BufferedByteStream(stream)
                if self.scheme in ("http", "https"):
                    remote, client = await self._http(client)
                else:
                    remote, client = await self._negotiated(client, self._socks)
                if remote is not None:
                    await opened.enter_async_context(aclosing(remote))
                    if not await self._tunnel(client, remote):
                        return
                # Closed with something unread, the connection would be reset and the client lose its answer.
                await client.send_eof()
                with anyio.move_on_after(_LINGER_SECONDS):
                    while True:
                        await client.receive()

    async def _http(self, client: BufferedByteStream) -> tuple[Any, Any]:
        """The connection to the upstream and the one to the client; None instead of the first after a refusal."""
        head = await client.receive_until(b"\r\n\r\n", 65536) + b"\r\n\r\n"
        if self._username and self._basic() not in head:
            await client.send(
                b'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="proxy"\r\n'
                b"Content-Length: 0\r\nConnection: close\r\n\r\n"
            )
            return None, client
        if head.startswith(b"CONNECT "):
            client.feed_data(head)
            return await self._negotiated(client, tiny_proxy.HttpProxyHandler().create_proxy)
        # tiny_proxy only knows tunnels. The head goes on as it is: every server takes a whole address in it.
        target = urlsplit(head.split(b" ", 2)[1].decode())
        host, port = target.hostname or "", target.port or 80
        self.connections.append(f"{host}:{port}")
        remote = await anyio.connect_tcp(host, port)
        await remote.send(head)
        return remote, client

    def _basic(self) -> bytes:
        user = f"{self._username}:{self._password}".encode()
        return b"Proxy-Authorization: Basic " + base64.b64encode(user) + b"\r\n"

    def _socks(self, stream: Any) -> Any:
        if self.scheme.startswith("socks4"):
            return tiny_proxy.Socks4ProxyHandler(self._username).create_proxy(stream)
        return tiny_proxy.Socks5ProxyHandler(self._username, self._password).create_proxy(stream)

    async def _negotiated(self, client: BufferedByteStream, make: Callable[[Any], Any]) -> tuple[Any, Any]:
        stream = tiny_proxy.SocketStream(client)
        proxy = make(stream)
        negotiate = proxy.negotiate

        async def noted() -> tuple[str, int]:
            host, port = await negotiate()
            self.connections.append(f"{host}:{port}")
            return host, port

        proxy.negotiate = noted
        return await proxy.connect_to_remote(), stream

    async def _tunnel(self, client: Any, remote: Any) -> bool:
        """Carry bytes both ways until both sides have said all; False when it was cut or broke before that."""
        async with anyio.create_task_group() as both:

            async def carry(source: Any, sink: Any, limit: int | None = None) -> None:
                try:
                    while limit is None or limit > 0:
                        data = (await source.receive())[:limit]
                        await sink.send(data)
                        limit = None if limit is None else limit - len(data)
                except anyio.EndOfStream:
                    with suppress(*_BROKEN):
                        await sink.send_eof()
                        return
                except _BROKEN:
                    pass
                both.cancel_scope.cancel()

            both.start_soon(carry, client, remote)
            both.start_soon(carry, remote, client, self.cut_after)
        return not both.cancel_scope.cancel_called


def _stop(serving: Future[None]) -> None:
    if not serving.cancel():
        serving.result()
