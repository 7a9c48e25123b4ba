"""Middleware of every request: request id, access log, metrics, error responses, body limit. Plain ASGI."""

import asyncio
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.access_log import log_request, request_id_of
from gateway.api.context import usage_of
from gateway.api.error_responses import failure_response, log_failure
from gateway.api.poll_endpoint import PollRoute
from gateway.api.relay import ResponseInterruptedError
from gateway.api.request_measure import SERVER_TIMING, STATUS, MeasuredRequest, server_timing
from gateway.api.schemas.body_parser import MULTIPART, body_kind, body_too_large
from gateway.core.byte_ranges import content_length
from gateway.core.logs import GATEWAY
from gateway.limits.request_rate import LimitHeaderList

_CLIENT_DISCONNECTED = 499
"""In logs and metrics only: the client disconnected before the response."""

_UPGRADED = 101
_STARTS = frozenset({"http.response.start", "websocket.http.response.start", "websocket.accept"})

_ROUTINE_PATHS = frozenset({"/", "/healthz", "/readyz", "/ping", "/metrics", "/assets/{version}/{path:path}"})
"""Polled by monitors, or loaded many times by one page: a successful request is logged at debug level."""

_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})


class BodyLimit:
    """Rejects a body of more than `limit` bytes, by its Content-Length or once more has been received. For forms with
    files, which are spooled to disk, the limit is `upload_limit`.

    The error is raised where the body is read, so that it becomes an ordinary error response.
    """

    def __init__(self, app: ASGIApp, limit: int, upload_limit: int) -> None:
        self._app = app
        self._limit = limit
        self._upload_limit = upload_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in _BODY_METHODS:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        kind = body_kind(headers)
        limit = self._upload_limit if kind == MULTIPART else self._limit
        size = content_length(headers) or 0
        received = 0

        async def receive_within_limit() -> Message:
            nonlocal received
            if size > limit:
                raise body_too_large(limit, kind)
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise body_too_large(limit, kind)
            return message

        await self._app(scope, receive_within_limit, send)


class RequestContext:
    """Gives each request an id, the client's own if it is valid, and writes its access log line when it ends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given, authorization = (headers.get(name, "").encode("latin-1") for name in ("x-request-id", "authorization"))
        request_id = request_id_of(given, authorization)
        scope["gateway.request_id"] = request_id
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            if message["type"] in _STARTS:
                scope[STATUS] = message.get("status", _UPGRADED)
                response_headers = MutableHeaders(scope=message)
                response_headers["x-request-id"] = request_id
                response_headers.append(SERVER_TIMING.decode(), server_timing(scope, started).decode())
                for name, value in _limit_headers(scope):
                    # They replace what an upstream says of the operator's account.
                    response_headers[name.decode()] = value.decode()
            await send(message)

        try:
            with MeasuredRequest(scope):
                await self._app(scope, receive, send_with_id)
        finally:
            route = scope.get("route")
            path = getattr(route, "path", "unmatched")
            routine = path in _ROUTINE_PATHS or isinstance(route, PollRoute)
            status = scope.get(STATUS, _CLIENT_DISCONNECTED)
            log_request(scope, path, status, time.perf_counter() - started, routine=routine)


def _limit_headers(scope: Scope) -> LimitHeaderList:
    """What a response tells of the limits of its key."""
    usage = usage_of(scope)
    if usage is None:
        return []
    if isinstance(scope.get("route"), PollRoute):
        return usage.poll_headers()
    return usage.submit_headers() if scope.get("method") == "POST" else usage.request_headers()


class UnhandledErrors:
    """Turns unhandled exceptions into error responses and logs their location, never their text."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        response_started = False

        async def send_and_record(message: Message) -> None:
            nonlocal response_started
            response_started = True
            await send(message)

        request_id = scope["gateway.request_id"]
        try:
            await self._app(scope, receive, send_and_record)
        except ClientDisconnect:
            pass
        except asyncio.CancelledError as error:
            # The grace period of a stop is over. A submit that may have been charged has an error of its own.
            if response_started:
                raise
            await failure_response(Request(scope), error)(scope, receive, send)
        except ResponseInterruptedError as error:
            GATEWAY.warning(
                "response interrupted",
                extra={"fields": {"request_id": request_id, "cause": str(error)}},
            )
        except Exception as error:
            if response_started:
                log_failure(request_id, error)
            else:
                await failure_response(Request(scope), error)(scope, receive, send)
