"""Access log: one log line and one metric per request, under one request id."""

import itertools
import logging
import re
import secrets

from starlette.types import Scope

from gateway.api.request_measure import RECORD
from gateway.core.logs import ACCESS, mask_path
from gateway.core.metrics import observe_request
from gateway.core.request_record import RequestRecord

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_USABLE_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_BETWEEN_CREDENTIALS = re.compile(r"[\s,@]+")
_MIN_CREDENTIAL_LENGTH = 8
_PROCESS = secrets.token_hex(6)
_numbers = itertools.count(1)


def request_id_of(given: bytes, authorization: bytes) -> str:
    """The client's request id if it is valid and holds none of its credentials, else a new one, unique across
    processes. Both are values of the client's headers. Ids go into every log line and trace of a request."""
    if given and _USABLE_ID.fullmatch(given):
        id = given.decode()
        if not any(credential in id for credential in _credentials_of(authorization)):
            return id
    return f"req_{_PROCESS}{next(_numbers):08x}"


def log_request(scope: Scope, route: str, status: int, seconds: float, *, routine: bool = False) -> None:
    """Log and count a finished request. Its method, path, caller, log fields and id are in its scope.

    `route` is the path template, `seconds` the duration. A successful `routine` request is logged at debug level.
    """
    # The handshake of a WebSocket is a GET.
    method = scope.get("method", "GET")
    observe_request(route, method if method in _METHODS else "OTHER", status, seconds)
    if status >= 500:
        level = logging.WARNING
    else:
        level = logging.DEBUG if routine and status < 400 and method == "GET" else logging.INFO
    if not ACCESS.isEnabledFor(level):
        return
    # Some clients write theirs into a path. A path without parameters is the gateway's own text.
    path = scope["path"]
    if path != route:
        authorization = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        path = mask_path(path, _credentials_of(authorization))
    client = scope.get("client")
    fields = {
        "method": method,
        "path": path,
        "status": status,
        "ms": round(seconds * 1000, 1),
        **_upstream_fields(scope),
        "client": client[0] if client else "-",
        "caller": scope.get("gateway.caller", "-"),
        **_task_of(route, path),
        **scope.get("gateway.log_fields", {}),
        "request_id": scope["gateway.request_id"],
    }
    ACCESS.log(level, "request", extra={"fields": fields})


def _upstream_fields(scope: Scope) -> dict[str, object]:
    """How long the request waited for an upstream, and with which account. Empty where it did not."""
    record: RequestRecord | None = scope.get(RECORD)
    if record is None or not record.account:
        return {}
    return {"upstream_ms": round(record.upstream_seconds * 1000, 1), "account": record.account}


def _task_of(route: str, path: str) -> dict[str, str]:
    """The task that a path names, from the masked path."""
    before, is_task, _ = route.partition("{id}")
    segments, index = path.split("/"), before.count("/")
    return {"task": segments[index]} if is_task and index < len(segments) else {}


def _credentials_of(authorization: bytes) -> list[str]:
    """The credentials of an Authorization header."""
    given = _BETWEEN_CREDENTIALS.split(authorization.decode("latin-1"))[1:]
    return [credential for credential in given if len(credential) >= _MIN_CREDENTIAL_LENGTH]
