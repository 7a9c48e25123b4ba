"""The outgoing client over real sockets: it must know whether a failed call may have arrived."""

import asyncio
import socket

import httpx
import orjson
import pytest

from providers.contract.errors import ErrorKind, ProviderError
from providers.transport.client import MAX_POOLS, HttpClient
from providers.transport.timeouts import Timeouts
from providers.transport.transports import MAX_ANSWER_BYTES, Reply, read_retry_after
from tests.providers.raw import OK, upstream


async def failure(url: str, timeouts: Timeouts | None = None, *, once: bool = False) -> ErrorKind:
    async with HttpClient(timeouts) as http:
        with pytest.raises(ProviderError) as caught:
            await http.send("POST", url, headers={}, once=once)
    return caught.value.kind


@pytest.mark.parametrize("once", [False, True])
async def test_refused_connection_is_unreachable(once: bool) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        assert await failure(url, once=once) is ErrorKind.UNREACHABLE


async def test_unknown_host_or_a_broken_address_sent_nothing() -> None:
    assert await failure("http://no-such-host.invalid/") is ErrorKind.UNREACHABLE
    assert await failure("ftp://127.0.0.1/") is ErrorKind.UNREACHABLE


@pytest.mark.parametrize("once", [False, True])
async def test_connection_closed_without_response_is_a_lost_answer(once: bool) -> None:
    async def hang_up(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with upstream(hang_up) as url:
        assert await failure(url, once=once) is ErrorKind.ANSWER_LOST


async def test_truncated_body_is_a_lost_answer() -> None:
    async def half(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"ret"')
        await writer.drain()
        writer.close()

    async with upstream(half) as url:
        assert await failure(url) is ErrorKind.ANSWER_LOST


async def test_non_http_response_is_a_lost_answer() -> None:
    async def nonsense(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x01nonsense\r\n\r\n")

    async with upstream(nonsense) as url:
        assert await failure(url) is ErrorKind.ANSWER_LOST


async def test_read_timeout() -> None:
    async def silence(head: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0)

    async with upstream(silence) as url:
        assert await failure(url, Timeouts(read=0.05)) is ErrorKind.ANSWER_LOST


async def test_slow_response_ends_with_the_total_timeout() -> None:
    async def drip(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with upstream(drip) as url:
        assert await failure(url, Timeouts(read=5, total=0.2)) is ErrorKind.ANSWER_LOST


async def test_endless_response_is_limited() -> None:
    async def flood(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_ANSWER_BYTES * 2))
        for _ in range(MAX_ANSWER_BYTES // 65536 + 2):
            writer.write(b" " * 65536)
            await writer.drain()

    async with upstream(flood) as url:
        assert await failure(url) is ErrorKind.ANSWER_LOST


async def test_large_body_is_sent_in_chunks_with_content_length() -> None:
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


async def test_redirect_is_an_answer_and_not_followed() -> None:
    async def elsewhere(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")

    async with upstream(elsewhere) as url, HttpClient() as http:
        reply = await http.send("POST", url, headers={})
    assert reply.status == 302


async def test_cookies_are_not_shared_between_accounts() -> None:
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


async def test_http_proxy_is_used() -> None:
    heads: list[bytes] = []

    async def proxy(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(OK)

    async with upstream(proxy) as url, HttpClient() as http:
        reply = await http.send("GET", "http://upstream.invalid/x", headers={}, proxy=url.replace("//", "//u:p@"))
    assert reply.status == 200
    assert heads[0].startswith(b"GET http://upstream.invalid/x ")
    assert b"Proxy-Authorization: Basic" in heads[0]


async def test_missing_proxy_is_unreachable() -> None:
    for proxy in ("http://127.0.0.1:1", "socks5://127.0.0.1:1"):
        async with HttpClient() as http:
            with pytest.raises(ProviderError) as caught:
                await http.send("POST", "http://upstream.invalid/", headers={}, proxy=proxy)
        assert caught.value.kind is ErrorKind.UNREACHABLE, proxy


@pytest.mark.parametrize("json", [{"seed": 2**70}, {"prompt": "\ud800"}, {"x": {1, 2}}])
async def test_unserializable_json_is_rejected_before_sending(json: object) -> None:
    async with HttpClient() as http:
        with pytest.raises(ProviderError) as caught:
            await http.send("POST", "http://127.0.0.1:1/", headers={}, json=json)
    assert caught.value.kind is ErrorKind.INVALID_REQUEST


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("1.5", 1.5),
        ("0", 0.0),
        ("Tue, 01 Dec 2026 00:01:30 GMT", 90.0),
        ("Mon, 30 Nov 2026 00:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1e9", None),
        ("99999999999", None),
        ("Tue, 99 Dec 2026 00:01:30 GMT", None),
        ("1, 2", None),
        ("\uff17", None),
        ("9" * 5000, None),
    ],
)
def test_retry_after_is_read_as_a_number_or_a_date(text: str, seconds: float | None) -> None:
    now = 1_796_083_200.0  # 2026-12-01 00:00:00 UTC
    assert read_retry_after(text, now) == seconds


def test_byte_order_tag_does_not_break_json() -> None:
    assert Reply(200, b'\xef\xbb\xbf{"a":1}').json() == {"a": 1}


async def test_pools_of_proxies_that_come_and_go_are_dropped() -> None:
    async with HttpClient(transport=lambda proxy: httpx.MockTransport(lambda request: httpx.Response(200))) as http:
        for number in range(MAX_POOLS + 20):
            await http.send("GET", "http://h/", headers={}, proxy=f"http://p{number}:1")
        assert len(http._routes) == MAX_POOLS
        assert (f"http://p{MAX_POOLS + 19}:1", False, False) in http._routes


async def test_unknown_transport_error_is_a_lost_answer() -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise RuntimeError("a bug of a library")

    async with HttpClient(transport=lambda proxy: httpx.MockTransport(broken)) as http:
        with pytest.raises(ProviderError) as caught:
            await http.send("POST", "http://h/", headers={})
    assert caught.value.kind is ErrorKind.ANSWER_LOST
