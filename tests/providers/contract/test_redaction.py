"""Redaction of a credential that an upstream quotes, whole or in part."""

import base64
import json
import time
import uuid
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from providers.contract.accounts import Account

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


@pytest.mark.parametrize("length", [4096, 16_384])
def test_long_secrets_take_no_long_time(length: int) -> None:
    own = account("ab" * (length // 2))
    began = time.perf_counter()
    own.redact("ab" * 150 + "…")
    assert time.perf_counter() - began < 0.5
