"""JSON of a client that is passed on as it is. At most the value of `model` is replaced, in the text itself: a second
serialization could change numbers, the order of fields and the escapes of characters.
"""

import re

import orjson

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]]', re.DOTALL)
_VALUE = re.compile(rb'\s*+:\s*+("(?:[^"\\]++|\\.)*+"|null)', re.DOTALL)
_BEGIN, _EMPTY = re.compile(rb"\s*+\{"), re.compile(rb"\s*+\}")
_LONGEST_KEY = 32
"""Bytes of `"model"` with every character escaped."""


def with_model(text: bytes, name: str) -> bytes:
    """The text of an object with another value of its top-level `model`, at each place where it is named; added at the
    beginning where it is not. Raises ValueError for a text that is no object."""
    value = orjson.dumps(name)
    depth, end, parts = 0, 0, list[bytes]()
    position = 0
    while (token := _TOKEN.search(text, position)) is not None:
        position = token.end()
        if token[0] in b"{[":
            depth += 1
        elif token[0] in b"}]":
            depth -= 1
        elif depth == 1 and _is_model(token[0]) and (found := _VALUE.match(text, position)) is not None:
            parts += (text[end : found.start(1)], value)
            position = end = found.end(1)
    if parts:
        return b"".join((*parts, text[end:]))
    begin = _BEGIN.match(text)
    if begin is None:
        raise ValueError("not a JSON object")
    rest = text[begin.end() :]
    return b"".join((begin[0], b'"model":', value, b"" if _EMPTY.match(rest) else b",", rest))


def _is_model(token: bytes) -> bool:
    if token == b'"model"':
        return True
    if b"\\" not in token or len(token) > _LONGEST_KEY:
        return False
    try:
        return bool(orjson.loads(token) == "model")
    except orjson.JSONDecodeError:
        # Half of a surrogate pair.
        return False
