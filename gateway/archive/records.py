"""What the archive tells of a video, and where everything lies. No I/O.

{provider}/{yyyy}/{mm}/{dd}/{id}.mp4     the video, under the day (UTC) on which its task was made
{provider}/{yyyy}/{mm}/{dd}/{id}.jpg     its cover, with the ending of its type
{provider}/{yyyy}/{mm}/{dd}/{id}.json    the record
index/{provider}/{id}                    the path of the record

They are written in this order. What the index does not name is not there, so that nothing half done is ever seen.
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
_LAST_MOMENT = 253_402_300_800
"""The year 10000."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a finished task besides its result. Times in unix seconds; `seconds` (0: not known) and `size`
    ("WIDTHxHEIGHT", "": not known) are those that were asked for."""

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


class _Written(BaseModel):
    """What a later version adds is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Cover(_Written):
    """The cover's file, by its ending."""

    ending: Annotated[str, Field(pattern=r"^[a-z0-9]{2,5}$")]
    bytes: _Bytes
    media_type: Annotated[str, Field(pattern=r"^image/[a-z0-9.+-]{1,64}$")]
    sha256: _Sha256


class Record(_Written):
    """One archived task. `bytes`, `media_type` and `sha256` are those of the video as it lies here.

    `account` holds the marks of the accounts whose task it is: only who holds one of them may see it.
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
    """None for what is no record that this version can read."""
    try:
        return Record.model_validate_json(data)
    except ValidationError:
        return None


def write_record(record: Record) -> bytes:
    """As it is stored: JSON, for people as well."""
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
        """A strong one, the same in every store."""
        return f'"{self.sha256}"'


@dataclass(frozen=True, slots=True)
class Archived:
    """A task that is in the archive. `home` is the path of its files without their endings."""

    home: str
    record: Record

    @property
    def video(self) -> StoredFile:
        record = self.record
        return StoredFile(f"{self.home}.mp4", record.bytes, record.media_type, record.sha256)

    @property
    def cover(self) -> StoredFile | None:
        cover = self.record.cover
        if cover is None:
            return None
        return StoredFile(f"{self.home}.{cover.ending}", cover.bytes, cover.media_type, cover.sha256)

    def file(self, variant: Variant) -> StoredFile | None:
        return self.video if variant == "video" else self.cover


def segment(id: str) -> str:
    """An upstream's id as one part of a path: itself where it is plain, else quoted, and shortened when very long."""
    if _PLAIN.fullmatch(id):
        return id
    quoted = quote(id, safe="", errors="replace").replace(".", "%2E").replace("~", "%7E")
    if 1 <= len(quoted) <= _LONGEST_SEGMENT:
        return quoted
    digest = hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{quoted[:64]}~{digest[:32]}"


def home_of(facts: Facts, now: float) -> str:
    """Where the files of a task belong, without their endings: by its creation, else its end, else `now`."""
    known = (time for time in (facts.created, facts.ended) if time is not None and 0 < time < _LAST_MOMENT)
    return f"{facts.provider}/{day_of(next(known, now))}/{segment(facts.id)}"


def day_of(moment: float) -> str:
    """`yyyy/mm/dd`, UTC. Days compare as texts do."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y/%m/%d")


def index_path(provider: str, id_segment: str) -> str:
    return f"{INDEX}/{provider}/{id_segment}"


def home_from_index(data: bytes, provider: str, id: str) -> str | None:
    """The home that an entry of the index names; None where it names none of this task."""
    path = data.decode("ascii", "replace").strip()
    home = path.removesuffix(".json")
    if not _RECORD_PATH.fullmatch(path) or not home.startswith(f"{provider}/") or not home.endswith(f"/{segment(id)}"):
        return None
    return home
