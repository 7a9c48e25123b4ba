"""The table of models, against what the sites offer."""

import pytest

from providers.jimeng.models import MODELS, extra_model, raw_key

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


def test_a_model_from_the_configuration() -> None:
    model = extra_model("jimeng-video-next", "dreamina_next", "next_benefit", (6, 12), ("720p",))
    assert (model.card.duration, model.card.resolution, model.benefit_type) == (6, "720p", "next_benefit")
