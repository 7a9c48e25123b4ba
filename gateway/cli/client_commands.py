"""Commands that call a running gateway. Each imports its dependencies when it runs."""

import contextlib
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.completions import model_names
from gateway.cli.errors import BAD_USAGE, TERMINATED, CommandError, exit_on
from gateway.cli.options import (
    DEFAULT_URL,
    Force,
    Ids,
    Json,
    JsonLines,
    Key,
    Url,
)

if TYPE_CHECKING:
    from gateway.cli.client.gateway_client import GatewayClient


def submit(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", show_default=False, help="What the video shows.")],
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="NAME", help="A model listed by `models`.", autocompletion=model_names),
    ] = None,
    duration: Annotated[
        int | None, typer.Option("--duration", "-d", metavar="SECONDS", help="Length of the video.")
    ] = None,
    ratio: Annotated[str | None, typer.Option(metavar="W:H", help="Such as 16:9.")] = None,
    resolution: Annotated[str | None, typer.Option(metavar="NAME", help="Such as 480p, 720p, 1080p, 2k or 4k.")] = None,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Pixels, such as 1280x720.")] = None,
    image: Annotated[
        list[str] | None, typer.Option(metavar="FILE|URL", help="An image to start from; repeatable.")
    ] = None,
    last_frame: Annotated[
        str | None, typer.Option("--last-frame", metavar="FILE|URL", help="An image to end with.")
    ] = None,
    video: Annotated[
        list[str] | None, typer.Option(metavar="FILE|URL", help="A video to edit or to use as reference; repeatable.")
    ] = None,
    references: Annotated[
        bool, typer.Option("--references", help="Use the images as references, not as first and last frame.")
    ] = False,
    seed: Annotated[int | None, typer.Option(metavar="NUMBER", help="The same seed gives a similar video.")] = None,
    enhance: Annotated[bool, typer.Option("--enhance", help="Have a language model rewrite the prompt first.")] = False,
    field: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Another field of the request; repeatable.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A parameter of the upstream (provider_options); repeatable."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the task ends.")] = False,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="FILE", help="Wait, and download the video to a file, DIR/ or -."),
    ] = None,
    force: Force = False,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Submit a video and print its task id. This is charged."""
    from gateway.cli.client import downloads, videos

    options = videos.SubmitOptions(
        prompt,
        model,
        duration,
        ratio,
        resolution,
        size,
        seed,
        images=image or (),
        last_frame=last_frame,
        videos=video or (),
        references=references,
        enhance=enhance,
        fields=field or (),
        options=option or (),
    )
    output = downloads.DownloadOptions("", out, force=force) if out is not None else None
    with _client(url, key) as client:
        code = videos.submit(
            client,
            options,
            wait=wait or output is not None,
            as_json=as_json,
            url_option=_url_option(url),
            output=output,
        )
    raise typer.Exit(code)


def status(ids: Ids, as_json: Json = False, url: Url = DEFAULT_URL, key: Key = "") -> None:
    """Print the status of tasks."""
    from gateway.cli.client import videos

    with _client(url, key) as client:
        code = videos.status(client, ids, as_json=as_json)
    raise typer.Exit(code)


def watch(
    ids: Ids,
    as_json: JsonLines = False,
    webhook: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Deliver a signed webhook at the end of each task, with retries."),
    ] = None,
    webhook_secret: Annotated[
        str,
        typer.Option(
            "--webhook-secret",
            metavar="SECRET",
            envvar="GATEWAY_WEBHOOK_SECRET",
            show_envvar=True,
            show_default=False,
            help="Signs the webhooks: whsec_…, which the receiver verifies with.",
        ),
    ] = "",
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Follow tasks live until they end.

    The exit code is 1 if one has no video."""
    from gateway.cli.client import videos

    if webhook and not webhook_secret:
        message = "--webhook needs the secret of its receiver: --webhook-secret or GATEWAY_WEBHOOK_SECRET (whsec_…)"
        raise CommandError(message, BAD_USAGE)
    with _client(url, key) as client:
        code = videos.watch(client, ids, as_json=as_json, webhook=(webhook, webhook_secret) if webhook else None)
    raise typer.Exit(code)


def cancel(ids: Ids, as_json: Json = False, url: Url = DEFAULT_URL, key: Key = "") -> None:
    """Cancel queued tasks and print which credits are refunded."""
    from gateway.cli.client import videos

    with _client(url, key) as client:
        code = videos.cancel(client, ids, as_json=as_json)
    raise typer.Exit(code)


def download(
    id: Annotated[str, typer.Argument(metavar="ID", show_default=False, help="A task id.")],
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Output file, or DIR/; - is standard output. Default: the name from the gateway.",
        ),
    ] = None,
    thumbnail: Annotated[bool, typer.Option("--thumbnail", help="Download the cover image instead.")] = False,
    force: Force = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the task ends first.")] = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Download a finished video; an interrupted download is resumed."""
    from gateway.cli.client import downloads

    options = downloads.DownloadOptions(id, out, thumbnail=thumbnail, force=force)
    with _client(url, key) as client:
        code = downloads.download(client, options, wait=wait, url_option=_url_option(url))
    raise typer.Exit(code)


def models(as_json: Json = False, url: Url = DEFAULT_URL, key: Key = "") -> None:
    """List the models that the key can use."""
    from gateway.cli.client import videos

    with _client(url, key) as client:
        code = videos.models(client, as_json=as_json)
    raise typer.Exit(code)


def _url_option(url: str) -> str:
    """The --url option for commands that are suggested to the user, empty for the default."""
    return f" --url {url}" if url != DEFAULT_URL else ""


@contextlib.contextmanager
def _client(url: str, key: str) -> "Iterator[GatewayClient]":
    from gateway.cli.client.gateway_client import GatewayClient, require_key

    with exit_on(signal.SIGTERM, exit_code=TERMINATED), GatewayClient(url, require_key(key)) as client:
        yield client
