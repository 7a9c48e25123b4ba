"""Shot descriptions: English film terms become the Chinese phrases that the models understand best."""

from collections.abc import Mapping

from providers.contract.localized_text import LocalizedText

CAMERA_MOVEMENTS = {
    "push_forward": "镜头向前推进",
    "pull_back": "镜头向后拉远",
    "pan_left": "镜头向左平移",
    "pan_right": "镜头向右平移",
    "tilt_up": "镜头向上仰",
    "tilt_down": "镜头向下俯",
    "zoom_in": "镜头放大",
    "zoom_out": "镜头缩小",
    "static": "镜头静止",
}
SHOT_TYPES = {
    "close_up": "特写镜头",
    "medium_shot": "中景镜头",
    "wide_shot": "远景镜头",
    "extreme_close_up": "大特写",
    "full_shot": "全景镜头",
}
LIGHTING = {
    "natural": "自然光线",
    "soft": "柔和光线",
    "hard": "硬光线",
    "backlight": "逆光",
    "golden_hour": "黄金时段光线",
}
MODEL_SHOT_TYPES = frozenset({"single", "multi"})
"""Sent to the model unchanged: the number of shots, not their type."""

LIGHT_SUFFIX = "光线"
SEPARATOR = "，"


def described(
    camera_movement: str | None = None,
    shot_type: str | None = None,
    lighting: str | None = None,
    motion_prompt: str | None = None,
) -> dict[str, LocalizedText]:
    """The words of the shot description by field, in the order of the prompt: the terms in both languages, the client's
    own words the same in both."""
    if shot_type and shot_type.lower() in MODEL_SHOT_TYPES:
        shot_type = None
    given = {
        "camera_movement": _term(CAMERA_MOVEMENTS, camera_movement),
        "shot_type": _term(SHOT_TYPES, shot_type),
        "lighting": _term(LIGHTING, lighting),
        "motion_prompt": _term({}, motion_prompt),
    }
    return {name: words for name, words in given.items() if words is not None}


def _term(terms: Mapping[str, str], words: str | None) -> LocalizedText | None:
    words = (words or "").strip()
    if not words:
        return None
    return LocalizedText(terms[words], words.replace("_", " ")) if words in terms else LocalizedText(words, words)


def compose(
    prompt: str,
    camera_movement: str | None = None,
    shot_type: str | None = None,
    lighting: str | None = None,
    motion_prompt: str | None = None,
) -> str:
    """The prompt after its shot description: camera, shot, light, motion, prompt. Unknown terms are kept."""
    parts = [
        words.zh + LIGHT_SUFFIX if name == "lighting" and words.zh == words.en else words.zh
        for name, words in described(camera_movement, shot_type, lighting, motion_prompt).items()
    ]
    return SEPARATOR.join(filter(None, (*parts, prompt.strip())))
