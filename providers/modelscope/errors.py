"""ModelScope's error responses: `{"errors": {"message"}}` or `{"error": {"message"}}`, mostly without a code.

A 429 is one of three. The daily quota of one model, or of the account, is back at midnight; the rate limit, which
follows the load of the platform, is for one model. Texts and headers as users of the service report them (2025-08 to
2026-08); the headers may be gone since the quotas became credits.
"""

from dataclasses import dataclass

from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.openai_compatible import Failure

ACCOUNT_REMAINING = "modelscope-ratelimit-requests-remaining"
MODEL_REMAINING = "modelscope-ratelimit-model-requests-remaining"

_TOKEN = LocalizedText(
    "ModelScope 访问令牌无效，请检查令牌是否完整、是否属于该站点，并确认已绑定阿里云账号",
    "The ModelScope token is not valid: check that it is complete, belongs to this site, and that its account is bound "
    "to an Alibaba Cloud account",
)
_NO_MODEL = LocalizedText(
    "模型不存在，或 ModelScope 未为其提供 API 推理服务，请检查模型名称",
    "The model does not exist, or ModelScope serves no inference API for it: check its name",
)
_MODEL_QUOTA = LocalizedText(
    "该模型今日的调用额度已用完，请更换模型，或于次日再试",
    "Today's quota of this model is used up: use another model, or try again tomorrow",
)
_DAILY_QUOTA = LocalizedText(
    "账号今日的调用额度已用完，请于次日再试，或更换账号",
    "Today's quota of the account is used up: try again tomorrow, or use another account",
)
_CREDITS = LocalizedText(
    "账号的魔粒余额不足，请于次日再试，或更换账号",
    "The account has no magicubes left: try again tomorrow, or use another account",
)
_RATE = LocalizedText(
    "请求过于频繁，已被上游限流，请稍后重试",
    "Too many requests, the upstream limits the rate: try again in a moment",
)
_REFUSED = LocalizedText(
    "内容违规，已被上游内容审核拦截，请修改内容后重试",
    "The content filter of the upstream refused the content: change it, then try again",
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """A row of the table: what an error with one of these texts in its code or message means, whatever its case. The
    first row that fits counts."""

    phrases: tuple[str, ...]
    kind: ErrorKind
    message: LocalizedText
    statuses: tuple[int, ...] = ()
    model_only: bool = False


MEANINGS: tuple[Meaning, ...] = (
    Meaning(("today's quota for model",), ErrorKind.DAILY_LIMIT, _MODEL_QUOTA, model_only=True),
    Meaning(("today's quota", "daily quota", "今日额度"), ErrorKind.DAILY_LIMIT, _DAILY_QUOTA),
    Meaning(("magicube", "魔粒"), ErrorKind.NO_CREDITS, _CREDITS),
    Meaning(("no provider supported", "model not found", "invalid model"), ErrorKind.MODEL_NOT_FOUND, _NO_MODEL),
    Meaning(("inspection_failed", "inappropriate content"), ErrorKind.CONTENT_REFUSED, _REFUSED),
    Meaning(("",), ErrorKind.INVALID_CREDENTIAL, _TOKEN, (401,)),
    Meaning(("",), ErrorKind.MODEL_NOT_FOUND, _NO_MODEL, (404,)),
    Meaning(("",), ErrorKind.RATE_LIMITED, _RATE, (429,), model_only=True),
)

_STATUS_KINDS = {403: ErrorKind.NOT_ENTITLED, 408: ErrorKind.UPSTREAM_ERROR, 499: ErrorKind.UPSTREAM_ERROR}


def error_of(failed: Failure) -> ProviderError:
    """The error of an error response of ModelScope."""
    row = _by_headers(failed) or _by_text(failed)
    if row is not None:
        kind, message, model_only = row.kind, row.message, row.model_only
    else:
        by_class = ErrorKind.INVALID_REQUEST if failed.status < 500 else ErrorKind.UPSTREAM_ERROR
        kind, message, model_only = _STATUS_KINDS.get(failed.status, by_class), None, False
    return ProviderError(
        kind,
        code=failed.code,
        message=message,
        detail=failed.message,
        retry_after=failed.retry_after,
        model_only=model_only,
    )


def _by_headers(failed: Failure) -> Meaning | None:
    """What the quota headers of a 429 say: the account's before the model's, which it includes."""
    if failed.status != 429:
        return None
    if failed.headers.get(ACCOUNT_REMAINING) == "0":
        return Meaning((), ErrorKind.DAILY_LIMIT, _DAILY_QUOTA)
    if failed.headers.get(MODEL_REMAINING) == "0":
        return Meaning((), ErrorKind.DAILY_LIMIT, _MODEL_QUOTA, model_only=True)
    return None


def _by_text(failed: Failure) -> Meaning | None:
    text = f"{failed.code} {failed.message}".lower()
    for row in MEANINGS:
        if (not row.statuses or failed.status in row.statuses) and any(phrase in text for phrase in row.phrases):
            return row
    return None
