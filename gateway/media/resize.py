"""Pictures that are too large for a model, made to fit. Needs Pillow, the optional extra `images`."""

import io
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING

from providers.contract.media import MediaLimits
from providers.media_files import MediaFile

if TYPE_CHECKING:
    from PIL import Image

INSTALL = "pip install 'video-gateway[images]'"

MAX_PIXELS = 40_000_000
"""A picture with more is not opened: it would take hundreds of megabytes."""

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP")

_QUALITIES = (92, 85, 75, 60)
_SMALLER = 0.8
_SMALLEST_SIDE = 64


def can_shrink() -> bool:
    return find_spec("PIL") is not None


def shrink_to(file: MediaFile, limits: MediaLimits) -> MediaFile | None:
    """The picture as a JPEG that keeps to the type, the sides and the bytes of `limits`, its ratio kept and turned as
    its camera was held. None where that cannot be done; the picture is then refused as it is.

    It decodes the picture: call it in a thread.
    """
    if not file.width or file.width * file.height > MAX_PIXELS:
        return None
    if limits.types and "image/jpeg" not in limits.types:
        return None
    try:
        content = _shrunk(io.BytesIO(file.read()), limits)
    except Exception:
        # A picture that somebody made can break anything in its reader: with its camera's notes alone, what they are
        # written with.
        return None
    return MediaFile.inspect(io.BytesIO(content))


def _shrunk(source: IO[bytes], limits: MediaLimits) -> bytes:
    """Raises what Pillow raises, and ValueError where nothing fits."""
    from PIL import Image, ImageOps

    with Image.open(source, formats=_FORMATS) as opened:
        if opened.width * opened.height > MAX_PIXELS:
            raise ValueError("other pixels than its head says")
        most = limits.max_side or max(opened.size)
        # Of a JPEG no more is decoded than is needed.
        opened.draft("RGB", (most, most))
        picture: Image.Image = opened if opened.mode in ("RGB", "RGBA", "L", "LA") else opened.convert("RGBA")
        # Smaller first: what comes after it would take as much memory again.
        picture.thumbnail((most, most), Image.Resampling.LANCZOS)
        picture = _without_alpha(ImageOps.exif_transpose(picture))
    while min(picture.size) >= max(_SMALLEST_SIDE, limits.min_side):
        for quality in _QUALITIES:
            target = io.BytesIO()
            picture.save(target, "JPEG", quality=quality, optimize=True)
            if not limits.max_bytes or target.tell() <= limits.max_bytes:
                return target.getvalue()
        width, height = picture.size
        picture = picture.resize((int(width * _SMALLER), int(height * _SMALLER)), Image.Resampling.LANCZOS)
    raise ValueError("no size that is small enough")


def _without_alpha(picture: "Image.Image") -> "Image.Image":
    """On white, as a page would show it."""
    from PIL import Image

    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layered = picture.convert("RGBA")
    ground = Image.new("RGB", layered.size, "white")
    ground.paste(layered, mask=layered.getchannel("A"))
    return ground
