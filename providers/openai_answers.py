"""What an OpenAI-compatible API answers: errors in their various forms, and what of the headers is for a client.

Upstreams report errors with a status of success as well: as a body, or as the first event of a stream.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from providers.contract.language import is_event_stream

_SAFE = re.compile(r"[\x20-\x7e]{0,1024}")
_FORWARDED = frozenset({"content-type", "content-length", "retry-after"})
"""Response headers for the client, beside those of rate limits."""
_EVENT_END = re.compile(rb"\n\r?\n|\r\r")
_EVENT_END_BYTES = 2
"""Bytes of an event's end that may have come before its last one."""
_DATA = re.compile(rb"^data:[ ]?(\{[^\r\n]*)", re.MULTILINE)
_RESULTS = frozenset({"choices", "data"})
"""Fields of an answer, one of which every answer has. An error event in the middle of a stream may have both."""
_IDENTITY = frozenset({"", "identity"})


class ErrorText(NamedTuple):
    """The code and the message of an error body, "" for what is missing."""

    code: str
    message: str

    @property
    def status(self) -> int:
        """The status that the code is, where it is one; else 500."""
        code = self.code
        return int(code) if len(code) == 3 and code.isascii() and code.isdigit() and code[0] in "45" else 500


def ends_event(text: bytes | bytearray, added: int) -> bool:
    """True where the last `added` bytes of a text end an event, which may be a comment."""
    return _EVENT_END.search(text, max(0, len(text) - added - _EVENT_END_BYTES)) is not None


def is_answer(first: bytes, headers: Mapping[str, str]) -> bool:
    """True for the beginning of a stream or of a JSON object; False for an empty body, the page of a proxy, and an
    encoding that was not asked for."""
    if headers.get("content-encoding", "").strip().lower() not in _IDENTITY:
        return False
    return bool(first) if is_event_stream(headers) else first.lstrip()[:1] == b"{"


def error_in_answer(first: bytes, is_stream: bool) -> ErrorText | None:
    """The error that the beginning of an answer with a status of success is; None for an answer."""
    if is_stream:
        event = _DATA.search(first)
        text = event[1] if event is not None else b""
    else:
        text = first
    body = _json(text)
    return _error_of(body) if isinstance(body, dict) and not _RESULTS & body.keys() else None


def error_in_body(text: bytes) -> ErrorText | None:
    """The error of an error response: `{"error": {…}}`, `{"errors": {…}}` or the flat form of either; None for anything
    else."""
    body = _json(text)
    return _error_of(body) if isinstance(body, dict) else None


def model_names(text: bytes) -> list[str]:
    """The names of a list of models; none where it is no such list."""
    body = _json(text)
    rows = body.get("data") if isinstance(body, dict) else None
    found = [row.get("id") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [name for name in found if isinstance(name, str) and name]


def headers_for_client(headers: Mapping[str, str], credential: str) -> dict[str, str]:
    """The headers for a client, without any that quotes the credential."""
    found = {
        name: value
        for name, value in headers.items()
        if (name in _FORWARDED or "ratelimit" in name) and _SAFE.fullmatch(value) and credential not in value
    }
    if (id := headers.get("x-request-id")) and _SAFE.fullmatch(id) and credential not in id:
        # The gateway's own response has an id of its own.
        found["x-upstream-request-id"] = id
    return found


def _error_of(body: dict[str, Any]) -> ErrorText | None:
    inner = body.get("error") or body.get("errors") or body
    if isinstance(inner, str):
        return ErrorText("", inner)
    if not isinstance(inner, dict):
        return ErrorText("", _text(inner)) if inner is not body else None
    code, message = _text(inner.get("code")), _text(inner.get("message") or inner.get("detail"))
    return ErrorText(code, message) if code or message else None


def _text(value: Any) -> str:
    if isinstance(value, str) or not value:
        return value or ""
    return orjson.dumps(value).decode()


def _json(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
