"""DashScope's error codes: the kind of error and the message for people of each.

The same codes come as HTTP errors, `{"code", "message", "request_id"}`, and inside a failed task under HTTP 200.
`error_from` turns either into a ProviderError. A code without a row keeps its own text; its kind follows the HTTP
status, or is GENERATION_FAILED for a task. So does the kind of a 4xx whose code speaks of trouble inside the service.
"""

import re
from dataclasses import dataclass
from typing import Any

from providers.contract.errors import Blame, ErrorKind, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.transport.transports import GAVE_UP_STATUSES

MAX_DETAIL = 500
"""Characters kept of an upstream's text."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """One row of the table.

    `code` is exact, or a prefix if it ends in `*`; the longest match wins. `phrases` narrows the row to messages that
    contain one of these texts, whatever the case: such a row takes precedence over one with the same code.
    `model_only` marks a limit that the service has for each model of an account.
    """

    code: str
    kind: ErrorKind
    message: LocalizedText
    phrases: tuple[str, ...] = ()
    model_only: bool = False


_INVALID = LocalizedText(
    "请求参数有误，请对照模型说明检查参数和素材后重试",
    "A parameter or an input is invalid: check them against what the model takes, then try again",
)
_MEDIA_UNUSABLE = LocalizedText(
    "素材不符合模型要求（格式、大小、分辨率、时长或画面内容），请更换素材后重试",
    "The image, video or audio is outside the model's limits (format, size, resolution, length or what it shows): "
    "use another one",
)
_MEDIA_UNREACHABLE = LocalizedText(
    "上游无法下载素材，请确认链接可公开访问后重试",
    "The upstream could not download an input: make sure its link is open to the public, then try again",
)
_REFUSED = LocalizedText(
    "内容违规，已被上游内容审核拦截，请修改提示词或素材后重试",
    "The content filter of the upstream refused the prompt, an input or the result: change them, then try again",
)
_COPYRIGHT = LocalizedText(
    "内容违规，输入疑似侵犯知识产权，请修改提示词或更换素材后重试",
    "The input may infringe a copyright: change the prompt or the inputs, then try again",
)
_RULE = LocalizedText(
    "内容违规，命中了该账号自定义的拦截规则，请修改提示词后重试",
    "A content rule of this account refused the request: change the prompt, then try again",
)
_KEY = LocalizedText(
    "API Key 无效，请检查其是否正确、是否属于该地域",
    "The API key is not valid: check that it is complete and belongs to this region",
)
_NO_PERMISSION = LocalizedText(
    "该账号无权使用此模型，请在百炼控制台开通或授权",
    "This account may not use the model: activate it or grant access in the Model Studio console",
)
_NOT_ACTIVATED = LocalizedText(
    "该账号尚未开通百炼服务，请先在控制台开通",
    "Model Studio is not activated for this account: activate it in the console",
)
_WORKSPACE = LocalizedText(
    "业务空间不存在，或该 API Key 不属于此业务空间，请检查 API Key 与业务空间",
    "The workspace does not exist or the key is not a member of it: check key and workspace",
)
_OVERDUE = LocalizedText(
    "账号欠费，请充值后重试",
    "The account is overdue: pay the bill, then try again",
)
_FREE_TIER = LocalizedText(
    "免费额度已用完，请在百炼控制台关闭“仅使用免费额度”或充值",
    "The free quota is used up: switch off the free-tier-only mode in the Model Studio console, or top up",
)
_QUOTA_EXHAUSTED = LocalizedText(
    "额度已用完，请充值或更换账号",
    "The quota is used up: top up, or use another account",
)
_BILLING = LocalizedText(
    "账号未购买该服务或账单逾期，请在控制台处理后重试",
    "The service is not purchased or a bill is overdue: resolve this in the console, then try again",
)
_NO_MODEL = LocalizedText(
    "模型不存在或在该地域不可用，请检查模型名称",
    "The model does not exist or is not available in this region: check its name",
)
_RATE = LocalizedText(
    "请求过于频繁，已被上游限流，请稍后重试",
    "Too many requests, the upstream limits the rate: try again in a moment",
)
_QUOTA_RATE = LocalizedText(
    "已超出上游分配的配额，请稍后重试或提高配额",
    "The quota allotted by the upstream is exceeded: try again later, or have it raised",
)
_SERVER = LocalizedText(
    "上游服务内部错误，请稍后重试",
    "The upstream had an internal error: try again later",
)
_BUSY = LocalizedText(
    "上游模型服务繁忙，请稍后重试",
    "The model has no capacity right now: try again later",
)
_TOO_LONG = LocalizedText(
    "上游未能在时限内完成生成，请重新提交",
    "The upstream did not finish within its time limit: submit again",
)
_UNSUPPORTED = LocalizedText(
    "上游不支持此操作",
    "The upstream does not support this operation",
)
_CONFLICT = LocalizedText(
    "与上游已有的资源冲突，请更换名称后重试",
    "It conflicts with an existing resource upstream: use another name, then try again",
)

_DOWNLOAD_PHRASES = (
    "failed to download",
    "unable to download",
    "download failed",
    "could not be downloaded",
    "no connection adapters were found",
    "下载失败",
)
"""Of an input that could not be downloaded, under any code but those of the account."""

_EXHAUSTED_PHRASES = (
    "exhausted",
    "used up",
    "run out",
    "ran out",
    "insufficient",
    "free allocated",
    "free quota",
    "free tier",
    "额度不足",
    "余额不足",
    "已用完",
    "用尽",
    "耗尽",
)
"""Of a quota that does not recover within a minute. "token-plan 1-week quota has been exhausted" was seen on a real
account (2026-09-14)."""
_QUOTA_EXHAUSTED_PHRASES = (
    "quota has been exhausted",
    "quota is exhausted",
    "quota exhausted",
    "quota has been used up",
    "quota is used up",
    "out of quota",
    "insufficient quota",
    "insufficient balance",
    "free allocated",
    "free quota",
    "free tier",
    "额度不足",
    "余额不足",
    "额度已用完",
    "额度已用尽",
    "额度已耗尽",
    "配额已用完",
    "配额已用尽",
    "配额已耗尽",
)
"""The same under codes that are not about a quota: a model with insufficient or exhausted capacity is busy, but an
account without credits is paused."""

MEANINGS: tuple[Meaning, ...] = (
    Meaning("InvalidParameter", ErrorKind.MODEL_NOT_FOUND, _NO_MODEL, phrases=("model not exist",)),
    Meaning("InvalidParameter*", ErrorKind.INVALID_REQUEST, _INVALID),
    Meaning("InvalidParameter.DataInspection", ErrorKind.INVALID_REQUEST, _MEDIA_UNREACHABLE),
    Meaning("InvalidParameter.FileDownload", ErrorKind.INVALID_REQUEST, _MEDIA_UNREACHABLE),
    Meaning("DataInspectionFailed", ErrorKind.CONTENT_REFUSED, _REFUSED),
    Meaning("data_inspection_failed", ErrorKind.CONTENT_REFUSED, _REFUSED),
    Meaning("IPInfringementSuspect", ErrorKind.CONTENT_REFUSED, _COPYRIGHT),
    Meaning("CustomRoleBlocked", ErrorKind.CONTENT_REFUSED, _RULE),
    Meaning("FaqRuleBlocked", ErrorKind.CONTENT_REFUSED, _RULE),
    Meaning("InvalidURL*", ErrorKind.INVALID_REQUEST, _MEDIA_UNUSABLE),
    Meaning("InvalidURL.ConnectionRefused", ErrorKind.INVALID_REQUEST, _MEDIA_UNREACHABLE),
    Meaning("InvalidURL.Timeout", ErrorKind.INVALID_REQUEST, _MEDIA_UNREACHABLE),
    Meaning("InvalidFile*", ErrorKind.INVALID_REQUEST, _MEDIA_UNUSABLE),
    Meaning("InvalidFile.DownloadFailed", ErrorKind.INVALID_REQUEST, _MEDIA_UNREACHABLE),
    Meaning("InvalidImage*", ErrorKind.INVALID_REQUEST, _MEDIA_UNUSABLE),
    Meaning("InvalidPerson", ErrorKind.INVALID_REQUEST, _MEDIA_UNUSABLE),
    Meaning("BadRequest*", ErrorKind.INVALID_REQUEST, _INVALID),
    Meaning("BadRequest.InputDownloadFailed", ErrorKind.INVALID_REQUEST, _MEDIA_UNREACHABLE),
    Meaning("BadRequest.UnsupportedFileFormat", ErrorKind.INVALID_REQUEST, _MEDIA_UNUSABLE),
    Meaning("BadRequest.TooLarge", ErrorKind.INVALID_REQUEST, _MEDIA_UNUSABLE),
    Meaning("UnsupportedOperation", ErrorKind.INVALID_REQUEST, _UNSUPPORTED),
    Meaning("Conflict", ErrorKind.INVALID_REQUEST, _CONFLICT),
    Meaning("InvalidApiKey", ErrorKind.INVALID_CREDENTIAL, _KEY),
    Meaning("invalid_api_key", ErrorKind.INVALID_CREDENTIAL, _KEY),
    Meaning("NOT AUTHORIZED", ErrorKind.NOT_ENTITLED, _WORKSPACE),
    Meaning("WorkSpaceNotFound", ErrorKind.NOT_ENTITLED, _WORKSPACE),
    Meaning("AccessDenied*", ErrorKind.NOT_ENTITLED, _NO_PERMISSION),
    Meaning("access_denied", ErrorKind.NOT_ENTITLED, _NO_PERMISSION),
    Meaning("AccessDenied.Unpurchased", ErrorKind.NOT_ENTITLED, _NOT_ACTIVATED),
    Meaning("Model.AccessDenied", ErrorKind.NOT_ENTITLED, _NO_PERMISSION),
    Meaning("Workspace.AccessDenied", ErrorKind.NOT_ENTITLED, _NO_PERMISSION),
    Meaning("App.AccessDenied", ErrorKind.NOT_ENTITLED, _NO_PERMISSION),
    Meaning("Arrearage", ErrorKind.NO_CREDITS, _OVERDUE),
    Meaning("AllocationQuota.FreeTierOnly", ErrorKind.NO_CREDITS, _FREE_TIER, model_only=True),
    Meaning("CommodityNotPurchased", ErrorKind.NO_CREDITS, _BILLING),
    Meaning("PrepaidBillOverdue", ErrorKind.NO_CREDITS, _BILLING),
    Meaning("PostpaidBillOverdue", ErrorKind.NO_CREDITS, _BILLING),
    # The compatible mode's name of Throttling.AllocationQuota, which is mostly that of tokens a minute.
    Meaning("insufficient_quota", ErrorKind.NO_CREDITS, _QUOTA_EXHAUSTED, phrases=_EXHAUSTED_PHRASES),
    Meaning("insufficient_quota", ErrorKind.RATE_LIMITED, _QUOTA_RATE, model_only=True),
    Meaning("Throttling.AllocationQuota", ErrorKind.NO_CREDITS, _QUOTA_EXHAUSTED, phrases=_EXHAUSTED_PHRASES),
    Meaning("Throttling.AllocationQuota", ErrorKind.RATE_LIMITED, _QUOTA_RATE, model_only=True),
    Meaning("Throttling*", ErrorKind.NO_CREDITS, _QUOTA_EXHAUSTED, phrases=_QUOTA_EXHAUSTED_PHRASES),
    Meaning("Throttling*", ErrorKind.RATE_LIMITED, _RATE),
    Meaning("Throttling.RateQuota", ErrorKind.NO_CREDITS, _QUOTA_EXHAUSTED, phrases=_QUOTA_EXHAUSTED_PHRASES),
    Meaning("Throttling.RateQuota", ErrorKind.RATE_LIMITED, _RATE, model_only=True),
    Meaning("Throttling.BurstRate", ErrorKind.NO_CREDITS, _QUOTA_EXHAUSTED, phrases=_QUOTA_EXHAUSTED_PHRASES),
    Meaning("Throttling.BurstRate", ErrorKind.RATE_LIMITED, _RATE, model_only=True),
    Meaning("LimitRequests", ErrorKind.RATE_LIMITED, _RATE, model_only=True),
    Meaning("limit_requests", ErrorKind.RATE_LIMITED, _RATE, model_only=True),
    Meaning("limit_burst_rate", ErrorKind.RATE_LIMITED, _RATE, model_only=True),
    Meaning("ModelNotFound", ErrorKind.MODEL_NOT_FOUND, _NO_MODEL),
    Meaning("model_not_found", ErrorKind.MODEL_NOT_FOUND, _NO_MODEL),
    Meaning("model_not_supported", ErrorKind.MODEL_NOT_FOUND, _NO_MODEL),
    Meaning("NotFound", ErrorKind.MODEL_NOT_FOUND, _NO_MODEL),
    Meaning("InternalError*", ErrorKind.UPSTREAM_ERROR, _SERVER),
    Meaning("InternalError.Timeout", ErrorKind.GENERATION_FAILED, _TOO_LONG),
    Meaning("SystemError", ErrorKind.UPSTREAM_ERROR, _SERVER),
    Meaning("ModelServiceFailed", ErrorKind.UPSTREAM_ERROR, _SERVER),
    Meaning("RewriteFailed", ErrorKind.UPSTREAM_ERROR, _SERVER),
    Meaning("RequestTimeOut", ErrorKind.UPSTREAM_ERROR, _BUSY),
    Meaning("ResponseTimeout", ErrorKind.UPSTREAM_ERROR, _BUSY),
    Meaning("ModelServingError", ErrorKind.UPSTREAM_ERROR, _BUSY),
    Meaning("ModelUnavailable", ErrorKind.UPSTREAM_ERROR, _BUSY),
)
"""Every documented code, those of the compatible mode beside the codes they are aliases of."""

STATUS_KINDS: dict[int, ErrorKind] = {
    400: ErrorKind.INVALID_REQUEST,
    401: ErrorKind.INVALID_CREDENTIAL,
    403: ErrorKind.NOT_ENTITLED,
    404: ErrorKind.MODEL_NOT_FOUND,
    429: ErrorKind.RATE_LIMITED,
}
"""What a status means if the code is unknown. Any other 4xx is INVALID_REQUEST, the rest UPSTREAM_ERROR."""

_NO_VERDICT = GAVE_UP_STATUSES | {413}
"""The 4xx of a server in front of the service, with that of a body that is too large for it: they say nothing of the
request's fields. Without a code that is known they are UPSTREAM_ERROR."""
STOPPED_ON_THE_WAY = LocalizedText(
    "网关与上游之间的服务器或代理中断了请求，请稍后重试；如反复出现，请检查代理的超时和大小限制",
    "A server or proxy between the gateway and the upstream stopped the request: try again later; if this "
    "happens repeatedly, check the time-outs and size limits of the proxy",
)

_UNREACHABLE = Meaning("", ErrorKind.INVALID_REQUEST, _MEDIA_UNREACHABLE, phrases=_DOWNLOAD_PHRASES)

_WRAPPER = "internalerror."
_QUOTED = re.compile(r"\s*<\d{3}>\s*(internalerror\.[\w.]*\w)", re.ASCII)
"""A message that begins with another code: "<400> InternalError.Algo.InvalidParameter: Failed to download …"."""


def meaning_of(code: str, message: str = "") -> Meaning | None:
    """The row of a code, None if there is none. Case does not matter.

    Of "InternalError.Algo.DataInspectionFailed" the last part counts, if the table has it, whether it is the code or
    stands at the beginning of the message.
    """
    row = _unwrapped(code.strip().lower(), message)
    quoted = _QUOTED.match(message.lower())
    inner = _unwrapped(quoted[1], message) if quoted else None
    if inner is not None and inner.kind.blame is Blame.CALLER and (row is None or row.kind.blame is not Blame.ACCOUNT):
        return inner
    return row


def _unwrapped(code: str, message: str) -> Meaning | None:
    """The row of the longest end of a wrapped code that has one, else that of the whole code."""
    end = code.removeprefix(_WRAPPER) if code.startswith(_WRAPPER) else ""
    while end:
        row = _row_of(end, message)
        if row is not None:
            return row
        end = end.partition(".")[2]
    return _row_of(code, message)


def _row_of(code: str, message: str) -> Meaning | None:
    message = message.lower()
    best: Meaning | None = None
    for row in MEANINGS:
        known = row.code.lower()
        prefix = known.endswith("*")
        known = known.removesuffix("*")
        matches = code.startswith(known) if prefix else code == known
        if not matches or (row.phrases and not any(text in message for text in row.phrases)):
            continue
        if best is None or _weight(row) > _weight(best):
            best = row
    return best


def _weight(row: Meaning) -> tuple[int, bool, bool]:
    return len(row.code.removesuffix("*")), not row.code.endswith("*"), bool(row.phrases)


def error_from(status: int | None, code: str, message: str, retry_after: float | None = None) -> ProviderError:
    """The error of an HTTP response with this status, or, with None, of a failed task.

    `retry_after` is in seconds. A code without a row keeps its own text and has no message. A 4xx is a refusal, even
    where its code is one of the service's own trouble.
    """
    row = meaning_of(code, message)
    no_verdict = status in _NO_VERDICT
    rejected = status is not None and 400 <= status < 500 and not no_verdict
    if rejected and row is not None and row.kind.blame is Blame.UPSTREAM:
        row = None
    if (rejected or status is None) and _is_download_failure(status, row, message):
        row = _UNREACHABLE
    if row is not None:
        kind = row.kind
    elif status is None:
        kind = ErrorKind.GENERATION_FAILED
    else:
        kind = STATUS_KINDS.get(status, ErrorKind.INVALID_REQUEST if rejected else ErrorKind.UPSTREAM_ERROR)
    return ProviderError(
        kind,
        code=code[:MAX_DETAIL],
        message=row.message if row else STOPPED_ON_THE_WAY if no_verdict else None,
        detail=message[:MAX_DETAIL],
        retry_after=retry_after,
        model_only=row is not None and row.model_only,
    )


def _is_download_failure(status: int | None, row: Meaning | None, message: str) -> bool:
    """True where the service could not download an input, unless the account's credential or quota is the error."""
    kind = row.kind if row else STATUS_KINDS.get(status or 400, ErrorKind.INVALID_REQUEST)
    text = message.lower()
    return kind.blame is not Blame.ACCOUNT and any(phrase in text for phrase in _DOWNLOAD_PHRASES)


def code_and_message(body: Any) -> tuple[str, str]:
    """Code and message of an error body, in DashScope's form or the compatible mode's; "" for what is missing."""
    if not isinstance(body, dict):
        return "", ""
    inner = body.get("error")
    if isinstance(inner, dict):
        body = inner
    return text_of(body.get("code")), text_of(body.get("message"))


def text_of(value: Any) -> str:
    """A string, or a number as text; "" for everything else."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    try:
        return str(value)
    except ValueError:
        return ""
