"""Wan 2.7 and 3.0: what each model can do."""

from providers.contract.media import MediaRole
from providers.contract.models import SOUND_FIELD, ModelCard
from providers.dashscope.families.common import (
    NO_REFERENCES,
    PROVIDER,
    REFERENCES,
    TEXT_ONLY,
    THREE,
    TO_10,
    TO_15,
    TWO,
    WIDE_RATIOS,
    any_of,
)
from providers.dashscope.sizes import SIZES_27, of

_FF = MediaRole.FIRST_FRAME
_LF = MediaRole.LAST_FRAME
_RI = MediaRole.REFERENCE_IMAGE
_RV = MediaRole.REFERENCE_VIDEO
_RA = MediaRole.REFERENCE_AUDIO
_DA = MediaRole.DRIVING_AUDIO
_FC = MediaRole.FIRST_CLIP
_VI = MediaRole.VIDEO

_COMMON = frozenset({"prompt_extend", "watermark", "seed"})
_FIELDS_27 = _COMMON | {"negative_prompt"}
"""All models of 2.7 take a negative prompt (pages of image, references and edit as of August 2026)."""


def _text_27(name: str) -> ModelCard:
    return ModelCard(
        name,
        PROVIDER,
        title="Wan 2.7 text to video",
        durations=TO_15,
        duration=5,
        resolutions=TWO,
        resolution="1080p",
        ratios=WIDE_RATIOS,
        ratio="16:9",
        sizes=of(SIZES_27, TWO),
        media_hint=TEXT_ONLY,
        fields=_FIELDS_27 | {SOUND_FIELD},
        typical_seconds=180.0,
    )


def _image_27(name: str) -> ModelCard:
    """Audio is one of its inputs, not a field: not every set allows it."""
    return ModelCard(
        name,
        PROVIDER,
        title="Wan 2.7 image to video",
        durations=TO_15,
        duration=5,
        resolutions=TWO,
        resolution="1080p",
        media_sets=any_of([_FF], [_FF, _DA], [_FF, _LF], [_FF, _LF, _DA], [_FC], [_FC, _LF]),
        media_hint=NO_REFERENCES,
        prompt_needed=False,
        fields=_FIELDS_27,
        typical_seconds=180.0,
    )


def _references_27(name: str) -> ModelCard:
    return ModelCard(
        name,
        PROVIDER,
        title="Wan 2.7 reference to video",
        durations=TO_15,
        duration=5,
        resolutions=TWO,
        resolution="1080p",
        ratios=WIDE_RATIOS,
        ratio="16:9",
        media_sets=any_of([_RI], [_RV], [_RI, _RV], [_RI, _FF], [_RV, _FF], [_RI, _RV, _FF]),
        references_total=REFERENCES,
        media_limits={_RI: REFERENCES, _RV: REFERENCES},
        words_needed=True,
        durations_with={_RV: TO_10},
        fields=_FIELDS_27,
        typical_seconds=240.0,
    )


def _wan_30(name: str, title: str) -> ModelCard:
    """Frames or references, not both. With a duration of -1 the model chooses."""
    return ModelCard(
        name,
        PROVIDER,
        title=title,
        durations=(-1, *range(2, 31)),
        duration=5,
        resolutions=THREE,
        resolution="1080p",
        ratios=("adaptive", "16:9", "4:3", "1:1", "3:4", "9:16"),
        ratio="adaptive",
        media_sets=any_of(
            [], [_FF], [_LF], [_FF, _LF], [_RI], [_RV], [_RA], [_RI, _RV], [_RI, _RA], [_RV, _RA], [_RI, _RV, _RA]
        ),
        media_limits={_RI: 10, _RV: 5, _RA: 5},
        fields=_COMMON | {"audio"},
        typical_seconds=480.0,
    )


CARDS: tuple[ModelCard, ...] = (
    _wan_30("wan3.0-video", "Wan 3.0"),
    _wan_30("wan3.0-video-prime", "Wan 3.0 prime"),
    _text_27("wan2.7-t2v"),
    _text_27("wan2.7-t2v-2026-04-25"),
    _text_27("wan2.7-t2v-2026-06-12"),
    _image_27("wan2.7-i2v"),
    _image_27("wan2.7-i2v-2026-04-25"),
    _references_27("wan2.7-r2v"),
    _references_27("wan2.7-r2v-2026-06-12"),
    ModelCard(
        "wan2.7-videoedit",
        PROVIDER,
        title="Wan 2.7 video edit",
        durations=(0, *TO_10),
        duration=0,
        resolutions=TWO,
        resolution="1080p",
        ratios=WIDE_RATIOS,
        media_sets=any_of([_VI], [_VI, _RI]),
        media_limits={_RI: 4},
        prompt_needed=False,
        fields=_FIELDS_27,
        typical_seconds=240.0,
    ),
)
