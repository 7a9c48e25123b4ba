"""Small real files, as the gateway hands them to a provider."""

import io
import struct

from PIL import Image

from providers.contract.media import MediaRole
from providers.contract.requests import Media
from providers.media_files import MediaFile, MediaKind


def picture(format: str = "PNG", size: tuple[int, int] = (8, 6), colour: str = "red") -> MediaFile:
    """A picture of one colour: another colour is another file."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, format)
    return _inspected(file)


def clip(content: bytes = b"clip") -> MediaFile:
    """The head of an MP4 with something behind it."""
    return _inspected(io.BytesIO(struct.pack(">I", 24) + b"ftypisom\0\0\0\0isommp42" + content))


def sound(content: bytes = b"sound") -> MediaFile:
    """The head of an MP3 with something behind it."""
    return _inspected(io.BytesIO(b"ID3\x04\0\0\0\0\0\0" + content))


def media(file: MediaFile, role: MediaRole, param: str = "image_url") -> Media:
    return Media(file.kind, "", param, role, file)


def first_frame(colour: str = "red") -> Media:
    return media(picture(colour=colour), MediaRole.FIRST_FRAME)


def last_frame(colour: str = "blue") -> Media:
    return media(picture(colour=colour), MediaRole.LAST_FRAME, "last_frame")


def reference(file: MediaFile, param: str) -> Media:
    roles = {
        MediaKind.IMAGE: MediaRole.REFERENCE_IMAGE,
        MediaKind.VIDEO: MediaRole.REFERENCE_VIDEO,
        MediaKind.AUDIO: MediaRole.REFERENCE_AUDIO,
    }
    return media(file, roles[file.kind], param)


def _inspected(file: io.BytesIO) -> MediaFile:
    found = MediaFile.inspect(file)
    assert found is not None
    return found
