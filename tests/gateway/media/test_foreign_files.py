"""Whatever a host sends in place of a result is told from one, and its checksums are read or ignored."""

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.archive.incoming import _md5_of, _sha256_of
from gateway.media.result_files import detect_type, is_plausible, parse_type
from providers.media_files import MediaKind
from tests.foreign_data import headers, texts

_HEADS = st.sampled_from(
    [b"\0\0\0\x20ftypisom", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"GIF89a", b"<html>"]
)


@settings(max_examples=80)
@given(st.tuples(_HEADS | st.just(b""), st.binary(max_size=40)).map(b"".join), st.sampled_from(MediaKind), headers)
def test_any_bytes_are_a_file_of_the_kind_or_none(head: bytes, kind: MediaKind, content_type: str) -> None:
    found = detect_type(head, kind)
    assert found is None or found.startswith(f"{kind}/")
    assert is_plausible(content_type, kind) in (True, False)
    assert parse_type(content_type) == parse_type(content_type).strip().lower()


@settings(max_examples=80)
@given(st.sampled_from(["repr-digest", "content-digest", "digest", "content-md5"]), headers | texts.filter(str.isascii))
def test_any_checksum_header_is_a_checksum_or_none(name: str, value: str) -> None:
    for text in (value, f"sha-256=:{value}:", f"SHA-256={value}"):
        given_headers = httpx.Headers([(name.encode(), text.encode("utf-8"))])
        assert len(_sha256_of(given_headers) or bytes(32)) == 32
        assert len(_md5_of(given_headers) or bytes(16)) == 16
