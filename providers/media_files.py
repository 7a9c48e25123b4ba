"""The bytes of one input: a picture, a clip or a sound that a client handed in, or that was fetched for it.

They lie in a file that spills from memory to disk, so that a large one costs no memory, and can be read any number of
times. What they are is told by their content: no name and no Content-Type is believed.
"""

import asyncio
import hashlib
import io
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from enum import StrEnum
from typing import IO, Self

import imagesize

from providers.clip_heads import clip_head

PIECE_BYTES = 256 * 1024
HEAD_BYTES = 64
_PIXELS_WITHIN = 2 * 1024 * 1024
"""Where a picture's pixels are looked for: a head of millions of parts would be walked through for minutes."""


class MediaKind(StrEnum):
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"


class MediaFile:
    """One input's bytes, with what there is to know of them.

    `media_type` is by content, such as `image/png`. `width` and `height` are the pixels of a picture or a clip as they
    lie in the file, `seconds` the length of a clip or a sound; 0 where they cannot be read, and for anything else.
    `alpha` is True for a PNG with an alpha channel. `whole` is False where something is missing of a picture or a clip.
    `sha256` is in hex digits. `client_name` is the name that the client gave the file, "" where it gave none. Made by
    `inspect`.
    """

    __slots__ = (
        "_file",
        "alpha",
        "client_name",
        "crc32",
        "height",
        "kind",
        "media_type",
        "seconds",
        "sha256",
        "size",
        "whole",
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
        whole: bool = True,
        alpha: bool = False,
        seconds: float = 0.0,
    ) -> None:
        self._file = file
        self.client_name = ""
        self.media_type = media_type
        self.kind = MediaKind(media_type.partition("/")[0])
        self.size = size
        self.sha256 = sha256
        self.crc32 = crc32
        self.width = width
        self.height = height
        self.whole = whole
        self.alpha = alpha
        self.seconds = seconds

    def __repr__(self) -> str:
        return f"<MediaFile {self.media_type} {self.size} bytes sha256:{self.sha256}>"

    def __str__(self) -> str:
        """The same for the same content, and for no other: what a fingerprint of a request needs."""
        return f"sha256:{self.sha256}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MediaFile) and other.sha256 == self.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    @classmethod
    def inspect(cls, file: IO[bytes]) -> Self | None:
        """What is in a file; None for what no upstream reads. It reads it all: call it in a thread for a large one."""
        file.seek(0)
        head = file.read(HEAD_BYTES)
        media_type = media_type_of(head)
        if media_type is None:
            return None
        if media_type.startswith("image/"):
            (width, height), seconds = _pixels(file), 0.0
        else:
            seconds, width, height = clip_head(file, media_type)
        size, crc32, digest = 0, 0, hashlib.sha256()
        end, tail = _ENDS.get(media_type, b""), b""
        whole = not end
        file.seek(0)
        while piece := file.read(PIECE_BYTES):
            size += len(piece)
            crc32 = zlib.crc32(piece, crc32)
            digest.update(piece)
            if not whole:
                whole = end in tail + piece
                tail = piece[-len(end) :]
        if media_type in _IN_BOXES:
            whole = _has_all_boxes(file, size)
        announced = _announced(media_type, head)
        return cls(
            file,
            media_type=media_type,
            size=size,
            sha256=digest.hexdigest(),
            crc32=crc32,
            width=width,
            height=height,
            whole=whole and size >= announced,
            alpha=media_type == "image/png" and head[_PNG_COLOUR_AT : _PNG_COLOUR_AT + 1] in _PNG_ALPHA,
            seconds=seconds,
        )

    @property
    def name(self) -> str:
        """A file name that tells the type and nothing of the client's own."""
        return f"{self.sha256[:16]}.{EXTENSIONS[self.media_type]}"

    def read(self) -> bytes:
        """All of it. For pictures: a clip may be larger than memory has room for."""
        return b"".join(self._pieces())

    async def pieces(self) -> AsyncIterator[bytes]:
        """All of it from the beginning, in pieces of at most PIECE_BYTES. Several readers do not disturb each other."""
        for piece in self._pieces():
            yield piece
            await asyncio.sleep(0)

    def _pieces(self) -> Iterator[bytes]:
        at = 0
        while True:
            self._file.seek(at)
            piece = self._file.read(PIECE_BYTES)
            if not piece:
                return
            at += len(piece)
            yield piece

    def close(self) -> None:
        """Give the space back. Reading is over then."""
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
"""What the upstreams read, each with the ending that its files are given."""

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
"""The same as people call it."""

TYPES = {
    kind: tuple(name for media_type, name in NAMES.items() if media_type.startswith(f"{kind}/")) for kind in MediaKind
}

_SIGNATURES: tuple[tuple[bytes, int, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"BM", 0, "image/bmp"),
    (b"ID3", 0, "audio/mpeg"),
)
"""First bytes, where they stand, and the type they mean."""

_IN_BOXES = frozenset({"video/mp4", "video/quicktime"})
_OF_A_CLIP = frozenset({b"moov", b"mdat"})
_MOST_BOXES = 10_000
"""Of a clip in fragments the first ones have to do."""

_ENDS = {"image/png": b"IEND\xaeB`\x82", "image/jpeg": b"\xff\xd9"}
"""What stands at the end of a picture; more may follow."""

_PNG_COLOUR_AT = 25
_PNG_ALPHA = (b"\x04", b"\x06")
"""The colour types with an alpha channel, grey and colour (RFC 2083, 4.1.1), and where the type stands in IHDR."""

_FOREIGN: tuple[tuple[bytes, int, str], ...] = (
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
"""What people hand in that no upstream reads."""

_MPEG_AUDIO_SYNC = 0xFFE0

_ATOMS = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
"""With what a QuickTime file begins that is older than `ftyp`."""


def media_type_of(head: bytes) -> str | None:
    """The media type by the first bytes (at least 16 of them); None for anything that is not in EXTENSIONS."""
    for signature, offset, media_type in _SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return media_type
    if head[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(head[8:12])
    if head[4:8] == b"ftyp":
        # The pictures of telephones are in the same container.
        brand = head[8:12]
        if brand in (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis", b"M4A ", b"M4B "):
            return None
        return "video/quicktime" if brand == b"qt  " else "video/mp4"
    # No text begins with the length of an atom.
    if head[4:8] in _ATOMS and head[0] < 0x20:
        return "video/quicktime"
    return "audio/mpeg" if _starts_mpeg_audio(head) else None


def _announced(media_type: str, head: bytes) -> int:
    """The size that a picture's own head names; 0 where there is none in it."""
    if media_type == "image/webp":
        return int.from_bytes(head[4:8], "little") + 8
    return int.from_bytes(head[2:6], "little") if media_type == "image/bmp" else 0


def _has_all_boxes(file: IO[bytes], size: int) -> bool:
    """True where the box that describes a clip and the one that holds it are there, and end where they say. What some
    telephones write behind them is in no box."""
    at, there = 0, set[bytes]()
    for _ in range(_MOST_BOXES):
        file.seek(at)
        head = file.read(16)
        name, length = head[4:8], int.from_bytes(head[:4])
        if length == 1:
            length = int.from_bytes(head[8:16])
        if length == 0:
            # To the end, wherever that is.
            length = size - at
        if at + 8 > size or length < 8 or at + length > size:
            # A clip in fragments ends where its camera stopped.
            return there >= _OF_A_CLIP and (name not in _OF_A_CLIP or b"moof" in there)
        there.add(name)
        at += length
    return b"moov" in there


def foreign_type_of(head: bytes) -> str:
    """What people call a file that no upstream reads, by its first bytes; "" where nobody knows."""
    for signature, offset, name in _FOREIGN:
        if head[offset : offset + len(signature)] == signature:
            return name
    return ""


def _starts_mpeg_audio(head: bytes) -> bool:
    """A frame of layer III: sync, a version and a bit rate that exist."""
    if len(head) < 4 or int.from_bytes(head[:2]) & _MPEG_AUDIO_SYNC != _MPEG_AUDIO_SYNC:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    return version != 1 and layer == 1 and head[2] >> 4 not in (0, 15) and head[2] >> 2 & 3 != 3


def _pixels(file: IO[bytes]) -> tuple[int, int]:
    """Width and height of a picture; 0 where its head is broken, whatever it breaks in the reader."""
    with suppress(Exception):
        file.seek(0)
        head = io.BytesIO(file.read(_PIXELS_WITHIN))
        info = imagesize.get_info(head, size=True, dpi=False, colors=False, exif_rotation=False)
        if info.width > 0 and info.height > 0:
            return info.width, info.height
    return 0, 0
