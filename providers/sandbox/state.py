"""What the sandbox has seen: counters and a request log, for tests in-process and over HTTP."""

import hashlib
import re
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from providers.sandbox.outcomes import Upstream

_SESSION = re.compile(r"(?:^|;\s*)sessionid=([^;\s]+)")
_IDS = (
    (re.compile(r"^(/api/v1/tasks/)[^/]+"), r"\1{id}"),
    (re.compile(r"^(/upload/v1/).+"), r"\1{uri}"),
    (re.compile(r"^(/imagex|/vod)/$"), r"\1"),
)
"""What in a path is not counted apart, and what stands for it."""

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


def tag_of(credential: str) -> str:
    """Twelve characters that stand for a credential in the books; "" for none. The credential is never kept."""
    return hashlib.sha256(credential.encode()).hexdigest()[:12] if credential else ""


def session_of(headers: Headers) -> str:
    """The value of the cookie `sessionid`, "" when there is none."""
    found = _SESSION.search(headers.get("cookie", ""))
    return found[1] if found else ""


def bearer_of(headers: Headers) -> str:
    """The token of `Authorization: Bearer …`, "" when there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


@dataclass(slots=True)
class Entry:
    """One request. `at` is unix time; `body_bytes` counts what was read; `status` 0 = no answer was given."""

    at: float
    upstream: str
    credential: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body_bytes: int = 0
    status: int = 0


class Books:
    """Counters per upstream ("jimeng", "dashscope", "chat") and credential tag (see `tag_of`).

    Every question takes `upstream` and `credential` (the credential itself) as filters; left out, all count.
    """

    def __init__(self, log_size: int) -> None:
        self._calls: Counter[tuple[str, str, str]] = Counter()
        self._accepted: Counter[tuple[str, str]] = Counter()
        self._charged: Counter[tuple[str, str]] = Counter()
        self._refunded: Counter[tuple[str, str]] = Counter()
        self._polls: Counter[tuple[str, str]] = Counter()
        self._foreign: Counter[tuple[str, str]] = Counter()
        self._log: deque[Entry] = deque(maxlen=log_size)
        self.settlers: list[Callable[[], None]] = []

    def called(self, entry: Entry) -> None:
        """A request has arrived."""
        self._calls[entry.upstream, entry.credential, _path_without_ids(entry.path)] += 1
        self._log.append(entry)

    def accepted(self, upstream: Upstream, credential: str, charge: int = 0) -> None:
        """A task was made, for `charge` credits."""
        key = (upstream, tag_of(credential))
        self._accepted[key] += 1
        self._charged[key] += charge

    def refunded(self, upstream: Upstream, credential: str, credits: int) -> None:
        """A failed task gave its credits back."""
        self._refunded[upstream, tag_of(credential)] += credits

    def polled(self, task_id: str, credential: str, owner: str) -> None:
        """A task's status was asked. `owner` is whose task it is, "" when nobody's."""
        self._polls[task_id, tag_of(credential)] += 1
        if owner and owner != credential:
            self._foreign[task_id, tag_of(credential)] += 1

    def calls(self, upstream: str = "", path: str = "", credential: str = "") -> int:
        """Requests; `path` as on the wire with a task id written `{id}`: `/api/v1/tasks/{id}`. Jimeng's upload
        hosts know no session, so their calls (`/imagex`, `/vod`, `/upload/v1/{uri}`) are nobody's."""
        wanted = (upstream, tag_of(credential), path)
        return _total(self._calls, wanted)

    def submits(self, upstream: str = "", credential: str = "") -> int:
        """Submits that made a task (a repeated `submit_id` makes none)."""
        return _total(self._accepted, (upstream, tag_of(credential)))

    def charges(self, upstream: str = "", credential: str = "") -> int:
        """Credits taken at submit."""
        return _total(self._charged, (upstream, tag_of(credential)))

    def refunds(self, upstream: str = "", credential: str = "") -> int:
        """Credits given back for failed tasks, as of now."""
        self._settle()
        return _total(self._refunded, (upstream, tag_of(credential)))

    def polls(self, task_id: str = "", credential: str = "") -> int:
        """How often a task was asked for; a call that asks for many ids counts once for each."""
        return _total(self._polls, (task_id, tag_of(credential)))

    def foreign_polls(self, task_id: str = "", credential: str = "") -> int:
        """The same, by credentials that do not own the task."""
        return _total(self._foreign, (task_id, tag_of(credential)))

    def log(self, last: int = 0) -> list[dict[str, Any]]:
        """The last requests, oldest first; 0 = all that are kept."""
        entries = list(self._log)
        return [asdict(entry) for entry in entries[-last:]]

    def snapshot(self) -> dict[str, Any]:
        """Everything as JSON: `accounts` by upstream and credential tag, `tasks` by task id."""
        self._settle()
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
        """Forget all counts and the log; tasks and credits stay."""
        self._settle()
        for counter in (self._calls, self._accepted, self._charged, self._refunded, self._polls, self._foreign):
            counter.clear()
        self._log.clear()

    def _settle(self) -> None:
        for settle in self.settlers:
            settle()


def _total(counter: Counter[Any], wanted: tuple[str, ...]) -> int:
    """Sum over the keys that agree with `wanted` in every part that is not ""."""
    return sum(
        count
        for key, count in list(counter.items())
        if all(want in ("", have) for want, have in zip(wanted, key, strict=True))
    )


class Recorder:
    """ASGI middleware: writes every upstream request into the books and takes the slash off DashScope paths."""

    def __init__(self, app: ASGIApp, books: Books, clock: Callable[[], float]) -> None:
        self._app = app
        self._books = books
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
        entry = Entry(
            at=self._clock(),
            upstream=upstream,
            credential=tag_of(credential),
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers=_masked(headers, credential),
        )
        self._books.called(entry)

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
    for pattern, stand_in in _IDS:
        path = pattern.sub(stand_in, path)
    return path


def _upstream_of(path: str) -> str:
    return next((upstream for prefix, upstream in _UPSTREAM_PATHS if path.startswith(prefix)), "")


def _masked(headers: Headers, credential: str) -> dict[str, str]:
    mask = f"masked:{tag_of(credential)}"
    return {name: mask if name in _SECRET_HEADERS else value for name, value in headers.items()}
