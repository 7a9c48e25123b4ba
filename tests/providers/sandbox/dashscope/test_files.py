"""What one file may be, by model and place."""

import pytest

from providers.sandbox.dashscope.codes import Refused
from providers.sandbox.dashscope.files import MEGABYTE, PLACES, ROWS, limits_of
from providers.sandbox.dashscope.media import check_content, check_lengths
from providers.sandbox.dashscope.models import MODELS
from providers.sandbox.media import Media, content_of
from tests.providers.sandbox.samples import mp3, mp4, picture, png, transparent, wav

I2V = "wan2.6-i2v"
OMNI, CLIPS, H3 = "kling/kling-v3-omni-video-generation", "vidu/viduq2-pro_reference2video", "MiniMax/MiniMax-H3"


def code_of(data: bytes, kind: str, model: str = I2V, size: int = 0) -> str:
    content = content_of(data, b"", size or len(data))
    try:
        check_content(content, (kind,), model)  # type: ignore[arg-type]
    except Refused as found:
        return found.code
    return ""


@pytest.mark.parametrize(
    ("data", "kind", "model", "code"),
    [
        (png(299, 400), "image", "happyhorse-1.1-i2v", "InvalidFile.Resolution"),
        (png(800, 300), "image", "happyhorse-1.1-i2v", "InvalidFile.AspectRatio"),
        (png(300, 750), "image", "happyhorse-1.1-i2v", ""),
        (png(300, 2401), "image", "wan2.7-i2v", "InvalidFile.AspectRatio"),
        (png(300, 2400), "image", "wan2.7-i2v", ""),
        (mp4(), "video", "wan2.6-r2v", ""),
        (mp4(brand=b"qt  "), "video", "wan2.6-r2v", ""),
        (wav(), "video", "wan2.6-r2v", "InvalidFile.Format"),
        (wav(), "audio", "wan2.6-t2v", ""),
        (mp3(), "audio", "wan2.6-t2v", ""),
        (mp4(), "audio", "wan2.6-t2v", "InvalidFile.Format"),
        (mp4(text="#unsafe"), "video", "wan2.6-r2v", "DataInspectionFailed"),
        (picture("BMP", 400, 400), "image", "happyhorse-1.1-i2v", "InvalidFile.Format"),
        (transparent(), "image", "happyhorse-1.1-i2v", ""),
        (transparent(), "image", "wan2.6-i2v", "InvalidFile.Format"),
        (transparent("P"), "image", "wan2.2-i2v-flash", "InvalidFile.Format"),
        (transparent("LA"), "image", "wan3.0-video", "InvalidFile.Format"),
        (transparent(), "image", "wan2.2-s2v", ""),
        (transparent(), "image", "wanx2.1-vace-plus", ""),
        (png(400, 359), "image", "wanx2.1-vace-plus", "InvalidFile.Resolution"),
        (png(2001, 400), "image", "wanx2.1-vace-plus", "InvalidFile.Resolution"),
        (png(400, 399), "image", "happyhorse-1.1-r2v", "InvalidFile.Resolution"),
        (png(4000, 400), "image", "happyhorse-1.0-r2v", ""),
        (png(299, 400), "image", "happyhorse-1.0-video-edit", "InvalidFile.Resolution"),
        (png(751, 300), "image", "happyhorse-1.0-video-edit", "InvalidFile.AspectRatio"),
        (png(2408, 300), "image", "wan2.7-r2v", "InvalidFile.AspectRatio"),
        (png(2408, 300), "image", "wan2.7-videoedit", "InvalidFile.AspectRatio"),
        (png(2408, 300), "image", "wan3.0-video-prime", "InvalidFile.AspectRatio"),
        (png(2408, 300), "image", "wan2.6-i2v", ""),
        (mp4(1.5), "video", "wan2.7-videoedit", "InvalidFile.Duration"),
        (mp4(10.5), "video", "wan2.7-videoedit", "InvalidFile.Duration"),
        (mp4(size=(239, 300)), "video", "wan2.7-videoedit", "InvalidFile.Resolution"),
        (mp4(10), "video", "wan2.7-i2v", ""),
        (mp4(11), "video", "wan2.7-i2v", "InvalidFile.Duration"),
        (mp4(size=(4100, 2000)), "video", "wan2.7-i2v", "InvalidFile.Resolution"),
        (wav(1.5), "audio", "wan2.7-i2v", "InvalidFile.Duration"),
        (wav(1.5), "audio", "wan2.7-t2v", "InvalidFile.Duration"),
        (wav(10.5), "audio", "wan2.7-r2v", "InvalidFile.Duration"),
        (mp4(31), "video", "wan2.7-r2v", "InvalidFile.Duration"),
        (mp4(31), "video", "wan2.6-r2v", "InvalidFile.Duration"),
        (mp4(16), "video", "wan3.0-video", "InvalidFile.Duration"),
        (wav(0.5), "audio", "wan3.0-video", "InvalidFile.Duration"),
        (mp4(2.5), "video", "happyhorse-1.0-video-edit", "InvalidFile.Duration"),
        (mp4(60), "video", "happyhorse-1.0-video-edit", ""),
        (mp4(size=(640, 359)), "video", "happyhorse-1.0-video-edit", "InvalidFile.Resolution"),
        (mp4(size=(4097, 2160)), "video", "happyhorse-1.0-video-edit", "InvalidFile.Resolution"),
        (mp4(size=(1280, 400)), "video", "happyhorse-1.0-video-edit", "InvalidFile.AspectRatio"),
        (png(300, 300), "image", OMNI, ""),
        (png(299, 300), "image", OMNI, "InvalidFile.Resolution"),
        (png(800, 300), "image", OMNI, "InvalidFile.AspectRatio"),
        (picture("WEBP", 400, 400), "image", OMNI, "InvalidFile.Format"),
        (transparent(), "image", OMNI, "InvalidFile.Format"),
        (mp4(), "video", OMNI, ""),
        (mp4(2.5), "video", OMNI, "InvalidFile.Duration"),
        (mp4(11), "video", OMNI, "InvalidFile.Duration"),
        (mp4(size=(1280, 719)), "video", OMNI, "InvalidFile.Resolution"),
        (mp4(size=(2161, 1080)), "video", OMNI, "InvalidFile.Resolution"),
        (png(100, 400), "image", CLIPS, ""),
        (png(100, 401), "image", CLIPS, "InvalidFile.AspectRatio"),
        (mp4(9), "video", CLIPS, "InvalidFile.Duration"),
        (png(10_001, 4), "image", "pixverse/pixverse-v6-it2v", "InvalidFile.Resolution"),
        (picture("BMP"), "image", "pixverse/pixverse-v6-it2v", "InvalidFile.Format"),
        (mp4(size=(1921, 1080)), "video", "pixverse/pixverse-v6-r2v-omni", "InvalidFile.Resolution"),
        (mp4(31), "video", "pixverse/pixverse-motioncontrol", "InvalidFile.Duration"),
        (mp4(size=(3840, 2160)), "video", "pixverse/pixverse-upscale", "InvalidFile.Resolution"),
        (mp4(300), "video", "pixverse/pixverse-lipsync", ""),
        (mp3(301), "audio", "pixverse/pixverse-lipsync", "InvalidFile.Duration"),
        (png(255, 300), "image", H3, "InvalidFile.Resolution"),
        (png(256, 641), "image", H3, "InvalidFile.AspectRatio"),
        (png(256, 640), "image", H3, ""),
        (mp4(1.5), "video", H3, "InvalidFile.Duration"),
        (wav(1.5), "audio", H3, "InvalidFile.Duration"),
    ],
)
def test_each_place_has_its_kind_and_its_limits(data: bytes, kind: str, model: str, code: str) -> None:
    assert model in {row.name for row in MODELS}
    assert code_of(data, kind, model) == code


HEIC, M4A = b"\0\0\0\x18ftypheic" + bytes(40), b"\0\0\0\x18ftypM4A " + bytes(40)
AVI, WEBM, AAC = b"RIFF\0\0\0\0AVI LIST", b"\x1a\x45\xdf\xa3" + bytes(40), b"\xff\xf1\x50\x80" + bytes(40)


@pytest.mark.parametrize(
    ("data", "kind", "model"),
    [
        (HEIC, "image", H3),
        (AVI, "video", CLIPS),
        (WEBM, "video", "pixverse/pixverse-upscale"),
        (WEBM, "video", "pixverse/pixverse-lipsync"),
        (M4A, "audio", "pixverse/pixverse-lipsync"),
        (AAC, "audio", "pixverse/pixverse-lipsync"),
    ],
)
def test_some_models_take_formats_that_others_refuse(data: bytes, kind: str, model: str) -> None:
    assert code_of(data, kind, model) == ""
    assert code_of(data, kind, model, limits_of(model, kind).max_bytes + 1) == "InvalidFile.Size"  # type: ignore[arg-type]
    assert code_of(data + b"#unsafe", kind, model) == "DataInspectionFailed"
    for other in ("wan2.6-r2v", "happyhorse-1.0-video-edit", OMNI):
        assert code_of(data, kind, other) == "InvalidFile.Format"
    assert code_of(data, "audio" if kind != "audio" else "video", model) == "InvalidFile.Format"


def test_length_that_is_a_guess_refuses_nothing() -> None:
    """A film cut before its index does not tell its length."""
    assert code_of(mp4()[:16] + bytes(1000), "video", "wan2.7-videoedit") == ""


@pytest.mark.parametrize(
    ("model", "seconds", "refused"),
    [
        ("wan3.0-video", (8.0, 7.0), False),
        ("wan3.0-video", (8.0, 8.0), True),
        (H3, (8.0, 8.0), True),
        ("pixverse/pixverse-v6-r2v-omni", (8.0, 8.0), True),
        (CLIPS, (8.0,), False),
        (CLIPS, (5.0, 5.0), False),
        (CLIPS, (5.0, 6.0), True),
        ("wan2.6-r2v", (20.0, 20.0), False),
    ],
)
def test_videos_may_be_so_long_together(model: str, seconds: tuple[float, ...], refused: bool) -> None:
    films = [Media("video", "mp4", 1280, 720, one) for one in seconds]
    if refused:
        with pytest.raises(Refused, match="Duration"):
            check_lengths(films, model)
    else:
        check_lengths(films, model)


def test_every_beginning_of_the_table_is_some_models() -> None:
    names = [model.name for model in MODELS]
    kinds = {kind for places in PLACES.values() for kind in places}
    for model in names:
        for kind in kinds:
            limits = limits_of(model, kind)
            assert limits.formats
            assert limits.seconds[0] <= limits.seconds[1]
    for start, _ in ROWS:
        assert any(name.startswith(start) for name in names), start


def test_every_kind_of_media_is_looked_at() -> None:
    directives = {"file", "link", "lip_sync_tts_speaker_id", "lip_sync_tts_content"}
    assert {kind for model in MODELS for kind in model.media_types} <= PLACES.keys() | directives


def test_images_of_other_makers_may_be_larger_or_smaller() -> None:
    for model, megabytes in ((OMNI, 10), (CLIPS, 50), (H3, 30), ("pixverse/pixverse-v6-it2v", 20)):
        data = png(400, 400)
        assert code_of(data, "image", model, megabytes * MEGABYTE) == ""
        assert code_of(data, "image", model, megabytes * MEGABYTE + 1) == "InvalidFile.Size"
    assert code_of(mp4(), "video", OMNI, 200 * MEGABYTE) == ""
    assert code_of(mp4(), "video", OMNI, 200 * MEGABYTE + 1) == "InvalidFile.Size"


def test_videos_and_audio_may_be_so_large() -> None:
    assert code_of(mp4(), "video", size=100 * MEGABYTE) == ""
    assert code_of(mp4(), "video", size=100 * MEGABYTE + 1) == "InvalidFile.Size"
    assert code_of(wav(), "audio", size=15 * MEGABYTE + 1) == "InvalidFile.Size"
