"""Request helpers of the routes: services, language, caller, submit order, log fields, JSON responses."""

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

import orjson
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Scope

from gateway.accounts.callers import Caller
from gateway.api.services import Services, services_of
from gateway.core.localization import Language, choose_language
from gateway.limits.key_usage import KeyUsage
from gateway.prompts.draft import PromptDraft
from gateway.tasks.order import Derivation, SubmitOrder
from gateway.tasks.view import Task
from providers.contract.requests import VideoRequest

_USAGE = "gateway.usage"


def services(request: HTTPConnection) -> Services:
    """The services that the request began with."""
    return services_of(request.scope)


def language_of(request: HTTPConnection) -> Language:
    default = services(request).settings.language
    header = request.headers.get("accept-language")
    return choose_language(header, default) if header else default


def caller_of(request: Request) -> Caller:
    """Authenticate the caller of a request and count the request against the limits of its key. Raises GatewayError
    (401, 429)."""
    return identify(request.scope, request.headers.get("authorization", ""))


def identify(scope: Scope, authorization: str) -> Caller:
    """Authenticate a caller, record its name for the access log, and count the request against the limits of its
    key. Raises GatewayError (401, 429)."""
    found = services_of(scope).callers.identify(authorization)
    scope["gateway.caller"] = found.name
    if found.usage is not None:
        count_request(scope, found.usage)
    return found


def count_request(scope: Scope, usage: KeyUsage) -> None:
    """Count a request against the limits of a key, which its response tells. Raises GatewayError (429)."""
    scope[_USAGE] = usage
    usage.count_request()


def usage_of(scope: Scope) -> KeyUsage | None:
    """The usage of the key of a request, whose limits its response tells; None without a key."""
    return scope.get(_USAGE)


IS_DISCONNECTED = "gateway.is_disconnected"
"""In the scope of a request, where the server tells it: a function that is True once the client has disconnected. To
look for the message takes a hundred times as long, and each submit asks for several clients."""


class ClientConnection:
    """Tells a submit whether the client is still connected."""

    __slots__ = ("_is_disconnected", "_request")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._is_disconnected: Callable[[], bool] | None = request.scope.get(IS_DISCONNECTED)

    async def is_disconnected(self) -> bool:
        if self._is_disconnected is not None:
            return self._is_disconnected()
        return await self._request.is_disconnected()


def submit_order(
    request: Request,
    caller: Caller,
    content: VideoRequest | Derivation,
    fingerprint: bytes,
    *,
    nearest: bool = False,
    unmarked_retries: bool = False,
    draft: PromptDraft | None = None,
) -> SubmitOrder:
    """The submit order of a request, with the idempotency key and retry count of its headers. `fingerprint` is the
    digest of the request as the client sent it. `unmarked_retries` and `draft` are those of `SubmitOrder`."""
    count = request.headers.get("x-stainless-retry-count", "")
    return SubmitOrder(
        caller,
        content,
        fingerprint,
        idempotency_key=request.headers.get("idempotency-key") or None,
        retry_count=int(count) if count.isascii() and count.isdigit() and len(count) < 4 else None,
        unmarked_retries=unmarked_retries,
        nearest=nearest,
        draft=draft,
        client=ClientConnection(request),
    )


def add_log_fields(request: Request, fields: Mapping[str, str]) -> None:
    """Add fields to the access log line of a request."""
    request.scope["gateway.log_fields"] = {**request.scope.get("gateway.log_fields", {}), **fields}


def request_id(request: HTTPConnection) -> str:
    return cast(str, request.scope.get("gateway.request_id", ""))


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, media_type="application/json")


def forces_refresh(request: Request) -> bool:
    """True if the client asks to bypass the cache with `Cache-Control: no-cache`."""
    return has_no_cache(request.headers.get("cache-control", ""))


def has_no_cache(cache_control: str) -> bool:
    return bool(cache_control) and "no-cache" in cache_control.lower()


def poll_headers(task: Task | None) -> dict[str, str]:
    """Headers of a poll response: the age of the status and, until the task ends, when to poll again."""
    headers = {"cache-control": "no-store"}
    if task is not None:
        headers["age"] = str(int(task.age))
    delay_ms = task.poll_after_ms if task else None
    if delay_ms is not None:
        headers["retry-after"] = str(math.ceil(delay_ms / 1000))
        headers["openai-poll-after-ms"] = str(delay_ms)
    return headers
