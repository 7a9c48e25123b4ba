"""Jimeng's error numbers and the fields of their responses."""

from typing import Any

Json = dict[str, Any]

LOGIN, SIGN, PARAMETER, DRAFT, EMPTY = "1015", "1014", "1000", "1002", "2008"
GONE, NO_CREDITS, TOO_MANY, TOO_OFTEN, DENIED = "2061", "1006", "1010", "1057", "3018"
UNSAFE, RISK, FAILED = "2039", "2003", "2002"
SHARK, SHARK_ABROAD, SHARK_ACTION, COMMERCE_LOGIN = "1019", "-6", "34070104", "34010105"
NOT_CANCELLED = "1000"
"""`ret` of a cancel that is too late or of an unknown task. No capture shows the real number."""

MESSAGES: dict[str, str] = {
    "0": "success",
    "1": "too frequent",
    "-6": "shark not pass reject",
    "1000": "invalid parameter",
    "1001": "invalid parameter",
    "1002": "invalid draft content",
    "1006": "Not enough credits left or no relevant benefits",
    "1010": "too many running tasks",
    "1014": "sign error",
    "1015": "login error",
    "1018": "account punished",
    "1019": "shark not pass",
    "1021": "shark not pass",
    "1057": "request too frequent",
    "1063": "content not pass",
    "1159": "copyright not pass",
    "1161": "mixed languages",
    "1162": "unsupported language",
    "1310": "因目前处于使用高峰期，暂时无法提交更多任务，请稍后再试",
    "121101": "daily limit reached",
    "2002": "generate failed",
    "2003": "input image not pass",
    "2004": "output image not pass",
    "2005": "input text not pass",
    "2008": "invalid param",
    "2014": "too frequent",
    "2036": "generate failed",
    "2038": "input text not pass",
    "2039": "input image not pass",
    "2041": "output video not pass",
    "2047": "input text not pass",
    "2048": "copyright not pass",
    "2061": "模型已不可用，请刷新界面后再试试",
    "3000": "region not allow",
    "3018": "permission denied",
    "3020": "download file failed",
    "3021": "feature not available",
    "34010105": "login error",
    "34070104": "shark action check reject",
    "4001": "not enough credits",
    "4013": "生成失败，疑似存在异常行为，请重新尝试",
    "5000": "not enough credits",
    "5001": "generate failed",
}
"""`ret` → `errmsg`. 2003 to 2005 as the site's own enumeration has them (read 2026-09-18): a picture before, a picture
after, a text before; 1161 and 1162 are languages there too. The text of 3000 is not captured."""

CREDENTIAL_RETS = {
    "poor": NO_CREDITS, "banned": "1018", "shark": SHARK, "limited": "121101", "peak": "1310", "noregion": "3000",
    "strange": "9527", "signedout": COMMERCE_LOGIN,
}  # fmt: skip
"""Directive in a `sessionid` → `ret` of its submits."""

_RISK_KEY = "web_risk_control_message_reject_generation"
_UNUSUAL = "Couldn't generate due to unusual activity in your account. Try again later."
_FAIL_FIELDS: dict[str, tuple[str, str, str]] = {
    "1006": ("1006", "web_dre_m10n_generate_popup_credit_ininsufficient_title", ""),
    "1310": ("exceed_model_parallel_max", "exceed_model_parallel_max", ""),
    "4013": ("4013", _RISK_KEY, MESSAGES["4013"]),
    "-6": ("4013", _RISK_KEY, _UNUSUAL),
    "3018": ("1017", "", ""),
}
"""`ret` → `fail_code`, `fail_starling_key`, `fail_starling_message` beside it; all three are empty without a row."""

_OTHER_DATA: dict[str, Json | None] = {"34010105": {"is_vip": False}, "1018": None}
"""`ret` → the whole `data`, where it has another form than a submit's."""


class Refused(Exception):  # noqa: N818
    """The call is refused with this `ret`; `detail` names what was wrong, `message` replaces the number's own text."""

    def __init__(self, ret: str, detail: str = "", message: str = "") -> None:
        super().__init__(f"{ret}: {detail or message}")
        self.ret = ret
        self.detail = detail
        self.message = message


def need(condition: object, detail: str, ret: str = PARAMETER) -> None:
    """Raises `Refused` with `ret` unless `condition` holds."""
    if not condition:
        raise Refused(ret, detail)


def refused_data(ret: str, *, submit: bool) -> Json | None:
    """`data` of an error: a submit's repeats the reason, most other calls have none."""
    if ret in _OTHER_DATA:
        return _OTHER_DATA[ret]
    if not submit:
        return None
    code, key, message = _FAIL_FIELDS.get(ret, ("", "", ""))
    return {"aigc_data": None, "fail_code": code, "fail_starling_key": key, "fail_starling_message": message}
