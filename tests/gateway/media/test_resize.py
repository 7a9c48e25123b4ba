"""Resizing of pictures; an invalid picture never raises."""

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gateway.media.resize import shrink_to
from providers.contract.media import MediaLimits
from tests.pictures import media_file, noise

SMALL = MediaLimits(max_side=200)
ON_ITS_SIDE = (0x0112, 3, 1, struct.pack("<HH", 6, 0))


def with_notes(notes: bytes) -> bytes:
    """A JPEG of 300 x 240 with EXIF data."""
    target = io.BytesIO()
    Image.new("RGB", (300, 240), "red").save(target, "JPEG")
    exif = b"Exif\0\0" + notes
    return b"\xff\xd8\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif + target.getvalue()[2:]


def notes(*entries: tuple[int, int, int, bytes]) -> bytes:
    """EXIF entries: tag, type, count and four bytes of value each."""
    rows = b"".join(struct.pack("<HHI", tag, kind, count) + value for tag, kind, count, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + rows + b"\0\0\0\0"


def test_large_picture_is_resized_and_rotated() -> None:
    smaller = shrink_to(media_file(with_notes(notes(ON_ITS_SIDE))), SMALL)
    assert smaller is not None
    assert (smaller.media_type, smaller.width, smaller.height) == ("image/jpeg", 160, 200)


@pytest.mark.parametrize("tag", [0x0100, 0x0101, 0x0111, 0x8769])
@pytest.mark.parametrize("kind", [2, 7, 12])
def test_invalid_exif_tags_are_ignored(tag: int, kind: int) -> None:
    broken = media_file(with_notes(notes((tag, kind, 4, b"abc\0"), ON_ITS_SIDE)))
    smaller = shrink_to(broken, SMALL)
    assert smaller is None or max(smaller.width, smaller.height) <= 200


@settings(deadline=None)
@given(st.binary(max_size=120))
def test_any_exif_data_is_ignored_or_applied(content: bytes) -> None:
    smaller = shrink_to(media_file(with_notes(b"II*\0\x08\0\0\0" + content)), SMALL)
    assert smaller is None or max(smaller.width, smaller.height) <= 200


@settings(deadline=None)
@given(st.integers(4, 30_000), st.binary(min_size=1, max_size=40))
def test_any_damaged_picture_is_resized_or_unchanged(at: int, damage: bytes) -> None:
    content = bytearray(noise("image/jpeg", 300, 240))
    content[at : at + len(damage)] = damage
    shrink_to(media_file(bytes(content)), SMALL)
