"""Limits of connections and requests before a caller is known."""

import resource
from dataclasses import dataclass
from typing import Self

from gateway.core.localization import Language
from gateway.core.settings import Settings

_MAX_DESCRIPTORS = 65_536
_OTHER_DESCRIPTORS = 64
"""Descriptors that are left for upstream connections and files."""
_SHARE_LEFT_FOR_OTHERS = 10
"""Without a limit of its own, one address leaves one in so many connections to others."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits of connections and requests.

    `head_seconds` bounds a request up to the first byte of its body, or to its end without a body. A body slower than
    `body_bytes_per_second` ends its request. A connection whose client takes nothing of what is written to it for
    `write_seconds` is aborted. `connections` are those of the process, `connections_per_address` those of one client
    address, which is that of the proxy where there is one. `language` is that of the error responses.
    """

    head_bytes: int = 64 * 1024
    headers: int = 100
    head_seconds: float = 60.0
    body_bytes_per_second: int = 1024
    write_seconds: float = 60.0
    connections: int = 1024
    connections_per_address: int = 1024
    language: Language = "zh"

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The limits of a configuration. Without a number of connections, the descriptors of the process decide.
        Without one for an address, it may have most connections and leaves some to others.
        """
        limits = settings.limits
        connections = limits.connections or _connections_by_descriptors()
        return cls(
            limits.head_bytes,
            limits.headers,
            limits.head_seconds,
            limits.body_bytes_per_second,
            limits.write_seconds,
            connections,
            limits.connections_per_address or connections - max(1, connections // _SHARE_LEFT_FOR_OTHERS),
            settings.language,
        )


def _connections_by_descriptors() -> int:
    """Raise the soft limit of descriptors as far as allowed; the connections that it leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    descriptors = wanted if soft == resource.RLIM_INFINITY else soft
    return max(16, descriptors * 3 // 4 - _OTHER_DESCRIPTORS)
