"""Polls of one task, answered before anything else gets to see them.

They are nearly all of the traffic, and the layers that other requests pass would cost more than the answer. What is
special in any way goes the ordinary way: pages of browsers, odd paths, and whatever breaks. Both ways give the same
answers, which tests hold against each other.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, cast

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.context import Parts, poll_headers, wants_fresh
from gateway.errors import GatewayError
from gateway.messages import Language, choose_language
from gateway.reports import report, request_id_of
from gateway.routes import generations, openai_videos
from gateway.tasks import Task

Render = Callable[[Task, Language], dict[str, Any]]

_SURFACES: tuple[tuple[str, str, Render], ...] = (
    ("/v1/videos/tasks/", "/v1/videos/tasks/{id}", generations.render),
    ("/v1/videos/", "/v1/videos/{id}", openai_videos.render),
    ("/videos/", "/videos/{id}", openai_videos.render),
)
_NOT_IDS = frozenset({"tasks", "generations", "edits", "extensions", "characters", "ws"})
_READ = frozenset({b"authorization", b"accept-language", b"cache-control", b"x-request-id", b"origin"})


class FastPolls:
    """Plain ASGI, the outermost of the application's layers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            path: str = scope["path"]
            for prefix, route, render in _SURFACES:
                if path.startswith(prefix):
                    id = path[len(prefix) :]
                    if _may_be_an_id(id) and await _answer(scope, send, route, render, id):
                        return
                    break
        await self._app(scope, receive, send)


def _may_be_an_id(text: str) -> bool:
    return text.isascii() and "/" not in text and text != "" and text not in _NOT_IDS


async def _answer(scope: Scope, send: Send, route: str, render: Render, id: str) -> bool:
    """Answer the poll; False where that is left to the ordinary way, and nothing has been sent."""
    began = time.perf_counter()
    headers = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _READ}
    if b"origin" in headers:
        return False
    parts = cast(Parts, scope["app"].state.parts)
    request_id = request_id_of(headers.get(b"x-request-id", ""))
    language = choose_language(headers.get(b"accept-language", ""), parts.settings.language)
    caller, refused = "-", None
    try:
        who = parts.callers.identify(headers.get(b"authorization", ""))
        caller = who.name
        task = await parts.tasks.status(who, id, ask=wants_fresh(headers.get(b"cache-control", "")))
        status, content, extra = 200, render(task, language), poll_headers(task)
    except GatewayError as refusal:
        status, content, extra = refusal.shape.status, refusal.body(language, request_id), refusal.headers()
        refused = refusal.mark()
    except Exception:
        return False
    await _send(send, status, orjson.dumps(content), extra, request_id)
    report("GET", scope["path"], route, status, time.perf_counter() - began, request_id, caller=caller, refusal=refused)
    return True


async def _send(send: Send, status: int, body: bytes, headers: Mapping[str, str], request_id: str) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    raw += [
        (b"content-length", str(len(body)).encode()),
        (b"content-type", b"application/json"),
        (b"x-request-id", request_id.encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
