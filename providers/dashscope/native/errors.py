"""Errors in the service's words. Pure."""

import re

from providers.contract.errors import Blame, ErrorKind, ProviderError
from providers.contract.native import NativeAnswer, NativeError
from providers.dashscope.errors import meaning_of

INTERNAL = "InternalError"

_CODES: dict[str, tuple[int, str]] = {
    "content_policy_violation": (400, "DataInspectionFailed"),
    "invalid_api_key": (401, "InvalidApiKey"),
    "account_restricted": (403, "AccessDenied"),
    "not_found": (404, "NotFound"),
    "model_not_found": (404, "ModelNotFound"),
    "task_not_found": (400, "UnsupportedOperation"),
    "method_not_allowed": (405, "MethodNotAllowed"),
    "not_cancellable": (400, "UnsupportedOperation"),
    "idempotency_mismatch": (409, "Conflict"),
    "too_large": (400, "BadRequest.TooLarge"),
    "request_timeout": (408, "RequestTimeOut"),
    "insufficient_quota": (400, "Arrearage"),
    "rate_limit_exceeded": (429, "Throttling.RateQuota"),
    "upstream_unavailable": (503, "ModelUnavailable"),
    "too_many_connections": (503, "ModelUnavailable"),
    "submission_unconfirmed": (500, "ResponseTimeout"),
}
"""HTTP status and code of the service, by the gateway's code. Of the others, 4xx are InvalidParameter."""

_OWN_WORDS = frozenset({"upstream_unavailable", "submission_unconfirmed"})
"""Errors that say whether something was created. What the upstream said instead would mislead."""

_STATUSES: tuple[tuple[str, int], ...] = (
    ("InvalidApiKey", 401),
    ("NOT AUTHORIZED", 401),
    ("AccessDenied", 403),
    ("Model.AccessDenied", 403),
    ("Workspace.AccessDenied", 403),
    ("App.AccessDenied", 403),
    ("AllocationQuota.FreeTierOnly", 403),
    ("ModelNotFound", 404),
    ("WorkSpaceNotFound", 404),
    ("NotFound", 404),
    ("Conflict", 409),
    ("Throttling", 429),
    ("CommodityNotPurchased", 429),
    ("PrepaidBillOverdue", 429),
    ("PostpaidBillOverdue", 429),
    ("ModelServingError", 503),
    ("ModelUnavailable", 503),
)
"""HTTP status of the service's codes by their beginnings. Others are 400, or 500 where the fault is the service's."""

_CODE = re.compile(r"[A-Z][A-Za-z]*(?:[. ][A-Za-z]+)*")
"""The service's codes are words, those of other upstreams are numbers."""


def invalid_parameter(text: str) -> ProviderError:
    """The service's error for a parameter."""
    return ProviderError(ErrorKind.INVALID_REQUEST, code="InvalidParameter", detail=text)


def error_answer(error: NativeError) -> NativeAnswer:
    """Status and body of an error: code and text are the service's where the error comes from it."""
    upstream = error.upstream_code
    meaning = meaning_of(upstream, error.detail) if upstream else None
    if upstream and error.code not in _OWN_WORDS and (meaning is not None or _CODE.fullmatch(upstream)):
        beginnings = [status for beginning, status in _STATUSES if upstream.startswith(beginning)]
        fault = meaning.kind.blame is Blame.UPSTREAM if meaning is not None else error.status >= 500
        status = beginnings[0] if beginnings else 500 if fault else 400
        return NativeAnswer(status, {"code": upstream, "message": error.detail or error.message})
    fallback = (500, INTERNAL) if error.status >= 500 else (error.status, "InvalidParameter")
    status, code = _CODES.get(error.code, fallback)
    return NativeAnswer(status, {"code": code, "message": error.message})
