"""Errors of DashScope's own API, of the service, of the gateway and of other upstreams."""

import pytest

from providers.contract.native import NativeError
from providers.dashscope.native.errors import error_answer


@pytest.mark.parametrize(
    ("upstream", "detail", "status"),
    [
        ("InvalidApiKey", "Invalid API-key provided.", 401),
        ("Arrearage", "Access denied", 400),
        ("AccessDenied.Unpurchased", "Access denied", 403),
        ("AllocationQuota.FreeTierOnly", "free tier", 403),
        ("Throttling.RateQuota", "Requests rate limit exceeded", 429),
        ("ModelNotFound", "Model not exist.", 404),
        ("DataInspectionFailed", "inappropriate", 400),
        ("InternalError.Algo", "failed", 500),
        ("ModelUnavailable", "busy", 503),
        ("NewCode.Of.Theirs", "new", 400),
    ],
)
def test_error_of_the_service_is_its_own(upstream: str, detail: str, status: int) -> None:
    answer = error_answer(NativeError("rate_limit_exceeded", 429, "ours", upstream, detail))
    assert answer == (status, {"code": upstream, "message": detail})


@pytest.mark.parametrize(
    ("code", "status", "native"),
    [
        ("invalid_value", 400, (400, "InvalidParameter")),
        ("too_large", 413, (400, "BadRequest.TooLarge")),
        ("invalid_api_key", 401, (401, "InvalidApiKey")),
        ("insufficient_quota", 429, (400, "Arrearage")),
        ("rate_limit_exceeded", 429, (429, "Throttling.RateQuota")),
        ("not_found", 404, (404, "NotFound")),
        ("model_not_found", 404, (404, "ModelNotFound")),
        ("not_cancellable", 409, (400, "UnsupportedOperation")),
        ("idempotency_mismatch", 409, (409, "Conflict")),
        ("internal_error", 500, (500, "InternalError")),
        ("upstream_error", 502, (500, "InternalError")),
    ],
)
def test_error_of_the_gateway_or_another_upstream_has_a_code_of_the_service(
    code: str, status: int, native: tuple[int, str]
) -> None:
    answer = error_answer(NativeError(code, status, "ours", "5000", "theirs"))
    assert answer == (native[0], {"code": native[1], "message": "ours"})


def test_unknown_outcome_of_a_submit_is_said_in_the_words_of_the_gateway() -> None:
    """What the service said, "please try again later", would cost a second video."""
    error = NativeError("submission_unconfirmed", 504, "it may be charged", "InternalError", "please try again")
    assert error_answer(error) == (500, {"code": "ResponseTimeout", "message": "it may be charged"})
