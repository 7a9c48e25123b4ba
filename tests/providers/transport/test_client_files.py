"""Files over real sockets: downloads as a stream, and uploads piece by piece."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from providers.contract.errors import ErrorKind, ProviderError
from providers.transport.client import HttpClient
from providers.transport.timeouts import Timeouts
from tests.providers.raw import OK, upstream

# --- files ------------------------------------------------------------------------------------------------------


async def fetch(http: HttpClient, url: str, **headers: str) -> tuple[int, bytes]:
    async with http.stream("GET", url, headers=headers) as download:
        return download.status, b"".join([piece async for piece in download.pieces])


async def failed_fetch(url: str, timeouts: Timeouts | None = None) -> ProviderError:
    async with HttpClient(timeouts) as http:
        with pytest.raises(ProviderError) as caught:
            await fetch(http, url)
    return caught.value


def redirect(location: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


async def test_url_and_bytes_are_unchanged() -> None:
    heads: list[bytes] = []

    async def compressed(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip")

    path = "/a%2Fb%7e~c:0:0.image?x=%20%2f+%3D%7E&s=a%2Bb%3d%3D&d=%22x%22"
    async with upstream(compressed) as url, HttpClient() as http:
        assert await fetch(http, url + path) == (200, b"not gzip")
    assert heads[0].startswith(b"GET %b HTTP/1.1\r\n" % path.encode())
    assert b"accept-encoding: identity\r\n" in heads[0].lower()


async def test_file_may_take_longer_than_the_total_timeout() -> None:
    async def drip(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")
        for _ in range(20):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with upstream(drip) as url, HttpClient(Timeouts(read=2, total=0.3)) as http:
        assert await fetch(http, url) == (200, b"x" * 20)


async def test_slow_headers_end_with_the_total_timeout() -> None:
    async def drip(head: bytes, writer: asyncio.StreamWriter) -> None:
        for letter in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":
            writer.write(bytes([letter]))
            await writer.drain()
            await asyncio.sleep(0.02)

    async with upstream(drip) as url:
        assert (await failed_fetch(url, Timeouts(read=5, total=0.1))).kind is ErrorKind.ANSWER_LOST


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nx"])
@pytest.mark.parametrize("way", ["silence", "close"])
async def test_missing_or_truncated_file(start: bytes, way: str) -> None:
    async def part(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        await writer.drain()
        if way == "close":
            writer.close()

    async with upstream(part) as url:
        assert (await failed_fetch(url, Timeouts(read=0.05))).kind is ErrorKind.ANSWER_LOST


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "http://no-such-host.invalid/", "ftp://h/", "", "http://h:99999/", "http://.../"],
)
async def test_redirect_without_location(url: str) -> None:
    assert (await failed_fetch(url)).kind is ErrorKind.UNREACHABLE


async def test_connect_timeout_is_unreachable() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        error = await failed_fetch(f"http://127.0.0.1:{address[1]}/", Timeouts(connect=0.1))
        for one in waiting:
            one.close()
    assert error.kind is ErrorKind.UNREACHABLE


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_of_a_file_gets_no_credential(status: int) -> None:
    heads: list[bytes] = []

    async def here(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\nx")

    async with upstream(here) as there:

        async def elsewhere(head: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write(redirect(f"{there}/b%2Fc", status))

        async with upstream(elsewhere) as url, HttpClient() as http:
            assert await fetch(http, url, Range="bytes=0-0", Authorization="Bearer x", Cookie="a=b") == (206, b"x")
    assert heads[0].startswith(b"GET /b%2Fc ")
    assert b"range: bytes=0-0" in heads[0].lower()
    assert b"uthorization" not in heads[0]
    assert b"ookie" not in heads[0]


async def test_three_redirects_are_followed_and_a_fourth_is_not() -> None:
    async def further(head: bytes, writer: asyncio.StreamWriter) -> None:
        left = int(head.split(b" ", 2)[1].strip(b"/"))
        writer.write(redirect(f"/{left - 1}") if left else OK)

    async with upstream(further) as url, HttpClient() as http:
        assert await fetch(http, f"{url}/3") == (200, b"{}")
        assert (await failed_fetch(f"{url}/4")).kind is ErrorKind.UPSTREAM_ERROR


@pytest.mark.parametrize("location", ["file://127.0.0.1/etc/passwd", "ftp://127.0.0.1/x"])
async def test_redirect_to_no_web_address_is_refused(location: str) -> None:
    async def elsewhere(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(redirect(location))

    async with upstream(elsewhere) as url:
        assert (await failed_fetch(url)).kind is ErrorKind.UPSTREAM_ERROR


async def test_files_have_kept_connections_of_their_own_and_no_cookies() -> None:
    peers: list[tuple[str, int]] = []
    heads: list[bytes] = []

    async def note_peer(head: bytes, writer: asyncio.StreamWriter) -> None:
        peers.append(writer.get_extra_info("peername"))
        heads.append(head)
        writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=first; Path=/\r\nContent-Length: 2\r\n\r\n{}")

    async with upstream(note_peer) as url, HttpClient() as http:
        await http.send("GET", url, headers={})
        await fetch(http, url)
        await fetch(http, url)
    assert peers[0] != peers[1]
    assert peers[1] == peers[2]
    assert b"ookie" not in b"".join(heads)


async def test_leaving_a_file_early_closes_its_connection() -> None:
    closed = asyncio.Event()

    async def endless(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        try:
            while True:
                writer.write(bytes(65536))
                await writer.drain()
        except ConnectionError:
            closed.set()
            raise

    async with upstream(endless) as url, HttpClient() as http:
        async with http.stream("GET", url, headers={}) as download:
            assert len(await anext(download.pieces)) <= 65536
        async with asyncio.timeout(1):
            await closed.wait()


async def test_files_come_over_another_transport_too() -> None:
    http = HttpClient(transport=lambda proxy: httpx.MockTransport(lambda request: httpx.Response(200, content=b"x")))
    assert await fetch(http, "http://h/v.mp4") == (200, b"x")


class TestUploads:
    """A file goes out piece by piece, whatever its size."""

    @staticmethod
    async def pieces(*sizes: int) -> AsyncIterator[bytes]:
        for size in sizes:
            yield b"x" * size

    async def test_host_gets_it_all_and_its_answer_is_not_compressed(self) -> None:
        heads: list[bytes] = []

        async def host(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            body = await reader.readexactly(1_000_010)
            writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 7\r\n\r\n%07d" % len(body))
            await writer.drain()
            writer.close()
            await writer.wait_closed()

        async with HttpClient() as http, await asyncio.start_server(host, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/a%2Fb?x=%7E"
            content = self.pieces(10, 1_000_000)
            reply = await http.upload("POST", url, headers={"X-Own": "1"}, content=content, length=1_000_010)
        assert (reply.status, reply.body) == (201, b"1000010")
        head = heads[0].lower()
        assert head.startswith(b"post /a%2fb?x=%7e http/1.1\r\n")
        assert b"\r\naccept-encoding: identity\r\n" in head
        assert b"\r\ncontent-length: 1000010\r\n" in head
        assert b"\r\nx-own: 1\r\n" in head
        assert b"transfer-encoding" not in head

    async def test_stalled_upload_is_aborted(self) -> None:
        ended = asyncio.Event()

        async def host(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            await given_up.wait()
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            ended.set()

        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield bytes(1 << 20)

        given_up = asyncio.Event()
        timeouts = Timeouts(connect=1, read=5, total=0.2)
        async with HttpClient(timeouts) as http, await asyncio.start_server(host, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            with pytest.raises(ProviderError) as caught:
                await http.upload("POST", url, headers={}, content=endless(), length=1 << 40)
            given_up.set()
            await ended.wait()
        assert caught.value.kind is ErrorKind.ANSWER_LOST
        assert "stalled" in caught.value.detail

    async def test_unreachable_upload_host_means_nothing_was_sent(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
            async with HttpClient() as http:
                with pytest.raises(ProviderError) as caught:
                    await http.upload("POST", url, headers={}, content=self.pieces(1), length=1)
        assert caught.value.kind is ErrorKind.UNREACHABLE

    async def test_answer_before_the_end_of_the_upload_is_returned(self) -> None:
        ended = asyncio.Event()

        async def host(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nRetry-After: 7\r\n\r\nno")
            with contextlib.suppress(ConnectionError):
                await writer.drain()
                while await reader.read(1 << 20):
                    pass
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            ended.set()

        async with await asyncio.start_server(host, "127.0.0.1", 0) as server:
            async with HttpClient() as http:
                url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
                content = self.pieces(*[1 << 16] * 64)
                reply = await http.upload("POST", url, headers={}, content=content, length=64 << 16)
            await ended.wait()
        assert (reply.status, reply.body, reply.retry_after) == (413, b"no", 7.0)
