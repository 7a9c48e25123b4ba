"""Admin authentication: by the admin key or, if none is set, by a direct request from this machine."""

import hmac
from ipaddress import ip_address

from starlette.requests import Request

from gateway.api.context import services
from gateway.core.errors import gateway_error

OPERATOR = "admin"
"""The operator as the caller in the access log."""

_BROWSER_OR_PROXY_HEADERS = ("origin", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


def require_operator(request: Request) -> None:
    """Authenticate the operator. Raises GatewayError (401).

    Without an admin key, the client and the requested host must be loopback addresses, and the request must come
    neither from a web page that is open on this machine nor through a proxy that announces itself.
    """
    if services(request).settings.admin_key is not None:
        allowed = has_admin_key(request, request.headers.get("authorization", ""))
    else:
        allowed = (
            request.client is not None
            and _is_loopback(request.client.host)
            and _is_loopback(request.url.hostname or "")
            and not any(name in request.headers for name in _BROWSER_OR_PROXY_HEADERS)
        )
    if not allowed:
        raise gateway_error("operator_only")
    request.scope["gateway.caller"] = OPERATOR


def has_admin_key(request: Request, authorization: str) -> bool:
    """True if an Authorization header has the admin key. Compares in constant time."""
    admin_key = services(request).settings.admin_key
    if admin_key is None:
        return False
    scheme, _, key = authorization.strip().partition(" ")
    same = hmac.compare_digest(key.strip().encode("utf-8", "surrogateescape"), admin_key.get_secret_value().encode())
    return scheme.lower() == "bearer" and same


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
