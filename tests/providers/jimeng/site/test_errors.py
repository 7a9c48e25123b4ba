"""Error numbers, keys and messages of the site: their kinds and the messages for people."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.contract.errors import Blame, ErrorKind, ProviderError
from providers.jimeng.site.errors import (
    CANCEL_PARTS,
    KEY_PARTS,
    KEYS,
    MEANINGS,
    MESSAGE_PARTS,
    TEXT_DECIDES,
    Reason,
    envelope_error,
    is_cancelled,
    reason_of,
    submit_error,
    task_error,
)

ROWS: dict[ErrorKind, tuple[str, ...]] = {
    ErrorKind.INVALID_CREDENTIAL: ("1015", "34010105", "34010100"),
    ErrorKind.NO_CREDITS: ("1006", "5000", "4001"),
    ErrorKind.DAILY_LIMIT: ("121101",),
    ErrorKind.RATE_LIMITED: ("1", "1057", "2014", "2020", "10020"),
    ErrorKind.TOO_MANY_RUNNING: ("1010", "1310"),
    ErrorKind.RESTRICTED: (
        *("1018", "1019", "1021", "4013", "-4", "-6", "2035", "2043"),
        *("34070104", "3000"),
    ),
    ErrorKind.CONTENT_REFUSED: (
        *("2003", "2004", "2005", "2038", "2039", "2040", "2041", "2042", "2047", "1063"),
        *("1159", "2048", "2050"),
    ),
    ErrorKind.INVALID_REQUEST: (
        *("1000", "1001", "1002", "1161", "1162", "2008", "4002"),
        *("1189", "1190", "2203", "2204"),
    ),
    ErrorKind.MODEL_NOT_FOUND: ("2061",),
    ErrorKind.NOT_ENTITLED: ("3018", "3021", "4003", "4010"),
    ErrorKind.UPSTREAM_ERROR: ("1014",),
    ErrorKind.UPLOAD_FAILED: ("3020",),
    ErrorKind.GENERATION_FAILED: ("2002", "2036", "5001", "5002"),
}
EVERY = [(code, kind) for kind, codes in ROWS.items() for code in codes]


def test_table_has_these_rows_and_no_others() -> None:
    assert {code: meaning.kind for code, meaning in MEANINGS.items()} == dict(EVERY)


@pytest.mark.parametrize(("code", "kind"), EVERY)
def test_envelope_error_keeps_its_number_and_has_a_message(code: str, kind: ErrorKind) -> None:
    error = envelope_error(code, "raw")
    assert (error.kind, error.code, error.detail) == (kind, code, "raw")
    assert error.message
    assert error.message.zh
    assert error.message.en


@pytest.mark.parametrize(("code", "kind"), EVERY)
def test_task_error_has_the_same_kind(code: str, kind: ErrorKind) -> None:
    error = task_error(Reason(code, message="网站说明"))
    assert (error.kind, error.code, error.detail) == (kind, code, "网站说明")


@pytest.mark.parametrize(
    ("code", "text"),
    [("5000", "积分不足"), ("1006", "积分不足"), ("2038", "内容违规"), ("5001", "生成失败"), ("", "生成失败")],
)
def test_short_messages_are_exact(code: str, text: str) -> None:
    assert text_of(task_error(Reason(code))) == text


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ("1015", ("登录已失效", "us-")),
        ("34010105", ("登录已失效", "前缀")),
        ("2061", ("不提供此模型", "/v1/models")),
        ("1161", ("多种语言",)),
        ("1162", ("不支持的语言",)),
        ("2003", ("内容违规", "输入的素材")),
        ("2004", ("内容违规", "生成结果")),
        ("2005", ("内容违规", "提示词")),
        ("-6", ("msToken", "X-Bogus", "本网关不生成")),
        ("34070104", ("msToken", "本网关不生成")),
        ("3000", ("地区", "代理")),
        ("1310", ("高峰期",)),
    ],
)
def test_message_of_a_number(code: str, parts: tuple[str, ...]) -> None:
    for error in (envelope_error(code, ""), task_error(Reason(code))):
        assert all(part in text_of(error) for part in parts)


@pytest.mark.parametrize("code", ["1000", "1162", "2004", "1159", "3018"])
def test_message_gives_the_next_step_in_both_languages(code: str) -> None:
    message = envelope_error(code, "").message
    assert message
    assert "请" in message.zh.replace("请求", "")
    assert ";" in message.en


def test_unavailable_model_does_not_pause_the_account() -> None:
    assert envelope_error("2061", "模型已不可用，请刷新界面后再试试").kind.blame is Blame.CALLER


def test_unknown_number_is_shown() -> None:
    error = task_error(Reason("98765"))
    assert error.kind is ErrorKind.GENERATION_FAILED
    assert text_of(error) == "生成失败 (错误码: 98765)"
    refusal = ErrorKind.UNKNOWN_REFUSAL
    for kind, unknown in (
        (ErrorKind.UPSTREAM_ERROR, envelope_error("98765", "odd")),
        (refusal, envelope_error("98765", "odd", unknown=refusal)),
        (refusal, submit_error(Reason("98765", message="odd"))),
    ):
        assert (unknown.kind, unknown.code, unknown.detail) == (kind, "98765", "odd")
        assert "98765" in text_of(unknown)


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        ("4001", "not enough credits", ErrorKind.NO_CREDITS),
        ("4001", "", ErrorKind.NO_CREDITS),
        ("4001", "content violates our policy", ErrorKind.CONTENT_REFUSED),
        ("4001", "内容违规", ErrorKind.CONTENT_REFUSED),
        ("4001", "credit policy", ErrorKind.NO_CREDITS),
        ("1006", "Not enough credits left or no relevant benefits", ErrorKind.NO_CREDITS),
        ("1006", "", ErrorKind.NO_CREDITS),
        ("1006", "invalid parameter", ErrorKind.INVALID_REQUEST),
    ],
)
def test_text_decides_the_meaning_of_an_ambiguous_number(code: str, text: str, kind: ErrorKind) -> None:
    assert code in TEXT_DECIDES
    assert envelope_error(code, text).kind is kind
    assert task_error(Reason(code, message=text)).kind is kind
    assert task_error(Reason(code, text=text)).kind is kind


@pytest.mark.parametrize("errmsg", ["login error", "Login Error: expired"])
@pytest.mark.parametrize("ret", ["777", "34010199"])
def test_login_error_under_an_unknown_number_is_an_invalid_credential(ret: str, errmsg: str) -> None:
    assert envelope_error(ret, errmsg).kind is ErrorKind.INVALID_CREDENTIAL
    assert envelope_error(ret, "another error").kind is ErrorKind.UPSTREAM_ERROR


class TestKeysAndMessages:
    @pytest.mark.parametrize("key", KEYS)
    def test_key_decides_without_a_number(self, key: str) -> None:
        assert task_error(Reason(key=key)).kind is KEYS[key].kind
        assert submit_error(Reason(key=key)).kind is KEYS[key].kind
        # The site has been seen to write a key into the field of the number.
        assert submit_error(Reason(code=key)).kind is KEYS[key].kind
        assert envelope_error("98765", "odd", {"fail_starling_key": key}).kind is KEYS[key].kind

    @pytest.mark.parametrize(("part", "meaning"), KEY_PARTS)
    def test_part_of_an_unknown_key_decides(self, part: str, meaning: Any) -> None:
        assert task_error(Reason(key=f"web_{part.upper()}_toast")).kind is meaning.kind

    @pytest.mark.parametrize(("part", "meaning"), MESSAGE_PARTS)
    def test_part_of_a_message_decides(self, part: str, meaning: Any) -> None:
        error = task_error(Reason(message=f"很抱歉，{part.title()}，请重试"))
        assert (error.kind, error.code) == (meaning.kind, "")

    def test_number_precedes_key_and_key_precedes_message(self) -> None:
        risk, text = "web_risk_control_message_reject_generation", "内容违规"
        assert task_error(Reason("2002", risk, text)).kind is ErrorKind.GENERATION_FAILED
        assert task_error(Reason("98765", risk, text)).kind is ErrorKind.RESTRICTED
        assert task_error(Reason("98765", "new_key", text)).kind is ErrorKind.CONTENT_REFUSED

    def test_unknown_key_is_shown(self) -> None:
        error = submit_error(Reason(key="web_new_toast"))
        assert (error.kind, error.detail) == (ErrorKind.UNKNOWN_REFUSAL, "web_new_toast")

    @pytest.mark.parametrize(
        ("key", "message", "kind"),
        [
            ("web_new_community_guidelines_toast", "", ErrorKind.CONTENT_REFUSED),
            ("web_new_copyright_toast", "", ErrorKind.CONTENT_REFUSED),
            ("web_image_not_pass_toast", "", ErrorKind.CONTENT_REFUSED),
            ("", "你输入的文字不符合平台规则", ErrorKind.CONTENT_REFUSED),
            ("", "内容审核未通过，请修改", ErrorKind.CONTENT_REFUSED),
            ("", "可能涉及版权", ErrorKind.CONTENT_REFUSED),
            ("model_parallel_limit", "", ErrorKind.TOO_MANY_RUNNING),
            ("", "Region not allow", ErrorKind.RESTRICTED),
        ],
    )
    def test_key_comes_before_the_sentence_at_the_submit_and_in_a_record(
        self, key: str, message: str, kind: ErrorKind
    ) -> None:
        reason = reason_of({"fail_code": "", "fail_starling_key": key, "fail_starling_message": message})
        assert submit_error(reason).kind is kind
        assert task_error(reason).kind is kind

    def test_number_comes_before_the_key_and_the_sentence(self) -> None:
        reason = Reason("2047", key="exceed_model_parallel_max", message="积分不足")
        assert submit_error(reason).kind is ErrorKind.CONTENT_REFUSED

    @pytest.mark.parametrize("errmsg", ["login error", "Login Error: expired", "not login"])
    def test_login_error_under_any_number_is_an_expired_login(self, errmsg: str) -> None:
        assert envelope_error("34999999", errmsg).kind is ErrorKind.INVALID_CREDENTIAL

    def test_other_fail_fields_are_a_reason_too(self) -> None:
        assert reason_of({"fail_code": 0, "fail_reason": "a new one"}) == Reason(text="a new one")
        assert not reason_of({"fail_code": "0", "fail_reason": "", "fail_count": 3})


class TestEnvelopeData:
    def test_message_of_the_site_is_shown(self) -> None:
        data = {"fail_code": "4013", "fail_starling_message": "Couldn't generate due to unusual activity."}
        error = envelope_error("-6", "shark not pass reject", data)
        assert (error.kind, error.code) == (ErrorKind.RESTRICTED, "-6")
        assert error.detail == "Couldn't generate due to unusual activity."
        assert "X-Bogus" in text_of(error)

    def test_permission_denied_without_browser_parameters_is_a_restriction(self) -> None:
        assert envelope_error("3018", "permission denied").kind is ErrorKind.NOT_ENTITLED
        proof = envelope_error("3018", "permission denied", {"aigc_data": None, "fail_code": "1017"})
        assert (proof.kind, proof.code) == (ErrorKind.RESTRICTED, "3018")
        assert "X-Bogus" in text_of(proof)

    def test_data_decides_for_an_unknown_number(self) -> None:
        assert envelope_error("98765", "x", {"fail_code": "2047"}).kind is ErrorKind.CONTENT_REFUSED
        assert envelope_error("1000", "x", {"fail_code": "2047"}).kind is ErrorKind.INVALID_REQUEST

    def test_secrets_are_removed_from_every_text(self) -> None:
        def redact(text: str) -> str:
            return text.replace("secret", "***")

        assert envelope_error("1", "my secret", redact=redact).detail == "my ***"
        assert envelope_error("1", "", {"fail_starling_message": "secret"}, redact=redact).detail == "***"
        error = submit_error(Reason("secret", message="a secret"), redact=redact)
        assert "secret" not in f"{error} {error.message}"


class TestCancelled:
    @pytest.mark.parametrize(
        ("text", "refunded"),
        [
            ("你已取消生成，积分已返还", True),
            ("You cancelled the generation. Your credits were returned.", True),
            ("你已取消生成", False),
            ("Your subscription was canceled", False),
            ("请取消勾选后重试", False),
            ("你已取消生成，积分不会返还", False),
            ("Cancelled. Your credits will not be returned.", False),
        ],
    )
    def test_refund_is_reported_only_if_the_site_reports_it(self, text: str, refunded: bool) -> None:
        message = task_error(Reason(message=text)).message
        assert message is not None
        assert ("返还" in message.zh, "returned" in message.en) == (refunded, refunded)

    @pytest.mark.parametrize("part", CANCEL_PARTS)
    def test_cancelled_record_is_recognised_by_its_message_or_key(self, part: str) -> None:
        for reason in (Reason(message=f"You: {part}!"), Reason(key=f"web_{part}_toast")):
            error = task_error(reason)
            assert (error.kind, error.code) == (ErrorKind.CANCELLED, "cancelled")

    @pytest.mark.parametrize("code", ["", "98765", "2002"])
    def test_cancelled_message_overrides_numbers_of_a_plain_failure(self, code: str) -> None:
        assert is_cancelled(Reason(code, message="你已取消生成，积分已返还"))

    @pytest.mark.parametrize("reason", [Reason("2038"), Reason(key="ErrMessage_APP_OutputVideoRisk"), Reason("1019")])
    def test_specific_meaning_overrides_a_cancelled_message(self, reason: Reason) -> None:
        reason = Reason(reason.code, reason.key, "已取消")
        assert not is_cancelled(reason)
        assert task_error(reason).kind is not ErrorKind.CANCELLED


def test_kinds_blame_account_caller_or_upstream() -> None:
    assert envelope_error("1019", "").kind.blame is Blame.ACCOUNT
    assert envelope_error("2003", "").kind.blame is Blame.CALLER
    assert envelope_error("5001", "").kind.blame is Blame.UPSTREAM


FIELDS = st.sampled_from(["fail_code", "fail_starling_key", "fail_starling_message", "fail_msg", "other"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from([*KEYS, *MEANINGS]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=10,
)


@given(VALUES, st.text(max_size=8) | st.sampled_from(sorted(MEANINGS)), st.text(max_size=20))
def test_any_data_makes_an_error(data: Any, ret: str, errmsg: str) -> None:
    reason = reason_of(data)
    for error in (envelope_error(ret, errmsg, data), submit_error(reason), task_error(reason)):
        assert isinstance(error, ProviderError)
        assert error.message
        assert isinstance(error.code, str) and isinstance(error.detail, str)


def text_of(error: ProviderError) -> str:
    assert error.message
    return error.message.zh
