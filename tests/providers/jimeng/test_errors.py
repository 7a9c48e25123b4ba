"""Every number of the site has a kind, and a sentence that a person understands."""

import pytest

from providers.contract import Blame, ErrorKind
from providers.jimeng.errors import MEANINGS, failure, refusal

ROWS: dict[ErrorKind, tuple[str, ...]] = {
    ErrorKind.INVALID_CREDENTIAL: ("1015",),
    ErrorKind.NO_CREDITS: ("1006", "5000", "4001", "121101"),
    ErrorKind.RATE_LIMITED: ("1", "1057", "2014", "2020", "10020"),
    ErrorKind.TOO_MANY_RUNNING: ("1010",),
    ErrorKind.RESTRICTED: ("1018", "1019", "1021", "4013", "-4", "-6", "2035", "2043"),
    ErrorKind.CONTENT_REFUSED: (
        *("2003", "2004", "2005", "2038", "2039", "2041", "2042", "1063"),
        *("1159", "2048", "2050"),
    ),
    ErrorKind.INVALID_REQUEST: ("1000", "1001", "1002", "1161", "1162", "2008", "4002"),
    ErrorKind.NOT_ENTITLED: ("3018", "3021", "4003", "4010"),
    ErrorKind.UPSTREAM_ERROR: ("1014",),
    ErrorKind.GENERATION_FAILED: ("2002", "2036", "5001", "5002"),
}
EVERY = [(code, kind) for kind, codes in ROWS.items() for code in codes]


def test_the_table_has_these_rows_and_no_others() -> None:
    assert {code: meaning.kind for code, meaning in MEANINGS.items()} == dict(EVERY)


@pytest.mark.parametrize(("code", "kind"), EVERY)
def test_a_refusal_keeps_its_number_and_says_what_to_do(code: str, kind: ErrorKind) -> None:
    error = refusal(code, "raw")
    assert (error.kind, error.code, error.detail) == (kind, code, "raw")
    assert error.words
    assert error.words.zh
    assert error.words.en


@pytest.mark.parametrize(("code", "kind"), EVERY)
def test_a_failed_task_has_the_same_meaning(code: str, kind: ErrorKind) -> None:
    error = failure(code, "网站说明")
    assert (error.kind, error.code, error.detail) == (kind, code, "网站说明")


@pytest.mark.parametrize(
    ("code", "words"),
    [("5000", "积分不足"), ("1006", "积分不足"), ("2038", "内容违规"), ("5001", "生成失败"), ("", "生成失败")],
)
def test_the_sentences_that_were_asked_for(code: str, words: str) -> None:
    error = failure(code, "")
    assert error.words
    assert error.words.zh == words


def test_a_number_without_a_meaning_is_shown() -> None:
    error = failure("98765", "")
    assert error.kind is ErrorKind.GENERATION_FAILED
    assert error.words
    assert error.words.zh == "生成失败 (错误码: 98765)"
    unknown = refusal("98765", "odd")
    assert (unknown.kind, unknown.code) == (ErrorKind.UPSTREAM_ERROR, "98765")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("not enough credits", ErrorKind.NO_CREDITS),
        ("", ErrorKind.NO_CREDITS),
        ("content violates our policy", ErrorKind.CONTENT_REFUSED),
        ("内容违规", ErrorKind.CONTENT_REFUSED),
        ("credit policy", ErrorKind.NO_CREDITS),
    ],
)
def test_4001_means_what_the_text_beside_it_says(text: str, kind: ErrorKind) -> None:
    assert refusal("4001", text).kind is kind
    assert failure("4001", text).kind is kind
    assert failure("4001", "", text).kind is kind


def test_account_trouble_is_told_from_the_callers() -> None:
    assert refusal("1019", "").kind.blame is Blame.ACCOUNT
    assert refusal("2003", "").kind.blame is Blame.CALLER
    assert refusal("5001", "").kind.blame is Blame.UPSTREAM
