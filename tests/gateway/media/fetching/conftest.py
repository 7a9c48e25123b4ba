"""Fixtures of the fetcher tests."""

import asyncio
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import IO, Any

import pytest
import trustme

from gateway.media import spool
from tests.gateway.media.fetching.fixtures import INSIDE, PUBLIC, Network


@pytest.fixture(scope="module")
def certificates() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS contexts of a server, and of a client that trusts it."""
    tls, trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority = trustme.CA()
    authority.issue_cert("public.example", "*.public.example", PUBLIC, INSIDE, "::1").configure_cert(tls)
    authority.configure_trust(trusted)
    return tls, trusted


async def start(network: Network, servers: list[asyncio.Server], tls: ssl.SSLContext | None) -> int:
    """A public server, and internal ones on the same port."""
    while True:
        public = await asyncio.start_server(network.serve, PUBLIC, 0, ssl=tls)
        port: int = public.sockets[0].getsockname()[1]
        try:
            servers.append(await asyncio.start_server(network.count, INSIDE, port))
        except OSError:
            public.close()
            continue
        servers.append(public)
        # Some machines have no v6.
        with suppress(OSError):
            servers.append(await asyncio.start_server(network.count, "::1", port))
        return port


@pytest.fixture
async def network(certificates: tuple[ssl.SSLContext, ssl.SSLContext]) -> AsyncIterator[Network]:
    tls, trusted = certificates
    network = Network(trusted)
    servers: list[asyncio.Server] = []
    network.port = await start(network, servers, tls)
    network.plain = await start(network, servers, None)
    yield network
    for fetcher in network.fetchers:
        await fetcher.aclose()
    for writer in network.writers:
        writer.transport.abort()
    for server in servers:
        server.close()
    await asyncio.sleep(0)


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every address that was about to be connected to."""
    addresses: list[str] = []
    loop = asyncio.selector_events.BaseSelectorEventLoop
    connect = loop.sock_connect

    async def note(self: Any, sock: socket.socket, address: Any) -> None:
        addresses.append(str(address[0]))
        await connect(self, sock, address)

    monkeypatch.setattr(loop, "sock_connect", note)
    return addresses


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[IO[bytes]]]:
    """The spool files; the fixture checks that all are closed at the end."""
    made: list[IO[bytes]] = []

    def make(max_size: int) -> IO[bytes]:
        made.append(tempfile.SpooledTemporaryFile(max_size))  # noqa: SIM115
        return made[-1]

    monkeypatch.setattr(spool, "SpooledTemporaryFile", make)
    yield made
    assert all(file.closed for file in made)
