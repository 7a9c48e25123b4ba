"""Sizes and what they say to a model: its family's tables before arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.contract.requests import Media, VideoRequest
from providers.dashscope.models import MODELS
from providers.media_files import MediaKind
from providers.sizes import asked_size, nearest_size, parse_size, read_size, short_side, size_of, sizes_of
from providers.validation import snap_to_nearest, validate

CARDS = {card.name: card for card in MODELS}
MODEL_NAMES = st.sampled_from(sorted(CARDS))


def read(model: str, size: str) -> tuple[str | None, str | None] | None:
    pixels = parse_size(size)
    assert pixels is not None
    return read_size(CARDS[model], CARDS[model].ratios, *pixels)


@pytest.mark.parametrize(
    ("model", "size", "resolution", "ratio"),
    [
        # What Wan writes for 480P, wherever a model is told a resolution.
        *(
            (model, size, "480p", ratio)
            for model in ("wan3.0-video", "happyhorse-1.1-t2v", "happyhorse-1.1-r2v")
            for size, ratio in (("832x480", "16:9"), ("832*480", "16:9"), ("480x832", "9:16"), ("624x624", "1:1"))
        ),
        *(
            (model, size, "480p", None)
            for model in ("happyhorse-1.1-i2v", "wan2.5-i2v-preview", "wan2.2-i2v-flash", "wan2.2-kf2v-flash")
            for size in ("832x480", "480x832", "624x624")
        ),
        ("wan3.0-video", "854x480", "480p", "16:9"),
        ("wan3.0-video", "1088x832", "720p", "4:3"),
        ("wan3.0-video", "1104x832", "720p", "4:3"),
        ("wan2.7-t2v", "1104x832", "720p", "4:3"),
        ("wan2.7-t2v", "1088x832", "720p", "4:3"),
        ("wan2.7-i2v", "960x960", "720p", None),
        ("kling/kling-v3-video-generation", "1440x1440", "1080p", "1:1"),
        ("kling/kling-v3-video-generation", "3840x2160", "4k", "16:9"),
        ("happyhorse-1.1-t2v", "1680x720", "720p", "21:9"),
        ("MiniMax/MiniMax-H3", "1344x768", "768p", "16:9"),
        ("vidu/viduq2_text2video", "1024x1024", "540p", "1:1"),
        ("vidu/viduq2_text2video", "960x540", "540p", "16:9"),
        ("vidu/viduq2_text2video", "1280x1280", "720p", "1:1"),
        ("pixverse/pixverse-v6-t2v", "960x960", "720p", "1:1"),
        ("pixverse/pixverse-v6-it2v", "1664x1248", "1080p", None),
    ],
)
def test_size_says(model: str, size: str, resolution: str, ratio: str | None) -> None:
    assert read(model, size) == (resolution, ratio)


@pytest.mark.parametrize(
    ("model", "size"),
    [
        # No 480P there.
        ("wan2.7-t2v", "832x480"),
        ("wan2.6-i2v", "832x480"),
        ("happyhorse-1.0-t2v", "832x480"),
        ("kling/kling-v3-video-generation", "624x624"),
        # No 4:3 there.
        ("kling/kling-v3-video-generation", "1088x832"),
        ("wan3.0-video", "1680x720"),
        # Told in pixels, exactly these.
        ("wan2.6-t2v", "1104x832"),
        ("vidu/viduq2_text2video", "720x720"),
    ],
)
def test_size_that_says_nothing_the_model_has(model: str, size: str) -> None:
    assert read(model, size) is None


@pytest.mark.parametrize(
    ("model", "size", "nearest"),
    [
        ("happyhorse-1.1-t2v", "640x640", ("480p", "1:1")),
        ("happyhorse-1.1-t2v", "1024x1024", ("720p", "1:1")),
        ("happyhorse-1.1-i2v", "640x640", ("480p", None)),
        ("wan2.7-t2v", "832x480", ("720p", "16:9")),
        ("MiniMax/MiniMax-H3", "1920x1080", ("768p", "16:9")),
        ("MiniMax/MiniMax-H3", "2560x1440", ("2k", "16:9")),
        ("kling/kling-v3-video-generation", "4096x2160", ("4k", "16:9")),
        ("vidu/viduq2_text2video", "720x720", ("540p", "1:1")),
    ],
)
def test_the_nearest(model: str, size: str, nearest: tuple[str, str | None]) -> None:
    pixels = parse_size(size)
    assert pixels is not None
    assert nearest_size(CARDS[model], CARDS[model].ratios, *pixels) == nearest


@pytest.mark.parametrize(
    ("resolution", "side"), [("480p", 480), ("2k", 1440), ("4k", 2160), ("2160p", 2160), ("hd", None), (None, None)]
)
def test_short_sides(resolution: str | None, side: int | None) -> None:
    assert short_side(resolution) == side


@pytest.mark.parametrize("card", MODELS, ids=lambda card: card.name)
def test_every_size_that_is_offered_is_read(card: ModelCard) -> None:
    offered = sizes_of(card, card.ratios)
    assert offered
    for size in offered:
        said = read(card.name, size)
        assert said is not None
        assert said[0] in card.resolutions
        assert said[1] in card.ratios if card.ratios else said[1] is None


def test_sizes_offered_are_as_the_family_writes_them() -> None:
    offered = sizes_of(CARDS["wan3.0-video"], CARDS["wan3.0-video"].ratios)
    assert {"832x480", "624x624", "960x960", "1088x832"} <= set(offered)
    assert "854x480" not in offered


@pytest.mark.parametrize(
    ("model", "resolution", "ratio", "size"),
    [
        ("wan3.0-video", "480p", "16:9", "832x480"),
        ("wan3.0-video", "720p", "4:3", "1088x832"),
        ("MiniMax/MiniMax-H3", "768p", "16:9", "1344x768"),
        ("vidu/viduq2_text2video", "540p", "1:1", "1024x1024"),
        ("happyhorse-1.1-t2v", "720p", "21:9", "1680x720"),
        ("kling/kling-v3-video-generation", "4k", "9:16", "2160x3840"),
        ("wan2.7-i2v", "1080p", None, "1920x1080"),
    ],
)
def test_pixels_of_a_resolution_and_a_ratio(model: str, resolution: str, ratio: str | None, size: str) -> None:
    assert size_of(CARDS[model], resolution, ratio) == size


@given(MODEL_NAMES, st.integers(10, 9999), st.integers(10, 9999))
def test_any_size_snaps_to_one_of_the_model(model: str, width: int, height: int) -> None:
    card = CARDS[model]
    resolution, ratio = nearest_size(card, card.ratios, width, height)
    assert resolution in card.resolutions
    assert ratio in card.ratios if card.ratios else ratio is None
    said = read_size(card, card.ratios, width, height)
    assert said is None or said == (resolution, ratio)


@pytest.mark.parametrize(
    ("model", "asked", "size"),
    [
        ("wan2.6-i2v", "720x1280", "720x1280"),
        ("wan2.6-i2v", "1000x1000", "960x960"),
        ("wan2.5-i2v-preview", "832x480", "832x480"),
        ("wan2.5-i2v-preview", "480x854", "480x832"),
        ("kling/kling-v3-video-generation", "1080x1920", "1080x1920"),
        ("MiniMax/MiniMax-H3", "720x1280", "768x1344"),
        ("pixverse/pixverse-v6-it2v", "640x360", "640x360"),
        ("wan2.6-i2v", None, ""),
        ("kling/kling-v3-video-generation", None, ""),
    ],
)
def test_nominal_size_is_the_requested_one_if_the_ratio_follows_an_image(
    model: str, asked: str | None, size: str
) -> None:
    """Never a landscape of which nobody knows: the shape that was asked for, or nothing."""
    picture = Media(MediaKind.IMAGE, "https://h/a.png", "image", MediaRole.FIRST_FRAME)
    wished = VideoRequest(model, "a cat", size=asked, media=(picture,))
    assert asked_size(validate(CARDS[model], snap_to_nearest(CARDS[model], wished))) == size


def test_nominal_size_is_empty_if_the_ratio_follows_a_video() -> None:
    clip = Media(MediaKind.VIDEO, "https://h/a.mp4", "video_file_1")
    for model in ("wan2.7-i2v", "happyhorse-1.0-video-edit", "kling/kling-v3-omni-video-generation"):
        wished = VideoRequest(model, "a cat", size="720x1280", media=(clip,))
        assert asked_size(validate(CARDS[model], snap_to_nearest(CARDS[model], wished))) == ""
