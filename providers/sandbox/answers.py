"""Faulty responses as ASGI applications, and the directives that choose them."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from typing import Any

import orjson
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from providers.sandbox.directives import Directives, is_quoted

_MESSAGES = frozenset({"message", "errmsg", "fail_starling_message"})
_QUOTES: tuple[Callable[[str], str], ...] = (
    lambda credential: f"Incorrect API key provided: {credential[:7]}{'*' * 8}{credential[-4:]}",
    lambda credential: f"session {credential[:6]}...{credential[-4:]}",
    lambda credential: f"the key ending in {credential[-4:]}",
    lambda credential: f"token={credential[:10].upper()}…",
    lambda credential: f"Bearer {credential}",
)
"""How services quote a credential: the first as OpenAI's, which compatible services repeat."""
_quotes = itertools.cycle(_QUOTES)

PAGE = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def pause(receive: Receive, seconds: float) -> None:
    """Sleep until the time is over or the client disconnects."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(_gone(receive), seconds)


async def close_connection(scope: Scope, receive: Receive) -> None:
    """Close the connection under the answer. The server leaves its transport in the request's state; without
    one (an in-process client) the break shows as a ConnectionResetError."""
    transport: asyncio.Transport | None = scope.get("state", {}).get("transport")
    if transport is None:
        raise ConnectionResetError("the sandbox closed the connection, as the prompt ordered")
    transport.close()
    await _gone(receive)


async def lost(scope: Scope, receive: Receive, send: Send) -> None:
    """The connection closes without a byte of an answer."""
    await close_connection(scope, receive)


async def hang(scope: Scope, receive: Receive, send: Send) -> None:
    """No response; ends when the client disconnects."""
    await _gone(receive)


def delayed(answer: Response, seconds: float) -> ASGIApp:
    """The response after a delay of `seconds`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await pause(receive, seconds)
        await answer(scope, receive, send)

    return app


def drip(answer: Response, seconds: float, steps: int = 20) -> ASGIApp:
    """The response in `steps` pieces over `seconds`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = bytes(answer.body)
        size = max(1, -(-len(body) // steps))
        await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
        for at in range(0, len(body), size):
            await pause(receive, seconds / steps)
            await send({"type": "http.response.body", "body": body[at : at + size], "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


def cut(answer: Response) -> ASGIApp:
    """Half of the announced bytes, then the connection closes."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = bytes(answer.body)
        await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await close_connection(scope, receive)

    return app


def half(answer: Response) -> Response:
    """A complete HTTP response whose JSON text stops in the middle."""
    body = bytes(answer.body)
    return Response(body[: len(body) // 2], answer.status_code, media_type=answer.media_type)


def rejection(
    directives: Directives, refuse: Callable[[str], Response], throttled: str, default: str
) -> ASGIApp | None:
    """The response of a submit that these directives reject; None = it may be accepted.

    `refuse` renders an upstream's error for a code, `throttled` is its code for "too frequent", `default` its code for
    a `#refuse` without one.
    """
    for directive, value in directives.items():
        match directive:
            case "refuse":
                return refuse(value or default)
            case "throttle":
                return refuse(throttled)
            case "status":
                return Response(f"status {value} as ordered", int(value), media_type="text/plain")
            case "redirect":
                return RedirectResponse("/_sandbox/elsewhere", 302)
            case "html-before":
                return HTMLResponse(PAGE)
            case "lost-before":
                return lost
            case "hang-before":
                return hang
    return None


def with_fault(directives: Directives, answer: Response, drip_seconds: float, prefix: str = "") -> ASGIApp:
    """The response to an accepted call with the fault that the directives choose, unchanged without one.

    `prefix` "poll-" reads the directives for status calls.
    """
    for directive, value in directives.items():
        if not directive.startswith(prefix):
            continue
        match directive.removeprefix(prefix):
            case "lost":
                return lost
            case "hang":
                return hang
            case "500":
                return Response("Internal Server Error", 500, media_type="text/plain")
            case "status" | "status-after":
                return Response(f"status {value} as ordered", int(value), media_type="text/plain")
            case "html":
                return HTMLResponse(PAGE)
            case "empty":
                return Response(b"", media_type="application/json")
            case "halfjson":
                return half(answer)
            case "cut":
                return cut(answer)
            case "drip":
                return drip(answer, drip_seconds)
            case "delay":
                return delayed(answer, float(value))
    return answer


def with_quotes(answer: ASGIApp, credential: str) -> ASGIApp:
    """The response with the credential quoted in each of its messages, mostly in part, if the credential says so. One
    form of quoting follows the other."""
    if not is_quoted(credential) or not isinstance(answer, Response):
        return answer
    body, headers = (
        bytes(answer.body),
        {name: value for name, value in answer.headers.items() if name != "content-length"},
    )
    with contextlib.suppress(orjson.JSONDecodeError):
        return Response(orjson.dumps(_quoting(orjson.loads(body), credential)), answer.status_code, headers)
    if answer.media_type != "text/plain":
        return answer
    return Response(body + f" ({next(_quotes)(credential)})".encode(), answer.status_code, headers)


def _quoting(value: Any, credential: str, name: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _quoting(item, credential, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_quoting(item, credential) for item in value]
    return f"{value} ({next(_quotes)(credential)})" if name in _MESSAGES and isinstance(value, str) and value else value
