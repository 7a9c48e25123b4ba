"""JSON and forms become the same object."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bodies import MAX_DEPTH, nest
from gateway.errors import GatewayError


@pytest.mark.parametrize(
    ("items", "nested"),
    [
        ([], {}),
        ([("a", "1")], {"a": "1"}),
        ([("a[]", "1")], {"a": ["1"]}),
        ([("a[]", "1"), ("a[]", "2")], {"a": ["1", "2"]}),
        ([("a", "1"), ("a", "2"), ("a", "3")], {"a": ["1", "2", "3"]}),
        ([("a[b]", "1"), ("a[c][d]", "2")], {"a": {"b": "1", "c": {"d": "2"}}}),
        ([("a[b][]", "1"), ("a[b][]", "2")], {"a": {"b": ["1", "2"]}}),
        ([("input_reference[image_url]", "https://h/a")], {"input_reference": {"image_url": "https://h/a"}}),
        ([("a[", "1"), ("]b", "2"), ("a]", "3")], {"a[": "1", "]b": "2", "a]": "3"}),
        ([("猫", "1")], {"猫": "1"}),
        ([("a[0]", "1"), ("a[1]", "2")], {"a": ["1", "2"]}),
        ([("a[10]", "b"), ("a[2]", "a")], {"a": ["a", "b"]}),
        ([("a[][u]", "1"), ("a[][v]", "2"), ("a[][u]", "3")], {"a": [{"u": "1", "v": "2"}, {"u": "3"}]}),
        ([("a[0][u]", "1"), ("a[1][u]", "2")], {"a": [{"u": "1"}, {"u": "2"}]}),
    ],
)
def test_bracketed_names(items: list[tuple[str, str]], nested: dict[str, Any]) -> None:
    assert nest(items) == nested


@pytest.mark.parametrize(
    "items",
    [
        [("a", "1"), ("a[b]", "2")],
        [("a[b]", "1"), ("a", "2")],
        [("a[]", "1"), ("a[b]", "2")],
        [("a[]", "1"), ("a[][b]", "2")],
        [("a" + "[b]" * MAX_DEPTH, "1")],
    ],
)
def test_names_that_contradict_each_other_or_go_too_deep(items: list[tuple[str, str]]) -> None:
    with pytest.raises(GatewayError) as caught:
        nest(items)
    assert caught.value.shape.status == 400


@given(st.lists(st.tuples(st.text("ab[]", max_size=12), st.text(max_size=3)), max_size=6))
def test_any_names_are_an_object_or_a_refusal(items: list[tuple[str, str]]) -> None:
    try:
        nested = nest(items)
    except GatewayError as error:
        nested = {"refused": error.code}
    assert isinstance(nested, dict)
