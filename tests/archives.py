"""Helpers for tests of the archive: a location, a file host, and a process that is killed."""

import asyncio
import atexit
import logging
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import httpx
import pytest

from gateway.archive.archive import Archive
from gateway.archive.atomic_files import FOLDER
from gateway.archive.copier import ArchiveResult, copy_task
from gateway.archive.records import TaskMetadata
from gateway.archive.store import ArchiveStore
from providers.contract.accounts import Account
from providers.contract.tasks import Result
from providers.transport.client import HttpClient

ROOT = Path(__file__).parent.parent
ACCOUNT = Account("jimeng", "s-secret-1", name="studio")
CREATED = 1_757_737_934.0
DAY = "2025/09/13"
ID = "7535099487211244578"
BASE_PATH = f"jimeng/{DAY}/{ID}"
INDEX = f"index/jimeng/{ID}"
METADATA = TaskMetadata(
    "jimeng", ID, model="jimeng-video-3.0-fast", created=CREATED, ended=CREATED + 60, seconds=5, size="1280x720"
)
JPEG = b"\xff\xd8\xff\xe0" + bytes(100)
PATIENCE_SECONDS = 20.0
"""What a test waits for something to come about."""


def video(size: int = 100_000) -> bytes:
    """This many bytes with the header of a video."""
    head = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41"
    return (head + bytes(range(251)) * (size // 251 + 1))[:size]


async def no_other() -> Result | None:
    return None


# --- where files are kept ---------------------------------------------------------------------------------------


@cache
def s3_endpoint() -> str:
    """An S3 server of this process. It takes a second to start."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    atexit.register(server.stop)
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"


@dataclass
class ArchiveLocation:
    """An empty location for an archive. Tests inspect it from outside, not through the archive's store."""

    url: str
    folder: Path | None = None
    bucket: str = ""

    def open(self) -> ArchiveStore:
        return ArchiveStore.open(self.url)

    def visible(self) -> set[str]:
        """The paths that are visible in it."""
        if self.folder is not None:
            return {path for path in self._files() if not path.startswith(FOLDER)}
        listed = self._ask("?list-type=2")
        return {part.partition("</Key>")[0].removeprefix("pre/") for part in listed.split("<Key>")[1:]}

    def unfinished(self) -> int:
        """The number of partial files."""
        if self.folder is not None:
            return sum(1 for path in self._files() if path.startswith(FOLDER) and (self.folder / path).stat().st_size)
        return self._ask("?uploads").count("<Upload>")

    def _files(self) -> set[str]:
        assert self.folder is not None
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()}

    def _ask(self, query: str) -> str:
        return httpx.get(f"{s3_endpoint()}/{self.bucket}{query}", trust_env=False).text


def new_location(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArchiveLocation:
    """A `file` or an `s3` one."""
    if kind == "file":
        folder = tmp_path / "archive"
        return ArchiveLocation(folder.as_uri(), folder=folder)
    bucket = f"b-{uuid.uuid4().hex}"
    httpx.put(f"{s3_endpoint()}/{bucket}", trust_env=False).raise_for_status()
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    return ArchiveLocation(f"s3://{bucket}/pre", bucket=bucket)


# --- where files come from --------------------------------------------------------------------------------------


@dataclass
class Given:
    """One response of a host. `announced` is its Content-Length, None for a chunked body. After
    `hold_at` bytes it waits until the host lets go."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    announced: int | None = -1
    hold_at: int | None = None


class FileHost:
    """Serves files under `http://…/name`, and 404 for others. `asked` lists the requests."""

    def __init__(self) -> None:
        self.files: dict[str, Given] = {}
        self.asked: list[str] = []
        self.let_go = asyncio.Event()
        self.at_once = 0
        self.most_at_once = 0
        self._port = 0

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._port}/{name}?signature=secret"

    def give(self, name: str, body: bytes, **how: object) -> str:
        self.files[name] = Given(body, **how)  # type: ignore[arg-type]
        return self.url(name)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["FileHost"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self.let_go.set()
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            name = head.split(b" ", 2)[1].decode().strip("/").partition("?")[0]
            self.asked.append(name)
            await self._give(self.files.get(name) or Given(b"gone", 404), writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.at_once -= 1
            writer.close()

    async def _give(self, given: Given, writer: asyncio.StreamWriter) -> None:
        chunked = given.announced is None
        length = len(given.body) if given.announced == -1 else given.announced
        lines = {
            "Connection": "close",
            **({"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(length)}),
            **given.headers,
        }
        writer.write(f"HTTP/1.1 {given.status} X\r\n".encode())
        writer.write("".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode() + b"\r\n")
        parts = [given.body[: given.hold_at], given.body[given.hold_at :]] if given.hold_at else [given.body]
        for number, part in enumerate(parts):
            if number:
                await self.let_go.wait()
            writer.write(b"%x\r\n%s\r\n" % (len(part), part) if chunked and part else part)
            await writer.drain()
        if chunked:
            writer.write(b"0\r\n\r\n")
        await writer.drain()


# --- a process --------------------------------------------------------------------------------------------------


async def killed_copy(location: ArchiveLocation, link: str) -> None:
    """Start a copy in a process of its own and kill it once it has written something."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.archives", location.url, link, cwd=ROOT)
    await until(lambda: process.returncode is not None or location.unfinished() > 0)
    assert process.returncode is None
    process.kill()
    await process.wait()
    assert location.unfinished() == 1


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def copy_once(store: ArchiveStore, result: Result, metadata: TaskMetadata = METADATA) -> ArchiveResult:
    async with HttpClient() as http:
        return await copy_task(store, http, metadata, ACCOUNT, result, no_other, CREATED + 100)


if __name__ == "__main__":
    asyncio.run(copy_once(ArchiveStore.open(sys.argv[1]), Result(sys.argv[2])))


def pending_copies(archive: Archive) -> int:
    """The number of copies that are running, queued or waiting for a retry."""
    return len(archive._queue._jobs)
