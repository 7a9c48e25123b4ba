"""Duration and frame size in the `moov` box of an MP4 or QuickTime file."""

from collections.abc import Iterator
from dataclasses import dataclass

_UNKNOWN = {4: 2**32 - 1, 8: 2**64 - 1}


@dataclass(frozen=True, slots=True)
class Film:
    """`seconds` of the whole; `width` and `height` in pixels of the first video track, 0 without one."""

    seconds: float
    width: int
    height: int


def film_of(head: bytes, tail: bytes = b"") -> Film | None:
    """The film with these first and last bytes; None if neither has a `moov` box with a duration.

    Encoded files have the box in front, cameras' files at the end, at an offset that only the whole file would tell:
    there it is searched by name.
    """
    if film := _film(head):
        return film
    at = tail.rfind(b"moov")
    return _film(tail[at - 4 :]) if at >= 4 else None


def _film(data: bytes) -> Film | None:
    for kind, start, end in _boxes(data, 0, len(data)):
        if kind == b"moov":
            return _movie(data, start, end)
    return None


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, first byte, last byte + 1) of every box; one that exceeds `end` is truncated."""
    while start + 8 <= end:
        size, kind, payload = int.from_bytes(data[start : start + 4]), data[start + 4 : start + 8], start + 8
        if size == 1:
            size, payload = int.from_bytes(data[start + 8 : start + 16]), start + 16
        elif size == 0:
            size = end - start
        if size < payload - start or payload > end:
            return
        yield kind, payload, min(start + size, end)
        start += size


def _movie(data: bytes, start: int, end: int) -> Film | None:
    seconds, width, height = 0.0, 0, 0
    for kind, first, last in _boxes(data, start, end):
        if kind == b"mvhd":
            seconds = _seconds(data[first:last])
        elif kind == b"trak" and not width:
            width, height = _pixels(data, first, last)
    return Film(seconds, width, height) if seconds else None


def _seconds(mvhd: bytes) -> float:
    """Seconds. Version 1 has eight bytes for times and duration, version 0 four; all ones is unknown."""
    wide = 8 if mvhd[:1] == b"\x01" else 4
    scale_at = 4 + 2 * wide
    scale = int.from_bytes(mvhd[scale_at : scale_at + 4])
    length = mvhd[scale_at + 4 : scale_at + 4 + wide]
    units = int.from_bytes(length)
    if len(length) < wide or not scale or units == _UNKNOWN[wide]:
        return 0.0
    return units / scale


def _pixels(data: bytes, start: int, end: int) -> tuple[int, int]:
    for kind, first, last in _boxes(data, start, end):
        if kind == b"tkhd":
            at = first + (88 if data[first : first + 1] == b"\x01" else 76)
            if at + 8 <= last:
                return int.from_bytes(data[at : at + 2]), int.from_bytes(data[at + 4 : at + 6])
    return 0, 0
