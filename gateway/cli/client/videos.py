"""The commands `submit`, `status`, `watch`, `cancel` and `models`."""

import contextlib
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli.client.downloads import DownloadOptions, check_output, download
from gateway.cli.client.following import follow
from gateway.cli.client.gateway_client import GatewayClient, GatewayResponse, ResponseError, TaskView
from gateway.cli.errors import BAD_USAGE, CommandError
from gateway.cli.output import print_error, print_message, print_result, print_table
from gateway.cli.progress import TaskProgress, task_progress

if TYPE_CHECKING:
    from gateway.cli.client.webhook_deliveries import WebhookDeliveries

_MAX_VIDEOS = 3
_MAX_SHOWN = 200
_URL_PREFIXES = ("https://", "http://", "oss://", "data:")


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """The requested video, as given on the command line; the gateway chooses what is None.

    `images`, `last_frame` and `videos` are URLs or local files; with `references` the images are references, not first
    and last frame. With `enhance` a language model rewrites the prompt first. `fields` are other fields of the request,
    `options` parameters of the upstream: both `name=value`.
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
    enhance: bool = False

    def body(self) -> dict[str, Any]:
        """The request body, a `Path` for each file. Raises CommandError for an invalid pair or file."""
        if len(self.videos) > _MAX_VIDEOS:
            raise CommandError(f"--video: at most {_MAX_VIDEOS} are allowed", BAD_USAGE)
        images = [_file_or_url("--image", text) for text in self.images]
        videos = [_file_or_url("--video", text) for text in self.videos]
        named = {
            "prompt": self.prompt,
            "model": self.model,
            "duration": self.duration,
            "ratio": self.ratio,
            "resolution": self.resolution,
            "size": self.size,
            "seed": self.seed,
            **_image_fields(images),
            "last_frame": None if self.last_frame is None else _file_or_url("--last-frame", self.last_frame),
            **{f"video_file_{number}": video for number, video in enumerate(videos, 1)},
            "functionMode": "omni_reference" if self.references else None,
            "enhance_prompt": True if self.enhance else None,
            "provider_options": _parse_pairs("--option", self.options) or None,
        }
        fields = {name: value for name, value in named.items() if value is not None}
        return fields | _parse_pairs("--field", self.fields)


def submit(
    client: GatewayClient,
    options: SubmitOptions,
    *,
    wait: bool,
    as_json: bool,
    url_option: str,
    output: DownloadOptions | None = None,
) -> int:
    """Submit a task; with `wait` follow it until it ends, and with `output` download its video, whose id is left empty.
    Returns the exit code. `url_option` is the --url option of the suggested command.

    Where it ends early, also by Ctrl-C, SIGTERM or a closed pipe, it says how to follow the task, which is charged."""
    body = options.body()
    if output is not None:
        check_output(output)
    try:
        answer = client.submit(body)
    except (KeyboardInterrupt, SystemExit):
        print_message("the submit was interrupted: the task may have been accepted and charged")
        raise
    _print_rewriting(answer.body)
    task = answer.tasks[0]
    next_command = f"video-gateway watch{url_option} {task.id}"
    if not wait:
        with _saying(f"the task goes on and is charged: {next_command}"):
            print_result(answer.text if as_json else task.id)
        print_message(f"next: {next_command}")
        return 0
    print_message(f"task {task.id}")
    goes_on = _saying(f"the task goes on and is charged: {next_command}", answer.text if as_json else task.id)
    with goes_on, task_progress() as progress:
        ended = follow(client, [task.id], progress)[0]
    if output is None or ended.failed or as_json:
        print_result(_json_line(ended) if as_json else _line(ended))
    if output is None or ended.failed:
        return _exit_code([ended])
    command = shlex.join(["video-gateway", "download", *url_option.split(), task.id, "-o", output.out or ""])
    with _saying(f"the video is finished and charged: {command}"):
        return download(client, replace(output, id=task.id, resume=f"`{command}`"), wait=False, url_option=url_option)


@contextlib.contextmanager
def _saying(message: str, result: str = "") -> Iterator[None]:
    """Prints a message, after a result if there is one, where the block ends early."""
    try:
        yield
    except (CommandError, KeyboardInterrupt, SystemExit):
        if result:
            with contextlib.suppress(CommandError):
                print_result(result)
        print_message(message)
        raise


def _print_rewriting(body: Mapping[str, Any]) -> None:
    """Print the rewritten prompt, or why there is none."""
    if "revised_prompt" in body:
        print_message(f"prompt: {body['revised_prompt']}")
    for warning in body.get("warnings", []):
        if "message" in warning:
            print_message(f"warning: {warning['message']}")


def status(client: GatewayClient, ids: Sequence[str], *, as_json: bool) -> int:
    """Print the status of tasks. Returns the exit code: 1 if one does not exist."""
    answer = client.status(ids)
    _print_tasks(answer, as_json)
    return int(any(task.status == "not_found" for task in answer.tasks))


def watch(client: GatewayClient, ids: Sequence[str], *, as_json: bool, webhook: tuple[str, str] | None = None) -> int:
    """Follow tasks until they end. Returns the exit code: 1 if one has no video, or its webhook was not delivered.

    Prints their status at the end, with `as_json` a line at each change. `webhook`: URL and secret.
    """
    with contextlib.ExitStack() as stack:
        progress: TaskProgress = _JsonLines() if as_json else stack.enter_context(task_progress())
        deliveries = None
        if webhook:
            from gateway.cli.client.webhook_deliveries import WebhookDeliveries

            deliveries = stack.enter_context(WebhookDeliveries(*webhook, progress.note))
            progress = _Delivering(progress, deliveries)
        tasks = follow(client, ids, progress)
        delivered = deliveries is None or deliveries.wait()
    if not as_json:
        for task in tasks:
            print_result(_line(task))
    return _exit_code(tasks) if delivered else 1


def _exit_code(tasks: Iterable[TaskView]) -> int:
    return int(any(task.failed for task in tasks))


class _Delivering:
    """A display that also delivers the webhooks of tasks that have ended."""

    def __init__(self, shown: TaskProgress, deliveries: "WebhookDeliveries") -> None:
        self._shown = shown
        self._deliveries = deliveries

    def show(self, name: str, task: TaskView) -> None:
        self._shown.show(name, task)
        self._deliveries.deliver(task)

    def note(self, text: str) -> None:
        self._shown.note(text)


class _JsonLines:
    """Prints the status object of a task on one line whenever it has changed."""

    def __init__(self) -> None:
        self._printed: dict[str, str] = {}

    def show(self, name: str, task: TaskView) -> None:
        line = _json_line(task)
        if self._printed.get(name) != line:
            self._printed[name] = line
            print_result(line)

    def note(self, text: str) -> None:
        print_message(text)


def _json_line(task: TaskView) -> str:
    """The status object; with `timed_out` if the gateway does not wait for the task any longer."""
    late = {"timed_out": True, "message": task.message} if task.timed_out else {}
    return json.dumps({**(task.body or {"task_id": task.id, "status": task.status}), **late}, ensure_ascii=False)


def cancel(client: GatewayClient, ids: Sequence[str], *, as_json: bool) -> int:
    """Cancel tasks and print their status. Returns the exit code: 1 if one could not be cancelled.

    An error of one does not prevent the others from being cancelled.
    """
    failed = False
    for id in ids:
        try:
            answer = client.cancel(id)
        except ResponseError as error:
            failed = True
            print_error(CommandError(f"{id}: {error}", hint=error.hint))
            continue
        _print_tasks(answer, as_json)
    return int(failed)


def models(client: GatewayClient, *, as_json: bool) -> int:
    """Print the models that the key can use."""
    answer = client.models()
    if as_json:
        print_result(answer.text)
        return 0
    rows = [_model_row(model) for model in answer.body.get("data", [])]
    print_table(("model", "type", "provider", "seconds", "resolution", "ratio", "inputs"), rows)
    return 0


def _print_tasks(answer: GatewayResponse, as_json: bool) -> None:
    if as_json:
        print_result(answer.text)
        return
    for task in answer.tasks:
        print_result(_line(task))


def _line(task: TaskView) -> str:
    figure = "" if task.ended else f"{task.progress}%"
    return "\t".join(filter(None, (task.id, task.status, figure, " ".join(task.outcome.split()))))


def _model_row(model: Mapping[str, Any]) -> tuple[str, ...]:
    name = f"{model['id']} = {model['alias_of']}" if "alias_of" in model else str(model["id"])
    inputs = [" + ".join(roles) or "text" for roles in model.get("inputs", [])]
    return (
        name,
        str(model.get("type", "")),
        str(model.get("owned_by", "")),
        _seconds(model.get("durations", []), model.get("default_duration")),
        _mark_default(model.get("resolutions", []), model.get("default_resolution")),
        _mark_default(model.get("ratios", []), model.get("default_ratio")),
        ", ".join(inputs),
    )


def _mark_default(values: Iterable[object], default: object) -> str:
    """The allowed values, the default marked."""
    return " ".join(f"{value}*" if value == default else str(value) for value in values)


def _seconds(values: Sequence[int], default: int | None) -> str:
    """The durations, a long range without gaps by its ends."""
    if len(values) > 3 and list(values) == list(range(values[0], values[-1] + 1)):
        return f"{values[0]}–{values[-1]}" + (f", {default}*" if default is not None else "")
    return _mark_default(values, default)


def _image_fields(images: list[str | Path]) -> dict[str, Any]:
    if len(images) > 1:
        return {"images": images}
    return {"image" if isinstance(image, Path) else "image_url": image for image in images}


def _file_or_url(option: str, text: str) -> str | Path:
    """A URL unchanged, anything else as a file. Raises CommandError if there is no such file."""
    if text.lower().startswith(_URL_PREFIXES):
        return text
    path = Path(text)
    shown = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
    try:
        if not path.is_file():
            raise CommandError(f"{option} {shown}: no such file, and not an https:// URL", BAD_USAGE)
        # A form counts an empty file as an empty field: the video would be made, and charged, without it.
        if not path.stat().st_size:
            raise CommandError(f"{option} {shown}: the file is empty", BAD_USAGE)
    except OSError as error:
        raise CommandError(f"{option} {shown}: {error.strerror or error}", BAD_USAGE) from None
    return path


def _parse_pairs(option: str, texts: Iterable[str]) -> dict[str, Any]:
    """`name=value` texts as a mapping; JSON values are parsed."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise CommandError(f"{option} {text}: must be name=value", BAD_USAGE)
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
