"""What an upload says and is told: policies, forms, errors and data URLs. Pure."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import UploadFile
from starlette.requests import Request

from providers.dashscope.uploads import (
    DATA_URL_BYTES,
    Policy,
    data_url,
    form,
    parse_error,
    parse_policy,
)
from providers.media_files import PIECE_BYTES
from tests.pictures import media_file
from tests.providers.dashscope.store import DATA, EXPIRED, OSS, POLICY, inline
from tests.providers.dashscope.wire import (
    HTML,
)

BOUNDARY = "0123456789abcdef0123456789abcdef"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


def test_a_policy() -> None:
    assert parse_policy({"request_id": "r", "data": DATA}) == POLICY
    assert DATA["signature"] not in repr(POLICY)


@pytest.mark.parametrize(
    ("megabytes", "size"),
    [
        *((1, 1024**2), (0.5, 512 * 1024), ("100", 100 * 1024**2)),
        *((size, 0) for size in (0, -1, None, "x", True, float("nan"), float("inf"), 1e308, 10**400)),
    ],
)
def test_largest_file(megabytes: Any, size: int) -> None:
    policy = parse_policy({"data": DATA | {"max_file_size_mb": megabytes}})
    assert policy is not None
    assert policy.max_bytes == size


@pytest.mark.parametrize("name", ["policy", "signature", "upload_dir", "upload_host", "oss_access_key_id"])
@pytest.mark.parametrize("value", [None, "", " ", [], {}, True])
def test_policy_that_lacks_what_it_needs(name: str, value: Any) -> None:
    assert parse_policy({"data": DATA | {name: value}}) is None


@pytest.mark.parametrize("host", ["ftp://h", "h", "//h", "file:///x"])
def test_policy_for_what_is_no_web_address(host: str) -> None:
    assert parse_policy({"data": DATA | {"upload_host": host}}) is None


@given(JSON, st.sampled_from(sorted(DATA)), JSON)
def test_anything_can_be_read_as_a_policy_or_not(body: Any, name: str, value: Any) -> None:
    for given_body in (body, {"data": body}, {"data": DATA | {name: value}}):
        policy = parse_policy(given_body)
        assert policy is None or (policy.host and policy.folder and policy.signature and policy.max_bytes >= 0)


def test_form_is_the_sdks() -> None:
    head, tail = form(POLICY, "loc.png", "image/png", BOUNDARY)
    names = [line.split(b'name="')[1].split(b'"')[0] for line in head.split(b"\r\n") if b"Content-Disposition" in line]
    assert names == [
        b"OSSAccessKeyId",
        b"Signature",
        b"policy",
        b"key",
        b"x-oss-object-acl",
        b"x-oss-forbid-overwrite",
        b"success_action_status",
        b"x-oss-content-type",
        b"file",
    ]
    assert head.startswith(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="OSSAccessKeyId"\r\n\r\nLTAI0123\r\n--'.encode()
    )
    assert head.endswith(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="loc.png"\r\n\r\n'.encode()
    )
    assert tail == f"\r\n--{BOUNDARY}--\r\n".encode()


async def read_form(content: bytes) -> tuple[dict[str, str], bytes]:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    headers = [(b"content-type", f"multipart/form-data; boundary={BOUNDARY}".encode())]
    async with Request({"type": "http", "method": "POST", "headers": headers}, receive).form() as sent:
        items = sent.multi_items()
        name, file = items[-1]
        assert name == "file"
        assert isinstance(file, UploadFile)
        return {name: value for name, value in items if isinstance(value, str)}, await file.read()


@given(st.text(), st.text(), st.text(), st.binary(max_size=200))
def test_any_text_survives_the_form(folder: str, signature: str, policy: str, content: bytes) -> None:
    terms = Policy(OSS, folder, "LTAI", signature, policy, acl="private")
    head, tail = form(terms, "0123.mp4", "video/mp4", BOUNDARY)
    fields, file = asyncio.run(read_form(head + content + tail))
    assert file == content
    assert (fields["Signature"], fields["policy"], fields["key"]) == (signature, policy, f"{folder}/0123.mp4")
    assert fields["x-oss-content-type"] == "video/mp4"


def test_half_characters_do_not_break_the_form() -> None:
    head, _ = form(Policy(OSS, "\ud800", "a", "b", "c"), "x.png", "image/png", BOUNDARY)
    assert b"?/x.png" in head


def test_object_stores_errors() -> None:
    assert parse_error(EXPIRED.encode()) == ("AccessDenied", "Invalid according to Policy: Policy expired.")
    assert parse_error(b"<code> A </code>  <Code>B</Code>") == ("A", "")
    assert parse_error(HTML.encode()) == ("", "")
    assert len(parse_error(b"<Message>" + b"x" * 9000)[1]) == 500


@given(st.binary() | st.text().map(lambda text: f"<Code>{text}</Message><Message>{text}".encode()))
def test_anything_can_be_read_as_an_error(body: bytes) -> None:
    assert all(isinstance(text, str) for text in parse_error(body))


@settings(max_examples=20)
@given(st.integers(0, 3), st.integers(-4, 4))
def test_data_url_is_the_whole_file(pieces: int, more: int) -> None:
    file = media_file(b"\x89PNG\r\n\x1a\n" + bytes(max(0, pieces * PIECE_BYTES + more)))
    assert asyncio.run(data_url(file)) == inline(file)


def test_largest_data_url_stays_below_ten_megabytes() -> None:
    assert DATA_URL_BYTES * 4 / 3 < 10_000_000
