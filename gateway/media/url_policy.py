"""Which addresses a client may have the gateway fetch. Decisions only: `gateway.media.fetcher` acts on them.

They are made twice. `UrlPolicy.check_url` judges what is written, before anything is looked up; `UrlPolicy.allows`
judges the address that is about to be connected to, whatever name led there. The second protects the internal
network; the first refuses early, and refuses whatever different programs parse differently.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import quote

from yarl import URL

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_URL = 8192
"""Characters. Signed links of object stores have up to 2000."""

NOT_PUBLIC: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # behind a carrier's NAT; Alibaba's metadata are in it
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local; most clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # protocol assignments: Teredo, which holds a v4 address, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which holds a v4 address
        "3fff::/20",  # documentation
    )
)
"""Of IANA's registries of special-purpose addresses, for v6 only what lies within `GLOBAL_UNICAST`.

Python's own list follows the registries from one patch release to the next: it is asked as well, not alone.
"""

GLOBAL_UNICAST = IPv6Network("2000::/3")
"""What is outside of it is refused unseen: ::, ::1, ::/96 and ::ffff:0:0/96 (v4 in v6's clothes), 64:ff9b:1::/48
(a NAT64 of one's own), fc00::/7, fe80::/10, fec0::/10, ff00::/8."""

NAT64 = IPv6Network("64:ff9b::/96")
"""Hosts that have v6 only see every v4 address in here, in the last 32 bits (RFC 6052): it is judged as that one."""

METADATA: frozenset[Address] = frozenset(
    ip_address(address)
    for address in (
        "168.63.129.16",  # Azure's, a public address
        "169.254.169.254",
        "169.254.170.2",  # credentials of AWS's containers
        "100.100.100.200",  # Alibaba's
        "192.0.0.192",  # Oracle's
        "fd00:ec2::254",  # AWS's
        "fd20:ce::254",  # Google's
    )
)
"""They hand credentials to whoever asks: never reached, whatever `UrlPolicy.networks` says."""

METADATA_HOSTS = frozenset(
    {
        "instance-data",
        "metadata",
        "metadata.goog",
        "metadata.google.internal",
        "metadata.platformequinix.com",
        "metadata.tencentyun.com",
    }
)
"""Names of the same."""

LOCAL_DOMAINS = (
    *("localhost", "local", "internal", "home.arpa"),
    *("corp", "home", "intranet", "lan", "localdomain", "private", "svc"),
)
"""Names under these mean something only where they are asked: the first by standard, the others by habit."""

REFUSED_PORTS = frozenset(
    {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6379, 6566, 6679, 6697, 10080, 11211}
) | frozenset(range(6665, 6670))
"""Ports from 1024 on at which no HTTP is spoken: those of WHATWG's Fetch standard ("bad port"), Redis, memcached."""

_PORT_OF = {"https": 443, "http": 80}
_FIRST_FREE_PORT = 1024

_REST = re.compile(r"(?P<authority>[^/?#]*)(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?(?:#.*)?")
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_LONGEST_NAME = 253
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_SAFE = "%:/?#[]@!$&'()*+,;="
"""What may stand in an address beside letters, digits and -._~ (RFC 3986)."""


class Refused(Exception):  # noqa: N818
    """A URL that is not fetched. `reason` is for logs: it tells nothing that the URL does not."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class UrlPolicy:
    """What may be fetched: https from public addresses, and what an operator makes of that.

    networks          may be reached although they are not public, and by plain http too
    denied_networks   may not be reached although they are public
    hosts             where there are any, nothing else is fetched, redirects included
    denied_hosts      nothing is fetched from these

    A host is a name or an address, or `.example.com` or `*.example.com` for every name below that one. What is denied
    goes first. A host that is listed still has to lie at an address that may be reached. Raises ValueError for what
    cannot be a host.
    """

    networks: tuple[Network, ...] = ()
    denied_networks: tuple[Network, ...] = ()
    hosts: tuple[str, ...] = ()
    denied_hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "hosts", tuple(map(_pattern, self.hosts)))
        object.__setattr__(self, "denied_hosts", tuple(map(_pattern, self.denied_hosts)))

    def check_url(self, url: str) -> URL:
        """The URL as it is to be fetched, its fragment gone and its host in the one plain spelling. Raises Refused.

        Its port is 443, 80, or one from 1024 on that is not in REFUSED_PORTS. Its host is in ASCII: a v4 address of
        four numbers, a v6 address in brackets, or a name without a dot at its end. A name that has one label or is
        in one of LOCAL_DOMAINS is refused, unless `hosts` has it, or there are `networks`, in which it may lie.
        Escapes in the path and the query stay byte for byte, as signatures over an address need them.
        """
        # Also half characters, the spaces of other scripts, and what has no width.
        if len(url) > MAX_URL or not url.isprintable() or " " in url or "\\" in url:
            raise Refused("too long, or characters that no address has")
        scheme, separator, rest = url.partition("://")
        scheme = scheme.lower()
        if not separator or not (scheme == "https" or (scheme == "http" and self.networks)):
            raise Refused("not https")
        parts = _REST.fullmatch(rest)
        authority = _AUTHORITY.fullmatch(parts["authority"]) if parts else None
        if parts is None or authority is None:
            raise Refused("a user, or no plain host and port")
        host = _host(authority["host"])
        port = int(authority["port"] or _PORT_OF[scheme])
        if not (port in _PORT_OF.values() or _FIRST_FREE_PORT <= port < 65536) or port in REFUSED_PORTS:
            raise Refused("a port that is not for HTTP")
        self._check_host(host, scheme)
        literal = f"[{host}]" if ":" in host else host
        path, query = (quote(parts[name] or "", safe=_SAFE) for name in ("path", "query"))
        return URL(f"{scheme}://{literal}:{port}{path or '/'}{query}", encoded=True)

    def allows(self, address: str, scheme: str = "https") -> bool:
        """True if a connection to an address, written as a socket has it, may be made for a URL of that scheme."""
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        if ip in METADATA or any(ip in network for network in self.denied_networks):
            return False
        if isinstance(ip, IPv6Address):
            # However wide a network is allowed: they only hide what is judged under its own name.
            if ip.scope_id is not None or ip.ipv4_mapped is not None:
                return False
            if ip in NAT64:
                return self.allows(str(IPv4Address(int(ip) & 0xFFFFFFFF)), scheme)
        return any(ip in network for network in self.networks) or (scheme == "https" and is_public(ip))

    def _check_host(self, host: str, scheme: str) -> None:
        if host in METADATA_HOSTS or _matches(host, self.denied_hosts):
            raise Refused("a host that is denied")
        if self.hosts and not _matches(host, self.hosts):
            raise Refused("a host that is not allowed")
        if _is_address(host):
            if not self.allows(host, scheme):
                raise Refused("not a public address")
        elif _is_local(host) and not self.networks and not self.hosts:
            raise Refused("a name of a local network")


def is_public(ip: Address) -> bool:
    """True for addresses of single hosts on the open internet."""
    if isinstance(ip, IPv6Address) and ip not in GLOBAL_UNICAST:
        return False
    return ip.is_global and not any(ip in network for network in NOT_PUBLIC)


def _host(text: str) -> str:
    """A host in its one plain spelling, a v6 address without brackets. Raises Refused."""
    host = text.lower()
    try:
        if host.startswith("["):
            return str(IPv6Address(host.removeprefix("[").removesuffix("]")))
        # To resolvers such a name is an address, in octal, hexadecimal, short or all in one.
        if _NUMBER.fullmatch(host.rpartition(".")[2]):
            return str(IPv4Address(host))
    except ValueError:
        raise Refused("not the plain spelling of an address") from None
    if len(host) > _LONGEST_NAME or not _NAME.fullmatch(host):
        raise Refused("not a host name")
    return host


def _pattern(host: str) -> str:
    """An entry of a list of hosts, with a dot in front where it means the names below."""
    text = host.strip()
    below = text.startswith((".", "*."))
    text = text.removeprefix("*").removeprefix(".")
    try:
        name = _host(f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text)
    except Refused as error:
        raise ValueError(f"{host!r} is no host: {error.reason}") from None
    return f".{name}" if below else name


def _matches(host: str, patterns: tuple[str, ...]) -> bool:
    return any(host.endswith(pattern) if pattern.startswith(".") else host == pattern for pattern in patterns)


def _is_local(name: str) -> bool:
    return "." not in name or any(name.endswith(f".{domain}") for domain in LOCAL_DOMAINS)


def _is_address(host: str) -> bool:
    return ":" in host or bool(_NUMBER.fullmatch(host.rpartition(".")[2]))
