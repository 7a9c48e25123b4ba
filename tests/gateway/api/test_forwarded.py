"""Forwarded headers: who is believed, and what they set."""

from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from gateway.api.forwarded import ForwardedHeaders
from gateway.core.settings import Settings

PROXY, OTHER_PROXY, CLIENT, STRANGER = "10.0.0.1", "10.0.0.2", "203.0.113.9", "198.51.100.7"
TRUSTED = (ip_network("10.0.0.0/24"), ip_network("2001:db8::/32"))


async def seen_by_app(
    headers: dict[str, str], peer: str | None = PROXY, trusted: Any = TRUSTED, kind: str = "http"
) -> tuple[str | None, str, str]:
    """The client address, the scheme and the host that the application sees."""
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        pass

    scope = {
        "type": kind,
        "scheme": "http" if kind == "http" else "ws",
        "client": (peer, 4711) if peer else None,
        "headers": [(b"host", b"gateway:5100"), *((k.lower().encode(), v.encode()) for k, v in headers.items())],
    }
    await ForwardedHeaders(app, trusted)(scope, receive, send)
    client = seen[0]["client"]
    hosts = [value.decode() for name, value in seen[0]["headers"] if name == b"host"]
    assert len(hosts) == 1
    return client and client[0], seen[0]["scheme"], hosts[0]


ALL = {"X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "https", "X-Forwarded-Host": "video.example"}


async def test_trusted_proxy_tells_address_scheme_and_host() -> None:
    assert await seen_by_app(ALL) == (CLIENT, "https", "video.example")


@pytest.mark.parametrize("peer", [STRANGER, "10.0.1.1", "::1", "unix", None])
async def test_nobody_else_is_believed(peer: str | None) -> None:
    assert await seen_by_app(ALL, peer) == (peer, "http", "gateway:5100")


async def test_websocket_through_tls_has_its_own_scheme() -> None:
    assert await seen_by_app(ALL, kind="websocket") == (CLIENT, "wss", "video.example")


@pytest.mark.parametrize(
    ("forwarded_for", "expected"),
    [
        # What a client writes itself stands before what its proxy adds.
        (f"127.0.0.1, {CLIENT}", CLIENT),
        (f"{STRANGER}, {CLIENT}, {OTHER_PROXY}", CLIENT),
        (f"{CLIENT}, {OTHER_PROXY}, 10.0.0.3", CLIENT),
        (f"{CLIENT}:51034", CLIENT),
        ("[2001:1::7]:443", "2001:1::7"),
        ("2001:1::7, 2001:db8::1", "2001:1::7"),
        ("", PROXY),
    ],
)
async def test_client_is_the_last_address_that_is_no_trusted_proxy(forwarded_for: str, expected: str) -> None:
    assert (await seen_by_app({"X-Forwarded-For": forwarded_for}))[0] == expected


async def test_ipv4_proxy_on_an_ipv6_socket_is_recognised() -> None:
    assert await seen_by_app(ALL, f"::ffff:{PROXY}") == (CLIENT, "https", "video.example")
    assert (await seen_by_app({}, f"::ffff:{STRANGER}"))[0] == STRANGER


async def test_first_host_of_several_proxies_counts() -> None:
    assert (await seen_by_app({"X-Forwarded-Host": "video.example, inner:8080"}))[2] == "video.example"


async def test_unknown_scheme_is_ignored() -> None:
    assert (await seen_by_app({"X-Forwarded-Proto": "javascript"}))[1] == "http"


async def test_loopback_is_trusted_by_default_and_nobody_with_an_empty_list() -> None:
    default = Settings().trusted_proxies
    assert (await seen_by_app(ALL, "127.0.0.1", default))[0] == CLIENT
    assert (await seen_by_app(ALL, PROXY, default))[0] == PROXY
    assert (await seen_by_app(ALL, "127.0.0.1", Settings(trusted_proxies=()).trusted_proxies))[0] == "127.0.0.1"


@given(text=st.text(alphabet=st.characters(max_codepoint=255), max_size=60))
async def test_untrusted_part_of_the_list_has_no_effect(text: str) -> None:
    headers = {"x-forwarded-for": f"{text}, {CLIENT}".encode("latin-1").decode("latin-1")}
    assert (await seen_by_app(headers))[0] == CLIENT
