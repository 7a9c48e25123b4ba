"""Why a prompt is not rewritten: errors with a word for the log and for programs."""

from gateway.core.errors import GatewayError
from gateway.core.prompt_messages import NOT_REWRITTEN

CODES = {
    "no_account": "invalid_api_key",
    "no_managed_account": "insufficient_quota",
    "timeout": "upstream_unavailable",
    "interrupted": "upstream_unavailable",
    "unreadable": "upstream_error",
    "empty": "upstream_error",
    "refused": "content_policy_violation",
    "too_long": "upstream_error",
    "too_long_to_rewrite": "invalid_value",
    "missing": "invalid_value",
}
"""The error code by reason, where the prompt is all that was asked for."""
_PARAMS = {"missing": "prompt", "too_long_to_rewrite": "prompt"}


class PromptError(GatewayError):
    """A prompt that was not rewritten for a reason other than an error of the language model's upstream. `reason` is a
    key of CODES."""

    def __init__(self, reason: str, **values: object) -> None:
        super().__init__(CODES[reason], NOT_REWRITTEN[reason], param=_PARAMS.get(reason), values=values)
        self.reason = reason


def reason_of(error: GatewayError) -> str:
    """The reason of an error: a word of a small set."""
    return error.reason if isinstance(error, PromptError) else error.code
