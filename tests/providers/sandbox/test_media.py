"""What a file is by its content, and what is kept of it while it comes in."""

import zlib
from hashlib import md5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.sandbox.media import HEAD_BYTES, TAIL_BYTES, Media, Sample, content_of
from tests.providers.sandbox.samples import mp3, mp4, picture, png, transparent, wav


def media_of(data: bytes) -> Media | None:
    return content_of(data[:HEAD_BYTES], data[-TAIL_BYTES:], len(data)).media


@pytest.mark.parametrize(
    ("data", "media"),
    [
        (png(321, 243), Media("image", "png", 321, 243)),
        (picture("PNG"), Media("image", "png", 320, 240)),
        (transparent("RGBA"), Media("image", "png", 400, 400, alpha=True)),
        (transparent("LA"), Media("image", "png", 400, 400, alpha=True)),
        (transparent("P"), Media("image", "png", 400, 400, alpha=True)),
        (picture("JPEG", 400, 300), Media("image", "jpeg", 400, 300)),
        (picture("WEBP", 400, 300), Media("image", "webp", 400, 300)),
        (picture("BMP", 400, 300), Media("image", "bmp", 400, 300)),
        (png()[:20], Media("image", "png")),
        (b"BM", Media("image", "bmp")),
        (mp4(7.5), Media("video", "mp4", 1280, 720, 7.5)),
        (mp4(7.5, b"qt  "), Media("video", "mov", 1280, 720, 7.5)),
        (mp4(7.5, data=900_000, index_last=True), Media("video", "mp4", 1280, 720, 7.5)),
        (mp4()[:16] + bytes(999_984), Media("video", "mp4", seconds=2.0)),
        (wav(1.5), Media("audio", "wav", seconds=1.5)),
        (wav(1.5)[:44], Media("audio", "wav")),
        (wav()[:36], Media("audio", "wav", seconds=36 / 8000)),
        (wav()[:12], Media("audio", "wav")),
        (mp3(3), Media("audio", "mp3", seconds=3.0)),
        (mp3(3, tag=True), Media("audio", "mp3", seconds=3.0)),
        (b"\xff\xf3\x80\xc4" + bytes(7996), Media("audio", "mp3", seconds=1.0)),
        (b"ID3\x04\x00\x00" + b"\x7f" * 4 + bytes(100), Media("audio", "mp3")),
        (b"ID3", Media("audio", "mp3", seconds=3 / 16_000)),
        (picture("GIF"), None),
        (mp4(brand=b"heic"), None),
        (mp4(brand=b"M4A "), None),
        (b"RIFF\0\0\0\0AVI LIST", None),
        (b"\xff\xfb\xf0\x00", None),
        (b"\xff\xfd\x90\x00", None),
        (b"png", None),
        (b"", None),
    ],
    ids=str,
)
def test_files_by_their_content(data: bytes, media: Media | None) -> None:
    assert media_of(data) == media


@settings(deadline=None)
@given(st.sampled_from([b"", png()[:16], b"\xff\xd8\xff", b"BM", b"RIFF0000WEBP", b"RIFF0000WAVEfmt ", b"ID3", mp4()]),
       st.binary(max_size=200))  # fmt: skip
def test_any_bytes_can_be_inspected(start: bytes, data: bytes) -> None:
    media = media_of(start + data)
    assert media is None or (media.width >= 0 and media.height >= 0 and media.seconds >= 0)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=20))
def test_sample_counts_and_sums_what_passes(pieces: list[bytes]) -> None:
    sample, whole = Sample(), b"".join(pieces)
    for piece in pieces:
        sample.add(piece)
    assert (sample.size, sample.crc32, sample.md5) == (len(whole), zlib.crc32(whole), md5(whole).hexdigest())
    assert sample.head == whole
    assert not sample.has_head


def test_sample_keeps_the_ends_alone() -> None:
    film, sample = mp4(4, data=3_000_000, index_last=True), Sample()
    for at in range(0, len(film), 65_536):
        sample.add(film[at : at + 65_536])
    assert sample.head == film[:HEAD_BYTES]
    assert sample.has_head
    content = sample.content()
    assert (content.size, content.media) == (len(film), Media("video", "mp4", 1280, 720, 4.0))


def test_piece_larger_than_all_that_is_kept() -> None:
    film, sample = mp4(4, data=3_000_000, index_last=True), Sample()
    sample.add(film)
    assert sample.content().media == Media("video", "mp4", 1280, 720, 4.0)


def test_file_directives_are_in_the_head() -> None:
    assert content_of(png(text="a #unsafe cat"), b"", 1).directives == {"unsafe": ""}
    assert content_of(png(), b"", 1).directives == {}


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x18ftypheic", "heic"),
        (b"\0\0\0\x18ftypM4A ", "m4a"),
        (b"RIFF\0\0\0\0AVI LIST", "avi"),
        (b"\x1a\x45\xdf\xa3", "webm"),
        (b"\xff\xf1\x50\x80", "aac"),
        (b"\0\0\0\x18ftypavif", ""),
        (b"GIF89a", ""),
        (mp4(), ""),
        (mp3(), ""),
    ],
)
def test_formats_that_are_known_by_name_alone(data: bytes, name: str) -> None:
    assert content_of(data, b"", len(data)).other == name
