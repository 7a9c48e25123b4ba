"""The shape of usage by model: names, types, and what is counted."""

import pytest

from providers.sandbox.dashscope.rules import IMAGE, VIDEO
from providers.sandbox.dashscope.usage import Inputs, usage
from tests.providers.sandbox.clients import Clock, DashScopeClient, Json
from tests.providers.sandbox.submits import URL, media, order


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
            "wan2.7-i2v", VIDEO, media("first_frame"), {},
            {"duration": 5, "input_video_duration": 0, "output_video_duration": 5, "SR": 1080, "video_count": 1},
        ),
        (
            "wan3.0-video", VIDEO, {"prompt": "x"}, {"duration": -1},
            {
                "duration": 5.0, "input_video_duration": 0.0, "output_video_duration": 5.0, "SR": 1080,
                "video_count": 1, "fps": 30, "ratio": "16:9",
            },
        ),
        (
            "happyhorse-1.1-t2v", VIDEO, {"prompt": "x"}, {"ratio": "9:21", "resolution": "480P"},
            {
                "duration": 5, "input_video_duration": 0, "output_video_duration": 5, "SR": 480, "video_count": 1,
                "ratio": "9:21",
            },
        ),
        (
            "kling/kling-v3-video-generation", VIDEO, {"prompt": "x"}, {"aspect_ratio": "9:16", "mode": "std"},
            {"duration": 5, "size": "720*1280", "fps": 24, "video_count": 1, "audio": False, "SR": "720"},
        ),
        (
            "kling/kling-v3-turbo-video-generation", VIDEO, {"prompt": "x"}, {"aspect_ratio": "16:9", "duration": 3},
            {"duration": 3, "size": "1920*1080", "fps": 24, "video_count": 1, "audio": True, "SR": "1080"},
        ),
        (
            "vidu/viduq3-turbo_text2video", VIDEO, {"prompt": "x"}, {"size": "1024*576", "resolution": "540P"},
            {
                "duration": 5, "size": "960*528", "output_video_duration": 5, "fps": 24, "video_count": 1,
                "audio": False, "SR": "540",
            },
        ),
        (
            "vidu/viduq3-pro_text2video", VIDEO, {"prompt": "x"}, {"size": "1920*1080"},
            {
                "duration": 5, "size": "1280*720", "output_video_duration": 5, "fps": 24, "video_count": 1,
                "audio": False, "SR": "720",
            },
        ),
        (
            "pixverse/pixverse-v6-t2v", VIDEO, {"prompt": "x"},
            {"size": "1664*1248", "duration": 8, "shot_type": "multi", "audio": True},
            {
                "duration": 8, "shot_type": "multi", "size": "1664*1248", "fps": 24, "video_count": 1, "audio": True,
                "SR": "1080",
            },
        ),
        (
            "pixverse/pixverse-v6-r2v", VIDEO, {"prompt": "x", **media("image_url")},
            {"size": "1280*720", "duration": 5},
            {"duration": 5, "size": "1280*720", "fps": 24, "video_count": 1, "audio": False, "SR": "720"},
        ),
        (
            "MiniMax/MiniMax-H3", VIDEO, {"prompt": "x"}, {"resolution": "768P", "ratio": "16:9", "duration": 5},
            {
                "duration": 5, "size": "1344*768", "SR": "768", "video_count": 1, "image_count": 0,
                "input_seconds": 0, "output_seconds": 5, "total_seconds": 5,
            },
        ),
        (
            "liveportrait", IMAGE, {"image_url": URL, "audio_url": URL}, {},
            {"video_duration": 5.0, "video_ratio": "standard"},
        ),
        (
            "wan2.2-s2v", IMAGE, {"img_url": URL, "audio_url": URL}, {},
            {"duration": 5.0, "size": "832*480", "fps": 24, "video_count": 1, "SR": 480},
        ),
    ],
)  # fmt: skip
def test_usage_is_shaped_by_the_model(model: str, path: str, given: Json, parameters: Json, billed: Json) -> None:
    found = usage(order(model, given, parameters, path), Inputs())
    assert found == billed
    assert {name: type(value) for name, value in found.items()} == {name: type(value) for name, value in billed.items()}


@pytest.mark.parametrize(
    ("model", "given", "parameters", "inputs", "billed"),
    [
        # The numbers of the pages' own samples.
        (
            "happyhorse-1.0-video-edit", media("video"), {"resolution": "720P"}, Inputs((6.62,)),
            {"duration": 13.24, "input_video_duration": 6.62, "output_video_duration": 6.62, "SR": 720},
        ),
        (
            "wan2.7-videoedit", media("video"), {"resolution": "720P"}, Inputs((5.02,)),
            {"duration": 10.04, "input_video_duration": 5.02, "output_video_duration": 5.02, "SR": 720},
        ),
        (
            "wan2.7-videoedit", media("video"), {"duration": 3}, Inputs((5.0,)),
            {"duration": 8.0, "input_video_duration": 5.0, "output_video_duration": 3.0},
        ),
        ("happyhorse-1.0-video-edit", media("video"), {}, Inputs((60.0,)), {"output_video_duration": 15.0}),
        ("wan2.7-r2v", media("reference_video"), {"duration": 4}, Inputs((5.0,)), {"duration": 9}),
        (
            "wan2.7-i2v", media("first_clip"), {"duration": 15}, Inputs((3.0,)),
            {"duration": 15, "input_video_duration": 3, "output_video_duration": 12},
        ),
        ("wan3.0-video", media("reference_video"), {}, Inputs((6.5,)), {"duration": 5.0, "input_video_duration": 6.5}),
        ("kling/kling-v3-omni-video-generation", media("base"), {"duration": 3}, Inputs((7.4,)), {"duration": 7}),
        (
            "vidu/viduq2-pro_reference2video", media("video", "image"), {"duration": 0}, Inputs((8.0,)),
            {"duration": 8, "output_video_duration": 8, "reference_type": "image,video"},
        ),
        (
            "pixverse/pixverse-v6-r2v-omni", media("video_url", "video_url"),
            {"duration": 0, "resolution": "540P", "aspect_ratio": "auto"}, Inputs((5.0, 6.2)),
            {"duration": 7, "SR": "540"},
        ),
        (
            "pixverse/pixverse-lipsync", media("video_url", "audio_url"), {}, Inputs((20.0,), (6.1,)),
            {"duration": 7, "SR": "", "video_count": 1},
        ),
        ("pixverse/pixverse-upscale", media("video_url"), {}, Inputs((5.5,)), {"duration": 6, "SR": "4K"}),
        (
            "MiniMax/MiniMax-H3", media(*["image_url"] * 7, "feature"),
            {"resolution": "2K", "ratio": "9:16", "duration": 5}, Inputs((2.6,), (), 7),
            {
                "duration": 8, "input_seconds": 3, "output_seconds": 5, "total_seconds": 8, "image_count": 2,
                "size": "1440*2560", "SR": "2K",
            },
        ),
    ],
)  # fmt: skip
def test_inputs_are_counted(model: str, given: Json, parameters: Json, inputs: Inputs, billed: Json) -> None:
    found = usage(order(model, {"prompt": "x", **given}, parameters), inputs)
    assert {name: found[name] for name in billed} == billed
    assert {name: type(found[name]) for name in billed} == {name: type(value) for name, value in billed.items()}


def test_what_is_not_asked_for_is_not_billed() -> None:
    assert "audio" not in usage(order("pixverse/pixverse-upscale", media("video_url")), Inputs((1.0,)))
    pair = order("vidu/viduq3-pro_img2video", media("image"))
    assert "reference_type" not in usage(pair, Inputs())
    assert "ratio" not in usage(order("wan2.7-videoedit", media("video")), Inputs((2.0,)))


async def test_finished_task_is_billed_for_what_came(dashscope: DashScopeClient, clock: Clock) -> None:
    """Of a video that lies elsewhere nobody here knows the length."""
    given = {"media": [{"type": "video", "url": "https://example.com/a.mp4"}], "prompt": "x"}
    task = await dashscope.submit(model="happyhorse-1.0-video-edit", given=given)
    clock.tick(100)
    assert (await dashscope.task(task))["usage"]["duration"] == 10.0


async def test_kling_marks_a_second_video(dashscope: DashScopeClient, clock: Clock) -> None:
    parameters = {"aspect_ratio": "1:1", "watermark": True}
    model = "kling/kling-v3-video-generation"
    marked = await dashscope.submit(model=model, parameters=parameters)
    plain = await dashscope.submit(model=model, parameters={"aspect_ratio": "1:1"})
    clock.tick(100)
    output = (await dashscope.task(marked))["output"]
    assert output["watermark_video_url"] != output["video_url"]
    assert (await dashscope.http.get(output["watermark_video_url"])).status_code == 200
    assert "watermark_video_url" not in (await dashscope.task(plain))["output"]
