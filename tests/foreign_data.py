"""Hypothesis strategies for what others send: JSON of any shape, texts, header values."""

from collections.abc import Sequence
from typing import Any

import orjson
from hypothesis import strategies as st

_LONG_NUMBERS = st.sampled_from(["9" * 5000, "-" + "9" * 400, "1e999", "0" * 5000, "NaN", "١٢", "1_000", "0x10", " 1 "])

texts = st.text(max_size=20) | _LONG_NUMBERS | st.sampled_from(["", "\x00", "\ud800", "é", "💥", "../..", "a\r\nb"])
"""Any text, and the ones that parsers fall over: endless numbers, digits of other scripts, halves of characters."""

headers = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\x00"), max_size=30) | _LONG_NUMBERS.filter(
    str.isascii
)
"""Values of a header."""

_scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts


def values(names: Sequence[str] = ()) -> st.SearchStrategy[Any]:
    """JSON values of any shape. Objects have these names more often than others."""
    keys = st.sampled_from(names) | st.text(max_size=4) if names else st.text(max_size=8)
    return st.recursive(
        _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=10
    )


def bodies(names: Sequence[str] = ()) -> st.SearchStrategy[bytes]:
    """Bytes of a body: any bytes, JSON of any shape, and JSON that is cut off."""
    whole = values(names).map(_dumped)
    cut = st.tuples(whole, st.integers(0, 40)).map(lambda found: found[0][: found[1]])
    return st.binary(max_size=60) | whole | cut | st.sampled_from([b"[" * 5000, b"{}", b"\xef\xbb\xbf{}", b"1" * 5000])


def _dumped(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        # Integers beyond 64 bits and halves of characters.
        return repr(value).encode("utf-8", "surrogatepass")
