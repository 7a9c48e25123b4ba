"""What `serve` says at its start: version, configuration, mode, accounts, archive, and where it listens."""

import socket
from collections import Counter
from collections.abc import Sequence
from ipaddress import ip_address

from yarl import URL

from gateway.accounts.pool import ManagedAccount
from gateway.api.metric_series import VERSION
from gateway.cli.server.listening import url_of
from gateway.core.logs import GATEWAY
from gateway.core.settings import Settings
from gateway.core.settings_loader import settings_file
from providers import registry


def announce(settings: Settings, accounts: Sequence[ManagedAccount], listener: socket.socket) -> None:
    """Log the start, and a warning where strangers may use the gateway."""
    url = url_of(listener)
    text = (
        f"video-gateway {VERSION} listening on {bound_url(listener)}, documentation at {url}{settings.root_path}/docs"
    )
    GATEWAY.info(text, extra={"fields": start_fields(settings, accounts)})
    host = listener.getsockname()[0]
    if not settings.keys and not ip_address(host.partition("%")[0]).is_loopback:
        proxies = ", and may name proxies at public addresses" if settings.pass_through_proxies else ""
        GATEWAY.warning(
            f"open to everybody who reaches {bound_url(listener)}: without keys, callers use upstream credentials of "
            f"their own{proxies}; set GATEWAY_KEYS=name:gw-… for keys, or GATEWAY_HOST=127.0.0.1 for this machine only"
        )


def start_fields(settings: Settings, accounts: Sequence[ManagedAccount]) -> dict[str, object]:
    """The log fields of the start, without secrets."""
    upstreams = _changed_upstreams(settings)
    numbers = Counter(managed.account.provider for managed in accounts)
    return {
        "configuration": str(settings_file()) if settings.file_version is not None else "environment",
        "mode": _mode(settings),
        "keys": len(settings.keys),
        "accounts": ", ".join(f"{provider} {number}" for provider, number in numbers.items()) or "none",
        "archive": settings.masked()["archive_url"] or "off",
        "workers": settings.workers,
        **({"upstreams": upstreams} if upstreams else {}),
    }


def bound_url(listener: socket.socket) -> str:
    """The URL of the socket as it is bound, such as `http://0.0.0.0:5100`, which no client can use everywhere."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _mode(settings: Settings) -> str:
    """Whose credentials callers send: `pass-through` are those of upstreams."""
    if not settings.keys:
        return "pass-through"
    return "keys and pass-through" if settings.pass_through else "keys"


def _changed_upstreams(settings: Settings) -> str:
    """The upstreams with another URL than the usual one, with its host: `NAME 127.0.0.1:5200`."""
    found = []
    for spec in registry.PROVIDERS:
        configured, usual = settings.provider(spec), spec.settings()
        for key in spec.sandbox.addresses:
            url = getattr(configured, key)
            if url and url != getattr(usual, key):
                found.append(f"{spec.name} {URL(url).authority.rpartition('@')[2]}")
    return ", ".join(dict.fromkeys(found))
