"""A DashScope task over time: its state, its answer, its row in the list. Pure functions of now."""

import heapq
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from providers.sandbox.clips import BEST, PREVIEW
from providers.sandbox.dashscope.checks import Order
from providers.sandbox.dashscope.codes import MESSAGES
from providers.sandbox.dashscope.usage import Inputs, usage
from providers.sandbox.directives import Directives
from providers.sandbox.files import Files

Json = dict[str, Any]

QUEUED = 0.25
"""The share of a task's time before it may run."""

ZONE = timedelta(hours=8)
FOREVER = float("inf")


@dataclass(slots=True)
class Task:
    """One accepted task. Times are unix seconds; `starts_at` moves when a task before it is cancelled."""

    task_id: str
    request_id: str
    owner: str
    order: Order
    directives: Directives
    created: float
    seconds: float
    inputs: Inputs = field(default_factory=Inputs)
    starts_at: float = FOREVER
    canceled_at: float | None = None

    @property
    def ends_at(self) -> float:
        """When it is finished, failed or cancelled; infinite for one that never ends."""
        if self.canceled_at is not None:
            return self.canceled_at
        return FOREVER if "stuck" in self.directives else self.starts_at + self.seconds * (1 - QUEUED)

    @property
    def failure(self) -> tuple[str, str] | None:
        """The (code, message) it will end with."""
        if self.order.fails is not None or "fail" not in self.directives:
            return self.order.fails
        code = self.directives["fail"] or "InternalError"
        return code, MESSAGES.get(code, f"The task failed with {code}.")

    def status(self, now: float) -> str:
        """PENDING, RUNNING (or what `#state` names), SUCCEEDED, FAILED, CANCELED."""
        if self.canceled_at is not None:
            return "CANCELED"
        if now < self.starts_at:
            return "PENDING"
        if now < self.ends_at:
            return self.directives.get("state", "RUNNING")
        return "FAILED" if self.failure else "SUCCEEDED"

    def vanished(self, now: float) -> bool:
        """Not found once it would run, as `#vanish` orders, or until its end, as `#lapse` does."""
        lapsed = "lapse" in self.directives and now < self.ends_at
        return ("vanish" in self.directives or lapsed) and now >= self.starts_at


@dataclass(slots=True)
class Lane:
    """The tasks of one key and model in order of submission, `cap` of them running at a time, the others PENDING.

    `slots` is a heap of the times at which slots become free. Tasks that stay pending take none.
    """

    cap: int
    tasks: list[Task] = field(default_factory=list)
    slots: list[float] = field(default_factory=list)

    def add(self, task: Task) -> None:
        """Set the start of a new task: after its time in the queue, when a slot is free."""
        self.tasks.append(task)
        if "pending" in task.directives:
            return
        free = heapq.heappop(self.slots) if len(self.slots) >= self.cap else 0.0
        task.starts_at = max(task.created + task.seconds * QUEUED, free)
        heapq.heappush(self.slots, task.ends_at)

    def cancel(self, task: Task, now: float) -> None:
        """Cancel a waiting task; those behind it move up."""
        task.canceled_at = now
        tasks = [one for one in self.tasks if one.ends_at > now]
        running = [one for one in tasks if one.starts_at <= now]
        self.tasks, self.slots = running, [one.ends_at for one in running]
        heapq.heapify(self.slots)
        for one in tasks:
            if one.starts_at > now:
                self.add(one)


def beijing(at: float) -> str:
    """Unix seconds as `YYYY-MM-DD HH:mm:ss.SSS` in UTC+8, without a zone."""
    return (datetime.fromtimestamp(at, UTC) + ZONE).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def unknown(task_id: str) -> Json:
    """`output` for an id that is strange, too old or another account's."""
    return {"task_id": task_id, "task_status": "UNKNOWN"}


def answer(task: Task, now: float, base: str, files: Files) -> Json:
    """The body of a status call without `request_id`: `output`, and `usage` when it succeeded."""
    status = task.status(now)
    output: Json = {"task_id": task.task_id, "task_status": status, "submit_time": beijing(task.created)}
    if status == "PENDING":
        return {"output": output}
    if status != "CANCELED":
        output["scheduled_time"] = beijing(task.starts_at)
    if status in ("CANCELED", "FAILED", "SUCCEEDED"):
        output["end_time"] = beijing(task.ends_at)
    if status == "FAILED" and task.failure:
        output["code"], output["message"] = task.failure
    if status != "SUCCEEDED":
        return {"output": output}
    order = task.order
    if order.prompt:
        output["orig_prompt"] = order.prompt
        if order.model.actual_prompt and order.prompt_extend:
            output["actual_prompt"] = f"{order.prompt} (in more words)"
    if "nourl" not in task.directives:
        url = files.link(base, task.task_id, BEST, task.directives)
        output |= {"results": {"video_url": url}} if order.model.results else {"video_url": url}
        if order.model.marked and order.watermark:
            output["watermark_video_url"] = files.link(base, task.task_id, PREVIEW, task.directives)
    return {"output": output, "usage": usage(order, task.inputs)}


def row(task: Task, now: float) -> Json:
    """One entry of the list; the times are epoch milliseconds, `end_time` only once it ended."""
    listed: Json = {
        "api_key_id": "100001",
        "caller_parent_id": "1000000000000001",
        "caller_uid": "1000000000000001",
        "gmt_create": int(task.created * 1000),
        "start_time": int(task.created * 1000),
        "model_name": task.order.model_name,
        "region": "cn-beijing",
        "request_id": task.request_id,
        "status": task.status(now),
        "task_id": task.task_id,
        "user_api_unique_key": "apikey:v1:aigc:"
        + task.order.model.path.replace("/", ":")
        + f":{task.order.model_name}",
    }
    if task.ends_at <= now:
        listed["end_time"] = int(task.ends_at * 1000)
    return listed
