"""Validation of proxy URLs, and which of them are SOCKS."""

import re
from ipaddress import AddressValueError, IPv6Address

_SOCKS = frozenset({"socks4", "socks4a", "socks5", "socks5h"})
_PROXY = re.compile(
    r"(?:https?|(?P<socks>socks4a?|socks5h?))://(?:(?:(?![/?#\[\]\\])[!-~])*@)?"
    r"(?:(?P<name>[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*)|\[(?P<ip>[0-9A-Fa-f:.]{2,45})\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
)


def is_proxy(url: str) -> bool:
    """True for a valid proxy URL: `scheme://[user:password@]host[:port]` and nothing after it.

    SOCKS has no default port, so a SOCKS URL must name one. An @ in the password needs no escape; a slash, a backslash,
    any of ?#[] and non-printable or non-ASCII characters must be escaped (%2F).
    """
    match = _PROXY.fullmatch(url)
    if match is None or len(match["name"] or "") > 253 or (match["ip"] and not _is_ip6(match["ip"])):
        return False
    return 0 < int(match["port"]) < 65536 if match["port"] else match["socks"] is None


def is_socks(url: str) -> bool:
    """True for a URL with a SOCKS scheme.

    With `socks4` the upstream's name is resolved locally, with the others by the proxy.
    """
    return url.partition("://")[0].lower() in _SOCKS


def host_and_port(url: str) -> tuple[str, int]:
    """The host of a valid proxy URL, in lower case and without brackets, and its port."""
    match = _PROXY.fullmatch(url)
    if match is None:
        raise ValueError("an invalid proxy URL")
    port = match["port"] or (443 if url.startswith("https:") else 80)
    return (match["name"] or match["ip"]).lower(), int(port)


def _is_ip6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True
