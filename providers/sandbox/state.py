"""The sandbox's ledger: request counters, charges and a request log, for tests in-process and over HTTP."""

import hashlib
import re
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from providers.sandbox.directives import Upstream

_SESSION = re.compile(r"(?:^|;\s*)sessionid=([^;\s]+)")
_IDS = (
    (re.compile(r"^(/api/v1/tasks/)[^/]+"), r"\1{id}"),
    (re.compile(r"^(/upload/v1/).+"), r"\1{uri}"),
    (re.compile(r"^(/imagex|/vod)/$"), r"\1"),
)
"""Variable parts of a path, which are not counted separately, and their replacement."""

_SECRET_HEADERS = ("authorization", "cookie", "proxy-authorization", "x-amz-security-token")
_UPSTREAM_PATHS: tuple[tuple[str, Upstream], ...] = (
    ("/mweb/", "jimeng"),
    ("/commerce/", "jimeng"),
    ("/passport/", "jimeng"),
    ("/imagex", "jimeng"),
    ("/vod", "jimeng"),
    ("/upload/", "jimeng"),
    ("/api/v1/", "dashscope"),
    ("/oss", "dashscope"),
    ("/compatible-mode/", "chat"),
    ("/v1/", "chat"),
)


MAX_BODIES = 1000
"""Bodies of submits in the log."""
_SHOWN_DATA = 60


def tag_of(credential: str) -> str:
    """Twelve characters that identify a credential in the ledger; "" for none. The credential is never stored."""
    return hashlib.sha256(credential.encode()).hexdigest()[:12] if credential else ""


def _without_data(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_data(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_data(item) for item in value]
    return f"{value[:_SHOWN_DATA]}…" if isinstance(value, str) and value.startswith("data:") else value


def session_of(headers: Headers) -> str:
    """The value of the cookie `sessionid`, "" if there is none."""
    found = _SESSION.search(headers.get("cookie", ""))
    return found[1] if found else ""


def bearer_of(headers: Headers) -> str:
    """The token of `Authorization: Bearer …`, "" if there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


@dataclass(slots=True)
class LoggedRequest:
    """One request. `at` is unix time; `body_bytes` counts the bytes read; `status` 0 = no response."""

    at: float
    upstream: str
    credential: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body_bytes: int = 0
    status: int = 0


class Ledger:
    """Counters per upstream ("jimeng", "dashscope", "chat") and credential tag (see `tag_of`).

    Every query takes `upstream` and `credential` (the credential itself) as filters; "" counts all.
    """

    def __init__(self, log_size: int) -> None:
        self._calls: Counter[tuple[str, str, str]] = Counter()
        self._accepted: Counter[tuple[str, str]] = Counter()
        self._charged: Counter[tuple[str, str]] = Counter()
        self._refunded: Counter[tuple[str, str]] = Counter()
        self._polls: Counter[tuple[str, str]] = Counter()
        self._foreign: Counter[tuple[str, str]] = Counter()
        self._log: deque[LoggedRequest] = deque(maxlen=log_size)
        self._bodies: deque[tuple[str, str, Any]] = deque(maxlen=MAX_BODIES)
        self.before_read: list[Callable[[], None]] = []
        """Called before refunds are read, to record those that have become due."""

    def record_call(self, entry: LoggedRequest) -> None:
        """Count a request and log it."""
        self._calls[entry.upstream, entry.credential, _path_without_ids(entry.path)] += 1
        self._log.append(entry)

    def record_submit(self, upstream: Upstream, credential: str, charge: int = 0) -> None:
        """Count a created task and its `charge` in credits."""
        key = (upstream, tag_of(credential))
        self._accepted[key] += 1
        self._charged[key] += charge

    def record_body(self, upstream: Upstream, credential: str, body: Any) -> None:
        """Log the body of an accepted submit, `data:` URLs cut short."""
        self._bodies.append((upstream, tag_of(credential), _without_data(body)))

    def record_refund(self, upstream: Upstream, credential: str, credits: int) -> None:
        """Count the refunded `credits` of a failed task."""
        self._refunded[upstream, tag_of(credential)] += credits

    def record_poll(self, task_id: str, credential: str, owner: str) -> None:
        """Count a status query. `owner` is the credential that owns the task, "" for an unknown task."""
        self._polls[task_id, tag_of(credential)] += 1
        if owner and owner != credential:
            self._foreign[task_id, tag_of(credential)] += 1

    def calls(self, upstream: str = "", path: str = "", credential: str = "") -> int:
        """Requests; `path` as on the wire with a task id written `{id}`: `/api/v1/tasks/{id}`. Jimeng's upload
        hosts get no session, so their calls (`/imagex`, `/vod`, `/upload/v1/{uri}`) have no credential."""
        return _total(self._calls, (upstream, tag_of(credential), path))

    def submits(self, upstream: str = "", credential: str = "") -> int:
        """Submits that created a task (a repeated `submit_id` creates none)."""
        return _total(self._accepted, (upstream, tag_of(credential)))

    def bodies(self, upstream: str = "", credential: str = "") -> list[Any]:
        """The bodies of the last accepted submits, oldest first."""
        wanted = (upstream, tag_of(credential))
        return [
            body
            for *key, body in self._bodies
            if all(not one or one == found for one, found in zip(wanted, key, strict=True))
        ]

    def charges(self, upstream: str = "", credential: str = "") -> int:
        """Credits charged at submit."""
        return _total(self._charged, (upstream, tag_of(credential)))

    def refunds(self, upstream: str = "", credential: str = "") -> int:
        """Credits refunded for failed tasks, as of now."""
        self._apply_pending()
        return _total(self._refunded, (upstream, tag_of(credential)))

    def polls(self, task_id: str = "", credential: str = "") -> int:
        """Status queries of a task; a call with many ids counts once for each."""
        return _total(self._polls, (task_id, tag_of(credential)))

    def foreign_polls(self, task_id: str = "", credential: str = "") -> int:
        """Status queries by credentials that do not own the task."""
        return _total(self._foreign, (task_id, tag_of(credential)))

    def log(self, last: int = 0) -> list[dict[str, Any]]:
        """The last requests, oldest first; 0 = all in the log."""
        entries = list(self._log)
        return [asdict(entry) for entry in entries[-last:]]

    def snapshot(self) -> dict[str, Any]:
        """Everything as JSON: `accounts` by upstream and credential tag, `tasks` by task id."""
        self._apply_pending()
        accounts: dict[str, dict[str, dict[str, Any]]] = {}
        for (upstream, tag, path), count in list(self._calls.items()):
            account = accounts.setdefault(upstream, {}).setdefault(tag or "anonymous", {"calls": {}})
            account["calls"][path] = count
            account["submits"] = self._accepted[upstream, tag]
            account["charged"] = self._charged[upstream, tag]
            account["refunded"] = self._refunded[upstream, tag]
        tasks: dict[str, dict[str, int]] = {}
        for (task_id, tag), count in list(self._polls.items()):
            task = tasks.setdefault(task_id, {"polls": 0, "foreign_polls": 0})
            task["polls"] += count
            task["foreign_polls"] += self._foreign[task_id, tag]
        return {
            "calls": self.calls(),
            "submits": self.submits(),
            "charged": self.charges(),
            "refunded": self.refunds(),
            "polls": self.polls(),
            "foreign_polls": self.foreign_polls(),
            "accounts": accounts,
            "tasks": tasks,
        }

    def reset(self) -> None:
        """Clear all counters and the log; tasks and credits stay."""
        self._apply_pending()
        for counter in (self._calls, self._accepted, self._charged, self._refunded, self._polls, self._foreign):
            counter.clear()
        self._log.clear()
        self._bodies.clear()

    def _apply_pending(self) -> None:
        for apply in self.before_read:
            apply()


def _total(counter: Counter[Any], filters: tuple[str, ...]) -> int:
    """The sum over the keys that match every filter that is not ""."""
    return sum(
        count
        for key, count in list(counter.items())
        if all(filter_value in ("", value) for filter_value, value in zip(filters, key, strict=True))
    )


class Recorder:
    """ASGI middleware: records every upstream request in the ledger and strips the slash off DashScope paths."""

    def __init__(self, app: ASGIApp, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._app = app
        self._ledger = ledger
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        upstream = _upstream_of(scope["path"]) if scope["type"] == "http" else ""
        if not upstream:
            await self._app(scope, receive, send)
            return
        if upstream != "jimeng" and scope["path"].endswith("/"):
            scope = {**scope, "path": scope["path"].rstrip("/")}
        headers = Headers(scope=scope)
        credential = session_of(headers) if upstream == "jimeng" else bearer_of(headers)
        entry = LoggedRequest(
            at=self._clock(),
            upstream=upstream,
            credential=tag_of(credential),
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers=_masked(headers, credential),
        )
        self._ledger.record_call(entry)

        async def counting_receive() -> Message:
            message = await receive()
            entry.body_bytes += len(message.get("body", b""))
            return message

        async def noting_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.status = message["status"]
            await send(message)

        await self._app(scope, counting_receive, noting_send)


def _path_without_ids(path: str) -> str:
    for pattern, replacement in _IDS:
        path = pattern.sub(replacement, path)
    return path


def _upstream_of(path: str) -> str:
    return next((upstream for prefix, upstream in _UPSTREAM_PATHS if path.startswith(prefix)), "")


def _masked(headers: Headers, credential: str) -> dict[str, str]:
    mask = f"masked:{tag_of(credential)}"
    return {name: mask if name in _SECRET_HEADERS else value for name, value in headers.items()}
