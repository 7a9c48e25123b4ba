"""Every name finds the way it is spoken to, a stranger none."""

import pytest

from providers.dashscope.models import unlisted_card
from providers.dashscope.wires import (
    ANIMATE_WIRE,
    FRAMES_WIRE,
    HAPPYHORSE_IMAGE_WIRE,
    HAPPYHORSE_WIRE,
    IMAGE2VIDEO_PATH,
    IMAGE_WIRE,
    KLING_WIRE,
    LIP_SYNC_WIRE,
    MEDIA_IMAGE_WIRE,
    MEDIA_REFERENCES_WIRE,
    MEDIA_WIRE,
    MINIMAX_WIRE,
    PIXVERSE_FRAMES_WIRE,
    PIXVERSE_IMAGE_WIRE,
    PIXVERSE_OMNI_WIRE,
    PIXVERSE_TOOL_WIRE,
    PIXVERSE_WIRE,
    PORTRAIT_WIRE,
    REFERENCES_WIRE,
    STYLE_WIRE,
    TEXT_WIRE,
    UNPLACED_WIRE,
    VACE_WIRE,
    VIDEO_PATH,
    VIDU_FRAMES_WIRE,
    VIDU_WIRE,
    Files,
    Wire,
    wire_of,
)


@pytest.mark.parametrize(
    ("model", "wire"),
    [
        ("wan2.6-t2v", TEXT_WIRE),
        ("WAN2.6-T2V", TEXT_WIRE),
        ("wan2.6-t2v-2027-01-01", TEXT_WIRE),
        ("wan2.6-i2v-flash", IMAGE_WIRE),
        ("wan2.6-r2v", REFERENCES_WIRE),
        ("wan2.2-kf2v-flash", FRAMES_WIRE),
        ("wanx2.1-kf2v-plus", FRAMES_WIRE),
        ("wan2.1-vace-plus", VACE_WIRE),
        ("wan2.7-t2v", MEDIA_WIRE),
        ("wan2.7-i2v-2026-04-25", MEDIA_IMAGE_WIRE),
        ("wan2.7-r2v", MEDIA_REFERENCES_WIRE),
        ("wan2.7-videoedit", MEDIA_WIRE),
        ("wan2.8-t2v-flash", MEDIA_WIRE),
        ("wan2.10-i2v", MEDIA_IMAGE_WIRE),
        ("wan3.0-video-prime", MEDIA_WIRE),
        ("wan4-video", MEDIA_WIRE),
        ("wanx-next", UNPLACED_WIRE),
        ("happyhorse-1.0-t2v", HAPPYHORSE_WIRE),
        ("happyhorse-2.0-i2v", HAPPYHORSE_IMAGE_WIRE),
        ("happyhorse-1.0-video-edit", HAPPYHORSE_WIRE),
        ("kling/kling-v3-turbo-video-generation", KLING_WIRE),
        ("vidu/viduq3-turbo", VIDU_WIRE),
        ("vidu/viduq9-pro_img2video", VIDU_FRAMES_WIRE),
        ("vidu/viduq3-pro_start-end2video", VIDU_FRAMES_WIRE),
        ("vidu/viduq3-ad_reference2video", VIDU_WIRE),
        ("vidu/viduq2_text2video", VIDU_WIRE),
        ("pixverse/pixverse-v6-t2v", PIXVERSE_WIRE),
        ("pixverse/pixverse-c1-r2v", PIXVERSE_WIRE),
        ("pixverse/pixverse-v6-it2v", PIXVERSE_IMAGE_WIRE),
        ("pixverse/pixverse-v7-i2v", PIXVERSE_IMAGE_WIRE),
        ("pixverse/pixverse-v6-r2v-omni", PIXVERSE_OMNI_WIRE),
        ("pixverse/pixverse-lipsync", PIXVERSE_TOOL_WIRE),
        ("pixverse/pixverse-motioncontrol", PIXVERSE_TOOL_WIRE),
        ("pixverse/pixverse-upscale", PIXVERSE_TOOL_WIRE),
        ("pixverse/pixverse-v6-kf2v", PIXVERSE_FRAMES_WIRE),
        ("MiniMax/MiniMax-H3", MINIMAX_WIRE),
        ("minimax/minimax-h3", MINIMAX_WIRE),
        ("emo-v1", PORTRAIT_WIRE),
        ("liveportrait", PORTRAIT_WIRE),
        ("animate-anyone-gen2", PORTRAIT_WIRE),
        ("wan2.2-s2v", PORTRAIT_WIRE),
        ("wan2.2-animate-mix", ANIMATE_WIRE),
        ("wan9.0-image-to-video", MEDIA_WIRE),
        ("videoretalk", LIP_SYNC_WIRE),
        ("video-style-transform", STYLE_WIRE),
    ],
)
def test_the_wire_of_a_name(model: str, wire: Wire) -> None:
    assert wire_of(model) is wire
    card = unlisted_card(model)
    assert card is not None
    assert card.open
    assert card.name == model


@pytest.mark.parametrize(
    "model",
    [
        *("", "qwen-vl-plus", "qwen-plus", "sora-2", "jimeng-video-3.0", "my-wan2.6", "kling/", "vidu", "wan\n2.6-t2v"),
        *("emo-detect-v1", "wan2.2-s2v-detect", "liveportrait-detect", "animate-anyone-template-gen2"),
        *("wan2.5-t2i-preview", "wanx2.1-t2i-turbo", "wan2.5-i2i-preview", "wan2.6-image", "wanx2.1-imageedit"),
        "kling/kling-v3-image-generation",
    ],
)
def test_strangers_helpers_and_image_models_have_none(model: str) -> None:
    assert wire_of(model) is None
    assert unlisted_card(model) is None


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("wan2.2-kf2v-flash", IMAGE2VIDEO_PATH),
        ("wan2.2-s2v", IMAGE2VIDEO_PATH),
        ("wan2.2-animate-move", IMAGE2VIDEO_PATH),
        ("emo-v1", IMAGE2VIDEO_PATH),
        ("liveportrait", IMAGE2VIDEO_PATH),
        ("animate-anyone-gen2", IMAGE2VIDEO_PATH),
        ("videoretalk", IMAGE2VIDEO_PATH),
        ("pixverse/pixverse-v6-kf2v", VIDEO_PATH),
        ("video-style-transform", VIDEO_PATH),
        ("wanx2.1-vace-plus", VIDEO_PATH),
        ("wan2.2-i2v-plus", VIDEO_PATH),
    ],
)
def test_paths(model: str, path: str) -> None:
    wire = wire_of(model)
    assert wire is not None
    assert wire.path == path


@pytest.mark.parametrize(
    ("model", "files"),
    [
        ("wan2.6-i2v", Files.DATA),
        ("wan2.2-kf2v-flash", Files.DATA),
        ("wan2.7-i2v", Files.DATA),
        ("wan2.7-r2v", Files.DATA),
        ("wan2.7-videoedit", Files.DATA),
        ("wan3.0-video", Files.DATA),
        ("happyhorse-1.1-i2v", Files.DATA),
        ("happyhorse-1.1-r2v", Files.DATA),
        ("wan2.6-t2v", Files.LINKS),
        ("wan2.6-r2v", Files.LINKS),
        ("wanx2.1-vace-plus", Files.LINKS),
        ("wan2.2-s2v", Files.LINKS),
        ("wan2.2-animate-mix", Files.LINKS),
        ("videoretalk", Files.LINKS),
        ("video-style-transform", Files.LINKS),
        ("wanx-next", Files.LINKS),
        ("kling/kling-v3-video-generation", Files.NONE),
        ("vidu/viduq3", Files.NONE),
        ("pixverse/pixverse-v6-it2v", Files.NONE),
        ("pixverse/pixverse-v6-kf2v", Files.NONE),
        ("MiniMax/MiniMax-H3", Files.NONE),
    ],
)
def test_how_files_get_in(model: str, files: Files) -> None:
    wire = wire_of(model)
    assert wire is not None
    assert wire.files is files
