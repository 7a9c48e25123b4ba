"""Every command with its options. What a command needs is imported when it runs, so that each starts fast."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.errors import BAD_USAGE, INTERRUPTED, CommandError
from gateway.cli.options import (
    DEFAULT_URL,
    HELP_OPTIONS,
    AccountsJson,
    AdminKey,
    Config,
    HiddenTaskSeconds,
    Ids,
    Json,
    Key,
    ListsByDefault,
    Name,
    Names,
    TaskSeconds,
    Url,
)
from gateway.cli.output import give, never_fail_to_print, say

if TYPE_CHECKING:
    from gateway.cli.client.accounts import Action
    from gateway.cli.client.gateway_client import GatewayClient

PROGRAM = "video-gateway"

app = typer.Typer(
    name=PROGRAM,
    help="One OpenAI-compatible endpoint for video models.",
    epilog=f"Try it without any account: {PROGRAM} demo",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": list(HELP_OPTIONS)},
)


accounts = typer.Typer(
    name="accounts",
    cls=ListsByDefault,
    help="For the operator: the gateway's own accounts.",
    epilog="Without a command: list.",
    rich_markup_mode=None,
    context_settings={"help_option_names": list(HELP_OPTIONS)},
)
app.add_typer(accounts)


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command of `argv`, by default the process's own arguments, and give the exit code."""
    never_fail_to_print()
    try:
        result = app(list(sys.argv[1:] if argv is None else argv), prog_name=PROGRAM, standalone_mode=False)
    except CommandError as failure:
        say(f"error: {failure}")
        return failure.exit_code
    except typer.TyperException as mistake:
        say(_one_line(mistake))
        return BAD_USAGE
    except KeyboardInterrupt:
        result = INTERRUPTED
    if result == INTERRUPTED:
        say("interrupted")
    return result if isinstance(result, int) else 0


def _one_line(mistake: typer.TyperException) -> str:
    context = getattr(mistake, "ctx", None)
    command = context.command_path if context else PROGRAM
    text = " ".join(mistake.format_message().split()).rstrip(".")
    return f"error: {text[:1].lower()}{text[1:]} (see {command} --help)"


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        give(f"{PROGRAM} {version('video-gateway')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def top(
    context: typer.Context,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        give(context.get_help())


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on, by default as configured.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=256, help="Processes.")] = None,
    config: Config = None,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Lead to an embedded upstream that costs nothing and takes any key.")
    ] = False,
    task_seconds: HiddenTaskSeconds = 8.0,
) -> None:
    """Run the gateway."""
    from gateway.cli.server.serve import ServeOptions
    from gateway.cli.server.serve import serve as run_gateway

    run_gateway(ServeOptions(host, port, workers, config, sandbox, task_seconds))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the two files go.")] = Path(),
    task_seconds: HiddenTaskSeconds = 8.0,
) -> None:
    """Make two videos in ten seconds, without any account."""
    from gateway.cli.server.demo import run_demo

    run_demo(out, task_seconds)


@app.command()
def sandbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 5199,
    task_seconds: TaskSeconds = 8.0,
    link_seconds: Annotated[int, typer.Option(min=0, help="How long a link to a video holds.")] = 86_400,
    credits_: Annotated[int, typer.Option("--credits", min=0, help="Credits of a new account.")] = 66,
    max_running: Annotated[int, typer.Option(min=0, help="Unfinished tasks of an account.")] = 2,
    queries_per_second: Annotated[int, typer.Option(min=0, help="Status queries of an account; 0 = no limit.")] = 20,
) -> None:
    """Run the embedded upstream alone."""
    from gateway.cli.server.sandbox import run_sandbox
    from providers.sandbox.settings import SandboxSettings

    settings = SandboxSettings(
        task_seconds=task_seconds,
        link_seconds=link_seconds,
        credits=credits_,
        max_running=max_running,
        queries_per_second=queries_per_second,
    )
    run_sandbox(settings, host, port)


@app.command()
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

    wish = videos.CreateOptions(
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
        code = videos.submit(client, wish, wait=wait, as_json=as_json, again=_again(url))
    raise typer.Exit(code)


@app.command()
def status(ids: Ids, as_json: Json = False, url: Url = DEFAULT_URL, key: Key = "") -> None:
    """Print how tasks stand."""
    from gateway.cli.client import videos

    with _client(url, key) as client:
        code = videos.status(client, ids, as_json=as_json)
    raise typer.Exit(code)


@app.command()
def watch(ids: Ids, as_json: Json = False, url: Url = DEFAULT_URL, key: Key = "") -> None:
    """Follow tasks to their end; exit code 1 when one fails."""
    from gateway.cli.client import videos

    with _client(url, key) as client:
        code = videos.watch(client, ids, as_json=as_json)
    raise typer.Exit(code)


@app.command()
def cancel(ids: Ids, as_json: Json = False, url: Url = DEFAULT_URL, key: Key = "") -> None:
    """Cancel tasks that still wait in the queue, and say which credits come back."""
    from gateway.cli.client import videos

    with _client(url, key) as client:
        code = videos.cancel(client, ids, as_json=as_json)
    raise typer.Exit(code)


@app.command()
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


@app.command()
def models(as_json: Json = False, url: Url = DEFAULT_URL, key: Key = "") -> None:
    """List the models that the key can use."""
    from gateway.cli.client import videos

    with _client(url, key) as client:
        code = videos.models(client, as_json=as_json)
    raise typer.Exit(code)


@accounts.command("list")
def list_accounts(as_json: Json = False, url: Url = DEFAULT_URL, key: AdminKey = "") -> None:
    """Print how the accounts stand."""
    from gateway.cli.client.accounts import list_accounts
    from gateway.cli.client.gateway_client import GatewayClient

    with GatewayClient(url, key) as client:
        code = list_accounts(client, as_json=as_json)
    raise typer.Exit(code)


@accounts.command()
def check(names: Names = None, as_json: AccountsJson = False, url: Url = DEFAULT_URL, key: AdminKey = "") -> None:
    """Ask whether logins are alive; exit code 1 when one is not."""
    from gateway.cli.client.accounts import CHECK

    raise typer.Exit(_ask_each(CHECK, names, as_json, url, key))


@accounts.command()
def points(names: Names = None, as_json: AccountsJson = False, url: Url = DEFAULT_URL, key: AdminKey = "") -> None:
    """Print what is left to spend."""
    from gateway.cli.client.accounts import POINTS

    raise typer.Exit(_ask_each(POINTS, names, as_json, url, key))


@accounts.command()
def receive(names: Names = None, as_json: AccountsJson = False, url: Url = DEFAULT_URL, key: AdminKey = "") -> None:
    """Take today's credits."""
    from gateway.cli.client.accounts import RECEIVE

    raise typer.Exit(_ask_each(RECEIVE, names, as_json, url, key))


@accounts.command()
def pause(name: Name, as_json: Json = False, url: Url = DEFAULT_URL, key: AdminKey = "") -> None:
    """Submit nothing more with an account until it is resumed.

    The gateway forgets it when it starts anew."""
    raise typer.Exit(_set_state("pause", name, as_json, url, key))


@accounts.command()
def resume(name: Name, as_json: Json = False, url: Url = DEFAULT_URL, key: AdminKey = "") -> None:
    """Hold nothing against an account any more."""
    raise typer.Exit(_set_state("resume", name, as_json, url, key))


@app.command()
def archive(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", show_default=False, help="Task ids.")] = None,
    recent: Annotated[bool, typer.Option("--recent", help="What the upstreams list as finished.")] = False,
    from_file: Annotated[
        str | None, typer.Option("--from-file", metavar="FILE", help="Ids, one on a line; - reads standard input.")
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete what is older than --keep-days, and copy nothing.")
    ] = False,
    keep_days: Annotated[
        float | None, typer.Option("--keep-days", min=0.0, help="For --prune; by default as configured.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one line for each task.")] = False,
    config: Config = None,
    key: Key = "",
) -> None:
    """Copy finished videos to ARCHIVE_URL, with the configuration of a gateway; none has to run."""
    from gateway.cli.server import archiving

    if prune:
        if ids or recent or from_file:
            raise CommandError("--prune goes by age alone: name no tasks with it", BAD_USAGE)
        raise typer.Exit(archiving.prune(config, keep_days, as_json=as_json))
    if keep_days is not None:
        raise CommandError("--keep-days belongs to --prune", BAD_USAGE)
    from gateway.cli.client.gateway_client import require_key

    selection = archiving.Selection(ids or (), from_file, recent)
    raise typer.Exit(archiving.archive(config, require_key(key), selection, as_json=as_json))


@app.command()
def probe(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", show_default=False, help="An account's name or tag.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where the report goes; else standard output.")
    ] = None,
    config: Config = None,
    key: Key = "",
) -> None:
    """Make the uncharged calls with one account and write a redacted report for a bug report.

    It never submits."""
    from gateway.cli.server.probe import run_probe

    raise typer.Exit(run_probe(config, name, key, out))


@app.command()
def config(
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON; else as TOML.")] = False,
) -> None:
    """Print the configuration, secrets masked."""
    from gateway.cli.server.configuration import show_configuration

    show_configuration(config, as_json)


def _again(url: str) -> str:
    """The options that lead to the same gateway once more."""
    return f" --url {url}" if url != DEFAULT_URL else ""


def _client(url: str, key: str) -> "GatewayClient":
    from gateway.cli.client.gateway_client import GatewayClient, require_key

    return GatewayClient(url, require_key(key))


def _ask_each(action: "Action", names: Sequence[str] | None, as_json: bool, url: str, key: str) -> int:
    from gateway.cli.client.accounts import ask_each
    from gateway.cli.client.gateway_client import GatewayClient

    with GatewayClient(url, key) as client:
        return ask_each(client, action, names or (), as_json=as_json)


def _set_state(word: str, name: str, as_json: bool, url: str, key: str) -> int:
    from gateway.cli.client.accounts import set_state
    from gateway.cli.client.gateway_client import GatewayClient

    with GatewayClient(url, key) as client:
        return set_state(client, name, word, as_json=as_json)
