"""Addresses of proxies: what can be one, and which of them speak SOCKS."""

import re
from ipaddress import AddressValueError, IPv6Address

_SOCKS = frozenset({"socks4", "socks4a", "socks5", "socks5h"})
_PROXY = re.compile(
    r"(?:https?|(?P<socks>socks4a?|socks5h?))://(?:(?:(?![/?#\[\]\\])[!-~])*@)?"
    r"(?:(?P<name>[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*)|\[(?P<ip>[0-9A-Fa-f:.]{2,45})\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
)


def is_proxy(url: str) -> bool:
    """True for an address that can be a proxy's: `scheme://[user:password@]host[:port]` and nothing behind it.

    A SOCKS proxy has no port of its own, so it must name one. In the password an @ may stand as it is; a slash, a
    backslash, any of ?#[] and what is no printable ASCII is written as an escape (%2F), since it would end or break
    the address.
    """
    match = _PROXY.fullmatch(url)
    if match is None or len(match["name"] or "") > 253 or (match["ip"] and not _is_ip6(match["ip"])):
        return False
    return 0 < int(match["port"]) < 65536 if match["port"] else match["socks"] is None


def is_socks(url: str) -> bool:
    """True for an address whose scheme is one of SOCKS.

    With `socks4` the name of the upstream is looked up here, with the others by the proxy.
    """
    return url.partition("://")[0].lower() in _SOCKS


def _is_ip6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True
