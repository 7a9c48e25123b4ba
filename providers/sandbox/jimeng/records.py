"""A Jimeng task over time: its status number, its place in the queue, its record. Pure functions of now."""

import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any

from providers.sandbox.files import FPS, HEIGHT, SECONDS, WIDTH, Files, size_of
from providers.sandbox.jimeng.draft import Draft
from providers.sandbox.jimeng.tables import AIDS, MESSAGES, STARLING, Site
from providers.sandbox.outcomes import Words
from providers.sandbox.settings import SandboxSettings

Json = dict[str, Any]

QUEUED, GENERATING, POST = 0.25, 0.75, 0.875
"""Shares of a task's time: in the queue until the first, generating until the second, post-processing until the
third, finalizing until the end."""

QUEUE_LENGTH = 8
FOR_EVER = float("inf")


@dataclass(frozen=True, slots=True)
class Task:
    """One accepted task. Times are unix seconds; `ends_at` is infinite for one that never ends."""

    history_id: str
    submit_id: str
    item_id: str
    owner: str
    site: Site
    draft: Draft
    words: Words = field(hash=False)
    created: float
    seconds: float
    visible_at: float
    cost: int

    @property
    def ends_at(self) -> float:
        """When it is finished or failed."""
        return FOR_EVER if {"pending", "stuck"} & self.words.keys() else self.created + self.seconds

    @property
    def fail_code(self) -> str:
        """The code it will end with, "" for success."""
        return (self.words["fail"] or "2002") if "fail" in self.words else ""

    def ended(self, now: float) -> bool:
        """Finished or failed by now."""
        return now >= self.ends_at

    def visible(self, now: float) -> bool:
        """Whether status calls know it: not at once, and not after it vanished."""
        return now >= self.visible_at and not ("vanish" in self.words and self.share(now) >= QUEUED)

    def has_video(self, now: float) -> bool:
        """Finished with a result."""
        return self.ended(now) and not self.fail_code and "nourl" not in self.words

    def share(self, now: float) -> float:
        """How much of its time has passed, 0 to 1."""
        if "pending" in self.words:
            return 0.0
        share = min(1.0, (now - self.created) / self.seconds) if self.seconds else 1.0
        return min(share, (QUEUED + GENERATING) / 2) if "stuck" in self.words else share

    def status(self, now: float) -> int:
        """20 waiting and generating, 42 post-processing, 45 finalizing, 50 done, 30 failed."""
        share = self.share(now)
        if share >= 1:
            return 30 if self.fail_code else 50
        if share >= QUEUED and self.words.get("state", "").isdigit():
            return int(self.words["state"])
        return 20 if share < GENERATING else 42 if share < POST else 45

    def queue_info(self, now: float) -> Json:
        """The queue place: `queue_idx` falls from `QUEUE_LENGTH` to 0 (0 = no longer waiting)."""
        share = self.share(now)
        place = max(1, round(QUEUE_LENGTH * (1 - share / QUEUED))) if share < QUEUED else 0
        return {
            "queue_idx": place,
            "queue_length": QUEUE_LENGTH if place else 0,
            "queue_status": 1 if place else 2,
            "priority": 1,
            "polling_config": {"interval_seconds": 30, "timeout_seconds": 86400},
        }


def new_task(draft: Draft, words: Words, owner: str, site: Site, now: float, settings: SandboxSettings) -> Task:
    """A task of now. Its id is a 64-bit number whose upper half is the second of its making."""
    seconds = float(words["seconds"]) if "seconds" in words else settings.task_seconds
    lag = settings.visible_after * (10 if "lag" in words else 1)
    return Task(
        history_id=str((int(now) << 32) | secrets.randbits(32)),
        submit_id=draft.submit_id,
        item_id=str((int(now) << 32) | secrets.randbits(32)),
        owner=owner,
        site=site,
        draft=draft,
        words=words,
        created=now,
        seconds=seconds * (settings.slow_factor if "slow" in words else 1),
        visible_at=now + lag,
        cost=settings.cost,
    )


def _task_part(task: Task, now: float) -> Json:
    return {
        "task_id": task.history_id,
        "submit_id": task.submit_id,
        "aid": int(AIDS[task.site]),
        "status": task.status(now),
        "finish_time": int(task.ends_at) if task.ended(now) else 0,
        "history_id": task.history_id,
        "task_payload": {},
        "original_input": None,
    }


def submit_data(task: Task, now: float) -> Json:
    """`aigc_data` of a generate answer."""
    return {
        "generate_type": 10,
        "history_record_id": task.history_id,
        "submit_id": task.submit_id,
        "created_time": task.created,
        "mode": "workbench",
        "status": task.status(now),
        "item_list": [],
        "task": _task_part(task, now),
        "fail_code": "",
        "fail_msg": "",
        "queue_info": task.queue_info(now),
        "forecast_generate_cost": task.cost * 6,
        "forecast_queue_cost": int(task.seconds * QUEUED),
    }


def record(task: Task, now: float, base: str, files: Files) -> Json:
    """The record as the status calls and the history give it."""
    failed = task.ended(now) and task.fail_code
    key, sentence = STARLING.get(task.fail_code, ("", "")) if failed else ("", "")
    done = task.ended(now) and not failed
    return {
        **submit_data(task, now),
        "fail_code": failed or "",
        "fail_msg": MESSAGES.get(task.fail_code, "generate failed") if failed else "",
        "fail_starling_key": key,
        "fail_starling_message": sentence,
        "finish_time": int(task.ends_at) if task.ended(now) else 0,
        "model_info": {"model_name": task.draft.model_name, "model_req_key": task.draft.model_key},
        "total_image_count": 1,
        "finished_image_count": int(bool(done)),
        "item_list": [item(task, base, files, "preview.mp4")] if done else [],
    }


def item(task: Task, base: str, files: Files, name: str) -> Json:
    """One result. `#nourl` leaves its video without any address."""
    folder, words = task.history_id, task.words
    cover = files.link(base, folder, "cover.jpg", words)
    origin = {
        "vid": f"v{task.item_id}",
        "video_url": "" if "nourl" in words else files.link(base, folder, name, words),
        "format": "mp4",
        "codec": "h264",
        "definition": "720p",
        "width": WIDTH,
        "height": HEIGHT,
        "fps": FPS,
        "duration": SECONDS,
        "size": size_of(name),
    }
    return {
        "common_attr": {
            "id": task.item_id,
            "published_item_id": "",
            "title": "",
            "description": task.draft.prompt,
            "cover_url": cover,
            "cover_height": HEIGHT,
            "cover_width": WIDTH,
            "aspect_ratio": WIDTH / HEIGHT,
            "create_time": int(task.ends_at),
            "status": 102,
        },
        "video": {
            "video_id": f"v{task.item_id}",
            "cover_url": cover,
            "duration_ms": int(SECONDS * 1000),
            "transcoded_video": {"origin": origin},
        },
        "gen_result_data": {"result_code": 0, "result_msg": "Success"},
    }


def ledger_row(amount: int, at: float, title: str, submit_id: str) -> Json:
    """A row of the credit log; `amount` is negative for what was spent."""
    return {
        "history_id": uuid.uuid4().hex,
        "amount": amount,
        "create_time": int(at),
        "title": title,
        "submit_id": submit_id,
        "status": "SUCCESS",
    }
