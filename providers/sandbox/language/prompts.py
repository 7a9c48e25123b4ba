"""Rewriting of video prompts: what the sandbox's models do where the system message asks for a video prompt.

The same request has the same answer: the words of the user message in one sentence, with a few details of look and
light, and a remark on the pictures. `#say=KIND` in the message chooses an answer that is of no use.
"""

import re
from typing import Any

_ASKED = re.compile(r"video prompt|视频提示词", re.IGNORECASE)
_LABEL = re.compile(r"^(?P<label>[A-Za-z ]{3,30}|[\u4e00-\u9fff]{2,6})(?:: |：)(?P<words>.*)$")
_HAN = re.compile("[\u4e00-\u9fff]")
_EMPTY = re.compile(r"^[(（].*[)）]$")

_ENDINGS = {
    "zh": "画面细节丰富，光影柔和而有层次，主体动作自然连贯，背景略带虚化，电影质感，色彩真实。",
    "en": "Rich natural detail, soft layered light, smooth and continuous motion, a gently blurred background, "
    "cinematic look, true colours.",
}
_PICTURES = {
    "zh": "主体的外观和场景与图片一致，画面从图片开始自然地动起来。",
    "en": "The subject and the scene look as in the picture, which gently comes to life.",
}
_REFUSALS = {"zh": "很抱歉，我无法协助完成这个请求。", "en": "I'm sorry, but I can't help with that."}
_JUNK = {
    "zh": "<think>\n用户想要一段提示词。\n</think>\n\n好的，以下是改写后的视频提示词：\n\n**“{answer}”**\n\n"
    "希望对你有帮助！如果需要调整，请告诉我。",
    "en": "<think>\nThe user wants a prompt.\n</think>\n\nSure! Here is your video prompt:\n\n"
    '```text\n"{answer}"\n```\n\n'
    "Let me know if you would like any changes.",
}
_LONG_CHARACTERS = 24_000


def rewritten(system: str, text: str, pictures: int) -> str | None:
    """The prompt for a request whose system message asks for one, else None. `pictures` is their number."""
    if not _ASKED.search(system):
        return None
    rows = [found for line in text.split("\n") if (found := _LABEL.match(line)) is not None]
    words = [row["words"].strip() for row in rows] or [" ".join(text.split())]
    language = _language(" ".join([row["label"] for row in rows] or [text]))
    # The description comes first, the shot after it.
    parts = [part.rstrip(".。，, ") for part in words if part and not _EMPTY.match(part)]
    sentence = ("，" if language == "zh" else ", ").join(parts)
    ends = [sentence + ("。" if language == "zh" else ".")] if sentence else []
    ends += [_PICTURES[language]] if pictures else []
    return ("" if language == "zh" else " ").join([*ends, _ENDINGS[language]])


def spoiled(kind: str, answer: str) -> str:
    """An answer as `#say=KIND` orders it; as it is where the kind does not concern the text."""
    language = _language(answer)
    match kind:
        case "empty":
            return ""
        case "refusal":
            return _REFUSALS[language]
        case "long":
            return (answer * (_LONG_CHARACTERS // max(1, len(answer)) + 1))[:_LONG_CHARACTERS]
        case "junk":
            return _JUNK[language].replace("{answer}", answer)
        case "thought":
            return f"<think>{answer}"
    return answer


def pictures_in(messages: list[dict[str, Any]]) -> int:
    """The number of pictures in all messages."""
    contents = [one["content"] for one in messages if isinstance(one.get("content"), list)]
    return sum(isinstance(part, dict) and part.get("type") == "image_url" for parts in contents for part in parts)


def _language(text: str) -> str:
    return "zh" if _HAN.search(text) else "en"
