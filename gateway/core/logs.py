"""Log lines: one for each request, as text or JSON, with anything that looks like a credential masked."""

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from providers import registry

ACCESS = logging.getLogger("gateway.access")
GATEWAY = logging.getLogger("gateway")

_SECRETS = (
    r"(bearer\s+)[^\s\"']+",
    r"(token=)[^\s;,&\"']+",
    r"(://)[^/@\s]+(?=@)",
    # The gateway's own keys, and a kind of key that clients have beside their others.
    r"\b(?:gw|ms)-[\w-]{6,}",
)
"""What is never shown, whatever the provider. What a group matches stays; see `ProviderSpec.secret_patterns`."""


@lru_cache(2)
def _secrets(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


def mask(text: str) -> str:
    """`text` with what looks like a credential replaced."""
    patterns = (*_SECRETS, *(pattern for spec in registry.PROVIDERS for pattern in spec.secret_patterns))
    return _secrets(patterns).sub(lambda match: f"{match[match.lastindex] if match.lastindex else ''}***", text)


class TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={_quoted(value)}" for name, value in _fields(record).items())
        text = f"{_time(record)} {record.levelname.lower():7} {record.getMessage()} {fields}".rstrip()
        # A message may quote an upstream: it makes no lines of its own, and does not act on a terminal.
        return mask("".join(character if character.isprintable() else " " for character in text))


def _quoted(value: object) -> str:
    """A value on a line of text, in quotes where it would pass for several or act on a terminal."""
    text = str(value)
    if text.isprintable() and not set(text) & set(' "='):
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


def configure(level: str, form: str) -> None:
    """Send the lines of the gateway and of its server to standard error. A trace is never among them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in ("gateway", "uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
        logger.setLevel(level.upper())
    logging.getLogger("uvicorn.access").disabled = True
    # It remarks on every form that breaks off, which has a line of ours.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)


def where(error: Exception) -> str:
    """The kind of an error and the line it came from. Its text may quote a request, so it stays out."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def utc(seconds: float) -> str:
    """A unix time as people and programs read it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _time(record: logging.LogRecord) -> str:
    return utc(record.created)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = getattr(record, "fields", None)
    return fields if isinstance(fields, dict) else {}
