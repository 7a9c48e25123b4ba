"""Whatever a language model answers is a text, or an error of the prompt; the response is closed in any case."""

from collections.abc import AsyncIterator

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.prompts.completion import read_completion
from gateway.prompts.draft import PromptLimit
from gateway.prompts.failure import PromptError
from providers.contract.language import LanguageResponse
from tests.foreign_data import bodies

NAMES = ("choices", "delta", "message", "content", "text", "finish_reason", "error")


@settings(max_examples=80)
@given(st.lists(bodies(NAMES), min_size=1, max_size=3), st.booleans())
async def test_any_answer_is_a_text_or_an_error(answers: list[bytes], is_stream: bool) -> None:
    closed: list[bool] = []
    pieces = [b"data: " + answer + b"\n\n" for answer in answers] if is_stream else answers

    async def chunks() -> AsyncIterator[bytes]:
        for piece in pieces[1:]:
            yield piece

    async def close() -> None:
        closed.append(True)

    media_type = "text/event-stream" if is_stream else "application/json"
    response = LanguageResponse(200, {"content-type": media_type}, pieces[0], chunks(), close)
    try:
        found: object = await read_completion(response, PromptLimit(100))
    except PromptError as error:
        found = str(error)
    assert isinstance(found, str) and closed == [True]
