"""The text of a chat completion, streamed in any pieces or whole."""

from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.prompts.completion import JUNK_CHARACTERS, read_completion
from gateway.prompts.draft import PromptLimit
from gateway.prompts.failure import PromptError
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.language import LanguageResponse

STREAM, WHOLE = {"content-type": "text/event-stream;charset=UTF-8"}, {"content-type": "application/json"}


class Response:
    """Pieces of a response, after which the connection breaks if `breaks` is set."""

    def __init__(self, *pieces: bytes, headers: dict[str, str] = STREAM, breaks: bool = False) -> None:
        self.closed = 0
        self._breaks = breaks
        self.response = LanguageResponse(200, headers, pieces[0], self._rest(pieces[1:]), self._close)

    async def _rest(self, pieces: tuple[bytes, ...]) -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
        if self._breaks:
            raise ProviderError(ErrorKind.ANSWER_LOST)

    async def _close(self) -> None:
        self.closed += 1


async def read(*pieces: bytes, most: int = 100, **options: Any) -> str:
    given = Response(*pieces, **options)
    try:
        return await read_completion(given.response, PromptLimit(most))
    finally:
        assert given.closed == 1


def event(text: Any = None, reason: str | None = None, **delta: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text, **delta}, "finish_reason": reason}
    return b"data: " + orjson.dumps({"choices": [choice]}) + b"\n\n"


def whole(message: Any, **more: Any) -> bytes:
    return orjson.dumps({"choices": [{"message": message, "finish_reason": "stop", **more}]})


DONE = b"data: [DONE]\n\n"
TEXTS = [event("", role="assistant"), event(reasoning_content="hm"), event("A "), event("猫"), event(None, "stop")]
USAGE = b'data: {"choices": [], "usage": {}}\n\n'
TEXT = b"".join([*TEXTS, b": keep-alive\n\n", USAGE, DONE])


async def test_words_of_a_stream_are_joined_without_the_reasoning() -> None:
    assert await read(TEXT) == "A 猫"


@given(st.lists(st.integers(1, len(TEXT) - 1), max_size=6).map(sorted))
async def test_pieces_may_end_anywhere(cuts: list[int]) -> None:
    ends = [0, *cuts, len(TEXT)]
    assert await read(*(TEXT[start:end] for start, end in pairwise(ends))) == "A 猫"


async def test_stream_may_end_without_a_last_line_break() -> None:
    assert await read(event("a "), event("cat").rstrip()) == "a cat"
    assert await read(event("a cat").replace(b"\n", b"\r\n"), b"data:[DONE]") == "a cat"


async def test_halves_of_a_surrogate_pair_in_two_events_are_kept() -> None:
    halves = [
        b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"\\udc31"}}]}\n',
    ]
    assert await read(*halves) == "\ud83d\udc31"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "a cat", "reasoning_content": "hm"}, "a cat"),
        ({"content": [{"type": "text", "text": "a "}, {"type": "text", "text": "cat"}, "x"]}, "a cat"),
        ({"content": None}, ""),
        (None, ""),
    ],
)
async def test_upstream_that_does_not_stream_is_read_whole(message: Any, text: str) -> None:
    assert await read(whole(message), headers=WHOLE) == text


@pytest.mark.parametrize(
    ("pieces", "options", "reason"),
    [
        ((event("a"),), {"breaks": True}, "interrupted"),
        ((event("a"), b'data: {"error": {"message": "down"}}\n\n'), {}, "interrupted"),
        ((event("a"), event("", "length")), {}, "interrupted"),
        ((event("a"), event("", "content_filter")), {}, "refused"),
        ((event("a"), event("x" * (JUNK_CHARACTERS + 9)), event("x")), {"most": 10}, "too_long"),
        ((b"data: {half\n\n",), {}, "unreadable"),
        ((b"data: []\n\n",), {}, "unreadable"),
        ((b'data: {"choices": [7]}\n\n',), {}, "unreadable"),
        ((b"x" * 2_000_000, b"x" * 200_000), {}, "unreadable"),
        ((b"<html>",), {"headers": WHOLE}, "unreadable"),
        ((whole({"content": "x"}, finish_reason="content_filter"),), {"headers": WHOLE}, "refused"),
    ],
)
async def test_answer_without_a_text_has_a_reason(pieces: tuple[bytes, ...], options: Any, reason: str) -> None:
    with pytest.raises(PromptError) as caught:
        await read(*pieces, **options)
    assert caught.value.reason == reason
    assert reason != "too_long" or " 10 characters" in caught.value.message("en")


@given(st.binary(min_size=1, max_size=80), st.booleans())
async def test_any_bytes_are_a_text_or_an_error(data: bytes, streamed: bool) -> None:
    with suppress(PromptError):
        if streamed:
            assert isinstance(await read(b"data: " + data + b"\n"), str)
        else:
            assert isinstance(await read(data, headers=WHOLE), str)
