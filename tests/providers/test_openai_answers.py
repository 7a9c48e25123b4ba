"""An error is told from an answer in whatever form it comes, and no answer is taken for an error."""

import pytest

from providers.openai_answers import (
    ErrorText,
    ends_event,
    error_in_answer,
    error_in_body,
    headers_for_client,
    is_answer,
    model_names,
)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"error":{"message":"m","code":"c"}}', ErrorText("c", "m")),
        (b'{"errors":{"message":"m"}}', ErrorText("", "m")),
        (b'{"code":"c","message":"m","request_id":"r"}', ErrorText("c", "m")),
        (b'{"error":"m"}', ErrorText("", "m")),
        (b'{"error":["m"]}', ErrorText("", '["m"]')),
        (b'{"error":{"message":{"a":1},"code":429}}', ErrorText("429", '{"a":1}')),
        (b'{"detail":[{"msg":"field required"}]}', ErrorText("", '[{"msg":"field required"}]')),
        (b'{"error":null}', None),
        (b'{"error":{}}', None),
        (b"{}", None),
        (b"[]", None),
        (b'"m"', None),
        (b"<html>", None),
        (b'{"error":' + b"[" * 100_000, None),
    ],
)
def test_error_body_is_read_in_every_form(body: bytes, found: ErrorText | None) -> None:
    assert error_in_body(body) == found


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":"x","choices":[],"message":"m"}',
        b'{"choices":[],"error":{"message":"one of several choices failed"}}',
        b'{"data":[],"code":"c","message":"m"}',
        b'{"object":"chat.completion"}',
        b'{"choices":[NaN]}',
        b'{"choices":["error',
    ],
)
def test_answer_is_no_error(body: bytes) -> None:
    assert error_in_answer(body, is_stream=False) is None
    assert error_in_answer(b"data: " + body + b"\n\n", is_stream=True) is None


@pytest.mark.parametrize("before", [b"", b": comment\n\n", b"event: error\r\nid: 1\r\n", b"retry: 5\n"])
@pytest.mark.parametrize("space", [b"", b" "])
def test_error_event_is_found_in_the_beginning_of_a_stream(before: bytes, space: bytes) -> None:
    text = before + b"data:" + space + b'{"error":{"message":"m"}}\r\n\r\n'
    assert error_in_answer(text, is_stream=True) == ErrorText("", "m")


def test_only_the_first_event_is_looked_at() -> None:
    text = b'data: {"choices":[]}\n\ndata: {"error":{"message":"m"}}\n\n'
    assert error_in_answer(text, is_stream=True) is None
    assert error_in_answer(b"data: [DONE]\n\n", is_stream=True) is None


@pytest.mark.parametrize(
    ("code", "status"), [("429", 429), ("503", 503), ("200", 500), ("4290", 500), ("x", 500), ("", 500), ("４29", 500)]
)
def test_code_that_is_a_status_is_the_status(code: str, status: int) -> None:
    assert ErrorText(code, "m").status == status


@pytest.mark.parametrize(
    ("text", "ends"),
    [(b"data: 1\n\n", True), (b": c\r\n\r\n", True), (b"data: 1\r\r", True), (b"data: 1\n", False), (b"", False)],
)
def test_end_of_an_event_is_an_empty_line(text: bytes, ends: bool) -> None:
    assert ends_event(text, len(text)) is ends


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n"])
def test_end_of_an_event_is_found_however_it_arrives(end: bytes) -> None:
    text = b"data: 1" + end
    for size in (1, 2, 3, 5):
        ends = [ends_event(text[: at + size], size) for at in range(0, len(text), size)]
        assert ends == [False] * (len(ends) - 1) + [True]


@pytest.mark.parametrize(
    ("first", "headers", "answer"),
    [
        (b' \n{"a"', {}, True),
        (b"{}", {"content-encoding": "Identity"}, True),
        (b"data: 1", {"content-type": "text/event-stream"}, True),
        (b"", {"content-type": "text/event-stream"}, False),
        (b"", {}, False),
        (b"<html>", {"content-type": "application/json"}, False),
        (b"[]", {}, False),
        (b"{}", {"content-encoding": "gzip"}, False),
    ],
)
def test_answer_is_a_stream_or_an_object(first: bytes, headers: dict[str, str], answer: bool) -> None:
    assert is_answer(first, headers) is answer


def test_headers_for_the_client_are_a_few_harmless_ones() -> None:
    given = {
        "content-type": "a/b",
        "set-cookie": "a=b",
        "x-ratelimit-left": "3",
        "x-ratelimit-key": "my k-secret",
        "x-ratelimit-odd": "\xe9",
        "x-request-id": "abc",
        "transfer-encoding": "chunked",
    }
    found = headers_for_client(given, "k-secret")
    assert found == {"content-type": "a/b", "x-ratelimit-left": "3", "x-upstream-request-id": "abc"}


@pytest.mark.parametrize("text", [b"", b"[]", b'{"data": {}}', b'{"data": [1, {"id": ""}, {"id": 5}]}'])
def test_list_without_names_is_empty(text: bytes) -> None:
    assert model_names(text) == []
