import pytest

from providers.contract import OPTIONAL_FIELDS, SOUND_FIELD, Media, MediaLimits, MediaRole, ModelCard, VideoRequest
from providers.dashscope.models import MODELS, open_card
from providers.dashscope.regions import BASE_URLS
from providers.dashscope.wires import (
    UNPLACED_WIRE,
    Protocol,
    Shape,
    wire_of,
)
from providers.files import EXTENSIONS, MediaKind
from providers.settle import settle

every_card = pytest.mark.parametrize("card", MODELS, ids=lambda card: card.name)


def test_the_default_model_comes_first() -> None:
    assert MODELS[0].name == "wan2.6-t2v"


def test_names_are_unique() -> None:
    assert len({card.name.lower() for card in MODELS}) == len(MODELS)


@every_card
def test_a_card_is_consistent(card: ModelCard) -> None:
    assert card.provider == "dashscope"
    assert not card.open
    assert card.title
    assert card.duration is None or card.duration in card.durations
    assert card.resolution in card.resolutions
    assert card.ratio is None or card.ratio in card.ratios
    assert set(card.media_limits) <= card.roles
    assert card.fields <= {*OPTIONAL_FIELDS, SOUND_FIELD}
    assert {tier for tier, _ in card.sizes} <= set(card.resolutions)
    assert {ratio for _, ratio in card.sizes} <= set(card.ratios)
    assert card.resolutions == tuple(tier.lower() for tier in card.resolutions)
    assert card.typical_seconds > 0


@every_card
def test_a_card_has_a_wire_that_carries_all_it_offers(card: ModelCard) -> None:
    wire = wire_of(card.name)
    assert wire is not None
    assert wire is not UNPLACED_WIRE
    if card.sizes and wire.protocol is Protocol.NAMED:
        assert wire.shape is Shape.SIZE
    if wire.protocol is Protocol.NAMED:
        assert card.roles <= set(wire.inputs)
    if wire.shape is Shape.RESOLUTION:
        assert not card.ratios


@every_card
def test_a_request_that_says_nothing_settles(card: ModelCard) -> None:
    for roles in card.media_sets:
        media = tuple(Media(_kind(role), "https://h/x", role, role) for role in sorted(roles))
        settled = settle(card, VideoRequest(card.name, "a cat", media=media))
        assert (settled.duration, settled.resolution, settled.ratio) == (card.duration, card.resolution, card.ratio)


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
        ("happyhorse-1.1-r2v", ("720p", "1080p"), "1080p", tuple(range(3, 16)), 5),
        ("kling/kling-v3-video-generation", ("720p", "1080p", "4k"), "1080p", tuple(range(3, 16)), 5),
    ],
)
def test_limits(
    name: str, resolutions: tuple[str, ...], resolution: str, durations: tuple[int, ...], duration: int
) -> None:
    card = next(card for card in MODELS if card.name == name)
    assert (card.resolutions, card.resolution) == (resolutions, resolution)
    assert (card.durations, card.duration) == (durations, duration)


def test_480p_knows_three_ratios() -> None:
    card = next(card for card in MODELS if card.name == "wan2.5-t2v-preview")
    assert {ratio for tier, ratio in card.sizes if tier == "480p"} == {"16:9", "9:16", "1:1"}
    assert len(card.sizes) == 13


@every_card
def test_files_are_limited_for_every_kind_the_model_takes(card: ModelCard) -> None:
    kinds = {_kind(role) for role in card.roles} | ({MediaKind.AUDIO} if SOUND_FIELD in card.fields else set())
    assert set(card.media_files) == (set() if card.name.startswith("kling/") else kinds)
    for kind, limits in card.media_files.items():
        assert limits.types
        assert all(known in EXTENSIONS and known.startswith(kind) for known in limits.types)
        assert limits.max_bytes
    assert card.fetches_urls


MB = 1024 * 1024
PICTURES = ("image/png", "image/jpeg", "image/bmp", "image/webp")


@pytest.mark.parametrize(
    ("name", "kind", "limits"),
    [
        ("wan2.6-i2v", MediaKind.IMAGE, MediaLimits(PICTURES, 20 * MB, 240, 8000)),
        ("wan2.6-i2v", MediaKind.AUDIO, MediaLimits(("audio/wav", "audio/mpeg"), 15 * MB)),
        ("wan2.6-r2v-flash", MediaKind.VIDEO, MediaLimits(("video/mp4", "video/quicktime"), 100 * MB)),
        ("wan2.5-i2v-preview", MediaKind.IMAGE, MediaLimits(PICTURES, 20 * MB, 240, 8000)),
        ("wan2.2-i2v-plus", MediaKind.IMAGE, MediaLimits(PICTURES, 10 * MB, 240, 8000)),
        ("wan2.2-kf2v-flash", MediaKind.IMAGE, MediaLimits(PICTURES, 10 * MB, 240, 8000)),
        ("wanx2.1-kf2v-plus", MediaKind.IMAGE, MediaLimits(PICTURES, 10 * MB, 240, 8000)),
        ("wan2.1-i2v-turbo", MediaKind.IMAGE, MediaLimits(PICTURES, 10 * MB, 240, 8000)),
        ("wan2.1-vace-plus", MediaKind.IMAGE, MediaLimits(PICTURES, 10 * MB)),
        ("wanx2.1-vace-plus", MediaKind.VIDEO, MediaLimits(("video/mp4",), 50 * MB)),
        ("wan2.7-i2v-2026-04-25", MediaKind.IMAGE, MediaLimits(PICTURES, 20 * MB, 240, 8000, 8.0)),
        ("wan2.7-videoedit", MediaKind.VIDEO, MediaLimits(("video/mp4", "video/quicktime"), 100 * MB)),
        ("wan3.0-video-prime", MediaKind.AUDIO, MediaLimits(("audio/wav", "audio/mpeg"), 15 * MB)),
        ("happyhorse-1.1-i2v", MediaKind.IMAGE, MediaLimits(PICTURES, 20 * MB, 300, 8000, 2.5)),
        ("happyhorse-1.0-r2v", MediaKind.IMAGE, MediaLimits(PICTURES, 20 * MB, 240, 8000)),
    ],
)
def test_what_a_file_may_be(name: str, kind: MediaKind, limits: MediaLimits) -> None:
    assert next(card for card in MODELS if card.name == name).media_files[kind] == limits


def test_an_open_card_limits_no_files() -> None:
    card = open_card("wan2.9-i2v")
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
    ],
)
def test_where_the_models_live(name: str, regions: set[str]) -> None:
    assert next(card for card in MODELS if card.name == name).regions == regions


@every_card
def test_a_region_is_one_that_an_account_can_be_in(card: ModelCard) -> None:
    assert card.regions <= set(BASE_URLS)


@pytest.mark.parametrize("model", ["wan2.8-videoedit", "videoretalk", "wan2.2-animate-mix", "kling/kling-v4-omni"])
def test_an_unlabelled_video_of_a_model_that_edits_is_the_video(model: str) -> None:
    card = open_card(model)
    assert card is not None
    request = VideoRequest(model, media=(Media(MediaKind.VIDEO, "https://h/v.mp4", "video"),))
    assert settle(card, request).media[0].role is MediaRole.VIDEO


def _kind(role: MediaRole) -> MediaKind:
    if "audio" in role:
        return MediaKind.AUDIO
    return MediaKind.VIDEO if "video" in role or "clip" in role else MediaKind.IMAGE
