"""Responses of the task API: what they hold, and the error of each call that did not get what it asked for.

A response with one of the service's codes or with its request id is the service's own. Anything else is that of a proxy
or firewall in between, and says nothing of the account, the request or the task. That nothing was created is said only
by a response with both.
"""

import re
from http import HTTPStatus
from typing import Any

from providers.contract.accounts import Account
from providers.contract.errors import Blame, ErrorKind, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.contract.redaction import MAX_READ, shorten
from providers.dashscope.errors import STOPPED_ON_THE_WAY, code_and_message, error_from, meaning_of, text_of
from providers.transport.transports import GAVE_UP_STATUSES, Reply

TOO_LATE = LocalizedText(
    "任务已开始处理或已结束，只有排队中的任务可以取消",
    "Only a waiting task can be cancelled, and this one has started or ended",
)

_SERVICE_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NO_LETTER = re.compile(r"[^A-Za-z]")
_SNIPPET = 300
"""Characters of an unreadable response in the error's detail."""


def succeeded(reply: Reply) -> bool:
    return 200 <= reply.status < 300


def json_of(reply: Reply) -> Any:
    """The decoded body, None if it is not JSON."""
    try:
        return reply.json()
    except ValueError:
        return None


def request_id_of(body: Any) -> str:
    """The id that every response of the service has, "" for a response of something else."""
    return text_of(body.get("request_id")) if isinstance(body, dict) else ""


def task_id_of(reply: Reply) -> str:
    """The id in the response to a submit; "" if there is none, which can happen with any status."""
    body = json_of(reply)
    output = body.get("output") if isinstance(body, dict) else None
    return text_of(output.get("task_id")) if isinstance(output, dict) else ""


def submit_error(reply: Reply, account: Account) -> ProviderError:
    """The error of a submit without an id: ANSWER_LOST unless the service itself refuses it."""
    error = _error_of(reply, account)
    if _is_own_refusal(reply, error):
        return error
    return ProviderError(ErrorKind.ANSWER_LOST, code=error.code, detail=error.detail, retry_after=error.retry_after)


def _is_own_refusal(reply: Reply, error: ProviderError) -> bool:
    """True for a response that can only be the service's refusal. It has a code and the service's request id: anything
    else may be that of a proxy or firewall in between, which may answer so although the service accepts."""
    if not error.code or _SERVICE_ID.fullmatch(request_id_of(json_of(reply))) is None:
        return False
    if _repeats_status(reply.status, error.code) and meaning_of(error.code, error.detail) is None:
        return False
    if succeeded(reply):
        row = meaning_of(error.code, error.detail)
        return row is None or row.kind.blame is not Blame.UPSTREAM
    gave_up = reply.status in GAVE_UP_STATUSES or error.kind is ErrorKind.UPSTREAM_ERROR
    return 400 <= reply.status < 500 and not gave_up


def _repeats_status(status: int, code: str) -> bool:
    """True for a code that is only the name of the status, as `Forbidden` of a 403: servers of any kind have it."""
    try:
        name = HTTPStatus(status).phrase
    except ValueError:
        return False
    return _NO_LETTER.sub("", code).lower() == _NO_LETTER.sub("", name).lower()


def cancel_error(reply: Reply, account: Account) -> ProviderError:
    error = _error_of(reply, account)
    if error.code == "UnsupportedOperation":
        return ProviderError(ErrorKind.NOT_CANCELLABLE, code=error.code, message=TOO_LATE, detail=error.detail)
    if reply.status == 404 and error.code:
        return ProviderError(ErrorKind.TASK_NOT_FOUND, code=error.code, detail=error.detail)
    return error


def query_error(reply: Reply, account: Account) -> ProviderError:
    """The error of a query or a list. The service answers 200 for an unknown task: a 404 comes from a proxy in front of
    it."""
    error = _error_of(reply, account)
    if error.kind is ErrorKind.MODEL_NOT_FOUND:
        return ProviderError(ErrorKind.UPSTREAM_ERROR, code=error.code, detail=error.detail)
    return error


def policy_error(reply: Reply, account: Account) -> ProviderError:
    """The error of a request for an upload policy, see `_upload_policy`."""
    error = _error_of(reply, account)
    row = meaning_of(error.code, error.detail)
    if error.kind.blame is not Blame.ACCOUNT and (row is None or row.kind is not ErrorKind.MODEL_NOT_FOUND):
        error.kind, error.message = ErrorKind.UPLOAD_FAILED, None
    return error


def _error_of(reply: Reply, account: Account) -> ProviderError:
    """The error in a response, by its code and status. The service's own have a code that the table knows, or a word as
    their code beside the request id. Any other response is that of a proxy or firewall in between and says nothing of
    the account or the request: UPSTREAM_ERROR, or RATE_LIMITED for a 429."""
    body = json_of(reply)
    code, message = code_and_message(body)
    named = bool(code) and not code.isdigit()
    if named and (meaning_of(code, message) is not None or request_id_of(body)):
        return error_from(reply.status, account.redact(code), account.redact(message), reply.retry_after)
    error = unreadable(reply, account)
    if reply.status == 429:
        return ProviderError(ErrorKind.RATE_LIMITED, detail=error.detail, retry_after=reply.retry_after)
    if 300 <= reply.status < 500:
        error.message = STOPPED_ON_THE_WAY
    return error


def unreadable(reply: Reply, account: Account) -> ProviderError:
    """The error of a response that is not from the API, with the start of its text unless it is HTML."""
    # A character has at most four bytes.
    text = reply.body[: 4 * MAX_READ].decode("utf-8", "replace").strip()
    detail = f"HTTP {reply.status}"
    if text and not text.startswith("<"):
        detail += f": {shorten(' '.join(account.redact(text).split()), _SNIPPET)}"
    return ProviderError(ErrorKind.UPSTREAM_ERROR, detail=detail)
