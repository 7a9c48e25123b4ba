"""Real pictures, clips and sounds for tests."""

import base64
import io
import wave
from functools import cache
from pathlib import Path
from typing import IO

from PIL import Image

from providers.media_files import MediaFile

CLIP = Path(__file__).parent.parent / "providers" / "sandbox" / "clip" / "best.mp4"
FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/bmp": "BMP"}


@cache
def picture(media_type: str = "image/png", width: int = 640, height: int = 360, *, colour: str = "#2f6f8f") -> bytes:
    """A picture of one colour."""
    target = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(target, FORMATS[media_type])
    return target.getvalue()


def data_url(content: bytes = b"", media_type: str = "image/png") -> str:
    """A picture, by default any, as a `data:` URL."""
    return f"data:{media_type};base64,{base64.b64encode(content or picture(media_type)).decode()}"


@cache
def noise(media_type: str = "image/png", width: int = 640, height: int = 360) -> bytes:
    """A picture that no compression makes small."""
    target = io.BytesIO()
    Image.effect_noise((width, height), 120).convert("RGB").save(target, FORMATS[media_type])
    return target.getvalue()


@cache
def clip() -> bytes:
    """An MP4 of 5 s."""
    return CLIP.read_bytes()


@cache
def sound(seconds: float = 0.5) -> bytes:
    """A silent WAV."""
    target = io.BytesIO()
    with wave.open(target, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(8000)
        written.writeframes(b"\0\0" * int(8000 * seconds))
    return target.getvalue()


def opened(content: bytes) -> IO[bytes]:
    return io.BytesIO(content)


def media_file(content: bytes) -> MediaFile:
    found = MediaFile.inspect(opened(content))
    assert found is not None
    return found
