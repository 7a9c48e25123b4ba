"""Whatever an OpenAI-compatible API answers is read, or is no answer."""

from hypothesis import given, settings
from hypothesis import strategies as st

from providers.contract.errors import ProviderError
from providers.modelscope.errors import error_of
from providers.openai_answers import (
    ErrorText,
    ends_event,
    error_in_answer,
    error_in_body,
    headers_for_client,
    is_answer,
    model_names,
)
from providers.openai_compatible import Failure
from tests.foreign_data import bodies, headers, texts

NAMES = ("error", "errors", "code", "message", "detail", "data", "id", "choices")
_names = st.sampled_from(["content-type", "content-length", "content-encoding", "x-request-id", "x-ratelimit-a"])
_headers = st.dictionaries(_names, headers | st.sampled_from(["text/event-stream", "application/json", "identity"]))


@settings(max_examples=60)
@given(bodies(NAMES), st.booleans())
def test_any_body_is_an_error_or_not(body: bytes, is_stream: bool) -> None:
    text = b"data: " + body if is_stream else body
    for found in (error_in_answer(text, is_stream), error_in_body(body)):
        assert found is None or (isinstance(found, ErrorText) and 400 <= found.status < 600)
    assert all(isinstance(name, str) and name for name in model_names(body))


@settings(max_examples=60)
@given(st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", b"data: x", b":"]), min_size=1, max_size=8))
def test_end_of_an_event_is_found_in_whatever_pieces_it_comes(pieces: list[bytes]) -> None:
    text = bytearray()
    found = False
    for piece in pieces:
        text += piece
        found = found or ends_event(text, len(piece))
    assert found == ends_event(text, len(text))


@settings(max_examples=50)
@given(bodies(NAMES), _headers)
def test_no_header_for_the_client_quotes_the_credential(body: bytes, given_headers: dict[str, str]) -> None:
    assert is_answer(body, given_headers) in (True, False)
    credential = "sk-secret"
    quoting = given_headers | {"x-ratelimit-key": f"of {credential}", "x-request-id": credential}
    found = headers_for_client(quoting, credential)
    assert not any(credential in value or not value.isprintable() for value in found.values())


@settings(max_examples=50)
@given(st.integers(300, 599), texts, texts, _headers)
def test_any_error_of_modelscope_has_a_kind(
    status: int, code: str, message: str, given_headers: dict[str, str]
) -> None:
    assert isinstance(error_of(Failure(status, code, message, given_headers, None)), ProviderError)
