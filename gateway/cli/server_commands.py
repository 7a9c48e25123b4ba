"""Commands that run a server or work without one. Each imports its dependencies when it runs."""

import gc
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.errors import BAD_USAGE, CommandError
from gateway.cli.options import (
    ArchiveKey,
    Config,
    HiddenTaskSeconds,
    Key,
    TaskSeconds,
)


def serve(
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address to listen on; overrides the configuration.")
    ] = None,
    port: Annotated[int | None, typer.Option(metavar="PORT", min=0, max=65535, help="0 picks a free one.")] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=256, help="Number of worker processes.")
    ] = None,
    config: Config = None,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Use the embedded upstream, which is free and accepts any credential.")
    ] = False,
    task_seconds: HiddenTaskSeconds = 8.0,
) -> None:
    """Run the gateway."""
    from gateway.cli.server.allocator import disable_huge_pages

    disable_huge_pages()
    # Most objects that are made now are modules, which stay: `serve` turns it on again.
    gc.disable()
    from gateway.cli.server.serve import ServeOptions
    from gateway.cli.server.serve import serve as run_gateway

    run_gateway(ServeOptions(host, port, workers, config, sandbox, task_seconds))


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory for the two files.")] = Path(),
    task_seconds: HiddenTaskSeconds = 8.0,
) -> None:
    """Make two videos in ten seconds, without an account."""
    from gateway.cli.server.demo import run_demo

    run_demo(out, task_seconds)


def sandbox(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="0 picks a free one.")] = 5199,
    task_seconds: TaskSeconds = 8.0,
    link_seconds: Annotated[
        int, typer.Option(metavar="SECONDS", min=0, help="Seconds until a link to a video expires.")
    ] = 86_400,
    credits_: Annotated[int, typer.Option("--credits", metavar="N", min=0, help="Credits of a new account.")] = 66,
    max_running: Annotated[int, typer.Option(metavar="N", min=0, help="Maximum unfinished tasks of an account.")] = 2,
    queries_per_second: Annotated[
        int, typer.Option(metavar="N", min=0, help="Status queries per account; 0: no limit.")
    ] = 20,
    draw: Annotated[
        bool, typer.Option("--draw/--no-draw", help="Draw a clip for each task if ffmpeg is installed.")
    ] = True,
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
        draw_clips=draw,
    )
    run_sandbox(settings, host, port)


def archive(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", show_default=False, help="Task ids.")] = None,
    recent: Annotated[bool, typer.Option("--recent", help="Recent finished tasks of the upstreams.")] = False,
    from_file: Annotated[
        str | None, typer.Option("--from-file", metavar="FILE", help="File with one id per line; - is standard input.")
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Delete videos older than --keep-days; copy nothing.")] = False,
    keep_days: Annotated[
        float | None, typer.Option("--keep-days", metavar="DAYS", min=0.0, help="For --prune. Default: as configured.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="For --prune: name the videos, delete nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON per task.")] = False,
    config: Config = None,
    key: ArchiveKey = "",
) -> None:
    """Copy finished videos to ARCHIVE_URL. Needs the configuration of a gateway, not a running one."""
    from gateway.cli.server import archiving

    if prune:
        if ids or recent or from_file:
            raise CommandError("--prune deletes by age only: do not name tasks with it", BAD_USAGE)
        raise typer.Exit(archiving.prune(config, keep_days, dry_run=dry_run, as_json=as_json))
    if keep_days is not None or dry_run:
        raise CommandError(f"{'--dry-run' if dry_run else '--keep-days'} requires --prune", BAD_USAGE)
    selection = archiving.Selection(ids or (), from_file, recent)
    raise typer.Exit(archiving.archive(config, key, selection, as_json=as_json))


def probe(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", show_default=False, help="An account's name or tag.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="File for the report. Default: standard output.")
    ] = None,
    config: Config = None,
    key: Key = "",
) -> None:
    """Write a redacted report for a bug report.

    It makes the free calls of one account and never submits."""
    from gateway.cli.server.probe import run_probe

    raise typer.Exit(run_probe(config, name, key, out))


def config(
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of TOML.")] = False,
) -> None:
    """Print the effective configuration, secrets masked."""
    from gateway.cli.server.configuration import show_configuration

    show_configuration(config, as_json)
