"""URL policy against SSRF: which hosts the gateway may connect to for a client or an upstream. No I/O.

There are two checks. `UrlPolicy.check_url` checks the URL before DNS: it rejects early, and rejects what different
parsers read differently. `UrlPolicy.allows` checks the resolved address at the connection: it protects the internal
network. `UrlPolicy.permits_host` is the first check for a host that the HTTP client has parsed itself.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import quote

from yarl import URL

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_URL_CHARACTERS = 8192
"""Signed links of object stores have up to 2000."""

NOT_PUBLIC: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; has Alibaba's metadata service
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local; most clouds' metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata service
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
"""From IANA's registries of special-purpose addresses; for v6 only those within `GLOBAL_UNICAST`.

`ipaddress.is_global` applies too, but changes from one patch release of Python to the next.
"""

GLOBAL_UNICAST = IPv6Network("2000::/3")
"""Addresses outside of it are rejected: ::, ::1, ::/96 and ::ffff:0:0/96 (embedded v4), 64:ff9b:1::/48
(local NAT64), fc00::/7, fe80::/10, fec0::/10, ff00::/8."""

NAT64 = IPv6Network("64:ff9b::/96")
"""Hosts with v6 only reach every v4 address in here, in the last 32 bits (RFC 6052): the v4 address is checked."""

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
"""Metadata services, which hand out credentials: never allowed, whatever `UrlPolicy.networks` says."""

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
"""Host names of metadata services."""

LOCAL_DOMAINS = (
    *("localhost", "local", "internal", "home.arpa"),
    *("corp", "home", "intranet", "lan", "localdomain", "private", "svc"),
)
"""Domains of local networks: the first ones by standard, the others by convention."""

DISALLOWED_PORTS = frozenset(
    {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6379, 6566, 6679, 6697, 10080, 11211}
) | frozenset(range(6665, 6670))
"""Ports from 1024 on of other protocols: the "bad ports" of WHATWG's Fetch standard, Redis, memcached."""

_PORT_OF = {"https": 443, "http": 80}
_FIRST_FREE_PORT = 1024

_AFTER_SCHEME = re.compile(r"(?P<authority>[^/?#]*)(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?(?:#.*)?")
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_MAX_NAME = 253
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_SAFE = "%:/?#[]@!$&'()*+,;="
"""Characters allowed in a URL beside letters, digits and -._~ (RFC 3986)."""


class DisallowedUrlError(Exception):
    """A URL that the policy does not allow. `reason` is for logs: it reveals nothing beyond the URL."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class UrlPolicy:
    """What may be fetched: https from public addresses, as the operator changes it.

    networks          allowed although not public, also by plain http
    denied_networks   denied although public
    hosts             if not empty, the only hosts allowed, also for redirects
    denied_hosts      never allowed

    A host is a name or an address, or `.example.com` or `*.example.com` for every name below it. Denial takes
    precedence. The address of an allowed host must be allowed as well. Raises ValueError for an invalid host.
    """

    networks: tuple[Network, ...] = ()
    denied_networks: tuple[Network, ...] = ()
    hosts: tuple[str, ...] = ()
    denied_hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "hosts", tuple(map(_pattern, self.hosts)))
        object.__setattr__(self, "denied_hosts", tuple(map(_pattern, self.denied_hosts)))

    def check_url(self, url: str) -> URL:
        """The URL to fetch, without fragment, its host in canonical form. Raises DisallowedUrlError.

        Its port is 443, 80, or one from 1024 on that is not in DISALLOWED_PORTS. Its host is in ASCII: a v4 address of
        four numbers, a v6 address in brackets, or a name without a trailing dot. A name with one label or in one of
        LOCAL_DOMAINS is rejected, unless `hosts` has it, or there are `networks`, which may contain it.
        Escapes in the path and the query stay unchanged byte by byte, since signatures cover them.
        """
        # `isprintable` also rejects lone surrogates, spaces of other scripts, and characters without width.
        if len(url) > MAX_URL_CHARACTERS or not url.isprintable() or " " in url or "\\" in url:
            raise DisallowedUrlError("too long, or invalid characters")
        scheme, separator, rest = url.partition("://")
        scheme = scheme.lower()
        if not separator or not (scheme == "https" or (scheme == "http" and self.networks)):
            raise DisallowedUrlError("not https")
        parts = _AFTER_SCHEME.fullmatch(rest)
        authority = _AUTHORITY.fullmatch(parts["authority"]) if parts else None
        if parts is None or authority is None:
            raise DisallowedUrlError("userinfo, or an invalid host or port")
        host = _host(authority["host"])
        port = int(authority["port"] or _PORT_OF[scheme])
        self._check_host(host, port, scheme)
        literal = f"[{host}]" if ":" in host else host
        path, query = (quote(parts[name] or "", safe=_SAFE) for name in ("path", "query"))
        return URL(f"{scheme}://{literal}:{port}{path or '/'}{query}", encoded=True)

    def permits_host(self, host: str, port: int) -> bool:
        """True where a host may be looked up, or as an address connected to, by https or http. A v6 address has no
        brackets."""
        try:
            self._check_host(_host(f"[{host}]" if ":" in host else host), port, "https")
        except DisallowedUrlError:
            return False
        return True

    def allows(self, address: str, scheme: str = "https") -> bool:
        """True where a URL of that scheme may connect to an address, which is in the notation of sockets."""
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        if ip in METADATA or any(ip in network for network in self.denied_networks):
            return False
        if isinstance(ip, IPv6Address):
            # Rejected even within an allowed network: these forms hide another address.
            if ip.scope_id is not None or ip.ipv4_mapped is not None:
                return False
            if ip in NAT64:
                return self.allows(str(IPv4Address(int(ip) & 0xFFFFFFFF)), scheme)
        return any(ip in network for network in self.networks) or (scheme == "https" and is_public(ip))

    def _check_host(self, host: str, port: int, scheme: str) -> None:
        if not (port in _PORT_OF.values() or _FIRST_FREE_PORT <= port < 65536) or port in DISALLOWED_PORTS:
            raise DisallowedUrlError("a port of another protocol")
        if host in METADATA_HOSTS or _matches(host, self.denied_hosts):
            raise DisallowedUrlError("a host that is denied")
        if self.hosts and not _matches(host, self.hosts):
            raise DisallowedUrlError("a host that is not allowed")
        if _is_address(host):
            if not self.allows(host, scheme):
                raise DisallowedUrlError("not a public address")
        elif _is_local(host) and not self.networks and not self.hosts:
            raise DisallowedUrlError("a name of a local network")


def is_public(ip: Address) -> bool:
    """True for a unicast address of the public internet."""
    if isinstance(ip, IPv6Address) and ip not in GLOBAL_UNICAST:
        return False
    return ip.is_global and not any(ip in network for network in NOT_PUBLIC)


def _host(text: str) -> str:
    """The canonical form of a host, a v6 address without brackets. Raises DisallowedUrlError."""
    host = text.lower()
    try:
        if host.startswith("["):
            return str(IPv6Address(host.removeprefix("[").removesuffix("]")))
        # Resolvers read such a name as an address: in octal or hexadecimal, shortened, or as one number.
        if _NUMBER.fullmatch(host.rpartition(".")[2]):
            return str(IPv4Address(host))
    except ValueError:
        raise DisallowedUrlError("not the canonical form of an address") from None
    if len(host) > _MAX_NAME or not _NAME.fullmatch(host):
        raise DisallowedUrlError("not a host name")
    return host


def _pattern(host: str) -> str:
    """An entry of a list of hosts, with a leading dot where it means the names below."""
    text = host.strip()
    below = text.startswith((".", "*."))
    text = text.removeprefix("*").removeprefix(".")
    try:
        name = _host(f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text)
    except DisallowedUrlError as error:
        raise ValueError(f"{host!r} is no host: {error.reason}") from None
    return f".{name}" if below else name


def _matches(host: str, patterns: tuple[str, ...]) -> bool:
    return any(host.endswith(pattern) if pattern.startswith(".") else host == pattern for pattern in patterns)


def _is_local(name: str) -> bool:
    return "." not in name or any(name.endswith(f".{domain}") for domain in LOCAL_DOMAINS)


def _is_address(host: str) -> bool:
    return ":" in host or bool(_NUMBER.fullmatch(host.rpartition(".")[2]))
