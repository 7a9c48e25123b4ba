"""The table of models, against what the sites offer."""

from typing import Any

import pytest

from providers.contract import ErrorKind, Media, MediaRole, ModelCard, ProviderError, VideoRequest
from providers.files import MediaKind
from providers.jimeng.models import MODELS, REFERENCES_ELSEWHERE, extra_model, raw_key
from providers.settle import settle

ASIA = {"hk", "jp", "sg"}
ALL = ASIA | {"cn", "us"}
VGFM = "dreamina_ic_generate_video_model_vgfm"
BASIC = "basic_video_operation_vgfm_v_three"
ANY = tuple(range(4, 16))
TIERS = ("720p", "1080p")

ROWS = [
    ("jimeng-video-seedance-2.0", "dreamina_seedance_40_pro", {"cn"}, ANY, (), "dreamina_video_seedance_20_pro"),
    ("jimeng-video-seedance-2.0-fast", "dreamina_seedance_40", {"cn"}, ANY, (), "dreamina_seedance_20_fast"),
    ("jimeng-video-3.5-pro", f"{VGFM}_3.5_pro", ALL, (5, 10, 12), (), "dreamina_video_seedance_15_pro"),
    ("jimeng-video-3.0-pro", f"{VGFM}_3.0_pro", ASIA | {"cn"}, (5, 10), (), BASIC),
    ("jimeng-video-3.0", f"{VGFM}_3.0", ALL, (5, 10), TIERS, BASIC),
    ("jimeng-video-3.0-fast", f"{VGFM}_3.0_fast", ASIA | {"cn"}, (5, 10), TIERS, BASIC),
    ("jimeng-video-2.0", f"{VGFM}_lite", ASIA | {"cn"}, (5, 10), (), BASIC),
    ("jimeng-video-2.0-pro", f"{VGFM}1.0", ASIA | {"cn"}, (5, 10), (), BASIC),
    ("jimeng-video-veo3", "dreamina_veo3_generate_video", ASIA, (8,), (), "generate_video_veo3"),
    ("jimeng-video-veo3.1", "dreamina_veo3.1_generate_video", ASIA, (8,), (), "generate_video_veo3.1"),
    ("jimeng-video-sora2", "dreamina_sora2_generate_video", ASIA, (4, 8, 12), (), "generate_video_sora2"),
]


@pytest.mark.parametrize(("name", "key", "sites", "durations", "resolutions", "benefit"), ROWS)
def test_a_row(
    name: str, key: str, sites: set[str], durations: tuple[int, ...], resolutions: tuple[str, ...], benefit: str
) -> None:
    model = next(model for model in MODELS if model.card.name == name)
    card = model.card
    assert (card.key, set(card.regions), card.durations, card.resolutions) == (key, sites, durations, resolutions)
    assert model.benefit_type == benefit
    assert card.duration == (5 if 5 in durations else durations[0])
    assert card.resolution == (resolutions[0] if resolutions else None)
    assert set(card.ratios) == {"1:1", "4:3", "3:4", "16:9", "9:16", "21:9"}


def test_there_are_no_others_and_the_sites_default_comes_first() -> None:
    assert {model.card.name for model in MODELS} == {row[0] for row in ROWS}
    assert MODELS[0].card.name == "jimeng-video-3.5-pro"


def test_a_raw_key_is_passed_on_unchecked() -> None:
    assert raw_key("dreamina_new").card.open
    assert raw_key("dreamina_new").card.key == "dreamina_new"


SEEDANCE = {
    "jimeng-video-seedance-2.0": "dreamina_video_seedance_20_video_add",
    "jimeng-video-seedance-2.0-fast": "dreamina_seedance_20_fast_with_video",
}
EXTRA = extra_model("jimeng-video-next", "dreamina_next", "b", (5,))
IMAGE, VIDEO, AUDIO = (Media(kind, "https://h/x", f"{kind}_url") for kind in MediaKind)
REFERENCE_ROLES = {MediaRole.REFERENCE_IMAGE, MediaRole.REFERENCE_VIDEO, MediaRole.REFERENCE_AUDIO}
cards = pytest.mark.parametrize("card", [model.card for model in (*MODELS, EXTRA)], ids=lambda card: card.name)
seedance = pytest.mark.parametrize("card", [model.card for model in MODELS if model.card.name in SEEDANCE])


def roles(card: ModelCard, *media: Media, **fields: Any) -> list[str | None]:
    return [item.role for item in settle(card, VideoRequest(card.name, "x", media=media, **fields)).media]


def refused(card: ModelCard, *media: Media, **fields: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        roles(card, *media, **fields)
    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    return caught.value


@cards
def test_every_model_takes_frames_as_files(card: ModelCard) -> None:
    assert not card.fetches_urls
    assert roles(card) == []
    assert roles(card, IMAGE) == ["first_frame"]
    assert roles(card, IMAGE, IMAGE) == ["first_frame", "last_frame"]
    assert settle(card, VideoRequest(card.name, media=(IMAGE,))).prompt == ""
    assert set(card.media_files) == set(MediaKind)
    assert all(limits.types and limits.max_bytes for limits in card.media_files.values())


@cards
def test_only_some_take_references(card: ModelCard) -> None:
    assert card.roles >= {MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME}
    assert card.roles & REFERENCE_ROLES == (REFERENCE_ROLES if card.name in SEEDANCE else set())
    if card.name not in SEEDANCE:
        problem = refused(card, IMAGE, reference_mode=True).fields[0]
        assert (problem.param, problem.hint) == ("image_url", REFERENCES_ELSEWHERE)
        assert refused(card, VIDEO).fields[0].hint == REFERENCES_ELSEWHERE


@seedance
def test_references_of_every_kind(card: ModelCard) -> None:
    assert roles(card, IMAGE, IMAGE, reference_mode=True) == ["reference_image"] * 2
    assert roles(card, VIDEO) == ["reference_video"]
    assert roles(card, IMAGE, IMAGE, VIDEO, reference_mode=True) == ["reference_image"] * 2 + ["reference_video"]
    assert roles(card, VIDEO, sound=AUDIO) == ["reference_video", "reference_audio"]
    refused(card, AUDIO)
    refused(card, IMAGE, VIDEO)


@seedance
def test_as_many_references_as_the_site_takes(card: ModelCard) -> None:
    assert len(roles(card, *[IMAGE] * 9, *[VIDEO] * 3, reference_mode=True)) == 12
    refused(card, *[IMAGE] * 10, reference_mode=True)
    refused(card, *[VIDEO] * 4)
    refused(card, *[IMAGE] * 9, *[VIDEO] * 3, AUDIO, reference_mode=True)


def test_what_videos_from_references_are_charged_as() -> None:
    assert {model.card.name: model.reference_benefit for model in MODELS if model.reference_benefit} == SEEDANCE


def test_a_raw_key_takes_frames_and_references() -> None:
    card = raw_key("dreamina_seedance_45_pro").card
    assert not card.fetches_urls
    assert roles(card, IMAGE, IMAGE) == ["first_frame", "last_frame"]
    expected = ["reference_image", "reference_video", "reference_audio"]
    assert roles(card, IMAGE, VIDEO, AUDIO, reference_mode=True) == expected


def test_a_model_from_the_configuration() -> None:
    model = extra_model("jimeng-video-next", "dreamina_next", "next_benefit", (6, 12), ("720p",))
    assert (model.card.duration, model.card.resolution, model.benefit_type) == (6, "720p", "next_benefit")
