"""The numbers of Jimeng: `ret` of an envelope and `fail_code` of a record, most of which they share."""

from dataclasses import dataclass

from providers.contract import ErrorKind, ProviderError, Words


@dataclass(frozen=True, slots=True)
class Meaning:
    kind: ErrorKind
    words: Words


_EXPIRED = Meaning(
    ErrorKind.INVALID_CREDENTIAL,
    Words("登录已失效，请更换 sessionid", "The login has expired; sign in on the site and use the new sessionid"),
)
_NO_CREDITS = Meaning(ErrorKind.NO_CREDITS, Words("积分不足", "Not enough credits"))
_DAILY_LIMIT = Meaning(
    ErrorKind.NO_CREDITS,
    Words("今日生成次数已达上限，请明天再试", "The daily limit is reached; try again tomorrow (Asia/Shanghai)"),
)
_TOO_FREQUENT = Meaning(
    ErrorKind.RATE_LIMITED, Words("请求过于频繁，请稍后再试", "Too many requests; try again a little later")
)
_TOO_MANY = Meaning(
    ErrorKind.TOO_MANY_RUNNING,
    Words("正在运行的任务过多，请等待任务完成后再试", "Too many tasks are running; wait until one has ended"),
)
_PUNISHED = Meaning(
    ErrorKind.RESTRICTED,
    Words("账号已被限制，请在官网查看原因", "The account is restricted; see the reason on the site"),
)
_RISK = Meaning(
    ErrorKind.RESTRICTED,
    Words(
        "触发风控，请在官网完成验证并暂停使用该账号",
        "Risk control stopped this account; pass the check on the site and let the account rest",
    ),
)
_REFUSED = Meaning(
    ErrorKind.CONTENT_REFUSED, Words("内容违规", "The content was refused; change the prompt or the image")
)
_COPYRIGHT = Meaning(
    ErrorKind.CONTENT_REFUSED,
    Words("内容违规：可能涉及版权", "The content was refused: it may infringe a copyright"),
)
_PARAMETERS = Meaning(
    ErrorKind.INVALID_REQUEST, Words("请求参数错误", "The site refused the parameters of the request")
)
_NOT_OPEN = Meaning(
    ErrorKind.NOT_ENTITLED,
    Words("当前账号无权使用该模型或功能", "This account may not use this model or feature; try another one"),
)
_SIGNATURE = Meaning(
    ErrorKind.UPSTREAM_ERROR,
    Words("签名校验失败，请检查服务器时间", "The site refused the signature; check the clock of the server"),
)
_FAILED = Meaning(ErrorKind.GENERATION_FAILED, Words("生成失败", "The generation failed; try again"))

SIGNATURE_REFUSED = "1014"
LOGIN_EXPIRED = "1015"

MEANINGS: dict[str, Meaning] = {
    LOGIN_EXPIRED: _EXPIRED,
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
    "1018": _PUNISHED,
    "1019": _RISK,
    "1021": _RISK,
    "4013": _RISK,
    "-4": _RISK,
    "-6": _RISK,
    "2035": _RISK,
    "2043": _RISK,
    "2003": _REFUSED,
    "2004": _REFUSED,
    "2005": _REFUSED,
    "2038": _REFUSED,
    "2039": _REFUSED,
    "2041": _REFUSED,
    "2042": _REFUSED,
    "1063": _REFUSED,
    "1159": _COPYRIGHT,
    "2048": _COPYRIGHT,
    "2050": _COPYRIGHT,
    "1000": _PARAMETERS,
    "1001": _PARAMETERS,
    "1002": _PARAMETERS,
    "1161": _PARAMETERS,
    "1162": _PARAMETERS,
    "2008": _PARAMETERS,
    "4002": _PARAMETERS,
    "3018": _NOT_OPEN,
    "3021": _NOT_OPEN,
    "4003": _NOT_OPEN,
    "4010": _NOT_OPEN,
    SIGNATURE_REFUSED: _SIGNATURE,
    "2002": _FAILED,
    "2036": _FAILED,
    "5001": _FAILED,
    "5002": _FAILED,
}

_CREDIT_WORDS = ("credit", "积分", "benefit", "balance")
_CONTENT_WORDS = ("content", "violat", "sensitive", "违规", "敏感", "审核", "policy")


def meaning_of(code: str, text: str) -> Meaning | None:
    """The meaning of a number, None for one that the table lacks.

    4001 means credits on the international sites and refused content in older lists: the text beside it decides.
    """
    if code == "4001":
        lowered = text.lower()
        if not any(word in lowered for word in _CREDIT_WORDS) and any(word in lowered for word in _CONTENT_WORDS):
            return _REFUSED
    return MEANINGS.get(code)


def refusal(code: str, errmsg: str) -> ProviderError:
    """The error of an envelope whose `ret` is not 0. A number the table lacks is kept and shown."""
    meaning = meaning_of(code, errmsg)
    if meaning is None:
        words = Words("上游拒绝了请求", "The upstream refused the request")
        if code:
            words = Words(f"{words.zh} (错误码: {code})", f"{words.en} (code {code})")
        return ProviderError(ErrorKind.UPSTREAM_ERROR, code=code, words=words, detail=errmsg)
    return ProviderError(meaning.kind, code=code, words=meaning.words, detail=errmsg)


def failure(code: str, sentence: str, text: str = "") -> ProviderError:
    """The error of a task that failed.

    `code` is "" when the record names none. `sentence` is the site's own for people and is shown after ours;
    `text` is the site's for programs, which only helps to tell what a number means.
    """
    meaning = meaning_of(code, f"{sentence} {text}") if code else _FAILED
    if meaning is None:
        words = Words(f"生成失败 (错误码: {code})", f"The generation failed (code {code})")
        return ProviderError(ErrorKind.GENERATION_FAILED, code=code, words=words, detail=sentence)
    return ProviderError(meaning.kind, code=code, words=meaning.words, detail=sentence)
