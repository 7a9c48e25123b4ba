"""MiniMax: what each model can do (page with a sample of 2026-08-20)."""

from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.dashscope.families.common import PROVIDER, any_of, seconds

_FF = MediaRole.FIRST_FRAME
_LF = MediaRole.LAST_FRAME
_RI = MediaRole.REFERENCE_IMAGE
_RV = MediaRole.REFERENCE_VIDEO
_RA = MediaRole.REFERENCE_AUDIO

CARDS: tuple[ModelCard, ...] = (
    ModelCard(
        "MiniMax/MiniMax-H3",
        PROVIDER,
        title="MiniMax H3",
        # The page names no defaults of resolution and duration: both are required. These are the ones of its samples.
        durations=seconds(4, 15),
        duration=5,
        resolutions=("768p", "2k"),
        resolution="768p",
        ratios=("adaptive", "16:9", "9:16", "1:1", "4:3", "3:4", "21:9"),
        ratio="adaptive",
        input_ratios=frozenset({"adaptive"}),
        media_sets=any_of(
            [], [_FF], [_LF], [_FF, _LF], [_RI], [_RV], [_RA], [_RI, _RV], [_RI, _RA], [_RV, _RA], [_RI, _RV, _RA]
        ),
        media_limits={_RI: 9, _RV: 3, _RA: 3},
        words_needed=True,
        fields=frozenset({"watermark"}),
        typical_seconds=120.0,
    ),
)
