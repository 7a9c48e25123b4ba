"""HTTP answers as bytes on the wire, whole and broken."""

import gzip
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

PAGE = b"<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Error</h1><hr>nginx</body></html>"
HTML, JSON, TEXT, VIDEO = "text/html", "application/json", "text/plain", "video/mp4"
NO_BODY = frozenset({101, 204, 205, 304})

_TOO_LARGE = 17 * 1024 * 1024
_BLOCK = 1024 * 1024


class End(Enum):
    """What happens to the connection after the bytes."""

    CLOSE = "close"
    RESET = "reset"
    HANG = "hang"
    """It stays open, until the fault ends."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response that was read whole: status, body, and the headers that matter."""

    status: int = 200
    body: bytes = b'{"request_id":"4909100c-7b5a-9f92-bfe5-0385dc795ff8","output":{}}'
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wire:
    """Bytes with a pause of so many seconds between each two parts, then the end of the connection."""

    parts: Iterable[bytes]
    end: End = End.CLOSE
    pause: float = 0.0


Answer = Callable[[Response], Wire]
"""What a client gets instead of the response."""


def head(status: int, media_type: str = "", **headers: object) -> bytes:
    """The status line and the headers, without the empty line; underscores in names stand for dashes."""
    lines = [f"HTTP/1.1 {status} X"]
    lines += [f"Content-Type: {media_type}"] if media_type else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n"


def whole(status: int, body: bytes, media_type: str, **headers: object) -> bytes:
    """A correct response, on a connection that is then closed."""
    length = {} if status in NO_BODY else {"Content_Length": len(body)}
    sent = b"" if status in NO_BODY else body
    return head(status, media_type, **length, Connection="close", **headers) + b"\r\n" + sent


def instead(status: int, body: bytes = PAGE, media_type: str = HTML, **headers: object) -> Answer:
    """Another response, as a server in front of the upstream gives it."""
    return lambda real: Wire([whole(status, body, media_type, **headers)])


def changed(change: Callable[[bytes], bytes]) -> Answer:
    """The upstream's response with another body."""
    return lambda real: Wire([whole(real.status, change(real.body), real.media_type)])


def half(body: bytes) -> bytes:
    return body[: len(body) // 2]


def raw(*parts: bytes, end: End = End.CLOSE) -> Answer:
    """Bytes that need not be HTTP."""
    return lambda real: Wire(parts, end)


def length_off(by: int) -> Answer:
    """The body with a Content-Length that is too large or too small by `by` bytes, negative ones more than half."""

    def answer(real: Response) -> Wire:
        length = max(1, len(real.body) + by)
        return Wire([head(real.status, real.media_type, Content_Length=length) + b"\r\n" + real.body])

    return answer


def chunked(*, size: bytes | None = None, last: bool = True) -> Answer:
    """A chunked body: with a wrong chunk size, or without its last chunk."""

    def answer(real: Response) -> Wire:
        first, second = half(real.body), real.body[len(real.body) // 2 :]
        parts = [head(real.status, real.media_type, Transfer_Encoding="chunked") + b"\r\n"]
        parts += [b"%x\r\n%b\r\n" % (len(first), first)]
        parts += [b"%b\r\n%b\r\n" % (size or b"%x" % len(second), second)]
        return Wire([*parts, b"0\r\n\r\n"] if last else parts)

    return answer


def headers_only(end: End) -> Answer:
    """The headers with the right length, and no byte of the body."""
    return lambda real: Wire([_announced(real)], end)


def cut(end: End) -> Answer:
    """The headers with the right length, and half of the body."""
    return lambda real: Wire([_announced(real) + half(real.body)], end)


def broken_gzip(real: Response) -> Wire:
    """A body that says it is compressed, and cannot be decompressed."""
    packed = bytearray(gzip.compress(real.body))
    packed[10:30] = bytes(20)
    return Wire([whole(real.status, bytes(packed), real.media_type, Content_Encoding="gzip")])


def long_header(real: Response) -> Wire:
    """A header of 2 MB."""
    return Wire([head(200, JSON, X_Filler="x" * 2 * _BLOCK, Content_Length=len(real.body)) + b"\r\n" + real.body])


def endless_headers(real: Response) -> Wire:
    """Headers that do not end."""
    lines = (b"X-Filler-%d: %b\r\n" % (number, b"x" * 8000) for number in itertools.count())
    return Wire(itertools.chain([head(200, JSON)], lines))


def too_large(real: Response) -> Wire:
    """A body that is larger than what any call of an API is answered."""
    blocks = [b" " * _BLOCK] * (_TOO_LARGE // _BLOCK)
    length = len(blocks) * _BLOCK + len(real.body)
    return Wire([head(200, JSON, Content_Length=length) + b"\r\n", *blocks, real.body])


def drip(seconds: float) -> Answer:
    """The right response, byte by byte at its beginning, over so many seconds."""

    def answer(real: Response) -> Wire:
        sent = _announced(real) + real.body
        slow = min(len(sent), 40)
        return Wire([*(sent[at : at + 1] for at in range(slow)), sent[slow:]], pause=seconds / slow)

    return answer


def _announced(real: Response) -> bytes:
    return head(real.status, real.media_type, Content_Length=len(real.body)) + b"\r\n"
