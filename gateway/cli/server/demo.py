"""`demo`: starts the embedded upstream and a gateway, and makes two videos as a client of it."""

import contextlib
import logging
import re
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from gateway.app import create_app
from gateway.cli.client.gateway_client import GatewayClient, TaskView
from gateway.cli.errors import BAD_USAGE, TERMINATED, CommandError, exit_on
from gateway.cli.output import print_message, print_result
from gateway.cli.progress import task_progress
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import Settings
from providers import registry
from providers.contract.spec import DemoVideo
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings

_POLL_SECONDS = 0.4
_EXTRA_SECONDS = 20.0
"""Added to twice the duration of a task as timeout."""


@dataclass(frozen=True, slots=True)
class _DemoTask:
    provider: str
    client: GatewayClient
    id: str


def run_demo(out: Path, task_seconds: float = 8.0) -> None:
    """Make two videos and save their files in `out`. Raises CommandError.

    It ignores the environment and the configuration file: it is free and needs no credential.
    """
    if out.exists() and not out.is_dir():
        raise CommandError(f"--out {out} is not a directory", BAD_USAGE)
    # Log lines would break the progress bars; errors are in the responses.
    logging.getLogger().handlers = [logging.NullHandler()]
    with contextlib.ExitStack() as stack:
        stack.enter_context(exit_on(signal.SIGTERM, exit_code=TERMINATED))
        url = stack.enter_context(_gateway(task_seconds))
        print_message(f"A gateway listens on {url}, with the embedded upstream.")
        running = [
            _start(spec.name, demo, stack.enter_context(GatewayClient(url, demo.credential)))
            for spec in registry.PROVIDERS
            if (demo := spec.sandbox.demo) is not None
        ]
        for video, task in zip(running, _follow(running, 2 * task_seconds + _EXTRA_SECONDS), strict=True):
            path = download(task.url, out / file_name(video.provider, task.id))
            print_result(f"{path}  {path.stat().st_size:,} bytes")
    print_message(
        "next: video-gateway serve --sandbox for your own requests; without --sandbox they go to the real upstreams."
    )


def file_name(provider: str, task_id: str) -> str:
    """A file name that is safe for any id."""
    return f"{provider}-{re.sub(r'[^A-Za-z0-9_-]', '_', task_id)[:160]}.mp4"


@contextlib.contextmanager
def _gateway(task_seconds: float) -> Iterator[str]:
    """The URL of a gateway with an embedded upstream."""
    sandbox = SandboxSettings(task_seconds=task_seconds, visible_after=min(1.0, task_seconds / 8), draw_clips=True)
    with SandboxServer(sandbox) as upstream:
        # Built without the loader, which would read the environment.
        settings = Settings.model_construct(
            providers=upstream.settings(),
            poll_freshness=0.2,
        )
        with BackgroundServer(create_app(settings)) as server:
            yield server.url


def _start(provider: str, video: DemoVideo, client: GatewayClient) -> _DemoTask:
    answer = client.submit({"model": video.model, "prompt": video.prompt})
    task = answer.tasks[0]
    print_message(f"{provider}: task {task.id}, {video.model}, “{video.prompt}”")
    return _DemoTask(provider, client, task.id)


def _follow(running: Sequence[_DemoTask], timeout: float) -> list[TaskView]:
    """The finished tasks, in the order given, within `timeout` seconds."""
    give_up = time.monotonic() + timeout
    with task_progress() as progress:
        while True:
            tasks = [video.client.status([video.id]).tasks[0] for video in running]
            for video, task in zip(running, tasks, strict=True):
                progress.show(video.provider, task)
            if all(task.ended for task in tasks):
                break
            if time.monotonic() > give_up:
                raise CommandError(f"the videos are not finished after {timeout:.0f} s")
            time.sleep(_POLL_SECONDS)
    for video, task in zip(running, tasks, strict=True):
        if task.failed:
            raise CommandError(f"{video.provider}: {task.message or task.status}")
    return tasks


def download(url: str, path: Path) -> Path:
    """Save the file at `url` as `path`, completely or not at all. Raises CommandError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _atomic_file(path) as part, httpx.stream("GET", url, trust_env=False) as response, part.open("wb") as file:
            if not response.is_success:
                raise CommandError(f"the download of {path.name} failed: status {response.status_code}")
            for piece in response.iter_bytes():
                file.write(piece)
    except httpx.HTTPError as error:
        raise CommandError(f"the download of {path.name} failed: {error}") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror or error}") from None
    return path


@contextlib.contextmanager
def _atomic_file(path: Path) -> Iterator[Path]:
    """A hidden file to write to. It is renamed to `path` at the end, or deleted after an error."""
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
