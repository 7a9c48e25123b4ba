"""Read the text of a chat completion: a stream of events, or JSON from an upstream that does not stream."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import orjson

from gateway.prompts.draft import PromptLimit
from gateway.prompts.failure import PromptError
from providers.contract.errors import ProviderError
from providers.contract.language import LanguageResponse

JUNK_CHARACTERS = 20_000
"""Characters of an answer beside the prompt: thoughts, an introduction, remarks."""
_MAX_BYTES = 2 * 1024 * 1024
_CUT, _FILTERED = "length", "content_filter"


async def read_completion(response: LanguageResponse, limit: PromptLimit) -> str:
    """The text of an answer with a prompt, without the reasoning that comes apart from it. Closes the response.

    Raises PromptError for an answer that is broken off, refused, unreadable, or by far too long for the prompt's limit.
    """
    try:
        if not response.is_event_stream:
            return _text_of(_json(b"".join([piece async for piece in _pieces(response)])), "message")
        texts: list[str] = []
        length = 0
        async with aclosing(_events(response)) as events:
            async for event in events:
                texts.append(_text_of(event, "delta"))
                length += len(texts[-1])
                if length > limit.characters + JUNK_CHARACTERS:
                    raise PromptError("too_long", limit=limit.characters)
        return "".join(texts)
    except ProviderError as error:
        raise PromptError("interrupted") from error
    finally:
        await response.close()


async def _pieces(response: LanguageResponse) -> AsyncGenerator[bytes, None]:
    size = len(response.first)
    yield response.first
    async for piece in response.chunks:
        size += len(piece)
        if size > _MAX_BYTES:
            raise PromptError("unreadable")
        yield piece


async def _events(response: LanguageResponse) -> AsyncGenerator[Any, None]:
    """The data of the events, up to `[DONE]` or the end of the stream."""
    async with aclosing(_lines(response)) as lines:
        async for line in lines:
            if line.startswith(b"data:"):
                data = line[5:].strip()
                if data == b"[DONE]":
                    return
                yield _json(data)


async def _lines(response: LanguageResponse) -> AsyncGenerator[bytes, None]:
    rest = b""
    async with aclosing(_pieces(response)) as pieces:
        async for piece in pieces:
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield line
    yield rest


def _text_of(body: Any, name: str) -> str:
    """The text of the first choice of a chunk (`delta`) or of a whole answer (`message`)."""
    if not isinstance(body, dict):
        raise PromptError("unreadable")
    if body.get("error"):
        raise PromptError("interrupted")
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else {}
    if not isinstance(choice, dict):
        raise PromptError("unreadable")
    if choice.get("finish_reason") == _FILTERED:
        raise PromptError("refused")
    if choice.get("finish_reason") == _CUT:
        raise PromptError("interrupted")
    message = choice.get(name)
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):
        content = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _json(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        # It reads halves of surrogate pairs, which a chunk may end with.
        return json.loads(text.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise PromptError("unreadable") from None
