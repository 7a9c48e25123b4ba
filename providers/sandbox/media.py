"""Inspect a file by its content: type, pixels, duration, and directives in it."""

import hashlib
import io
import zlib
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from providers.sandbox.directives import Directives, read_file_directives
from providers.sandbox.mp4 import film_of

HEAD_BYTES = 256 * 1024
"""Kept while a file arrives: a photograph's head may have a preview and colour tables before its size."""

TAIL_BYTES = 64 * 1024
"""Kept too, since cameras write a video's index last."""

Kind = Literal["image", "video", "audio"]

_CLIP_BYTES_PER_SECOND = 500_000
_SOUND_BYTES_PER_SECOND = 16_000
_PICTURES: tuple[tuple[bytes, str], ...] = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"BM", "bmp"))
_NO_FILMS = (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis", b"M4A ", b"M4B ")
_OTHERS: tuple[tuple[int, tuple[bytes, ...], str], ...] = (
    (4, (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1"), "heic"),
    (4, (b"ftypM4A ", b"ftypM4B "), "m4a"),
    (8, (b"AVI ",), "avi"),
    (0, (b"\x1a\x45\xdf\xa3",), "webm"),
    (0, (b"\xff\xf1", b"\xff\xf9"), "aac"),
)
"""Formats that are recognized only: offset of the signature, its values, name."""

OTHER_KINDS: dict[str, Kind] = {"heic": "image", "m4a": "audio", "avi": "video", "webm": "video", "aac": "audio"}
_MPEG1_KBITS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_MPEG2_KBITS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)


@dataclass(frozen=True, slots=True)
class Media:
    """An image (`png`, `jpeg`, `webp`, `bmp`), a video (`mp4`, `mov`) or audio (`mp3`, `wav`).

    `width` and `height` in pixels, 0 for audio and if unreadable; `seconds` 0 for an image, estimated from the file
    size if unreadable. `alpha`: a PNG that may be transparent.
    """

    kind: Kind
    format: str
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    alpha: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """What is kept of a file: size, media (None for an unknown format), directives.

    `other`: the name of a format in `OTHER_KINDS`, which only some services take and which is not looked into.
    """

    size: int
    media: Media | None
    directives: Directives
    other: str = ""


class Sample:
    """An incoming file: counted and hashed, with its head and tail kept."""

    def __init__(self) -> None:
        self.size = 0
        self.crc32 = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._head = bytearray()
        self._tail = bytearray()

    def add(self, piece: bytes) -> None:
        """The next bytes."""
        self.size += len(piece)
        self.crc32 = zlib.crc32(piece, self.crc32)
        self._md5.update(piece)
        missing = HEAD_BYTES - len(self._head)
        if missing > 0:
            self._head += piece[:missing]
        self._tail += piece[-TAIL_BYTES:]
        del self._tail[:-TAIL_BYTES]

    @property
    def has_head(self) -> bool:
        """Whether the head is complete."""
        return len(self._head) == HEAD_BYTES

    @property
    def head(self) -> bytes:
        """The head, as far as it has arrived."""
        return bytes(self._head)

    @property
    def md5(self) -> str:
        """Of all bytes so far, in hex digits."""
        return self._md5.hexdigest()

    def content(self) -> Content:
        """The content, if the file ends here."""
        return content_of(self.head, bytes(self._tail), self.size)


def content_of(head: bytes, tail: bytes, size: int) -> Content:
    """The content of a file of `size` bytes with this head and tail."""
    media = _media(head, tail, size)
    return Content(size, media, read_file_directives(head), "" if media else _other_format(head))


def _other_format(head: bytes) -> str:
    return next((name for at, signatures, name in _OTHERS if head.startswith(signatures, at)), "")


def _media(head: bytes, tail: bytes, size: int) -> Media | None:
    for signature, name in _PICTURES:
        if head.startswith(signature):
            return _picture(head, name)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _picture(head, "webp")
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return Media("audio", "wav", seconds=_wav_seconds(head, size))
    if head[4:8] == b"ftyp" and head[8:12] not in _NO_FILMS:
        name = "mov" if head[8:12] == b"qt  " else "mp4"
        if film := film_of(head, tail):
            return Media("video", name, film.width, film.height, film.seconds)
        return Media("video", name, seconds=size / _CLIP_BYTES_PER_SECOND)
    return _mp3(head, size)


def _picture(head: bytes, name: str) -> Media:
    """The pixels as stored in the file, without a camera's rotation."""
    import imagesize

    with suppress(Exception):
        info = imagesize.get_info(io.BytesIO(head), size=True, dpi=False, colors=False, exif_rotation=False)
        if info.width > 0 and info.height > 0:
            return Media("image", name, info.width, info.height, alpha=name == "png" and _png_alpha(head))
    return Media("image", name)


def _png_alpha(head: bytes) -> bool:
    """Whether a PNG has an alpha channel (colour types 4 and 6) or a tRNS chunk, which comes before its data."""
    return head[25:26] in (b"\x04", b"\x06") or b"tRNS" in head[: head.find(b"IDAT")]


def _wav_seconds(head: bytes, size: int) -> float:
    rate, at = 0, 12
    while at + 8 <= len(head):
        kind, length = head[at : at + 4], int.from_bytes(head[at + 4 : at + 8], "little")
        if kind == b"fmt ":
            rate = int.from_bytes(head[at + 16 : at + 20], "little")
        elif kind == b"data":
            return min(length, size - at - 8) / rate if rate else 0.0
        at += 8 + length + length % 2
    return size / rate if rate else 0.0


def _mp3(head: bytes, size: int) -> Media | None:
    """Layer III with or without an ID3 tag; the duration follows from the first frame's bit rate."""
    at = 0
    if head[:3] == b"ID3" and len(head) >= 10:
        at = 10 + sum((byte & 127) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    rate = _mp3_rate(head[at : at + 4])
    if not rate and head[:3] != b"ID3":
        return None
    return Media("audio", "mp3", seconds=max(0, size - at) / (rate or _SOUND_BYTES_PER_SECOND))


def _mp3_rate(frame: bytes) -> int:
    """Bytes per second from a frame's header; 0 if it is not layer III."""
    if len(frame) < 4 or frame[0] != 0xFF or frame[1] & 0xE0 != 0xE0:
        return 0
    version, layer = frame[1] >> 3 & 3, frame[1] >> 1 & 3
    if version == 1 or layer != 1 or frame[2] >> 2 & 3 == 3:
        return 0
    return (_MPEG1_KBITS if version == 3 else _MPEG2_KBITS)[frame[2] >> 4] * 125
