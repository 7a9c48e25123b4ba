"""Real files as inputs of a request."""

import io
import random

from PIL import Image

from providers.contract.media import MediaRole
from providers.contract.requests import Media
from providers.media_files import MediaFile
from tests import pictures
from tests.pictures import media_file


def picture(media_type: str = "image/png", colour: str = "#2f6f8f") -> MediaFile:
    return media_file(pictures.picture(media_type, colour=colour))


def heavy_picture(megabytes: int, seed: int = 1) -> MediaFile:
    """One of a little more than so many times 1024 * 1024 bytes, whatever a compressor does."""
    size = (1366, 256 * megabytes)
    noise = random.Random(seed).randbytes(size[0] * size[1] * 3)
    target = io.BytesIO()
    Image.frombytes("RGB", size, noise).save(target, "PNG", compress_level=0)
    return media_file(target.getvalue())


def clip() -> MediaFile:
    return media_file(pictures.clip())


def tone(*, mark: bytes = b"") -> MediaFile:
    """3 s of a WAV; `mark` stands in it for the sandbox to read."""
    silence = pictures.sound(3.0)
    return media_file(silence[:44] + mark + silence[44 + len(mark) :])


def media(file: MediaFile, role: MediaRole | None = None, param: str = "image") -> Media:
    return Media(file.kind, "", param, role, file)
