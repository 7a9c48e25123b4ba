"""How tasks fail: the number, the key, the message, and the stage."""

from dataclasses import dataclass

from providers.sandbox.directives import Directives
from providers.sandbox.jimeng.errors import MESSAGES

INPUT_REFUSED, BROKEN, OUTPUT_REFUSED = 10, 30, 40
"""`task.status` beside the record's 30: refused before the generation, failed or cancelled, refused after it."""

TEXT_KEY = "web_text_violates_community_guidelines_toast"
IMAGE_KEY = "web_image_violates_community_guidelines_toast"
VIDEO_KEY = "web_video_violates_community_guidelines_toast"
PROMPT_KEY = "web_prompt_violate_guidelines_tip"
OUTPUT_KEY = "ErrMessage_APP_OutputVideoRisk"
COPYRIGHT_KEY = "web_fail2generate_copyright_block"
RETRY_KEY = "web_fail2generate_input_retry"

_TEXT = "你输入的文字不符合平台规则，请修改后重试"
_IMAGE = "你上传的图片不符合平台规则，请修改后重试"

SENTENCES: dict[str, tuple[str, int]] = {
    TEXT_KEY: (_TEXT, INPUT_REFUSED),
    IMAGE_KEY: (_IMAGE, INPUT_REFUSED),
    VIDEO_KEY: ("你上传的视频不符合平台规则，请修改后重试", INPUT_REFUSED),
    PROMPT_KEY: (_TEXT, INPUT_REFUSED),
    "character_toast_sensitive_text": (_TEXT, INPUT_REFUSED),
    COPYRIGHT_KEY: ("生成的图片未通过审核", OUTPUT_REFUSED),
    OUTPUT_KEY: ("视频未通过审核，本次不消耗积分", OUTPUT_REFUSED),
    RETRY_KEY: ("生成失败，积分已返还", BROKEN),
}
"""`fail_starling_key` → its sentence, and the stage. The sentences of the first, sixth and seventh are captured."""

KEYS: dict[str, str] = {
    "2002": RETRY_KEY,
    "2003": IMAGE_KEY,
    "2004": OUTPUT_KEY,
    "2005": TEXT_KEY,
    "2038": TEXT_KEY,
    "2039": IMAGE_KEY,
    "2041": OUTPUT_KEY,
    "2047": PROMPT_KEY,
    "2048": COPYRIGHT_KEY,
    "5001": RETRY_KEY,
}
"""`fail_code` → its key; a code without a row has neither key nor sentence."""

CANCELLED = "你已取消生成，积分已返还"


@dataclass(frozen=True, slots=True)
class Failure:
    """What a failed record says. `code` is a text, a number (2038 was seen as one), or "" beside a key."""

    code: str | int
    key: str
    sentence: str
    stage: int
    message: str


def failure_of(directives: Directives) -> Failure | None:
    """The failure that a prompt's directives choose, None for success."""
    if "fail-key" in directives:
        key = directives["fail-key"]
        sentence, stage = SENTENCES.get(key, ("", BROKEN))
        return Failure("", key, sentence, stage, "")
    directive = next((one for one in ("fail-number", "fail") if one in directives), "")
    if not directive:
        return None
    code = directives[directive] or "2002"
    key = KEYS.get(code, "")
    sentence, stage = SENTENCES.get(key, ("", BROKEN))
    number = directive == "fail-number" and code.isdigit()
    return Failure(int(code) if number else code, key, sentence, stage, MESSAGES.get(code, "generate failed"))


def refusal_of(directives: Directives) -> dict[str, str] | None:
    """The `fail_*` fields of a submit that is answered without a task, None for one that is not."""
    if "refuse-inside" in directives:
        code = directives["refuse-inside"]
        sentence, _ = SENTENCES.get(KEYS.get(code, ""), ("", BROKEN))
        return {"fail_code": code, "fail_starling_key": KEYS.get(code, ""), "fail_starling_message": sentence}
    if "refuse-key" in directives:
        return {"fail_code": "", "fail_starling_key": directives["refuse-key"], "fail_starling_message": ""}
    if "refuse-sentence" in directives:
        return {"fail_code": "", "fail_starling_key": "", "fail_starling_message": _TEXT}
    return None
