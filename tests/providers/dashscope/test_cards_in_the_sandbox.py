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
from providers.dashscope.request_protocols import SizeStyle, protocol_of
from providers.sandbox.dashscope.checks import Order, read_order
from providers.validation import validate
from tests.providers.dashscope.submits import inputs

_EXTENDED = {MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME, MediaRole.FIRST_CLIP}
_RATIO_SENT = (SizeStyle.RATIO, SizeStyle.MODE, SizeStyle.ASPECT)


def order_of(card: ModelCard, roles: frozenset[MediaRole], **fields: Any) -> Order:
    """What the sandbox makes of a request. Raises what it refuses it with."""
    protocol = protocol_of(card.name)
    assert protocol is not None
    if card.name.endswith("vace-plus") and not roles & _EXTENDED and roles != {MediaRole.REFERENCE_IMAGE}:
        fields["options"] = {"input": {"function": "video_edit"}}
    wished = VideoRequest(card.name, "a cat", media=inputs(*sorted(roles)), **fields)
    payload = build(validate(card, wished), card, protocol)
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
    protocol = protocol_of(card.name)
    assert protocol is not None
    for roles in card.media_sets:
        for asked in shapes(card, roles):
            order = order_of(card, roles, **asked)
            assert order.fails is None
            assert order.tier.lower() == asked["resolution"]
            if "ratio" in asked and protocol.size_style in _RATIO_SENT:
                assert order.ratio == asked["ratio"]
            if "ratio" in asked and protocol.size_style in (SizeStyle.SIZE, SizeStyle.BOTH) and "vace" not in card.name:
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
