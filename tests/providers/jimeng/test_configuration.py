"""The site's configuration of video models, parsed: the captured forms, and whatever else may come."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.contract.errors import ProviderError
from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.contract.requests import VideoRequest
from providers.jimeng.configuration import parse_configuration
from providers.jimeng.draft import wire_of
from providers.jimeng.models import MODELS, name_of
from providers.jimeng.site_model import SiteModel
from providers.media_files import MediaKind
from providers.validation import validate

RECORDED = Path(__file__).parent / "recorded"
VGFM = "dreamina_ic_generate_video_model_vgfm"


def recorded(name: str) -> list[SiteModel]:
    return parse_configuration(json.loads((RECORDED / name).read_text("utf-8"))["answer"]["data"])


MAINLAND = {model.key: model for model in recorded("configuration_mainland.json")}
ABROAD = {model.key: model for model in recorded("configuration_abroad.json")}


def test_models_come_in_the_order_of_the_site() -> None:
    assert list(MAINLAND) == [
        "dreamina_seedance_45_pro",
        "dreamina_seedance_40_pro",
        "dreamina_seedance_40_pro_vision",
        f"{VGFM}_3.0_fast",
        f"{VGFM}_3.0_pro",
        "dreamina_happyhorse_v1_1",
    ]


@pytest.mark.parametrize("model", MAINLAND.values(), ids=lambda model: model.key)
def test_table_says_of_the_mainland_what_its_configuration_said(model: SiteModel) -> None:
    told = _told(model.card(name_of(model.key)))
    assert told == _told(next(card for card in MODELS if card.key == model.key and "cn" in card.regions))


@pytest.mark.parametrize("model", ABROAD.values(), ids=lambda model: model.key)
def test_table_says_of_the_sites_abroad_what_their_configuration_said(model: SiteModel) -> None:
    told = _told(model.card(name_of(model.key)))
    assert told == _told(next(card for card in MODELS if card.key == model.key and "sg" in card.regions))


def _told(card: ModelCard) -> dict[str, Any]:
    """What decides the video and its price."""
    wire = wire_of(card)
    tiers = (*card.resolutions, None)
    return {
        "name": card.name,
        "durations": card.durations,
        "duration": card.duration,
        "resolutions": card.resolutions,
        "resolution": card.resolution,
        "ratios": set(card.ratios),
        "ratio": card.ratio,
        "sets": set(card.media_sets),
        "limits": dict(card.media_limits),
        "total": card.media_total,
        "benefits": [wire.benefits.of(tier, clip=clip) for tier in tiers for clip in (False, True)],
        "words": dict(wire.resolutions),
        "by_reference": wire.by_reference,
        "draft_mode": wire.draft_mode,
        "files": {kind: replace(limits, types=()) for kind, limits in card.media_files.items()},
    }


def test_seedance_2_5_in_full() -> None:
    model = MAINLAND["dreamina_seedance_45_pro"]
    assert model.title == "即梦 Seedance 2.5"
    assert model.seconds == tuple(range(4, 31))
    assert model.site_seconds == 4
    assert (model.resolutions, model.site_resolution) == (("480p", "720p", "1080p"), "480p")
    assert model.max_prompt == 15_000
    assert model.offered
    assert not model.draft_mode
    materials = model.materials
    assert materials is not None
    assert {kind: limit.count for kind, limit in materials.kinds.items()} == {
        MediaKind.IMAGE: 30,
        MediaKind.VIDEO: 10,
        MediaKind.AUDIO: 10,
    }
    assert (materials.total, materials.any_of) == (50, frozenset())
    images = materials.kinds[MediaKind.IMAGE].files
    assert (images.max_bytes, images.min_side, images.max_side, images.max_aspect) == (30 * 1024**2, 300, 6000, 2.5)
    assert images.types == ("image/jpeg", "image/png", "image/webp", "image/bmp")
    clips = materials.kinds[MediaKind.VIDEO].files
    assert (clips.max_bytes, clips.min_seconds, clips.max_seconds, clips.max_total_seconds) == (
        200 * 1024**2,
        1.8,
        30.2,
        30.2,
    )
    assert materials.kinds[MediaKind.AUDIO].files.types == ("audio/wav", "audio/mpeg")


def test_seedance_2_0_needs_something_seen() -> None:
    materials = MAINLAND["dreamina_seedance_40_pro"].materials
    assert materials is not None
    assert materials.any_of == {MediaKind.IMAGE, MediaKind.VIDEO}
    card = MAINLAND["dreamina_seedance_40_pro"].card()
    assert frozenset({MediaRole.REFERENCE_AUDIO}) not in card.media_sets
    assert frozenset({MediaRole.REFERENCE_AUDIO, MediaRole.REFERENCE_IMAGE}) in card.media_sets


def test_third_parties_have_a_slider_in_milliseconds_and_spell_resolutions_in_capitals() -> None:
    card = MAINLAND["dreamina_happyhorse_v1_1"].card("jimeng-video-happyhorse-1.1")
    assert card.durations == tuple(range(4, 16))
    assert card.resolutions == ("720p", "1080p")
    assert wire_of(card).resolutions == {"720p": "720P", "1080p": "1080P"}
    assert "9:21" in card.ratios
    assert frozenset({MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME}) not in card.media_sets


def test_benefit_rule() -> None:
    prices = {key: model.benefits for key, model in (MAINLAND | {"abroad": ABROAD["dreamina_seedance_40_pro"]}).items()}
    # A list of prices by resolution: a clip costs its own price.
    assert prices["dreamina_seedance_45_pro"].of("1080p", clip=True) == "seedance_25_1080p_output"
    assert prices["dreamina_seedance_45_pro"].of("1080p", clip=False) == "seedance_25_1080p_no_input_video_output"
    # No list: the price of a clip, else the default.
    assert prices["dreamina_seedance_40_pro"].of("720p", clip=True) == "dreamina_video_seedance_20_video_add"
    assert prices["dreamina_seedance_40_pro"].of("720p", clip=False) == "dreamina_video_seedance_20_pro"
    # A list goes before both.
    assert prices["dreamina_seedance_40_pro_vision"].of("4k", clip=True) == "seedance_20_pro_4k_output"
    assert prices["abroad"].of("1080p", clip=True) == "seedance_20_pro_1080p_output"
    # A format by resolution stands for a list.
    assert prices[f"{VGFM}_3.0_fast"].of("1080p", clip=False) == "basic_video_operation_vgfm_v_three_1080"
    # A resolution that has no price of its own costs the default.
    assert prices["dreamina_seedance_45_pro"].of("4k", clip=False) == "seedance_25_720p_output"


def entry(**changes: Any) -> dict[str, Any]:
    return {"model_req_key": "dreamina_new", "commercial_config": {"default": {"benefit_type": "b"}}} | changes


def test_least_entry_is_a_model_from_text_to_nothing() -> None:
    (model,) = parse_configuration({"model_list": [entry()]})
    assert (model.key, model.seconds, model.resolutions, model.inputs) == ("dreamina_new", (), (), frozenset())


@pytest.mark.parametrize(
    "odd",
    [
        entry(model_req_key=""),
        entry(model_req_key=7),
        entry(model_req_key="two words"),
        entry(commercial_config=None),
        entry(commercial_config={"default": {"benefit_type": ""}}),
        None,
        [],
    ],
)
def test_entry_without_key_or_price_is_left_out(odd: Any) -> None:
    assert [model.key for model in parse_configuration({"model_list": [odd, entry()]})] == ["dreamina_new"]


def test_model_that_the_site_does_not_offer_is_marked() -> None:
    (model,) = parse_configuration({"model_list": [entry(model_status=1)]})
    assert not model.offered
    assert not model.card().available


@pytest.mark.parametrize("options", [[], [{"key": "input_media_type", "enum_val": {"string_value": ["edit"]}}]])
def test_model_without_supported_mode_is_rejected_and_no_default(options: list[Any]) -> None:
    (model,) = parse_configuration({"model_list": [entry(options=options)]})
    card = model.card()
    assert not card.available
    with pytest.raises(ProviderError) as caught:
        validate(card, VideoRequest(card.name, "x"))
    assert [problem.param for problem in caught.value.fields] == ["model"]


def test_draft_model_is_marked() -> None:
    (model,) = parse_configuration({"model_list": [entry(extra={"is_draft_mode": True})]})
    assert wire_of(model.card()).draft_mode


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def _spoiled(value: Any, draw: Any) -> Any:
    """The value with some of its parts replaced by anything."""
    if draw(st.integers(0, 19)) == 0:
        return draw(anything)
    if isinstance(value, dict):
        return {name: _spoiled(item, draw) for name, item in value.items()}
    if isinstance(value, list):
        return [_spoiled(item, draw) for item in value[:6]]
    return value


@given(st.data())
def test_spoiled_configuration_gives_models_that_can_be_used_or_none(data: st.DataObject) -> None:
    whole = json.loads((RECORDED / "configuration_abroad.json").read_text("utf-8"))["answer"]["data"]
    for model in parse_configuration(_spoiled(whole, data.draw)):
        card = model.card(name_of(model.key))
        if frozenset() in card.media_sets:
            validated = validate(card, VideoRequest(card.name, "x"))
            assert validated.duration in (*card.durations, None)
            assert wire_of(card).benefits.of(validated.resolution, clip=False)


@given(anything)
def test_whatever_is_no_configuration_lists_nothing(data: Any) -> None:
    assert parse_configuration(data) == []


def enum(key: str, values: list[str]) -> dict[str, Any]:
    return {"key": key, "enum_val": {"string_value": values}}


def slider(high: int) -> dict[str, Any]:
    return {"key": "duration_ms", "duration_val": {"min": 1, "max": high, "step": 1}}


def test_list_without_end_costs_little_time_and_memory() -> None:
    words = [f"r{number}" for number in range(100_000)]
    options = [enum("resolution", words), enum("input_media_type", words), slider(2**62)]
    began = time.process_time()
    (model,) = parse_configuration({"model_list": [entry(options=options, model_name="x" * 10**6)]})
    assert time.process_time() - began < 0.5
    assert len(model.resolutions) == 100
    assert model.seconds == tuple(range(1, 601))
    assert len(model.title) == 100


def test_ratio_has_two_sides() -> None:
    (model,) = parse_configuration(
        {"model_list": [entry(options=[enum("video_aspect_ratio", ["0:0", "5:0", "٣:٤", "16:9"])])]}
    )
    assert model.ratios == ("16:9",)


def test_title_is_a_line_that_can_be_shown() -> None:
    (model,) = parse_configuration({"model_list": [entry(model_name=" Seed\x1b[2J\u202edance\n2.5\x00 ")]})
    assert model.title == "Seed[2Jdance 2.5"
