"""The shape of usage by model, and the times."""

import pytest

from providers.sandbox.dashscope_checks import read_order
from providers.sandbox.dashscope_rules import IMAGE, VIDEO
from providers.sandbox.dashscope_tasks import beijing
from providers.sandbox.dashscope_usage import Inputs, usage
from tests.providers.sandbox.clients import Json

URL = "https://example.com/a"
FIRST_FRAME = {"media": [{"type": "first_frame", "url": URL}]}


@pytest.mark.parametrize(
    ("model", "path", "given", "parameters", "billed"),
    [
        (
            "wan2.5-t2v-preview", VIDEO, {"prompt": "x"}, {"size": "832*480", "duration": 10},
            {"video_duration": 10, "video_ratio": "832*480", "video_count": 1},
        ),
        (
            "wan2.6-i2v-flash", VIDEO, {"img_url": URL}, {"resolution": "720P", "audio": False},
            {
                "duration": 5, "input_video_duration": 0, "output_video_duration": 5, "SR": 720, "video_count": 1,
                "audio": False,
            },
        ),
        (
            "wan2.2-i2v-flash", VIDEO, {"img_url": URL}, {}, {"duration": 5, "SR": 720, "video_count": 1},
        ),
        (
            "wanx2.1-i2v-turbo", VIDEO, {"img_url": URL}, {"duration": 3},
            {"video_duration": 3, "video_ratio": "standard", "video_count": 1},
        ),
        (
            "wan2.2-kf2v-flash", IMAGE, {"first_frame_url": URL}, {"resolution": "480P"},
            {"video_duration": 5, "SR": 480, "video_count": 1},
        ),
        (
            "wan2.6-r2v", VIDEO, {"prompt": "x", "reference_urls": [URL]}, {"size": "1280*720"},
            {
                "duration": 5, "input_video_duration": 0, "output_video_duration": 5, "size": "1280*720", "SR": 720,
                "video_count": 1,
            },
        ),
        (
            "wan2.7-t2v", VIDEO, {"prompt": "x"}, {"ratio": "9:16"},
            {
                "duration": 5, "input_video_duration": 0, "output_video_duration": 5, "SR": 1080, "video_count": 1,
                "ratio": "9:16",
            },
        ),
        (
            "wan2.7-i2v", VIDEO, FIRST_FRAME, {},
            {"duration": 5, "input_video_duration": 0, "output_video_duration": 5, "SR": 1080, "video_count": 1},
        ),
        (
            "wan3.0-video", VIDEO, {"prompt": "x"}, {"duration": -1},
            {
                "duration": 5, "input_video_duration": 0, "output_video_duration": 5, "SR": 1080, "video_count": 1,
                "fps": 30, "ratio": "adaptive",
            },
        ),
        (
            "vidu/viduq3", VIDEO, {"prompt": "x"}, {},
            {"duration": 5, "size": "1280*720", "fps": 24, "video_count": 1, "audio": True, "SR": "720"},
        ),
        (
            "MiniMax/MiniMax-H3", VIDEO, {"prompt": "x"}, {},
            {"input_seconds": 0, "output_seconds": 5, "total_seconds": 5, "image_count": 0},
        ),
        (
            "liveportrait", IMAGE, {"image_url": URL, "audio_url": URL}, {},
            {"video_duration": 5.0, "video_ratio": "standard"},
        ),
        (
            "wan2.2-s2v", IMAGE, {"img_url": URL, "audio_url": URL}, {},
            {"duration": 5.0, "size": "1280*720", "fps": 24, "video_count": 1, "SR": 480},
        ),
    ],
)  # fmt: skip
def test_usage_is_shaped_by_the_model(model: str, path: str, given: Json, parameters: Json, billed: Json) -> None:
    body = {"model": model, "input": given, "parameters": parameters}
    assert usage(read_order(path, {"x-dashscope-async": "enable"}, body), Inputs()) == billed


def test_times_are_written_in_utc_plus_eight_with_milliseconds() -> None:
    assert beijing(1_709_285_904.817) == "2024-03-01 17:38:24.817"
