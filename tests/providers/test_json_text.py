"""The model in the text of a body is replaced, and no other byte."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.json_text import with_model


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
        (b"{}", b'{"model":"new"}'),
        (b" { } ", b' {"model":"new" } '),
        (b'{"a":[]}', b'{"model":"new","a":[]}'),
        (b'{"m\\u006fdel":"a"}', b'{"m\\u006fdel":"new"}'),
        (b'{"\\u006d\\u006F\\u0064\\u0065\\u006c":"a"}', b'{"\\u006d\\u006F\\u0064\\u0065\\u006c":"new"}'),
        (b'{"t":"\\ud800","mode\\\\l":"a"}', b'{"model":"new","t":"\\ud800","mode\\\\l":"a"}'),
        (b'{"\\ud83d":1,"model":"a"}', b'{"\\ud83d":1,"model":"new"}'),
        (
            b'{"a":1,"a":123456789012345678901234567890,"model":"m"}',
            b'{"a":1,"a":123456789012345678901234567890,"model":"new"}',
        ),
        ('{"t":"中文😀","model":"模"}'.encode(), '{"t":"中文😀","model":"new"}'.encode()),
    ],
)
def test_only_the_value_of_the_model_is_replaced(text: bytes, replaced: bytes) -> None:
    assert with_model(text, "new") == replaced


_scalars = st.none() | st.booleans() | st.integers() | st.text()
_values = _scalars | st.lists(_scalars) | st.dictionaries(st.text(), _scalars | st.lists(_scalars))


@settings(max_examples=30)
@given(st.dictionaries(st.text(), _values), st.booleans(), st.booleans())
def test_replaced_text_differs_in_the_model_alone(fields: dict[str, object], named: bool, plain: bool) -> None:
    fields.pop("model", None)
    fields |= {"model": "a"} if named else {}
    text = json.dumps(fields, ensure_ascii=plain).encode()
    assert json.loads(with_model(text, "new")) == fields | {"model": "new"}


@pytest.mark.parametrize("text", [b"", b"[]", b"x"])
def test_text_that_is_no_object_is_an_error(text: bytes) -> None:
    with pytest.raises(ValueError):
        with_model(text, "new")
