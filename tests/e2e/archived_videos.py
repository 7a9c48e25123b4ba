"""Gateways with an archive, and archived videos."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from gateway.api.schemas.responses import TaskObject, VideoObject
from gateway.app import create_app
from gateway.archive.records import day_of
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import TimeoutSettings
from gateway.polling.batcher import DEADLINE_SECONDS
from gateway.task_ids.signed import PREFIX, peek
from providers.sandbox.clips import CLIPS
from providers.sandbox.server import SandboxServer
from tests.archives import ArchiveLocation
from tests.e2e.conftest import UPSTREAM, FastClock, bearer, follow, settings_for

CLIP, COVER = (CLIPS / "best.mp4").read_bytes(), (CLIPS / "cover.jpg").read_bytes()
JIMENG, WAN, WAN_OF_REFERENCES = "jimeng-video-3.0-fast", "wan2.6-t2v", "wan3.0-video"
PROMPT_UPSTREAM = replace(UPSTREAM, task_seconds=0.02, visible_after=0.0)
HOUR = 3600.0


class Clock(FastClock):
    """Another time than the real one, where that is wished. Upstreams have their whole deadline to answer in: a
    fiftieth of it passes on a busy machine, and a task of which nobody could be asked is not looked for here."""

    def __init__(self, by: float = 0.0) -> None:
        self.by = by

    def now(self) -> float:
        return super().now() + self.by

    def monotonic(self) -> float:
        return super().monotonic() + self.by

    def later(self, seconds: float, call: Callable[[], object]) -> asyncio.TimerHandle:
        return super().later(seconds if seconds > DEADLINE_SECONDS else seconds * 50, call)


@dataclass(frozen=True)
class Video:
    """An archived video, as both surfaces showed it before the upstream lost it."""

    id: str
    secret: str
    task: dict[str, Any]
    video: dict[str, Any]

    @property
    def provider(self) -> str:
        return str(self.task["provider"])

    @property
    def home(self) -> str:
        signed = peek(self.id) if self.id.startswith(PREFIX) else None
        upstream_id = signed.upstream_id if signed else self.id
        return f"{self.provider}/{day_of(self.task['created'])}/{upstream_id}"

    @property
    def paths(self) -> set[str]:
        endings = ("mp4", "jpg", "json") if self.provider == "jimeng" else ("mp4", "json")
        upstream_id = self.home.rpartition("/")[2]
        return {*(f"{self.home}.{ending}" for ending in endings), f"index/{self.provider}/{upstream_id}"}


@contextmanager
def serving(
    upstream: SandboxServer, location: ArchiveLocation, clock: Clock | None = None, **more: Any
) -> Iterator[httpx.Client]:
    """A gateway without state."""
    settings = settings_for(upstream, archive_url=location.url, **{"timeouts": TimeoutSettings(), **more})
    with (
        BackgroundServer(create_app(settings, clock=clock or Clock())) as server,
        httpx.Client(base_url=server.url, timeout=10) as client,
    ):
        yield client


def submit(client: httpx.Client, secret: str, model: str = JIMENG, *, signed: bool = False, prompt: str = "a") -> str:
    path = "/v1/videos" if signed else "/v1/videos/generations"
    answer = client.post(path, json={"model": model, "prompt": prompt}, headers=bearer(secret))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id" if signed else "task_id"])


def until_archived(client: httpx.Client, id: str, secret: str) -> Video:
    """A task followed until it is archived."""
    follow(client, id, secret)
    give_up = time.monotonic() + 8
    while time.monotonic() < give_up:
        task = poll(client, id, secret)
        if task.get("archived"):
            return Video(id, secret, task, retrieve(client, id, secret))
        time.sleep(0.02)
    raise AssertionError(f"not archived: {task}")


def poll(client: httpx.Client, id: str, *secrets: str) -> dict[str, Any]:
    return _told(client.get(f"/v1/videos/tasks/{id}", headers=bearer(*secrets)), TaskObject)


def retrieve(client: httpx.Client, id: str, *secrets: str) -> dict[str, Any]:
    return _told(client.get(f"/v1/videos/{id}", headers=bearer(*secrets)), VideoObject)


def listed(client: httpx.Client, id: str, *secrets: str) -> dict[str, Any]:
    answer = client.get(f"/v1/videos/tasks?ids={id},video_nothing", headers=bearer(*secrets))
    data = answer.json()["data"]
    assert [row["status"] for row in data] == ["completed", "not_found"]
    return data[0]  # type: ignore[no-any-return]


def content(client: httpx.Client, id: str, *secrets: str, variant: str = "video", **headers: str) -> httpx.Response:
    path = f"/v1/videos/{id}/content?variant={variant}"
    return client.get(path, headers=bearer(*secrets) | {name.replace("_", "-"): text for name, text in headers.items()})


def etag(file: bytes) -> str:
    """The ETag, which only archived files have."""
    return f'"{hashlib.sha256(file).hexdigest()}"'


def _told(answer: httpx.Response, model: type[TaskObject | VideoObject]) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    model.model_validate(answer.json())
    return answer.json()  # type: ignore[no-any-return]
