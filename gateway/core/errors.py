"""What goes wrong, as clients see it: one table from stable codes to HTTP, one from kinds of failure to codes.

GatewayError        every refusal of a route; it becomes the error body
ProviderError       an upstream's, turned into a GatewayError by `from_provider`
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.core.messages import ERRORS, QUERY_FAILED, Language, describe_problems, say
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, FieldProblem, FieldReason, ProviderError
from providers.contract.localized_text import LocalizedText


@dataclass(frozen=True, slots=True)
class Shape:
    """How a code goes out: its HTTP status, OpenAI's word for the class, and whether a client may send it again."""

    status: int
    type: str
    should_retry: bool = False
    retry_after: float | None = None


SHAPES: dict[str, Shape] = {
    "invalid_value": Shape(400, "invalid_request_error"),
    "unsupported_parameter": Shape(400, "invalid_request_error"),
    "content_policy_violation": Shape(400, "invalid_request_error"),
    "not_ready": Shape(400, "invalid_request_error"),
    "invalid_api_key": Shape(401, "authentication_error"),
    "account_restricted": Shape(403, "permission_error"),
    "not_found": Shape(404, "not_found_error"),
    "model_not_found": Shape(404, "not_found_error"),
    "task_not_found": Shape(404, "not_found_error"),
    "method_not_allowed": Shape(405, "invalid_request_error"),
    "not_cancellable": Shape(409, "invalid_request_error"),
    "idempotency_mismatch": Shape(409, "invalid_request_error"),
    "too_large": Shape(413, "invalid_request_error"),
    "range_not_satisfiable": Shape(416, "invalid_request_error"),
    "insufficient_quota": Shape(429, "insufficient_quota"),
    "rate_limit_exceeded": Shape(429, "rate_limit_error", should_retry=True, retry_after=30),
    "internal_error": Shape(500, "server_error"),
    "not_supported": Shape(501, "invalid_request_error"),
    "generation_failed": Shape(502, "server_error"),
    "upstream_error": Shape(502, "server_error"),
    "upstream_unavailable": Shape(502, "server_error", should_retry=True, retry_after=5),
    "submission_unconfirmed": Shape(504, "server_error"),
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
    ErrorKind.GENERATION_FAILED: "generation_failed",
    ErrorKind.UPSTREAM_ERROR: "upstream_error",
    ErrorKind.UPLOAD_FAILED: "upstream_unavailable",
    ErrorKind.UNREACHABLE: "upstream_unavailable",
    ErrorKind.ANSWER_LOST: "submission_unconfirmed",
}
"""What a kind of failure is to whoever submits. A poll turns most of them into a stale answer instead."""

_KIND_WORDS: dict[ErrorKind, str] = {
    ErrorKind.INVALID_REQUEST: "invalid_request",
    ErrorKind.CANCELLED: "cancelled",
    ErrorKind.UPLOAD_FAILED: "upload_failed",
}
"""Kinds whose own sentence is not that of their code."""


_LONGEST_RETRY_AFTER = 86_400


class GatewayError(Exception):
    """A refusal with everything its answer needs. `words` may hold places, which `values` fill. `facts` are for the log
    alone."""

    def __init__(
        self,
        code: str,
        words: LocalizedText | None = None,
        *,
        param: str | None = None,
        problems: Sequence[FieldProblem] = (),
        upstream_code: str = "",
        detail: str = "",
        retry_after: float | None = None,
        values: Mapping[str, object] | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.words = words or ERRORS[code]
        self.param = param
        self.problems = tuple(problems)
        self.upstream_code = upstream_code
        self.detail = detail
        self.retry_after = retry_after
        self.values = dict(values or {})
        self.facts = dict(facts or {})

    @property
    def shape(self) -> Shape:
        return SHAPES[self.code]

    def message(self, language: Language) -> str:
        if self.problems:
            return describe_problems(self.problems, language)
        return with_detail(say(self.words, language, **self.values), self.detail, language)

    def body(self, language: Language, request_id: str) -> dict[str, Any]:
        """`{"error": {…}}` as OpenAI's libraries read it; `upstream_code` only where the upstream gave one."""
        error: dict[str, Any] = {
            "message": self.message(language),
            "type": self.shape.type,
            "code": self.code,
            "param": self.param,
            "request_id": request_id,
        }
        if self.upstream_code:
            error["upstream_code"] = self.upstream_code
        return {"error": error}

    def mark(self) -> dict[str, str]:
        """What a log line tells of it."""
        told = {"code": self.code, "param": self.param or "", "upstream_code": self.upstream_code}
        return self.facts | {name: value for name, value in told.items() if value}

    def headers(self) -> dict[str, str]:
        headers = {"x-should-retry": "true" if self.shape.should_retry else "false"}
        retry_after = self.retry_after if self.retry_after is not None else self.shape.retry_after
        if retry_after is not None:
            headers["retry-after"] = str(round(min(max(1, retry_after), _LONGEST_RETRY_AFTER)))
        return headers


def invalid(problems: Sequence[FieldProblem]) -> GatewayError:
    """The refusal of a request with one or more bad fields."""
    first = problems[0]
    code = "unsupported_parameter" if first.reason is FieldReason.UNSUPPORTED else "invalid_value"
    return GatewayError(code, ERRORS["invalid_request"], param=first.param, problems=problems)


def refused(key: str, *, param: str | None = None, **values: object) -> GatewayError:
    """The refusal whose sentence is `ERRORS[key]`; the code is the one that such a sentence stands for."""
    return GatewayError(_CODE_OF_SENTENCE.get(key, key), ERRORS[key], param=param, values=values)


_CODE_OF_SENTENCE = {
    "no_credential": "invalid_api_key",
    "unknown_key": "invalid_api_key",
    "no_proxies": "invalid_api_key",
    "unusable_credential": "invalid_api_key",
    "too_many_credentials": "invalid_api_key",
    "stopping": "upstream_unavailable",
    "accounts_replaced": "upstream_unavailable",
    "no_account_for_provider": "invalid_api_key",
    "operator_only": "invalid_api_key",
    "no_accounts": "insufficient_quota",
    "account_not_found": "not_found",
    "not_in_region": "model_not_found",
    "invalid_json": "invalid_value",
    "invalid_form": "invalid_value",
    "too_many_files": "invalid_value",
    "unknown_file": "invalid_value",
    "statuses_wanted": "invalid_value",
    "unsupported_media_type": "invalid_value",
    "ids_needed": "invalid_value",
    "no_thumbnail": "not_found",
}


_SHOWN_CODE = 64
_SHOWN_DETAIL = 300


def clean(error: ProviderError, account: Account) -> None:
    """Rid an upstream's error of the account's secrets and of any length: what it quotes is not to be trusted."""
    error.code = account.redact(error.code)[:_SHOWN_CODE]
    error.detail = account.redact(error.detail)[:_SHOWN_DETAIL]


def from_provider(error: ProviderError, model: str = "", facts: Mapping[str, str] | None = None) -> GatewayError:
    """What a client is told of an upstream's refusal, and the log. `model` is the one that was asked for."""
    if error.fields:
        return invalid(error.fields)
    code = CODES[error.kind]
    if error.kind is ErrorKind.MODEL_NOT_FOUND:
        own = error.words
        return GatewayError(
            code,
            LocalizedText(f"{model}：{own.zh}", f"{model}: {own.en}") if own and model else own,
            param="model",
            upstream_code=error.code,
            detail=error.detail,
            values=None if own else {"model": model},
            facts=facts,
        )
    return GatewayError(
        code,
        error.words or ERRORS[_KIND_WORDS.get(error.kind, code)],
        upstream_code=error.code,
        detail=error.detail,
        retry_after=error.retry_after,
        facts=facts,
    )


def as_passing(error: ProviderError) -> ProviderError:
    """The failure of a query, on which something else depends: what may be tried again, unless the login is refused."""
    if error.kind is ErrorKind.INVALID_CREDENTIAL:
        return error
    return ProviderError(ErrorKind.UNREACHABLE, code=error.code, detail=error.detail)


def describe(error: ProviderError, language: Language) -> str:
    """One sentence on the error of a task, the upstream's own text behind it."""
    return from_provider(error).message(language)


def describe_query(error: ProviderError, language: Language) -> str:
    """One sentence on why a query failed. Other than a submit, it can be sent again without harm."""
    words = ERRORS["no_answer"] if error.kind is ErrorKind.ANSWER_LOST else None
    reason = say(words, language) if words else describe(error, language)
    return say(QUERY_FAILED, language, reason=reason)


def with_detail(text: str, detail: str, language: Language) -> str:
    """A sentence of ours with the upstream's own behind it, unless it says the same."""
    detail = " ".join(detail.split())
    if not detail or detail in text:
        return text
    return f"{text}：{detail}" if language == "zh" else f"{text}: {detail}"
