"""Whatever a client sends as a body, with whatever Content-Type, is an object or an error of the client."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from gateway.api.schemas.body_parser import read_object
from gateway.api.schemas.requests import parse_generation, parse_reuse, parse_webhook_test
from gateway.core.errors import GatewayError
from tests.foreign_data import bodies, headers, values

NAMES = ("prompt", "model", "image_url", "images", "seconds", "video", "id", "url", "secret", "metadata", "seed")
_BOUNDARY = b"--b\r\n"
_parts = st.lists(
    st.sampled_from(
        [
            _BOUNDARY,
            b"--b--\r\n",
            b"--b--",
            b'Content-Disposition: form-data; name="prompt"\r\n',
            b'Content-Disposition: form-data; name="image[0]"; filename="a.png"\r\n',
            b"Content-Disposition: form-data; name*=utf-8''%E9\r\n",
            b'Content-Disposition: form-data; name="\xff"\r\n',
            b"Content-Disposition: form-data\r\n",
            b"Content-Type: image/png\r\n",
            b"Content-Type: text/plain; charset=latin-1\r\n",
            b"\r\n",
            b"\x89PNG\r\n\x1a\n",
            b"x",
            b"\xff\r\n",
        ]
    ),
    max_size=9,
).map(b"".join)
_types = st.sampled_from(
    [
        "multipart/form-data; boundary=b",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="b"; charset=utf-16',
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-7",
        "application/json",
        "",
    ]
)
_urlencoded = st.lists(st.sampled_from(["a", "[", "]", "=", "&", "%E9", "%", "+", "1", "{", ";"]), max_size=12).map(
    lambda parts: "".join(parts).encode()
)


@settings(max_examples=150)
@given(_parts.map(_BOUNDARY.__add__) | _parts | bodies(("prompt", "model")) | _urlencoded, _types | headers)
async def test_any_body_is_an_object_or_an_error_of_the_client(body: bytes, content_type: str) -> None:
    messages = [
        {"type": "http.request", "body": body[:9], "more_body": True},
        {"type": "http.request", "body": body[9:]},
    ]

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    head = [(b"content-type", content_type.encode("latin-1"))]
    try:
        async with read_object(Request({"type": "http", "method": "POST", "headers": head}, receive), 10_000) as fields:
            assert all(isinstance(name, str) for name in fields)
    except GatewayError as error:
        status = error.spec.status
    else:
        status = 400
    assert 400 <= status < 500


@pytest.mark.parametrize("parse", [parse_generation, parse_reuse, parse_webhook_test])
@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), values(NAMES), max_size=4))
def test_any_object_is_a_request_or_an_error_of_the_client(
    parse: Callable[[dict[str, Any]], object], body: dict[str, Any]
) -> None:
    try:
        assert parse(body)
        status = 400
    except GatewayError as error:
        status = error.spec.status
    assert 400 <= status < 500
