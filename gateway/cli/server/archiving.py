"""`archive`: copies finished videos to the archive, and deletes old ones on request.

It calls the upstreams itself, with the configuration of a gateway, which need not run.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.accounts.callers import Caller, Callers
from gateway.archive.copier import ArchiveResult, Outcome
from gateway.archive.store import StoreError
from gateway.archive.task_archiver import TaskArchiver
from gateway.bootstrap import build_process_state, build_services
from gateway.cli.errors import BAD_USAGE, CommandError, configuration_errors
from gateway.cli.language import localize, localize_list, terminal_language
from gateway.cli.output import print_message, print_result, print_table
from gateway.cli.progress import shorten_name
from gateway.cli.server.configuration import read_settings
from gateway.core.clock import SystemClock
from gateway.core.errors import GatewayError
from gateway.core.settings import Settings
from gateway.tasks.service import Tasks
from providers import registry
from providers.contract.tasks import Phase

MAX_RECENT = 1000

_PAGE = 100
_OUTCOME_NAMES = {Outcome.ALREADY_THERE.value: "already there"}
_NO_ARCHIVE = "no archive is configured: set ARCHIVE_URL, such as file:///srv/videos or s3://bucket/prefix"
_ALWAYS_COUNTED = ("copied", "already there", "expired", "failed")


@dataclass(frozen=True, slots=True)
class Selection:
    """The tasks to archive: those of `ids`, those of a file with one id per line (`-`: standard input), and with
    `recent` the finished ones that the upstreams list."""

    ids: Sequence[str] = ()
    file: str | None = None
    recent: bool = False

    def task_ids(self) -> list[str]:
        """The given ids without duplicates. Raises CommandError."""
        lines = _lines(self.file) if self.file else ()
        return list(dict.fromkeys((*self.ids, *lines)))


def archive(config: Path | None, key: str, selection: Selection, *, as_json: bool) -> int:
    """Archive tasks and print the outcome of each. Returns the exit code: 1 if a copy failed. `key` is that of a client
    or the admin key; without one, the tasks of all configured accounts can be archived."""
    ids = selection.task_ids()
    if not (selection.ids or selection.file or selection.recent):
        raise CommandError("name tasks by id, with --from-file, or with --recent", BAD_USAGE)
    settings = _settings(config)
    report = asyncio.run(_archive(settings, key, ids, recent=selection.recent))
    rows = [
        (id, _outcome_name(result), f"{result.bytes:,}" if result.bytes else "", result.path, result.cause)
        for id, result in report
    ]
    if as_json:
        for id, result in report:
            line = {
                "task_id": id,
                "outcome": result.outcome.value,
                "bytes": result.bytes,
                "path": result.path,
                "cause": result.cause,
            }
            print_result(json.dumps(line, ensure_ascii=False))
    elif rows:
        print_table(("task", "outcome", "bytes", "path", "cause"), rows)
    counts = Counter(_outcome_name(result) for _, result in report)
    names = dict.fromkeys((*_ALWAYS_COUNTED, *counts))
    print_message(localize_list([f"{counts[name]} {name}" for name in names]))
    return int(counts["failed"] > 0)


def prune(config: Path | None, keep_days: float | None, *, dry_run: bool, as_json: bool) -> int:
    """Delete videos made more than `keep_days` ago, by default as configured, and print which: with `dry_run` without
    deleting them. Returns the exit code."""
    settings = _settings(config)
    days = keep_days if keep_days is not None else settings.archive.keep_days
    if days is None:
        raise CommandError("set --keep-days, or keep_days under [archive] in the configuration file", BAD_USAGE)
    pruned = asyncio.run(_prune(settings, days, dry_run=dry_run))
    if as_json:
        print_result(json.dumps({"deleted": 0 if dry_run else len(pruned), "keep_days": days, "videos": pruned}))
        return 0
    for path in pruned:
        print_result(path)
    count = len(pruned)
    if dry_run:
        print_message(f"{count} would be deleted: older than {days:g} days")
    else:
        print_message(f"{count} deleted: older than {days:g} days")
    return 0


def _settings(config: Path | None) -> Settings:
    settings = read_settings(config)
    if settings.archive_url is None:
        raise CommandError(_NO_ARCHIVE, BAD_USAGE)
    return settings


async def _prune(settings: Settings, days: float, *, dry_run: bool) -> list[str]:
    async with _gateway(settings) as (_, archiver, _):
        try:
            # Only the folders of providers are pruned.
            names = [spec.name for spec in registry.PROVIDERS]
            return await archiver.archive.prune(days, time.time(), names, dry_run=dry_run)
        except StoreError as error:
            raise CommandError(f"the archive: {error}") from None


async def _archive(settings: Settings, key: str, ids: list[str], *, recent: bool) -> list[tuple[str, ArchiveResult]]:
    async with _gateway(settings) as (tasks, _, callers):
        try:
            caller = _caller(callers, settings, key)
            if recent:
                ids = list(dict.fromkeys((*ids, *await _recent(tasks, caller))))
        except GatewayError as error:
            raise CommandError(error.message(terminal_language())) from None
        copies = asyncio.Semaphore(settings.archive.copies)
        with _progress_bar(len(ids)) as advance:

            async def archive_one(id: str) -> ArchiveResult:
                async with copies:
                    result = await _archive_one(tasks, caller, id)
                advance(f"{shorten_name(id)} {_outcome_name(result)}")
                return result

            return list(zip(ids, await asyncio.gather(*map(archive_one, ids)), strict=True))


def _caller(callers: Callers, settings: Settings, key: str) -> Caller:
    """Whose tasks are archived: without a key, or with the admin key, those of all configured accounts. Raises
    GatewayError, CommandError."""
    if key and (settings.admin_key is None or key != settings.admin_key.get_secret_value()):
        return callers.identify(f"Bearer {key}")
    operator = callers.operator()
    if not operator.accounts:
        variables = registry.credential_variables(localize(" or "))
        message = f"no accounts are configured: set {variables}, or give --key or GATEWAY_KEY (an upstream credential)"
        raise CommandError(message, BAD_USAGE)
    return operator


async def _archive_one(tasks: Tasks, caller: Caller, id: str) -> ArchiveResult:
    try:
        return await tasks.archive(caller, id)
    except GatewayError as error:
        return ArchiveResult(Outcome.FAILED, error.message(terminal_language()))


async def _recent(tasks: Tasks, caller: Caller) -> list[str]:
    """The ids of the finished tasks that the upstreams list, newest first. Raises GatewayError."""
    found: list[str] = []
    after: str | None = None
    seen = 0
    while seen < MAX_RECENT:
        page, more = await tasks.list(caller, limit=_PAGE, after=after)
        found += [task.id for task in page if task.state.phase is Phase.COMPLETED]
        seen += len(page)
        if not more or not page:
            break
        after = page[-1].id
    return found


@asynccontextmanager
async def _gateway(
    settings: Settings,
) -> AsyncGenerator[tuple[Tasks, TaskArchiver, Callers], None]:
    """The services of a gateway that does not listen."""
    with configuration_errors():
        process = build_process_state(settings, SystemClock())
        services = build_services(settings, process)
    archiver = process.archiver
    if archiver is None:
        raise CommandError(_NO_ARCHIVE, BAD_USAGE)
    async with process.http, aclosing(process.fetcher), process.background:
        try:
            yield services.tasks, archiver, services.callers
        finally:
            archiver.archive.close()


def _lines(file: str) -> Iterable[str]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise CommandError(f"--from-file {file}: {reason}", BAD_USAGE) from None
    # Text after the id, as in tables of other commands, and comments are ignored.
    lines = (line.split() for line in text.splitlines())
    return [words[0] for words in lines if words and not words[0].startswith("#")]


def _outcome_name(result: ArchiveResult) -> str:
    return _OUTCOME_NAMES.get(result.outcome, str(result.outcome))


@contextlib.contextmanager
def _progress_bar(total: int) -> Iterator[Callable[[str], None]]:
    """A progress bar on a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(24), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        row = progress.add_task("", total=total)
        yield lambda text: progress.update(row, advance=1, description=text)
