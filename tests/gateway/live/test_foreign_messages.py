"""Whatever a client sends over a WebSocket is a message, or refused as its own mistake."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import GatewayError
from gateway.live.websocket import _ids, _parsed
from tests.foreign_data import bodies, texts

NAMES = ("subscribe", "unsubscribe", "authorization")


@settings(max_examples=80)
@given(bodies(NAMES) | texts, st.sampled_from(NAMES))
def test_any_message_is_read_or_an_error_of_the_client(text: str | bytes, name: str) -> None:
    try:
        ids = _ids(_parsed(text), name)
    except GatewayError as error:
        status = error.spec.status
    else:
        status = 400
        assert all(isinstance(id, str) and id for id in ids)
    assert 400 <= status < 500
