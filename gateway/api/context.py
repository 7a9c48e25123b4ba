"""What every route needs: the parts of the application, and the request's language, caller and JSON answers."""

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Scope

from gateway.accounts.callers import Caller, Callers
from gateway.accounts.checks import Care
from gateway.accounts.pool import AccountPool
from gateway.api.response_cache import ResponseCache
from gateway.core.messages import Language, choose_language
from gateway.core.settings import Settings
from gateway.tasks.idempotency import Repeats
from gateway.tasks.service import Tasks
from gateway.tasks.submitter import Sending
from gateway.tasks.view import Submitted, Task
from providers.contract.requests import VideoRequest
from providers.transport.client import HttpClient


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one application, made at its start and anew for each configuration that it reads."""

    settings: Settings
    callers: Callers
    tasks: Tasks
    repeats: Repeats
    http: HttpClient
    pool: AccountPool
    care: Care
    poll_responses: ResponseCache = field(default_factory=ResponseCache)


def parts(request: Request) -> Parts:
    return parts_of(request.scope)


def parts_of(scope: Scope) -> Parts:
    return cast(Parts, scope["app"].state.parts)


def language(request: Request) -> Language:
    default = parts(request).settings.language
    header = request.headers.get("accept-language")
    return choose_language(header, default) if header else default


def caller(request: Request) -> Caller:
    """Who is calling. Raises GatewayError (401)."""
    found = parts(request).callers.identify(request.headers.get("authorization", ""))
    request.scope["gateway.caller"] = found.name
    return found


async def submit_once(
    request: Request,
    who: Caller,
    fingerprint: bytes,
    wish: Callable[[], Awaitable[VideoRequest]],
    *,
    nearest: bool = False,
) -> Submitted:
    """Submit what a request wishes, unless it is the repeat of one that was submitted. **Charged.**

    `fingerprint` is of what the client wrote; `wish` makes a request of it, and may ask upstreams for that. Raises
    GatewayError.
    """
    key = request.headers.get("idempotency-key") or None
    tries = request.headers.get("x-stainless-retry-count", "")

    async def wanted() -> None:
        if await request.is_disconnected():
            raise ClientDisconnect

    async def submit(seed: str, *, find_only: bool, sending: Sending) -> Submitted:
        return await parts(request).tasks.submit(
            who,
            await wish(),
            seed=seed,
            repeatable=key is not None,
            find_only=find_only,
            nearest=nearest,
            sending=sending,
            # Whoever may come back for it finds what was made meanwhile.
            wanted=None if key is not None or tries else wanted,
        )

    return await parts(request).repeats.once(
        who.identity,
        fingerprint,
        submit,
        key=key,
        tries=int(tries) if tries.isascii() and tries.isdigit() and len(tries) < 4 else None,
        gone=request.is_disconnected,
    )


def note(request: Request, facts: Mapping[str, str]) -> None:
    """What the log line of a request tells besides."""
    request.scope["gateway.facts"] = {**request.scope.get("gateway.facts", {}), **facts}


def request_id(request: Request) -> str:
    return cast(str, request.scope.get("gateway.request_id", ""))


def json_answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, media_type="application/json")


def insists(request: Request) -> bool:
    """True when the client wants a fresh answer, whatever is known."""
    return wants_fresh(request.headers.get("cache-control", ""))


def wants_fresh(cache_control: str) -> bool:
    return bool(cache_control) and "no-cache" in cache_control.lower()


def poll_headers(task: Task | None) -> dict[str, str]:
    """How old the answer is and when to come back; the latter not for a task that has ended."""
    headers = {"cache-control": "no-store"}
    if task is not None:
        headers["age"] = str(int(task.age))
    pause = task.poll_after_ms if task else None
    if pause is not None:
        headers["retry-after"] = str(math.ceil(pause / 1000))
        headers["openai-poll-after-ms"] = str(pause)
    return headers
