"""The Range header: valid, ignored and unsatisfiable ranges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.byte_ranges import ByteRange, UnsatisfiableRangeError, content_length, parse_range


@pytest.mark.parametrize(
    ("header", "ranges"),
    [
        ("bytes=0-0", [(0, 0)]),
        ("Bytes= 10 - 19 ", [(10, 19)]),
        ("bytes=7-", [(7, None)]),
        ("bytes=-5", [(None, 5)]),
        ("bytes=0-3, 100-103,-1", [(0, 3), (100, 103), (None, 1)]),
    ],
)
def test_every_form_of_a_range_is_parsed(header: str, ranges: list[tuple[int | None, int | None]]) -> None:
    assert parse_range(header) == tuple(ByteRange(*pair) for pair in ranges)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes=",
        "bytes=-",
        "bytes=5-4",
        "bytes=0-1,5-4",
        "bytes=0-1,",
        "items=0-1",
        "bytes=a-b",
        "bytes=" + "0-1," * 65,
    ],
)
def test_invalid_range_header_is_ignored(header: str) -> None:
    assert parse_range(header) == ()


@pytest.mark.parametrize(
    ("header", "part"),
    [("bytes=0-0", (0, 1)), ("bytes=5-999", (5, 100)), ("bytes=-5", (95, 100)), ("bytes=-999", (0, 100))],
)
def test_a_range_is_cut_to_the_file(header: str, part: tuple[int, int]) -> None:
    assert parse_range(header)[0].within(100) == part


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-101", "bytes=-0", "bytes=9999999999999999999-"])
def test_range_outside_of_the_file_is_unsatisfiable(header: str) -> None:
    with pytest.raises(UnsatisfiableRangeError) as caught:
        parse_range(header)[0].within(100)
    assert caught.value.size == 100


@given(st.text() | st.from_regex(r"bytes=\d{0,21}-\d{0,21}(,\d{0,3}-\d{0,3})?"), st.integers(0, 2**62))
def test_any_header_gives_ranges_inside_the_file(header: str, size: int) -> None:
    for part in parse_range(header):
        try:
            start, stop = part.within(size)
        except UnsatisfiableRangeError:
            continue
        assert 0 <= start < stop <= size


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ({"content-length": "12"}, 12),
        ({"content-length": "0"}, 0),
        ({}, None),
        ({"content-length": "-1"}, None),
        ({"content-length": "12, 12"}, None),
        ({"content-length": "²"}, None),
        ({"content-length": "12", "transfer-encoding": "chunked"}, None),
    ],
)
def test_body_length_is_parsed_from_the_headers(headers: dict[str, str], length: int | None) -> None:
    assert content_length(headers) == length
