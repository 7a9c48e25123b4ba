"""Makes the free calls of an upstream with one account, for a report that can be shared.

The API of an upstream changes without notice, and only the owner of an account can see it. The report has the structure
of every response and what the gateway parsed from it, without personal data (`Redaction`). A probe never submits,
never receives credits and never uploads.
"""

import base64
import platform
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from providers.contract.accounts import Account, Credits, Proxy
from providers.contract.errors import ProviderError
from providers.contract.models import ModelCard
from providers.contract.provider import CanCheck, CanDiscover, CanList, CanReadCredits, Provider
from providers.contract.tasks import ListedTask, TaskState
from providers.transport.client import HttpClient
from providers.transport.transports import Reply

MAX_LISTED = 5
"""Maximum recent tasks that are listed and then queried."""


class Exchange(NamedTuple):
    """One call: its request and its response."""

    method: str
    url: str
    body: Any
    reply: Reply


class RecordingClient(HttpClient):
    """An HttpClient that records its calls."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._exchanges: list[Exchange] = []

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
        content: bytes = b"",
        proxy: Proxy | None = None,
        once: bool = False,
        is_link: bool = False,
    ) -> Reply:
        if once or content:
            raise AssertionError("a probe makes no call that may be charged")
        reply = await super().send(method, url, headers=headers, params=params, json=json, proxy=proxy, is_link=is_link)
        names = "&".join(f"{name}=" for name in params or {})
        self._exchanges.append(Exchange(method, f"{url}?{names}" if names else url, json, reply))
        return reply

    def take(self) -> list[Exchange]:
        """The calls recorded since the last time."""
        taken, self._exchanges = self._exchanges, []
        return taken


@dataclass(slots=True)
class _Step:
    """One call of the report. `read` renders what the gateway parsed from the response."""

    name: str
    call: Callable[[], Awaitable[Any]]
    read: "Callable[[Any, Redaction], Any]"


async def probe(provider: Provider, account: Account, http: RecordingClient) -> dict[str, Any]:
    """The report as JSON values. It does not raise: a failed call is part of the report."""
    redaction = Redaction(account)
    found: list[dict[str, Any]] = []
    listed: Sequence[ListedTask] = ()
    for step in _steps(provider, account):
        outcome = await _run(step, redaction, http, found)
        if step.name == "list" and outcome is not None:
            listed = outcome
    ids = [task.state.id for task in listed][:MAX_LISTED]
    if ids:
        await _run(_Step("query", lambda: provider.query(ids, account), _read_states), redaction, http, found)
    return {
        "gateway": version("video-gateway"),
        "python": platform.python_version(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "provider": provider.name,
        "region": account.region,
        "calls": found,
    }


def _steps(provider: Provider, account: Account) -> list[_Step]:
    """The free calls of a provider."""
    steps: list[_Step] = []
    if isinstance(provider, CanCheck):
        steps.append(_Step("check", lambda: provider.check(account), lambda *_: "the login is alive"))
    if isinstance(provider, CanDiscover):
        steps.append(_Step("models", lambda: provider.discover(account), _read_models))
    if isinstance(provider, CanReadCredits):
        steps.append(_Step("credits", lambda: provider.credits(account), _read_credits))
    if isinstance(provider, CanList):
        listing = provider.list
        steps.append(_Step("list", lambda: listing(account, before=None, limit=MAX_LISTED), _read_list))
    return steps


async def _run(step: _Step, redaction: "Redaction", http: RecordingClient, found: list[dict[str, Any]]) -> Any:
    began, outcome, read = time.perf_counter(), None, None
    try:
        outcome = await step.call()
        read = step.read(outcome, redaction)
    except ProviderError as error:
        read = {
            "error": error.kind.value,
            "code": redaction.identifier(error.code),
            "detail": redaction.text(error.detail),
        }
    except Exception as error:
        # Unexpected responses are what the report is for.
        read = {"error": type(error).__name__, "code": "", "detail": ""}
    found.append(
        {
            "call": step.name,
            "ok": outcome is not None or not isinstance(read, dict) or "error" not in read,
            "seconds": round(time.perf_counter() - began, 3),
            "read": read,
            "exchanges": [redaction.exchange(exchange) for exchange in http.take()],
        }
    )
    return outcome


def _read_models(cards: Sequence[ModelCard], redaction: "Redaction") -> list[dict[str, Any]]:
    return [
        {
            "name": redaction.identifier(card.name),
            "key": redaction.identifier(card.key),
            "durations": card.durations,
            "resolutions": [redaction.identifier(resolution) for resolution in card.resolutions],
            "ratios": card.ratios,
            "inputs": [sorted(roles) for roles in card.media_sets],
            "available": card.available,
        }
        for card in cards
    ]


def _read_credits(credits: Credits, redaction: "Redaction") -> str:
    return "some" if credits.total else "none"


def _read_list(tasks: Sequence[ListedTask], redaction: "Redaction") -> list[dict[str, Any]]:
    return [_read_state(task.state, redaction) | {"submit_key": bool(task.submit_key)} for task in tasks[:MAX_LISTED]]


def _read_states(states: Mapping[str, TaskState | ProviderError], redaction: "Redaction") -> list[dict[str, Any]]:
    return [
        _read_state(state, redaction)
        if isinstance(state, TaskState)
        else {"error": state.kind.value, "code": redaction.identifier(state.code)}
        for state in states.values()
    ]


def _read_state(state: TaskState, redaction: "Redaction") -> dict[str, Any]:
    model = None if state.model is None else redaction.identifier(state.model)
    read: dict[str, Any] = {"phase": state.phase.value, "model": model, "created": state.created_at is not None}
    if state.result is not None:
        read["result"] = {
            "link": True,
            "cover": state.result.cover_url is not None,
            "expires": state.result.expires_at is not None,
            "size": [state.result.width, state.result.height],
            "duration": state.result.duration,
        }
    if state.error is not None:
        read["error"] = {"kind": state.error.kind.value, "code": redaction.identifier(state.error.code)}
    return read


# --- redaction --------------------------------------------------------------------------------------------------

_SENTENCE_FIELD = re.compile(r"(?i)(?:^|_)(?:ret|code|err_?msg|msg|message|reason|status|starling_key|model_name)$")
"""Names of fields with a message or code of the upstream, which the report shows."""
_PRIVATE = re.compile(
    r"(?i)nick|screen|user|author|uid|mobile|phone|mail|avatar|birth|gender|token|secret|session|cookie|sign|passw|pwd"
    r"|access|auth|api_?key|caller|verif|ticket|credential|credit|balance|prompt|title|desc|caption|content|(?:^|_)text$|address"
    r"|owner|location|latitude|longitude|(?:^|_)(?:ip|lat|lng|lon)(?:$|_)|(?<!model_)name$"
)
"""Names of fields with personal data, whatever their values look like."""
_QUOTED = re.compile(r"(?i)prompt|nick|screen|mobile|phone|mail|title|desc|caption")
"""Those of them that a message of the upstream may quote."""
_FIELD = re.compile(r"[A-Za-z0-9_.:$<>-]{1,64}")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.:{}/-]{0,80}")
_ID = re.compile(
    r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\d(?:[ -]?\d){7,}|[0-9a-fA-F]{16,}|[A-Za-z0-9+=_-]{40,}"
    r"|[^\s@]+@[^\s@]+|\d{1,3}(?:\.\d{1,3}){3}"
)
_OPAQUE = re.compile(r"(?=[^\s]*[a-z])(?=[^\s]*[A-Z])(?=[^\s]*\d)[A-Za-z0-9+/=_-]{12,}")
"""Lower case, upper case and digits in one run: keys, tokens and base64."""
_URL = re.compile(r"(?i)[a-z][a-z0-9+.-]*://|^//|^[\w-]+(?:\.[\w-]+)+/")
_QUERY_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,30}")
_MAX_NUMBER = 10_000_000
_MAX_ITEMS = 40
_MAX_FIELDS = 200
_MAX_PRIVATE_TEXTS = 500
_MAX_DEPTH = 24
_MIN_SECRET_LENGTH = 4
"""Characters. Shorter secrets occur in unrelated texts."""


class Redaction:
    """Removes personal data from a value: the credential, ids, links, prompts and names, also in JSON inside of a
    string. The names of fields and the types of values stay."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._private_texts: set[str] = set()

    def exchange(self, exchange: Exchange) -> dict[str, Any]:
        """A call and its response, without the host, which may be private."""
        parts = urlsplit(exchange.url)
        try:
            found = exchange.reply.json()
            self._collect_private_texts(found)
            answer = self.value(found)
        except ValueError:
            answer = f"<{len(exchange.reply.body)} bytes that are no JSON>"
        return {
            "method": exchange.method,
            "path": "/".join(_ID.sub("<id>", part) for part in parts.path.split("/")),
            "query": [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)],
            "body": self.value(exchange.body),
            "status": exchange.reply.status,
            "answer": answer,
        }

    def _collect_private_texts(self, value: Any) -> None:
        """Collect the private texts of a response, since the message of an error may quote them."""
        pending: list[tuple[str, Any, int]] = [("", value, 0)]
        while pending and len(self._private_texts) < _MAX_PRIVATE_TEXTS:
            field, found, depth = pending.pop()
            if isinstance(found, str) and found.lstrip()[:1] in ("{", "["):
                found = _json(found) or found
            if isinstance(found, str):
                if _QUOTED.search(field) and len(found) >= _MIN_SECRET_LENGTH:
                    self._private_texts.add(found)
            elif depth <= _MAX_DEPTH and isinstance(found, dict):
                pending += [(name, item, depth + 1) for name, item in found.items()]
            elif depth <= _MAX_DEPTH and isinstance(found, list):
                pending += [(field, item, depth + 1) for item in found]

    def value(self, value: Any, field: str = "", depth: int = 0) -> Any:
        """Redact a JSON value. `field` is the name of its field."""
        if depth > _MAX_DEPTH:
            return "<deeper>"
        if isinstance(value, dict):
            fields = islice(value.items(), _MAX_FIELDS)
            shown = {self._name(name): self.value(item, name, depth + 1) for name, item in fields}
            return shown if len(value) <= _MAX_FIELDS else shown | {"<more>": len(value) - _MAX_FIELDS}
        if isinstance(value, list | tuple):
            return [self.value(item, field, depth + 1) for item in value[:_MAX_ITEMS]]
        if isinstance(value, str):
            return self._string(value, field, depth)
        if isinstance(value, int | float) and not isinstance(value, bool):
            private = _PRIVATE.search(field) or abs(value) >= _MAX_NUMBER
            return f"<number of {len(str(value))} characters>" if private else value
        return value

    def text(self, text: str) -> str:
        """Redact a message of the upstream, which may quote the account or a request."""
        shown_part, brace, _ = text[:2000].partition("{")
        for private_text in self._private_texts:
            shown_part = shown_part.replace(private_text, "***")
        shown = self._without_secrets(shown_part) + ("{…}" if brace else "")
        shown = _OPAQUE.sub("<id>", _ID.sub("<id>", shown))
        return "".join(character if character.isprintable() else " " for character in shown)[:300]

    def identifier(self, text: str) -> str:
        """A name or code of the upstream, or the length of a text that may be private."""
        hidden = _ID.search(text) or _OPAQUE.search(text) or not _IDENTIFIER.fullmatch(text) or _is_encoded_text(text)
        return f"<text of {len(text)}>" if hidden or self._without_secrets(text) != text else text

    def _without_secrets(self, text: str) -> str:
        shown = self._account.redact(text)
        decoded = unquote(shown)
        return "***" if decoded != shown and self._account.redact(decoded) != decoded else shown

    def _name(self, name: str) -> str:
        """Redact the name of a field, which is an id in responses that are keyed by ids."""
        shown = _ID.sub("<id>", self._without_secrets(name))
        return shown if _FIELD.fullmatch(shown) else f"<name of {len(name)}>"

    def _string(self, text: str, field: str, depth: int) -> Any:
        if not text:
            return text
        if text.lstrip()[:1] in ("{", "[") and (inside := _json(text)) is not None:
            return {"<JSON text>": self.value(inside, field, depth + 1)}
        if _PRIVATE.search(field):
            return f"<text of {len(text)}>"
        if _URL.search(text):
            return self._link(text)
        return self.text(text) if _SENTENCE_FIELD.search(field) else self.identifier(text)

    def _link(self, text: str) -> str:
        """Redact a link to its host and query names, which show how it expires."""
        try:
            parts = urlsplit(text)
            host = parts.hostname or ""
        except ValueError:
            host = ""
        if not host or any(character.isspace() for character in text) or self.identifier(host) != host:
            return f"<link of {len(text)}>"
        named = [name for name, _ in parse_qsl(parts.query)]
        names = ",".join(
            name if _QUERY_NAME.fullmatch(name) and self.identifier(name) == name else "…" for name in named
        )
        return f"<link {host} ?{names}>" if names else f"<link {host}>"


def _is_encoded_text(text: str) -> bool:
    """True for the base64 of printable text."""
    if len(text) < _MIN_ENCODED_LENGTH:
        return False
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        return False
    return decoded.isprintable()


_MIN_ENCODED_LENGTH = 10


def _json(text: str) -> Any:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict | list) else None
