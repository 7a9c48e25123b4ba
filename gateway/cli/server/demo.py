"""`demo`: the embedded upstream, a gateway in front of it, and two videos made through it, as any client would."""

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
from gateway.cli.errors import BAD_USAGE, CommandError, end_on
from gateway.cli.output import give, say
from gateway.cli.progress import board
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import Settings
from providers import registry
from providers.contract.spec import DemoVideo
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings

_POLL_SECONDS = 0.4
_SPARE_SECONDS = 20.0
"""Beyond twice the time a task takes, something is wrong."""

_TERMINATED = 143


@dataclass(frozen=True, slots=True)
class _Running:
    provider: str
    client: GatewayClient
    id: str


def run_demo(out: Path, task_seconds: float = 8.0) -> None:
    """Make two videos and leave their files in `out`. Raises CommandError.

    Nothing of the environment or of a configuration file is used: it costs nothing and needs no credential.
    """
    end_on(signal.SIGTERM, exit_code=_TERMINATED)
    if out.exists() and not out.is_dir():
        raise CommandError(f"--out {out} is not a directory", BAD_USAGE)
    # A line in the middle of the bars would tear them; what matters comes back as an answer.
    logging.getLogger().handlers = [logging.NullHandler()]
    with _gateway(task_seconds) as url, contextlib.ExitStack() as stack:
        say(f"A gateway listens on {url}, the embedded upstream behind it.")
        running = [
            _start(spec.name, spec.sandbox.demo, stack.enter_context(GatewayClient(url, spec.sandbox.demo.credential)))
            for spec in registry.PROVIDERS
        ]
        for video, task in zip(running, _follow(running, 2 * task_seconds + _SPARE_SECONDS), strict=True):
            path = download(task.url, out / file_name(video.provider, task.id))
            give(f"{path}  {path.stat().st_size:,} bytes")
    say("next: video-gateway serve --sandbox, and send your own requests; without --sandbox they go to the real ones.")


def file_name(provider: str, task_id: str) -> str:
    """A name that is safe in any directory, whatever the id holds."""
    return f"{provider}-{re.sub(r'[^A-Za-z0-9_-]', '_', task_id)[:160]}.mp4"


@contextlib.contextmanager
def _gateway(task_seconds: float) -> Iterator[str]:
    """The address of a gateway that leads to an upstream of its own."""
    character = SandboxSettings(task_seconds=task_seconds, visible_after=min(1.0, task_seconds / 8))
    with SandboxServer(character) as upstream:
        # Made without the loader, which would read the environment.
        settings = Settings.model_construct(
            providers=upstream.settings(),
            poll_freshness=0.2,
        )
        with BackgroundServer(create_app(settings)) as server:
            yield server.url


def _start(provider: str, video: DemoVideo, client: GatewayClient) -> _Running:
    answer = client.submit({"model": video.model, "prompt": video.prompt})
    task = answer.tasks[0]
    say(f"{provider}: task {task.id}, {video.model}, “{video.prompt}”")
    return _Running(provider, client, task.id)


def _follow(running: Sequence[_Running], patience: float) -> list[TaskView]:
    """The finished tasks, in the order given, within `patience` seconds."""
    give_up = time.monotonic() + patience
    with board() as shown:
        while True:
            tasks = [video.client.status([video.id]).tasks[0] for video in running]
            for video, task in zip(running, tasks, strict=True):
                shown.show(video.provider, task)
            if all(task.ended for task in tasks):
                break
            if time.monotonic() > give_up:
                raise CommandError(f"the videos are not finished after {patience:.0f} s, which should not happen")
            time.sleep(_POLL_SECONDS)
    for video, task in zip(running, tasks, strict=True):
        if task.failed:
            raise CommandError(f"{video.provider}: {task.message or task.status}")
    return tasks


def download(url: str, path: Path) -> Path:
    """Leave the file at `url` under `path`, whole or not at all. Raises CommandError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _until_whole(path) as part, httpx.stream("GET", url, trust_env=False) as response, part.open("wb") as file:
            if not response.is_success:
                raise CommandError(f"the download of {path.name} failed: it is answered {response.status_code}")
            for piece in response.iter_bytes():
                file.write(piece)
    except httpx.HTTPError as error:
        raise CommandError(f"the download of {path.name} failed: {error}") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror or error}") from None
    return path


@contextlib.contextmanager
def _until_whole(path: Path) -> Iterator[Path]:
    """A hidden name beside `path` to write to; it becomes `path` at the end, and nothing after trouble."""
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
