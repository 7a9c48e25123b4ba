"""Errors of an upstream: kinds of failure, invalid fields, and the exception that a provider raises."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from providers.contract.localized_text import LocalizedText
from providers.contract.redaction import shorten


class Blame(StrEnum):
    """Who causes a failure. It decides what follows: an error for the caller, the next account, or a retry."""

    CALLER = "caller"
    ACCOUNT = "account"
    UPSTREAM = "upstream"


class ErrorKind(StrEnum):
    """The kinds of failure an upstream can report, whatever its own numbers are.

    CALLER                     ACCOUNT                    UPSTREAM
    ├─ INVALID_REQUEST         ├─ INVALID_CREDENTIAL      ├─ GENERATION_FAILED
    ├─ CONTENT_REFUSED         ├─ NO_CREDITS              ├─ UPSTREAM_ERROR
    ├─ MODEL_NOT_FOUND         ├─ RATE_LIMITED            ├─ UPLOAD_FAILED
    ├─ TASK_NOT_FOUND          ├─ TOO_MANY_RUNNING        ├─ UNREACHABLE
    ├─ NOT_CANCELLABLE         ├─ RESTRICTED              └─ ANSWER_LOST
    └─ CANCELLED               ├─ NOT_ENTITLED            (UNKNOWN_REFUSAL: blame unknown,
                               └─ DAILY_LIMIT              counted as UPSTREAM)

    On a submit, every kind but ANSWER_LOST guarantees that nothing was created or charged.
    """

    INVALID_REQUEST = "invalid_request"
    CONTENT_REFUSED = "content_refused"
    MODEL_NOT_FOUND = "model_not_found"
    TASK_NOT_FOUND = "task_not_found"
    NOT_CANCELLABLE = "not_cancellable"
    CANCELLED = "cancelled"

    INVALID_CREDENTIAL = "invalid_credential"
    NO_CREDITS = "no_credits"
    RATE_LIMITED = "rate_limited"
    TOO_MANY_RUNNING = "too_many_running"
    RESTRICTED = "restricted"
    """Risk control or a ban. Retries make it worse."""
    NOT_ENTITLED = "not_entitled"
    """This account may not use this model or feature."""
    DAILY_LIMIT = "daily_limit"
    """No more videos today, whatever the credits are."""

    GENERATION_FAILED = "generation_failed"
    UPSTREAM_ERROR = "upstream_error"
    """The upstream responded with an unknown error or an unreadable response."""
    UNKNOWN_REFUSAL = "unknown_refusal"
    """A definite refusal for a reason that no table knows: nothing was created. Another account may be accepted."""
    UPLOAD_FAILED = "upload_failed"
    """An input was not uploaded. A retry is safe: uploads are not charged."""
    UNREACHABLE = "unreachable"
    """No connection was established: nothing was sent."""
    ANSWER_LOST = "answer_lost"
    """The request was sent but no usable response arrived: the upstream may have acted on it."""

    @property
    def blame(self) -> Blame:
        return _BLAME[self]


_BLAME: dict[ErrorKind, Blame] = {
    ErrorKind.INVALID_REQUEST: Blame.CALLER,
    ErrorKind.CONTENT_REFUSED: Blame.CALLER,
    ErrorKind.MODEL_NOT_FOUND: Blame.CALLER,
    ErrorKind.TASK_NOT_FOUND: Blame.CALLER,
    ErrorKind.NOT_CANCELLABLE: Blame.CALLER,
    ErrorKind.CANCELLED: Blame.CALLER,
    ErrorKind.INVALID_CREDENTIAL: Blame.ACCOUNT,
    ErrorKind.NO_CREDITS: Blame.ACCOUNT,
    ErrorKind.RATE_LIMITED: Blame.ACCOUNT,
    ErrorKind.TOO_MANY_RUNNING: Blame.ACCOUNT,
    ErrorKind.RESTRICTED: Blame.ACCOUNT,
    ErrorKind.NOT_ENTITLED: Blame.ACCOUNT,
    ErrorKind.DAILY_LIMIT: Blame.ACCOUNT,
    ErrorKind.GENERATION_FAILED: Blame.UPSTREAM,
    ErrorKind.UPSTREAM_ERROR: Blame.UPSTREAM,
    ErrorKind.UNKNOWN_REFUSAL: Blame.UPSTREAM,
    ErrorKind.UPLOAD_FAILED: Blame.UPSTREAM,
    ErrorKind.UNREACHABLE: Blame.UPSTREAM,
    ErrorKind.ANSWER_LOST: Blame.UPSTREAM,
}


class FieldReason(StrEnum):
    """Why a field is invalid."""

    NOT_ALLOWED = "not_allowed"
    """The value is not one of those in `allowed`."""
    UNSUPPORTED = "unsupported"
    """The model does not have this field; `allowed` names alternatives, if any."""
    UNKNOWN = "unknown"
    """There is no such field; `allowed` are similar names."""
    MISSING = "missing"
    """The model requires it."""
    CONFLICT = "conflict"
    """It contradicts another field; `allowed` names what resolves the conflict."""
    TOO_MANY = "too_many"
    """There are more than `allowed`."""
    BROKEN = "broken"
    """A file of type `value` that is truncated or damaged."""
    TOO_LONG = "too_long"
    """A text of `value` characters; `allowed` is the limit."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One invalid field of a request, with the values that the model allows, as shown to the client.

    `hint` is an additional sentence on how to fix it.
    """

    param: str
    reason: FieldReason
    allowed: tuple[str, ...] = ()
    value: str = ""
    hint: LocalizedText | None = None


MAX_CODE, MAX_DETAIL = 200, 2000
"""Characters kept of an upstream's code and text: answers may have megabytes, and errors are kept for minutes."""


class ProviderError(Exception):
    """What a provider raises, and what `query` returns for an id without a state.

    `code` is the upstream's error code as text. `message` is the provider's message for people, None if it has none
    for that code; `detail` is the upstream's own text, which may be empty and is untrusted. `retry_after` is in
    seconds, None if the upstream named none. `model_only` marks an error of the account that does not affect its other
    models.
    """

    def __init__(
        self,
        kind: ErrorKind,
        *,
        code: str = "",
        message: LocalizedText | None = None,
        detail: str = "",
        fields: Sequence[FieldProblem] = (),
        retry_after: float | None = None,
        model_only: bool = False,
    ) -> None:
        # Both are redacted later, where the account is known.
        code, detail = shorten(code, MAX_CODE), shorten(detail, MAX_DETAIL)
        super().__init__(kind, code, detail)
        self.kind = kind
        self.code = code
        self.message = message
        self.detail = detail
        self.fields = tuple(fields)
        self.retry_after = retry_after
        self.model_only = model_only

    def without_traceback(self) -> "ProviderError":
        """A copy to keep: the traceback of the original holds the frames of a request, and all that they hold."""
        return ProviderError(
            self.kind,
            code=self.code,
            message=self.message,
            detail=self.detail,
            fields=self.fields,
            retry_after=self.retry_after,
            model_only=self.model_only,
        )

    def __str__(self) -> str:
        return " ".join(part for part in (self.kind, self.code, self.detail) if part)
