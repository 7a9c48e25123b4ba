"""Every name finds the way it is spoken to, a stranger none."""

import pytest

from providers.dashscope.models import unlisted_card
from providers.dashscope.request_protocols import (
    ANIMATE_PROTOCOL,
    FRAMES_PROTOCOL,
    HAPPYHORSE_IMAGE_PROTOCOL,
    HAPPYHORSE_PROTOCOL,
    IMAGE2VIDEO_PATH,
    IMAGE_PROTOCOL,
    KLING_PROTOCOL,
    LIP_SYNC_PROTOCOL,
    MEDIA_IMAGE_PROTOCOL,
    MEDIA_PROTOCOL,
    MEDIA_REFERENCES_PROTOCOL,
    MINIMAX_PROTOCOL,
    PIXVERSE_FRAMES_PROTOCOL,
    PIXVERSE_IMAGE_PROTOCOL,
    PIXVERSE_OMNI_PROTOCOL,
    PIXVERSE_PROTOCOL,
    PIXVERSE_TOOL_PROTOCOL,
    PORTRAIT_PROTOCOL,
    REFERENCES_PROTOCOL,
    STYLE_PROTOCOL,
    TEXT_PROTOCOL,
    UNKNOWN_TASK_PROTOCOL,
    VACE_PROTOCOL,
    VIDEO_PATH,
    VIDU_FRAMES_PROTOCOL,
    VIDU_PROTOCOL,
    Files,
    RequestProtocol,
    protocol_of,
)


@pytest.mark.parametrize(
    ("model", "protocol"),
    [
        ("wan2.6-t2v", TEXT_PROTOCOL),
        ("WAN2.6-T2V", TEXT_PROTOCOL),
        ("wan2.6-t2v-2027-01-01", TEXT_PROTOCOL),
        ("wan2.6-i2v-flash", IMAGE_PROTOCOL),
        ("wan2.6-r2v", REFERENCES_PROTOCOL),
        ("wan2.2-kf2v-flash", FRAMES_PROTOCOL),
        ("wanx2.1-kf2v-plus", FRAMES_PROTOCOL),
        ("wan2.1-vace-plus", VACE_PROTOCOL),
        ("wan2.7-t2v", MEDIA_PROTOCOL),
        ("wan2.7-i2v-2026-04-25", MEDIA_IMAGE_PROTOCOL),
        ("wan2.7-r2v", MEDIA_REFERENCES_PROTOCOL),
        ("wan2.7-videoedit", MEDIA_PROTOCOL),
        ("wan2.8-t2v-flash", MEDIA_PROTOCOL),
        ("wan2.10-i2v", MEDIA_IMAGE_PROTOCOL),
        ("wan3.0-video-prime", MEDIA_PROTOCOL),
        ("wan4-video", MEDIA_PROTOCOL),
        ("wanx-next", UNKNOWN_TASK_PROTOCOL),
        ("happyhorse-1.0-t2v", HAPPYHORSE_PROTOCOL),
        ("happyhorse-2.0-i2v", HAPPYHORSE_IMAGE_PROTOCOL),
        ("happyhorse-1.0-video-edit", HAPPYHORSE_PROTOCOL),
        ("kling/kling-v3-turbo-video-generation", KLING_PROTOCOL),
        ("vidu/viduq3-turbo", VIDU_PROTOCOL),
        ("vidu/viduq9-pro_img2video", VIDU_FRAMES_PROTOCOL),
        ("vidu/viduq3-pro_start-end2video", VIDU_FRAMES_PROTOCOL),
        ("vidu/viduq3-ad_reference2video", VIDU_PROTOCOL),
        ("vidu/viduq2_text2video", VIDU_PROTOCOL),
        ("pixverse/pixverse-v6-t2v", PIXVERSE_PROTOCOL),
        ("pixverse/pixverse-c1-r2v", PIXVERSE_PROTOCOL),
        ("pixverse/pixverse-v6-it2v", PIXVERSE_IMAGE_PROTOCOL),
        ("pixverse/pixverse-v7-i2v", PIXVERSE_IMAGE_PROTOCOL),
        ("pixverse/pixverse-v6-r2v-omni", PIXVERSE_OMNI_PROTOCOL),
        ("pixverse/pixverse-lipsync", PIXVERSE_TOOL_PROTOCOL),
        ("pixverse/pixverse-motioncontrol", PIXVERSE_TOOL_PROTOCOL),
        ("pixverse/pixverse-upscale", PIXVERSE_TOOL_PROTOCOL),
        ("pixverse/pixverse-v6-kf2v", PIXVERSE_FRAMES_PROTOCOL),
        ("MiniMax/MiniMax-H3", MINIMAX_PROTOCOL),
        ("minimax/minimax-h3", MINIMAX_PROTOCOL),
        ("emo-v1", PORTRAIT_PROTOCOL),
        ("liveportrait", PORTRAIT_PROTOCOL),
        ("animate-anyone-gen2", PORTRAIT_PROTOCOL),
        ("wan2.2-s2v", PORTRAIT_PROTOCOL),
        ("wan2.2-animate-mix", ANIMATE_PROTOCOL),
        ("wan9.0-image-to-video", MEDIA_PROTOCOL),
        ("videoretalk", LIP_SYNC_PROTOCOL),
        ("video-style-transform", STYLE_PROTOCOL),
    ],
)
def test_wire_of_a_name(model: str, protocol: RequestProtocol) -> None:
    assert protocol_of(model) is protocol
    card = unlisted_card(model)
    assert card is not None
    assert card.unlisted
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
    assert protocol_of(model) is None
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
    protocol = protocol_of(model)
    assert protocol is not None
    assert protocol.path == path


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
    protocol = protocol_of(model)
    assert protocol is not None
    assert protocol.files is files
