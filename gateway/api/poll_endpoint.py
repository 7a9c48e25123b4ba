"""Polls of one task, answered before anything else gets to see them.

They are nearly all of the traffic, and the layers that other requests pass would cost more than the answer. What is
special in any way goes the ordinary way: pages of browsers, odd paths, and whatever breaks. Both ways give the same
answers, which tests hold against each other.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api.access_log import report, request_id_of
from gateway.api.context import poll_headers, wants_fresh
from gateway.api.routes import generations, openai_videos
from gateway.api.services import Services, services_of
from gateway.core.errors import GatewayError
from gateway.core.messages import Language, choose_language
from gateway.core.metrics import QUERIES_SAVED
from gateway.tasks.view import Task

Render = Callable[[Task, Language], dict[str, Any]]

_SURFACES: tuple[tuple[str, str, Render], ...] = (
    ("/v1/videos/tasks/", "/v1/videos/tasks/{id}", generations.render),
    ("/v1/videos/", "/v1/videos/{id}", openai_videos.render),
    ("/videos/", "/videos/{id}", openai_videos.render),
)
_NOT_IDS = frozenset({"tasks", "generations", "edits", "extensions", "characters", "ws"})
_READ = frozenset({b"authorization", b"accept-language", b"cache-control", b"x-request-id", b"origin"})


RETOLD_SECONDS = 0.25
"""For this long an answer is told again as it is: no progress moves in less, and a fresh state is not made older."""
MOST_RETOLD = 4096


_Key = tuple[str, bytes, bytes]
"""Path, authorization and languages: what an answer depends on."""


class _Told(NamedTuple):
    """An answer ready to be sent again until `until`, by the process's own seconds."""

    until: float
    parts: Services
    caller: str
    head: list[tuple[bytes, bytes]]
    body: bytes


class FastPolls:
    """Plain ASGI, the outermost of the application's layers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._told: dict[_Key, _Told] = {}
        self._cancels = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            path: str = scope["path"]
            for prefix, route, render in _SURFACES:
                if path.startswith(prefix):
                    id = path[len(prefix) :]
                    if _may_be_an_id(id) and await self._answer(scope, send, route, render, id):
                        return
                    break
        await self._app(scope, receive, send)
        if scope["type"] == "http" and (scope["method"] == "DELETE" or scope["path"].endswith("/cancel")):
            # Whoever cancelled a task and asks for it is told so.
            self._cancels += 1
            self._told.clear()

    async def _answer(self, scope: Scope, send: Send, route: str, render: Render, id: str) -> bool:
        """Answer the poll; False where that is left to the ordinary way, and nothing has been sent."""
        began = time.perf_counter()
        given = [(name, value) for name, value in scope["headers"] if name in _READ]
        headers = dict(given)
        if b"origin" in headers or len(headers) != len(given):
            return False
        cancels = self._cancels
        parts = services_of(scope)
        own_id = headers.get(b"x-request-id")
        request_id = request_id_of(own_id.decode("latin-1") if own_id else "")
        key = (scope["path"], headers.get(b"authorization", b""), headers.get(b"accept-language", b""))
        ask = b"cache-control" in headers and wants_fresh(headers[b"cache-control"].decode("latin-1"))
        told = None if ask else self._told.get(key)
        if told is not None and told.until > began and told.parts is parts:
            QUERIES_SAVED.inc()
            await _send(send, 200, told.body, told.head, request_id)
            report("GET", scope["path"], route, 200, time.perf_counter() - began, request_id, caller=told.caller)
            return True
        language = choose_language(key[2].decode("latin-1"), parts.settings.language)
        caller, facts = "-", None
        try:
            who = parts.callers.identify(key[1].decode("latin-1"))
            caller = who.name
            task = await parts.tasks.status(who, id, ask=ask)
            status, body = 200, orjson.dumps(render(task, language))
            head = _raw(poll_headers(task), body)
            if cancels == self._cancels:
                self._remember(key, parts, caller, task, head, body)
        except GatewayError as refusal:
            status, facts = refusal.shape.status, refusal.mark()
            body = orjson.dumps(refusal.body(language, request_id))
            head = _raw(refusal.headers(), body)
        except Exception:
            return False
        await _send(send, status, body, head, request_id)
        seconds = time.perf_counter() - began
        report("GET", scope["path"], route, status, seconds, request_id, caller=caller, facts=facts)
        return True

    def _remember(
        self,
        key: _Key,
        parts: Services,
        caller: str,
        task: Task,
        head: list[tuple[bytes, bytes]],
        body: bytes,
    ) -> None:
        freshness = parts.settings.poll_freshness
        if task.trouble is not None or freshness <= 0:
            return
        # What is older for want of a turn stays so until its turn has come.
        longest = RETOLD_SECONDS if task.age >= freshness else min(RETOLD_SECONDS, freshness - task.age)
        if len(self._told) >= MOST_RETOLD:
            self._told.clear()
        self._told[key] = _Told(time.perf_counter() + longest, parts, caller, head, body)


def _may_be_an_id(text: str) -> bool:
    return text.isascii() and "/" not in text and text != "" and text not in _NOT_IDS


def _raw(headers: Mapping[str, str], body: bytes) -> list[tuple[bytes, bytes]]:
    return [
        *((name.encode(), value.encode()) for name, value in headers.items()),
        (b"content-length", str(len(body)).encode()),
        (b"content-type", b"application/json"),
    ]


async def _send(send: Send, status: int, body: bytes, head: list[tuple[bytes, bytes]], request_id: str) -> None:
    headers = [*head, (b"x-request-id", request_id.encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
