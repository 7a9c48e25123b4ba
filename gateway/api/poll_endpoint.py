"""Polls of one task: most of the traffic, so they bypass the middleware.

`answer_poll` answers every poll. It has two callers. `PollShortcut` runs before the middleware, which would cost more
than the response; `PollRoute` is the route behind it, for polls that need the middleware: those of web pages, whose
responses get CORS headers, and HEAD.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api.access_log import log_request, request_id_of
from gateway.api.context import (
    caller_of,
    count_request,
    has_no_cache,
    identify,
    poll_headers,
    services,
    usage_of,
)
from gateway.api.error_responses import failure_response
from gateway.api.request_measure import SERVER_TIMING, MeasuredRequest, server_timing
from gateway.api.response_cache import CACHED_SECONDS, MAX_KEY_CHARACTERS, PollResponse
from gateway.api.services import services_of
from gateway.core.errors import gateway_error
from gateway.core.localization import Language, choose_language
from gateway.core.metrics import QUERIES_SAVED
from gateway.live.waiting import wait_for_change
from gateway.tasks.view import Task
from providers.compact_json import compact_json

MAX_WAIT_SECONDS = 100
"""Many proxies close a connection that is silent for longer."""

Renderer = Callable[[Task, Language], dict[str, Any]]
"""Renders a task as the JSON of one API."""

_POLL_HEADERS = frozenset({b"authorization", b"accept-language", b"cache-control", b"x-request-id", b"origin"})


async def answer_poll(
    scope: Scope, receive: Receive, headers: Mapping[bytes, bytes], id: str, renderer: Renderer
) -> PollResponse:
    """The response to a poll of the task `id`, from the response cache if possible. With `?wait=N` it is that after the
    next change of the task.

    `headers` are those of `read_headers`. The caller's name goes into the scope for the log line. Raises GatewayError.
    """
    services = services_of(scope)
    cache = services.poll_responses
    authorization, languages = headers.get(b"authorization", b""), headers.get(b"accept-language", b"")
    key = (id, renderer, authorization, languages)
    force_refresh = b"cache-control" in headers and has_no_cache(headers[b"cache-control"].decode("latin-1"))
    wait = _seconds_to_wait(scope["query_string"]) if scope["query_string"] else 0.0
    cached = None if force_refresh or wait else cache.get(key)
    if cached is not None:
        QUERIES_SAVED.inc()
        scope["gateway.caller"] = cached.caller
        if cached.usage is not None:
            count_request(scope, cached.usage)
        return cached
    generation = cache.generation
    caller = identify(scope, authorization.decode("latin-1"))
    with MeasuredRequest(scope):
        if wait:
            task = await wait_for_change(services.watches, services.streams, services.clock, caller, id, wait, receive)
        else:
            task = await services.tasks.status(caller, id, force_refresh=force_refresh)
    body = compact_json(renderer(task, choose_language(languages.decode("latin-1"), services.settings.language)))
    # Of a key without a rate, cached polls cost what they cost without a key.
    usage = caller.usage if caller.usage is not None and caller.usage.rate is not None else None
    response = PollResponse(_encode(poll_headers(task), body), body, caller.name, usage)
    freshness = services.settings.poll_freshness
    short = len(id) + len(authorization) + len(languages) <= MAX_KEY_CHARACTERS
    if task.query_error is None and freshness > 0 and short and not wait:
        # A status older than the freshness waits for a rate-limited query: it is cached nevertheless.
        seconds = freshness - task.age if task.age < freshness else CACHED_SECONDS
        cache.put(key, response, seconds, generation)
    return response


def _seconds_to_wait(query: bytes) -> float:
    """The seconds of `?wait=N`, at most MAX_WAIT_SECONDS; 0 without one. Raises GatewayError where it is no number
    or negative."""
    value = parse_qs(query.decode("latin-1")).get("wait", ["0"])[-1]
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if math.isnan(seconds) or seconds < 0:
        raise gateway_error("invalid_wait", param="wait", limit=MAX_WAIT_SECONDS)
    return min(seconds, MAX_WAIT_SECONDS)


def read_headers(scope: Scope) -> dict[bytes, bytes]:
    """The first value of each header that a poll reads."""
    return {name: value for name, value in reversed(scope["headers"]) if name in _POLL_HEADERS}


async def cancel_task(request: Request) -> Task:
    """Cancel the task of the path and clear the response cache, so that polls see it at once. Raises GatewayError."""
    current, caller = services(request), caller_of(request)
    try:
        return await current.tasks.cancel(caller, request.path_params["id"])
    finally:
        current.poll_responses.clear()


class PollRoute(Route):
    """The route of a poll. Its path ends in `/{id}`. `request_id_field` is the field of the body with the id of the
    request, "" for none."""

    def __init__(
        self, path: str, renderer: Renderer, *, request_id_field: str = "", include_in_schema: bool = True
    ) -> None:
        async def poll(request: Request) -> Response:
            scope = request.scope
            rendered = await answer_poll(
                scope, request.receive, read_headers(scope), request.path_params["id"], renderer
            )
            rendered = self.with_request_id(rendered, scope["gateway.request_id"])
            response = Response(rendered.body)
            response.raw_headers = list(rendered.headers)
            return response

        super().__init__(path, poll, methods=["GET"], include_in_schema=include_in_schema)
        self.renderer = renderer
        self._request_id = f',"{request_id_field}":"'.encode() if request_id_field else b""

    def with_request_id(self, response: PollResponse, request_id: str) -> PollResponse:
        """The response, which may be shared with other requests, with the id of this one in its body."""
        if not self._request_id:
            return response
        body = b'%b%b%b"}' % (response.body[:-1], self._request_id, request_id.encode())
        # The length is the last header.
        headers = [*response.headers[:-1], (b"content-length", b"%d" % len(body))]
        return response._replace(headers=headers, body=body)


class PollShortcut:
    """Answers polls before the rest of the middleware. Plain ASGI."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        """Answers the polls among `routes`. A path that another route has literally, such as `/v1/videos/tasks`, is no
        poll."""
        self._app = app
        known = [route for route in routes if isinstance(route, Route)]
        self._polls = {route.path.removesuffix("/{id}"): route for route in known if isinstance(route, PollRoute)}
        self._others = frozenset(route.path for route in known if "{" not in route.path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            path: str = scope["path"]
            prefix, _, id = path.rpartition("/")
            route = self._polls.get(prefix)
            if route is not None and id and path not in self._others:
                headers = read_headers(scope)
                if b"origin" not in headers:
                    await _respond(scope, receive, send, route, headers, id)
                    return
        await self._app(scope, receive, send)


async def _respond(
    scope: Scope, receive: Receive, send: Send, route: PollRoute, headers: Mapping[bytes, bytes], id: str
) -> None:
    started = time.perf_counter()
    request_id = request_id_of(headers.get(b"x-request-id", b""), headers.get(b"authorization", b""))
    scope["gateway.request_id"], scope["route"] = request_id, route
    try:
        response = await answer_poll(scope, receive, headers, id, route.renderer)
        response = route.with_request_id(response, request_id)
        status, head, body = 200, response.headers, response.body
    except (Exception, asyncio.CancelledError) as error:
        failed = failure_response(Request(scope, receive), error)
        status, head, body = failed.status_code, failed.raw_headers, bytes(failed.body)
    usage = usage_of(scope)
    limits = usage.poll_headers() if usage is not None else ()
    head = [*head, (b"x-request-id", request_id.encode()), (SERVER_TIMING, server_timing(scope, started)), *limits]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
    log_request(scope, route.path, status, time.perf_counter() - started, routine=True)


def _encode(headers: Mapping[str, str], body: bytes) -> list[tuple[bytes, bytes]]:
    return [
        *((name.encode(), value.encode()) for name, value in headers.items()),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
