"""Map the site's error numbers, message keys and messages to `meanings`.

`ret` of an envelope and `fail_code` of a record share most numbers. A number with a row decides, then the message's
key (`fail_starling_key`), then the message: a record of 2026-10-02 has an empty number beside a filled key.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.jimeng.site import meanings
from providers.jimeng.site.lenient_json import dig, number_text, string
from providers.jimeng.site.meanings import Meaning


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the site rejected a call or a task failed: the number, the message's key, the message for people and the
    text for programs. "" for an empty field."""

    code: str = ""
    key: str = ""
    message: str = ""
    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.code or self.key or self.message or self.text)


def reason_of(holder: Any) -> Reason:
    """The `fail_*` fields of a record, or of the data of an error."""
    code = number_text(dig(holder, "fail_code"))
    known = Reason(
        "" if code == "0" else code,
        string(dig(holder, "fail_starling_key")).strip(),
        string(dig(holder, "fail_starling_message")).strip(),
        string(dig(holder, "fail_msg")).strip(),
    )
    return known or Reason(text=_other_text(holder))


def _other_text(holder: Any) -> str:
    """The first text of another `fail_*` field: the site adds some."""
    fields = holder.items() if isinstance(holder, Mapping) else ()
    return next((text.strip() for name, text in fields if _is_fail_text(name, text)), "")


def _is_fail_text(name: object, text: object) -> bool:
    return (
        isinstance(name, str) and name.startswith("fail_") and isinstance(text, str) and text.strip() not in ("", "0")
    )


SIGNATURE_REFUSED = "1014"
LOGIN_EXPIRED = "1015"
CANCELLED_CODE = "cancelled"
"""The `code` of a task that was cancelled, whatever number the record has."""

MEANINGS: dict[str, Meaning] = {
    LOGIN_EXPIRED: meanings.EXPIRED,
    # Of the commerce host, errmsg "login error" (2026).
    "34010105": meanings.EXPIRED,
    "34010100": meanings.EXPIRED,
    "1006": meanings.NO_CREDITS,
    "5000": meanings.NO_CREDITS,
    "4001": meanings.NO_CREDITS,
    "121101": meanings.DAILY_LIMIT,
    "1": meanings.TOO_FREQUENT,
    "1057": meanings.TOO_FREQUENT,
    "2014": meanings.TOO_FREQUENT,
    "2020": meanings.TOO_FREQUENT,
    "10020": meanings.TOO_FREQUENT,
    "1010": meanings.TOO_MANY,
    # Captured 2026-04-26: errmsg 因目前处于使用高峰期，暂时无法提交更多任务.
    "1310": meanings.PEAK_HOURS,
    "1018": meanings.RESTRICTED,
    "1019": meanings.RISK_CONTROL,
    "1021": meanings.RISK_CONTROL,
    "4013": meanings.RISK_CONTROL,
    "-4": meanings.RISK_CONTROL,
    "2035": meanings.RISK_CONTROL,
    "2043": meanings.RISK_CONTROL,
    # Writes without the parameters that the site's page adds, captured 2026-10-01 on the US site.
    "-6": meanings.NO_BROWSER_PARAMETERS,
    "34070104": meanings.NO_BROWSER_PARAMETERS,
    # "region not allow": one report, no capture of the envelope.
    "3000": meanings.REGION,
    # The site's names of 2003 to 2005, read 2026-09: image before, image after, text before.
    "2003": meanings.INPUT_REFUSED,
    "2004": meanings.OUTPUT_REFUSED,
    "2005": meanings.PROMPT_REFUSED,
    "2038": meanings.REFUSED,
    "2039": meanings.REFUSED,
    "2040": meanings.REFUSED,
    "2041": meanings.REFUSED,
    "2042": meanings.REFUSED,
    # Banned words, reported 2026-02-27 as the fail_code of a record.
    "2047": meanings.PROMPT_REFUSED,
    "1063": meanings.REFUSED,
    "1159": meanings.COPYRIGHT,
    "2048": meanings.COPYRIGHT,
    "2050": meanings.COPYRIGHT,
    "1000": meanings.INVALID_PARAMETERS,
    "1001": meanings.INVALID_PARAMETERS,
    "1002": meanings.INVALID_PARAMETERS,
    # The site's names, read 2026-09.
    "1161": meanings.MIXED_LANGUAGES,
    "1162": meanings.UNSUPPORTED_LANGUAGE,
    "1189": meanings.INVALID_PARAMETERS,
    "1190": meanings.INVALID_PARAMETERS,
    "2203": meanings.INVALID_PARAMETERS,
    "2204": meanings.INVALID_PARAMETERS,
    "2008": meanings.INVALID_PARAMETERS,
    "4002": meanings.INVALID_PARAMETERS,
    # Live 2026-09-30 on the mainland site: 模型已不可用，请刷新界面后再试试.
    "2061": meanings.MODEL_UNAVAILABLE,
    "3018": meanings.NOT_ENTITLED,
    "3021": meanings.NOT_ENTITLED,
    "4003": meanings.NOT_ENTITLED,
    "4010": meanings.NOT_ENTITLED,
    SIGNATURE_REFUSED: meanings.SIGNATURE,
    # "download file failed" (2026-04-26).
    "3020": meanings.INPUT_UNREADABLE,
    "2002": meanings.FAILED,
    "2036": meanings.FAILED,
    "5001": meanings.FAILED,
    "5002": meanings.FAILED,
}

KEYS: dict[str, Meaning] = {
    "web_text_violates_community_guidelines_toast": meanings.PROMPT_REFUSED,
    "web_image_violates_community_guidelines_toast": meanings.INPUT_REFUSED,
    "web_video_violates_community_guidelines_toast": meanings.INPUT_REFUSED,
    "web_fail2generate_copyright_block": meanings.COPYRIGHT,
    "ErrMessage_APP_OutputVideoRisk": meanings.OUTPUT_REFUSED,
    "web_prompt_violate_guidelines_tip": meanings.PROMPT_REFUSED,
    "character_toast_sensitive_text": meanings.PROMPT_REFUSED,
    "web_fail2generate_input_retry": meanings.INPUT_REFUSED,
    "web_risk_control_message_reject_generation": meanings.RISK_CONTROL,
    "web_dre_m10n_generate_popup_credit_ininsufficient_title": meanings.NO_CREDITS,
    "exceed_model_parallel_max": meanings.PEAK_HOURS,
    "ExceedConcurrencyLimit": meanings.PEAK_HOURS,
}
"""Keys seen between 2026-03 and 2026-10. The site also writes one into `fail_code` (1310)."""

KEY_PARTS: tuple[tuple[str, Meaning], ...] = (
    ("copyright", meanings.COPYRIGHT),
    ("outputvideorisk", meanings.OUTPUT_REFUSED),
    ("community_guidelines", meanings.REFUSED),
    ("violate", meanings.REFUSED),
    ("violation", meanings.REFUSED),
    ("sensitive", meanings.REFUSED),
    ("not_pass", meanings.REFUSED),
    ("audit", meanings.REFUSED),
    ("risk_control", meanings.RISK_CONTROL),
    ("insufficient", meanings.NO_CREDITS),
    ("parallel", meanings.PEAK_HOURS),
    ("concurrency", meanings.PEAK_HOURS),
)
"""For keys without a row, by a part in lower case. The first match counts."""

MESSAGE_PARTS: tuple[tuple[str, Meaning], ...] = (
    ("版权", meanings.COPYRIGHT),
    ("copyright", meanings.COPYRIGHT),
    ("视频未通过审核", meanings.OUTPUT_REFUSED),
    ("不符合平台规则", meanings.REFUSED),
    ("未通过审核", meanings.REFUSED),
    ("审核未通过", meanings.REFUSED),
    ("社区规范", meanings.REFUSED),
    ("社区准则", meanings.REFUSED),
    ("违规", meanings.REFUSED),
    ("敏感", meanings.REFUSED),
    ("community guidelines", meanings.REFUSED),
    ("violat", meanings.REFUSED),
    ("sensitive content", meanings.REFUSED),
    ("积分不足", meanings.NO_CREDITS),
    ("not enough credits", meanings.NO_CREDITS),
    ("unusual activity", meanings.RISK_CONTROL),
    ("异常行为", meanings.RISK_CONTROL),
    ("region not allow", meanings.REGION),
    ("login error", meanings.EXPIRED),
    ("not login", meanings.EXPIRED),
    ("模型已不可用", meanings.MODEL_UNAVAILABLE),
)
"""Without a number or key that has a row: by a part of the message, in lower case."""

CANCEL_PARTS = (
    *("取消", "cancel", "キャンセル", "취소", "batal", "annul", "abgebrochen", "storniert", "отмен", "iptal", "hủy"),
    "ยกเลิก",
)
"""Parts, in lower case, of the message and the key of a cancelled record, in the languages of the sites."""

REFUND_PARTS = (
    *("返还", "返還", "退还", "退回", "refund", "return", "返却", "返金", "환불", "반환", "dikembalikan", "rembours"),
    *("erstattet", "reembols", "devuelt", "возвра", "iade", "hoàn", "คืน"),
)
"""Likewise of a message that reports a refund."""
_NO_REFUND_PARTS = ("不", "未", " not ", "no refund", "non-refund", "n't ")

TEXT_DECIDES: dict[str, tuple[tuple[str, Meaning], ...]] = {
    # Credits on the international sites, refused content in older lists.
    "4001": (
        *((word, meanings.NO_CREDITS) for word in ("credit", "积分", "benefit", "balance")),
        *((word, meanings.REFUSED) for word in ("content", "violat", "sensitive", "违规", "敏感", "审核", "policy")),
    ),
    # A wrong benefit type gets the number of missing credits (public report, without a capture).
    "1006": (("invalid parameter", meanings.INVALID_PARAMETERS),),
}
"""Numbers with two meanings: the first part, in lower case, found in the message or text decides; else MEANINGS."""

PAIRS: dict[tuple[str, str], Meaning] = {
    # Permission denied for such a write, captured 2026-10-01 on the US site.
    ("3018", "1017"): meanings.NO_BROWSER_PARAMETERS,
}
"""`ret` with the `fail_code` in its data, if both together mean something else than `ret` alone."""


def meaning_of(reason: Reason) -> Meaning | None:
    """What a reason means, None if no table has a row for it."""
    text = f"{reason.message} {reason.text}".lower()
    for part, meaning in TEXT_DECIDES.get(reason.code, ()):
        if part in text:
            return meaning
    return (
        MEANINGS.get(reason.code)
        or KEYS.get(reason.key)
        or KEYS.get(reason.code)
        or _first_match(KEY_PARTS, reason.key.lower())
        or _first_match(MESSAGE_PARTS, text)
    )


def envelope_error(
    ret: str,
    errmsg: str,
    data: Any = None,
    *,
    redact: Callable[[str], str] = str,
    unknown: ErrorKind = ErrorKind.UPSTREAM_ERROR,
) -> ProviderError:
    """The error of an envelope whose `ret` is not 0. A number without a row is kept and shown, as an error of the kind
    `unknown`.

    `data` is the envelope's: its `fail_*` fields decide if `ret` has no row. `redact` removes the account's secrets
    from the site's texts.
    """
    inner = reason_of(data)
    own = Reason(ret, text=errmsg)
    meaning = PAIRS.get((ret, inner.code)) or meaning_of(own)
    if meaning is None and inner:
        meaning = meaning_of(inner)
    return _error(meaning, redact(ret), redact(inner.message or errmsg), unknown)


def submit_error(reason: Reason, *, redact: Callable[[str], str] = str) -> ProviderError:
    """The error of a successful envelope with a reason instead of a task: nothing was created."""
    detail = redact(reason.message or reason.text or reason.key)
    return _error(meaning_of(reason), redact(reason.code), detail, ErrorKind.UNKNOWN_REFUSAL)


def _error(meaning: Meaning | None, code: str, detail: str, unknown: ErrorKind) -> ProviderError:
    if meaning is None:
        message = LocalizedText("上游拒绝了请求", "The upstream refused the request")
        if code:
            message = LocalizedText(f"{message.zh} (错误码: {code})", f"{message.en} (code {code})")
        return ProviderError(unknown, code=code, message=message, detail=detail)
    return ProviderError(meaning.kind, code=code, message=meaning.message, detail=detail)


def task_error(reason: Reason, hint: Meaning | None = None) -> ProviderError:
    """The error of a task that failed or was cancelled.

    `hint` is the meaning of the record's status, used if the reason has none. The site's message becomes the detail,
    which is shown after ours.
    """
    if is_cancelled(reason):
        cancelled = meanings.REFUNDED if _mentions_refund(reason.message.lower()) else meanings.CANCELLED
        return ProviderError(cancelled.kind, code=CANCELLED_CODE, message=cancelled.message, detail=reason.message)
    meaning = meaning_of(reason) or hint
    if meaning is None:
        meaning = meanings.FAILED
        if reason.code:
            code = reason.code
            message = LocalizedText(f"生成失败 (错误码: {code})", f"The generation failed (code {code})")
            meaning = replace(meanings.FAILED, message=message)
    return ProviderError(meaning.kind, code=reason.code, message=meaning.message, detail=reason.message)


def is_cancelled(reason: Reason) -> bool:
    """True for the reason of a record that its user cancelled. A number or key that means more than a failed
    generation takes precedence over the message."""
    known = MEANINGS.get(reason.code) or KEYS.get(reason.key)
    if known is not None and known is not meanings.FAILED:
        return False
    texts = (reason.key.lower(), reason.message.lower())
    return any(part in text for text in texts for part in CANCEL_PARTS)


def _mentions_refund(message: str) -> bool:
    return any(part in message for part in REFUND_PARTS) and not any(part in message for part in _NO_REFUND_PARTS)


REFUSED_BY_STATUS: Mapping[int, Meaning] = {10: meanings.INPUT_REFUSED, 40: meanings.OUTPUT_REFUSED}
"""Status numbers of a record, or of the task in it, that show what content review rejected (live 2026-03-10)."""


def _first_match(table: tuple[tuple[str, Meaning], ...], text: str) -> Meaning | None:
    return next((meaning for part, meaning in table if part in text), None) if text else None
