"""What goes wrong at an upstream: kinds of failure, refused fields, and the error that a provider raises."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from providers.contract.localized_text import LocalizedText


class Blame(StrEnum):
    """Whose trouble a failure is. It decides what happens next: back to the caller, on to the next account, or wait."""

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
    └─ CANCELLED               └─ NOT_ENTITLED

    On a submit, every kind but ANSWER_LOST means that surely nothing was created and nothing was charged.
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
    """Risk control or punishment. Asking again makes it worse."""
    NOT_ENTITLED = "not_entitled"
    """This account may not use this model or feature."""

    GENERATION_FAILED = "generation_failed"
    UPSTREAM_ERROR = "upstream_error"
    """The upstream answered, and the answer is a refusal nobody can place, or no answer one can read."""
    UPLOAD_FAILED = "upload_failed"
    """An input did not arrive. It can be sent again: uploads are not charged."""
    UNREACHABLE = "unreachable"
    """No connection came about: nothing was sent."""
    ANSWER_LOST = "answer_lost"
    """Something was sent and no usable answer came: the upstream may or may not have acted on it."""

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
    ErrorKind.GENERATION_FAILED: Blame.UPSTREAM,
    ErrorKind.UPSTREAM_ERROR: Blame.UPSTREAM,
    ErrorKind.UPLOAD_FAILED: Blame.UPSTREAM,
    ErrorKind.UNREACHABLE: Blame.UPSTREAM,
    ErrorKind.ANSWER_LOST: Blame.UPSTREAM,
}


class FieldReason(StrEnum):
    """Why a field was refused."""

    NOT_ALLOWED = "not_allowed"
    """The value is not one of those in `allowed`."""
    UNSUPPORTED = "unsupported"
    """The model has no such field; `allowed` names what it has instead, if anything."""
    UNKNOWN = "unknown"
    """There is no such field; `allowed` are those that may be meant."""
    MISSING = "missing"
    """The model cannot do without it."""
    CONFLICT = "conflict"
    """It contradicts another field; `allowed` names the way out."""
    TOO_MANY = "too_many"
    """There are more than the number in `allowed`."""
    BROKEN = "broken"
    """A file of the type `value` that breaks off or is damaged."""
    TOO_LONG = "too_long"
    """A text of `value` characters; `allowed` is how many it may have."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One refused field of a request, with what the model would take, ready to be shown as it is.

    `hint` is a sentence on the way out, where there is more to say than what is allowed.
    """

    param: str
    reason: FieldReason
    allowed: tuple[str, ...] = ()
    value: str = ""
    hint: LocalizedText | None = None


class ProviderError(Exception):
    """What a provider raises, and what `query` gives for an id that has no state.

    `code` is the upstream's own number or word, kept as text. `message` is the sentence for people where the provider
    has one of its own for that code; `detail` is the upstream's own text, which may be empty and is never trusted.
    `retry_after` is in seconds, where the upstream named one.
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
    ) -> None:
        super().__init__(kind, code, detail)
        self.kind = kind
        self.code = code
        self.message = message
        self.detail = detail
        self.fields = tuple(fields)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return " ".join(part for part in (self.kind, self.code, self.detail) if part)
