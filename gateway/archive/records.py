"""The archive's records, and the paths of its files. No I/O.

{provider}/{yyyy}/{mm}/{dd}/{id}.mp4     the video, under the day (UTC) on which its task was created
{provider}/{yyyy}/{mm}/{dd}/{id}.jpg     its cover, with the extension of its type
{provider}/{yyyy}/{mm}/{dd}/{id}.json    the record
index/{provider}/{id}                    the path of the record

They are written in this order. A task without an index entry is not archived, so an incomplete copy is never visible.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

VERSION: Final = 1
INDEX = "index"

Variant = Literal["video", "thumbnail"]

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,120}")
_LONGEST_SEGMENT = 120
_RECORD_PATH = re.compile(r"[\w-]+/\d{4}/\d\d/\d\d/[A-Za-z0-9_%~-]+\.json", re.ASCII)
_YEAR_10000 = 253_402_300_800
"""The year 10000."""


@dataclass(frozen=True, slots=True)
class TaskMetadata:
    """The fields of a finished task besides its result. Times are in unix seconds. `seconds` (0: unknown) and `size`
    ("WIDTHxHEIGHT", "": unknown) are those of the request."""

    provider: str
    id: str
    model: str | None = None
    created: float | None = None
    ended: float | None = None
    seconds: int = 0
    size: str = ""
    prompt: str | None = None


_Bytes = Annotated[int, Field(ge=1, lt=2**63)]
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Seconds = Annotated[float, Field(allow_inf_nan=False)]


class _StoredModel(BaseModel):
    """Fields of later versions are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, defer_build=True)


class Cover(_StoredModel):
    """The cover's file. `ending` is its file name extension."""

    ending: Annotated[str, Field(pattern=r"^[a-z0-9]{2,5}$")]
    bytes: _Bytes
    media_type: Annotated[str, Field(pattern=r"^image/[a-z0-9.+-]{1,64}$")]
    sha256: _Sha256


class Record(_StoredModel):
    """One archived task. `bytes`, `media_type` and `sha256` are those of the archived video.

    `account` holds the principals of the accounts that own the task. No other account has access.
    """

    version: Literal[1]
    provider: str
    id: str
    account: tuple[str, ...]
    bytes: _Bytes
    media_type: Annotated[str, Field(pattern=r"^video/[a-z0-9.+-]{1,64}$")]
    sha256: _Sha256
    archived_at: _Seconds
    model: str | None = None
    created: _Seconds | None = None
    ended: _Seconds | None = None
    seconds: int = 0
    size: str = ""
    width: int | None = None
    height: int | None = None
    duration: _Seconds | None = None
    cover: Cover | None = None
    prompt: str | None = None


def read_record(data: bytes) -> Record | None:
    """Parse a record. None where it is invalid or of another version."""
    try:
        return Record.model_validate_json(data)
    except ValidationError:
        return None


def write_record(record: Record) -> bytes:
    """The stored form of a record: indented JSON."""
    return record.model_dump_json(indent=2).encode()


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of the archive. `bytes` is its size."""

    path: str
    bytes: int
    media_type: str
    sha256: str

    @property
    def etag(self) -> str:
        """A strong ETag, the same in every store."""
        return f'"{self.sha256}"'


@dataclass(frozen=True, slots=True)
class ArchivedTask:
    """An archived task. `base_path` is the path of its files without their extensions."""

    base_path: str
    record: Record

    @property
    def video(self) -> StoredFile:
        record = self.record
        return StoredFile(f"{self.base_path}.mp4", record.bytes, record.media_type, record.sha256)

    @property
    def cover(self) -> StoredFile | None:
        cover = self.record.cover
        if cover is None:
            return None
        return StoredFile(f"{self.base_path}.{cover.ending}", cover.bytes, cover.media_type, cover.sha256)

    def file(self, variant: Variant) -> StoredFile | None:
        return self.video if variant == "video" else self.cover


def segment(id: str) -> str:
    """An upstream id as a path segment: quoted where necessary, and shortened with a digest where too long."""
    if _PLAIN.fullmatch(id):
        return id
    quoted = quote(id, safe="", errors="replace").replace(".", "%2E").replace("~", "%7E")
    if 1 <= len(quoted) <= _LONGEST_SEGMENT:
        return quoted
    digest = hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{quoted[:64]}~{digest[:32]}"


def base_path_of(metadata: TaskMetadata, now: float) -> str:
    """The path of a task's files without extensions, on the day of its creation, else of its end, else `now`."""
    times = (time for time in (metadata.created, metadata.ended) if time is not None and 0 < time < _YEAR_10000)
    return f"{metadata.provider}/{day_of(next(times, now))}/{segment(metadata.id)}"


def day_of(moment: float) -> str:
    """`yyyy/mm/dd`, UTC. The order of the texts is that of the days."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y/%m/%d")


def index_path(provider: str, id_segment: str) -> str:
    return f"{INDEX}/{provider}/{id_segment}"


def base_path_from_index(data: bytes, provider: str, id: str) -> str | None:
    """The home in an index entry. None where the entry is invalid or of another task."""
    path = data.decode("ascii", "replace").strip()
    base_path = path.removesuffix(".json")
    if (
        not _RECORD_PATH.fullmatch(path)
        or not base_path.startswith(f"{provider}/")
        or not base_path.endswith(f"/{segment(id)}")
    ):
        return None
    return base_path
