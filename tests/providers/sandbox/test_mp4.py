"""A film's own word on its length and size."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.sandbox.clips import BEST, DEFAULT, SECONDS
from providers.sandbox.mp4 import Film, film_of
from tests.providers.sandbox.samples import box, moov, mp4

FTYP = box(b"ftyp", b"isom", bytes(4))


def test_real_video() -> None:
    assert film_of(DEFAULT.files[BEST].read_bytes()[:4096]) == Film(SECONDS, 1280, 720)


@pytest.mark.parametrize("version", [0, 1])
def test_both_versions_of_the_boxes(version: int) -> None:
    assert film_of(FTYP + moov(12.345, 640, 360, version)) == Film(12.345, 640, 360)


def test_video_with_its_index_last_is_told_by_its_end() -> None:
    film = mp4(3.5, data=10_000, index_last=True)
    assert film_of(film[:1000]) is None
    assert film_of(film[:1000], film[-500:]) == Film(3.5, 1280, 720)
    assert film_of(film[:1000], film[-100:]) is None
    assert film_of(b"", b"oov" + b"moov") is None


def test_boxes_of_odd_lengths() -> None:
    large = struct.pack(">I", 1) + b"free" + struct.pack(">Q", 20) + bytes(4)
    assert film_of(FTYP + large + moov(1)) == Film(1, 1280, 720)
    to_the_end = struct.pack(">I", 0) + moov(2)[4:]
    assert film_of(FTYP + to_the_end) == Film(2, 1280, 720)
    cut = struct.pack(">I", 10_000) + moov(2)[4:]
    assert film_of(FTYP + cut) == Film(2, 1280, 720)
    assert film_of(FTYP + struct.pack(">I", 7) + b"free" + moov(2)) is None


def test_video_that_does_not_tell_its_length() -> None:
    index = moov(5)
    scale_and_units = struct.pack(">II", 1000, 5000)
    assert scale_and_units in index
    for told in (struct.pack(">II", 0, 5000), struct.pack(">II", 1000, 2**32 - 1), struct.pack(">II", 1000, 0)):
        assert film_of(FTYP + index.replace(scale_and_units, told)) is None
    assert film_of(FTYP + box(b"moov", box(b"mvhd", bytes(10)))) is None
    assert film_of(FTYP + box(b"moov")) is None


def test_video_without_a_image() -> None:
    assert film_of(FTYP + moov(5, 0, 0)) == Film(5, 0, 0)


@settings(deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_bytes_can_be_parsed(head: bytes, tail: bytes) -> None:
    film = film_of(FTYP + head, tail)
    assert film is None or film.seconds > 0


@settings(deadline=None)
@given(st.data(), st.sampled_from([0, 1]))
def test_damaged_index_raises_nothing(data: st.DataObject, version: int) -> None:
    whole = bytearray(FTYP + moov(5, version=version))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(whole)))
    film = film_of(bytes(whole[:end]), bytes(whole[end:]))
    assert film is None or (film.seconds > 0 and film.width >= 0 and film.height >= 0)


@settings(deadline=None)
@given(st.integers(1, 2**31), st.integers(1, 2**16 - 1), st.integers(1, 2**16 - 1), st.sampled_from([0, 1]))
def test_what_is_written_is_read(milliseconds: int, width: int, height: int, version: int) -> None:
    film = film_of(FTYP + moov(milliseconds / 1000, width, height, version))
    assert film == Film(milliseconds / 1000, width, height)
