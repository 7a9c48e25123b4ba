"""Addresses of proxies, and the outgoing client over real ones of every kind."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import aiohttp.connector
import pytest
import trustme
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from providers.contract.errors import ErrorKind, ProviderError
from providers.transport.client import HttpClient
from providers.transport.proxy_urls import is_proxy, is_socks
from providers.transport.timeouts import Timeouts
from tests.providers.raw import OK, upstream
from tests.proxies import RunningProxy

# --- addresses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://h",
        "https://proxy.example.com",
        "http://u:p@h:8080",
        "http://u:p@w@h:8080",
        "http://u:p%23%2F@h:8080",
        "http://[::1]:8080",
        "socks4://u@h:1080",
        "socks4a://h:1080",
        "socks5://u:p@10.0.0.1:1080",
        "socks5h://[fe80::1]:65535",
    ],
)
def test_what_can_be_a_proxy(url: str) -> None:
    assert is_proxy(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h:8080",
        "ftp://h",
        "socks://h:1080",
        "socks6://h:1080",
        "socks5://h",
        "socks4a://h",
        "http://",
        "http://u:p@",
        "http://h:0",
        "http://h:65536",
        "http://h:٣",
        "http://h/",
        "http://h:1/path",
        "http://u:p/w@h:1",
        "http://u:1#w@h:1",
        "http://u:1?w@h:1",
        "http://u:[w@h:1",
        "http://u:\\w@h:1",
        "http://u:密@h:1",
        "http://a..b:1",
        "http://[::1:1",
        "http://[1.2.3.4]:1",
        "http://[::::]:1",
        "http://h:1 ",
        " http://h:1",
        "http://u:p w@h:1",
        "http://" + ".".join(["a" * 60] * 5),
    ],
)
def test_what_cannot_be_a_proxy(url: str) -> None:
    assert not is_proxy(url)


@pytest.mark.parametrize(
    ("url", "socks"),
    [
        ("socks4://h:1", True),
        ("socks4a://h:1", True),
        ("socks5://h:1", True),
        ("SOCKS5H://h:1", True),
        ("http://h:1", False),
        ("https://h:1", False),
        ("http://socks5://h:1", False),
        ("", False),
    ],
)
def test_socks_schemes(url: str, socks: bool) -> None:
    assert is_socks(url) is socks


@given(
    scheme=st.sampled_from(["http", "https", "socks4", "socks4a", "socks5", "socks5h"]),
    user=st.text(max_size=12),
    host=st.sampled_from(["h", "a.b-c.d_e", "10.0.0.1", "[::1]"]) | st.text(max_size=8),
    port=st.integers(-1, 70000),
)
@example(scheme="http", user="u:\\", host="h", port=1)
@example(scheme="http", user="u", host="p@h", port=1)
def test_address_is_read_by_every_library_as_it_was_meant(scheme: str, user: str, host: str, port: int) -> None:
    url = f"{scheme}://{user}@{host}:{port}"
    if is_proxy(url):
        parts, address = urlsplit(url), URL(url)
        assert parts.hostname == address.host == host.rpartition("@")[2].strip("[]").lower()
        assert parts.port == address.port == port
        if "%" not in url:
            assert (parts.username or None, parts.password or None) == (address.user or None, address.password or None)


# --- over the wire ------------------------------------------------------------------------------------------------

NAME, PASSWORD = "me", "s3:cr@t/"
SCHEMES = ["http", "https", "socks5", "socks5h", "socks4", "socks4a"]
every_kind = pytest.mark.parametrize("scheme", SCHEMES)
every_kind_with_a_tunnel = pytest.mark.parametrize(
    ("scheme", "tls"),
    [(scheme, True) for scheme in SCHEMES] + [(scheme, False) for scheme in SCHEMES if is_socks(f"{scheme}://")],
)
over_tls = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
Start = Callable[[str], RunningProxy]


@pytest.fixture(scope="module")
def certificates() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def secure(certificates: trustme.CA) -> ssl.SSLContext:
    """A server's context for 127.0.0.1."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificates.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.fixture
def trusted(certificates: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    """aiohttp has its context made when it is imported, so that SSL_CERT_FILE would come too late."""
    context = ssl.create_default_context()
    certificates.configure_trust(context)
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", context)


@pytest.fixture
def proxies(secure: ssl.SSLContext) -> Iterator[Start]:
    """Starts proxies, which take the name and the password above."""
    with ExitStack() as running:

        def start(scheme: str) -> RunningProxy:
            password = "" if scheme.startswith("socks4") else PASSWORD
            tls = secure if scheme == "https" else None
            return running.enter_context(RunningProxy(scheme, username=NAME, password=password, tls=tls))

        yield start


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    async with HttpClient(Timeouts(connect=5, read=5, total=5)) as client:
        yield client


async def ok(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)


async def sent(http: HttpClient, url: str, proxy: str, *, once: bool = False) -> tuple[int, bytes]:
    reply = await http.send("POST", url, headers={}, json={}, proxy=proxy, once=once)
    return reply.status, reply.body


async def fetched(http: HttpClient, url: str, proxy: str) -> tuple[int, bytes]:
    async with http.stream("GET", url, headers={}, proxy=proxy) as download:
        return download.status, b"".join([piece async for piece in download.pieces])


async def failures(http: HttpClient, url: str, proxy: str) -> list[ErrorKind]:
    """Of a kept call, one sent once, and a file."""
    kinds: list[ErrorKind] = []
    for call in (sent(http, url, proxy), sent(http, url, proxy, once=True), fetched(http, url, proxy)):
        with pytest.raises(ProviderError) as caught:
            await call
        kinds.append(caught.value.kind)
        assert PASSWORD not in str(caught.value)
    return kinds


UNREACHABLE = [ErrorKind.UNREACHABLE] * 3
ANSWER_LOST = [ErrorKind.ANSWER_LOST] * 3


@pytest.mark.usefixtures("trusted")
class TestEveryKind:
    @every_kind
    @over_tls
    async def test_every_call_goes_through_the_proxy(
        self, http: HttpClient, proxies: Start, secure: ssl.SSLContext, scheme: str, tls: bool
    ) -> None:
        proxy = proxies(scheme)
        async with upstream(ok, secure if tls else None) as url:
            for _ in range(2):
                assert await sent(http, url, proxy.url) == (200, b"{}")
                assert await sent(http, url, proxy.url, once=True) == (200, b"{}")
                assert await fetched(http, url, proxy.url) == (200, b"{}")
        # One for the kept calls, one for the files, and one for each that was sent once.
        assert proxy.connections == [url.partition("://")[2]] * 4

    @every_kind
    async def test_two_accounts_share_no_connection(self, http: HttpClient, proxies: Start, scheme: str) -> None:
        came_by: dict[bytes, set[tuple[str, int]]] = {}

        async def note_peer(head: bytes, writer: asyncio.StreamWriter) -> None:
            path = head.split(b" ", 2)[1].rpartition(b"/")[2]
            came_by.setdefault(path, set()).add(writer.get_extra_info("peername"))
            writer.write(OK)

        mine, yours = proxies(scheme), proxies(scheme)
        async with upstream(note_peer) as url:
            for _ in range(3):
                await sent(http, f"{url}/mine", mine.url)
                await sent(http, f"{url}/yours", yours.url)
                await http.send("GET", f"{url}/nobody", headers={})
        assert [len(peers) for peers in came_by.values()] == [1, 1, 1]
        assert len(set.union(*came_by.values())) == 3
        assert (len(mine.connections), len(yours.connections)) == (1, 1)

    @every_kind
    @over_tls
    async def test_proxy_that_rejects_the_user_is_unreachable(
        self, http: HttpClient, proxies: Start, secure: ssl.SSLContext, scheme: str, tls: bool
    ) -> None:
        proxy = proxies(scheme)
        heads: list[bytes] = []

        async def note(head: bytes, writer: asyncio.StreamWriter) -> None:
            heads.append(head)

        # SOCKS4 has no passwords.
        users = ["", "other"] if scheme.startswith("socks4") else ["", f"{NAME}:wrong", "other:s3%3Acr%40t%2F"]
        async with upstream(note, secure if tls else None) as url:
            for user in users:
                assert await failures(http, url, proxy.url_as(user)) == [ErrorKind.UNREACHABLE] * 3
        assert (heads, proxy.connections) == ([], [])

    @every_kind
    @over_tls
    async def test_dead_proxy_is_unreachable_until_it_comes_back(
        self, http: HttpClient, secure: ssl.SSLContext, scheme: str, tls: bool
    ) -> None:
        async with upstream(ok, secure if tls else None) as url:
            with RunningProxy(scheme, tls=secure if scheme == "https" else None) as proxy:
                await sent(http, url, proxy.url)
                await fetched(http, url, proxy.url)
            # Time to hear of it: a call over a kept connection not yet known to be closed may have arrived.
            await asyncio.sleep(0.05)
            assert await failures(http, url, proxy.url) == UNREACHABLE
            with proxy:
                assert await sent(http, url, proxy.url) == (200, b"{}")

    @every_kind
    @over_tls
    async def test_proxy_that_cuts_an_answer_short_loses_it(
        self, http: HttpClient, proxies: Start, secure: ssl.SSLContext, scheme: str, tls: bool
    ) -> None:
        async def long(head: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n" + bytes(500_000))

        proxy = proxies(scheme)
        proxy.cut_after = 200_000
        async with upstream(long, secure if tls else None) as url:
            assert await failures(http, url, proxy.url) == ANSWER_LOST
        assert len(proxy.connections) == 3

    @every_kind
    async def test_proxy_that_dies_in_the_middle_of_a_file_loses_it(
        self, http: HttpClient, secure: ssl.SSLContext, scheme: str
    ) -> None:
        async def endless(head: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
            while True:
                writer.write(bytes(65536))
                await writer.drain()

        async with upstream(endless) as url:
            with RunningProxy(scheme, tls=secure if scheme == "https" else None) as proxy:
                async with http.stream("GET", url, headers={}, proxy=proxy.url) as download:
                    await anext(download.pieces)
                    proxy.stop()
                    with pytest.raises(ProviderError) as caught:
                        async for _ in download.pieces:
                            pass
        assert caught.value.kind is ErrorKind.ANSWER_LOST

    @every_kind_with_a_tunnel
    async def test_unreachable_upstream(self, http: HttpClient, proxies: Start, scheme: str, tls: bool) -> None:
        proxy = proxies(scheme)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"{'https' if tls else 'http'}://127.0.0.1:{taken.getsockname()[1]}/"
            assert await failures(http, url, proxy.url) == UNREACHABLE


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks4"])
async def test_tls_failure_is_unreachable(
    http: HttpClient, proxies: Start, secure: ssl.SSLContext, scheme: str
) -> None:
    proxy = proxies(scheme)
    async with upstream(ok, secure) as url:
        assert await failures(http, url, proxy.url) == UNREACHABLE
    assert len(proxy.connections) == 3


@pytest.mark.parametrize(
    ("scheme", "host"),
    [
        ("http", "localhost"),
        ("socks5", "localhost"),
        ("socks5h", "localhost"),
        ("socks4a", "localhost"),
        ("socks4", "127.0.0.1"),
    ],
)
async def test_where_the_name_is_resolved(http: HttpClient, proxies: Start, scheme: str, host: str) -> None:
    proxy = proxies(scheme)
    async with upstream(ok) as url:
        port = urlsplit(url).port
        assert await sent(http, f"http://localhost:{port}/", proxy.url) == (200, b"{}")
    assert proxy.connections == [f"{host}:{port}"]


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 503 Busy\r\n\r\n", b"\x05"])
@pytest.mark.parametrize("scheme", ["http", "socks5", "socks4"])
async def test_proxy_that_closes_instead_of_a_tunnel_is_unreachable(
    http: HttpClient, scheme: str, answer: bytes
) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        proxy = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert await failures(http, "https://upstream.invalid/", proxy) == UNREACHABLE


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks4a"])
async def test_proxy_that_never_answers_is_unreachable(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proxy = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}"
        async with HttpClient(Timeouts(connect=0.1)) as http:
            assert await failures(http, "https://upstream.invalid/", proxy) == UNREACHABLE


@pytest.mark.parametrize("proxy", ["socks5://h", "socks5://[h:1", "http://[h:1", "http://h:x", "socks4://:1"])
async def test_address_that_cannot_be_read_sent_nothing(http: HttpClient, proxy: str) -> None:
    assert await failures(http, "https://upstream.invalid/", proxy) == UNREACHABLE
