"""A download for the archive, verified while it streams."""

import base64
import binascii
import hashlib
import re
from collections.abc import AsyncIterator, Mapping

from gateway.core.byte_ranges import content_length
from gateway.media.result_files import parse_type, read_head
from providers.transport.client import Download

_SHA256 = re.compile(r"sha-256=:?([A-Za-z0-9+/]{43}=)", re.IGNORECASE)


class InvalidFileError(Exception):
    """The host does not send the complete video. The text is the reason."""


class Incoming:
    """A download. Its pieces raise where it differs from the length or checksum in its headers."""

    def __init__(self, answer: Download) -> None:
        """Raises InvalidFileError where a truncated file could not be detected."""
        self.head = b""
        self.bytes = 0
        self.content_type = parse_type(answer.headers.get("content-type", ""))
        self._pieces = answer.pieces
        self._length = content_length(answer.headers)
        if self._length is None and "transfer-encoding" not in answer.headers:
            raise InvalidFileError("the host sends no length")
        self._digest = hashlib.sha256()
        self._sha256 = _sha256_of(answer.headers)
        self._md5 = _md5_of(answer.headers)
        self._md5_digest = hashlib.md5(usedforsecurity=False) if self._md5 else None

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    async def begin(self) -> None:
        """Read enough to detect the file type."""
        self.head = await read_head(self._pieces)

    async def pieces(self) -> AsyncIterator[bytes]:
        if self.head:
            self._count(self.head)
            yield self.head
        async for piece in self._pieces:
            self._count(piece)
            yield piece
        self._check()

    def _count(self, piece: bytes) -> None:
        self.bytes += len(piece)
        if self._length is not None and self.bytes > self._length:
            raise InvalidFileError(f"longer than the {self._length} bytes that were announced")
        self._digest.update(piece)
        if self._md5_digest is not None:
            self._md5_digest.update(piece)

    def _check(self) -> None:
        if not self.bytes:
            raise InvalidFileError("an empty file")
        if self._length is not None and self.bytes < self._length:
            raise InvalidFileError(f"{self.bytes} bytes of the {self._length} that were announced")
        if self._sha256 and self._digest.digest() != self._sha256:
            raise InvalidFileError("the SHA-256 differs from the one that the host sends")
        if self._md5_digest is not None and self._md5_digest.digest() != self._md5:
            raise InvalidFileError("the MD5 differs from the one that the host sends")


def _sha256_of(headers: Mapping[str, str]) -> bytes | None:
    """The SHA-256 of a header of RFC 9530, or of RFC 3230 before it."""
    for name in ("repr-digest", "content-digest", "digest"):
        found = _SHA256.search(headers.get(name, ""))
        if found:
            return _decoded(found[1], 32)
    return None


def _md5_of(headers: Mapping[str, str]) -> bytes | None:
    return _decoded(headers.get("content-md5", ""), 16)


def _decoded(text: str, length: int) -> bytes | None:
    """None for anything but a checksum of `length` bytes."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if len(value) == length else None
