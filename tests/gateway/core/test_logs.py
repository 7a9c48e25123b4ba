"""Log lines: one line each, no credential, no trace."""

import io
import logging
import uuid

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import logs
from gateway.core.logs import MAX_PATH, JsonFormatter, TextFormatter, configure, mask, mask_path


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
        ("provided: sk-ab12********cd34. Next", "provided: ***. Next"),
        ("provided: sk-ab12...cd34", "provided: ***"),
        ("key sk-ab.cd-1234=", "key ***"),
        ("secret whsec_AAE+/w== of a webhook", "secret *** of a webhook"),
        ("request_id=0123456789abcdef0123456789abcdef", "request_id=0123456789abcdef0123456789abcdef"),
    ],
)
def test_credentials_are_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


SESSION = "1a2b3c4d5e6f708192a3b4c5d6e79f8e"


@pytest.mark.parametrize(
    ("path", "masked"),
    [
        ("/v1/videos/tasks/sk-abcdef1234567890", "/v1/videos/tasks/***"),
        ("/sk-abcdef1234567890/v1/videos", "/***/v1/videos"),
        ("/v1/videos/ms-abcdef-123/content", "/v1/videos/***/content"),
        (f"/v1/videos/{SESSION}", "/v1/videos/***"),
        (f"/v1/videos/{SESSION.upper()}/content", "/v1/videos/***/content"),
        (f"/v1/videos/us-{SESSION}", "/v1/videos/us-***"),
        (f"/v1/videos/jimeng:{SESSION},{SESSION}", "/v1/videos/jimeng:***,***"),
        (f"/v1/videos/sessionid={SESSION}", "/v1/videos/sessionid=***"),
        (f"/v1/http://user:pass@h:1@{SESSION}/videos", "/v1/http://***@h:1@***/videos"),
        ("/v1/http:/user:pass@h:1/videos", "/v1/http:/***@h:1/videos"),
        ("/v1/http://user:pa/ss@h:1/videos", "/v1/http://***@h:1/videos"),
        ("/v1/http%3A%2F%2Fuser%3Apass%40h:1/videos", "/v1/http://***@h:1/videos"),
        ("/v1/http%253A%252F%252Fuser%253Apass%2540h:1/videos", "/v1/http://***@h:1/videos"),
        ("/v1/socks5%2525253A//user:pa%2525ss%252540h:1/videos", "/v1/socks5://***@h:1/videos"),
        ("/v1/videos/sk%2Dabcdef1234567890", "/v1/videos/***"),
        ("/v1/videos/sk%252dabcdef1234567890", "/v1/videos/***"),
    ],
)
def test_credential_in_a_path_is_masked(path: str, masked: str) -> None:
    assert mask_path(path) == masked


@pytest.mark.parametrize(
    "path",
    [
        "/v1/videos/tasks/7412345678901234567",
        "/v1/videos/tasks/0385dc79-5ff8-4275-a30d-25daff24c6c0/cancel",
        "/v1/videos/video_AQZ3YW4yLjYtdDJ2LTEyMzQ1Njc4OTBhYmNkZWY-0123456789abcdef0123456789abcdef01/content",
        "/v1/models/wan2.6-t2v",
        "/v1/accounts/0123456789ab/check",
    ],
)
def test_ids_in_a_path_stay(path: str) -> None:
    assert mask_path(path) == path


@given(st.uuids(), st.integers(10**11, 10**20 - 1))
def test_any_id_of_a_task_in_a_path_stays(id: uuid.UUID, number: int) -> None:
    for path in (f"/v1/videos/{id}", f"/v1/videos/tasks/{number}/cancel"):
        assert mask_path(path) == path


SHAPES = (
    st.text("0123456789abcdef", min_size=32, max_size=32),
    st.text("0123456789ABCDEF", min_size=32, max_size=32),
    st.text("abcdefXYZ0123456789_-.", min_size=10, max_size=60).map("sk-{}".format),
    st.text("abcdefXYZ0123456789", min_size=10, max_size=60).map("ms-{}".format),
)


@given(st.one_of(SHAPES), st.sampled_from(["/v1/videos/tasks/{}", "/{}/v1/videos", "/v1/videos/x,{}/content", "/{}"]))
def test_any_credential_in_a_path_is_masked(credential: str, path: str) -> None:
    shown = mask_path(path.format(credential))
    assert shown == path.format("***")


@given(
    st.one_of(SHAPES), st.integers(0, 80), st.sampled_from(["/v1/", "/x,", "/http://u:"]), st.sampled_from(["", "/y"])
)
def test_credential_at_the_end_of_what_is_logged_of_a_path_is_masked(
    credential: str, before: int, name: str, behind: str
) -> None:
    path = "/v1/videos/".ljust(MAX_PATH - before, "z") + name + credential + behind + "@h/" + "z" * 60_000
    shown = mask_path(path)
    assert len(shown) <= MAX_PATH + 2
    assert not any(credential[at : at + 6] in shown for at in range(len(credential) - 5))


@pytest.mark.parametrize(
    "path", ["/" * 60_000, "/v1/videos/" + "a" * 60_000, "😀/" * 30_000, "%25" * 20_000, "a" * 60_000]
)
def test_long_path_is_cut(path: str) -> None:
    shown = mask_path(path)
    assert len(shown) <= MAX_PATH + 2
    assert shown.endswith("/…")
    assert shown.isprintable()


def test_long_path_is_cut_before_anything_looks_at_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client may send 60,000 characters, which took 25 ms of CPU in every pattern's search."""
    lengths: list[int] = []

    def without_patterns(_patterns: tuple[str, ...], text: str) -> str:
        lengths.append(len(text))
        return text

    monkeypatch.setattr(logs, "_mask", without_patterns)
    mask_path("/v1/" + "%25http://a" * 6_000, ["credential"])
    assert lengths and max(lengths) <= 2 * MAX_PATH


@pytest.mark.parametrize(
    "path", ["/v1/models/a%20b", "/v1/models/100%25", "/v1/models/%E7%8C%AB", "/v1/models/a%2525b"]
)
def test_encoded_path_without_a_credential_is_logged_as_it_came(path: str) -> None:
    assert mask_path(path) == path


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


def test_response_that_stops_early_is_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loggers = [logging.getLogger(name) for name in ("", "gateway", "uvicorn", "uvicorn.error")]
    before = [(one, one.handlers, one.filters, one.level, one.propagate) for one in loggers]
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    try:
        configure("info", "text")
        for message in ("ASGI callable returned without completing response.", "another error"):
            logging.getLogger("uvicorn.error").error(message)
    finally:
        for logger, handlers, filters, level, propagate in before:
            logger.handlers, logger.filters, logger.propagate = handlers, filters, propagate
            logger.setLevel(level)
    assert [line.split(" ", 2)[2].strip() for line in stream.getvalue().splitlines()] == ["another error"]
