"""Chat completions and embeddings, in OpenAI's form."""

from contextlib import AsyncExitStack
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import add_log_fields, caller_of, language_of, request_id, services
from gateway.api.relay import Failure, Relay, WhileConnected
from gateway.api.schemas.body_parser import read_body
from gateway.core import metrics
from gateway.core.errors import gateway_error
from gateway.language.body import parse_body
from gateway.language.service import interrupted
from providers.contract.errors import ProviderError
from providers.contract.language import LanguageKind
from providers.offload import offload

_STREAM_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
"""Proxies in front pass an event on as it comes."""


async def chat(request: Request) -> Response:
    """POST /v1/chat/completions"""
    return await _answer(request, LanguageKind.CHAT)


async def embeddings(request: Request) -> Response:
    """POST /v1/embeddings"""
    return await _answer(request, LanguageKind.EMBEDDING)


async def _answer(request: Request, kind: LanguageKind) -> Response:
    caller = caller_of(request)
    text = await read_body(request, services(request).settings.limits.body_bytes)
    body = await offload(len(text), partial(parse_body, text))
    add_log_fields(request, {"stream": "true" if body.stream else "false"})
    async with WhileConnected(request.receive):
        call = await services(request).language.open(caller, kind, body, request.headers)
    add_log_fields(request, call.log_fields)
    response = call.response
    headers = dict(response.headers)
    if headers.get("content-length") == str(len(response.first)):
        await response.close()
        return Response(response.first, response.status, headers)
    opened = AsyncExitStack()
    opened.push_async_callback(response.close)
    if not response.is_event_stream:
        return Relay(response.status, headers, response.first, response.chunks, opened)
    metrics.ANSWER_STREAMS.inc()
    opened.callback(metrics.ANSWER_STREAMS.dec)
    headers |= _STREAM_HEADERS
    return Relay(response.status, headers, response.first, response.chunks, opened, partial(_error_event, request))


def _error_event(request: Request, failure: Failure, last: bytes) -> bytes | None:
    """The last event of a stream that broke. None after a part of an event: a client would read this one as its end."""
    found = interrupted(failure) if isinstance(failure, ProviderError) else gateway_error("stopping")
    add_log_fields(request, found.log_fields())
    if not last.endswith((b"\n\n", b"\r\n\r\n")):
        return None
    return b"data: " + orjson.dumps(found.body(language_of(request), request_id(request))) + b"\n\n"
