"""A body passes through byte by byte; at most the value of its model is replaced."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        (b'{"model":"a","n":1.00}', b'{"model":"new","n":1.00}'),
        (b'{ "n" : 1e3 , "model" :\n "a" }', b'{ "n" : 1e3 , "model" :\n "new" }'),
        (b'{"messages":[{"model":"a"}],"model":"a"}', b'{"messages":[{"model":"a"}],"model":"new"}'),
        (b'{"t":"\\"model\\":\\"a\\"","model":"a"}', b'{"t":"\\"model\\":\\"a\\"","model":"new"}'),
        (b'{"t":"}{][","model":"a"}', b'{"t":"}{][","model":"new"}'),
        (b'{"x":"model","model":"a"}', b'{"x":"model","model":"new"}'),
        (b'{"model":null}', b'{"model":"new"}'),
        (b'{"model":"a\\\\","n":1}', b'{"model":"new","n":1}'),
        (b'{"model":"a","model":"a"}', b'{"model":"new","model":"new"}'),
        (b'{"mod\\u0065l":"a","n":1}', b'{"mod\\u0065l":"new","n":1}'),
        (b'{"\\u006d\\u006F\\u0064\\u0065\\u006c":"a"}', b'{"\\u006d\\u006F\\u0064\\u0065\\u006c":"new"}'),
        (b'{"t":"\\ud800","mode\\\\l":"a"}', b'{"model":"new","t":"\\ud800","mode\\\\l":"a"}'),
        (b"{}", b'{"model":"new"}'),
        (b" { } ", b' {"model":"new" } '),
        (b'{"a":[]}', b'{"model":"new","a":[]}'),
        ('{"t":"中文😀","model":"模"}'.encode(), '{"t":"中文😀","model":"new"}'.encode()),
    ],
)
def test_only_the_value_of_the_model_is_replaced(text: bytes, replaced: bytes) -> None:
    assert parse_body(text).with_model("new") == replaced


_scalars = st.none() | st.booleans() | st.integers() | st.text()
_values = _scalars | st.lists(_scalars) | st.dictionaries(st.text(), _scalars | st.lists(_scalars))


@settings(max_examples=30)
@given(st.dictionaries(st.text(), _values), st.booleans(), st.booleans())
def test_replaced_text_differs_in_the_model_alone(fields: dict[str, object], named: bool, plain: bool) -> None:
    fields.pop("model", None)
    fields |= {"model": "a"} if named else {}
    text = json.dumps(fields, ensure_ascii=plain).encode()
    assert json.loads(parse_body(text).with_model("new")) == fields | {"model": "new"}
