"""Pictures are known by their content."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.pictures import MAX_BYTES, data_url, picture_type

PICTURES = {
    "image/png": b"\x89PNG\r\n\x1a\n rest",
    "image/jpeg": b"\xff\xd8\xff\xe0 rest",
    "image/webp": b"RIFF\x00\x00\x00\x00WEBPVP8 ",
    "image/bmp": b"BM rest",
}


@pytest.mark.parametrize(("kind", "content"), PICTURES.items())
def test_a_picture_becomes_a_data_url(kind: str, content: bytes) -> None:
    head, _, body = data_url(content, "image").partition(",")
    assert head == f"data:{kind};base64"
    assert base64.b64decode(body) == content


@pytest.mark.parametrize("content", [b"", b"text", b"GIF89a", b"XXXX\0\0\0\0WEBP", b"<svg>", b"\x89PN"])
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        data_url(content, "image")
    assert (caught.value.code, caught.value.param) == ("invalid_value", "image")


def test_one_that_no_upstream_takes_is_too_large() -> None:
    with pytest.raises(GatewayError) as caught:
        data_url(PICTURES["image/png"].ljust(MAX_BYTES + 1), "image")
    assert caught.value.shape.status == 413


@given(st.binary(max_size=40))
def test_any_bytes_are_a_picture_or_not(content: bytes) -> None:
    assert picture_type(content) in (None, *PICTURES)
