"""What an upstream answers to its uncharged calls with one account, as a report that can be shown to others.

An upstream's wire changes without notice, and nobody but the holder of an account can see it. The report holds the
shape of every answer and what the gateway read out of it; `Redaction` takes out what belongs to the account's holder. A
probe never submits, never takes credits, and never uploads.
"""

import platform
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import orjson

from providers.contract import (
    Account,
    CanCheck,
    CanDiscover,
    CanList,
    CanTellCredits,
    Credits,
    ListedTask,
    ModelCard,
    Provider,
    ProviderError,
    TaskState,
)
from providers.http import HttpClient
from providers.ways import Reply

LISTED = 5
"""Recent tasks that are listed, and then queried: old ones, which cost nothing to look at."""


class Exchange(NamedTuple):
    """One call as it went over the wire."""

    method: str
    url: str
    body: Any
    reply: Reply


class RecordingClient(HttpClient):
    """An HttpClient that keeps what went over the wire, until it is taken."""

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
        proxy: str | None = None,
        once: bool = False,
    ) -> Reply:
        if once:
            raise AssertionError("a probe makes no call that may be charged")
        reply = await super().send(method, url, headers=headers, params=params, json=json, proxy=proxy)
        names = "&".join(f"{name}=" for name in params or {})
        self._exchanges.append(Exchange(method, f"{url}?{names}" if names else url, json, reply))
        return reply

    def take(self) -> list[Exchange]:
        """What was kept since the last time."""
        taken, self._exchanges = self._exchanges, []
        return taken


@dataclass(slots=True)
class _Step:
    """One call of the report. `read` says what the gateway makes of the answer."""

    name: str
    call: Callable[[], Awaitable[Any]]
    read: Callable[[Any], Any]


async def probe(provider: Provider, account: Account, http: RecordingClient) -> dict[str, Any]:
    """The report, ready for JSON. It raises nothing: a call that fails is a finding."""
    redaction = Redaction(account)
    found: list[dict[str, Any]] = []
    listed: Sequence[ListedTask] = ()
    for step in _steps(provider, account):
        outcome = await _run(step, redaction, http, found)
        if step.name == "list" and outcome is not None:
            listed = outcome
    ids = [task.state.id for task in listed][:LISTED]
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
    """The uncharged calls that this provider has."""
    steps: list[_Step] = []
    if isinstance(provider, CanCheck):
        steps.append(_Step("check", lambda: provider.check(account), lambda _: "the login is alive"))
    if isinstance(provider, CanDiscover):
        steps.append(_Step("models", lambda: provider.discover(account), _read_models))
    if isinstance(provider, CanTellCredits):
        steps.append(_Step("credits", lambda: provider.credits(account), _read_credits))
    if isinstance(provider, CanList):
        listing = provider.list
        steps.append(_Step("list", lambda: listing(account, before=None, limit=LISTED), _read_list))
    return steps


async def _run(step: _Step, redaction: "Redaction", http: RecordingClient, found: list[dict[str, Any]]) -> Any:
    began, outcome, read = time.perf_counter(), None, None
    try:
        outcome = await step.call()
        read = step.read(outcome)
    except ProviderError as error:
        read = {"error": error.kind.value, "code": error.code, "detail": redaction.text(error.detail)}
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


def _read_models(cards: Sequence[ModelCard]) -> list[dict[str, Any]]:
    return [
        {
            "name": card.name,
            "key": card.key,
            "durations": card.durations,
            "resolutions": card.resolutions,
            "ratios": card.ratios,
            "inputs": [sorted(roles) for roles in card.media_sets],
            "available": card.available,
        }
        for card in cards
    ]


def _read_credits(credits: Credits) -> str:
    return "some" if credits.total else "none"


def _read_list(tasks: Sequence[ListedTask]) -> list[dict[str, Any]]:
    return [_read_state(task.state) | {"submit_key": bool(task.submit_key)} for task in tasks[:LISTED]]


def _read_states(states: Mapping[str, TaskState | ProviderError]) -> list[dict[str, Any]]:
    return [
        _read_state(state) if isinstance(state, TaskState) else {"error": state.kind.value, "code": state.code}
        for state in states.values()
    ]


def _read_state(state: TaskState) -> dict[str, Any]:
    read: dict[str, Any] = {"phase": state.phase.value, "model": state.model, "created": state.created_at is not None}
    if state.result is not None:
        read["result"] = {
            "link": True,
            "cover": state.result.cover_url is not None,
            "expires": state.result.expires_at is not None,
            "size": [state.result.width, state.result.height],
            "duration": state.result.duration,
        }
    if state.error is not None:
        read["error"] = {"kind": state.error.kind.value, "code": state.error.code}
    return read


# --- redaction --------------------------------------------------------------------------------------------------

_TOLD = re.compile(r"(?i)(?:^|_)(?:ret|code|err_?msg|msg|message|reason|status|starling_key|model_name)$")
"""Names of fields whose text is the upstream's own, and what a report is about."""
_PRIVATE = re.compile(
    r"(?i)nick|screen|user|uid|mobile|phone|email|avatar|birth|token|secret|session|cookie|sign|prompt"
    r"|(?:^|_)(?:text|title|name|description|author|owner|ip)$"
)
"""Names of fields that are the account holder's, whatever they look like: a draft's `text` is a part of the prompt, and
`name` and `title` are those of a file or a person."""
_WORD = re.compile(r"[A-Za-z0-9_.:{}/%+-]{0,80}")
"""A word of the wire: one without a space, which sentences have."""
_ID = re.compile(r"\d{8,}|[0-9a-fA-F]{16,}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-|[A-Za-z0-9+=_-]{40,}")
_ADDRESS = re.compile(r"(?i)[a-z][a-z0-9+.-]*://|^//|^[\w-]+(?:\.[\w-]+)+/")
_LONGEST_NUMBER = 10_000_000
_MOST_ITEMS = 40
_DEEPEST = 24


class Redaction:
    """Takes out of a value what belongs to an account's holder: the credential, ids, links, prompts, names, and what
    they hide in, such as JSON inside a text. The shape stays: every name of a field, and of every value its kind."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def exchange(self, exchange: Exchange) -> dict[str, Any]:
        """A call and its answer. The host is left out: it may be the operator's own."""
        parts = urlsplit(exchange.url)
        try:
            answer = self.value(exchange.reply.json())
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

    def value(self, value: Any, field: str = "", depth: int = 0) -> Any:
        """Any JSON value. `field` is the name it stands under."""
        if depth > _DEEPEST:
            return "<deeper>"
        if isinstance(value, dict):
            return {self._name(name): self.value(item, name, depth + 1) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item, field, depth + 1) for item in value[:_MOST_ITEMS]]
        if isinstance(value, str):
            return self._string(value, field, depth)
        if isinstance(value, int | float) and not isinstance(value, bool):
            private = _PRIVATE.search(field) or abs(value) >= _LONGEST_NUMBER
            return f"<number of {len(str(value))} characters>" if private else value
        return value

    def text(self, text: str) -> str:
        """A sentence of the upstream, without what it quotes of the account."""
        return _ID.sub("<id>", self._account.redact(text))[:300]

    def _name(self, name: str) -> str:
        """The name of a field. Where answers are keyed by ids, it is one."""
        return _ID.sub("<id>", self._account.redact(name))

    def _string(self, text: str, field: str, depth: int) -> Any:
        if not text:
            return text
        if text[0] in "{[" and (inside := _json(text)) is not None:
            return {"<JSON text>": self.value(inside, field, depth + 1)}
        if _PRIVATE.search(field) and not _TOLD.search(field):
            return f"<text of {len(text)}>"
        if _ADDRESS.search(text):
            return _link(text)
        if _TOLD.search(field):
            return self.text(text)
        if self._account.redact(text) != text or _ID.search(text) or not _WORD.fullmatch(text):
            return f"<text of {len(text)}>"
        return text


def _link(text: str) -> str:
    """A link by what tells how long it lives: its host and the names of its query."""
    try:
        parts = urlsplit(text)
        names = ",".join(name for name, _ in parse_qsl(parts.query, keep_blank_values=True))
        host = parts.hostname or ""
    except ValueError:
        return f"<link of {len(text)}>"
    return f"<link {host} ?{names}>" if names else f"<link {host}>"


def _json(text: str) -> Any:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict | list) else None
