"""A body passes through byte by byte; at most the value of its model is replaced."""

import pytest

from gateway.core.errors import GatewayError
from gateway.language.body import parse_body


@pytest.mark.parametrize(
    ("text", "model", "stream"),
    [
        (b'{"model": "m", "stream": true}', "m", True),
        (b'{"stream": false}', "", False),
        (b'{"model": null, "stream": null}', "", False),
        (b'{"stream": "true"}', "", False),
        (b'{"model": "\\u6a21"}', "模", False),
        (b'{"a": NaN, "model": "m"}', "m", False),
        (b'{"a": "\\ud800", "model": "m"}', "m", False),
        (b'{"a": 123456789012345678901234567890, "model": "m"}', "m", False),
    ],
)
def test_model_and_stream_are_read(text: bytes, model: str, stream: bool) -> None:
    body = parse_body(text)
    assert (body.model, body.stream, body.with_model(model)) == (model, stream, text)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'"x"', b"null", b'{"a": "\xff"}', b"[" * 100_000, '{"model": "x"}'.encode("utf-16")]
)
def test_text_that_is_no_json_object_is_refused(text: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        parse_body(text)
    assert caught.value.spec.status == 400


@pytest.mark.parametrize("value", [b"[]", b"0", b"{}"])
def test_text_of_too_many_values_is_refused_unparsed(value: bytes) -> None:
    """To parse and to search them would stop every other request for seconds."""
    text = b'{"model":"m","input":[' + b",".join([value] * 1_100_000) + b"]}"
    with pytest.raises(GatewayError) as caught:
        parse_body(text)
    assert (caught.value.code, caught.value.spec.status) == ("too_large", 413)
    assert "1000000" in caught.value.message("en")


def test_token_numbers_of_the_largest_request_for_embeddings_are_accepted() -> None:
    text = b'{"model":"m","input":[[' + b",".join([b"12345"] * 300_000) + b"]]}"
    assert parse_body(text).model == "m"


@pytest.mark.parametrize("value", [b"5", b"[]", b"{}", b"true"])
def test_model_that_is_no_text_is_refused(value: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        parse_body(b'{"model": %s}' % value)
    assert (caught.value.spec.status, caught.value.param) == (400, "model")


def test_name_that_is_too_long_is_no_model() -> None:
    with pytest.raises(GatewayError) as caught:
        parse_body(b'{"model": "%s"}' % (b"x" * 201))
    assert (caught.value.code, len(caught.value.message("en")) < 200) == ("model_not_found", True)


def test_only_the_value_of_the_model_is_replaced() -> None:
    text = b'{ "n" : 1e3 , "model" :\n "a" }'
    assert parse_body(text).with_model("new") == b'{ "n" : 1e3 , "model" :\n "new" }'
