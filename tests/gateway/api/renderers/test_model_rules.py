"""The limits of a model on /v1/models, compared with the documented schema."""

import json

import orjson
import pytest

from gateway.api.renderers.model import render_model
from gateway.api.schemas.responses import ModelObject
from providers.contract.models import ModelCard
from providers.dashscope.models import MODELS as DASHSCOPE
from providers.jimeng.models import MODELS as JIMENG

CARDS = {card.name: card for card in DASHSCOPE}


@pytest.mark.parametrize("card", [*DASHSCOPE, *JIMENG], ids=lambda card: card.name)
def test_every_model_is_described_as_the_document_says(card: ModelCard) -> None:
    described = json.loads(orjson.dumps(render_model(card.name, card)))
    assert ModelObject.model_validate(described).id == card.name
    assert described.keys() <= ModelObject.model_fields.keys()


def test_model_that_accepts_urls_only() -> None:
    assert render_model("m", CARDS["kling/kling-v3-video-generation"])["takes_files"] is False
    assert render_model("m", CARDS["wan2.7-i2v"])["takes_files"] is True


def test_prompt_length_limits_are_shown() -> None:
    horse = render_model("m", CARDS["happyhorse-1.1-t2v"])
    assert (horse["max_prompt"], horse["han_weight"]) == (5000, 2)
    wan = render_model("m", CARDS["wan2.7-t2v"])
    assert (wan["max_prompt"], wan["max_negative_prompt"]) == (5000, 500)
    assert "han_weight" not in wan


def test_limits_that_depend_on_inputs_and_resolution_are_shown() -> None:
    omni = render_model("m", CARDS["kling/kling-v3-omni-video-generation"])
    assert omni["input_counts"]["reference_image"] == 7
    assert omni["input_counts_with"]["reference_video"] == {"reference_image": 4}
    assert omni["durations_with"] == {"reference_video": tuple(range(3, 11)), "video": ()}
    assert omni["ratio_from"] == ["first_frame", "video"]
    assert omni["silent_with"] == ["reference_video", "video"]
    assert render_model("m", CARDS["pixverse/pixverse-v5.6-t2v"])["durations_at"] == {"1080p": (5, 8)}
    assert render_model("m", CARDS["wan2.6-r2v"])["max_inputs"] == 5
    assert render_model("m", CARDS["wan2.7-r2v"])["max_references"] == 5


def test_rules_without_effect_are_left_out() -> None:
    described = render_model("m", CARDS["wan2.6-t2v"])
    assert not described.keys() & {"durations_with", "durations_at", "ratio_from", "silent_with", "max_inputs"}
