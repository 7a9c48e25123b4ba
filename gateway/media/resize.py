"""Resizes pictures that are too large for a model. Needs Pillow, the optional extra `images`."""

import io
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING

from providers.contract.media import MediaLimits
from providers.media_files import MediaFile

if TYPE_CHECKING:
    from PIL import Image

INSTALL = "pip install pillow"

MAX_PIXELS = 40_000_000
"""A picture with more pixels is not decoded: it would take hundreds of megabytes of memory."""

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP")

_QUALITIES = (92, 85, 75, 60)
_SHRINK_FACTOR = 0.8
_MIN_SIDE = 64


def can_shrink() -> bool:
    return find_spec("PIL") is not None


def shrink_to(file: MediaFile, limits: MediaLimits) -> MediaFile | None:
    """Convert a picture to a JPEG within `limits`, with the same ratio and the EXIF orientation applied. None where
    that is impossible.

    It decodes the picture: call it in a thread.
    """
    if not file.width or file.width * file.height > MAX_PIXELS:
        return None
    if limits.types and "image/jpeg" not in limits.types:
        return None
    try:
        content = _shrunk(io.BytesIO(file.read()), limits)
    except Exception:
        # A crafted picture can raise any exception in Pillow, for example by its EXIF data.
        return None
    return MediaFile.inspect(io.BytesIO(content))


def _shrunk(source: IO[bytes], limits: MediaLimits) -> bytes:
    """Raises what Pillow raises, and ValueError where no size fits."""
    from PIL import Image, ImageOps

    with Image.open(source, formats=_FORMATS) as opened:
        if opened.width * opened.height > MAX_PIXELS:
            raise ValueError("more pixels than its header says")
        most = limits.max_side or max(opened.size)
        # A JPEG is decoded at a reduced size.
        opened.draft("RGB", (most, most))
        picture: Image.Image = opened if opened.mode in ("RGB", "RGBA", "L", "LA") else opened.convert("RGBA")
        # Shrink first: the next steps copy the picture.
        picture.thumbnail((most, most), Image.Resampling.LANCZOS)
        picture = _without_alpha(ImageOps.exif_transpose(picture))
    while min(picture.size) >= max(_MIN_SIDE, limits.min_side):
        for quality in _QUALITIES:
            target = io.BytesIO()
            picture.save(target, "JPEG", quality=quality, optimize=True)
            if not limits.max_bytes or target.tell() <= limits.max_bytes:
                return target.getvalue()
        width, height = picture.size
        picture = picture.resize((int(width * _SHRINK_FACTOR), int(height * _SHRINK_FACTOR)), Image.Resampling.LANCZOS)
    raise ValueError("no size fits")


def _without_alpha(picture: "Image.Image") -> "Image.Image":
    """Flatten on white, as a web page shows it."""
    from PIL import Image

    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layered = picture.convert("RGBA")
    background = Image.new("RGB", layered.size, "white")
    background.paste(layered, mask=layered.getchannel("A"))
    return background
