"""Links of upstreams and proxies of callers: their addresses are checked where the socket is made."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from yarl import URL

from providers.contract.accounts import CallerProxy, Proxy
from providers.contract.errors import ErrorKind, ProviderError
from providers.transport.address_policy import LINK_DISALLOWED, Policies
from providers.transport.client import HttpClient
from providers.transport.failures import CALLER_PROXY_FAILED
from providers.transport.timeouts import Timeouts
from tests.providers.raw import OK, upstream
from tests.providers.transport.policies import LOOPBACK, ListedAddresses
from tests.proxies import RunningProxy

Call = Callable[..., Coroutine[Any, Any, bytes]]


async def sent(http: HttpClient, url: str, proxy: Proxy | None = None) -> bytes:
    return (await http.send("POST", url, headers={}, json={}, proxy=proxy, is_link=True)).body


async def sent_once(http: HttpClient, url: str, proxy: Proxy | None = None) -> bytes:
    return (await http.send("POST", url, headers={}, json={}, proxy=proxy, is_link=True, once=True)).body


async def fetched(http: HttpClient, url: str, proxy: Proxy | None = None) -> bytes:
    async with http.stream("GET", url, headers={}, proxy=proxy) as download:
        return b"".join([piece async for piece in download.pieces])


async def uploaded(http: HttpClient, url: str, proxy: Proxy | None = None) -> bytes:
    async def content() -> AsyncIterator[bytes]:
        yield b"x"

    return (await http.upload("POST", url, headers={}, content=content(), length=1, proxy=proxy)).body


every_call = pytest.mark.parametrize("call", [sent, sent_once, fetched, uploaded])
SCHEMES = ["http", "socks4", "socks4a", "socks5", "socks5h"]


def origin(url: str) -> tuple[str, int]:
    return URL(url).raw_host or "", URL(url).port or 0


async def error_of(call: Coroutine[Any, Any, bytes]) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await call
    return caught.value


async def ok(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)


@pytest.fixture
async def heads() -> list[bytes]:
    return []


@pytest.fixture
async def host(heads: list[bytes]) -> AsyncIterator[str]:
    """An internal host. It notes what arrives."""

    async def note(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(OK)

    async with upstream(note) as url:
        yield url


class TestLinks:
    @every_call
    @pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
    async def test_socket_to_a_forbidden_address_is_not_made(
        self, heads: list[bytes], host: str, call: Call, name: str
    ) -> None:
        policy = ListedAddresses()
        async with HttpClient(policies=Policies(links=policy)) as http:
            error = await error_of(call(http, host.replace("127.0.0.1", name)))
        assert (error.kind, error.detail) == (ErrorKind.UPSTREAM_ERROR, LINK_DISALLOWED)
        assert heads == []
        assert set(policy.asked) <= LOOPBACK
        assert policy.asked

    @every_call
    async def test_allowed_address_is_connected_to(self, host: str, call: Call) -> None:
        async with HttpClient(policies=Policies(links=ListedAddresses(LOOPBACK))) as http:
            assert await call(http, host) == b"{}"

    @every_call
    async def test_forbidden_host_is_not_looked_up(self, heads: list[bytes], host: str, call: Call) -> None:
        policy = ListedAddresses(LOOPBACK, frozenset({"127.0.0.1"}))
        async with HttpClient(policies=Policies(links=policy)) as http:
            assert (await error_of(call(http, host))).detail == LINK_DISALLOWED
        assert (policy.asked, heads) == ([], [])

    @every_call
    async def test_trusted_origin_needs_no_permission(self, host: str, call: Call) -> None:
        policy = ListedAddresses(forbidden_hosts=frozenset({"127.0.0.1"}))
        async with HttpClient(policies=Policies(links=policy, trusted=frozenset({origin(host)}))) as http:
            assert await call(http, host) == b"{}"
            async with upstream(ok) as another_port:
                assert (await error_of(call(http, another_port))).detail == LINK_DISALLOWED

    async def test_name_that_resolves_anew_is_checked_anew(self, heads: list[bytes], host: str) -> None:
        """DNS rebinding: the check is not of an earlier answer of the name server."""
        policy = ListedAddresses(LOOPBACK)
        async with HttpClient(policies=Policies(links=policy)) as http:
            url = host.replace("127.0.0.1", "localhost")
            assert await sent_once(http, url) == b"{}"
            policy.allowed = frozenset()
            assert (await error_of(sent_once(http, url))).detail == LINK_DISALLOWED
        assert len(heads) == 1

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_redirect_to_a_forbidden_address_is_not_followed(
        self, heads: list[bytes], host: str, status: int
    ) -> None:
        async def elsewhere(head: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write(f"HTTP/1.1 {status} X\r\nLocation: {host}/metrics\r\nContent-Length: 0\r\n\r\n".encode())

        async with upstream(elsewhere) as url:
            policies = Policies(links=ListedAddresses(), trusted=frozenset({origin(url)}))
            async with HttpClient(policies=policies) as http:
                assert (await error_of(fetched(http, url))).detail == LINK_DISALLOWED
        assert heads == []

    async def test_calls_to_configured_hosts_are_not_checked(self, host: str) -> None:
        async with HttpClient(policies=Policies(links=ListedAddresses())) as http:
            assert (await http.send("GET", host, headers={})).status == 200

    async def test_new_policies_reuse_no_connection(self, host: str) -> None:
        async with HttpClient() as http:
            assert await fetched(http, host) == await sent(http, host) == b"{}"
            http.policies = Policies(links=ListedAddresses())
            for call in (fetched(http, host), sent(http, host)):
                assert (await error_of(call)).detail == LINK_DISALLOWED

    @pytest.mark.parametrize("scheme", SCHEMES)
    @every_call
    async def test_operators_proxy_is_used_and_the_host_checked(
        self, heads: list[bytes], host: str, scheme: str, call: Call
    ) -> None:
        """The proxy does the DNS: only what the URL says can be checked."""
        policy = ListedAddresses(forbidden_hosts=frozenset({"127.0.0.1"}))
        with RunningProxy(scheme) as proxy:
            async with HttpClient(policies=Policies(links=policy, proxies=ListedAddresses())) as http:
                assert (await error_of(call(http, host, proxy.url))).detail == LINK_DISALLOWED
                assert proxy.connections == []
                policy.forbidden_hosts = frozenset()
                assert await call(http, host, proxy.url) == b"{}"
        assert policy.asked == []


class TestProxiesOfCallers:
    @pytest.mark.parametrize("scheme", SCHEMES)
    @every_call
    async def test_socket_to_a_forbidden_proxy_is_not_made(self, host: str, scheme: str, call: Call) -> None:
        policy = ListedAddresses()
        with RunningProxy(scheme) as proxy:
            url = proxy.url.replace("127.0.0.1", "localhost")
            async with HttpClient(policies=Policies(proxies=policy)) as http:
                error = await error_of(call(http, host, CallerProxy(url)))
                # The same address, named by the operator.
                assert await call(http, host, url) == b"{}"
        assert (error.kind, error.detail, error.message) == (ErrorKind.UNREACHABLE, "", CALLER_PROXY_FAILED)
        assert len(proxy.connections) == 1
        assert policy.asked

    @pytest.mark.parametrize("scheme", SCHEMES)
    @every_call
    async def test_allowed_proxy_is_used(self, host: str, scheme: str, call: Call) -> None:
        with RunningProxy(scheme) as proxy:
            url = proxy.url.replace("127.0.0.1", "localhost")
            async with HttpClient(policies=Policies(proxies=ListedAddresses(frozenset({"127.0.0.1"})))) as http:
                assert await call(http, host, CallerProxy(url)) == b"{}"
        assert len(proxy.connections) == 1

    @pytest.mark.parametrize("scheme", SCHEMES)
    async def test_forbidden_host_of_a_proxy_is_not_looked_up(self, scheme: str) -> None:
        policy = ListedAddresses(LOOPBACK, frozenset({"metadata"}))
        async with HttpClient(policies=Policies(proxies=policy)) as http:
            error = await error_of(sent(http, "https://h.invalid/", CallerProxy(f"{scheme}://u:p@metadata:80")))
        assert (error.kind, error.detail, policy.asked) == (ErrorKind.UNREACHABLE, "", [])

    @every_call
    @pytest.mark.parametrize("scheme", ["http", "socks5"])
    async def test_every_failure_of_a_proxy_reads_the_same(self, scheme: str, call: Call) -> None:
        """Else a caller could scan ports with the gateway."""

        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
            writer.close()

        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)
            writer.write(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        refusing = await asyncio.start_server(refuse, "127.0.0.1", 0)
        errors: list[ProviderError] = []
        with socket.socket() as closed, socket.create_server(("127.0.0.1", 0)) as silent:
            closed.bind(("127.0.0.1", 0))
            ports = [one.getsockname()[1] for one in (closed, silent, *server.sockets, *refusing.sockets)]
            proxies = [f"{scheme}://127.0.0.1:{port}" for port in ports]
            proxies += [f"{scheme}://no-such-host.invalid:1080", f"{scheme}://[::2]:1080", f"{scheme}://0.0.0.1:1080"]
            policies = Policies(proxies=ListedAddresses(LOOPBACK))
            async with server, refusing, HttpClient(Timeouts(connect=0.1, read=0.1), policies=policies) as http:
                for proxy in proxies:
                    errors.append(await error_of(call(http, "https://h.invalid/", CallerProxy(proxy))))
        assert {(error.kind, error.detail, error.code) for error in errors} == {(ErrorKind.UNREACHABLE, "", "")}
        assert {error.message for error in errors} == {CALLER_PROXY_FAILED}

    async def test_lost_answer_through_a_proxy_names_no_cause(self) -> None:
        async def nonsense(head: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 ftp.example.com\r\n\r\n")

        async with upstream(nonsense) as port, HttpClient() as http:
            for call in (sent, sent_once, fetched, uploaded):
                error = await error_of(call(http, "http://h.invalid/", CallerProxy(port)))
                assert (error.kind, error.detail, error.message) == (ErrorKind.ANSWER_LOST, "", None)

    async def test_error_of_a_link_is_no_failure_of_the_proxy(self) -> None:
        async def loop(head: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")

        async with upstream(loop) as port, HttpClient() as http:
            error = await error_of(fetched(http, "http://h.invalid/", CallerProxy(port)))
        assert error.kind is ErrorKind.UPSTREAM_ERROR
        assert "redirected" in error.detail
        # Its own cause would be a cycle, which keeps the frames of the request.
        assert error.__cause__ is not error

    def test_proxy_is_not_shown(self) -> None:
        assert "secret" not in repr(CallerProxy("http://me:secret@h:1"))
