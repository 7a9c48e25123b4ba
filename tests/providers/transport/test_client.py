"""The outgoing client over real sockets: it must know whether a failed call may have arrived."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import httpx
import orjson
import pytest

from providers.contract.errors import ErrorKind, ProviderError
from providers.transport.client import MAX_POOLS, HttpClient
from providers.transport.transports import MAX_ANSWER_BYTES, Reply, Timeouts, read_retry_after
from tests.providers.raw import OK, upstream


async def failure(url: str, timeouts: Timeouts | None = None, *, once: bool = False) -> ErrorKind:
    async with HttpClient(timeouts) as http:
        with pytest.raises(ProviderError) as caught:
            await http.send("POST", url, headers={}, once=once)
    return caught.value.kind


@pytest.mark.parametrize("once", [False, True])
async def test_a_refused_connection_sent_nothing(once: bool) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        assert await failure(url, once=once) is ErrorKind.UNREACHABLE


async def test_an_unknown_host_or_a_broken_address_sent_nothing() -> None:
    assert await failure("http://no-such-host.invalid/") is ErrorKind.UNREACHABLE
    assert await failure("ftp://127.0.0.1/") is ErrorKind.UNREACHABLE


@pytest.mark.parametrize("once", [False, True])
async def test_a_connection_closed_without_an_answer_may_have_been_heard(once: bool) -> None:
    async def hang_up(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with upstream(hang_up) as url:
        assert await failure(url, once=once) is ErrorKind.ANSWER_LOST


async def test_a_body_cut_short_may_have_been_heard() -> None:
    async def half(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"ret"')
        await writer.drain()
        writer.close()

    async with upstream(half) as url:
        assert await failure(url) is ErrorKind.ANSWER_LOST


async def test_what_is_not_http_may_have_been_heard() -> None:
    async def nonsense(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x01nonsense\r\n\r\n")

    async with upstream(nonsense) as url:
        assert await failure(url) is ErrorKind.ANSWER_LOST


async def test_silence_ends_with_the_read_timeout() -> None:
    async def silence(head: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0)

    async with upstream(silence) as url:
        assert await failure(url, Timeouts(read=0.05)) is ErrorKind.ANSWER_LOST


async def test_a_slow_drip_ends_with_the_total_timeout() -> None:
    async def drip(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with upstream(drip) as url:
        assert await failure(url, Timeouts(read=5, total=0.2)) is ErrorKind.ANSWER_LOST


async def test_an_endless_answer_is_cut() -> None:
    async def flood(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_ANSWER_BYTES * 2))
        for _ in range(MAX_ANSWER_BYTES // 65536 + 2):
            writer.write(b" " * 65536)
            await writer.drain()

    async with upstream(flood) as url:
        assert await failure(url) is ErrorKind.ANSWER_LOST


async def test_a_large_body_goes_in_pieces_with_its_length_announced() -> None:
    received = bytearray()
    heads: list[bytes] = []

    async def read_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        while len(received) < len(body):
            received.extend(await reader.read(65536))
        writer.write(OK)
        await writer.drain()
        writer.close()

    value = {"picture": "A" * 3_000_000}
    body = orjson.dumps(value)
    server = await asyncio.start_server(read_all, "127.0.0.1", 0)
    async with server, HttpClient() as http:
        reply = await http.send(
            "POST", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", headers={}, json=value
        )
    assert reply.status == 200
    assert bytes(received) == body
    assert f"content-length: {len(body)}".encode() in heads[0].lower()
    assert b"chunked" not in heads[0].lower()


async def test_a_redirect_is_an_answer_and_not_followed() -> None:
    async def elsewhere(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")

    async with upstream(elsewhere) as url, HttpClient() as http:
        reply = await http.send("POST", url, headers={})
    assert reply.status == 302


async def test_a_cookie_of_one_account_is_never_sent_for_the_next() -> None:
    heads: list[bytes] = []

    async def set_cookie(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=first; Path=/\r\nContent-Length: 2\r\n\r\n{}")

    async with upstream(set_cookie) as url, HttpClient() as http:
        await http.send("GET", url, headers={"Cookie": "sessionid=one"})
        await http.send("GET", url, headers={"Cookie": "sessionid=two"})
        await http.send("GET", url, headers={})
    assert b"sessionid=two" in heads[1]
    assert b"sid=first" not in heads[1] + heads[2]
    assert b"ookie" not in heads[2]


async def test_connections_are_kept_except_for_what_is_sent_once() -> None:
    peers: list[tuple[str, int]] = []

    async def note_peer(head: bytes, writer: asyncio.StreamWriter) -> None:
        peers.append(writer.get_extra_info("peername"))
        writer.write(OK)

    async with upstream(note_peer) as url, HttpClient() as http:
        for once in (False, False, True, True):
            await http.send("POST", url, headers={}, json={}, once=once)
    assert peers[0] == peers[1]
    assert len(set(peers)) == 3


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectError("x"), ErrorKind.UNREACHABLE),
        (httpx.ConnectTimeout("x"), ErrorKind.UNREACHABLE),
        (httpx.PoolTimeout("x"), ErrorKind.UNREACHABLE),
        (httpx.ProxyError("x"), ErrorKind.UNREACHABLE),
        (httpx.ReadTimeout("x"), ErrorKind.ANSWER_LOST),
        (httpx.WriteTimeout("x"), ErrorKind.ANSWER_LOST),
        (httpx.ReadError("x"), ErrorKind.ANSWER_LOST),
        (httpx.RemoteProtocolError("x"), ErrorKind.ANSWER_LOST),
        (OSError("x"), ErrorKind.ANSWER_LOST),
    ],
)
async def test_errors_of_other_transports(error: Exception, kind: ErrorKind) -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise error

    http = HttpClient(transport=lambda proxy: httpx.MockTransport(broken))
    with pytest.raises(ProviderError) as caught:
        await http.send("GET", "http://h/", headers={})
    assert caught.value.kind is kind


async def test_each_proxy_has_a_pool_of_its_own() -> None:
    made: list[str | None] = []

    def transport(proxy: str | None) -> httpx.AsyncBaseTransport:
        made.append(proxy)
        return httpx.MockTransport(lambda request: httpx.Response(200))

    async with HttpClient(transport=transport) as http:
        for proxy in (None, "http://a:1", "http://b:1", "http://a:1", None):
            await http.send("GET", "http://h/", headers={}, proxy=proxy)
    assert made == [None, "http://a:1", "http://b:1"]


async def test_an_http_proxy_is_spoken_to() -> None:
    heads: list[bytes] = []

    async def proxy(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(OK)

    async with upstream(proxy) as url, HttpClient() as http:
        reply = await http.send("GET", "http://upstream.invalid/x", headers={}, proxy=url.replace("//", "//u:p@"))
    assert reply.status == 200
    assert heads[0].startswith(b"GET http://upstream.invalid/x ")
    assert b"Proxy-Authorization: Basic" in heads[0]


async def test_a_proxy_that_is_not_there_sent_nothing() -> None:
    for proxy in ("http://127.0.0.1:1", "socks5://127.0.0.1:1"):
        async with HttpClient() as http:
            with pytest.raises(ProviderError) as caught:
                await http.send("POST", "http://upstream.invalid/", headers={}, proxy=proxy)
        assert caught.value.kind is ErrorKind.UNREACHABLE, proxy


@pytest.mark.parametrize("json", [{"seed": 2**70}, {"prompt": "\ud800"}, {"x": {1, 2}}])
async def test_what_json_cannot_carry_is_refused_before_anything_is_sent(json: object) -> None:
    async with HttpClient() as http:
        with pytest.raises(ProviderError) as caught:
            await http.send("POST", "http://127.0.0.1:1/", headers={}, json=json)
    assert caught.value.kind is ErrorKind.INVALID_REQUEST


@pytest.mark.parametrize(("text", "seconds"), [("7", 7.0), ("", None), ("soon", None), ("-1", None)])
def test_retry_after_is_read_where_it_is_a_number(text: str, seconds: float | None) -> None:
    assert read_retry_after(text) == seconds


def test_a_byte_order_mark_does_not_break_json() -> None:
    assert Reply(200, b'\xef\xbb\xbf{"a":1}').json() == {"a": 1}


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


async def test_a_link_goes_out_as_it_is_written_and_the_bytes_come_as_they_are() -> None:
    heads: list[bytes] = []

    async def compressed(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip")

    path = "/a%2Fb%7e~c:0:0.image?x=%20%2f+%3D%7E&s=a%2Bb%3d%3D&d=%22x%22"
    async with upstream(compressed) as url, HttpClient() as http:
        assert await fetch(http, url + path) == (200, b"not gzip")
    assert heads[0].startswith(b"GET %b HTTP/1.1\r\n" % path.encode())
    assert b"accept-encoding: identity\r\n" in heads[0].lower()


async def test_a_file_may_take_longer_than_the_total_timeout() -> None:
    async def drip(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")
        for _ in range(20):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with upstream(drip) as url, HttpClient(Timeouts(read=2, total=0.3)) as http:
        assert await fetch(http, url) == (200, b"x" * 20)


async def test_a_head_that_drips_ends_with_the_total_timeout() -> None:
    async def drip(head: bytes, writer: asyncio.StreamWriter) -> None:
        for letter in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":
            writer.write(bytes([letter]))
            await writer.drain()
            await asyncio.sleep(0.02)

    async with upstream(drip) as url:
        assert (await failed_fetch(url, Timeouts(read=5, total=0.1))).kind is ErrorKind.ANSWER_LOST


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nx"])
@pytest.mark.parametrize("way", ["silence", "close"])
async def test_a_file_that_does_not_come_or_breaks_off(start: bytes, way: str) -> None:
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
async def test_a_link_that_leads_nowhere(url: str) -> None:
    assert (await failed_fetch(url)).kind is ErrorKind.UNREACHABLE


async def test_a_connection_that_does_not_come_about_in_time() -> None:
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
async def test_a_file_that_lies_elsewhere_is_fetched_there_without_a_credential(status: int) -> None:
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
async def test_a_redirect_to_no_web_address_is_refused(location: str) -> None:
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


async def test_pools_of_proxies_that_come_and_go_are_dropped() -> None:
    async with HttpClient(transport=lambda proxy: httpx.MockTransport(lambda request: httpx.Response(200))) as http:
        for number in range(MAX_POOLS + 20):
            await http.send("GET", "http://h/", headers={}, proxy=f"http://p{number}:1")
        assert len(http._ways) == MAX_POOLS
        assert (f"http://p{MAX_POOLS + 19}:1", False) in http._ways


async def test_what_no_library_announces_counts_as_what_may_have_arrived() -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise RuntimeError("a bug of a library")

    async with HttpClient(transport=lambda proxy: httpx.MockTransport(broken)) as http:
        with pytest.raises(ProviderError) as caught:
            await http.send("POST", "http://h/", headers={})
    assert caught.value.kind is ErrorKind.ANSWER_LOST


class TestUploads:
    """A file goes out piece by piece, whatever its size."""

    @staticmethod
    async def pieces(*sizes: int) -> AsyncIterator[bytes]:
        for size in sizes:
            yield b"x" * size

    async def test_the_host_gets_it_all_and_its_answer_is_not_compressed(self) -> None:
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

    async def test_a_host_that_takes_nothing_is_given_up(self) -> None:
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
        assert "stood still" in caught.value.detail

    async def test_nobody_there_is_nothing_sent(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
            async with HttpClient() as http:
                with pytest.raises(ProviderError) as caught:
                    await http.upload("POST", url, headers={}, content=self.pieces(1), length=1)
        assert caught.value.kind is ErrorKind.UNREACHABLE

    async def test_an_answer_before_the_end_is_an_answer(self) -> None:
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
