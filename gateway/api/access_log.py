"""What is written down of each request: one log line, one figure, under one id."""

import itertools
import logging
import re
import secrets

from starlette.types import Scope

from gateway.core.logs import ACCESS
from gateway.core.metrics import observe_request

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_USABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_PROCESS = secrets.token_hex(6)
_numbers = itertools.count(1)


def request_id_of(given: str) -> str:
    """The client's own id where it is usable, else one that no other process gives."""
    return given if given and _USABLE_ID.fullmatch(given) else f"req_{_PROCESS}{next(_numbers):08x}"


def report(scope: Scope, route: str, status: int, seconds: float, *, routine: bool = False) -> None:
    """Write down a request that is done: method, path, caller, log fields and id are those of its scope.

    `route` is the path of its route with the names in it, `seconds` how long it took. A `routine` request is asked all
    the time: as long as all is well, its line is for whoever debugs.
    """
    method = scope["method"]
    observe_request(route, method if method in _METHODS else "OTHER", status, seconds)
    if status >= 500:
        level = logging.WARNING
    else:
        level = logging.DEBUG if routine and status < 400 and method == "GET" else logging.INFO
    if not ACCESS.isEnabledFor(level):
        return
    fields = {
        "method": method,
        "path": ascii(scope["path"])[1:-1],
        "status": status,
        "ms": round(seconds * 1000, 1),
        "caller": scope.get("gateway.caller", "-"),
        **scope.get("gateway.log_fields", {}),
        "request_id": scope["gateway.request_id"],
    }
    ACCESS.log(level, "request", extra={"fields": fields})
