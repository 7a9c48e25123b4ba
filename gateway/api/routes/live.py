"""Live events: the event stream of one task on both surfaces, and the WebSocket of many."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from gateway.accounts.callers import Caller
from gateway.api.context import identify, language_of, request_id
from gateway.api.error_responses import log_failure
from gateway.api.poll_endpoint import Renderer
from gateway.api.renderers.task import render_task
from gateway.api.renderers.video import render_video
from gateway.api.services import services_of
from gateway.core import metrics
from gateway.core.localization import Language, localize
from gateway.core.messages import TIMED_OUT
from gateway.live import watcher
from gateway.live.sse import EventRenderers, EventStream
from gateway.live.websocket import SocketSession

_LAST_ID_DIGITS = 15
_INTERNAL_ERROR = 1011
"""Close code of a WebSocket."""


def events_of(renderer: Renderer) -> Callable[[Request], Any]:
    """The endpoint `GET …/{id}/events` whose events have the JSON of `renderer`."""

    async def events(request: Request) -> ASGIApp:
        caller = _caller_of(request)
        services = services_of(request.scope)
        language, id_of_request = language_of(request), request_id(request)
        renderers = EventRenderers(
            _json(renderer, language),
            _timeout_json(renderer, language),
            lambda error: orjson.dumps(error.body(language, id_of_request)),
        )
        return EventStream(
            services.watches,
            services.streams,
            services.clock,
            services.background,
            caller,
            request.path_params["id"],
            renderers,
            seconds=services.settings.video_timeout / 1000,
            last_id=_last_id(request),
        )

    return events


task_events, video_events = events_of(render_task), events_of(render_video)


async def socket(websocket: WebSocket) -> None:
    """The WebSocket /v1/videos/tasks/ws. A handshake with a credential is refused (401) where that is invalid."""
    services = services_of(websocket.scope)
    caller = _caller_of(websocket) if _authorization(websocket) else None
    language = language_of(websocket)

    session = SocketSession(
        websocket,
        services.watches,
        services.streams,
        services.background,
        partial(identify, websocket.scope),
        _json(render_task, language, "video.status_update"),
        _timeout_json(render_task, language, "video.timeout"),
        lambda error: error.body(language, request_id(websocket)),
        seconds=services.settings.video_timeout / 1000,
    )
    with metrics.EVENT_STREAMS.labels("websocket").track_inprogress():
        try:
            await session.run(caller)
        except Exception as error:
            # The server would log the text of the exception.
            log_failure(request_id(websocket), error)
            await websocket.close(_INTERNAL_ERROR)


async def upgrade_required(request: Request) -> None:
    """GET /v1/videos/tasks/ws without a WebSocket handshake."""
    raise HTTPException(426, headers={"Upgrade": "websocket", "Connection": "Upgrade"})


def _authorization(connection: HTTPConnection) -> str:
    """The Authorization header; without one `?token=`, since web pages cannot set headers of an `EventSource` and of a
    WebSocket."""
    header = connection.headers.get("authorization", "")
    if header:
        return header
    token = parse_qs(connection.scope["query_string"].decode("latin-1")).get("token", [""])[0].strip()
    return token if not token or token.lower().startswith("bearer ") else f"Bearer {token}"


def _caller_of(connection: HTTPConnection) -> Caller:
    return identify(connection.scope, _authorization(connection))


def _last_id(request: Request) -> int:
    value = request.headers.get("last-event-id", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) <= _LAST_ID_DIGITS else 0


@cache
def _json(renderer: Renderer, language: Language, type: str = "") -> watcher.Renderer:
    """A renderer to bytes: the same object for all streams, so that they share its results."""
    extra = {"type": type} if type else {}
    return lambda task: orjson.dumps(extra | renderer(task, language))


@cache
def _timeout_json(renderer: Renderer, language: Language, type: str = "") -> watcher.Renderer:
    extra = {"type": type} if type else {}
    message = {"message": localize(TIMED_OUT, language)}
    return lambda task: orjson.dumps(extra | renderer(task, language) | message)
