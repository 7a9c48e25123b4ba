"""Logging: text and JSON formatters that mask credentials, and the configuration of the loggers."""

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import orjson

from providers import registry

ACCESS = logging.getLogger("gateway.access")
GATEWAY = logging.getLogger("gateway")

_SECRETS = (
    r"(bearer\s+)[^\s\"']+",
    r"(token=)[^\s;,&\"']+",
    r"(://)[^/@\s]+(?=@)",
    # Gateway keys.
    r"\bgw-[\w-]{6,}",
    # Secrets of webhooks, in base64.
    r"\bwhsec_[\w+/-]+=*",
)
"""Masked for every provider, except for what a group matches; see `ProviderSpec.secret_patterns`."""
_USER_OF_URL = r"(:/+)(?:(?!:/)[^@\s])++(?=@)"
"""Masked in paths only: a password may have slashes, and servers join the slashes of a path."""

MAX_PATH, _MAX_READ_PATH = 512, 1024
"""Characters of a path that are logged, and that are searched for credentials. A client may send 60,000."""
_ENCODED_PERCENT = re.compile("%(?:25)+(?=[0-9A-Fa-f]{2})")


@lru_cache(4)
def _secrets(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


def _mask(patterns: tuple[str, ...], text: str) -> str:
    return _secrets(patterns).sub(lambda match: f"{match[match.lastindex] if match.lastindex else ''}***", text)


def mask(text: str) -> str:
    """`text` with everything masked that looks like a credential."""
    return _mask((*_SECRETS, *(pattern for spec in registry.PROVIDERS for pattern in spec.secret_patterns)), text)


def mask_path(path: str, credentials: Iterable[str] = ()) -> str:
    """The path of a request, at most MAX_PATH characters of it, in printable ASCII, with everything masked that looks
    like a credential, also without a name beside it, and what is one of `credentials`. Ids of tasks stay.

    A path is shown decoded where a credential is encoded in it, once or several times.
    """
    read, credentials = path[:_MAX_READ_PATH], tuple(credentials)
    decoded = unquote(_ENCODED_PERCENT.sub("%", read)) if "%" in read else read
    shown = _mask_plain_path(read, credentials)
    if decoded != read:
        plain = _mask_plain_path(decoded, credentials)
        shown = plain if plain != _in_ascii(decoded) else shown
    if len(path) <= MAX_PATH:
        return shown
    # A credential may go beyond what is shown, so that the last segment is not.
    return f"{shown[:MAX_PATH].rpartition('/')[0]}/…"


def _mask_plain_path(path: str, credentials: Iterable[str]) -> str:
    path = _in_ascii(path)
    for credential in credentials:
        path = path.replace(credential, "***")
    own = (pattern for spec in registry.PROVIDERS for pattern in spec.path_secret_patterns)
    return _mask((_USER_OF_URL, *own), mask(path))


def _in_ascii(text: str) -> str:
    return ascii(text)[1:-1]


class TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={_quote_if_needed(value)}" for name, value in _fields(record).items())
        text = f"{_time(record)} {record.levelname.lower():7} {record.getMessage()} {fields}".rstrip()
        # A message may quote an upstream: it must not add lines or control a terminal.
        if not text.isprintable():
            text = "".join(character if character.isprintable() else " " for character in text)
        return mask(text)


def _quote_if_needed(value: object) -> str:
    """A value of a text line, quoted if it would look like several or control a terminal."""
    text = str(value)
    if text.isprintable() and not (" " in text or '"' in text or "=" in text):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        return mask(orjson.dumps(line, default=str).decode())


def configure(level: str, log_format: str) -> None:
    """Log the gateway and its server to standard error, without stack traces."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in ("gateway", "uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
        logger.setLevel(level.upper())
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("uvicorn.error").filters = [_is_not_logged_before]
    # It warns of every truncated form, which the access log shows already.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)


def _is_not_logged_before(record: logging.LogRecord) -> bool:
    """False for uvicorn's line about a response that stops early, whose cause the gateway has logged, and for lines
    about a WebSocket, which the access log has and whose query and messages may hold a credential."""
    if "websockets" in record.pathname:
        return False
    return not record.getMessage().startswith("ASGI callable returned without completing response")


def location_of(error: Exception) -> str:
    """The type and location of an error, without its message, which may quote a request."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def utc(seconds: float) -> str:
    """A unix time in ISO 8601, UTC, with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _time(record: logging.LogRecord) -> str:
    return utc(record.created)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = getattr(record, "fields", None)
    return fields if isinstance(fields, dict) else {}
