"""Redaction of a credential that an upstream quotes, whole or in part."""

import base64
import json
import sys
import uuid
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from types import FrameType
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from providers.contract.accounts import Account
from providers.contract.errors import MAX_CODE, MAX_DETAIL, ErrorKind, ProviderError
from providers.contract.redaction import MASK, MAX_READ, MAX_TEXT, MAX_VALUES, shorten

KEY = "sk-ab12f3e4c5d6b7a8cd34"
SESSION = "1a2b3c4d5e6f708192a3b4c5d6e79f8e"

ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
credentials = st.one_of(
    st.text("0123456789abcdef", min_size=32, max_size=32),
    st.text(ALPHABET, min_size=16, max_size=64).map("sk-{}".format),
    st.text(ALPHABET + "-_.+/=%&x*", min_size=12, max_size=48),
)
masks = st.one_of(
    st.sampled_from(["...", "…", "……", "****", "*", "••••", "xxxx", "XXXXXXXX", "****************", " ... ", "[...]"]),
    st.sampled_from(["<redacted>", "(hidden)", "####", "----", "****-****-", "**** ****"]),
)
frames = st.sampled_from(
    [
        "Incorrect API key provided: {}. You can find your key in the console.",
        "sessionid {} is not valid",
        '{{"message": "key={}", "code": 7}}',
        "{}",
        "令牌{}无效",
        "a=1&key%3D{}%26b",
        "line\\n{}\\nline",
    ]
)


def account(credential: str, **more: str) -> Account:
    return Account("scripted", credential, **more)


@given(credentials, st.integers(4, 12), st.integers(0, 12), masks, frames)
def test_first_and_last_characters_beside_a_mask_are_redacted(
    credential: str, first: int, last: int, mask: str, frame: str
) -> None:
    assume(first + last < len(credential))
    tail = credential[-last:] if last else ""
    shown = account(credential).redact(frame.format(f"{credential[:first]}{mask}{tail}"))
    assert f"{credential[:first]}{mask}" not in shown
    assert len(tail) < 4 or f"{mask}{tail}" not in shown
    assert "***" in shown


@given(credentials, st.integers(4, 12), masks, frames)
def test_last_characters_behind_a_mask_are_redacted(credential: str, last: int, mask: str, frame: str) -> None:
    shown = account(credential).redact(frame.format(f"{mask}{credential[-last:]}"))
    assert f"{mask}{credential[-last:]}" not in shown


@given(credentials, frames)
def test_whole_credential_is_redacted_in_every_encoding(credential: str, frame: str) -> None:
    encoded = base64.b64encode(credential.encode()).decode()
    for form in (
        credential,
        credential.upper(),
        quote(credential, safe=""),
        quote(credential, safe="").lower(),
        json.dumps(credential)[1:-1],
        encoded,
        encoded.rstrip("=").replace("+", "-").replace("/", "_"),
    ):
        assert form.rstrip("=") not in account(credential).redact(frame.format(form))


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Incorrect API key provided: sk-ab12********cd34.", "Incorrect API key provided: ***."),
        ("Incorrect API key provided: SK-AB12...CD34.", "Incorrect API key provided: ***."),
        ("Incorrect API key provided: ab12****cd34", "Incorrect API key provided: ***"),
        ("key ending in cd34", "key ending in ***"),
        ("key ends with: 'cd34' is invalid", "key ends with: '***' is invalid"),
        ("密钥尾号为 cd34，已停用", "密钥尾号为 ***，已停用"),
        ("以 cd34 结尾的密钥", "以 *** 结尾的密钥"),
        ("key starting with sk-ab and ending in cd34", "key starting with *** and ending in ***"),
        ("sk-ab12f3e4 is not valid", "*** is not valid"),
        ("the key (…d6b7a8cd34) is not valid", "the key (***) is not valid"),
        ("the key d6b7a8cd34 is not valid", "the key *** is not valid"),
        (f"{KEY} or {KEY}", "*** or ***"),
    ],
)
def test_quotings_of_a_key(text: str, redacted: str) -> None:
    assert account(KEY).redact(text) == redacted


@pytest.mark.parametrize("quoted", ["1a2b3c...9f8e", "1A2B3C…9F8E", "1a2b**********************9f8e", "****9f8e"])
def test_quotings_of_a_session(quoted: str) -> None:
    assert account(SESSION).redact(f"sessionid {quoted} expired") == "sessionid *** expired"


def test_secrets_of_the_proxy_and_the_cookie_are_redacted() -> None:
    own = account(SESSION, proxy="http://bob:pa55word-9@h:1", cookie=f"sessionid={SESSION}; odin=o-secret-77")
    shown = own.redact("bob:pa55word-9 and pa55word-9 and pa55w*** and o-secret-77 at Ym9iOnBhNTV3b3JkLTk=")
    assert shown == "*** and *** and *** and *** at ***="


ORDINARY = [
    "Requests rate limit exceeded, please try again later.",
    "任务 7412345678901234567 不存在",
    "model wan2.6-t2v costs 0.60 per second until 2026-12-01 00:00:00.123",
    "duration: must be in [5, 10]; size 1280*720, got 1280*721...",
    "HTTP 502 ... <html>",
    "req_0123456789ab00000001 at https://h.example.com/a/b.mp4?Expires=1764547200&Signature=abc%3D",
    "session expired, key not valid: ending soon, last attempt at 12:34",
]


@given(st.sampled_from(ORDINARY), credentials.filter(lambda text: sum(map(str.isdigit, text)) > 3))
def test_ordinary_texts_are_kept(text: str, credential: str) -> None:
    assume(not any(credential[:n].lower() in text.lower() for n in (4,)))
    assume(credential[-4:].lower() not in text.lower())
    assert account(credential).redact(text) == text


@given(st.integers(10**18, 10**19 - 1), st.uuids())
def test_ids_are_kept(number: int, id: uuid.UUID) -> None:
    for credential in (KEY, SESSION):
        text = f"task {number} of {id} is queued"
        assert account(credential).redact(text) == text


def test_words_that_begin_like_a_credential_are_kept() -> None:
    text = "session expired: the demo ends, sign in again"
    for credential in ("session1x1764547200", "demo-session", "s-secret-1"):
        assert account(credential).redact(text) == text


@given(
    credentials,
    st.sampled_from([MAX_TEXT, MAX_READ]),
    st.integers(0, 70),
    st.sampled_from(["{}", "Bearer {}", "key ...{}"]),
    st.sampled_from("Q ;"),
)
def test_credential_at_the_end_of_what_is_read_is_redacted(
    credential: str, length: int, before: int, frame: str, filler: str
) -> None:
    part = credential[6:] if "..." in frame else credential
    shown = account(credential).redact(filler * (length - before) + frame.format(part) + filler * 1000)
    assert len(shown) <= MAX_TEXT + 2 * len(MASK)
    assert not any(part[at : at + 8].lower() in shown.lower() for at in range(len(part) - 7))


@pytest.mark.parametrize("kept", [4, 6, 12, 20])
def test_credential_at_the_end_of_a_shortened_text_is_redacted(kept: int) -> None:
    text = shorten(f"the key {KEY} is not valid", len("the key ") + kept + 1)
    assert text.endswith(f"{KEY[:kept]}…")
    assert account(KEY).redact(text) == "the key ***"


@pytest.mark.parametrize("kept", [4, 6, 12, 20])
def test_credential_at_the_end_of_what_an_error_keeps_is_redacted(kept: int) -> None:
    quoted = "-" * (MAX_DETAIL - kept - 1) + KEY
    error = ProviderError(ErrorKind.UPSTREAM_ERROR, detail=quoted, code=quoted[-MAX_CODE + 1 - len(KEY) + kept :])
    assert KEY[:kept] in error.detail and KEY[:kept] in error.code
    assert KEY[:4] not in account(KEY).redact(error.detail) + account(KEY).redact(error.code)


def test_text_of_megabytes_is_cut() -> None:
    shown = account(KEY).redact("quota exceeded, " * 100_000)
    assert len(shown) == MAX_TEXT
    assert shown.endswith("…")


@pytest.mark.parametrize("length", [1000, MAX_READ - 1, MAX_READ, MAX_READ + 1, 16_384])
def test_secret_as_long_as_the_text_is_redacted(length: int) -> None:
    secret = "".join(f"{number:04x}" for number in range(length))[:length]
    own = account(SESSION, cookie=f"a={secret}")
    for quoted in (
        secret,
        secret[:100] + "...",
        "..." + secret[-100:],
        secret[: length // 2],
        secret[-1000:],
    ):
        shown = own.redact(f"cookie {quoted} refused")
        assert not any(quoted[at : at + 8] in shown for at in range(len(quoted) - 7))


def test_longest_values_of_a_cookie_are_redacted() -> None:
    short = [f"v{number:03}-{number:03}" for number in range(300)]
    long = [f"w{number:03}-{number:08}-long" for number in range(MAX_VALUES)]
    own = account(SESSION, cookie="; ".join(f"n{value}={value}" for value in (*short, *long)))
    for value in long:
        assert own.redact(f"value {value} refused") == "value *** refused"


HOSTILE = {
    "one letter": ("a" * 4096, "a" * 4096),
    "one letter but the last": ("a" * 4095 + "b", "a" * 4096),
    "two letters": ("ab" * 8192, "ab" * 2048),
    "dots": ("." * 4096, "." * 4096),
    "characters of masks": ("x.-_" * 1024, "x.-_" * 1024),
    "last parts": ("a1b2" + "q" * 60 + "*.*.", "*.*." * 1024),
    "spaces before a last part": ("a1b2" + "q" * 60 + "efgh", ("efgh" + " " * 508) * 8),
    "brackets": ("1a2b" + "q" * 60, "1a2b" + "[ " * 2048),
    "hints": ("a1b2" + "q" * 60 + "efgh", "efgh first " * 400),
}


def calls_of(work: Callable[[], object]) -> int:
    """The number of calls of functions, also of those in C: work that does not depend on the machine."""
    calls = 0

    def count(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


MAX_CALLS = 100_000
"""Of one redaction, whatever the text and the secrets are; most is for a cookie of 60 KB."""


@pytest.mark.parametrize("name", HOSTILE)
def test_work_for_a_hostile_text_grows_no_faster_than_the_text(name: str) -> None:
    credential, text = HOSTILE[name]
    lengths = [len(text) // 16, len(text) // 8, len(text) // 4, len(text) // 2, len(text), len(text) * 16]
    own = account(credential)
    calls = [calls_of(partial(own.redact, (text * 16)[:length])) for length in lengths]
    assert max(calls) <= MAX_CALLS
    assert all(after <= 2.5 * before + 500 for before, after in pairwise(calls[:-1]))


@pytest.mark.parametrize("value", ["a", "aaaaaaa", "a/a+%41 ", "http://h.example.com/", "....", "xxxx----"])
def test_work_for_a_cookie_of_many_values_is_bounded(value: str) -> None:
    cookie = "; ".join(f"n={value * (1 + number % 50)}{number}" for number in range(60_000 // (25 * len(value))))
    for text in (cookie, value * 1000, "an ordinary message"):
        assert calls_of(partial(account(SESSION, cookie=cookie).redact, text)) <= MAX_CALLS


@pytest.mark.parametrize("text", ["a" * 4096, "a" * 300, "aaaa" * 80 + " refused"])
def test_text_with_too_many_places_is_redacted_as_a_whole(text: str) -> None:
    assert account("a" * 4095 + "b").redact(text) == MASK


@given(
    st.text("ab.*x-", min_size=8, max_size=24), st.lists(st.sampled_from(["", ".", "...", "*", "a", "b ", " x", "-"]))
)
def test_periodic_credential_is_redacted_whole(credential: str, around: list[str]) -> None:
    """Of texts that repeat parts of it no more than a few characters are left."""
    text = credential.join(["", *around, ""])
    assert credential not in account(credential).redact(text)
