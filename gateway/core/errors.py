"""Errors: one table maps stable codes to HTTP, one maps kinds of upstream failure to codes.

GatewayError        an error of a route; it becomes the error body
ProviderError       an upstream's error; `from_provider` turns it into a GatewayError
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.core.localization import Language, describe_problems, localize
from gateway.core.messages import ERRORS, QUERY_FAILED
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, FieldProblem, FieldReason, ProviderError
from providers.contract.localized_text import LocalizedText


@dataclass(frozen=True, slots=True)
class ErrorSpec:
    """The HTTP form of a code: status, OpenAI's error type, and whether and after how many seconds to retry."""

    status: int
    type: str
    should_retry: bool = False
    retry_after: float | None = None


ERROR_SPECS: dict[str, ErrorSpec] = {
    "invalid_value": ErrorSpec(400, "invalid_request_error"),
    "unsupported_parameter": ErrorSpec(400, "invalid_request_error"),
    "conflict": ErrorSpec(400, "invalid_request_error"),
    "content_policy_violation": ErrorSpec(400, "invalid_request_error"),
    "not_ready": ErrorSpec(400, "invalid_request_error"),
    "invalid_api_key": ErrorSpec(401, "authentication_error"),
    "account_restricted": ErrorSpec(403, "permission_error"),
    "not_found": ErrorSpec(404, "not_found_error"),
    "model_not_found": ErrorSpec(404, "not_found_error"),
    "task_not_found": ErrorSpec(404, "not_found_error"),
    "method_not_allowed": ErrorSpec(405, "invalid_request_error"),
    "not_cancellable": ErrorSpec(409, "invalid_request_error"),
    "idempotency_mismatch": ErrorSpec(409, "invalid_request_error"),
    "too_large": ErrorSpec(413, "invalid_request_error"),
    "request_timeout": ErrorSpec(408, "invalid_request_error"),
    "range_not_satisfiable": ErrorSpec(416, "invalid_request_error"),
    "upgrade_required": ErrorSpec(426, "invalid_request_error"),
    "headers_too_large": ErrorSpec(431, "invalid_request_error"),
    "insufficient_quota": ErrorSpec(429, "insufficient_quota"),
    "rate_limit_exceeded": ErrorSpec(429, "rate_limit_error", should_retry=True, retry_after=30),
    "internal_error": ErrorSpec(500, "server_error"),
    "not_supported": ErrorSpec(501, "invalid_request_error"),
    "generation_failed": ErrorSpec(502, "server_error"),
    "upstream_error": ErrorSpec(502, "server_error"),
    "upstream_unavailable": ErrorSpec(502, "server_error", should_retry=True, retry_after=5),
    "too_many_connections": ErrorSpec(503, "server_error", should_retry=True, retry_after=5),
    "submission_unconfirmed": ErrorSpec(504, "server_error"),
}

CODES: dict[ErrorKind, str] = {
    ErrorKind.INVALID_REQUEST: "invalid_value",
    ErrorKind.CONTENT_REFUSED: "content_policy_violation",
    ErrorKind.MODEL_NOT_FOUND: "model_not_found",
    ErrorKind.TASK_NOT_FOUND: "task_not_found",
    ErrorKind.NOT_CANCELLABLE: "not_cancellable",
    ErrorKind.CANCELLED: "generation_failed",
    ErrorKind.INVALID_CREDENTIAL: "invalid_api_key",
    ErrorKind.NO_CREDITS: "insufficient_quota",
    ErrorKind.RATE_LIMITED: "rate_limit_exceeded",
    ErrorKind.TOO_MANY_RUNNING: "rate_limit_exceeded",
    ErrorKind.RESTRICTED: "account_restricted",
    ErrorKind.NOT_ENTITLED: "account_restricted",
    ErrorKind.DAILY_LIMIT: "insufficient_quota",
    ErrorKind.GENERATION_FAILED: "generation_failed",
    ErrorKind.UPSTREAM_ERROR: "upstream_error",
    ErrorKind.UNKNOWN_REFUSAL: "upstream_error",
    ErrorKind.UPLOAD_FAILED: "upstream_unavailable",
    ErrorKind.UNREACHABLE: "upstream_unavailable",
    ErrorKind.ANSWER_LOST: "submission_unconfirmed",
}
"""The code of a failed submit by error kind. For most of them a poll returns a stale status instead."""

_KIND_MESSAGES: dict[ErrorKind, str] = {
    ErrorKind.INVALID_REQUEST: "invalid_request",
    ErrorKind.CANCELLED: "cancelled",
    ErrorKind.UPLOAD_FAILED: "upload_failed",
}
"""Message keys of the error kinds whose message differs from that of their code."""

_MAX_RETRY_AFTER = 86_400


class GatewayError(Exception):
    """An error response. `text` may hold placeholders, filled from `values`. `log_fields` go to the access log only."""

    def __init__(
        self,
        code: str,
        text: LocalizedText | None = None,
        *,
        param: str | None = None,
        problems: Sequence[FieldProblem] = (),
        upstream_code: str = "",
        detail: str = "",
        retry_after: float | None = None,
        values: Mapping[str, object] | None = None,
        log_fields: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.text = text or ERRORS[code]
        self.param = param
        self.problems = tuple(problems)
        self.upstream_code = upstream_code
        self.detail = detail
        self.retry_after = retry_after
        self.values = dict(values or {})
        self._log_fields = dict(log_fields or {})

    def rename_fields(self, names: Mapping[str, str]) -> None:
        """Name the fields as the client called them. `names` maps our names to the client's."""
        self.problems = tuple(replace(one, param=names.get(one.param, one.param)) for one in self.problems)
        if self.param is not None:
            self.param = names.get(self.param, self.param)

    def add_log_fields(self, fields: Mapping[str, str]) -> None:
        """Add fields to the access log line of the request."""
        self._log_fields |= fields

    @property
    def spec(self) -> ErrorSpec:
        return ERROR_SPECS[self.code]

    def message(self, language: Language) -> str:
        if self.problems:
            return describe_problems(self.problems, language)
        return with_detail(localize(self.text, language, **self.values), self.detail, language)

    def body(self, language: Language, request_id: str) -> dict[str, Any]:
        """OpenAI's error body, `{"error": {…}}`, with `upstream_code` where the upstream gave one."""
        error: dict[str, Any] = {
            "message": self.message(language),
            "type": self.spec.type,
            "code": self.code,
            "param": self.param,
            "request_id": request_id,
        }
        if self.upstream_code:
            error["upstream_code"] = self.upstream_code
        return {"error": error}

    def log_fields(self) -> dict[str, str]:
        """The fields for the access log; empty ones are left out."""
        fields = {"code": self.code, "param": self.param or "", "upstream_code": self.upstream_code}
        return self._log_fields | {name: value for name, value in fields.items() if value}

    def headers(self) -> dict[str, str]:
        headers = {"x-should-retry": "true" if self.spec.should_retry else "false"}
        retry_after = self.retry_after if self.retry_after is not None else self.spec.retry_after
        if retry_after is not None:
            headers["retry-after"] = str(math.ceil(min(max(1, retry_after), _MAX_RETRY_AFTER)))
        return headers


def invalid(problems: Sequence[FieldProblem], code: str = "") -> GatewayError:
    """Build the error (400) for a request with one or more invalid fields."""
    first = problems[0]
    code = code or ("unsupported_parameter" if first.reason is FieldReason.UNSUPPORTED else "invalid_value")
    return GatewayError(code, ERRORS["invalid_request"], param=first.param, problems=problems)


def gateway_error(key: str, *, param: str | None = None, **values: object) -> GatewayError:
    """Build the error with the message `ERRORS[key]` and the code of that message."""
    return GatewayError(_CODE_OF_MESSAGE.get(key, key), ERRORS[key], param=param, values=values)


_CODE_OF_MESSAGE = {
    "no_credential": "invalid_api_key",
    "unknown_key": "invalid_api_key",
    "proxy_not_accepted": "invalid_api_key",
    "invalid_credential_format": "invalid_api_key",
    "too_many_credentials": "invalid_api_key",
    "stopping": "upstream_unavailable",
    "too_many_watchers": "rate_limit_exceeded",
    "too_many_watchers_in_all": "too_many_connections",
    "too_many_subscriptions": "rate_limit_exceeded",
    "invalid_wait": "invalid_value",
    "authorized_already": "invalid_value",
    "invalid_socket_message": "invalid_value",
    "upgrade_required": "upgrade_required",
    "accounts_replaced": "upstream_unavailable",
    "not_sent_in_time": "upstream_unavailable",
    "no_account_for_provider": "invalid_api_key",
    "operator_only": "invalid_api_key",
    "no_accounts": "insufficient_quota",
    "no_accounts_for_language": "insufficient_quota",
    "account_not_found": "not_found",
    "not_in_region": "model_not_found",
    "model_not_allowed": "model_not_found",
    "no_usage": "not_found",
    "invalid_json": "invalid_value",
    "too_many_values": "too_large",
    "invalid_form": "invalid_value",
    "not_utf8": "invalid_value",
    "too_many_files": "invalid_value",
    "invalid_status_filter": "invalid_value",
    "unsupported_media_type": "invalid_value",
    "ids_required": "invalid_value",
    "too_many_webhooks": "too_many_connections",
    "too_many_webhooks_of_caller": "rate_limit_exceeded",
    "no_thumbnail": "not_found",
    "native_not_found": "not_found",
    "uploads_of_other_account": "invalid_value",
    "uploads_not_for_model": "invalid_value",
}


_MAX_CODE_LENGTH = 64
_MAX_DETAIL_LENGTH = 300


def clean(error: ProviderError, account: Account) -> None:
    """Redact the account's secrets in an upstream's error and truncate it: its text is untrusted. Every error of a call
    with an account goes through here, before it is cached, shown or logged."""
    error.code = account.redact(error.code)[:_MAX_CODE_LENGTH]
    error.detail = account.redact(error.detail)[:_MAX_DETAIL_LENGTH]
    if error.message is not None:
        # A provider's own message may name the code.
        error.message = LocalizedText(account.redact(error.message.zh), account.redact(error.message.en))


def from_provider(error: ProviderError, model: str = "", log_fields: Mapping[str, str] | None = None) -> GatewayError:
    """Convert an upstream's error. `model` is the requested one; `log_fields` go to the access log."""
    if error.fields:
        return invalid(error.fields)
    code = CODES[error.kind]
    if error.kind is ErrorKind.MODEL_NOT_FOUND:
        message = error.message
        return GatewayError(
            code,
            LocalizedText(f"{model}：{message.zh}", f"{model}: {message.en}") if message and model else message,
            param="model",
            upstream_code=error.code,
            detail=error.detail,
            values=None if message else {"model": model},
            log_fields=log_fields,
        )
    return GatewayError(
        code,
        error.message or ERRORS[_KIND_MESSAGES.get(error.kind, code)],
        upstream_code=error.code,
        detail=error.detail,
        retry_after=error.retry_after,
        log_fields=log_fields,
    )


def as_transient(error: ProviderError) -> ProviderError:
    """Convert a failed query to a transient error. A rejected credential stays INVALID_CREDENTIAL, and an error of the
    kind UNREACHABLE keeps its message."""
    if error.kind in (ErrorKind.INVALID_CREDENTIAL, ErrorKind.UNREACHABLE):
        return error
    return ProviderError(ErrorKind.UNREACHABLE, code=error.code, detail=error.detail)


def describe(error: ProviderError, language: Language) -> str:
    """The message of an upstream error, followed by the upstream's own text."""
    return from_provider(error).message(language)


def describe_query(error: ProviderError, language: Language) -> str:
    """The message of a failed status query, which is safe to retry, unlike a submit."""
    text = ERRORS["no_response"] if error.kind is ErrorKind.ANSWER_LOST else None
    reason = localize(text, language) if text else describe(error, language)
    return localize(QUERY_FAILED, language, reason=reason)


def with_detail(text: str, detail: str, language: Language) -> str:
    """A message followed by the upstream's own text, unless it contains it."""
    detail = " ".join(detail.split())
    if not detail or detail in text:
        return text
    return f"{text}：{detail}" if language == "zh" else f"{text}: {detail}"
