"""What each error response of ModelScope means."""

import pytest

from providers.contract.errors import ErrorKind
from providers.modelscope.errors import ACCOUNT_REMAINING, MODEL_REMAINING, error_of
from providers.openai_compatible import Failure

MODEL_QUOTA = "You have exceeded today's quota for model Qwen/Qwen3-8B, please try again tomorrow"


@pytest.mark.parametrize(
    ("status", "message", "kind", "model_only"),
    [
        (401, "Authentication failed, please make sure …", ErrorKind.INVALID_CREDENTIAL, False),
        (400, "Model id : x/y , has no provider supported", ErrorKind.MODEL_NOT_FOUND, False),
        (404, "Not found", ErrorKind.MODEL_NOT_FOUND, False),
        (403, "Forbidden", ErrorKind.NOT_ENTITLED, False),
        (400, "messages is required", ErrorKind.INVALID_REQUEST, False),
        (422, "messages is required", ErrorKind.INVALID_REQUEST, False),
        (429, MODEL_QUOTA, ErrorKind.DAILY_LIMIT, True),
        (429, "You have exceeded today's quota, please try again tomorrow", ErrorKind.DAILY_LIMIT, False),
        (429, "Request limit exceeded.", ErrorKind.RATE_LIMITED, True),
        (429, "You exceeded your current quota, please check your plan", ErrorKind.RATE_LIMITED, True),
        (402, "Insufficient magicube balance", ErrorKind.NO_CREDITS, False),
        (400, "Input text may contain inappropriate content", ErrorKind.CONTENT_REFUSED, False),
        (500, "Internal error", ErrorKind.UPSTREAM_ERROR, False),
        (408, "timeout", ErrorKind.UPSTREAM_ERROR, False),
    ],
)
def test_message_and_status_give_the_kind(status: int, message: str, kind: ErrorKind, model_only: bool) -> None:
    error = error_of(Failure(status, "", message, {}, None))
    assert (error.kind, error.model_only, error.detail) == (kind, model_only, message)


@pytest.mark.parametrize(
    ("account", "model", "kind", "model_only"),
    [
        ("0", "0", ErrorKind.DAILY_LIMIT, False),
        ("1500", "0", ErrorKind.DAILY_LIMIT, True),
        ("1500", "12", ErrorKind.RATE_LIMITED, True),
    ],
)
def test_quota_headers_tell_the_account_from_the_model(
    account: str, model: str, kind: ErrorKind, model_only: bool
) -> None:
    headers = {ACCOUNT_REMAINING: account, MODEL_REMAINING: model}
    error = error_of(Failure(429, "", "Too many requests", headers, 7.0))
    assert (error.kind, error.model_only, error.retry_after) == (kind, model_only, 7.0)


def test_quota_headers_of_other_errors_do_not_count() -> None:
    assert error_of(Failure(400, "", "x", {ACCOUNT_REMAINING: "0"}, None)).kind is ErrorKind.INVALID_REQUEST
