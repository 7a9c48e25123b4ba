"""Shot descriptions in prompts."""

import pytest

from gateway.api.schemas.shot_prompt import CAMERA_MOVEMENTS, LIGHTING, SHOT_TYPES, compose

CAMERA = {
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
SHOT = {
    "close_up": "特写镜头",
    "medium_shot": "中景镜头",
    "wide_shot": "远景镜头",
    "extreme_close_up": "大特写",
    "full_shot": "全景镜头",
}
LIGHT = {
    "natural": "自然光线",
    "soft": "柔和光线",
    "hard": "硬光线",
    "backlight": "逆光",
    "golden_hour": "黄金时段光线",
}


def test_tables_are_those_of_the_contract() -> None:
    assert (CAMERA_MOVEMENTS, SHOT_TYPES, LIGHTING) == (CAMERA, SHOT, LIGHT)


def test_parts_precede_the_prompt_in_order() -> None:
    composed = compose("一只猫", "push_forward", "close_up", "soft", "慢慢走来")
    assert composed == "镜头向前推进，特写镜头，柔和光线，慢慢走来，一只猫"


@pytest.mark.parametrize(
    ("parts", "composed"),
    [
        (("cat",), "cat"),
        (("", "static"), "镜头静止"),
        (("cat", None, "wide_shot"), "远景镜头，cat"),
        (("cat", "spiral", "odd", "霓虹", None), "spiral，odd，霓虹光线，cat"),
        (("cat", None, "multi"), "cat"),
        (("cat", None, "single"), "cat"),
        (("cat", "", "", "", ""), "cat"),
        ((" cat ", None, None, None, "  "), "cat"),
        (("cat", "  ", "\t", "  "), "cat"),
        (("cat", " zoom_in ", "close_up ", " soft"), "镜头放大，特写镜头，柔和光线，cat"),
        (("cat", None, None, " 霓虹 "), "霓虹光线，cat"),
        (("",), ""),
    ],
)
def test_unknown_words_are_kept_and_missing_parts_leave_no_comma(parts: tuple[str, ...], composed: str) -> None:
    assert compose(*parts) == composed
