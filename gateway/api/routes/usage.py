"""The usage of gateway keys: its own for each key, all for the operator."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.admin_auth import has_admin_key, require_operator
from gateway.api.context import caller_of, json_response, services
from gateway.api.renderers.usage import render_usage
from gateway.core.errors import gateway_error

_HEADERS = {"cache-control": "no-store"}


async def usage(request: Request) -> Response:
    """GET /v1/usage: with a gateway key its own figures; with the admin key, or from loopback without any if none is
    set, those of all keys."""
    authorization = request.headers.get("authorization", "")
    if not authorization or has_admin_key(request, authorization):
        require_operator(request)
        rows = [render_usage(one) for one in services(request).usages.configured()]
        return json_response({"object": "list", "data": rows}, headers=_HEADERS)
    own = caller_of(request).usage
    if own is None:
        raise gateway_error("no_usage")
    return json_response(render_usage(own), headers=_HEADERS)
