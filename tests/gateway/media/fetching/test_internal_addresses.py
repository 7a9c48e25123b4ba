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
from tests.gateway.media.fetching.fixtures import INSIDE, PUBLIC, URL_POLICY, Names, Network, answer, ok
from tests.gateway.media.fetching.hostile import HOSTILE_URLS


class TestInternalAddresses:
    async def test_servers_count_connections_of_a_permissive_policy(
        self, network: Network, connected: list[str]
    ) -> None:
        everywhere = UrlPolicy(networks=(ip_network("0.0.0.0/0"), ip_network("::/0")))
        await network.unfetchable(f"https://127.0.0.1:{network.port}/", everywhere)
        await network.unfetchable(network.to(f"http://127.0.0.1:{network.plain}/"), everywhere)
        assert network.hits >= 2
        assert set(connected) == {INSIDE, PUBLIC}

    @pytest.mark.parametrize("url", HOSTILE_URLS)
    async def test_internal_address_is_not_fetched(self, network: Network, connected: list[str], url: str) -> None:
        url = url.format(port=network.port)
        names = Names({})
        await network.unfetchable(url, UrlPolicy(), names)
        assert (network.hits, connected, names.asked) == (0, [], [])
        # With a network allowed, local names and plain http are looked up and judged by where they lead.
        local = Names({name: [[INSIDE, "::1"]] for name in [*LOCAL_NAMES, "public.example"]})
        await network.unfetchable(url, URL_POLICY, local)
        assert (network.hits, connected) == (0, [])

    @pytest.mark.parametrize("address", [
        *["127.0.0.1", "127.0.0.3", "::1", "::", "0.0.0.0", "10.0.0.1", "169.254.169.254", "100.100.100.200"],
        *["168.63.129.16", "192.168.0.1", "::ffff:127.0.0.1", "::ffff:127.0.0.2", "64:ff9b::7f00:1", "2002:7f00:1::"],
        *["fe80::1", "fe80::1%lo", "::1%lo", "fd00:ec2::254", "224.0.0.1", "255.255.255.255"],
        # Answers that are no addresses, which sockets would resolve again.
        *["localhost", "127.1", "2130706433", "0x7f.1", "127.0.0.1 ", "", "private.example"],
    ])  # fmt: skip
    @pytest.mark.parametrize("host", ["127.0.0.1.nip.io", "a.example", "private.public.example"])
    async def test_name_of_an_internal_address_is_not_fetched(
        self, network: Network, connected: list[str], address: str, host: str
    ) -> None:
        names = Names({host: [[address], [address, address]]})
        for url_policy in (UrlPolicy(), URL_POLICY):
            await network.unfetchable(network.url("/", host), url_policy, names)
            await network.unfetchable(f"https://{host}/", url_policy, names)
        assert (network.hits, connected) == (0, [])
        assert names.asked == [host] * 4

    async def test_plain_http_to_a_public_name_is_not_fetched(self, network: Network, connected: list[str]) -> None:
        await network.unfetchable("http://a.example/", URL_POLICY, Names({"a.example": [["8.8.8.8"]]}))
        assert connected == []

    @pytest.mark.parametrize("inside", [[INSIDE], ["::1", INSIDE], ["10.0.0.1", INSIDE, "::1", "169.254.169.254"]])
    async def test_name_with_public_and_internal_addresses_uses_the_public_one(
        self, network: Network, connected: list[str], inside: list[str]
    ) -> None:
        network.pages["/a"] = ok(b"public")
        for found in ([*inside, PUBLIC], [PUBLIC, *inside], [*inside, PUBLIC, *inside]):
            assert await network.fetch(network.url("/a"), URL_POLICY, Names({"public.example": [found]})) == b"public"
        assert (network.hits, set(connected)) == (0, {PUBLIC})

    async def test_internal_address_is_not_a_fallback_for_an_unreachable_public_one(
        self, network: Network, connected: list[str]
    ) -> None:
        names = Names({"public.example": [[PUBLIC, INSIDE, "::1"]]})
        with socket.socket() as nobody:
            nobody.bind((PUBLIC, 0))
            await network.unfetchable(f"https://public.example:{nobody.getsockname()[1]}/", URL_POLICY, names)
        assert (network.hits, set(connected)) == (0, {PUBLIC})

    async def test_name_rebound_between_two_fetches_is_not_fetched(
        self, network: Network, connected: list[str]
    ) -> None:
        network.pages["/a"] = ok(b"public")
        names = Names({"public.example": [[PUBLIC], [INSIDE], ["::1"], [PUBLIC], [INSIDE]]})
        fetcher = network.fetcher(names=names)
        results: list[bytes | str] = []
        for _ in range(5):
            try:
                with await fetcher.fetch(network.url("/a"), max_bytes=10, param="image") as file:
                    results.append(file.read())
            except GatewayError as error:
                results.append(error.code)
        assert results == [b"public", "invalid_value", "invalid_value", b"public", "invalid_value"]
        # One lookup for each connection: no earlier check uses another answer.
        assert len(names.asked) == 5
        assert (network.hits, connected) == (0, [PUBLIC, PUBLIC])

    async def test_name_rebound_during_a_redirect_is_not_fetched(self, network: Network, connected: list[str]) -> None:
        names = Names({"public.example": [[PUBLIC], [INSIDE]]})
        await network.unfetchable(network.to("/again"), URL_POLICY, names)
        assert (network.hits, connected, names.asked) == (0, [PUBLIC], ["public.example"] * 2)

    @pytest.mark.parametrize("url", [url for url in HOSTILE_URLS if url.isprintable() and "://" in url])
    async def test_redirect_to_an_internal_address_is_not_followed(
        self, network: Network, connected: list[str], url: str
    ) -> None:
        url = url.format(port=network.port)
        local = {name: [[INSIDE, "::1"]] for name in LOCAL_NAMES}
        names = Names({"public.example": [[PUBLIC], [INSIDE]], **local})
        await network.unfetchable(network.to(url), URL_POLICY, names)
        assert (network.hits, connected) == (0, [PUBLIC])

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
    async def test_chain_of_redirects_to_an_internal_address_is_not_followed(
        self, network: Network, connected: list[str], locations: list[str]
    ) -> None:
        fields = {
            "port": network.port,
            "plain": network.plain,
            "public": network.url(""),
            "more": network.url("", "more.public.example"),
            "plainly": f"http://public.example:{network.plain}",
        }
        outside = {"public.example": [[PUBLIC]], "more.public.example": [[PUBLIC]]}
        names = Names({**outside, "inside.example": [[INSIDE, "::1"]], "localhost": [[INSIDE]]})
        await network.unfetchable(network.to(*(location.format(**fields) for location in locations)), URL_POLICY, names)
        assert (network.hits, connected) == (0, [PUBLIC] * len(locations))

    async def test_proxy_of_the_environment_is_not_used(
        self, network: Network, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{network.plain}")
        network.pages["/a"] = ok(b"public")
        assert await network.fetch(network.url("/a")) == b"public"
        assert network.hits == 0

    async def test_system_resolver_results_are_checked(
        self, network: Network, connected: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        network.pages["/a"] = ok(b"public")
        found = {"public.example": [PUBLIC], "inside.example": [INSIDE]}

        def look_up(host: str, port: int, *args: Any, **options: Any) -> list[Any]:
            assert threading.current_thread().name.startswith("dns-lookup")
            if host not in found:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found[host]]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        assert await network.fetch(network.url("/a"), resolver=None) == b"public"
        await network.unfetchable(network.url("/a", "inside.example"), resolver=None)
        await network.unfetchable(network.url("/a", "nowhere.example"), resolver=None)
        assert (network.hits, connected) == (0, [PUBLIC])

    async def test_connection_of_an_earlier_fetch_is_not_reused(self, network: Network, connected: list[str]) -> None:
        over = asyncio.Event()

        async def hold(writer: asyncio.StreamWriter) -> None:
            writer.write(ok(b"public"))
            await writer.drain()
            await over.wait()

        network.pages["/a"] = hold
        fetcher = network.fetcher(names=Names({"public.example": [[PUBLIC], [PUBLIC], [INSIDE]]}))
        for _ in range(2):
            (await fetcher.fetch(network.url("/a"), max_bytes=10, param="image")).close()
        with pytest.raises(GatewayError):
            await fetcher.fetch(network.url("/a"), max_bytes=10, param="image")
        assert (network.hits, connected) == (0, [PUBLIC, PUBLIC])
        over.set()

    async def test_changed_url_policy_applies_to_the_next_connection(
        self, network: Network, connected: list[str]
    ) -> None:
        fetcher = network.fetcher()
        fetcher.url_policy = UrlPolicy()
        with pytest.raises(GatewayError):
            await fetcher.fetch(network.url("/"), max_bytes=10, param="image")
        assert connected == []

        async def close_the_door(writer: asyncio.StreamWriter) -> None:
            fetcher.url_policy = UrlPolicy()
            writer.write(answer(302, "Location: /a"))

        fetcher.url_policy = URL_POLICY
        network.pages["/"], network.pages["/a"] = close_the_door, ok(b"public")
        with pytest.raises(GatewayError):
            await fetcher.fetch(network.url("/"), max_bytes=10, param="image")
        assert connected == [PUBLIC]

    async def test_errors_do_not_reveal_internal_hosts(self, network: Network) -> None:
        names = Names({"inside.example": [[INSIDE]], "public.example": [[PUBLIC]]})
        with socket.socket() as nobody:
            nobody.bind((PUBLIC, 0))
            closed = nobody.getsockname()[1]
            errors = [
                await network.fetch_error(url, URL_POLICY, names, connect_seconds=0.1)
                for url in (
                    network.url("/", "inside.example"),
                    network.url("/", "127.0.0.1"),
                    network.url("/", "nowhere.example"),
                    f"https://public.example:{closed}/",
                    f"https://public.example:{network.plain}/",
                    network.to(network.url("/", "inside.example")),
                    network.to(network.url("/", "nowhere.example")),
                )
            ]
        bodies = [error.body(language, "r") for language in ("zh", "en") for error in errors]
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
async def test_log_gives_the_reason_without_passwords(
    network: Network, caplog: pytest.LogCaptureFixture, url: str, host: str
) -> None:
    with caplog.at_level("INFO", "gateway"):
        await network.unfetchable(url)
    (line,) = (TextFormatter().format(record) for record in caplog.records if record.name == "gateway")
    assert f"param=image host={host} cause=" in line
    assert not any(part in line for part in ("sec", "ret", "alice"))
