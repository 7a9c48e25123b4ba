"""Every card against the sandbox's rules, which are written apart from it: each set of inputs, resolution, ratio and
length that a card offers is accepted and makes what was asked for."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.contract.requests import VideoRequest
from providers.dashscope.models import MODELS
from providers.dashscope.payload import build
from providers.dashscope.wires import Shape, wire_of
from providers.sandbox.dashscope.checks import Order, read_order
from providers.validation import settle
from tests.providers.dashscope.submits import inputs

_RATIO_SENT = (Shape.RATIO, Shape.MODE, Shape.ASPECT)


def order_of(card: ModelCard, roles: frozenset[MediaRole], **fields: Any) -> Order:
    """What the sandbox makes of a request. Raises what it refuses it with."""
    wire = wire_of(card.name)
    assert wire is not None
    if card.name.endswith("vace-plus") and {MediaRole.REFERENCE_IMAGE} != set(roles):
        fields["options"] = {"input": {"function": "video_edit" if MediaRole.VIDEO in roles else "video_extension"}}
    wished = VideoRequest(card.name, "a cat", media=inputs(*sorted(roles)), **fields)
    payload = build(settle(card, wished), card, wire)
    path = payload.path.removeprefix("/services/aigc/")
    return read_order(path, {"x-dashscope-async": "enable", **payload.headers}, payload.body)


def shapes(card: ModelCard, roles: frozenset[MediaRole]) -> Iterator[dict[str, str]]:
    """Every resolution with every ratio that can be chosen beside these inputs."""
    free = () if roles & card.shape_from else card.ratios
    ratios = [ratio for ratio in free if roles or ratio not in card.input_ratios]
    for resolution, ratio in product(card.resolutions, ratios or [""]):
        if ratio and card.sizes and (resolution, ratio) not in card.sizes:
            continue
        yield {"resolution": resolution, **({"ratio": ratio} if ratio else {})}


@pytest.mark.parametrize("card", MODELS, ids=lambda card: card.name)
def test_every_shape_is_made_as_asked(card: ModelCard) -> None:
    wire = wire_of(card.name)
    assert wire is not None
    for roles in card.media_sets:
        for asked in shapes(card, roles):
            order = order_of(card, roles, **asked)
            assert order.fails is None
            assert order.tier.lower() == asked["resolution"]
            if "ratio" in asked and wire.shape in _RATIO_SENT:
                assert order.ratio == asked["ratio"]
            if "ratio" in asked and wire.shape in (Shape.SIZE, Shape.BOTH) and "vace" not in card.name:
                assert order.size.replace("*", "x") == card.sizes[asked["resolution"], asked["ratio"]]


@pytest.mark.parametrize("card", MODELS, ids=lambda card: card.name)
def test_every_length_is_made_as_asked(card: ModelCard) -> None:
    for roles in card.media_sets:
        beside = [lengths for role, lengths in card.durations_with.items() if role in roles]
        for duration in (beside or [card.durations])[0]:
            assert order_of(card, roles, duration=duration).seconds == duration
    for resolution, lengths in card.durations_at.items():
        for duration in lengths:
            assert order_of(card, card.media_sets[0], duration=duration, resolution=resolution).seconds == duration


@pytest.mark.parametrize("card", MODELS, ids=lambda card: card.name)
def test_nothing_asked_for_makes_the_defaults_of_the_card(card: ModelCard) -> None:
    for roles in card.media_sets:
        order = order_of(card, roles)
        assert order.fails is None
        assert order.tier.lower() == card.resolution
        if card.duration is not None and card.duration in card.durations and not card.durations_with.keys() & roles:
            assert order.seconds == card.duration
