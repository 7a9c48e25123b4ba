"""Admin authentication: by the admin key or, where none is set, by a request from this machine."""

import hmac
from ipaddress import ip_address

from starlette.requests import Request

from gateway.api.context import services
from gateway.core.errors import gateway_error

_FROM_ELSEWHERE = ("origin", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


def require_operator(request: Request) -> None:
    """Authenticate the operator. Raises GatewayError (401) for everybody else.

    Without an admin key a request has to come from this machine, for this machine, and neither from a web page that
    happens to be open on it nor through a proxy that says so.
    """
    if services(request).settings.admin_key is not None:
        allowed = shows_admin_key(request, request.headers.get("authorization", ""))
    else:
        allowed = (
            request.client is not None
            and _is_loopback(request.client.host)
            and _is_loopback(request.url.hostname or "")
            and not any(name in request.headers for name in _FROM_ELSEWHERE)
        )
    if not allowed:
        raise gateway_error("operator_only")


def shows_admin_key(request: Request, authorization: str) -> bool:
    """True if a header carries the admin key. Compares in constant time."""
    admin_key = services(request).settings.admin_key
    if admin_key is None:
        return False
    scheme, _, shown = authorization.strip().partition(" ")
    same = hmac.compare_digest(shown.strip().encode("utf-8", "surrogateescape"), admin_key.get_secret_value().encode())
    return scheme.lower() == "bearer" and same


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
