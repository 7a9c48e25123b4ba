from dataclasses import replace

import pytest

from providers.contract.media import MediaLimits, MediaRole
from providers.contract.models import OPTIONAL_FIELDS, SOUND_FIELD, ModelCard
from providers.contract.requests import Media, VideoRequest
from providers.dashscope.models import MODELS, unlisted_card
from providers.dashscope.payload import build
from providers.dashscope.regions import BASE_URLS
from providers.dashscope.request_protocols import (
    UNKNOWN_TASK_PROTOCOL,
    Files,
    InputStyle,
    SizeStyle,
    protocol_of,
)
from providers.media_files import EXTENSIONS, MediaKind
from providers.sizes import parse_size
from providers.validation import validate

every_card = pytest.mark.parametrize("card", MODELS, ids=lambda card: card.name)


def test_default_model_comes_first() -> None:
    assert MODELS[0].name == "wan2.6-t2v"


def test_names_are_unique() -> None:
    assert len({card.name.lower() for card in MODELS}) == len(MODELS)


@every_card
def test_card_is_consistent(card: ModelCard) -> None:
    assert card.provider == "dashscope"
    assert not card.unlisted
    assert card.title
    assert card.duration is None or card.duration in card.durations
    assert card.resolution in card.resolutions
    assert card.ratio is None or card.ratio in card.ratios
    counted = set(card.counted_options.values())
    assert set(card.media_limits) <= card.roles | counted
    assert set(card.media_limits_with) <= card.roles
    assert set(card.durations_with) <= card.roles
    assert set(card.durations_at) <= set(card.resolutions)
    assert card.input_ratios <= set(card.ratios)
    assert card.shape_from <= card.roles
    assert not (card.sizes and card.shape_from)
    assert all(parse_size(size) for size in card.nominal_sizes)
    assert card.max_prompt
    assert card.fields <= {*OPTIONAL_FIELDS, SOUND_FIELD}
    assert {tier for tier, _ in card.sizes} <= set(card.resolutions)
    assert {ratio for _, ratio in card.sizes} <= set(card.ratios)
    assert card.resolutions == tuple(tier.lower() for tier in card.resolutions)
    assert card.typical_seconds > 0


@every_card
def test_protocol_of_a_card_supports_all_its_inputs(card: ModelCard) -> None:
    protocol = protocol_of(card.name)
    assert protocol is not None
    assert protocol is not UNKNOWN_TASK_PROTOCOL
    if card.sizes and protocol.input_style is InputStyle.NAMED:
        assert protocol.size_style is SizeStyle.SIZE
    if protocol.size_style in (SizeStyle.SIZE, SizeStyle.BOTH):
        assert card.sizes
    if protocol.input_style is InputStyle.NAMED:
        assert card.roles <= set(protocol.inputs)
    if protocol.size_style is SizeStyle.RESOLUTION:
        assert not card.ratios


@every_card
def test_empty_request_is_valid(card: ModelCard) -> None:
    for roles in card.media_sets:
        media = tuple(Media(_kind(role), "https://h/x", role, role) for role in sorted(roles))
        validated = validate(card, VideoRequest(card.name, "a cat", media=media))
        assert validated.resolution == card.resolution
        if not roles & card.durations_with.keys():
            assert validated.duration == card.duration
        if roles & card.shape_from:
            assert validated.ratio is None
        elif roles or card.ratio not in card.input_ratios:
            assert validated.ratio == card.ratio
        else:
            assert validated.ratio in card.ratios


@every_card
def test_required_parameters_are_always_sent(card: ModelCard) -> None:
    protocol = protocol_of(card.name)
    assert protocol is not None
    for roles in card.media_sets:
        media = tuple(Media(_kind(role), "https://h/x", role, role) for role in sorted(roles))
        validated = validate(card, VideoRequest(card.name, "a cat", media=media))
        options = {"input": {"function": "video_edit"}} if "vace" in card.name else {}
        sent = build(replace(validated, options=options), card, protocol).body.get("parameters", {})
        assert protocol.required.keys() - sent.keys() <= ({"aspect_ratio"} if roles & card.shape_from else set())


@pytest.mark.parametrize(
    ("name", "resolutions", "resolution", "durations", "duration"),
    [
        ("wan3.0-video", ("480p", "720p", "1080p"), "1080p", (-1, *range(2, 31)), 5),
        ("wan2.7-t2v-2026-06-12", ("720p", "1080p"), "1080p", tuple(range(2, 16)), 5),
        ("wan2.7-videoedit", ("720p", "1080p"), "1080p", (0, *range(2, 11)), 0),
        ("wan2.6-t2v", ("720p", "1080p"), "1080p", tuple(range(2, 16)), 5),
        ("wan2.6-t2v-us", ("720p", "1080p"), "1080p", (5, 10), 5),
        ("wan2.6-i2v-us", ("720p", "1080p"), "1080p", (5, 10, 15), 5),
        ("wan2.6-r2v-flash", ("720p", "1080p"), "1080p", tuple(range(2, 11)), 5),
        ("wan2.5-i2v-preview", ("480p", "720p", "1080p"), "1080p", (5, 10), 5),
        ("wan2.2-t2v-plus", ("480p", "1080p"), "1080p", (5,), 5),
        ("wan2.2-i2v-flash", ("480p", "720p", "1080p"), "720p", (5,), 5),
        ("wan2.2-kf2v-flash", ("480p", "720p", "1080p"), "720p", (5,), 5),
        ("wanx2.1-t2v-turbo", ("480p", "720p"), "720p", (5,), 5),
        ("wan2.1-i2v-turbo", ("480p", "720p"), "720p", (3, 4, 5), 5),
        *(
            (f"happyhorse-1.1-{task}", ("480p", "720p", "1080p"), "1080p", tuple(range(3, 16)), 5)
            for task in ("t2v", "i2v", "r2v")
        ),
        ("happyhorse-1.0-r2v", ("720p", "1080p"), "1080p", tuple(range(3, 16)), 5),
        ("kling/kling-v3-turbo-video-generation", ("720p", "1080p"), "1080p", tuple(range(3, 16)), 5),
        ("MiniMax/MiniMax-H3", ("768p", "2k"), "768p", tuple(range(4, 16)), 5),
        ("vidu/viduq3-pro_text2video", ("540p", "720p", "1080p"), "720p", tuple(range(1, 17)), 5),
        ("vidu/viduq2-pro-fast_img2video", ("720p", "1080p"), "720p", tuple(range(1, 11)), 5),
        ("vidu/viduq3-drama_reference2video", ("720p", "1080p"), "1080p", tuple(range(2, 16)), 5),
        ("vidu/viduq2-pro_reference2video", ("540p", "720p", "1080p"), "720p", tuple(range(11)), 5),
        ("pixverse/pixverse-v6-r2v-omni", ("360p", "540p", "720p", "1080p"), "720p", tuple(range(1, 16)), 5),
        ("pixverse/pixverse-v5.6-it2v", ("360p", "540p", "720p", "1080p"), "720p", (5, 8, 10), 5),
        ("kling/kling-v3-video-generation", ("720p", "1080p", "4k"), "1080p", tuple(range(3, 16)), 5),
    ],
)
def test_limits(
    name: str, resolutions: tuple[str, ...], resolution: str, durations: tuple[int, ...], duration: int
) -> None:
    card = next(card for card in MODELS if card.name == name)
    assert (card.resolutions, card.resolution) == (resolutions, resolution)
    assert (card.durations, card.duration) == (durations, duration)


def test_480p_has_three_ratios() -> None:
    card = next(card for card in MODELS if card.name == "wan2.5-t2v-preview")
    assert {ratio for tier, ratio in card.sizes if tier == "480p"} == {"16:9", "9:16", "1:1"}
    assert len(card.sizes) == 13


@every_card
def test_files_are_limited_for_every_kind_the_model_takes(card: ModelCard) -> None:
    kinds = {_kind(role) for role in card.roles} | ({MediaKind.AUDIO} if SOUND_FIELD in card.fields else set())
    assert set(card.media_files) == kinds
    protocol = protocol_of(card.name)
    assert protocol is not None
    assert card.takes_files == (protocol.files is not Files.NONE)
    for kind, limits in card.media_files.items():
        assert limits.types
        assert all(known in EXTENSIONS and known.startswith(kind) for known in limits.types)
        assert limits.max_bytes
    assert card.fetches_urls


MB = 1024 * 1024
PICTURES = ("image/png", "image/jpeg", "image/bmp", "image/webp")
NO_BMP = ("image/png", "image/jpeg", "image/webp")
CLIPS = ("video/mp4", "video/quicktime")
CLIP_27 = MediaLimits(CLIPS, 100 * MB, 240, 4096, 8.0)
SOUND = MediaLimits(("audio/wav", "audio/mpeg"), 15 * MB)


@pytest.mark.parametrize(
    ("name", "kind", "limits"),
    [
        ("wan2.6-i2v", MediaKind.IMAGE, MediaLimits(PICTURES, 20 * MB, 240, 8000, no_alpha=True)),
        ("wan2.6-i2v", MediaKind.AUDIO, replace(SOUND, min_seconds=3, max_seconds=30)),
        ("wan2.6-r2v-flash", MediaKind.VIDEO, MediaLimits(CLIPS, 100 * MB, min_seconds=1, max_seconds=30)),
        ("wan2.5-i2v-preview", MediaKind.IMAGE, MediaLimits(PICTURES, 20 * MB, 240, 8000, no_alpha=True)),
        ("wan2.2-i2v-plus", MediaKind.IMAGE, MediaLimits(PICTURES, 10 * MB, 240, 8000, no_alpha=True)),
        ("wan2.2-kf2v-flash", MediaKind.IMAGE, MediaLimits(PICTURES, 10 * MB, 240, 8000, no_alpha=True)),
        ("wanx2.1-kf2v-plus", MediaKind.IMAGE, MediaLimits(PICTURES, 10 * MB, 240, 8000, no_alpha=True)),
        ("wan2.1-i2v-turbo", MediaKind.IMAGE, MediaLimits(PICTURES, 10 * MB, 240, 8000, no_alpha=True)),
        ("wan2.1-vace-plus", MediaKind.IMAGE, MediaLimits(PICTURES, 10 * MB, 360, 2000)),
        ("wanx2.1-vace-plus", MediaKind.VIDEO, MediaLimits(("video/mp4",), 50 * MB)),
        ("wan2.7-i2v-2026-04-25", MediaKind.IMAGE, MediaLimits(PICTURES, 20 * MB, 240, 8000, 8.0, no_alpha=True)),
        ("wan2.7-r2v", MediaKind.IMAGE, MediaLimits(PICTURES, 20 * MB, 240, 8000, 8.0, no_alpha=True)),
        ("wan2.7-r2v", MediaKind.VIDEO, replace(CLIP_27, min_seconds=1, max_seconds=30)),
        ("wan2.7-videoedit", MediaKind.IMAGE, MediaLimits(PICTURES, 20 * MB, 240, 8000, 8.0, no_alpha=True)),
        ("wan2.7-videoedit", MediaKind.VIDEO, replace(CLIP_27, min_seconds=2, max_seconds=10)),
        ("wan2.7-i2v", MediaKind.AUDIO, replace(SOUND, min_seconds=2, max_seconds=30)),
        ("wan3.0-video", MediaKind.IMAGE, MediaLimits(PICTURES, 20 * MB, 240, 8000, 8.0, no_alpha=True)),
        (
            "wan3.0-video-prime",
            MediaKind.AUDIO,
            replace(SOUND, min_seconds=1, max_seconds=15, max_total_seconds=15),
        ),
        ("happyhorse-1.1-i2v", MediaKind.IMAGE, MediaLimits(NO_BMP, 20 * MB, 300, 0, 2.5)),
        ("happyhorse-1.0-r2v", MediaKind.IMAGE, MediaLimits(NO_BMP, 20 * MB, 400)),
        ("happyhorse-1.0-video-edit", MediaKind.IMAGE, MediaLimits(NO_BMP, 20 * MB, 300, 0, 2.5)),
        (
            "happyhorse-1.0-video-edit",
            MediaKind.VIDEO,
            MediaLimits(CLIPS, 100 * MB, 360, 4096, 2.5, min_seconds=3, max_seconds=60),
        ),
        (
            "kling/kling-v3-omni-video-generation",
            MediaKind.IMAGE,
            MediaLimits(NO_BMP[:2], 10 * MB, 300, 8000, 2.5, no_alpha=True),
        ),
        (
            "kling/kling-v3-omni-video-generation",
            MediaKind.VIDEO,
            MediaLimits(CLIPS, 200 * MB, 720, 2160, min_seconds=3, max_seconds=10),
        ),
        ("MiniMax/MiniMax-H3", MediaKind.IMAGE, MediaLimits(NO_BMP, 30 * MB, 256, 5760, 2.5)),
        ("vidu/viduq2-pro_reference2video", MediaKind.IMAGE, MediaLimits(NO_BMP, 50 * MB, max_aspect=4.0)),
        ("pixverse/pixverse-c1-r2v", MediaKind.IMAGE, MediaLimits(NO_BMP, 20 * MB, max_side=10_000)),
    ],
)
def test_what_a_file_may_be(name: str, kind: MediaKind, limits: MediaLimits) -> None:
    assert next(card for card in MODELS if card.name == name).media_files[kind] == limits


def test_open_card_limits_no_files() -> None:
    card = unlisted_card("wan2.9-i2v")
    assert card is not None
    assert card.media_files == {}
    assert card.fetches_urls


B, S, V = "cn-beijing", "ap-southeast-1", "us-east-1"


@pytest.mark.parametrize(
    ("name", "regions"),
    [
        ("wan3.0-video", set()),
        ("wan3.0-video-prime", set()),
        ("wan2.7-t2v", {B, S}),
        ("wan2.7-i2v-2026-04-25", {B, S}),
        ("wan2.7-r2v", {B, S}),
        ("wan2.7-r2v-2026-06-12", {B, S, V}),
        ("wan2.7-videoedit", {B, S}),
        ("wan2.6-t2v", {B, S, V}),
        ("wan2.6-i2v", {B, S, V}),
        ("wan2.6-r2v", {B, S, V}),
        ("wan2.6-i2v-flash", set()),
        ("wan2.6-r2v-flash", set()),
        ("wan2.6-t2v-us", {V}),
        ("wan2.6-i2v-us", {V}),
        ("wan2.5-t2v-preview", {B, S}),
        ("wan2.2-kf2v-flash", {B, S}),
        ("wanx2.1-t2v-turbo", {B}),
        ("wanx2.1-vace-plus", {B}),
        ("wan2.1-t2v-turbo", {S}),
        ("wan2.1-vace-plus", {S}),
        ("happyhorse-1.1-t2v", {B, S, V}),
        ("happyhorse-1.0-video-edit", {B, S, V}),
        ("kling/kling-v3-video-generation", {B}),
        ("MiniMax/MiniMax-H3", {B}),
        ("vidu/viduq3-pro_text2video", {B}),
        ("pixverse/pixverse-v6-t2v", {B}),
    ],
)
def test_where_the_models_live(name: str, regions: set[str]) -> None:
    assert next(card for card in MODELS if card.name == name).regions == regions


@pytest.mark.parametrize(
    ("name", "prompt", "negative", "han_weight"),
    [
        ("wan3.0-video", 20_000, 0, 1),
        ("wan2.7-i2v", 5000, 500, 1),
        ("wan2.7-r2v-2026-06-12", 5000, 500, 1),
        ("wan2.6-t2v", 1500, 500, 1),
        ("wan2.5-i2v-preview", 1500, 500, 1),
        ("wan2.2-kf2v-flash", 800, 500, 1),
        ("wanx2.1-vace-plus", 800, 0, 1),
        ("happyhorse-1.1-t2v", 5000, 0, 2),
        ("kling/kling-v3-turbo-video-generation", 2500, 0, 1),
        ("MiniMax/MiniMax-H3", 7000, 0, 1),
        ("vidu/viduq2_text2video", 5000, 0, 1),
        ("pixverse/pixverse-v6-t2v", 5000, 0, 1),
        ("pixverse/pixverse-v6-r2v", 2048, 0, 1),
        ("pixverse/pixverse-v6-r2v-omni", 5000, 0, 1),
        ("pixverse/pixverse-v5.6-kf2v", 2048, 0, 1),
    ],
)
def test_how_long_texts_may_be(name: str, prompt: int, negative: int, han_weight: int) -> None:
    card = next(card for card in MODELS if card.name == name)
    assert (card.max_prompt, card.max_negative_prompt, card.han_weight) == (prompt, negative, han_weight)


@every_card
def test_region_is_one_that_an_account_can_be_in(card: ModelCard) -> None:
    assert card.regions <= set(BASE_URLS)


@pytest.mark.parametrize("model", ["wan2.8-videoedit", "videoretalk", "wan2.2-animate-mix", "kling/kling-v4-omni"])
def test_unlabelled_video_of_a_model_that_edits_is_the_video(model: str) -> None:
    card = unlisted_card(model)
    assert card is not None
    request = VideoRequest(model, media=(Media(MediaKind.VIDEO, "https://h/v.mp4", "video"),))
    assert validate(card, request).media[0].role is MediaRole.VIDEO


def _kind(role: MediaRole) -> MediaKind:
    if "audio" in role:
        return MediaKind.AUDIO
    return MediaKind.VIDEO if "video" in role or "clip" in role else MediaKind.IMAGE
