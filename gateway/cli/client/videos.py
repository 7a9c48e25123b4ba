"""`submit`, `status`, `watch`, `cancel` and `models`: what a client does with videos, from a shell."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.cli.client.following import follow
from gateway.cli.client.gateway_client import Answer, GatewayClient, RefusedError, TaskView
from gateway.cli.errors import BAD_USAGE, CommandError
from gateway.cli.output import give, give_table, say
from gateway.cli.progress import board

_MAX_VIDEOS = 3
_LONGEST_SHOWN = 200
_ADDRESSES = ("https://", "http://", "oss://", "data:")


@dataclass(frozen=True, slots=True)
class CreateOptions:
    """The requested video, as given on the command line; what is None is left to the gateway.

    `images`, `last_frame` and `videos` are addresses, or files of this machine; with `references` the images are what
    the video is about, not its first and last frame. `fields` are further fields of the request, `options` go to the
    upstream's own parameters: both `name=value`.
    """

    prompt: str
    model: str | None = None
    duration: int | None = None
    ratio: str | None = None
    resolution: str | None = None
    size: str | None = None
    seed: int | None = None
    images: Sequence[str] = ()
    fields: Sequence[str] = field(default=())
    options: Sequence[str] = field(default=())
    last_frame: str | None = None
    videos: Sequence[str] = ()
    references: bool = False

    def body(self) -> dict[str, Any]:
        """The request body, a `Path` for each file. Raises CommandError for a pair or a file that is none."""
        if len(self.videos) > _MAX_VIDEOS:
            raise CommandError(f"--video: at most {_MAX_VIDEOS} are taken", BAD_USAGE)
        images = [_medium("--image", text) for text in self.images]
        videos = [_medium("--video", text) for text in self.videos]
        named = {
            "prompt": self.prompt,
            "model": self.model,
            "duration": self.duration,
            "ratio": self.ratio,
            "resolution": self.resolution,
            "size": self.size,
            "seed": self.seed,
            **_pictures(images),
            "last_frame": None if self.last_frame is None else _medium("--last-frame", self.last_frame),
            **{f"video_file_{number}": video for number, video in enumerate(videos, 1)},
            "functionMode": "omni_reference" if self.references else None,
            "provider_options": _pairs("--option", self.options) or None,
        }
        return {name: value for name, value in named.items() if value is not None} | _pairs("--field", self.fields)


def submit(client: GatewayClient, options: CreateOptions, *, wait: bool, as_json: bool, again: str) -> int:
    """Start a task; with `wait` follow it to its end. Gives the exit code. `again` are the options that lead to
    the same gateway."""
    answer = client.submit(options.body())
    task = answer.tasks[0]
    if wait:
        say(f"task {task.id}")
        return watch(client, [task.id], as_json=as_json)
    give(answer.text if as_json else task.id)
    say(f"next: video-gateway watch{again} {task.id}")
    return 0


def status(client: GatewayClient, ids: Sequence[str], *, as_json: bool) -> int:
    """Print how tasks stand. Gives the exit code: 1 when one does not exist."""
    answer = client.status(ids)
    _give_tasks(answer, as_json)
    return int(any(task.status == "not_found" for task in answer.tasks))


def watch(client: GatewayClient, ids: Sequence[str], *, as_json: bool) -> int:
    """Follow tasks to their end and print how they ended. Gives the exit code: 1 when one has no video."""
    with board() as shown:
        answer = follow(client, ids, shown)
    _give_tasks(answer, as_json)
    return int(any(task.failed for task in answer.tasks))


def cancel(client: GatewayClient, ids: Sequence[str], *, as_json: bool) -> int:
    """Cancel tasks and print how they stand then. Gives the exit code: 1 when one could not be cancelled.

    A refusal of one does not keep the others from being cancelled.
    """
    failed = False
    for id in ids:
        try:
            answer = client.cancel(id)
        except RefusedError as refused:
            failed = True
            say(f"error: {id}: {refused}")
            continue
        _give_tasks(answer, as_json)
    return int(failed)


def models(client: GatewayClient, *, as_json: bool) -> int:
    """Print the models that the key can use."""
    answer = client.models()
    if as_json:
        give(answer.text)
        return 0
    rows = [_model_row(model) for model in answer.body.get("data", [])]
    give_table(("model", "provider", "seconds", "resolution", "ratio", "inputs"), rows)
    return 0


def _give_tasks(answer: Answer, as_json: bool) -> None:
    if as_json:
        give(answer.text)
        return
    for task in answer.tasks:
        give(_line(task))


def _line(task: TaskView) -> str:
    figure = "" if task.ended else f"{task.progress}%"
    return "\t".join(filter(None, (task.id, task.status, figure, " ".join(task.outcome.split()))))


def _model_row(model: Mapping[str, Any]) -> tuple[str, ...]:
    name = f"{model['id']} = {model['alias_of']}" if "alias_of" in model else str(model["id"])
    inputs = [" + ".join(roles) or "text" for roles in model.get("inputs", [])]
    return (
        name,
        str(model.get("owned_by", "")),
        _seconds(model.get("durations", []), model.get("default_duration")),
        _choice(model.get("resolutions", []), model.get("default_resolution")),
        _choice(model.get("ratios", []), model.get("default_ratio")),
        ", ".join(inputs),
    )


def _choice(values: Iterable[object], default: object) -> str:
    """What can be chosen, the default marked."""
    return " ".join(f"{value}*" if value == default else str(value) for value in values)


def _seconds(values: Sequence[int], default: int | None) -> str:
    """The durations, a long row without gaps as its ends."""
    if len(values) > 3 and list(values) == list(range(values[0], values[-1] + 1)):
        return f"{values[0]}–{values[-1]}" + (f", {default}*" if default is not None else "")
    return _choice(values, default)


def _pictures(images: list[str | Path]) -> dict[str, Any]:
    if len(images) > 1:
        return {"images": images}
    return {"image" if isinstance(image, Path) else "image_url": image for image in images}


def _medium(option: str, text: str) -> str | Path:
    """An address as it is, anything else as the file it names. Raises CommandError where there is none."""
    if text.lower().startswith(_ADDRESSES):
        return text
    path = Path(text)
    shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    try:
        if not path.is_file():
            raise CommandError(f"{option} {shown}: there is no such file, and it is no https:// address", BAD_USAGE)
        # A form's empty file is a field that was left empty: the video would be made, and charged, without it.
        if not path.stat().st_size:
            raise CommandError(f"{option} {shown}: the file is empty", BAD_USAGE)
    except OSError as error:
        raise CommandError(f"{option} {shown}: {error.strerror or error}", BAD_USAGE) from None
    return path


def _pairs(option: str, texts: Iterable[str]) -> dict[str, Any]:
    """`name=value` texts as a mapping; a value that is JSON is taken as such."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise CommandError(f"{option} {text}: name=value is wanted", BAD_USAGE)
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
