"""The error table of the HTTP contract, and error bodies."""

import pytest

from gateway.core.errors import (
    CODES,
    ERROR_SPECS,
    GatewayError,
    as_transient,
    clean,
    describe,
    from_provider,
    gateway_error,
    invalid,
)
from gateway.core.messages import ERRORS
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, FieldProblem, FieldReason, ProviderError
from providers.contract.localized_text import LocalizedText

CONTRACT = {
    "invalid_value": (400, False),
    "unsupported_parameter": (400, False),
    "invalid_api_key": (401, False),
    "content_policy_violation": (400, False),
    "account_restricted": (403, False),
    "model_not_found": (404, False),
    "task_not_found": (404, False),
    "not_found": (404, False),
    "not_ready": (400, False),
    "not_cancellable": (409, False),
    "too_large": (413, False),
    "insufficient_quota": (429, False),
    "rate_limit_exceeded": (429, True),
    "upstream_unavailable": (502, True),
    "submission_unconfirmed": (504, False),
}


@pytest.mark.parametrize(("code", "row"), CONTRACT.items())
def test_error_table_matches_the_contract(code: str, row: tuple[int, bool]) -> None:
    assert (ERROR_SPECS[code].status, ERROR_SPECS[code].should_retry) == row


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "upstream_unavailable"])
def test_retryable_errors_have_a_retry_after(code: str) -> None:
    assert int(GatewayError(code).headers()["retry-after"]) >= 1
    assert GatewayError(code).headers()["x-should-retry"] == "true"
    # A client that heeds it must not come too early.
    assert GatewayError(code, retry_after=7.4).headers()["retry-after"] == "8"


def test_other_errors_have_no_retry_after() -> None:
    assert GatewayError("insufficient_quota").headers() == {"x-should-retry": "false"}


@pytest.mark.parametrize("kind", ErrorKind)
def test_every_error_kind_has_a_code_and_a_message(kind: ErrorKind) -> None:
    error = from_provider(ProviderError(kind))
    assert error.code in ERROR_SPECS
    assert describe(ProviderError(kind), "zh") != describe(ProviderError(kind), "en")
    assert CODES[kind] == error.code


def test_body_has_the_form_of_the_openai_libraries() -> None:
    error = from_provider(
        ProviderError(
            ErrorKind.NO_CREDITS,
            code="5000",
            message=LocalizedText("积分不足", "Not enough credits"),
            detail="额度用完",
        )
    )
    assert error.body("zh", "req_1") == {
        "error": {
            "message": "积分不足：额度用完",
            "type": "insufficient_quota",
            "code": "insufficient_quota",
            "param": None,
            "request_id": "req_1",
            "upstream_code": "5000",
        }
    }
    assert error.message("en") == "Not enough credits: 额度用完"


def test_detail_equal_to_the_message_is_not_repeated() -> None:
    error = ProviderError(ErrorKind.NO_CREDITS, message=LocalizedText("积分不足", "x"), detail="积分不足")
    assert describe(error, "zh") == "积分不足"


def test_invalid_fields_are_named() -> None:
    fields = [
        FieldProblem("duration", FieldReason.NOT_ALLOWED, ("5",), "7"),
        FieldProblem("seed", FieldReason.UNSUPPORTED),
    ]
    error = from_provider(ProviderError(ErrorKind.INVALID_REQUEST, fields=fields))
    assert (error.code, error.param) == ("invalid_value", "duration")
    assert "seed" in error.message("en")
    assert invalid(fields[1:]).code == "unsupported_parameter"


def test_unknown_model_is_named() -> None:
    assert "gpt-9" in from_provider(ProviderError(ErrorKind.MODEL_NOT_FOUND), "gpt-9").message("en")


@pytest.mark.parametrize("key", ["no_credential", "unknown_key", "invalid_credential_format"])
def test_errors_of_callers_are_401(key: str) -> None:
    assert (gateway_error(key).code, gateway_error(key).message("zh")) == ("invalid_api_key", ERRORS[key].zh)


def test_messages_match_the_contract() -> None:
    assert gateway_error("no_credential").message("zh") == "未提供认证令牌"
    assert GatewayError("task_not_found").message("zh") == "任务不存在或已过期"
    assert GatewayError("invalid_api_key").message("zh") == "API认证失败，请检查配置"


def test_every_text_of_an_upstream_error_is_redacted() -> None:
    key = "sk-ab12f3e4c5d6b7a8cd34"
    error = ProviderError(
        ErrorKind.UNKNOWN_REFUSAL,
        code=f"bad-{key}",
        detail="x" * 290 + f" provided: {key[:7]}********{key[-4:]}",
        message=LocalizedText(f"被拒绝 (错误码: {key})", f"Refused (code {key[:8]}...)"),
    )
    clean(error, Account("scripted", key))
    assert (error.code, error.message) == ("bad-***", LocalizedText("被拒绝 (错误码: ***)", "Refused (code ***)"))
    assert error.detail == ("x" * 290 + " provided: ***")[:300]


def test_transient_error_keeps_the_message_of_an_unreachable_upstream() -> None:
    message = LocalizedText("归档暂时无法访问", "The archive is unavailable")
    assert describe(as_transient(ProviderError(ErrorKind.UNREACHABLE, message=message)), "en") == message.en
    assert as_transient(ProviderError(ErrorKind.NO_CREDITS, message=message)).message is None
