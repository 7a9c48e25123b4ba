"""What clips and sounds tell of themselves, and that no file does harm."""

import io
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.clip_heads import ClipHead, clip_head
from tests.pictures import clip, sound


def box(name: bytes, content: bytes, *, wide: bool = False) -> bytes:
    if wide:
        return (1).to_bytes(4) + name + (len(content) + 16).to_bytes(8) + content
    return (len(content) + 8).to_bytes(4) + name + content


def mvhd(units: int, scale: int, version: int = 0) -> bytes:
    size = 8 if version else 4
    return box(b"mvhd", bytes([version, 0, 0, 0]) + bytes(2 * size) + scale.to_bytes(4) + units.to_bytes(size))


def track(width: int, height: int, version: int = 0) -> bytes:
    before = bytes([version, 0, 0, 0]) + bytes((88 if version else 76) - 4)
    return box(b"trak", box(b"tkhd", before + (width << 16).to_bytes(4) + (height << 16).to_bytes(4)))


def read(content: bytes, media_type: str = "video/mp4") -> ClipHead:
    return clip_head(io.BytesIO(content), media_type)


MDAT = box(b"mdat", bytes(100))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (box(b"moov", mvhd(3000, 1000) + track(1280, 720)), (3.0, 1280, 720)),
        (MDAT + box(b"moov", mvhd(10_500, 1000, 1) + track(720, 1280, 1)), (10.5, 720, 1280)),
        (box(b"mdat", bytes(9), wide=True) + box(b"moov", mvhd(600, 600), wide=True), (1.0, 0, 0)),
        # The track of the sound comes first and has no pixels.
        (box(b"moov", mvhd(1, 1) + track(0, 0) + track(640, 360)), (1.0, 640, 360)),
        (box(b"moov", mvhd(2**32 - 1, 1000) + track(64, 64)), (0.0, 64, 64)),
        (box(b"moov", mvhd(5, 0)), (0.0, 0, 0)),
        (MDAT, (0.0, 0, 0)),
        (b"", (0.0, 0, 0)),
    ],
)
def test_video_has_duration_and_pixels(content: bytes, expected: tuple[float, int, int]) -> None:
    assert read(content) == expected
    assert read(content, "video/quicktime") == expected


def test_real_files() -> None:
    assert read(clip()) == (5.0, 1280, 720)
    assert read(sound(2.5), "audio/wav") == (2.5, 0, 0)


def test_audio_whose_length_was_never_filled_in_goes_on_to_the_end() -> None:
    written = bytearray(sound(2.0))
    at = written.index(b"data") + 4
    for length in (0, 2**32 - 1):
        written[at : at + 4] = length.to_bytes(4, "little")
        assert read(bytes(written), "audio/wav").seconds == 2.0


def test_of_an_mp3_nothing_is_known() -> None:
    assert read(b"ID3" + bytes(100), "audio/mpeg") == ClipHead()


@given(st.binary(max_size=200), st.sampled_from(["video/mp4", "video/quicktime", "audio/wav"]))
def test_no_file_raises(content: bytes, media_type: str) -> None:
    for given_content in (content, clip()[:300] + content, b"RIFF\0\0\0\0WAVEfmt " + content):
        found = read(given_content, media_type)
        assert 0 <= found.seconds < 10**7
        assert found.width >= 0


def test_millions_of_empty_boxes_cost_little_time() -> None:
    content = box(b"moov", box(b"trak", box(b"free", b"") * 1_000_000) + box(b"trak", b"") * 1_000_000)
    began = time.process_time()
    assert read(content) == ClipHead()
    assert time.process_time() - began < 0.2


def test_audio_that_breaks_off_in_the_head_of_its_data_has_no_length() -> None:
    content = b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16_000, 2, 16) + b"data\x01"
    assert read(content, "audio/wav") == ClipHead()
