"""The fallback table: what each site offered when its configuration was captured, and the public names."""

from typing import Any

import pytest

from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.contract.requests import FieldWarning, Media, VideoRequest
from providers.jimeng.draft import wire_of
from providers.jimeng.models import MODELS, NAMES, PREFERRED, WITHDRAWN, extra_model, name_of, raw_key
from providers.jimeng.site_model import FIRST_FRAME_ONLY, REFERENCES_ELSEWHERE
from providers.media_files import MediaKind
from providers.validation import validate

ALL = {"cn", "us", "hk", "jp", "sg"}
ABROAD = ALL - {"cn"}
VGFM = "dreamina_ic_generate_video_model_vgfm"
BASIC = "basic_video_operation_vgfm_v_three"

# name, key, sites, seconds, resolutions, benefit of the default resolution without a clip, and with one
ROWS: list[tuple[str, str, set[str], tuple[int, ...], tuple[str, ...], str, str]] = [
    (
        "jimeng-video-seedance-2.5",
        "dreamina_seedance_45_pro",
        ALL,
        tuple(range(4, 31)),
        ("480p", "720p", "1080p"),
        "seedance_25_720p_no_input_video_output",
        "seedance_25_720p_output",
    ),
    (
        "jimeng-video-seedance-2.5-draft",
        "dreamina_seedance_45_pro_draft",
        ALL,
        tuple(range(4, 31)),
        ("480p",),
        "seedance_25_draft_480p_no_input_video_output",
        "seedance_25_draft_480p_output",
    ),
    (
        "jimeng-video-seedance-2.0",
        "dreamina_seedance_40_pro",
        {"cn"},
        tuple(range(4, 16)),
        ("720p",),
        "dreamina_video_seedance_20_pro",
        "dreamina_video_seedance_20_video_add",
    ),
    (
        "jimeng-video-seedance-2.0",
        "dreamina_seedance_40_pro",
        ABROAD,
        tuple(range(4, 16)),
        ("720p", "1080p", "4k"),
        "seedance_20_pro_720p_output",
        "seedance_20_pro_720p_output",
    ),
    (
        "jimeng-video-seedance-2.0-fast",
        "dreamina_seedance_40",
        {"cn"},
        tuple(range(4, 16)),
        ("720p",),
        "dreamina_seedance_20_fast",
        "dreamina_seedance_20_fast_with_video",
    ),
    (
        "jimeng-video-seedance-2.0-mini",
        "dreamina_seedance_40_mini",
        ALL,
        tuple(range(4, 16)),
        ("720p",),
        "seedance_20_mini_720p_output",
        "seedance_20_mini_720p_output",
    ),
    (
        "jimeng-video-seedance-2.0-vip",
        "dreamina_seedance_40_pro_vision",
        {"cn"},
        tuple(range(4, 16)),
        ("720p", "1080p", "4k"),
        "seedance_20_pro_720p_output",
        "seedance_20_pro_720p_output",
    ),
    (
        "jimeng-video-seedance-2.0-fast-vip",
        "dreamina_seedance_40_vision",
        {"cn"},
        tuple(range(4, 16)),
        ("720p",),
        "seedance_20_fast_720p_output",
        "seedance_20_fast_720p_output",
    ),
    ("jimeng-video-3.0-pro", f"{VGFM}_3.0_pro", ALL, (5, 6, 7, 8, 9, 10), ("1080p",), f"{BASIC}_pro", f"{BASIC}_pro"),
    ("jimeng-video-3.0-fast", f"{VGFM}_3.0_fast", ALL, (5, 10), ("720p", "1080p"), BASIC, BASIC),
    (
        "jimeng-video-3.5-pro",
        f"{VGFM}_3.5_pro",
        ABROAD,
        tuple(range(5, 13)),
        ("720p", "1080p"),
        "dreamina_video_seedance_15_pro",
        "dreamina_video_seedance_15_pro",
    ),
    (
        "jimeng-video-minimax-h3",
        "dreamina_minimax_h3",
        {"cn"},
        tuple(range(4, 16)),
        ("768p", "2k"),
        "minimax_h3_768p_output",
        "minimax_h3_768p_output",
    ),
    (
        "jimeng-video-happyhorse-1.1",
        "dreamina_happyhorse_v1_1",
        {"cn"},
        tuple(range(4, 16)),
        ("720p", "1080p"),
        "happyhorse_11_720p_output",
        "happyhorse_11_720p_output",
    ),
    (
        "jimeng-video-wan-3.0",
        "dreamina_wan_30",
        {"cn"},
        (5, 10),
        ("720p", "1080p"),
        "wan_30_720p_output",
        "wan_30_720p_output",
    ),
]


def on_site(name: str, site: str) -> ModelCard:
    return next(card for card in MODELS if card.name == name and site in card.regions)


@pytest.mark.parametrize(("name", "key", "sites", "seconds", "resolutions", "without_clip", "with_clip"), ROWS)
def test_row_of_the_table(
    name: str,
    key: str,
    sites: set[str],
    seconds: tuple[int, ...],
    resolutions: tuple[str, ...],
    without_clip: str,
    with_clip: str,
) -> None:
    card = on_site(name, min(sites))
    assert (card.key, set(card.regions), card.durations, card.resolutions) == (key, sites, seconds, resolutions)
    benefits = wire_of(card).benefits
    assert benefits.of(card.resolution, clip=False) == without_clip
    assert benefits.of(card.resolution, clip=True) == with_clip
    assert card.duration == 5
    assert card.resolution == ("720p" if "720p" in resolutions else resolutions[0])
    assert set(card.ratios) >= {"1:1", "4:3", "3:4", "16:9", "9:16", "21:9"}


def test_mainland_has_the_twelve_models_of_its_list() -> None:
    assert sum("cn" in card.regions for card in MODELS) == 12


@pytest.mark.parametrize("site", sorted(ALL))
def test_site_has_a_name_once(site: str) -> None:
    names = [card.name for card in MODELS if site in card.regions]
    assert len(set(names)) == len(names)
    assert any(name in names for name in PREFERRED)


def test_benefits_of_3_0_fast_differ_by_resolution() -> None:
    benefits = wire_of(on_site("jimeng-video-3.0-fast", "cn")).benefits
    assert [benefits.of(tier, clip=False) for tier in ("720p", "1080p")] == [BASIC, f"{BASIC}_1080"]


def test_every_key_has_a_name_of_its_own() -> None:
    assert len(set(NAMES.values())) == len(NAMES)
    assert {card.key for card in (*MODELS, *WITHDRAWN)} == set(NAMES)
    assert name_of("dreamina_new") == "dreamina_new"


def test_withdrawn_models_are_those_that_no_site_lists() -> None:
    assert {card.name for card in WITHDRAWN} == {
        "jimeng-video-3.0",
        "jimeng-video-2.0",
        "jimeng-video-2.0-pro",
        "jimeng-video-veo3",
        "jimeng-video-veo3.1",
        "jimeng-video-sora2",
    }
    assert not {card.key for card in WITHDRAWN} & {card.key for card in MODELS}


# --- what the cards take ----------------------------------------------------------------------------------------

EXTRA = extra_model("jimeng-video-next", "dreamina_next", "b", (5,))
IMAGE, VIDEO, AUDIO = (Media(kind, "https://h/x", f"{kind}_url") for kind in MediaKind)
REFERENCE_ROLES = {MediaRole.REFERENCE_IMAGE, MediaRole.REFERENCE_VIDEO, MediaRole.REFERENCE_AUDIO}
NO_LAST_FRAME = {"jimeng-video-3.0-pro", "jimeng-video-happyhorse-1.1"}
BY_FRAMES = {"jimeng-video-3.5-pro", "jimeng-video-3.0-pro", "jimeng-video-3.0-fast", "jimeng-video-next"}
ALL_CARDS = (*MODELS, EXTRA)


def id_of(card: ModelCard) -> str:
    return f"{card.name}-{len(card.regions)}"


cards = pytest.mark.parametrize("card", ALL_CARDS, ids=id_of)
seedance_2_0 = pytest.mark.parametrize("card", [card for card in MODELS if "seedance-2.0" in card.name], ids=id_of)


def roles(card: ModelCard, *media: Media, **fields: Any) -> list[str | None]:
    return [item.role for item in validate(card, VideoRequest(card.name, "x", media=media, **fields)).media]


def refused(card: ModelCard, *media: Media, **fields: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        roles(card, *media, **fields)
    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    return caught.value


@cards
def test_every_model_takes_a_first_frame_as_file(card: ModelCard) -> None:
    assert not card.fetches_urls
    assert roles(card) == []
    assert roles(card, IMAGE) == ["first_frame"]
    assert validate(card, VideoRequest(card.name, media=(IMAGE,))).prompt == ""
    assert set(card.media_files) == set(MediaKind)
    assert all(limits.types and limits.max_bytes for limits in card.media_files.values())


@cards
def test_last_frame_where_the_site_has_one(card: ModelCard) -> None:
    if card.name not in NO_LAST_FRAME:
        assert roles(card, IMAGE, IMAGE) == ["first_frame", "last_frame"]
        return
    last = Media(MediaKind.IMAGE, "https://h/x", "last_frame", MediaRole.LAST_FRAME)
    assert refused(card, IMAGE, last).fields[0].param == "last_frame"


@cards
def test_references_where_the_site_has_them(card: ModelCard) -> None:
    if card.name == "jimeng-video-happyhorse-1.1":
        assert card.roles & REFERENCE_ROLES == {MediaRole.REFERENCE_IMAGE}
        assert wire_of(card).by_reference
    elif card.name in BY_FRAMES:
        problem = refused(card, IMAGE, reference_mode=True).fields[0]
        hint = FIRST_FRAME_ONLY if card.name in NO_LAST_FRAME else REFERENCES_ELSEWHERE
        assert (problem.param, problem.hint) == ("image_url", hint)
        assert refused(card, VIDEO).fields[0].hint == hint
        assert not wire_of(card).by_reference
    else:
        assert card.roles & REFERENCE_ROLES == REFERENCE_ROLES
        assert wire_of(card).by_reference


@seedance_2_0
def test_references_of_every_kind(card: ModelCard) -> None:
    assert roles(card, IMAGE, IMAGE, reference_mode=True) == ["reference_image"] * 2
    assert roles(card, VIDEO) == ["reference_video"]
    assert roles(card, IMAGE, IMAGE, VIDEO, reference_mode=True) == ["reference_image"] * 2 + ["reference_video"]
    assert roles(card, VIDEO, sound=AUDIO) == ["reference_video", "reference_audio"]
    refused(card, AUDIO)
    refused(card, IMAGE, VIDEO)


@seedance_2_0
def test_as_many_references_as_seedance_2_0_takes(card: ModelCard) -> None:
    assert len(roles(card, *[IMAGE] * 9, *[VIDEO] * 3, reference_mode=True)) == 12
    refused(card, *[IMAGE] * 10, reference_mode=True)
    refused(card, *[VIDEO] * 4)
    refused(card, *[IMAGE] * 9, *[VIDEO] * 3, AUDIO, reference_mode=True)


def test_seedance_2_5_takes_more_references_and_a_audio_alone() -> None:
    card = on_site("jimeng-video-seedance-2.5", "cn")
    assert len(roles(card, *[IMAGE] * 30, *[VIDEO] * 10, *[AUDIO] * 10, reference_mode=True)) == 50
    assert roles(card, AUDIO) == ["reference_audio"]
    refused(card, *[IMAGE] * 31, reference_mode=True)


def test_model_with_one_resolution_takes_any() -> None:
    card = on_site("jimeng-video-seedance-2.0", "cn")
    assert validate(card, VideoRequest(card.name, "x", resolution="720P")).resolution == "720p"
    validated = validate(card, VideoRequest(card.name, "x", resolution="1080p"))
    assert validated.resolution == "720p"
    assert validated.warnings == (FieldWarning("adjusted_value", "resolution", "720p"),)


def test_raw_key_is_passed_on_unchecked() -> None:
    card = raw_key("dreamina_new")
    assert card.unlisted
    assert card.key == "dreamina_new"
    assert not card.fetches_urls
    assert roles(card, IMAGE, IMAGE) == ["first_frame", "last_frame"]
    expected = ["reference_image", "reference_video", "reference_audio"]
    assert roles(card, IMAGE, VIDEO, AUDIO, reference_mode=True) == expected


@pytest.mark.parametrize(
    ("key", "resolution", "benefit"),
    [
        ("dreamina_seedance_40_pro_vision", None, "seedance_20_pro_720p_output"),
        ("dreamina_seedance_40_pro_vision", "1080p", "seedance_20_pro_1080p_output"),
        ("dreamina_seedance_40_pro_next", None, "seedance_20_pro_720p_output"),
        ("dreamina_seedance_40_vision", None, "seedance_20_fast_720p_output"),
        ("dreamina_seedance_40_next", None, "seedance_20_fast_720p_output"),
        ("dreamina_seedance_40_mini_next", None, "seedance_20_mini_720p_output"),
        ("dreamina_seedance_40_pro", None, "dreamina_video_seedance_20_pro"),
        ("dreamina_seedance_45_next", "480p", "seedance_25_480p_no_input_video_output"),
        ("dreamina_new", None, "basic_video_operation_vgfm_v_three"),
    ],
)
def test_raw_key_is_charged_as_its_row_or_its_family(key: str, resolution: str | None, benefit: str) -> None:
    card = raw_key(key)
    assert (card.unlisted, card.regions) == (True, frozenset())
    assert wire_of(card).benefits.of(resolution, clip=False) == benefit


def test_model_from_the_configuration_is_offered_everywhere() -> None:
    card = extra_model("jimeng-video-next", "dreamina_next", "next_benefit", (6, 12), ("720p",))
    assert (card.duration, card.resolution, card.configured, card.regions) == (6, "720p", True, frozenset())
    assert wire_of(card).benefits.of("720p", clip=False) == "next_benefit"
