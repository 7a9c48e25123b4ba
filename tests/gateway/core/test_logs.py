"""Log lines: one line each, no credential, no trace."""

import logging

import orjson
import pytest

from gateway.core.logs import JsonFormatter, TextFormatter, mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Authorization: Bearer abc,sk-def next", "Authorization: Bearer *** next"),
        ("Cookie: sessionid=abc; sid_tt=def; other=1", "Cookie: sessionid=***; sid_tt=***; other=1"),
        ("proxy http://u:p@h:1/", "proxy http://***@h:1/"),
        ("listening on http://127.0.0.1:5100", "listening on http://127.0.0.1:5100"),
        ("key sk-abcdef123 and gw-abcdef123", "key *** and ***"),
        ("/v1/x?token=abc&y=1", "/v1/x?token=***&y=1"),
        ("task-abcdefgh risk-abcdefgh", "task-abcdefgh risk-abcdefgh"),
    ],
)
def test_credentials_are_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


def record(message: str, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("gateway.access", logging.INFO, "x.py", 1, message, (), None)
    made.created = 0.0
    if fields:
        made.fields = fields
    return made


def test_text_line_has_its_fields() -> None:
    line = TextFormatter().format(record("request", path="/v1", status=200))
    assert line == "1970-01-01T00:00:00.000Z info    request path=/v1 status=200"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("wan2.6-t2v", "wan2.6-t2v"),
        ("猫", "猫"),
        ("two words", '"two words"'),
        ("x status=200", '"x status=200"'),
        ('a"b', r'"a\"b"'),
        ("\x1b[31m\rEVIL", r'"\u001b[31m\rEVIL"'),
        ("\u2028猫", r'"\u2028\u732b"'),
        (7, "7"),
    ],
)
def test_value_cannot_look_like_several_fields(value: object, shown: str) -> None:
    assert TextFormatter().format(record("request", model=value)).endswith(f" request model={shown}")


def test_multiline_message_is_one_line() -> None:
    assert "\n" not in TextFormatter().format(record("a\nb"))


def test_control_characters_of_a_message_are_escaped() -> None:
    line = TextFormatter().format(record("cannot be read (99 \x1b[2J\r\x9b2J\u202e\u2028x)"))
    assert line.isprintable()


def test_json_line_has_its_fields() -> None:
    line = orjson.loads(JsonFormatter().format(record("request", path="/v1", status=200)))
    assert line == {
        "time": "1970-01-01T00:00:00.000Z",
        "level": "info",
        "logger": "gateway.access",
        "message": "request",
        "path": "/v1",
        "status": 200,
    }


def test_stack_trace_is_never_written() -> None:
    made = record("it broke")
    try:
        raise RuntimeError("secret detail")
    except RuntimeError as error:
        made.exc_info = (type(error), error, error.__traceback__)
    for formatter in (TextFormatter(), JsonFormatter()):
        assert "secret detail" not in formatter.format(made)
