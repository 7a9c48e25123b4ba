"""`download`: the file of a finished video, written completely or not at all; interrupted downloads are resumed."""

import contextlib
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Protocol

from gateway.cli.client.following import TRANSIENT_STATUSES, follow
from gateway.cli.client.gateway_client import BrokenResponseError, GatewayClient, ResponseError, UnreachableError
from gateway.cli.errors import BAD_USAGE, CommandError, OutputClosedError
from gateway.cli.output import output_errors, print_message, print_result
from gateway.cli.progress import DownloadProgress, download_progress, task_progress
from gateway.core.byte_ranges import content_length

STANDARD_OUTPUT = "-"

_RETRY_PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each retry. Progress resets the count."""

_MAX_NAME = 64
_CONTENT_RANGE = re.compile(r"bytes\s+(?:([0-9]{1,18})-[0-9]{1,18}|\*)/([0-9]{1,18}|\*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DownloadOptions:
    """What to download, as given on the command line. `out` is a file, a directory or `-` for standard output; None is
    a file in the working directory, named by the gateway. `resume` is the command that continues the download."""

    id: str
    out: str | None = None
    thumbnail: bool = False
    force: bool = False
    resume: str = "the same command"


def check_output(options: DownloadOptions) -> None:
    """Raises CommandError where the output cannot be written, before a video is made for it."""
    with _output_errors(options):
        sink = _sink_of(options)
    if sink is not None:
        sink.close()


def download(client: GatewayClient, options: DownloadOptions, *, wait: bool, url_option: str) -> int:
    """Download the file; with `wait` follow the task until it ends first. Returns the exit code. `url_option` is the
    --url option of the suggested command.

    Raises CommandError. Then, and after an interrupt, `options.resume` continues the download.
    """
    with _output_errors(options):
        sink = _sink_of(options)
    transfer = _Transfer(client, options, sink)
    try:
        if wait:
            _wait(client, options.id)
        with download_progress() as progress:
            done = transfer.run(progress)
    except ResponseError as error:
        raise _with_wait_hint(client, options.id, error, url_option) from None
    except OutputClosedError as error:
        # The file is incomplete.
        raise CommandError(str(error)) from None
    except OSError as error:
        name = error.filename or (transfer.sink.name if transfer.sink else "the file")
        raise CommandError(f"{name} cannot be written: {error.strerror or error}") from None
    except (KeyboardInterrupt, SystemExit):
        if transfer.sink and transfer.sink.partial:
            print_message(f"{transfer.sink.partial}: {options.resume} resumes the download")
        raise
    finally:
        if transfer.sink:
            transfer.sink.close()
    done.report()
    return 0


@contextlib.contextmanager
def _output_errors(options: DownloadOptions) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CommandError(f"-o {options.out}: {error.strerror or error}", BAD_USAGE) from None


class _Sink(Protocol):
    """The output of a download. `size` is the number of bytes written; `etag` identifies their file. It is empty if it
    is unknown, so that the download cannot be resumed."""

    name: str
    size: int
    etag: str

    @property
    def partial(self) -> str:
        """Describes the bytes that a later command can resume from; empty if there are none."""

    def truncate(self, at: int, etag: str) -> None:
        """Keep the first `at` bytes and write the next ones after them."""

    def write(self, piece: bytes) -> None: ...

    def finish(self) -> None:
        """The file is complete."""

    def report(self) -> None:
        """Print the last line."""

    def close(self) -> None: ...


class _PartFile:
    """`FILE.part`, renamed to FILE when it is complete, and `FILE.part.etag` with the ETag of its file."""

    def __init__(self, target: Path) -> None:
        self.name = str(target)
        self._target = target
        self._part = target.with_name(f"{target.name}.part")
        self._etag_file = target.with_name(f"{target.name}.part.etag")
        self._file: IO[bytes] | None = None
        etag = self._etag_file.read_text("ascii", "replace") if self._etag_file.is_file() else ""
        self.etag = _strong_etag(etag.strip())
        self.size = self._opened().seek(0, os.SEEK_END) if self.etag and self._part.is_file() else 0

    @property
    def partial(self) -> str:
        return f"{self._part} has {self.size:,} bytes" if self.size and self.etag else ""

    def truncate(self, at: int, etag: str) -> None:
        file = self._opened()
        file.seek(at)
        file.truncate()
        self.size = at
        # Written after the old bytes are gone, so that it never identifies bytes of another file.
        if etag:
            self._etag_file.write_text(etag, "ascii")
        else:
            self._etag_file.unlink(missing_ok=True)
        self.etag = etag

    def write(self, piece: bytes) -> None:
        self._opened().write(piece)
        self.size += len(piece)

    def finish(self) -> None:
        file = self._opened()
        file.flush()
        os.fsync(file.fileno())
        if os.name == "nt":
            # Windows cannot rename an open file.
            self.close()
        # Elsewhere the lock is held until the part is renamed.
        self._part.replace(self._target)
        self.close()
        self._etag_file.unlink(missing_ok=True)

    def report(self) -> None:
        print_result(f"{self.name}\t{self.size:,} bytes")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            self._part.touch()
            self._file = self._part.open("r+b")
            _lock(self._file, self._part)
            if not self._part.exists() or not os.path.samestat(os.fstat(self._file.fileno()), self._part.stat()):
                raise CommandError(f"{self._part} was just finished by another download: try again")
        return self._file


class _StandardOutput:
    """Standard output, which cannot be truncated."""

    name = "standard output"
    partial = ""

    def __init__(self) -> None:
        self.size = 0
        self.etag = ""

    def truncate(self, at: int, etag: str) -> None:
        if at != self.size:
            raise CommandError(f"the file is incomplete after {self.size:,} bytes and cannot be resumed")
        self.etag = etag

    def write(self, piece: bytes) -> None:
        with output_errors():
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        self.size += len(piece)

    def finish(self) -> None:
        pass

    def report(self) -> None:
        print_message(f"{self.name}: {self.size:,} bytes")

    def close(self) -> None:
        pass


class _IncompleteError(CommandError):
    """The response ended early, without a connection error."""


class _Transfer:
    """A download in progress. `sink` is None until the gateway has named the file."""

    def __init__(self, client: GatewayClient, options: DownloadOptions, sink: _Sink | None) -> None:
        self.sink = sink
        self._client = client
        self._options = options
        self._has_response = False
        self._total: int | None = None

    def run(self, progress: DownloadProgress) -> _Sink:
        """Download the complete file. Raises CommandError and OSError."""
        furthest = retries = 0
        while True:
            try:
                if done := self._request(progress):
                    return done
                continue
            except (UnreachableError, BrokenResponseError, ResponseError, _IncompleteError) as error:
                if not self._is_transient(error):
                    raise
                failure = error
            size = self.sink.size if self.sink else 0
            if size > furthest:
                furthest, retries = size, 0
            if retries == len(_RETRY_PAUSES):
                raise self._gave_up(failure)
            progress.note(f"{failure}; retrying")
            time.sleep(_RETRY_PAUSES[retries])
            retries += 1

    def _request(self, progress: DownloadProgress) -> _Sink | None:
        """One request. None if it must be repeated with another range."""
        at = self.sink.size if self.sink and self.sink.etag else 0
        range_headers = {"range": f"bytes={at}-", "if-range": self.sink.etag} if self.sink and at else {}
        id, thumbnail = self._options.id, self._options.thumbnail
        with self._client.content(id, thumbnail=thumbnail, range_headers=range_headers) as answer:
            self._has_response = True
            headers = answer.headers
            etag = _strong_etag(headers.get("etag", ""))
            if self.sink is None:
                self.sink = _PartFile(_path_from_server(self._options, headers))
                if self.sink.size and self.sink.etag == etag:
                    return None
            sink = self.sink
            # Compressed although not requested: its lengths and ranges are not those of the written bytes.
            plain = headers.get("content-encoding", "identity") == "identity"
            if answer.status_code == 200:
                self._total = content_length(headers) if plain else None
                sink.truncate(0, etag if plain else "")
            else:
                start, self._total = _content_range(headers)
                is_complete = answer.status_code == 416 and self._total == at
                continues = answer.status_code == 206 and plain and start == at and etag in ("", sink.etag)
                if not at:
                    raise CommandError(f"{self._client.url} sent only a part of the file without a range request")
                if not (is_complete or continues):
                    sink.truncate(0, "")
                    return None
                sink.truncate(at, sink.etag)
            progress.show(sink.name, sink.size, self._total)
            if answer.status_code != 416:
                for piece in answer.iter_bytes():
                    sink.write(piece)
                    progress.show(sink.name, sink.size, self._total)
        if self._total is not None and sink.size != self._total:
            raise _IncompleteError(f"{sink.name} is incomplete: {sink.size:,} of {self._total:,} bytes")
        sink.finish()
        return sink

    def _is_transient(self, failure: CommandError) -> bool:
        """True if a retry may help: not if the first request gets an error or no connection."""
        if isinstance(failure, ResponseError):
            return self._has_response and failure.status in TRANSIENT_STATUSES
        return self._has_response or not isinstance(failure, UnreachableError)

    def _gave_up(self, failure: CommandError) -> CommandError:
        if self.sink is None:
            return failure
        size = f"{self.sink.size:,}" + ("" if self._total is None else f" of {self._total:,}")
        text = f"the download of {self.sink.name} failed at {size} bytes ({failure}): {self._options.resume} "
        return CommandError(text + ("resumes it" if self.sink.partial else "restarts it"))


def _lock(file: IO[bytes], path: Path) -> None:
    """Locks the file against other downloads while it is open; not on Windows. Raises CommandError."""
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise CommandError(f"another download is writing {path}: wait for it, or name another file") from None


def _sink_of(options: DownloadOptions) -> _Sink | None:
    """The output, None if the gateway names it. Raises CommandError for an invalid one."""
    if options.out == STANDARD_OUTPUT:
        if sys.stdout.isatty():
            raise CommandError("a terminal cannot show a video: use -o FILE, or redirect standard output", BAD_USAGE)
        return _StandardOutput()
    if options.out is None or _is_directory(options.out):
        return None
    target = Path(options.out)
    if not target.parent.is_dir():
        raise CommandError(f"-o {target}: no such directory: {target.parent}", BAD_USAGE)
    return _PartFile(_check_replaceable(target, options.force))


def _is_directory(out: str) -> bool:
    return out.endswith(("/", os.sep)) or Path(out).is_dir()


def _path_from_server(options: DownloadOptions, headers: Mapping[str, str]) -> Path:
    """The file with the gateway's name in the requested directory, which is created. Raises CommandError, OSError."""
    directory = Path(options.out or "")
    directory.mkdir(parents=True, exist_ok=True)
    message = Message()
    message["content-disposition"] = headers.get("content-disposition", "")
    given = (message.get_filename() or "").replace("\\", "/").rpartition("/")[2]
    fallback = f"{options.id[-_MAX_NAME:]}.{'jpg' if options.thumbnail else 'mp4'}"
    return _check_replaceable(directory / (_safe_name(given) or _safe_name(fallback)), options.force)


def _safe_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip(".-")[-2 * _MAX_NAME :]


def _check_replaceable(target: Path, force: bool) -> Path:
    """The target. Raises CommandError if it exists and cannot or must not be replaced."""
    if target.exists() and not target.is_file():
        raise CommandError(f"{target} is not a regular file: to write to a pipe, use -o -", BAD_USAGE)
    if target.exists() and not force:
        raise CommandError(f"{target} already exists: replace it with --force, or name another with -o", BAD_USAGE)
    return target


def _wait(client: GatewayClient, id: str) -> None:
    with task_progress() as progress:
        task = follow(client, [id], progress)[0]
    if task.failed:
        raise CommandError(f"task {id} has no video: {task.message or task.status}")


def _with_wait_hint(client: GatewayClient, id: str, error: ResponseError, url_option: str) -> CommandError:
    """The error; for an unfinished video also how to wait for it."""
    if error.error.get("code") != "not_ready" or client.status([id]).tasks[0].ended:
        return error
    return CommandError(str(error), hint=f"use --wait, or follow it with `video-gateway watch{url_option} {id}`")


def _strong_etag(etag: str) -> str:
    """The ETag if it is strong, that is, promises the same bytes; else empty."""
    return etag if etag.startswith('"') and etag.isascii() and etag.isprintable() else ""


def _content_range(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """The start of the range and the size of the file, None where unknown."""
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
    if not found:
        return None, None
    start, total = found.groups()
    return (int(start) if start else None), (int(total) if total != "*" else None)
