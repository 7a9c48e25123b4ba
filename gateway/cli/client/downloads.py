"""`download`: the file of a finished video, whole or not at all, and continued where it broke off."""

import os
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Protocol

from gateway.cli.client.following import TRANSIENT_STATUSES, follow
from gateway.cli.client.gateway_client import BrokenAnswerError, GatewayClient, RefusedError, UnreachableError
from gateway.cli.errors import BAD_USAGE, CommandError
from gateway.cli.meters import Meter, meter
from gateway.cli.output import forget_output, give, say, writing
from gateway.cli.progress import board
from gateway.core.byte_ranges import content_length

STANDARD_OUTPUT = "-"

_RETRY_PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each retry. Progress resets the count."""

_MAX_NAME = 64
_CONTENT_RANGE = re.compile(r"bytes\s+(?:(\d+)-\d+|\*)/(\d+|\*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Order:
    """What to download, as given on the command line. `out` is a file, a directory or `-` for standard output;
    None is the name that the gateway gives, in this directory."""

    id: str
    out: str | None = None
    thumbnail: bool = False
    force: bool = False


def download(client: GatewayClient, order: Order, *, wait: bool, again: str) -> int:
    """Fetch the file; with `wait` follow the task to its end first. Gives the exit code. `again` are the options that
    lead to the same gateway.

    Raises CommandError. What came so far is kept then, and after an interrupt, for the same command to go on from.
    """
    try:
        into = _place(order)
    except OSError as error:
        raise CommandError(f"-o {order.out}: {error.strerror or error}", BAD_USAGE) from None
    fetch = _Fetch(client, order, into)
    try:
        if wait:
            _wait(client, order.id)
        with meter() as shown:
            done = fetch.run(shown)
    except RefusedError as refusal:
        raise _not_ready(client, order.id, refusal, again) from None
    except BrokenPipeError:
        forget_output()
        raise CommandError("whoever reads standard output has closed it") from None
    except OSError as error:
        name = error.filename or (fetch.into.name if fetch.into else "the file")
        raise CommandError(f"{name} cannot be written: {error.strerror or error}") from None
    except KeyboardInterrupt:
        if fetch.into and fetch.into.kept:
            say(f"{fetch.into.kept}: the same command goes on from there")
        raise
    finally:
        if fetch.into:
            fetch.into.close()
    done.tell()
    return 0


class _Sink(Protocol):
    """Where a file is written. `size` counts the bytes written so far; `etag` identifies their file, and is empty where
    it is unknown and the download cannot be resumed."""

    name: str
    size: int
    etag: str

    @property
    def kept(self) -> str:
        """What an interrupted download leaves to go on from; empty when it leaves nothing."""

    def take_from(self, at: int, etag: str) -> None:
        """Keep the first `at` bytes; what is written next belongs behind them."""

    def write(self, piece: bytes) -> None: ...

    def finish(self) -> None:
        """Nothing more comes, all is there."""

    def tell(self) -> None:
        """The last line."""

    def close(self) -> None: ...


class _Part:
    """`FILE.part`, which becomes FILE when it is whole; beside it `FILE.part.etag`, of what it is a part."""

    def __init__(self, target: Path) -> None:
        self.name = str(target)
        self._target = target
        self._part = target.with_name(f"{target.name}.part")
        self._etag_file = target.with_name(f"{target.name}.part.etag")
        self._file: IO[bytes] | None = None
        self.etag = _strong(self._etag_file.read_text("ascii", "replace").strip()) if self._etag_file.is_file() else ""
        self.size = self._opened().seek(0, os.SEEK_END) if self.etag and self._part.is_file() else 0

    @property
    def kept(self) -> str:
        return f"{self._part} keeps {self.size:,} bytes" if self.size and self.etag else ""

    def take_from(self, at: int, etag: str) -> None:
        file = self._opened()
        file.seek(at)
        file.truncate()
        self.size = at
        # Written after the old bytes are gone, so that it never speaks for bytes of another file.
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
            # Nothing that is open can be moved there.
            self.close()
        # Elsewhere the lock is held until nobody finds the part any more.
        self._part.replace(self._target)
        self.close()
        self._etag_file.unlink(missing_ok=True)

    def tell(self) -> None:
        give(f"{self.name}\t{self.size:,} bytes")

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


class _Output:
    """Standard output: what is written there cannot be taken back."""

    name = "standard output"
    kept = ""

    def __init__(self) -> None:
        self.size = 0
        self.etag = ""

    def take_from(self, at: int, etag: str) -> None:
        if at != self.size:
            raise CommandError(f"the file cannot be continued: what was written, {self.size:,} bytes, is not whole")
        self.etag = etag

    def write(self, piece: bytes) -> None:
        with writing():
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        self.size += len(piece)

    def finish(self) -> None:
        pass

    def tell(self) -> None:
        say(f"{self.name}: {self.size:,} bytes")

    def close(self) -> None:
        pass


class _IncompleteError(CommandError):
    """The answer ended early, without a connection error."""


class _Fetch:
    """A download in progress. `into` is None until the gateway has named the file."""

    def __init__(self, client: GatewayClient, order: Order, into: _Sink | None) -> None:
        self.into = into
        self._client = client
        self._order = order
        self._answered = False
        self._total: int | None = None

    def run(self, shown: Meter) -> _Sink:
        """Where the whole file is now. Raises CommandError and OSError."""
        furthest = retries = 0
        while True:
            try:
                if done := self._request(shown):
                    return done
                continue
            except (UnreachableError, BrokenAnswerError, RefusedError, _IncompleteError) as error:
                if not self._is_transient(error):
                    raise
                trouble = error
            size = self.into.size if self.into else 0
            if size > furthest:
                furthest, retries = size, 0
            if retries == len(_RETRY_PAUSES):
                raise self._given_up(trouble)
            shown.note(f"{trouble}; trying again")
            time.sleep(_RETRY_PAUSES[retries])
            retries += 1

    def _request(self, shown: Meter) -> _Sink | None:
        """One request. None when it has to be repeated with another range."""
        at = self.into.size if self.into and self.into.etag else 0
        only = {"range": f"bytes={at}-", "if-range": self.into.etag} if self.into and at else {}
        with self._client.content(self._order.id, thumbnail=self._order.thumbnail, only=only) as answer:
            self._answered = True
            headers = answer.headers
            etag = _strong(headers.get("etag", ""))
            if self.into is None:
                self.into = _Part(_server_named(self._order, headers))
                if self.into.size and self.into.etag == etag:
                    return None
            into = self.into
            # Compressed although not requested: its lengths and ranges do not count the bytes that are written here.
            plain = headers.get("content-encoding", "identity") == "identity"
            if answer.status_code == 200:
                self._total = content_length(headers) if plain else None
                into.take_from(0, etag if plain else "")
            else:
                start, self._total = _range(headers)
                whole = answer.status_code == 416 and self._total == at
                fits = answer.status_code == 206 and plain and start == at and etag in ("", into.etag)
                if not at:
                    raise CommandError(f"{self._client.url} gives a part of the file only, and all was asked for")
                if not (whole or fits):
                    into.take_from(0, "")
                    return None
                into.take_from(at, into.etag)
            shown.show(into.name, into.size, self._total)
            if answer.status_code != 416:
                for piece in answer.iter_bytes():
                    into.write(piece)
                    shown.show(into.name, into.size, self._total)
        if self._total is not None and into.size != self._total:
            raise _IncompleteError(f"{into.name} is not whole yet: {into.size:,} of {self._total:,} bytes")
        into.finish()
        return into

    def _is_transient(self, trouble: CommandError) -> bool:
        """Whether a retry may help: not when the first request is refused, or nothing listens."""
        if isinstance(trouble, RefusedError):
            return self._answered and trouble.status in TRANSIENT_STATUSES
        return self._answered or not isinstance(trouble, UnreachableError)

    def _given_up(self, trouble: CommandError) -> CommandError:
        if self.into is None:
            return trouble
        size = f"{self.into.size:,}" + ("" if self._total is None else f" of {self._total:,}")
        rest = "the same command goes on from there" if self.into.kept else "the same command starts anew"
        return CommandError(f"{self.into.name} broke off at {size} bytes ({trouble}): {rest}")


def _lock(file: IO[bytes], path: Path) -> None:
    """Keeps other downloads off the file while it is open, where files can be locked. Raises CommandError."""
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise CommandError(f"another download is at work on {path}: let it end, or name another file") from None


def _place(order: Order) -> _Sink | None:
    """Where the file goes, None where the gateway names it. Raises CommandError for a place that will not do."""
    if order.out == STANDARD_OUTPUT:
        if sys.stdout.isatty():
            raise CommandError("a video is nothing to read: give -o FILE, or lead standard output elsewhere", BAD_USAGE)
        return _Output()
    if order.out is None or _is_directory(order.out):
        return None
    target = Path(order.out)
    if not target.parent.is_dir():
        raise CommandError(f"-o {target}: there is no directory {target.parent}", BAD_USAGE)
    return _Part(_free(target, order.force))


def _is_directory(out: str) -> bool:
    return out.endswith(("/", os.sep)) or Path(out).is_dir()


def _server_named(order: Order, headers: Mapping[str, str]) -> Path:
    """The file by the gateway's name, in the requested directory, which is created. Raises CommandError and OSError."""
    directory = Path(order.out or "")
    directory.mkdir(parents=True, exist_ok=True)
    message = Message()
    message["content-disposition"] = headers.get("content-disposition", "")
    given = (message.get_filename() or "").replace("\\", "/").rpartition("/")[2]
    fallback = f"{order.id[-_MAX_NAME:]}.{'jpg' if order.thumbnail else 'mp4'}"
    return _free(directory / (_safe(given) or _safe(fallback)), order.force)


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip(".-")[-2 * _MAX_NAME :]


def _free(target: Path, force: bool) -> Path:
    """The target, where nothing is in its way. Raises CommandError."""
    if target.exists() and not target.is_file():
        raise CommandError(f"{target} is no file that could be replaced: for a pipe there is -o -", BAD_USAGE)
    if target.exists() and not force:
        raise CommandError(f"{target} is there already: replace it with --force, or name another with -o", BAD_USAGE)
    return target


def _wait(client: GatewayClient, id: str) -> None:
    with board() as shown:
        task = follow(client, [id], shown).tasks[0]
    if task.failed:
        raise CommandError(f"there is no video of {id}: {task.message or task.status}")


def _not_ready(client: GatewayClient, id: str, refusal: RefusedError, again: str) -> CommandError:
    """The refusal, and for a video that still is to come also how to wait for it."""
    if refusal.error.get("code") != "not_ready" or client.status([id]).tasks[0].ended:
        return refusal
    return CommandError(f"{refusal}: give --wait, or follow it with `video-gateway watch{again} {id}`")


def _strong(etag: str) -> str:
    """The ETag, empty where it does not promise the same bytes."""
    return etag if etag.startswith('"') and etag.isascii() and etag.isprintable() else ""


def _range(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Where the part begins, and how long the whole is."""
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
    if not found:
        return None, None
    start, total = found.groups()
    return (int(start) if start else None), (int(total) if total != "*" else None)
