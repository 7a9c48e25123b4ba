"""The bytes of one input: an image, video or audio file that a client sent or that was fetched.

They are in a spool file, so a large one costs no memory, and can be read any number of times. The type is determined
by content: file names and Content-Type are ignored.
"""

import asyncio
import hashlib
import io
import threading
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from enum import StrEnum
from functools import partial
from typing import IO, Self

from providers.clip_heads import clip_head
from providers.offload import in_thread

IN_MEMORY_BYTES = 1024 * 1024
"""A larger file is on disk."""
PIECE_BYTES = 256 * 1024
HEAD_BYTES = 64
_MAX_IMAGE_HEAD = 2 * 1024 * 1024
"""Bytes in which an image's size is searched: parsing a head of millions of parts would take minutes."""


class MediaKind(StrEnum):
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"


class MediaFile:
    """One input's bytes and metadata, created by `inspect`.

    `media_type` is by content, such as `image/png`. `width` and `height` are the pixels of an image or video as stored
    in the file, `seconds` the duration of a video or audio; 0 if unreadable or not applicable. `alpha` is True for a
    PNG with an alpha channel. `is_turned` is True for a picture whose EXIF data turns it by a quarter: not every
    upstream does so. `complete` is False for a truncated image or video. `sha256` is in hex digits.
    `client_name` is the client's name of the file, "" without one.
    """

    __slots__ = (
        "_file",
        "_lock",
        "alpha",
        "client_name",
        "complete",
        "crc32",
        "height",
        "is_turned",
        "kind",
        "media_type",
        "seconds",
        "sha256",
        "size",
        "width",
    )

    def __init__(
        self,
        file: IO[bytes],
        *,
        media_type: str,
        size: int,
        sha256: str,
        crc32: int,
        width: int = 0,
        height: int = 0,
        complete: bool = True,
        alpha: bool = False,
        is_turned: bool = False,
        seconds: float = 0.0,
    ) -> None:
        self._file = file
        # Of the file's position, which all readers share.
        self._lock = threading.Lock()
        self.client_name = ""
        self.media_type = media_type
        self.kind = MediaKind(media_type.partition("/")[0])
        self.size = size
        self.sha256 = sha256
        self.crc32 = crc32
        self.width = width
        self.height = height
        self.complete = complete
        self.alpha = alpha
        self.is_turned = is_turned
        self.seconds = seconds

    def __repr__(self) -> str:
        return f"<MediaFile {self.media_type} {self.size} bytes sha256:{self.sha256}>"

    def __str__(self) -> str:
        """Unique per content, for the fingerprint of a request."""
        return f"sha256:{self.sha256}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MediaFile) and other.sha256 == self.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    @classmethod
    def inspect(cls, file: IO[bytes]) -> Self | None:
        """Inspect a file; None for a type that no upstream reads. It reads all bytes: use a thread for a large file."""
        file.seek(0)
        head = file.read(HEAD_BYTES)
        media_type = media_type_of(head)
        if media_type is None:
            return None
        if media_type.startswith("image/"):
            (width, height, is_turned), seconds = _pixels(file), 0.0
        else:
            seconds, width, height = clip_head(file, media_type)
            is_turned = False
        size, crc32, digest = 0, 0, hashlib.sha256()
        end, tail = _END_MARKERS.get(media_type, b""), b""
        complete = not end
        file.seek(0)
        while piece := file.read(PIECE_BYTES):
            size += len(piece)
            crc32 = zlib.crc32(piece, crc32)
            digest.update(piece)
            if not complete:
                complete = end in tail + piece
                tail = piece[-len(end) :]
        if media_type in _BOX_FORMATS:
            complete = _has_all_boxes(file, size)
        declared_size = _declared_size(media_type, head)
        return cls(
            file,
            media_type=media_type,
            size=size,
            sha256=digest.hexdigest(),
            crc32=crc32,
            width=width,
            height=height,
            complete=complete and size >= declared_size,
            alpha=media_type == "image/png" and head[_PNG_COLOUR_AT : _PNG_COLOUR_AT + 1] in _PNG_ALPHA,
            is_turned=is_turned,
            seconds=seconds,
        )

    @property
    def name(self) -> str:
        """A file name from the content, without the client's own name."""
        return f"{self.sha256[:16]}.{EXTENSIONS[self.media_type]}"

    def read(self) -> bytes:
        """All bytes. For images: a video may exceed the memory."""
        return b"".join(self.sync_pieces())

    async def pieces(self) -> AsyncIterator[bytes]:
        """All bytes, in chunks of at most PIECE_BYTES. Concurrent readers are independent. A file on disk is read in a
        thread."""
        at = 0
        while (
            piece := await in_thread(partial(self._read_at, at)) if self.size > IN_MEMORY_BYTES else self._read_at(at)
        ):
            at += len(piece)
            yield piece
            await asyncio.sleep(0)

    def sync_pieces(self) -> Iterator[bytes]:
        """The same, for a thread."""
        at = 0
        while piece := self._read_at(at):
            at += len(piece)
            yield piece

    def _read_at(self, at: int) -> bytes:
        with self._lock:
            self._file.seek(at)
            return self._file.read(PIECE_BYTES)

    def close(self) -> None:
        """Release the space. The file cannot be read afterwards."""
        self._file.close()


EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/bmp": "bmp",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
}
"""Media types that the upstreams read, with their file extension."""

NAMES = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/webp": "WebP",
    "image/bmp": "BMP",
    "video/mp4": "MP4",
    "video/quicktime": "MOV",
    "audio/mpeg": "MP3",
    "audio/wav": "WAV",
}
"""Names of the media types for people."""

TYPES = {
    kind: tuple(name for media_type, name in NAMES.items() if media_type.startswith(f"{kind}/")) for kind in MediaKind
}

_SIGNATURES: tuple[tuple[bytes, int, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"BM", 0, "image/bmp"),
    (b"ID3", 0, "audio/mpeg"),
)
"""Signature, its offset, and the media type."""

_BOX_FORMATS = frozenset({"video/mp4", "video/quicktime"})
_REQUIRED_BOXES = frozenset({b"moov", b"mdat"})
_MAX_BOXES = 10_000
"""Boxes read of a fragmented video."""

_END_MARKERS = {"image/png": b"IEND\xaeB`\x82", "image/jpeg": b"\xff\xd9"}
"""End marker of an image; more bytes may follow."""

_TURNED = frozenset({5, 6, 7, 8})
"""The EXIF orientations that swap width and height."""

_PNG_COLOUR_AT = 25
_PNG_ALPHA = (b"\x04", b"\x06")
"""The colour types with an alpha channel, grey and colour (RFC 2083, 4.1.1), and the offset of the type in IHDR."""

_UNSUPPORTED: tuple[tuple[bytes, int, str], ...] = (
    (b"GIF8", 0, "GIF"),
    (b"II*\x00", 0, "TIFF"),
    (b"MM\x00*", 0, "TIFF"),
    (b"ftyphei", 4, "HEIC"),
    (b"ftyphev", 4, "HEIC"),
    (b"ftypmif1", 4, "HEIC"),
    (b"ftypmsf1", 4, "HEIC"),
    (b"ftypavi", 4, "AVIF"),
    (b"ftypM4A", 4, "M4A"),
    (b"\x1a\x45\xdf\xa3", 0, "WebM / MKV"),
    (b"OggS", 0, "Ogg"),
    (b"fLaC", 0, "FLAC"),
    (b"%PDF", 0, "PDF"),
    (b"<svg", 0, "SVG"),
)
"""Common types that no upstream reads."""

_MPEG_AUDIO_SYNC = 0xFFE0

_ATOMS = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
"""First atoms of a QuickTime file older than `ftyp`."""


def media_type_of(head: bytes) -> str | None:
    """The media type by the first bytes (at least 16); None for a type that is not in EXTENSIONS."""
    for signature, offset, media_type in _SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return media_type
    if head[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(head[8:12])
    if head[4:8] == b"ftyp":
        # HEIC and AVIF images use the same container.
        brand = head[8:12]
        if brand in (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis", b"M4A ", b"M4B "):
            return None
        return "video/quicktime" if brand == b"qt  " else "video/mp4"
    # No text starts with the length of an atom.
    if head[4:8] in _ATOMS and head[0] < 0x20:
        return "video/quicktime"
    return "audio/mpeg" if _starts_mpeg_audio(head) else None


def _declared_size(media_type: str, head: bytes) -> int:
    """The file size that an image's head declares; 0 if it declares none."""
    if media_type == "image/webp":
        return int.from_bytes(head[4:8], "little") + 8
    return int.from_bytes(head[2:6], "little") if media_type == "image/bmp" else 0


def _has_all_boxes(file: IO[bytes], size: int) -> bool:
    """True if the boxes `moov` and `mdat` of a video are complete. Some phones append data that is in no box."""
    at, found = 0, set[bytes]()
    for _ in range(_MAX_BOXES):
        file.seek(at)
        head = file.read(16)
        name, length = head[4:8], int.from_bytes(head[:4])
        if length == 1:
            length = int.from_bytes(head[8:16])
        if length == 0:
            # The box extends to the end of the file.
            length = size - at
        if at + 8 > size or length < 8 or at + length > size:
            # A fragmented video may end anywhere.
            return found >= _REQUIRED_BOXES and (name not in _REQUIRED_BOXES or b"moof" in found)
        found.add(name)
        at += length
    return b"moov" in found


def unsupported_type_of(head: bytes) -> str:
    """The name of an unsupported file type by the first bytes; "" if unknown."""
    for signature, offset, name in _UNSUPPORTED:
        if head[offset : offset + len(signature)] == signature:
            return name
    return ""


def _starts_mpeg_audio(head: bytes) -> bool:
    """True for a layer III frame: sync, and a valid version, bit rate and sample rate."""
    if len(head) < 4 or int.from_bytes(head[:2]) & _MPEG_AUDIO_SYNC != _MPEG_AUDIO_SYNC:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    return version != 1 and layer == 1 and head[2] >> 4 not in (0, 15) and head[2] >> 2 & 3 != 3


def _pixels(file: IO[bytes]) -> tuple[int, int, bool]:
    """Width and height of an image as stored, and whether its EXIF data turns it by a quarter; 0 if its head is broken,
    whatever the parser raises."""
    import imagesize

    with suppress(Exception):
        file.seek(0)
        head = io.BytesIO(file.read(_MAX_IMAGE_HEAD))
        info = imagesize.get_info(head, size=True, dpi=False, colors=False, exif_rotation=False)
        if info.width > 0 and info.height > 0:
            return info.width, info.height, info.rotation in _TURNED
    return 0, 0, False
