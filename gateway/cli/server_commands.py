"""Commands of the server side, each with its options. What it needs is imported when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.errors import BAD_USAGE, CommandError
from gateway.cli.options import (
    Config,
    HiddenTaskSeconds,
    Key,
    TaskSeconds,
)


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


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the two files go.")] = Path(),
    task_seconds: HiddenTaskSeconds = 8.0,
) -> None:
    """Make two videos in ten seconds, without any account."""
    from gateway.cli.server.demo import run_demo

    run_demo(out, task_seconds)


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


def config(
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON; else as TOML.")] = False,
) -> None:
    """Print the configuration, secrets masked."""
    from gateway.cli.server.configuration import show_configuration

    show_configuration(config, as_json)
