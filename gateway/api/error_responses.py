"""Error responses of the gateway: body, status, headers, language, request id and log fields."""

import asyncio
from collections.abc import Mapping
from typing import cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import add_log_fields, json_response, language_of, request_id
from gateway.api.native_apis import native_api_at
from gateway.api.paths import allowed_methods, path_error
from gateway.core.errors import GatewayError, gateway_error
from gateway.core.logs import GATEWAY, location_of


def error_response(request: Request, error: GatewayError, headers: Mapping[str, str] | None = None) -> Response:
    """The response to an error. Its log fields join those of the request. `headers` are added to the error's own."""
    add_log_fields(request, error.log_fields())
    drop_tracebacks(error)
    language, id = language_of(request), request_id(request)
    native = native_api_at(request.scope.get("path", ""))
    if native is not None:
        status, body = native.error(error, request.method, request.scope["path"], language, id)
    else:
        status, body = error.spec.status, error.body(language, id)
    return json_response(body, status, {**error.headers(), **(headers or {})})


def drop_tracebacks(error: BaseException) -> None:
    """Drop the tracebacks of an error and of those that led to it. A traceback and a frame that holds its error are a
    cycle: it would keep the request and its body until the garbage collector runs. The frames themselves may be those
    of another request, which shares the error and still runs: cleared, it would end."""
    pending: list[BaseException | None] = [error]
    known: set[int] = set()
    while pending:
        one = pending.pop()
        if one is not None and id(one) not in known:
            known.add(id(one))
            one.__traceback__ = None
            pending += (one.__cause__, one.__context__)


def failure_response(request: Request, error: Exception | asyncio.CancelledError) -> Response:
    """The response to an unhandled exception.

    A request is cancelled when the process stops: the response asks the client to retry. The log names the location of
    an internal error, never its text, which may quote a credential.
    """
    if isinstance(error, GatewayError):
        return error_response(request, error)
    if isinstance(error, asyncio.CancelledError):
        return error_response(request, gateway_error("stopping"))
    log_failure(request_id(request), error)
    return error_response(request, GatewayError("internal_error"))


def log_failure(request_id: str, error: Exception) -> None:
    """Log the location of an exception."""
    GATEWAY.error("internal error", extra={"fields": {"request_id": request_id, "cause": location_of(error)}})


async def handle_gateway_error(request: Request, error: Exception) -> Response:
    """Starlette's handler of GatewayError."""
    return error_response(request, cast(GatewayError, error))


async def handle_http_exception(request: Request, error: Exception) -> Response:
    """Starlette's handler of HTTPException: an unknown path or method. The error names the path that was meant, if it
    is known."""
    http_error = cast(HTTPException, error)
    native, exists = native_api_at(request.scope["path"]), http_error.status_code == 405
    # A path of an upstream's own API is meant as it is.
    meant = native is not None and exists
    hint = None if meant else path_error(request.method, request.scope["path"], request.app.routes, exists=exists)
    if hint is not None:
        return error_response(request, hint)
    if http_error.status_code == 426:
        return error_response(request, GatewayError("upgrade_required"), http_error.headers)
    if http_error.status_code == 405:
        # The framework names the methods of one route only; a route that raises this itself names its own.
        allowed = allowed_methods(request.scope["path"], request.app.routes)
        own = not allowed or request.method in allowed
        headers = {"Allow": ", ".join(allowed), **((http_error.headers or {}) if own else {})}
        values = {"method": request.method, "allowed": headers["Allow"]}
        return error_response(request, GatewayError("method_not_allowed", values=values), headers)
    error_of_path = native.unknown_path() if native is not None else GatewayError("not_found")
    return error_response(request, error_of_path, http_error.headers)
