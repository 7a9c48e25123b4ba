"""DashScope's asynchronous video API below `/api/v1`: submit, status, cancel, list.

Errors have three fields, `{"code","message","request_id"}`; a task's own failure is HTTP 200 with the same two in
`output`. A trailing slash is accepted everywhere.
"""

import uuid
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from providers.sandbox.answers import rejection, with_fault, with_quotes
from providers.sandbox.dashscope import tasks as tasks
from providers.sandbox.dashscope.checks import read_order
from providers.sandbox.dashscope.codes import CREDENTIAL_CODES, MESSAGES, STATUS, Refused
from providers.sandbox.dashscope.inputs import media_places
from providers.sandbox.dashscope.media import check_media, seconds_in
from providers.sandbox.dashscope.scene import scene_of
from providers.sandbox.dashscope.tasks import Json, Lane, Task
from providers.sandbox.dashscope.uploads import Uploads
from providers.sandbox.dashscope.usage import UNSEEN_SECONDS, Inputs
from providers.sandbox.directives import Directives, credential_directive, read_directives, without
from providers.sandbox.files import Files, base_of
from providers.sandbox.settings import SandboxSettings
from providers.sandbox.state import Ledger, bearer_of

_DAY = 86_400.0
_ONLY_SYNC = "current user api does not support asynchronous calls."
_NO_LIST = "The account is not authorized to list tasks."
_NOT_PENDING = "Failed to cancel the task, please confirm if the task is in PENDING status."


class DashScope:
    """The service: its tasks by key (each key is an account of its own) and its calls."""

    def __init__(self, settings: SandboxSettings, clock: Callable[[], float], ledger: Ledger, files: Files) -> None:
        self._settings = settings
        self._clock = clock
        self._ledger = ledger
        self._files = files
        self._uploads = Uploads(clock)
        self._tasks: dict[str, Task] = {}
        self._owned: dict[str, list[Task]] = {}
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._recent: dict[tuple[str, str], deque[float]] = {}
        self._attempts: Counter[tuple[str, str]] = Counter()

    def routes(self) -> list[Route]:
        """All calls, and a 404 with three fields for the rest of `/api/v1`."""
        return [
            Route("/api/v1/services/aigc/{path:path}", self._guarded(self._submit), methods=["POST"]),
            Route("/api/v1/tasks", self._guarded(self._list), methods=["GET"]),
            Route("/api/v1/tasks/{task_id}", self._guarded(self._query), methods=["GET"]),
            Route("/api/v1/tasks/{task_id}/cancel", self._guarded(self._cancel), methods=["POST"]),
            Route("/api/v1/uploads", self._guarded(self._upload_policy), methods=["GET"]),
            Route("/oss", self._uploads.receive, methods=["POST"]),
            Route("/api/v1/{path:path}", self._guarded(self._nothing), methods=["GET", "POST", "PUT", "DELETE"]),
        ]

    def _guarded(self, call: Callable[[Request, str, bytes], Awaitable[ASGIApp]]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> ASGIApp:
            body = await request.body()
            try:
                answer = await call(request, _key(request), body)
            except Refused as refused:
                answer = self._refuse(refused.code, refused.message)
            return with_quotes(answer, bearer_of(request.headers))

        return endpoint

    def _answer(self, body: Json, status: int = 200, request_id: str = "") -> Response:
        request_id = request_id or str(uuid.uuid4())
        headers = {"X-Request-ID": request_id}
        content = orjson.dumps({**body, "request_id": request_id})
        return Response(content, status, headers, media_type="application/json")

    def _refuse(self, code: str, message: str = "") -> Response:
        body = {"code": code, "message": message or MESSAGES.get(code, f"The request was refused with {code}.")}
        return self._answer(body, STATUS.get(code, 400))

    def _pace(self, key: str, kind: str, per_second: int) -> None:
        """Refuse the call that is one too many within a second."""
        if not per_second:
            return
        now = self._clock()
        recent = self._recent.setdefault((key, kind), deque())
        while recent and recent[0] <= now - 1:
            recent.popleft()
        if len(recent) >= per_second:
            raise Refused("Throttling.RateQuota", MESSAGES["Throttling.RateQuota"])
        recent.append(now)

    async def _nothing(self, request: Request, key: str, body: bytes) -> ASGIApp:
        raise Refused("NotFound", f"{request.method} {request.url.path} does not exist.")

    async def _upload_policy(self, request: Request, key: str, body: bytes) -> ASGIApp:
        action, model = request.query_params.get("action"), request.query_params.get("model", "")
        if action != "getPolicy" or not model:
            raise Refused("InvalidParameter", "action must be getPolicy, and model is required")
        return self._answer({"data": self._uploads.policy(key, model, base_of(request))})

    async def _submit(self, request: Request, key: str, body: bytes) -> ASGIApp:
        given = _json_object(body)
        order = read_order(request.path_params["path"], request.headers, given)
        self._uploads.check(given["input"], key, order.model_name)
        if blocked := CREDENTIAL_CODES.get(credential_directive(key)):
            raise Refused(*blocked)
        directives = self._submit_directives(key, order.prompt)
        if refused := rejection(directives, self._refuse, "Throttling.RateQuota", "InvalidParameter"):
            return refused
        self._pace(key, f"submit {order.model_name}", self._settings.submits_per_second)
        places = media_places(given["input"], order.model)
        found = await check_media(places, order.model.name, self._uploads.content, self._settings.download_seconds)
        seconds = float(directives["seconds"]) if "seconds" in directives else self._settings.task_seconds
        task = Task(
            task_id=str(uuid.uuid4()),
            request_id=str(uuid.uuid4()),
            owner=key,
            order=order,
            directives=directives,
            created=self._clock(),
            seconds=seconds * (self._settings.slow_factor if "slow" in directives else 1),
            inputs=Inputs(
                tuple(seconds_in(found, "video", UNSEEN_SECONDS)),
                tuple(seconds_in(found, "audio", UNSEEN_SECONDS)),
                len(seconds_in(found, "image", 0.0)),
            ),
        )
        self._tasks[task.task_id] = task
        self._owned.setdefault(key, []).append(task)
        self._lane(task).add(task)
        self._files.clips.begin(task.task_id, scene_of(order, found), task.seconds)
        self._ledger.record_submit("dashscope", key)
        self._ledger.record_body("dashscope", key, given)
        output = {"task_status": "PENDING", "task_id": task.task_id}
        answer = self._answer({"output": output}, request_id=task.request_id)
        if "noid" in directives:
            answer = self._answer({"code": "InternalError", "message": MESSAGES["InternalError"]})
        return with_fault(directives, answer, self._settings.drip_seconds)

    def _submit_directives(self, key: str, prompt: str) -> Directives:
        directives = read_directives(prompt)
        if "times" not in directives:
            return directives
        self._attempts[key, prompt] += 1
        return (
            without(directives, "refusal", "answer")
            if self._attempts[key, prompt] > float(directives["times"])
            else directives
        )

    def _lane(self, task: Task) -> Lane:
        cap = min(task.order.model.running, self._settings.running_per_model)
        return self._lanes.setdefault((task.owner, task.order.model_name), Lane(cap))

    def _found(self, task_id: str, key: str) -> Task | None:
        """The task, if this key may see it and the service still remembers it."""
        task, now = self._tasks.get(task_id), self._clock()
        if task is None or task.owner != key or now - task.created > self._settings.keep_seconds:
            return None
        return None if task.vanished(now) else task

    async def _query(self, request: Request, key: str, body: bytes) -> ASGIApp:
        self._pace(key, "query", self._settings.queries_per_second)
        if self._settings.refuse_async_queries and "x-dashscope-async" in request.headers:
            raise Refused("AccessDenied", _ONLY_SYNC)
        task_id = request.path_params["task_id"]
        known = self._tasks.get(task_id)
        self._ledger.record_poll(task_id, key, known.owner if known else "")
        task = self._found(task_id, key)
        if task is None:
            return self._answer({"output": tasks.unknown(task_id)})
        answer = self._answer(tasks.answer(task, self._clock(), base_of(request), self._files))
        directives = task.directives
        self._attempts[task_id, "poll"] += 1
        if "poll-times" in directives and self._attempts[task_id, "poll"] > float(directives["poll-times"]):
            return answer
        if "poll-refuse" in directives or "poll-429" in directives:
            return self._refuse(directives.get("poll-refuse") or "Throttling.RateQuota")
        return with_fault(directives, answer, self._settings.drip_seconds, "poll-")

    async def _cancel(self, request: Request, key: str, body: bytes) -> ASGIApp:
        self._pace(key, "cancel", self._settings.queries_per_second)
        task, now = self._found(request.path_params["task_id"], key), self._clock()
        if task is None or task.status(now) != "PENDING" or "nocancel" in task.directives:
            raise Refused("UnsupportedOperation", _NOT_PENDING)
        self._lane(task).cancel(task, now)
        return self._answer({})

    async def _list(self, request: Request, key: str, body: bytes) -> ASGIApp:
        self._pace(key, "list", self._settings.queries_per_second)
        if credential_directive(key) == "nolist":
            raise Refused("AccessDenied", _NO_LIST)
        query, now = request.query_params, self._clock()
        start, end = _span(query.get("start_time"), query.get("end_time"), now)
        now -= self._settings.list_lag
        page_no, page_size = _positive(query.get("page_no", "1")), _positive(query.get("page_size", "10"))
        if page_size > self._settings.list_page_max:
            raise Refused("InvalidParameter", f"page_size must be in [1, {self._settings.list_page_max}]")
        found = [
            task
            for task in reversed(self._owned.get(key, []))
            if start <= task.created <= min(end, now)
            and now - task.created <= self._settings.keep_seconds
            and query.get("model_name") in (None, "", task.order.model_name)
            and query.get("status") in (None, "", task.status(now))
            and query.get("task_id") in (None, "", task.task_id)
            and not task.vanished(now)
        ]
        page_size = min(page_size, self._settings.list_page_cap or page_size)
        first = (page_no - 1) * page_size
        body_out = {
            "total": len(found),
            "data": [tasks.row(task, now) for task in found[first : first + page_size]],
            "total_page": -(-len(found) // page_size),
            "page_no": page_no,
            "page_size": page_size,
        }
        return self._answer(body_out)


def _key(request: Request) -> str:
    key = bearer_of(request.headers)
    if not key:
        raise Refused("InvalidApiKey", "No API-key provided.")
    if not key.startswith("sk-") or credential_directive(key) == "expired":
        raise Refused("InvalidApiKey", MESSAGES["InvalidApiKey"])
    return key


def _json_object(text: bytes) -> Json:
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Refused("InvalidParameter", "The request body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise Refused("InvalidParameter", "The request body must be an object.")
    return body


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise Refused("InvalidParameter", "page_no and page_size must be positive integers")
    return int(text)


def _moment(text: str) -> float:
    try:
        local = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise Refused("InvalidParameter", "start_time and end_time must be YYYYMMDDhhmmss") from None
    return (local - tasks.ZONE).timestamp()


def _span(start: str | None, end: str | None, now: float) -> tuple[float, float]:
    """The list's span in unix seconds: the last 24 hours unless said; one end given means 24 hours from it."""
    first = _moment(start) if start else (_moment(end) - _DAY if end else now - _DAY)
    last = _moment(end) if end else (first + _DAY if start else now)
    if not 0 <= last - first <= _DAY:
        raise Refused("InvalidParameter", "the span of start_time and end_time must be within 24 hours")
    return first, last + (1 if end else 0)
