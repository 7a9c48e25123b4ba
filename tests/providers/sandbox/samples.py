"""Small files that are what they say: pictures, films and sounds, made on the spot."""

import io
import struct
import zlib

from PIL import Image


def png(width: int = 320, height: int = 240, text: str = "", padding: int = 0) -> bytes:
    """A grey picture, with a text in it; `padding` bytes that no reader looks at make it larger."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    note = chunk(b"tEXt", b"Comment\0" + text.encode()) if text else b""
    rows = chunk(b"IDAT", zlib.compress((b"\0" + b"\x80" * width) * height, 9))
    return b"\x89PNG\r\n\x1a\n" + head + note + rows + chunk(b"IEND", b"") + b"\0" * padding


def picture(kind: str, width: int = 320, height: int = 240) -> bytes:
    """One in a format of Pillow's: PNG, JPEG, WEBP, BMP, GIF."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 60)).save(out, kind)
    return out.getvalue()


def transparent(mode: str = "RGBA", size: int = 400) -> bytes:
    """A PNG with an alpha channel (`LA`, `RGBA`) or a transparent colour (`P`)."""
    out = io.BytesIO()
    Image.new(mode, (size, size)).save(out, "PNG", **({"transparency": 0} if mode == "P" else {}))
    return out.getvalue()


def box(kind: bytes, *payloads: bytes) -> bytes:
    """One box of an MP4 file."""
    payload = b"".join(payloads)
    return struct.pack(">I", 8 + len(payload)) + kind + payload


def moov(seconds: float, width: int = 1280, height: int = 720, version: int = 0) -> bytes:
    """The index of a film, with a sound track before its picture; a scale of 1000 units a second."""
    units, times = round(seconds * 1000), ">QQ" if version else ">II"
    mvhd = bytes((version, 0, 0, 0)) + struct.pack(times, 1, 1) + struct.pack(">I", 1000)
    mvhd += struct.pack(">Q" if version else ">I", units) + bytes(80)

    def track(wide: int, high: int) -> bytes:
        tkhd = bytes((version, 0, 0, 0)) + struct.pack(times, 1, 1) + bytes(8)
        tkhd += struct.pack(">Q" if version else ">I", units) + bytes(52) + struct.pack(">II", wide << 16, high << 16)
        return box(b"trak", box(b"tkhd", tkhd))

    return box(b"moov", box(b"mvhd", mvhd), track(0, 0), track(width, height))


def mp4(
    seconds: float = 5.0,
    brand: bytes = b"isom",
    data: int = 100,
    index_last: bool = False,
    text: str = "",
    size: tuple[int, int] = (1280, 720),
) -> bytes:
    """A film without pictures, `data` bytes of nothing in their place; `text` in a box of its own."""
    start = box(b"ftyp", brand, bytes(4)) + box(b"free", text.encode())
    parts = [moov(seconds, *size), box(b"mdat", bytes(data))]
    return start + b"".join(parts[::-1] if index_last else parts)


def wav(seconds: float = 2.0) -> bytes:
    """Silence, 8000 bytes a second."""
    data = bytes(int(seconds * 8000))
    fmt = struct.pack("<HHIIHH", 1, 1, 8000, 8000, 1, 8)
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def mp3(seconds: float = 2.0, tag: bool = False) -> bytes:
    """128 kbit/s, the frame's head and nothing after it."""
    front = b"ID3\x04\x00\x00" + bytes((0, 0, 1, 0)) + bytes(128) if tag else b""
    return front + (b"\xff\xfb\x90\x00" + bytes(int(seconds * 16_000)))[: int(seconds * 16_000)]
