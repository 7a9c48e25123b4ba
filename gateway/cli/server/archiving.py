"""`archive`: what can still be had of finished videos goes into the archive; and what is old there goes, on request.

It speaks to the upstreams itself, with the configuration of a gateway: none has to run.
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

from gateway.accounts.callers import Caller
from gateway.archive.copier import ArchiveResult, Outcome
from gateway.archive.store import StoreError
from gateway.archive.task_archiver import TaskArchiver
from gateway.bootstrap import build_process_state, build_services
from gateway.cli.errors import BAD_USAGE, CommandError, configuration_mistakes
from gateway.cli.output import give, give_table, say
from gateway.cli.progress import short
from gateway.cli.server.configuration import read_settings
from gateway.core.clock import SystemClock
from gateway.core.errors import GatewayError
from gateway.core.settings import Settings
from gateway.tasks.service import Tasks
from providers import registry
from providers.contract.tasks import Phase

MAX_RECENT = 1000

_PAGE = 100
_WORDS = {Outcome.ALREADY_THERE.value: "already there"}
_NO_ARCHIVE = "there is no archive: set ARCHIVE_URL, such as file:///srv/videos or s3://bucket/prefix"
_ALWAYS_COUNTED = ("copied", "already there", "expired", "failed")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which tasks: those of `ids`, those that a file names one on a line (`-`: standard input), and with `recent` what
    the upstreams list as finished."""

    ids: Sequence[str] = ()
    file: str | None = None
    recent: bool = False

    def named(self) -> list[str]:
        """The ids that were named, each once. Raises CommandError."""
        lines = _lines(self.file) if self.file else ()
        return list(dict.fromkeys((*self.ids, *lines)))


def archive(config: Path | None, key: str, selection: Selection, *, as_json: bool) -> int:
    """Copy tasks and print what came of each. Gives the exit code: 1 when a copy failed."""
    ids = selection.named()
    if not (selection.ids or selection.file or selection.recent):
        raise CommandError("name tasks by their ids, by --from-file, or with --recent", BAD_USAGE)
    settings = _settings(config)
    report = asyncio.run(_archive(settings, key, ids, recent=selection.recent))
    rows = [(id, _word(kept), f"{kept.bytes:,}" if kept.bytes else "", kept.path, kept.cause) for id, kept in report]
    if as_json:
        for id, kept in report:
            line = {
                "task_id": id,
                "outcome": _word(kept),
                "bytes": kept.bytes,
                "path": kept.path,
                "cause": kept.cause,
            }
            give(json.dumps(line, ensure_ascii=False))
    elif rows:
        give_table(("task", "outcome", "bytes", "path", "cause"), rows)
    counts = Counter(_word(kept) for _, kept in report)
    words = dict.fromkeys((*_ALWAYS_COUNTED, *counts))
    say(", ".join(f"{counts[word]} {word}" for word in words))
    return int(counts["failed"] > 0)


def prune(config: Path | None, keep_days: float | None, *, as_json: bool) -> int:
    """Delete what was made on days that are further back. Gives the exit code."""
    settings = _settings(config)
    days = keep_days if keep_days is not None else settings.archive.keep_days
    if days is None:
        raise CommandError("say how much to keep: --keep-days, or keep_days under [archive] in the file", BAD_USAGE)
    pruned = asyncio.run(_prune(settings, days))
    text = json.dumps({"deleted": pruned, "keep_days": days})
    give(text if as_json else f"{pruned} deleted of days that ended more than {days:g} days ago")
    return 0


def _settings(config: Path | None) -> Settings:
    settings = read_settings(config)
    if settings.archive_url is None:
        raise CommandError(_NO_ARCHIVE, BAD_USAGE)
    return settings


async def _prune(settings: Settings, days: float) -> int:
    async with _gateway(settings) as (_, archiver, _):
        try:
            # Nothing but the providers' folders is looked through.
            return await archiver.archive.prune(days, time.time(), [spec.name for spec in registry.PROVIDERS])
        except StoreError as error:
            raise CommandError(f"the archive: {error}") from None


async def _archive(settings: Settings, key: str, ids: list[str], *, recent: bool) -> list[tuple[str, ArchiveResult]]:
    async with _gateway(settings) as (tasks, _, identify):
        try:
            caller = identify(f"Bearer {key}" if key else "")
            if recent:
                ids = list(dict.fromkeys((*ids, *await _recent(tasks, caller))))
        except GatewayError as error:
            raise CommandError(error.message("en")) from None
        turns = asyncio.Semaphore(settings.archive.copies)
        with _meter(len(ids)) as advance:

            async def archive_one(id: str) -> ArchiveResult:
                async with turns:
                    result = await _archive_one(tasks, caller, id)
                advance(f"{short(id)} {_word(result)}")
                return result

            return list(zip(ids, await asyncio.gather(*map(archive_one, ids)), strict=True))


async def _archive_one(tasks: Tasks, caller: Caller, id: str) -> ArchiveResult:
    try:
        return await tasks.archive(caller, id)
    except GatewayError as error:
        return ArchiveResult(Outcome.FAILED, error.message("en"))


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
) -> AsyncGenerator[tuple[Tasks, TaskArchiver, Callable[[str], Caller]], None]:
    """The services of a gateway that does not listen."""
    with configuration_mistakes():
        process = build_process_state(settings, SystemClock())
        services = build_services(settings, process)
    archiver = process.archiver
    if archiver is None:
        raise CommandError(_NO_ARCHIVE, BAD_USAGE)
    async with process.http, aclosing(process.fetcher), process.background:
        try:
            yield services.tasks, archiver, services.callers.identify
        finally:
            archiver.archive.close()


def _lines(file: str) -> Iterable[str]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise CommandError(f"--from-file {file}: {reason}", BAD_USAGE) from None
    # What follows the id on a line, as in a table of other commands, is let alone, and so are remarks.
    lines = (line.split() for line in text.splitlines())
    return [words[0] for words in lines if words and not words[0].startswith("#")]


def _word(kept: ArchiveResult) -> str:
    return _WORDS.get(kept.outcome, str(kept.outcome))


@contextlib.contextmanager
def _meter(total: int) -> Iterator[Callable[[str], None]]:
    """A bar on a terminal, nothing where nobody watches."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(24), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        row = progress.add_task("", total=total)
        yield lambda text: progress.update(row, advance=1, description=text)
