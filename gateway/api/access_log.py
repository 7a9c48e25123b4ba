"""What is written down of each request: one log line, one figure, under one id."""

import itertools
import logging
import re
import secrets
from collections.abc import Mapping

from gateway.core.logs import ACCESS
from gateway.core.metrics import observe_request

POLLS = frozenset({"/v1/videos/tasks/{id}", "/v1/videos/{id}", "/videos/{id}"})
"""Asked every second for every task."""
_ROUTINE = frozenset({"/healthz", "/ping", "/metrics"}) | POLLS
"""Their lines are for whoever debugs, as long as all is well."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_USABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_PROCESS = secrets.token_hex(6)
_numbers = itertools.count(1)


def request_id_of(given: str) -> str:
    """The client's own id where it is usable, else one that no other process gives."""
    return given if given and _USABLE_ID.fullmatch(given) else f"req_{_PROCESS}{next(_numbers):08x}"


def report(
    method: str,
    path: str,
    route: str,
    status: int,
    seconds: float,
    request_id: str,
    *,
    caller: str = "-",
    facts: Mapping[str, str] | None = None,
) -> None:
    """Write down a request that is done. `facts` is what its line tells besides: why it was refused, what it made."""
    known = method if method in _METHODS else "OTHER"
    observe_request(route, known, status, seconds)
    if status >= 500:
        level = logging.WARNING
    else:
        level = logging.DEBUG if route in _ROUTINE and status < 400 and method == "GET" else logging.INFO
    if not ACCESS.isEnabledFor(level):
        return
    fields = {
        "method": method,
        "path": ascii(path)[1:-1],
        "status": status,
        "ms": round(seconds * 1000, 1),
        "caller": caller,
        **(facts or {}),
        "request_id": request_id,
    }
    ACCESS.log(level, "request", extra={"fields": fields})
