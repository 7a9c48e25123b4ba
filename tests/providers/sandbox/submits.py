"""Submits to DashScope as its checks read them: what is accepted, and what is refused with which words."""

import pytest

from providers.sandbox.dashscope.checks import Order, read_order
from providers.sandbox.dashscope.codes import Refused
from providers.sandbox.dashscope.rules import VIDEO
from tests.providers.sandbox.clients import Json

URL = "https://example.com/a"
ASYNC = {"x-dashscope-async": "enable"}


def media(*kinds: str, url: str = URL) -> Json:
    """`input.media` with one item of each type."""
    return {"media": [{"type": kind, "url": url} for kind in kinds]}


def order(
    model: str, given: Json, parameters: Json | None = None, path: str = VIDEO, headers: dict[str, str] = ASYNC
) -> Order:
    """The order that an accepted submit becomes."""
    return read_order(path, headers, {"model": model, "input": given, "parameters": parameters})


def rejection(model: str, given: Json, parameters: Json | None = None, path: str = VIDEO) -> tuple[str, str]:
    """(code, message) of a submit that is refused."""
    with pytest.raises(Refused) as caught:
        order(model, given, parameters, path)
    return caught.value.code, caught.value.message
