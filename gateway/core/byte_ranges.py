"""Content-Length and Range headers (RFC 9110, 8.6 and 14.1.2) of streamed files."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_UNIT = "bytes="
_LENGTH = re.compile(r"[0-9]{1,18}")
"""Python converts no number of thousands of digits."""
_RANGE = re.compile(r"[ \t]*(\d{0,19})[ \t]*-[ \t]*(\d{0,19})[ \t]*", re.ASCII)
_MAX_LENGTH = 256
"""Characters after the unit. A longer header is ignored."""


class UnsatisfiableRangeError(Exception):
    """A range lies outside of the file, whose size is `size` bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes from `first` to `last`, inclusive. Without `last` to the end, without `first` the last `last` bytes."""

    first: int | None
    last: int | None

    def within(self, size: int) -> tuple[int, int]:
        """The range as [start, stop) in a file of `size` bytes. Raises UnsatisfiableRangeError."""
        first, last = self.first, self.last
        if first is None:
            if not last or not size:
                raise UnsatisfiableRangeError(size)
            return max(0, size - last), size
        if first >= size:
            raise UnsatisfiableRangeError(size)
        return first, size if last is None else min(last + 1, size)


def content_length(headers: Mapping[str, str]) -> int | None:
    """The length of a body in bytes by its headers, whose names are case-insensitive. None if unknown."""
    value = headers.get("content-length", "")
    return int(value) if _LENGTH.fullmatch(value) and "transfer-encoding" not in headers else None


def parse_range(header: str) -> tuple[ByteRange, ...]:
    """The ranges of a Range header; empty if it is invalid, since RFC 9110 has such a header ignored."""
    header = header.strip()
    if len(header) > len(_UNIT) + _MAX_LENGTH or not header.lower().startswith(_UNIT):
        return ()
    ranges = []
    for part in header[len(_UNIT) :].split(","):
        match = _RANGE.fullmatch(part)
        if match is None or match.group(1, 2) == ("", ""):
            return ()
        first, last = (int(text) if text else None for text in match.group(1, 2))
        if first is not None and last is not None and last < first:
            return ()
        ranges.append(ByteRange(first, last))
    return tuple(ranges)
