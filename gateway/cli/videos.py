"""`submit`, `status`, `watch` and `models`: what a client does with videos, from a shell."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.cli.boards import board
from gateway.cli.client import Answer, GatewayClient, TaskView
from gateway.cli.failures import BAD_USAGE, CommandError
from gateway.cli.following import follow
from gateway.cli.output import give, give_table, say


@dataclass(frozen=True, slots=True)
class Wish:
    """The video that is wanted, as it was given on the command line; what is None is left to the gateway.

    `fields` are further fields of the request, `options` go to the upstream's own parameters: both `name=value`.
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

    def body(self) -> dict[str, Any]:
        """The request body. Raises CommandError for a pair that is none."""
        named = {
            "prompt": self.prompt,
            "model": self.model,
            "duration": self.duration,
            "ratio": self.ratio,
            "resolution": self.resolution,
            "size": self.size,
            "seed": self.seed,
            "image_url": self.images[0] if len(self.images) == 1 else None,
            "images": list(self.images) if len(self.images) > 1 else None,
            "provider_options": _pairs("--option", self.options) or None,
        }
        return {name: value for name, value in named.items() if value is not None} | _pairs("--field", self.fields)


def submit(client: GatewayClient, wish: Wish, *, wait: bool, as_json: bool, again: str) -> int:
    """Start a task; with `wait` follow it to its end. Gives the exit code. `again` are the options that lead to
    the same gateway."""
    answer = client.submit(wish.body())
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
