import asyncio
import socket
import ssl
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_network
from typing import IO, Any
from urllib.parse import quote, unquote

import pytest
import trustme
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway import fetching
from gateway.errors import GatewayError
from gateway.fetching import SPOOL_BYTES, Fetcher
from gateway.guard import Guard
from tests.gateway.hostile import HOSTILE_URLS

PUBLIC, INSIDE = "127.0.0.2", "127.0.0.1"
GUARD = Guard(networks=(ip_network(PUBLIC),))
"""127.0.0.2 plays the internet; everything else is as it is."""
LIMIT = 4 * 1024 * 1024

Page = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


def ok(body: bytes, *headers: str) -> bytes:
    return answer(200, f"Content-Length: {len(body)}", *headers) + body


def answer(status: int, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} Whatever", *headers, "", ""]).encode("utf-8", "surrogateescape")


class Names(AbstractResolver):
    """A DNS that changes its answers: each look-up of a name takes the next, the last one over and over."""

    def __init__(self, names: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self._names = {name: list(answers) for name, answers in names.items()}
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append(host)
        answers = self._names.get(host)
        if answers is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0) for address in found
        ]

    async def close(self) -> None: ...


@dataclass
class World:
    """A public server over TLS at 127.0.0.2, plain on another port. Inside, on the same two ports, whoever connects is
    counted, whatever he says."""

    trusted: ssl.SSLContext
    port: int = 0
    plain: int = 0
    pages: dict[str, Page] = field(default_factory=dict)
    requests: list[bytes] = field(default_factory=list)
    hits: int = 0
    fetchers: list[Fetcher] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head)
            target = head.split(b" ")[1].decode()
            if target.startswith("/to?"):
                writer.write(
                    answer(302, f"Location: {unquote(target[4:], errors='surrogateescape')}", "Content-Length: 0")
                )
            elif isinstance(page := self.pages.get(target, answer(404, "Content-Length: 6") + b"secret"), bytes):
                writer.write(page)
            else:
                await page(writer)
            await writer.drain()
        writer.close()

    async def count(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hits += 1
        writer.close()

    def url(self, path: str, host: str = "public.example") -> str:
        return f"https://{host}:{self.port}{path}"

    def to(self, *locations: str) -> str:
        """A public address that leads to the locations, one after the other."""
        *before, url = locations
        for location in [*reversed(before), ""]:
            assert not location or location.endswith("/to?")
            url = (location or self.url("/to?")) + quote(url, safe="", errors="surrogateescape")
        return url

    def fetcher(self, guard: Guard = GUARD, names: Names | None = None, **options: Any) -> Fetcher:
        resolver = names or Names({"public.example": [[PUBLIC]], "more.public.example": [[PUBLIC]]})
        fetcher = Fetcher(guard, **{"resolver": resolver, "tls": self.trusted, **options})
        self.fetchers.append(fetcher)
        return fetcher

    async def fetch(self, url: str, guard: Guard = GUARD, names: Names | None = None, **options: Any) -> bytes:
        with await self.fetcher(guard, names, **options).fetch(url, max_bytes=LIMIT, param="image") as file:
            return file.read()

    async def refusal(
        self, url: str, guard: Guard = GUARD, names: Names | None = None, *, max_bytes: int = LIMIT, **options: Any
    ) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            await self.fetcher(guard, names, **options).fetch(url, max_bytes=max_bytes, param="image")
        assert caught.value.param == "image"
        assert "secret" not in str(caught.value.body("zh", "r")) + str(caught.value.body("en", "r"))
        return caught.value

    async def unfetchable(self, url: str, guard: Guard = GUARD, names: Names | None = None, **options: Any) -> None:
        refusal = await self.refusal(url, guard, names, **options)
        assert (refusal.code, refusal.shape.status) == ("invalid_value", 400)
        assert refusal.message("en") == UNFETCHABLE
        assert refusal.message("zh").startswith("image：无法获取该地址，请")


UNFETCHABLE = "image: the address cannot be fetched: give a public https:// address, or send the file itself"


@pytest.fixture(scope="module")
def certificates() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's, and a client's that trusts it."""
    tls, trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority = trustme.CA()
    authority.issue_cert("public.example", "*.public.example", PUBLIC, INSIDE, "::1").configure_cert(tls)
    authority.configure_trust(trusted)
    return tls, trusted


async def start(world: World, servers: list[asyncio.Server], tls: ssl.SSLContext | None) -> int:
    """A public server, and those inside at the same port, which the system has free at one address only."""
    while True:
        public = await asyncio.start_server(world.serve, PUBLIC, 0, ssl=tls)
        port: int = public.sockets[0].getsockname()[1]
        try:
            servers.append(await asyncio.start_server(world.count, INSIDE, port))
        except OSError:
            public.close()
            continue
        servers.append(public)
        # Not every machine has v6.
        with suppress(OSError):
            servers.append(await asyncio.start_server(world.count, "::1", port))
        return port


@pytest.fixture
async def world(certificates: tuple[ssl.SSLContext, ssl.SSLContext]) -> AsyncIterator[World]:
    tls, trusted = certificates
    world = World(trusted)
    servers: list[asyncio.Server] = []
    world.port = await start(world, servers, tls)
    world.plain = await start(world, servers, None)
    yield world
    for fetcher in world.fetchers:
        await fetcher.aclose()
    for writer in world.writers:
        writer.transport.abort()
    for server in servers:
        server.close()
    await asyncio.sleep(0)


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every address to which a packet was about to go."""
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
    """The files that were made; at the end they are all closed."""
    made: list[IO[bytes]] = []

    def make(max_size: int) -> IO[bytes]:
        made.append(tempfile.SpooledTemporaryFile(max_size))  # noqa: SIM115
        return made[-1]

    monkeypatch.setattr(fetching, "SpooledTemporaryFile", make)
    yield made
    assert made and all(file.closed for file in made)


class TestNothingInsideIsReached:
    async def test_the_servers_count_who_is_not_kept_away(self, world: World, connected: list[str]) -> None:
        everywhere = Guard(networks=(ip_network("0.0.0.0/0"), ip_network("::/0")))
        await world.unfetchable(f"https://127.0.0.1:{world.port}/", everywhere)
        await world.unfetchable(world.to(f"http://127.0.0.1:{world.plain}/"), everywhere)
        assert world.hits >= 2
        assert set(connected) == {INSIDE, PUBLIC}

    @pytest.mark.parametrize("url", HOSTILE_URLS)
    async def test_by_an_address(self, world: World, connected: list[str], url: str) -> None:
        url = url.format(port=world.port)
        names = Names({})
        await world.unfetchable(url, Guard(), names)
        assert (world.hits, connected, names.asked) == (0, [], [])
        # With a network allowed, local names and plain http are looked up and judged by where they lead.
        local = Names({name: [[INSIDE, "::1"]] for name in [*LOCAL_NAMES, "public.example"]})
        await world.unfetchable(url, GUARD, local)
        assert (world.hits, connected) == (0, [])

    @pytest.mark.parametrize("address", [
        *["127.0.0.1", "127.0.0.3", "::1", "::", "0.0.0.0", "10.0.0.1", "169.254.169.254", "100.100.100.200"],
        *["168.63.129.16", "192.168.0.1", "::ffff:127.0.0.1", "::ffff:127.0.0.2", "64:ff9b::7f00:1", "2002:7f00:1::"],
        *["fe80::1", "fe80::1%lo", "::1%lo", "fd00:ec2::254", "224.0.0.1", "255.255.255.255"],
        # What no resolver should answer, and sockets would look up once more.
        *["localhost", "127.1", "2130706433", "0x7f.1", "127.0.0.1 ", "", "private.example"],
    ])  # fmt: skip
    @pytest.mark.parametrize("host", ["127.0.0.1.nip.io", "a.example", "private.public.example"])
    async def test_by_a_name(self, world: World, connected: list[str], address: str, host: str) -> None:
        names = Names({host: [[address], [address, address]]})
        for guard in (Guard(), GUARD):
            await world.unfetchable(world.url("/", host), guard, names)
            await world.unfetchable(f"https://{host}/", guard, names)
        assert (world.hits, connected) == (0, [])
        assert names.asked == [host] * 4

    async def test_by_plain_http_to_a_name_that_lies_outside(self, world: World, connected: list[str]) -> None:
        await world.unfetchable("http://a.example/", GUARD, Names({"a.example": [["8.8.8.8"]]}))
        assert connected == []

    @pytest.mark.parametrize("inside", [[INSIDE], ["::1", INSIDE], ["10.0.0.1", INSIDE, "::1", "169.254.169.254"]])
    async def test_a_name_that_lies_on_both_sides_leads_outside(
        self, world: World, connected: list[str], inside: list[str]
    ) -> None:
        world.pages["/a"] = ok(b"public")
        for found in ([*inside, PUBLIC], [PUBLIC, *inside], [*inside, PUBLIC, *inside]):
            assert await world.fetch(world.url("/a"), GUARD, Names({"public.example": [found]})) == b"public"
        assert (world.hits, set(connected)) == (0, {PUBLIC})

    async def test_nor_when_the_outside_of_it_is_down(self, world: World, connected: list[str]) -> None:
        names = Names({"public.example": [[PUBLIC, INSIDE, "::1"]]})
        with socket.socket() as nobody:
            nobody.bind((PUBLIC, 0))
            await world.unfetchable(f"https://public.example:{nobody.getsockname()[1]}/", GUARD, names)
        assert (world.hits, set(connected)) == (0, {PUBLIC})

    async def test_by_a_name_that_moves_between_two_fetches(self, world: World, connected: list[str]) -> None:
        world.pages["/a"] = ok(b"public")
        names = Names({"public.example": [[PUBLIC], [INSIDE], ["::1"], [PUBLIC], [INSIDE]]})
        fetcher = world.fetcher(names=names)
        results: list[bytes | str] = []
        for _ in range(5):
            try:
                with await fetcher.fetch(world.url("/a"), max_bytes=10, param="image") as file:
                    results.append(file.read())
            except GatewayError as error:
                results.append(error.code)
        assert results == [b"public", "invalid_value", "invalid_value", b"public", "invalid_value"]
        # One look-up for each connection: there is no check before it for an answer to change after.
        assert len(names.asked) == 5
        assert (world.hits, connected) == (0, [PUBLIC, PUBLIC])

    async def test_by_a_name_that_moves_during_a_redirect(self, world: World, connected: list[str]) -> None:
        names = Names({"public.example": [[PUBLIC], [INSIDE]]})
        await world.unfetchable(world.to("/again"), GUARD, names)
        assert (world.hits, connected, names.asked) == (0, [PUBLIC], ["public.example"] * 2)

    @pytest.mark.parametrize("url", [url for url in HOSTILE_URLS if url.isprintable() and "://" in url])
    async def test_by_a_redirect(self, world: World, connected: list[str], url: str) -> None:
        url = url.format(port=world.port)
        local = {name: [[INSIDE, "::1"]] for name in LOCAL_NAMES}
        names = Names({"public.example": [[PUBLIC], [INSIDE]], **local})
        await world.unfetchable(world.to(url), GUARD, names)
        assert (world.hits, connected) == (0, [PUBLIC])

    @pytest.mark.parametrize(
        "locations",
        [
            ["//127.0.0.1:{port}/"],
            ["//[::1]:{port}/"],
            ["//inside.example:{port}/"],
            ["https://inside.example:{port}/"],
            ["HTTPS://INSIDE.example:{port}/"],
            ["http://inside.example:{plain}/"],
            ["http://127.0.0.1:{plain}/"],
            ["http://localhost:{plain}/"],
            ["\\\\127.0.0.1:{port}/"],
            ["/\\127.0.0.1:{port}/"],
            ["https:\t//127.0.0.1:{port}/"],
            ["https://127.0.0.1\t:{port}/"],
            ["https://[::1"],
            ["https://[::1]]:{port}/"],
            ["\udcff://127.0.0.1"],
            ["https://\udce3\udc80\udc82.example/"],
            ["{public}/to?", "https://127.0.0.1:{port}/"],
            ["{public}/to?", "{more}/to?", "https://127.0.0.1:{port}/"],
            ["{more}/to?", "{more}/to?", "https://inside.example:{port}/"],
            ["{more}/to?", "{plainly}/to?", "http://inside.example:{plain}/"],
            ["{plainly}/to?", "http://[::ffff:127.0.0.1]:{plain}/"],
            ["{public}/to?", "file:///etc/passwd"],
        ],
    )
    async def test_by_a_chain_of_redirects(self, world: World, connected: list[str], locations: list[str]) -> None:
        places = {
            "port": world.port,
            "plain": world.plain,
            "public": world.url(""),
            "more": world.url("", "more.public.example"),
            "plainly": f"http://public.example:{world.plain}",
        }
        outside = {"public.example": [[PUBLIC]], "more.public.example": [[PUBLIC]]}
        names = Names({**outside, "inside.example": [[INSIDE, "::1"]], "localhost": [[INSIDE]]})
        await world.unfetchable(world.to(*(location.format(**places) for location in locations)), GUARD, names)
        assert (world.hits, connected) == (0, [PUBLIC] * len(locations))

    async def test_by_the_environments_proxy(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{world.plain}")
        world.pages["/a"] = ok(b"public")
        assert await world.fetch(world.url("/a")) == b"public"
        assert world.hits == 0

    async def test_the_systems_look_ups_are_judged_as_well(
        self, world: World, connected: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.pages["/a"] = ok(b"public")
        found = {"public.example": [PUBLIC], "inside.example": [INSIDE]}

        def look_up(host: str, port: int, *args: Any, **options: Any) -> list[Any]:
            assert threading.current_thread().name.startswith("look-up")
            if host not in found:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found[host]]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        assert await world.fetch(world.url("/a"), resolver=None) == b"public"
        await world.unfetchable(world.url("/a", "inside.example"), resolver=None)
        await world.unfetchable(world.url("/a", "nowhere.example"), resolver=None)
        assert (world.hits, connected) == (0, [PUBLIC])

    async def test_by_a_connection_of_an_earlier_fetch(self, world: World, connected: list[str]) -> None:
        over = asyncio.Event()

        async def hold(writer: asyncio.StreamWriter) -> None:
            writer.write(ok(b"public"))
            await writer.drain()
            await over.wait()

        world.pages["/a"] = hold
        fetcher = world.fetcher(names=Names({"public.example": [[PUBLIC], [PUBLIC], [INSIDE]]}))
        for _ in range(2):
            (await fetcher.fetch(world.url("/a"), max_bytes=10, param="image")).close()
        with pytest.raises(GatewayError):
            await fetcher.fetch(world.url("/a"), max_bytes=10, param="image")
        assert (world.hits, connected) == (0, [PUBLIC, PUBLIC])
        over.set()

    async def test_once_the_guard_is_another(self, world: World, connected: list[str]) -> None:
        fetcher = world.fetcher()
        fetcher.guard = Guard()
        with pytest.raises(GatewayError):
            await fetcher.fetch(world.url("/"), max_bytes=10, param="image")
        assert connected == []

        async def close_the_door(writer: asyncio.StreamWriter) -> None:
            fetcher.guard = Guard()
            writer.write(answer(302, "Location: /a"))

        fetcher.guard = GUARD
        world.pages["/"], world.pages["/a"] = close_the_door, ok(b"public")
        with pytest.raises(GatewayError):
            await fetcher.fetch(world.url("/"), max_bytes=10, param="image")
        assert connected == [PUBLIC]

    async def test_what_there_is_inside_cannot_be_told_by_the_refusals(self, world: World) -> None:
        names = Names({"inside.example": [[INSIDE]], "public.example": [[PUBLIC]]})
        with socket.socket() as nobody:
            nobody.bind((PUBLIC, 0))
            closed = nobody.getsockname()[1]
            refusals = [
                await world.refusal(url, GUARD, names, connect_seconds=0.1)
                for url in (
                    world.url("/", "inside.example"),
                    world.url("/", "127.0.0.1"),
                    world.url("/", "nowhere.example"),
                    f"https://public.example:{closed}/",
                    f"https://public.example:{world.plain}/",
                    world.to(world.url("/", "inside.example")),
                    world.to(world.url("/", "nowhere.example")),
                )
            ]
        bodies = [refusal.body(language, "r") for language in ("zh", "en") for refusal in refusals]
        assert len({str(body) for body in bodies}) == 2


LOCAL_NAMES = [
    *["localhost", "a.localhost", "printer.local", "db.internal", "router.home.arpa", "kubernetes.default.svc"],
    *["redis.default.svc.cluster.local", "intranet"],
]


class TestHonestFiles:
    async def test_are_given_from_their_beginning(self, world: World) -> None:
        for body in (b"", b"picture", b"x" * SPOOL_BYTES, bytes(range(256)) * 8192):
            world.pages["/a.png"] = ok(body)
            assert await world.fetch(world.url("/a.png")) == body

    async def test_by_an_address_as_well_as_by_name(self, world: World) -> None:
        world.pages["/a"] = ok(b"picture")
        assert await world.fetch(f"https://{PUBLIC}:{world.port}/a") == b"picture"
        assert await world.fetch(f"http://{PUBLIC}:{world.plain}/a") == b"picture"
        assert await world.fetch(f"http://public.example:{world.plain}/a") == b"picture"

    async def test_are_asked_for_byte_for_byte_and_with_nothing_of_ours(self, world: World) -> None:
        path = "/a%2Fb%7Ec/..//d?sig=%2b+/=&u=https://x"
        world.pages[path] = ok(b"picture", "Set-Cookie: a=b", "Set-Cookie: c=d; Domain=example")
        fetcher = world.fetcher()
        for _ in range(2):
            (await fetcher.fetch(world.url(path) + "#top", max_bytes=10, param="image")).close()
        heads = [head.decode().lower() for head in world.requests]
        assert world.requests[0].startswith(f"GET {path} HTTP/1.1\r\n".encode())
        assert heads[0] == heads[1]
        assert "accept-encoding: identity\r\n" in heads[0]
        assert f"host: public.example:{world.port}\r\n" in heads[0]
        assert not any(word in heads[0] for word in ("cookie", "authorization", "referer", "aiohttp", "python"))

    async def test_in_chunks_or_until_the_host_hangs_up(self, world: World) -> None:
        world.pages["/chunks"] = answer(200, "Transfer-Encoding: chunked") + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        world.pages["/end"] = answer(200) + b"abcde"
        assert await world.fetch(world.url("/chunks")) == b"abcde"
        assert await world.fetch(world.url("/end")) == b"abcde"

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_at_the_end_of_three_redirects(self, world: World, status: int) -> None:
        world.pages["/d/a"] = answer(status, "Location: /d/b", "Content-Length: 0")
        world.pages["/d/b"] = answer(status, "Location: c?x=1", "Content-Length: 4") + b"body"
        world.pages["/d/c?x=1"] = answer(status, f"Location: {world.url('/end#part', 'more.public.example')}")
        world.pages["/end"] = ok(b"picture")
        assert await world.fetch(world.url("/d/a")) == b"picture"
        assert len(world.requests) == 4

    async def test_but_not_of_four_or_in_a_circle(self, world: World) -> None:
        world.pages["/end"] = ok(b"picture")
        await world.unfetchable(world.to(*[world.url("/to?")] * 3, world.url("/end")))
        assert len(world.requests) == 4
        world.pages["/circle"] = answer(302, "Location: /circle")
        await world.unfetchable(world.url("/circle"))
        assert len(world.requests) == 8

    async def test_not_from_a_host_that_cannot_prove_its_name(self, world: World) -> None:
        world.pages["/a"] = ok(b"picture")
        await world.unfetchable(world.url("/a", "other.example"), GUARD, Names({"other.example": [[PUBLIC]]}))
        await world.unfetchable(world.url("/a"), tls=None)
        assert world.requests == []

    async def test_lists_hold_for_redirects_too(self, world: World) -> None:
        world.pages["/a"] = ok(b"picture")
        there = world.url("/a", "more.public.example")
        only = Guard(networks=GUARD.networks, hosts=("public.example",))
        denied = Guard(networks=GUARD.networks, denied_hosts=(".public.example",))
        for guard in (only, denied):
            assert await world.fetch(world.url("/a"), guard) == b"picture"
            await world.unfetchable(world.to(there), guard)
        assert await world.fetch(world.to(there)) == b"picture"

    async def test_side_by_side_and_again_after_a_failure(self, world: World) -> None:
        world.pages["/a"] = ok(b"picture")
        fetcher = world.fetcher()
        urls = [world.url("/a"), world.url("/missing"), world.url("/", "127.0.0.1"), world.url("/a")] * 5
        fetches = (fetcher.fetch(url, max_bytes=10, param="image") for url in urls)
        results = await asyncio.gather(*fetches, return_exceptions=True)
        assert [isinstance(result, GatewayError) for result in results] == [False, True, True, False] * 5
        for result in results:
            if not isinstance(result, BaseException):
                assert result.read() == b"picture"
                result.close()


@pytest.mark.usefixtures("files")
class TestLimits:
    async def test_of_size_by_what_the_host_announces(self, world: World) -> None:
        world.pages["/a"] = answer(200, "Content-Length: 1048577")
        refusal = await world.refusal(world.url("/a"), max_bytes=1024 * 1024)
        assert (refusal.code, refusal.shape.status) == ("too_large", 413)
        assert refusal.message("en").startswith("image: the file at the address is too large, at most 1 MB")
        assert refusal.message("zh").startswith("image：该地址的文件过大，上限为 1 MB")

    @pytest.mark.parametrize("announced", [(), ("Transfer-Encoding: chunked",)])
    async def test_of_size_by_what_comes(self, world: World, announced: tuple[str, ...]) -> None:
        sent = 0

        async def endless(writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            writer.write(answer(200, *announced))
            while True:
                writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n" if announced else b"x" * 0x10000)
                sent += 0x10000
                await writer.drain()

        world.pages["/a"] = endless
        refusal = await world.refusal(world.url("/a"), max_bytes=3 * 1024 * 1024)
        assert refusal.code == "too_large"
        assert sent < 64 * 1024 * 1024

    async def test_of_size_are_met_to_the_byte(self, world: World) -> None:
        world.pages["/a"] = answer(200) + b"12345"
        with await world.fetcher().fetch(world.url("/a"), max_bytes=5, param="image") as file:
            assert file.read() == b"12345"
        assert (await world.refusal(world.url("/a"), max_bytes=4)).code == "too_large"

    async def test_more_than_was_announced_is_no_file(self, world: World) -> None:
        world.pages["/a"] = answer(200, "Content-Length: 3") + b"123456789"
        assert (await world.refusal(world.url("/a"))).code == "invalid_value"

    async def test_less_than_was_announced_is_no_file(self, world: World) -> None:
        for page in (answer(200, "Content-Length: 9"), answer(200, "Transfer-Encoding: chunked") + b"9\r\n"):
            world.pages["/a"] = page + b"secret"
            refusal = await world.refusal(world.url("/a"))
            assert (refusal.code, refusal.message("en")[:45]) == (
                "invalid_value",
                "image: the address's host broke off the downl",
            )

    @pytest.mark.parametrize(
        "start", [b"", answer(200), answer(200, "Content-Length: 1000"), b"HTTP/1.1 200 OK\r\nA: "]
    )
    async def test_of_time_hold_against_a_drip(self, world: World, start: bytes) -> None:
        async def drip(writer: asyncio.StreamWriter) -> None:
            writer.write(start)
            for _ in range(100):
                writer.write(b"H")
                await writer.drain()
                await asyncio.sleep(0.01 if start else 5)

        world.pages["/a"] = drip
        loop = asyncio.get_running_loop()
        begun = loop.time()
        refusal = await world.refusal(world.url("/a"), max_seconds=0.05)
        assert loop.time() - begun < 2
        assert refusal.code == "invalid_value"
        assert "more than 0.05 s" in refusal.message("en")
        assert "0.05 秒" in refusal.message("zh")

    async def test_of_time_are_for_all_redirects_together(self, world: World) -> None:
        async def slowly(writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.05)
            writer.write(answer(302, "Location: /a"))

        world.pages["/a"] = slowly
        assert "more than 0.08 s" in (await world.refusal(world.url("/a"), max_seconds=0.08)).message("en")

    async def test_of_time_for_a_look_up_are_told_like_a_name_that_is_not_there(self, world: World) -> None:
        class Slow(Names):
            async def resolve(self, *args: Any, **options: Any) -> list[ResolveResult]:
                await asyncio.sleep(5)
                raise AssertionError

        await world.unfetchable(world.url("/a"), GUARD, Slow({}), connect_seconds=0.05)

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "identity, gzip", "x"])
    async def test_what_is_compressed_is_refused(self, world: World, encoding: str) -> None:
        world.pages["/a"] = ok(b"bomb", f"Content-Encoding: {encoding}")
        refusal = await world.refusal(world.url("/a"))
        assert (refusal.code, "Content-Encoding" in refusal.message("zh")) == ("invalid_value", True)
        world.pages["/a"] = ok(b"plain", "Content-Encoding: Identity")
        assert await world.fetch(world.url("/a")) == b"plain"

    @pytest.mark.parametrize("status", [201, 204, 206, 300, 304, 400, 401, 403, 404, 410, 429, 500, 503])
    async def test_any_status_but_200_is_told(self, world: World, status: int) -> None:
        bodiless = status in (204, 304)
        world.pages["/a"] = answer(status, "Location: /b", "X: secret") + (b"" if bodiless else b"secret")
        refusal = await world.refusal(world.url("/a"))
        assert (refusal.code, f"HTTP {status}" in refusal.message("en")) == ("invalid_value", True)
        assert f"HTTP {status}" in refusal.message("zh")

    async def test_a_redirect_to_nowhere_is_a_status_too(self, world: World) -> None:
        world.pages["/a"] = answer(302, "Content-Length: 0")
        assert "HTTP 302" in (await world.refusal(world.url("/a"))).message("en")

    @pytest.mark.parametrize(
        "page",
        [
            b"",
            b"secret\r\n\r\n",
            b"HTTP/9.9 200 OK\r\n\r\n",
            b"HTTP/1.1 99999 OK\r\n\r\n",
            b"SSH-2.0-secret\r\n",
            b"220 secret ESMTP\r\n",
            answer(200, "Content-Length: -1"),
            answer(200, "Content-Length: 1", "Content-Length: 2") + b"ab",
            answer(200, "Content-Length: 1", "Transfer-Encoding: chunked") + b"zz",
            answer(200, "A: " + "x" * 100_000),
            answer(200, *["A: x"] * 10_000),
            answer(200, "A\x00: x"),
            answer(100) * 1000,
            answer(101, "Upgrade: websocket", "Connection: upgrade"),
            answer(200, "Transfer-Encoding: chunked") + b"secret\r\n",
            answer(200, "Transfer-Encoding: chunked") + b"fffffffffffffffffff\r\n",
            answer(302, "Location: " + "x" * 8000),
        ],
    )
    async def test_garbage_is_no_file(self, world: World, page: bytes) -> None:
        world.pages["/a"] = page
        assert (await world.refusal(world.url("/a"))).code == "invalid_value"

    async def test_who_stops_waiting_leaves_nothing_open(self, world: World, files: list[IO[bytes]]) -> None:
        come = asyncio.Event()

        async def stall(writer: asyncio.StreamWriter) -> None:
            writer.write(answer(200) + b"x" * 100)
            await writer.drain()
            come.set()
            await asyncio.sleep(5)

        world.pages["/a"] = stall
        fetch = asyncio.ensure_future(world.fetcher().fetch(world.url("/a"), max_bytes=LIMIT, param="image"))
        await come.wait()
        fetch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetch
        assert files[0].closed

    async def test_no_file_is_closed_while_it_is_written(
        self, world: World, files: list[IO[bytes]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        in_thread = fetching._in_thread
        begun, go_on, open_at_the_end = threading.Event(), threading.Event(), []

        async def slowly(call: Callable[[], object]) -> None:
            def write() -> None:
                begun.set()
                go_on.wait(5)
                call()
                open_at_the_end.append(not files[0].closed)

            await in_thread(write)

        monkeypatch.setattr(fetching, "_in_thread", slowly)
        world.pages["/a"] = ok(b"x" * 2 * SPOOL_BYTES)
        fetch = asyncio.ensure_future(world.fetcher().fetch(world.url("/a"), max_bytes=LIMIT, param="image"))
        await asyncio.to_thread(partial(begun.wait, 5))
        fetch.cancel()
        await asyncio.sleep(0.01)
        assert not fetch.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await fetch
        assert open_at_the_end == [True]

    async def test_a_full_disk_is_not_the_clients_fault(
        self, world: World, files: list[IO[bytes]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def full(call: Callable[[], object]) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(fetching, "_in_thread", full)
        world.pages["/a"] = ok(b"x" * 2 * SPOOL_BYTES)
        with pytest.raises(OSError, match="No space"):
            await world.fetch(world.url("/a"))


async def test_who_waits_too_long_for_a_turn_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "FETCHES", 1)
    async with aclosing(Fetcher(Guard(), max_seconds=0.05)) as fetcher:
        await fetcher._turns.acquire()
        with pytest.raises(GatewayError) as caught:
            await fetcher.fetch("https://example.com/a.png", max_bytes=10, param="image")
    assert (caught.value.code, caught.value.shape.should_retry) == ("upstream_unavailable", True)
