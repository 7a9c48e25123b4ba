"""Commands of a client of a running gateway, each with its options. What it needs is imported when it runs."""

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.options import (
    DEFAULT_URL,
    Ids,
    Json,
    Key,
    Url,
)

if TYPE_CHECKING:
    from gateway.cli.client.gateway_client import GatewayClient


def submit(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", show_default=False, help="What to show.")],
    model: Annotated[str | None, typer.Option(help="A name that `models` lists.")] = None,
    duration: Annotated[int | None, typer.Option(help="Seconds.")] = None,
    ratio: Annotated[str | None, typer.Option(help="Such as 16:9.")] = None,
    resolution: Annotated[str | None, typer.Option(help="Such as 480p, 720p, 1080p, 2k or 4k.")] = None,
    size: Annotated[str | None, typer.Option(help="Pixels, such as 1280x720.")] = None,
    image: Annotated[
        list[str] | None, typer.Option(metavar="FILE|URL", help="A picture to start from; repeatable.")
    ] = None,
    last_frame: Annotated[
        str | None, typer.Option("--last-frame", metavar="FILE|URL", help="A picture to end with.")
    ] = None,
    video: Annotated[
        list[str] | None, typer.Option(metavar="FILE|URL", help="A video to work on or to refer to; repeatable.")
    ] = None,
    references: Annotated[
        bool, typer.Option("--references", help="The pictures are what it is about, not its first and last frame.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="The same seed gives a similar video.")] = None,
    field: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Any further field of the request; repeatable.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A parameter of the upstream's own (provider_options); repeatable."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the task to its end.")] = False,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Start a video and print its task id. This is charged."""
    from gateway.cli.client import videos

    options = videos.CreateOptions(
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
        fields=field or (),
        options=option or (),
    )
    with _client(url, key) as client:
        code = videos.submit(client, options, wait=wait, as_json=as_json, again=_again(url))
    raise typer.Exit(code)


def status(ids: Ids, as_json: Json = False, url: Url = DEFAULT_URL, key: Key = "") -> None:
    """Print how tasks stand."""
    from gateway.cli.client import videos

    with _client(url, key) as client:
        code = videos.status(client, ids, as_json=as_json)
    raise typer.Exit(code)


def watch(ids: Ids, as_json: Json = False, url: Url = DEFAULT_URL, key: Key = "") -> None:
    """Follow tasks to their end; exit code 1 when one fails."""
    from gateway.cli.client import videos

    with _client(url, key) as client:
        code = videos.watch(client, ids, as_json=as_json)
    raise typer.Exit(code)


def cancel(ids: Ids, as_json: Json = False, url: Url = DEFAULT_URL, key: Key = "") -> None:
    """Cancel tasks that still wait in the queue, and say which credits come back."""
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
            help="Where it goes, or DIR/; - is standard output. Else the name that the gateway gives.",
        ),
    ] = None,
    thumbnail: Annotated[bool, typer.Option("--thumbnail", help="The cover picture instead.")] = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace a file that is there.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the task to its end first.")] = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Fetch a finished video; one that broke off is continued."""
    from gateway.cli.client import downloads

    order = downloads.Order(id, out, thumbnail=thumbnail, force=force)
    with _client(url, key) as client:
        code = downloads.download(client, order, wait=wait, again=_again(url))
    raise typer.Exit(code)


def models(as_json: Json = False, url: Url = DEFAULT_URL, key: Key = "") -> None:
    """List the models that the key can use."""
    from gateway.cli.client import videos

    with _client(url, key) as client:
        code = videos.models(client, as_json=as_json)
    raise typer.Exit(code)


def _again(url: str) -> str:
    """The options that lead to the same gateway once more."""
    return f" --url {url}" if url != DEFAULT_URL else ""


def _client(url: str, key: str) -> "GatewayClient":
    from gateway.cli.client.gateway_client import GatewayClient, require_key

    return GatewayClient(url, require_key(key))
