"""Which hosts the client may connect to for others: hosts that an upstream names, and proxies that callers name."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from yarl import URL

from providers.contract.errors import ErrorKind, ProviderError

if TYPE_CHECKING:
    import aiohttp

Allows = Callable[[str], bool]
"""True for an address, in the notation of sockets, that may be connected to."""


LINK_DISALLOWED = "an address that is neither public nor in upstream_networks, or a port of another protocol"
PROXY_DISALLOWED = "an address that is neither public nor in proxy_networks, or a port of another protocol"


class DisallowedAddressError(PermissionError):
    """A policy forbids the address. As an OSError it makes aiohttp try the next address of a name."""

    def __init__(self) -> None:
        # One text for all, by which aiohttp joins the errors of several addresses into one.
        super().__init__("not allowed")


class AddressPolicy(Protocol):
    """Two checks of one destination. The second has the last word: after DNS, where the socket is made."""

    def permits_host(self, host: str, port: int) -> bool:
        """True for a host that may be looked up, and an address that may be connected to. `host` has no brackets."""

    def allows(self, address: str) -> bool:
        """True for an address that may be connected to."""


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies of a client; None where everything is allowed.

    links      hosts that an upstream names: result links, their redirects, and hosts for uploads
    proxies    proxies of callers
    trusted    origins, as (host, port), that `links` does not apply to: the operator configured them
    """

    links: AddressPolicy | None = None
    proxies: AddressPolicy | None = None
    trusted: frozenset[tuple[str, int]] = frozenset()

    def of_link(self, url: URL) -> AddressPolicy | None:
        """The policy for a URL that an upstream names."""
        return None if (url.raw_host, url.port) in self.trusted else self.links


def check_link(url: URL, policies: Policies) -> None:
    """Raise ProviderError (UPSTREAM_ERROR) for a URL of an upstream whose host the policy forbids, before DNS. Through
    a proxy, which does the DNS, there is no other check."""
    policy = policies.of_link(url)
    if policy is not None and not policy.permits_host(url.raw_host or "", url.port or 0):
        raise ProviderError(ErrorKind.UPSTREAM_ERROR, detail=LINK_DISALLOWED)


def socket_factory(allows: Allows) -> "Callable[[aiohttp.AddrInfoType], socket.socket]":
    """A socket factory for aiohttp: each address is checked when its socket is created, after DNS and before the first
    packet, so that DNS rebinding has no effect."""

    def create(candidate: "aiohttp.AddrInfoType") -> socket.socket:
        family, type_, proto, _, address = candidate
        if not allows(str(address[0])):
            raise DisallowedAddressError
        return socket.socket(family, type_, proto)

    return create
