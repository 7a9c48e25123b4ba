import re

import pytest

from providers.contract.errors import MAX_CODE, ErrorKind
from providers.dashscope.errors import (
    MAX_DETAIL,
    MEANINGS,
    STATUS_KINDS,
    Meaning,
    code_and_message,
    error_from,
    meaning_of,
    text_of,
)

CODES: list[tuple[int, str, ErrorKind]] = [
    (400, "InvalidParameter", ErrorKind.INVALID_REQUEST),
    (400, "InvalidParameter.DataInspection", ErrorKind.INVALID_REQUEST),
    (400, "DataInspectionFailed", ErrorKind.CONTENT_REFUSED),
    (400, "data_inspection_failed", ErrorKind.CONTENT_REFUSED),
    (400, "IPInfringementSuspect", ErrorKind.CONTENT_REFUSED),
    (400, "InvalidURL", ErrorKind.INVALID_REQUEST),
    (400, "InvalidURL.ConnectionRefused", ErrorKind.INVALID_REQUEST),
    (400, "InvalidURL.Timeout", ErrorKind.INVALID_REQUEST),
    (400, "InvalidFile.DownloadFailed", ErrorKind.INVALID_REQUEST),
    (400, "InvalidFile.NoHuman", ErrorKind.INVALID_REQUEST),
    (400, "InvalidFile.SomethingNew", ErrorKind.INVALID_REQUEST),
    (400, "InvalidImage.Size", ErrorKind.INVALID_REQUEST),
    (400, "InvalidImageResolution", ErrorKind.INVALID_REQUEST),
    (400, "InvalidImageFormat", ErrorKind.INVALID_REQUEST),
    (400, "InvalidPerson", ErrorKind.INVALID_REQUEST),
    (400, "BadRequest.EmptyInput", ErrorKind.INVALID_REQUEST),
    (400, "BadRequest.TooLarge", ErrorKind.INVALID_REQUEST),
    (400, "Arrearage", ErrorKind.NO_CREDITS),
    (400, "UnsupportedOperation", ErrorKind.INVALID_REQUEST),
    (400, "CustomRoleBlocked", ErrorKind.CONTENT_REFUSED),
    (400, "FaqRuleBlocked", ErrorKind.CONTENT_REFUSED),
    (401, "InvalidApiKey", ErrorKind.INVALID_CREDENTIAL),
    (401, "invalid_api_key", ErrorKind.INVALID_CREDENTIAL),
    (401, "NOT AUTHORIZED", ErrorKind.NOT_ENTITLED),
    (403, "AccessDenied", ErrorKind.NOT_ENTITLED),
    (403, "access_denied", ErrorKind.NOT_ENTITLED),
    (403, "AccessDenied.Unpurchased", ErrorKind.NOT_ENTITLED),
    (403, "Model.AccessDenied", ErrorKind.NOT_ENTITLED),
    (403, "Workspace.AccessDenied", ErrorKind.NOT_ENTITLED),
    (403, "App.AccessDenied", ErrorKind.NOT_ENTITLED),
    (403, "AllocationQuota.FreeTierOnly", ErrorKind.NO_CREDITS),
    (404, "ModelNotFound", ErrorKind.MODEL_NOT_FOUND),
    (404, "model_not_found", ErrorKind.MODEL_NOT_FOUND),
    (404, "model_not_supported", ErrorKind.MODEL_NOT_FOUND),
    (404, "WorkSpaceNotFound", ErrorKind.NOT_ENTITLED),
    (404, "NotFound", ErrorKind.MODEL_NOT_FOUND),
    (409, "Conflict", ErrorKind.INVALID_REQUEST),
    (429, "Throttling", ErrorKind.RATE_LIMITED),
    (429, "Throttling.RateQuota", ErrorKind.RATE_LIMITED),
    (429, "LimitRequests", ErrorKind.RATE_LIMITED),
    (429, "limit_requests", ErrorKind.RATE_LIMITED),
    (429, "Throttling.BurstRate", ErrorKind.RATE_LIMITED),
    (429, "limit_burst_rate", ErrorKind.RATE_LIMITED),
    (429, "Throttling.AllocationQuota", ErrorKind.RATE_LIMITED),
    (429, "insufficient_quota", ErrorKind.RATE_LIMITED),
    (429, "CommodityNotPurchased", ErrorKind.NO_CREDITS),
    (429, "PrepaidBillOverdue", ErrorKind.NO_CREDITS),
    (429, "PostpaidBillOverdue", ErrorKind.NO_CREDITS),
    (500, "InternalError", ErrorKind.UPSTREAM_ERROR),
    (500, "InternalError.Algo", ErrorKind.UPSTREAM_ERROR),
    (500, "InternalError.FileUpload", ErrorKind.UPSTREAM_ERROR),
    (500, "InternalError.Timeout", ErrorKind.GENERATION_FAILED),
    (500, "SystemError", ErrorKind.UPSTREAM_ERROR),
    (500, "ModelServiceFailed", ErrorKind.UPSTREAM_ERROR),
    (500, "RewriteFailed", ErrorKind.UPSTREAM_ERROR),
    (500, "RequestTimeOut", ErrorKind.UPSTREAM_ERROR),
    (500, "ResponseTimeout", ErrorKind.UPSTREAM_ERROR),
    (503, "ModelServingError", ErrorKind.UPSTREAM_ERROR),
    (503, "ModelUnavailable", ErrorKind.UPSTREAM_ERROR),
]


@pytest.mark.parametrize(("status", "code", "kind"), CODES)
def test_documented_code(status: int, code: str, kind: ErrorKind) -> None:
    for given in (status, None):
        error = error_from(given, code, "message", 3.0)
        assert (error.kind, error.code, error.detail, error.retry_after) == (kind, code, "message", 3.0)
        assert error.message is not None


@pytest.mark.parametrize("row", MEANINGS, ids=lambda row: f"{row.code} {' '.join(row.phrases)}".strip())
def test_every_row_is_reachable_and_has_both_languages(row: Meaning) -> None:
    code = row.code.replace("*", ".Anything")
    for phrase in row.phrases or ("",):
        assert meaning_of(code.swapcase(), phrase.upper()) is row
    assert re.search(r"[\u4e00-\u9fff]", row.message.zh)
    assert row.message.en.isascii()
    assert not row.message.zh.endswith("。")
    if row.kind is ErrorKind.CONTENT_REFUSED:
        assert row.message.zh.startswith("内容违规")


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Allocated quota exceeded, please increase your quota limit.", ErrorKind.RATE_LIMITED),
        ("Free allocated quota exceeded.", ErrorKind.NO_CREDITS),
        ("Insufficient quota.", ErrorKind.NO_CREDITS),
        ("token-plan 1-week quota has been exhausted, resets on 2026-09-21.", ErrorKind.NO_CREDITS),
        ("The monthly quota is used up.", ErrorKind.NO_CREDITS),
        ("You have run out of quota.", ErrorKind.NO_CREDITS),
        ("套餐额度已用完", ErrorKind.NO_CREDITS),
        ("本周额度已耗尽", ErrorKind.NO_CREDITS),
        ("配额已用尽", ErrorKind.NO_CREDITS),
    ],
)
@pytest.mark.parametrize("code", ["Throttling.AllocationQuota", "insufficient_quota"])
def test_allocation_quota_is_a_rate_limit_or_a_balance(code: str, message: str, kind: ErrorKind) -> None:
    assert error_from(429, code, message).kind is kind


@pytest.mark.parametrize(
    ("status", "code", "message", "model_only"),
    [
        (429, "Throttling.RateQuota", "Requests rate limit exceeded, please try again later.", True),
        (429, "limit_requests", "You exceeded your current requests list.", True),
        (429, "LimitRequests", "", True),
        (429, "Throttling.BurstRate", "Request rate increased too quickly.", True),
        (429, "limit_burst_rate", "", True),
        (429, "Throttling.AllocationQuota", "Allocated quota exceeded, please increase your quota limit.", True),
        (403, "AllocationQuota.FreeTierOnly", "The free tier of the model has been exhausted.", True),
        (429, "Throttling", "slow down", False),
        (429, "Throttling.OfTheFuture", "slow down", False),
        (429, "Throttling.AllocationQuota", "token-plan 1-week quota has been exhausted", False),
        (429, "Throttling.RateQuota", "1-month quota has been exhausted", False),
        (
            429,
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details.",
            True,
        ),
        (429, "insufficient_quota", "token-plan 1-week quota has been exhausted", False),
        (400, "Arrearage", "", False),
        (401, "InvalidApiKey", "", False),
    ],
)
def test_limit_of_one_model_is_told_from_one_of_the_account(
    status: int, code: str, message: str, model_only: bool
) -> None:
    assert error_from(status, code, message).model_only is model_only


@pytest.mark.parametrize(
    "code", ["Throttling", "Throttling.RateQuota", "Throttling.BurstRate", "Throttling.AllocationQuota"]
)
def test_exhausted_quota_is_not_a_rate_limit(code: str) -> None:
    assert error_from(429, code, "1-month quota has been exhausted").kind is ErrorKind.NO_CREDITS
    assert error_from(429, code, "Requests rate limit exceeded, please try again later.").kind is ErrorKind.RATE_LIMITED


@pytest.mark.parametrize("code", ["Throttling", "Throttling.RateQuota", "Throttling.BurstRate"])
@pytest.mark.parametrize(
    "message",
    [
        "Insufficient model capacity, please try again later.",
        "Too many requests: the computing resources are exhausted.",
        "The model's concurrency is used up.",
        "系统资源已耗尽，请稍后重试",
    ],
)
def test_busy_model_is_a_rate_limit(code: str, message: str) -> None:
    assert error_from(429, code, message).kind is ErrorKind.RATE_LIMITED


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("InternalError.Algo.InvalidParameter", ErrorKind.INVALID_REQUEST),
        ("InternalError.Algo.DataInspectionFailed", ErrorKind.CONTENT_REFUSED),
        ("InternalError.DataInspectionFailed", ErrorKind.CONTENT_REFUSED),
        ("InternalError.Algo.Video.DataInspectionFailed", ErrorKind.CONTENT_REFUSED),
        ("InternalError.Algo.InvalidFile.Duration", ErrorKind.INVALID_REQUEST),
    ],
)
def test_last_part_of_an_internal_error_decides(code: str, kind: ErrorKind) -> None:
    for status in (400, 500, None):
        assert error_from(status, code, "").kind is kind
    for outer in ("InternalError", "InvalidParameter", "SystemError", ""):
        assert error_from(None, outer, f"<400> {code}: something").kind is kind


@pytest.mark.parametrize(
    ("code", "failed"),
    [
        ("InternalError", ErrorKind.UPSTREAM_ERROR),
        ("InternalError.Algo", ErrorKind.UPSTREAM_ERROR),
        ("InternalError.Algo.Timeout", ErrorKind.UPSTREAM_ERROR),
        ("InternalError.Timeout", ErrorKind.GENERATION_FAILED),
        ("InternalError.Algo.Brand.New", ErrorKind.UPSTREAM_ERROR),
        ("SystemError", ErrorKind.UPSTREAM_ERROR),
        ("ModelServingError", ErrorKind.UPSTREAM_ERROR),
    ],
)
def test_client_error_is_a_refusal_whatever_its_code(code: str, failed: ErrorKind) -> None:
    for status in (None, 408, 413, 425, 499, 500, 503):
        assert error_from(status, code, "why").kind is failed
    for status, kind in [(400, ErrorKind.INVALID_REQUEST), (422, ErrorKind.INVALID_REQUEST), *STATUS_KINDS.items()]:
        error = error_from(status, code, "why")
        assert (error.kind, error.code, error.message, error.detail) == (kind, code, None, "why")


def test_error_of_the_account_outweighs_a_code_in_the_message() -> None:
    error = error_from(400, "Arrearage", "<400> InternalError.Algo.InvalidParameter: Failed to download")
    assert error.kind is ErrorKind.NO_CREDITS


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("InvalidParameter", "Failed to download image from https://h/a.png"),
        ("InternalError.Algo.InvalidParameter", "Failed to download multimodal content"),
        (
            "InvalidParameter.DataInspection",
            "Unable to download the media resource during the inspection.",
        ),
        ("InvalidParameter", "No connection adapters were found for 'oss://dashscope-instant/a/b.png'"),
        ("InvalidFile.DownloadFailed", ""),
        ("InvalidURL", "Failed to download file https://h/a.png"),
        ("BadRequest.IllegalInput", "Download failed: 403"),
        ("InternalError.Algo", "Failed to download multimodal content"),
        ("InternalError", "<400> InternalError.Algo: Failed to download multimodal content"),
        ("Brand.New", "Failed to download multimodal content"),
        ("", "素材下载失败"),
    ],
)
def test_input_that_cannot_be_downloaded_has_its_own_message(code: str, message: str) -> None:
    for status in (400, None):
        error = error_from(status, code, message)
        assert error.kind is ErrorKind.INVALID_REQUEST
        assert error.message == error_from(400, "InvalidURL.Timeout", "").message


@pytest.mark.parametrize("status", [403, 408, 413, 429, 500, 503])
def test_download_phrase_does_not_outweigh_another_status(status: int) -> None:
    plain = error_from(status, "SystemError", "why")
    error = error_from(status, "SystemError", "Failed to download multimodal content")
    assert (error.kind, error.message) == (plain.kind, plain.message)


def test_missing_model_is_not_an_invalid_parameter() -> None:
    assert error_from(400, "InvalidParameter", "Model not exist.").kind is ErrorKind.MODEL_NOT_FOUND


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (None, ErrorKind.GENERATION_FAILED),
        (200, ErrorKind.UPSTREAM_ERROR),
        (302, ErrorKind.UPSTREAM_ERROR),
        (400, ErrorKind.INVALID_REQUEST),
        (401, ErrorKind.INVALID_CREDENTIAL),
        (403, ErrorKind.NOT_ENTITLED),
        (404, ErrorKind.MODEL_NOT_FOUND),
        (409, ErrorKind.INVALID_REQUEST),
        (429, ErrorKind.RATE_LIMITED),
        (500, ErrorKind.UPSTREAM_ERROR),
        (503, ErrorKind.UPSTREAM_ERROR),
    ],
)
@pytest.mark.parametrize("code", ["Strange.New", ""])
def test_kind_of_an_unknown_code_follows_the_status(status: int | None, kind: ErrorKind, code: str) -> None:
    error = error_from(status, code, "why")
    assert (error.kind, error.code, error.message, error.detail) == (kind, code, None, "why")


@pytest.mark.parametrize("status", [408, 413, 425, 499])
@pytest.mark.parametrize("code", ["Strange.New", ""])
def test_status_of_a_server_in_between_is_no_refusal_of_the_parameters(status: int, code: str) -> None:
    error = error_from(status, code, "why")
    assert (error.kind, error.detail) == (ErrorKind.UPSTREAM_ERROR, "why")
    assert error.message is not None
    assert "proxy" in error.message.en
    # The service's own word counts, whatever the status.
    assert error_from(status, "InvalidParameter", "why").kind is ErrorKind.INVALID_REQUEST


def test_prefix_matches_only_at_the_start() -> None:
    assert meaning_of("MyThrottling") is None
    assert meaning_of("DataInspectionFailed.Other") is None


def test_long_texts_are_truncated() -> None:
    error = error_from(400, "x" * 10_000, "y" * 10_000)
    assert (len(error.code), len(error.detail)) == (MAX_CODE, MAX_DETAIL)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"code": "A", "message": "b", "request_id": "r"}, ("A", "b")),
        ({"error": {"code": "A", "message": "b", "type": "t", "param": None}}, ("A", "b")),
        ({"code": 5000, "message": None}, ("5000", "")),
        ({"code": True, "message": ["x"]}, ("", "")),
        ({"error": "no"}, ("", "")),
        ([], ("", "")),
        (None, ("", "")),
        ("text", ("", "")),
    ],
)
def test_code_and_message(body: object, expected: tuple[str, str]) -> None:
    assert code_and_message(body) == expected


def test_number_too_long_to_convert_is_empty_text() -> None:
    assert text_of(10**5000) == ""
