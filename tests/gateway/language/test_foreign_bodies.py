"""Whatever a client sends as a chat request is read, or refused as its own mistake."""

from hypothesis import given, settings

from gateway.core.errors import GatewayError
from gateway.language.body import parse_body
from tests.foreign_data import bodies


@settings(max_examples=80)
@given(bodies(("model", "stream", "messages")))
def test_any_body_is_a_request_or_an_error_of_the_client(text: bytes) -> None:
    try:
        body = parse_body(text)
    except GatewayError as error:
        status = error.spec.status
    else:
        status = 400
        assert body.text == text and isinstance(body.model, str)
        assert parse_body(body.with_model("other")).model == "other"
    assert 400 <= status < 500
