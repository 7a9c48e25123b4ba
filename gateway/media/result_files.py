"""What a result's link leads to: a video or an image, by its first bytes, or a page in its place.

`content` and the archive share it. A host answers 200 with a page, an error in JSON or nothing at all where a link is
blocked, moved or not there yet.
"""

from collections.abc import AsyncIterator

from providers.media_files import HEAD_BYTES, MediaKind, media_type_of, unsupported_type_of

_MIN_HEAD_BYTES = 16
"""With fewer bytes of a longer file the type is not known."""
_IMAGES = {"GIF": "image/gif", "HEIC": "image/heic", "AVIF": "image/avif"}
"""Types that no upstream reads, but that covers may have."""
_DOCUMENTS = ("text/", "application/json", "application/xml", "application/xhtml")


async def read_head(pieces: AsyncIterator[bytes]) -> bytes:
    """Read pieces until they have the bytes that tell the type, or end."""
    head = b""
    while len(head) < HEAD_BYTES:
        piece = await anext(pieces, None)
        if piece is None:
            break
        head += piece
    return head


def detect_type(head: bytes, kind: MediaKind) -> str | None:
    """The media type of a file of this kind by its first bytes; None for any other content, and for an empty file."""
    found = media_type_of(head) or _IMAGES.get(unsupported_type_of(head))
    return found if found is not None and found.startswith(f"{kind}/") else None


def is_plausible(content_type: str, kind: MediaKind) -> bool:
    """False where a Content-Type names a document, or media of another kind. For a part of a file, whose bytes tell
    nothing. Hosts send files as application/octet-stream, or without a type."""
    given = parse_type(content_type)
    if given.startswith(_DOCUMENTS) or given.endswith(("+json", "+xml")):
        return False
    return not any(given.startswith(f"{other}/") for other in MediaKind if other is not kind)


def tells_type(head: bytes, *, whole: bool) -> bool:
    """True where the first bytes of a file, or with `whole` all of them, are enough for `detect_type`."""
    return whole or len(head) >= _MIN_HEAD_BYTES


def parse_type(content_type: str) -> str:
    """The media type in a Content-Type, in lower case and without parameters."""
    return content_type.partition(";")[0].strip().lower()
