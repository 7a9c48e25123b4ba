"""Duration and frame size of video and audio files, read from their metadata without decoding.

MP4 and QuickTime have them in the `moov` box (ISO 14496-12), WAV in its `fmt ` and `data` chunks. 0 for files without,
such as MP3 or fragmented video.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import IO, NamedTuple

_MAX_BOXES = 1000
_MAX_INNER_BOXES = 200
"""Boxes read of a `moov` box or a track: a file can contain millions of empty ones."""
_MAX_MOOV_BYTES = 16 * 1024 * 1024
"""Bytes read of a `moov` box. That of an hour of video has a few megabytes."""
_UNKNOWN = {4: 2**32 - 1, 8: 2**64 - 1}
_MAX_SECONDS = 30 * 24 * 3600.0


class ClipHead(NamedTuple):
    """Seconds, and the pixels of the first video track; 0 if unknown."""

    seconds: float = 0.0
    width: int = 0
    height: int = 0


def clip_head(file: IO[bytes], media_type: str) -> ClipHead:
    """Duration and frame size of a video or audio file. Never raises: files are untrusted."""
    with suppress(Exception):
        if media_type in ("video/mp4", "video/quicktime"):
            return _video(file)
        if media_type == "audio/wav":
            return ClipHead(_wave_seconds(file))
    return ClipHead()


def _video(file: IO[bytes]) -> ClipHead:
    at = 0
    for _ in range(_MAX_BOXES):
        file.seek(at)
        head = file.read(16)
        length, payload = int.from_bytes(head[:4]), 8
        if length == 1:
            length, payload = int.from_bytes(head[8:16]), 16
        if head[4:8] == b"moov":
            file.seek(at + payload)
            return _movie(file.read(min(length - payload, _MAX_MOOV_BYTES) if length else _MAX_MOOV_BYTES))
        if length < payload:
            break
        at += length
    return ClipHead()


def _movie(moov: bytes) -> ClipHead:
    seconds, width, height = 0.0, 0, 0
    for kind, content in _boxes(moov):
        if kind == b"mvhd":
            seconds = _seconds(content)
        elif kind == b"trak" and not (width and height):
            width, height = _pixels(content)
    return ClipHead(seconds, width, height)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of the boxes; one that exceeds the data is truncated."""
    at = 0
    for _ in range(_MAX_INNER_BOXES):
        if at + 8 > len(data):
            return
        length, payload = int.from_bytes(data[at : at + 4]), 8
        if length == 1:
            length, payload = int.from_bytes(data[at + 8 : at + 16]), 16
        elif length == 0:
            length = len(data) - at
        if length < payload:
            return
        yield data[at + 4 : at + 8], data[at + payload : at + length]
        at += length


def _seconds(mvhd: bytes) -> float:
    """Seconds of the movie. Version 1 has eight bytes for times and duration, version 0 four; all ones is unknown."""
    wide = 8 if mvhd[:1] == b"\x01" else 4
    at = 4 + 2 * wide
    scale, length = int.from_bytes(mvhd[at : at + 4]), mvhd[at + 4 : at + 4 + wide]
    units = int.from_bytes(length)
    if len(length) < wide or not scale or units == _UNKNOWN[wide]:
        return 0.0
    return min(units / scale, _MAX_SECONDS)


def _pixels(trak: bytes) -> tuple[int, int]:
    """Width and height in the track's header; 0 for an audio track."""
    for kind, tkhd in _boxes(trak):
        at = 88 if tkhd[:1] == b"\x01" else 76
        if kind == b"tkhd" and at + 8 <= len(tkhd):
            return int.from_bytes(tkhd[at : at + 2]), int.from_bytes(tkhd[at + 4 : at + 6])
    return 0, 0


def _wave_seconds(file: IO[bytes]) -> float:
    """The bytes of the `data` chunk divided by the bytes per second. A length of 0 means to the end of the file."""
    file.seek(0, 2)
    size, at, rate = file.tell(), 12, 0
    for _ in range(_MAX_BOXES):
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:8], "little")
        if head[:4] == b"fmt ":
            rate = int.from_bytes(file.read(16)[8:12], "little")
        elif head[:4] == b"data" and rate:
            return min(max(min(length or size, size - at - 8), 0) / rate, _MAX_SECONDS)
        if len(head) < 8:
            break
        at += 8 + length + length % 2
    return 0.0
