"""The cards of DashScope's video models, as documented, the default model first.

The cards are in `families`, one file each. Everything that follows from the name is added here: regions, limits of
texts and files, and the request protocol. A newer model still gets a request of the right form: it has an unlisted
card, and the upstream validates it.
"""

import re
from dataclasses import replace

from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.dashscope.families import happyhorse, kling, minimax, pixverse, vidu, wan, wan_legacy
from providers.dashscope.families.common import PROVIDER, any_of
from providers.dashscope.file_limits import file_limits
from providers.dashscope.regions import BEIJING, SINGAPORE, VIRGINIA
from providers.dashscope.request_protocols import Files, InputStyle, protocol_of
from providers.dashscope.text_limits import text_limits

__all__ = ["MAX_SEED", "MODELS", "PROVIDER", "unlisted_card"]

MAX_SEED = 2**31 - 1

_CARDS: tuple[ModelCard, ...] = (
    *wan_legacy.GENERATION_26,
    *wan.CARDS,
    *wan_legacy.OLDER,
    *happyhorse.CARDS,
    *kling.CARDS,
    *minimax.CARDS,
    *vidu.CARDS,
    *pixverse.CARDS,
)
_BEIJING = frozenset({BEIJING})
_ASIA = frozenset({BEIJING, SINGAPORE})
_AND_US = _ASIA | {VIRGINIA}

_REGIONS: tuple[tuple[str, frozenset[str]], ...] = (
    ("wan2.7-r2v-2026-06-12", _AND_US),
    ("wan2.7-", _ASIA),
    ("wan2.6-t2v-us", frozenset({VIRGINIA})),
    ("wan2.6-i2v-us", frozenset({VIRGINIA})),
    # Of these two it is not told.
    ("wan2.6-i2v-flash", frozenset()),
    ("wan2.6-r2v-flash", frozenset()),
    ("wan2.6-", _AND_US),
    ("wan2.5-", _ASIA),
    ("wan2.2-", _ASIA),
    ("wanx2.1-", _BEIJING),
    ("wan2.1-", frozenset({SINGAPORE})),
    ("happyhorse-", _AND_US),
    ("kling/", _BEIJING),
    ("MiniMax/", _BEIJING),
    ("vidu/", _BEIJING),
    ("pixverse/", _BEIJING),
)
"""Where the models live, by the beginning of their names, of the regions that an account can be in; the first row that
fits counts.

wan3.0 is missing on purpose: it is in all of these regions, but only at the hosts of single workspaces. What it takes
is a base URL, and an account's region says nothing about that.
"""


def _regions_of(model: str) -> frozenset[str]:
    return next((regions for prefix, regions in _REGIONS if model.startswith(prefix)), frozenset())


_WITH_SOUND = re.compile(r"wan2\.[567]-(?:t2v|i2v|r2v).*|happyhorse-.+-[tir]2v")
_SILENT = re.compile(r"wanx?2\.[12]-.+")
"""Models that always make a sound, unless they have a switch for it, and models that never do (model matrix of the
documentation)."""


def _complete(card: ModelCard) -> ModelCard:
    """The card with what its name says."""
    protocol = protocol_of(card.name)
    if protocol is None:
        raise ValueError(f"{card.name} has no wire")
    texts = text_limits(card.name)
    sound = frozenset({"audio"}) - card.fields
    negative = texts.negative_prompt if "negative_prompt" in card.fields else 0
    return replace(
        card,
        max_seed=MAX_SEED,
        always_on=card.always_on | sound if _WITH_SOUND.fullmatch(card.name) else card.always_on,
        always_off=card.always_off | sound if _SILENT.fullmatch(card.name) else card.always_off,
        regions=_regions_of(card.name),
        media_files=file_limits(card),
        takes_files=protocol.files is not Files.NONE,
        shape_from=protocol.shape_from & card.roles if card.ratios else frozenset(),
        # Those who are told pixels are told exactly these.
        nominal_sizes={} if protocol.input_style is InputStyle.NAMED and card.sizes else protocol.nominal_sizes,
        frame_step=protocol.frame_step,
        max_prompt=texts.prompt,
        max_negative_prompt=negative,
        han_weight=texts.han_weight,
    )


MODELS = tuple(map(_complete, _CARDS))
"""Every documented video model with its limits; the default one first."""


def unlisted_card(model: str) -> ModelCard | None:
    """The card of a model that the table lacks: nothing is checked. None when it is of no known family."""
    protocol = protocol_of(model)
    if protocol is None:
        return None
    edits = MediaRole.VIDEO in protocol.inputs or "edit" in model.lower()
    return ModelCard(
        model,
        PROVIDER,
        media_sets=any_of([], [MediaRole.VIDEO]) if edits else any_of([]),
        prompt_needed=False,
        typical_seconds=240.0,
        unlisted=True,
    )
