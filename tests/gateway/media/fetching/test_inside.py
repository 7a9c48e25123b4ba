"""SSRF: the internal network is not reached, for any URL and any DNS response."""

import asyncio
import socket
import threading
from ipaddress import ip_network
from typing import Any

import pytest

from gateway.core.errors import GatewayError
from gateway.core.logs import TextFormatter
from gateway.media.url_policy import UrlPolicy
from tests.gateway.media.fetching.fixtures import INSIDE, POLICY, PUBLIC, Names, World, answer, ok
from tests.gateway.media.fetching.hostile import HOSTILE_URLS


class TestInternalNetworkIsNotReached:
    async def test_test_servers_count_connections(self, world: World, connected: list[str]) -> None:
        everywhere = UrlPolicy(networks=(ip_network("0.0.0.0/0"), ip_network("::/0")))
        await world.unfetchable(f"https://127.0.0.1:{world.port}/", everywhere)
        await world.unfetchable(world.to(f"http://127.0.0.1:{world.plain}/"), everywhere)
        assert world.hits >= 2
        assert set(connected) == {INSIDE, PUBLIC}

    @pytest.mark.parametrize("url", HOSTILE_URLS)
    async def test_by_an_ip_address(self, world: World, connected: list[str], url: str) -> None:
        url = url.format(port=world.port)
        names = Names({})
        await world.unfetchable(url, UrlPolicy(), names)
        assert (world.hits, connected, names.asked) == (0, [], [])
        # With an allowed network, local names and plain http are resolved, and their addresses checked.
        local = Names({name: [[INSIDE, "::1"]] for name in [*LOCAL_NAMES, "public.example"]})
        await world.unfetchable(url, POLICY, local)
        assert (world.hits, connected) == (0, [])

    @pytest.mark.parametrize("address", [
        *["127.0.0.1", "127.0.0.3", "::1", "::", "0.0.0.0", "10.0.0.1", "169.254.169.254", "100.100.100.200"],
        *["168.63.129.16", "192.168.0.1", "::ffff:127.0.0.1", "::ffff:127.0.0.2", "64:ff9b::7f00:1", "2002:7f00:1::"],
        *["fe80::1", "fe80::1%lo", "::1%lo", "fd00:ec2::254", "224.0.0.1", "255.255.255.255"],
        # Answers that are no addresses, which sockets would resolve again.
        *["localhost", "127.1", "2130706433", "0x7f.1", "127.0.0.1 ", "", "private.example"],
    ])  # fmt: skip
    @pytest.mark.parametrize("host", ["127.0.0.1.nip.io", "a.example", "private.public.example"])
    async def test_by_a_host_name(self, world: World, connected: list[str], address: str, host: str) -> None:
        names = Names({host: [[address], [address, address]]})
        for url_policy in (UrlPolicy(), POLICY):
            await world.unfetchable(world.url("/", host), url_policy, names)
            await world.unfetchable(f"https://{host}/", url_policy, names)
        assert (world.hits, connected) == (0, [])
        assert names.asked == [host] * 4

    async def test_by_plain_http_to_a_public_name(self, world: World, connected: list[str]) -> None:
        await world.unfetchable("http://a.example/", POLICY, Names({"a.example": [["8.8.8.8"]]}))
        assert connected == []

    @pytest.mark.parametrize("inside", [[INSIDE], ["::1", INSIDE], ["10.0.0.1", INSIDE, "::1", "169.254.169.254"]])
    async def test_name_with_public_and_internal_addresses_uses_the_public_one(
        self, world: World, connected: list[str], inside: list[str]
    ) -> None:
        world.pages["/a"] = ok(b"public")
        for found in ([*inside, PUBLIC], [PUBLIC, *inside], [*inside, PUBLIC, *inside]):
            assert await world.fetch(world.url("/a"), POLICY, Names({"public.example": [found]})) == b"public"
        assert (world.hits, set(connected)) == (0, {PUBLIC})

    async def test_internal_address_is_not_tried_when_the_public_one_is_down(
        self, world: World, connected: list[str]
    ) -> None:
        names = Names({"public.example": [[PUBLIC, INSIDE, "::1"]]})
        with socket.socket() as nobody:
            nobody.bind((PUBLIC, 0))
            await world.unfetchable(f"https://public.example:{nobody.getsockname()[1]}/", POLICY, names)
        assert (world.hits, set(connected)) == (0, {PUBLIC})

    async def test_by_dns_rebinding_between_two_fetches(self, world: World, connected: list[str]) -> None:
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
        # One lookup for each connection: no earlier check uses another answer.
        assert len(names.asked) == 5
        assert (world.hits, connected) == (0, [PUBLIC, PUBLIC])

    async def test_by_dns_rebinding_during_a_redirect(self, world: World, connected: list[str]) -> None:
        names = Names({"public.example": [[PUBLIC], [INSIDE]]})
        await world.unfetchable(world.to("/again"), POLICY, names)
        assert (world.hits, connected, names.asked) == (0, [PUBLIC], ["public.example"] * 2)

    @pytest.mark.parametrize("url", [url for url in HOSTILE_URLS if url.isprintable() and "://" in url])
    async def test_by_a_redirect(self, world: World, connected: list[str], url: str) -> None:
        url = url.format(port=world.port)
        local = {name: [[INSIDE, "::1"]] for name in LOCAL_NAMES}
        names = Names({"public.example": [[PUBLIC], [INSIDE]], **local})
        await world.unfetchable(world.to(url), POLICY, names)
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
        await world.unfetchable(world.to(*(location.format(**places) for location in locations)), POLICY, names)
        assert (world.hits, connected) == (0, [PUBLIC] * len(locations))

    async def test_by_the_proxy_of_the_environment(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{world.plain}")
        world.pages["/a"] = ok(b"public")
        assert await world.fetch(world.url("/a")) == b"public"
        assert world.hits == 0

    async def test_addresses_of_the_system_resolver_are_checked(
        self, world: World, connected: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.pages["/a"] = ok(b"public")
        found = {"public.example": [PUBLIC], "inside.example": [INSIDE]}

        def look_up(host: str, port: int, *args: Any, **options: Any) -> list[Any]:
            assert threading.current_thread().name.startswith("dns-lookup")
            if host not in found:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found[host]]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        assert await world.fetch(world.url("/a"), resolver=None) == b"public"
        await world.unfetchable(world.url("/a", "inside.example"), resolver=None)
        await world.unfetchable(world.url("/a", "nowhere.example"), resolver=None)
        assert (world.hits, connected) == (0, [PUBLIC])

    async def test_by_reuse_of_an_earlier_connection(self, world: World, connected: list[str]) -> None:
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

    async def test_new_policy_applies_at_once(self, world: World, connected: list[str]) -> None:
        fetcher = world.fetcher()
        fetcher.url_policy = UrlPolicy()
        with pytest.raises(GatewayError):
            await fetcher.fetch(world.url("/"), max_bytes=10, param="image")
        assert connected == []

        async def close_the_door(writer: asyncio.StreamWriter) -> None:
            fetcher.url_policy = UrlPolicy()
            writer.write(answer(302, "Location: /a"))

        fetcher.url_policy = POLICY
        world.pages["/"], world.pages["/a"] = close_the_door, ok(b"public")
        with pytest.raises(GatewayError):
            await fetcher.fetch(world.url("/"), max_bytes=10, param="image")
        assert connected == [PUBLIC]

    async def test_errors_do_not_reveal_the_internal_network(self, world: World) -> None:
        names = Names({"inside.example": [[INSIDE]], "public.example": [[PUBLIC]]})
        with socket.socket() as nobody:
            nobody.bind((PUBLIC, 0))
            closed = nobody.getsockname()[1]
            refusals = [
                await world.refusal(url, POLICY, names, connect_seconds=0.1)
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


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://inside.internal/path?signature=secret", "inside.internal"),
        ("https://127.0.0.1:8080\\secret", "127.0.0.1:8080"),
        ("https://alice:secret@inside.internal/", ""),
        ("https://alice:sec/ret@inside.internal/", ""),
        ("https:secret@inside.internal/", ""),
    ],
)
async def test_log_has_the_cause_and_no_password(
    world: World, caplog: pytest.LogCaptureFixture, url: str, host: str
) -> None:
    with caplog.at_level("INFO", "gateway"):
        await world.unfetchable(url)
    (line,) = (TextFormatter().format(record) for record in caplog.records if record.name == "gateway")
    assert f"param=image host={host} cause=" in line
    assert not any(part in line for part in ("sec", "ret", "alice"))
