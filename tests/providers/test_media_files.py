"""Files are what their content says, and can be read any number of times."""

import asyncio
import hashlib
import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from providers.media_files import EXTENSIONS, PIECE_BYTES, MediaFile, MediaKind, media_type_of
from tests.pictures import FORMATS, clip, media_file, noise, opened, picture, sound


@pytest.mark.parametrize("media_type", FORMATS)
def test_image_tells_its_type_and_pixels(media_type: str) -> None:
    file = media_file(picture(media_type, 321, 123))
    assert (file.kind, file.media_type, file.width, file.height) == (MediaKind.IMAGE, media_type, 321, 123)


def test_videos_and_audio_tell_how_long_they_are() -> None:
    known = [(file.media_type, file.seconds, file.width, file.height) for file in map(media_file, (clip(), sound(3.0)))]
    assert known == [("video/mp4", 5.0, 1280, 720), ("audio/wav", 3.0, 0, 0)]


@pytest.mark.parametrize(("mode", "alpha"), [("RGB", False), ("RGBA", True), ("LA", True), ("L", False), ("P", False)])
def test_alpha_channel_is_seen(mode: str, alpha: bool) -> None:
    target = io.BytesIO()
    Image.new(mode, (64, 64)).save(target, "PNG")
    assert media_file(target.getvalue()).alpha is alpha


def boxes(*named: tuple[bytes, int]) -> bytes:
    """A clip of boxes, each with the length that its head tells."""
    return b"".join(length.to_bytes(4) + name + b"\0" * 24 for name, length in named)


MOOV, MDAT = (b"moov", 32), (b"mdat", 32)
FTYP = (b"ftyp", 32)


@pytest.mark.parametrize(
    ("content", "complete"),
    [
        (clip(), True),
        (clip() + b"\0" * 3, True),
        (clip()[:-1], False),
        (clip()[:3000], False),
        (boxes(FTYP, MOOV, MDAT), True),
        (boxes(FTYP, MDAT, MOOV), True),
        (boxes(MOOV, MDAT), True),
        (boxes(FTYP, MDAT), False),
        (boxes(FTYP, MOOV, (b"mdat", 0)), True),
        (boxes(FTYP, (b"mdat", 0)), False),
        (boxes(FTYP, MDAT, (b"moov", 0)), True),
        (boxes(FTYP, MOOV, (b"mdat", 33)), False),
        (boxes(FTYP, MOOV, (b"mdat", 7)), False),
        (boxes(FTYP, MOOV), False),
        (boxes(FTYP, MOOV, MDAT) + b"SEFH and what a telephone writes behind", True),
        (boxes(FTYP, MDAT) + b"SEFH and what a telephone writes behind", False),
        (boxes(FTYP, MOOV, MDAT, (b"mdat", 99)), False),
        (boxes(FTYP, MOOV, (b"moof", 32), MDAT, (b"moof", 32), (b"mdat", 99)), True),
        (boxes(FTYP, MOOV, (b"moof", 32), (b"mdat", 99)), False),
        (boxes(FTYP, MOOV) + b"\0\0\0\1mdat" + (32).to_bytes(8) + b"\0" * 16, True),
        (boxes(FTYP, MOOV) + b"\0\0\0\1mdat" + (33).to_bytes(8) + b"\0" * 16, False),
    ],
)
def test_video_is_complete_with_all_its_boxes(content: bytes, complete: bool) -> None:
    file = MediaFile.inspect(opened(content))
    assert file is not None
    assert file.complete is complete


@given(st.integers(0, 2**64), st.binary(max_size=64))
def test_any_boxes_are_parsed(length: int, rest: bytes) -> None:
    for content in (
        boxes(FTYP) + (length % 2**32).to_bytes(4) + b"moov" + rest,
        boxes(FTYP) + b"\0\0\0\1moov" + (length % 2**64).to_bytes(8) + rest,
    ):
        file = MediaFile.inspect(opened(content))
        assert file is not None and file.kind is MediaKind.VIDEO


def test_endless_image_head_is_not_parsed() -> None:
    endless = b"\xff\xd8\xff\xe0" + b"\0\2\xff\xe0" * 1_000_000
    after = b"\xff\xc0\0\x11\x08\0\x64\0\xc8\3" + b"\0" * 20
    file = MediaFile.inspect(opened(endless + after))
    assert file is not None
    assert (file.media_type, file.width) == ("image/jpeg", 0)


def test_what_is_counted_and_summed_is_the_whole_content() -> None:
    content = noise("image/png", 800, 600)
    file = media_file(content)
    assert (file.size, file.crc32, file.sha256) == (
        len(content),
        zlib.crc32(content),
        hashlib.sha256(content).hexdigest(),
    )
    assert file.name == f"{file.sha256[:16]}.png"


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\x00\x00\x00\x18ftypmp42", "video/mp4"),
        (b"\x00\x00\x00\x18ftypisom", "video/mp4"),
        (b"\x00\x00\x00\x14ftypqt  ", "video/quicktime"),
        (b"\x00\x00\x00\x18ftypheic", None),
        (b"\x00\x00\x00\x18ftypavif", None),
        (b"\x00\x00\x00\x18ftypM4A ", None),
        (b"ID3\x04\x00\x00\x00\x00\x00\x00\x00\x00", "audio/mpeg"),
        (b"\xff\xfb\x90\x00\x00\x00\x00\x00", "audio/mpeg"),
        (b"\xff\xfb\xf0\x00\x00\x00\x00\x00", None),
        (b"\xff\xf1\x50\x80\x00\x00\x00\x00", None),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", None),
        (b"GIF89a", None),
        (b"<svg xmlns=", None),
        (b"%PDF-1.7", None),
        (b"just a text that somebody named .png", None),
        (b"", None),
    ],
)
def test_first_bytes_decide(head: bytes, media_type: str | None) -> None:
    assert media_type_of(head) == media_type


@pytest.mark.parametrize("media_type", FORMATS)
def test_image_that_is_cut_off_has_no_pixels_or_its_own(media_type: str) -> None:
    content = picture(media_type, 321, 123)
    for length in range(16, min(len(content), 200)):
        file = MediaFile.inspect(opened(content[:length]))
        assert file is None or (file.width, file.height) in ((0, 0), (321, 123))


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"BM"])
)
def test_any_content_can_be_inspected(content: bytes, head: bytes) -> None:
    file = MediaFile.inspect(opened(head + content))
    assert file is None or (file.media_type in EXTENSIONS and file.width >= 0 and file.size == len(head + content))


async def test_two_readers_do_not_disturb_each_other() -> None:
    content = noise("image/bmp", 700, 500)
    assert len(content) > 2 * PIECE_BYTES
    file = media_file(content)

    async def read() -> bytes:
        return b"".join([piece async for piece in file.pieces()])

    assert list(await asyncio.gather(read(), read())) == [content, content]
    assert file.read() == content


def test_files_are_equal_by_their_content_and_fingerprints_see_nothing_else() -> None:
    one, same, other = media_file(picture()), media_file(picture()), media_file(picture(colour="red"))
    assert one == same
    assert str(one) == str(same) == f"sha256:{one.sha256}"
    assert len({one, same, other}) == 2
    assert one.sha256 in repr(one)
