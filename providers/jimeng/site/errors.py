"""Why the site refuses: tables from its numbers, keys and sentences to kinds of failure.

`ret` of an envelope and `fail_code` of a record share most numbers. A number with a row decides, then the key of the
site's own sentence (`fail_starling_key`), then the sentence: a record of 2026-10-02 has an empty number beside a
filled key.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.jimeng.site.lenient_json import dig, number_text, string


@dataclass(frozen=True, slots=True)
class Meaning:
    kind: ErrorKind
    words: LocalizedText


@dataclass(frozen=True, slots=True)
class Reason:
    """What the site fills when it refuses or fails: the number, the key of its sentence, the sentence for people and
    the text for programs. "" for what is empty."""

    code: str = ""
    key: str = ""
    sentence: str = ""
    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.code or self.key or self.sentence or self.text)


def reason_of(holder: Any) -> Reason:
    """The `fail_*` fields of a record, or of the data of a refusal."""
    code = number_text(dig(holder, "fail_code"))
    return Reason(
        "" if code == "0" else code,
        string(dig(holder, "fail_starling_key")).strip(),
        string(dig(holder, "fail_starling_message")).strip(),
        string(dig(holder, "fail_msg")).strip(),
    )


_EXPIRED = Meaning(
    ErrorKind.INVALID_CREDENTIAL,
    LocalizedText(
        "登录已失效，请更换 sessionid；国际站账号也可能属于其他站点，请检查前缀（us-、hk-、jp-、sg-）",
        "The login has expired, or the account belongs to another site: sign in and use the new sessionid, "
        "or check the prefix (us-, hk-, jp-, sg-)",
    ),
)
_NO_CREDITS = Meaning(ErrorKind.NO_CREDITS, LocalizedText("积分不足", "Not enough credits"))
_DAILY_LIMIT = Meaning(
    ErrorKind.NO_CREDITS,
    LocalizedText("今日生成次数已达上限，请明天再试", "The daily limit is reached; try again tomorrow (Asia/Shanghai)"),
)
_TOO_FREQUENT = Meaning(
    ErrorKind.RATE_LIMITED, LocalizedText("请求过于频繁，请稍后再试", "Too many requests; try again a little later")
)
_TOO_MANY = Meaning(
    ErrorKind.TOO_MANY_RUNNING,
    LocalizedText("正在运行的任务过多，请等待任务完成后再试", "Too many tasks are running; wait until one has ended"),
)
_PEAK = Meaning(
    ErrorKind.TOO_MANY_RUNNING,
    LocalizedText(
        "网站处于高峰期，该模型暂时不能提交更多任务，请等待任务完成后再试",
        "At this peak time the site takes no more tasks of this model; wait until one has ended",
    ),
)
_PUNISHED = Meaning(
    ErrorKind.RESTRICTED,
    LocalizedText("账号已被限制，请在官网查看原因", "The account is restricted; see the reason on the site"),
)
_RISK = Meaning(
    ErrorKind.RESTRICTED,
    LocalizedText(
        "触发风控，请在官网完成验证并暂停使用该账号",
        "Risk control stopped this account; pass the check on the site and let the account rest",
    ),
)
_NO_PROOF = Meaning(
    ErrorKind.RESTRICTED,
    LocalizedText(
        "触发风控：国际站要求浏览器生成的校验参数（msToken、X-Bogus），本网关不生成这些参数，请在官网操作或改用国内站账号",
        "Risk control: the international sites want browser proofs (msToken, X-Bogus) that this gateway does not make; "
        "use the site itself, or an account of the mainland site",
    ),
)
_REGION = Meaning(
    ErrorKind.RESTRICTED,
    LocalizedText(
        "网站不向当前地区提供服务，请为该账号配置所在地区的代理",
        "The site does not serve this region: give the account a proxy in the region of its site",
    ),
)
_REFUSED = Meaning(
    ErrorKind.CONTENT_REFUSED, LocalizedText("内容违规", "The content was refused; change the prompt or the image")
)
_TEXT_REFUSED = Meaning(
    ErrorKind.CONTENT_REFUSED,
    LocalizedText("内容违规：提示词未通过审核，请修改后重试", "The prompt was refused by content review; change it"),
)
_INPUT_REFUSED = Meaning(
    ErrorKind.CONTENT_REFUSED,
    LocalizedText("内容违规：输入的素材未通过审核，请更换后重试", "An input was refused by content review; replace it"),
)
_OUTPUT_REFUSED = Meaning(
    ErrorKind.CONTENT_REFUSED,
    LocalizedText(
        "内容违规：生成结果未通过审核，请修改提示词或更换素材后重试",
        "What was generated was refused by content review; change the prompt or the inputs",
    ),
)
_COPYRIGHT = Meaning(
    ErrorKind.CONTENT_REFUSED,
    LocalizedText(
        "内容违规：可能涉及版权，请修改提示词或更换素材后重试",
        "The content was refused, since it may infringe a copyright; change the prompt or the inputs",
    ),
)
_PARAMETERS = Meaning(
    ErrorKind.INVALID_REQUEST,
    LocalizedText(
        "请求参数错误：网站不接受这些参数，请改用其他参数或模型",
        "The site refused the parameters of the request; try other values or another model",
    ),
)
_MIXED_LANGUAGES = Meaning(
    ErrorKind.INVALID_REQUEST,
    LocalizedText("提示词混用了多种语言，请只使用一种语言", "The prompt mixes languages; use one language"),
)
_UNSUPPORTED_LANGUAGE = Meaning(
    ErrorKind.INVALID_REQUEST,
    LocalizedText(
        "提示词使用了网站不支持的语言，请改用中文或英文",
        "The site does not support the language of the prompt; write it in Chinese or English",
    ),
)
_MODEL_GONE = Meaning(
    ErrorKind.MODEL_NOT_FOUND,
    LocalizedText(
        "网站已不提供此模型，可用模型见 GET /v1/models",
        "The site no longer has this model: see GET /v1/models",
    ),
)
_NOT_OPEN = Meaning(
    ErrorKind.NOT_ENTITLED,
    LocalizedText(
        "当前账号无权使用该模型或功能，请改用其他模型或账号",
        "This account may not use this model or feature; try another model or account",
    ),
)
_SIGNATURE = Meaning(
    ErrorKind.UPSTREAM_ERROR,
    LocalizedText("签名校验失败，请检查服务器时间", "The site refused the signature; check the clock of the server"),
)
_INPUT_LOST = Meaning(
    ErrorKind.UPLOAD_FAILED,
    LocalizedText("网站未能取得已上传的素材，请重试", "The site could not read an uploaded input; try again"),
)
_FAILED = Meaning(ErrorKind.GENERATION_FAILED, LocalizedText("生成失败", "The generation failed; try again"))
_CANCELLED = Meaning(ErrorKind.CANCELLED, LocalizedText("任务已取消", "The task was cancelled"))
_REFUNDED = Meaning(
    ErrorKind.CANCELLED,
    # Captured 2026-03-10 on the mainland site: 你已取消生成，积分已返还.
    LocalizedText("任务已取消，积分已返还", "The task was cancelled and its credits were returned"),
)

SIGNATURE_REFUSED = "1014"
LOGIN_EXPIRED = "1015"
CANCELLED_CODE = "cancelled"
"""The `code` of a task that was cancelled, whatever number the record has."""

MEANINGS: dict[str, Meaning] = {
    LOGIN_EXPIRED: _EXPIRED,
    # Of the commerce host, errmsg "login error" (2026).
    "34010105": _EXPIRED,
    "1006": _NO_CREDITS,
    "5000": _NO_CREDITS,
    "4001": _NO_CREDITS,
    "121101": _DAILY_LIMIT,
    "1": _TOO_FREQUENT,
    "1057": _TOO_FREQUENT,
    "2014": _TOO_FREQUENT,
    "2020": _TOO_FREQUENT,
    "10020": _TOO_FREQUENT,
    "1010": _TOO_MANY,
    # Captured 2026-04-26: errmsg 因目前处于使用高峰期，暂时无法提交更多任务.
    "1310": _PEAK,
    "1018": _PUNISHED,
    "1019": _RISK,
    "1021": _RISK,
    "4013": _RISK,
    "-4": _RISK,
    "2035": _RISK,
    "2043": _RISK,
    # Writes from outside the page, captured 2026-10-01 on the US site.
    "-6": _NO_PROOF,
    "34070104": _NO_PROOF,
    # "region not allow": one report, no capture of the envelope.
    "3000": _REGION,
    # The site's own names of 2003 to 2005, read 2026-09: picture before, picture after, text before.
    "2003": _INPUT_REFUSED,
    "2004": _OUTPUT_REFUSED,
    "2005": _TEXT_REFUSED,
    "2038": _REFUSED,
    "2039": _REFUSED,
    "2040": _REFUSED,
    "2041": _REFUSED,
    "2042": _REFUSED,
    # Forbidden words, reported 2026-02-27 as the fail_code of a record.
    "2047": _TEXT_REFUSED,
    "1063": _REFUSED,
    "1159": _COPYRIGHT,
    "2048": _COPYRIGHT,
    "2050": _COPYRIGHT,
    "1000": _PARAMETERS,
    "1001": _PARAMETERS,
    "1002": _PARAMETERS,
    # The site's own names, read 2026-09.
    "1161": _MIXED_LANGUAGES,
    "1162": _UNSUPPORTED_LANGUAGE,
    "1189": _PARAMETERS,
    "1190": _PARAMETERS,
    "2203": _PARAMETERS,
    "2204": _PARAMETERS,
    "2008": _PARAMETERS,
    "4002": _PARAMETERS,
    # Live 2026-09-30 on the mainland site: 模型已不可用，请刷新界面后再试试.
    "2061": _MODEL_GONE,
    "3018": _NOT_OPEN,
    "3021": _NOT_OPEN,
    "4003": _NOT_OPEN,
    "4010": _NOT_OPEN,
    SIGNATURE_REFUSED: _SIGNATURE,
    # "download file failed" (2026-04-26).
    "3020": _INPUT_LOST,
    "2002": _FAILED,
    "2036": _FAILED,
    "5001": _FAILED,
    "5002": _FAILED,
}

KEYS: dict[str, Meaning] = {
    "web_text_violates_community_guidelines_toast": _TEXT_REFUSED,
    "web_image_violates_community_guidelines_toast": _INPUT_REFUSED,
    "web_video_violates_community_guidelines_toast": _INPUT_REFUSED,
    "web_fail2generate_copyright_block": _COPYRIGHT,
    "ErrMessage_APP_OutputVideoRisk": _OUTPUT_REFUSED,
    "web_prompt_violate_guidelines_tip": _TEXT_REFUSED,
    "character_toast_sensitive_text": _TEXT_REFUSED,
    "web_fail2generate_input_retry": _INPUT_REFUSED,
    "web_risk_control_message_reject_generation": _RISK,
    "web_dre_m10n_generate_popup_credit_ininsufficient_title": _NO_CREDITS,
    "exceed_model_parallel_max": _PEAK,
    "ExceedConcurrencyLimit": _PEAK,
}
"""Keys seen between 2026-03 and 2026-10. The site also writes one into `fail_code` (1310)."""

KEY_PARTS: tuple[tuple[str, Meaning], ...] = (
    ("copyright", _COPYRIGHT),
    ("outputvideorisk", _OUTPUT_REFUSED),
    ("violate", _REFUSED),
    ("violation", _REFUSED),
    ("sensitive", _REFUSED),
    ("risk_control", _RISK),
    ("insufficient", _NO_CREDITS),
)
"""For keys without a row: what a part of one, in lower case, means. The first match counts."""

SENTENCES: tuple[tuple[str, Meaning], ...] = (
    ("版权", _COPYRIGHT),
    ("copyright", _COPYRIGHT),
    ("视频未通过审核", _OUTPUT_REFUSED),
    ("不符合平台规则", _REFUSED),
    ("未通过审核", _REFUSED),
    ("违规", _REFUSED),
    ("敏感", _REFUSED),
    ("community guidelines", _REFUSED),
    ("violat", _REFUSED),
    ("sensitive content", _REFUSED),
    ("积分不足", _NO_CREDITS),
    ("not enough credits", _NO_CREDITS),
    ("unusual activity", _RISK),
    ("异常行为", _RISK),
    ("模型已不可用", _MODEL_GONE),
)
"""For what has neither a number nor a key with a row: what a part of the sentence, in lower case, means."""

CANCEL_PARTS = (
    *("取消", "cancel", "キャンセル", "취소", "batal", "annul", "abgebrochen", "storniert", "отмен", "iptal", "hủy"),
    "ยกเลิก",
)
"""Parts, in lower case, of the sentence of a cancelled record in the languages of the sites, and of its key."""

REFUND_PARTS = (
    *("返还", "返還", "退还", "退回", "refund", "return", "返却", "返金", "환불", "반환", "dikembalikan", "rembours"),
    *("erstattet", "reembols", "devuelt", "возвра", "iade", "hoàn", "คืน"),
)
"""Likewise of one that says what became of the credits. No other sentence is told as a refund."""
_NO_REFUND_PARTS = ("不", "未", " not ", "no refund", "non-refund", "n't ")

TEXT_DECIDES: dict[str, tuple[tuple[str, Meaning], ...]] = {
    # Credits on the international sites, refused content in older lists.
    "4001": (
        *((word, _NO_CREDITS) for word in ("credit", "积分", "benefit", "balance")),
        *((word, _REFUSED) for word in ("content", "violat", "sensitive", "违规", "敏感", "审核", "policy")),
    ),
    # A wrong benefit type gets the number of missing credits (public report, without a capture).
    "1006": (("invalid parameter", _PARAMETERS),),
}
"""Numbers with two meanings: the first part, in lower case, that the text beside one holds decides; else MEANINGS."""

BESIDE: dict[tuple[str, str], Meaning] = {
    # Permission denied to a write from outside the page, captured 2026-10-01 on the US site.
    ("3018", "1017"): _NO_PROOF,
}
"""`ret` with the `fail_code` in its data, where both together mean something else than `ret` alone."""

_LOGIN_ERROR = "login error"
"""`errmsg` of a refused login under numbers that differ by host."""


def meaning_of(reason: Reason) -> Meaning | None:
    """What a reason means, None where no table has a row for it."""
    text = f"{reason.sentence} {reason.text}".lower()
    for part, meaning in TEXT_DECIDES.get(reason.code, ()):
        if part in text:
            return meaning
    return (
        MEANINGS.get(reason.code)
        or KEYS.get(reason.key)
        or KEYS.get(reason.code)
        or _first(KEY_PARTS, reason.key.lower())
        or _first(SENTENCES, text)
    )


def refusal(ret: str, errmsg: str, data: Any = None, *, redact: Callable[[str], str] = str) -> ProviderError:
    """The error of an envelope whose `ret` is not 0. A number without a row is kept and shown.

    `data` is that of the envelope: its `fail_*` fields tell more where `ret` alone tells nothing. `redact` removes the
    account's secrets from the site's own texts.
    """
    inner = reason_of(data)
    own = Reason(ret, text=errmsg)
    meaning = BESIDE.get((ret, inner.code)) or meaning_of(own)
    if meaning is None and _LOGIN_ERROR in errmsg.lower():
        meaning = _EXPIRED
    if meaning is None and inner:
        meaning = meaning_of(inner)
    return _refused(meaning, redact(ret), redact(inner.sentence or errmsg))


def refused_submit(reason: Reason, *, redact: Callable[[str], str] = str) -> ProviderError:
    """The error of a successful envelope that holds a reason in place of a task: nothing was created."""
    return _refused(meaning_of(reason), redact(reason.code), redact(reason.sentence or reason.text or reason.key))


def _refused(meaning: Meaning | None, code: str, detail: str) -> ProviderError:
    if meaning is None:
        words = LocalizedText("上游拒绝了请求", "The upstream refused the request")
        if code:
            words = LocalizedText(f"{words.zh} (错误码: {code})", f"{words.en} (code {code})")
        return ProviderError(ErrorKind.UPSTREAM_ERROR, code=code, words=words, detail=detail)
    return ProviderError(meaning.kind, code=code, words=meaning.words, detail=detail)


def failure(reason: Reason, hint: Meaning | None = None) -> ProviderError:
    """The error of a task that failed or was cancelled.

    `hint` is what the record's status means, where the reason has no meaning of its own. The site's sentence for
    people becomes the detail, which is shown after ours.
    """
    if is_cancelled(reason):
        told = _REFUNDED if _tells_refund(reason.sentence.lower()) else _CANCELLED
        return ProviderError(told.kind, code=CANCELLED_CODE, words=told.words, detail=reason.sentence)
    meaning = meaning_of(reason) or hint
    if meaning is None:
        meaning = _FAILED
        if reason.code:
            code = reason.code
            words = LocalizedText(f"生成失败 (错误码: {code})", f"The generation failed (code {code})")
            meaning = replace(_FAILED, words=words)
    return ProviderError(meaning.kind, code=reason.code, words=meaning.words, detail=reason.sentence)


def is_cancelled(reason: Reason) -> bool:
    """True for the reason of a record that its user cancelled. A number or a key that means more than a failed
    generation goes before the sentence."""
    known = MEANINGS.get(reason.code) or KEYS.get(reason.key)
    if known is not None and known is not _FAILED:
        return False
    texts = (reason.key.lower(), reason.sentence.lower())
    return any(part in text for text in texts for part in CANCEL_PARTS)


def _tells_refund(sentence: str) -> bool:
    return any(part in sentence for part in REFUND_PARTS) and not any(part in sentence for part in _NO_REFUND_PARTS)


REFUSED_BY_STATUS: Mapping[int, Meaning] = {10: _INPUT_REFUSED, 40: _OUTPUT_REFUSED}
"""Status numbers of a record or of the task in it that say where it was refused (live 2026-03-10)."""


def _first(table: tuple[tuple[str, Meaning], ...], text: str) -> Meaning | None:
    return next((meaning for part, meaning in table if part in text), None) if text else None
