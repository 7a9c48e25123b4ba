"""Measures a request while it is answered: requests in flight, its record, its span and the `Server-Timing` header."""

import time
from contextlib import AbstractContextManager
from contextvars import Token
from types import TracebackType
from typing import Any

from starlette.types import Scope

from gateway.core import tracing
from gateway.core.errors import GatewayError
from gateway.core.metrics import REQUESTS_IN_FLIGHT
from gateway.core.request_record import RequestRecord, current_record

RECORD = "gateway.record"
STATUS = "gateway.status"
"""In the scope of a request: its record, and the status of its response once that has begun."""

SERVER_TIMING = b"server-timing"

_FROM_CACHE = [f"total;dur={tenths / 10:.1f}, upstream;dur=0".encode() for tenths in range(100)]
"""The header of an answer from the cache by tenths of a millisecond: to format it would cost 1% of the answer."""


def server_timing(scope: Scope, began: float) -> bytes:
    """The value of `Server-Timing`: milliseconds since `began`, in seconds of `time.perf_counter`, and those that the
    request has waited for upstreams."""
    milliseconds = (time.perf_counter() - began) * 1000
    record: RequestRecord | None = scope.get(RECORD)
    if record is None or not record.upstream_seconds:
        tenths = int(milliseconds * 10)
        if tenths < len(_FROM_CACHE):
            return _FROM_CACHE[tenths]
    upstream = record.upstream_seconds * 1000 if record is not None else 0
    return b"total;dur=%.1f, upstream;dur=%.1f" % (milliseconds, upstream)


class MeasuredRequest:
    """A context manager in which a request is answered. Inside another one of the same request it does nothing."""

    __slots__ = ("_scope", "_span", "_token")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._token: Token[RequestRecord | None] | None = None
        self._span: tuple[AbstractContextManager[Any], Any] | None = None

    def __enter__(self) -> None:
        scope = self._scope
        if RECORD in scope:
            return
        record = scope[RECORD] = RequestRecord(scope["gateway.request_id"])
        self._token = current_record.set(record)
        REQUESTS_IN_FLIGHT.inc()
        if tracing.is_on():
            manager = tracing.request_span(scope.get("method", "GET"), scope["headers"])
            self._span = manager, manager.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._token is None:
            return
        REQUESTS_IN_FLIGHT.dec()
        current_record.reset(self._token)
        if self._span is not None:
            manager, span = self._span
            self._describe(span, error)
            manager.__exit__(kind, error, traceback)

    def _describe(self, span: Any, error: BaseException | None) -> None:
        scope = self._scope
        if error is None:
            status = scope.get(STATUS, 200)
        else:
            status = error.spec.status if isinstance(error, GatewayError) else 500
        route = getattr(scope.get("route"), "path", "unmatched")
        fields = {"request_id": scope["gateway.request_id"], **scope.get("gateway.log_fields", {})}
        if "gateway.caller" in scope:
            fields["caller"] = scope["gateway.caller"]
        tracing.describe_request(span, scope.get("method", "GET"), route, status, fields)
