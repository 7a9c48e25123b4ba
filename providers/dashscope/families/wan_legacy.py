"""Wan up to 2.6, and VACE: what each model can do."""

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
from providers.dashscope.sizes import SIZES, of

_FF = MediaRole.FIRST_FRAME
_LF = MediaRole.LAST_FRAME
_RI = MediaRole.REFERENCE_IMAGE
_RV = MediaRole.REFERENCE_VIDEO
_FC = MediaRole.FIRST_CLIP
_VI = MediaRole.VIDEO

_COMMON = frozenset({"prompt_extend", "watermark", "seed"})
_TEXT_21 = _COMMON | {"negative_prompt"}
_TEXT_25 = _TEXT_21 | {SOUND_FIELD}
_TEXT_26 = _TEXT_25 | {"shot_type"}
_IMAGE_21 = _TEXT_21 | {"template"}
_IMAGE_25 = _TEXT_25 | {"template"}
_IMAGE_26 = _TEXT_26 | {"template"}


def _text(
    name: str,
    title: str,
    *,
    resolutions: tuple[str, ...],
    resolution: str,
    durations: tuple[int, ...],
    fields: frozenset[str],
    seconds: float,
) -> ModelCard:
    """Text to video of the older protocol: pixels, no other input."""
    return ModelCard(
        name,
        PROVIDER,
        title=title,
        durations=durations,
        duration=5,
        resolutions=resolutions,
        resolution=resolution,
        ratios=WIDE_RATIOS,
        ratio="16:9",
        sizes=of(SIZES, resolutions),
        media_hint=TEXT_ONLY,
        fields=fields,
        typical_seconds=seconds,
    )


def _image(
    name: str,
    title: str,
    *,
    resolutions: tuple[str, ...],
    resolution: str,
    durations: tuple[int, ...],
    fields: frozenset[str],
    seconds: float,
    last_frame: bool = False,
) -> ModelCard:
    """One image, or a first and perhaps a last frame, of the older protocol: the ratio is the image's."""
    return ModelCard(
        name,
        PROVIDER,
        title=title,
        durations=durations,
        duration=5,
        resolutions=resolutions,
        resolution=resolution,
        media_sets=any_of([_FF], [_FF, _LF]) if last_frame else any_of([_FF]),
        media_hint=NO_REFERENCES,
        prompt_needed=False,
        fields=fields,
        typical_seconds=seconds,
    )


def _references_26(name: str, title: str, fields: frozenset[str], seconds: float) -> ModelCard:
    return ModelCard(
        name,
        PROVIDER,
        title=title,
        durations=TO_10,
        duration=5,
        resolutions=TWO,
        resolution="1080p",
        ratios=WIDE_RATIOS,
        ratio="16:9",
        sizes=of(SIZES, TWO),
        media_sets=any_of([_RI], [_RV], [_RI, _RV]),
        media_total=REFERENCES,
        words_needed=True,
        media_limits={_RI: 5, _RV: 3},
        fields=fields,
        typical_seconds=seconds,
    )


def _vace(name: str) -> ModelCard:
    """The task is `input.function`. References imply it, and so do frames and a first clip, which only an extension
    takes, perhaps with a video that guides it. For a video alone or with a reference the caller must name it."""
    extended = ([_FF], [_FF, _LF], [_LF], [_FC], [_FC, _LF])
    return ModelCard(
        name,
        PROVIDER,
        title="Wan 2.1 VACE",
        durations=(5,),
        resolutions=("720p",),
        resolution="720p",
        ratios=WIDE_RATIOS,
        ratio="16:9",
        sizes=of(SIZES, ("720p",)),
        media_sets=any_of(
            *([_RI], [_VI], [_RI, _VI], [_RV], [_RI, _RV]), *extended, *([*roles, _VI] for roles in extended)
        ),
        # All functions but those of references and masks keep the size of their input.
        ratio_ignored_with=frozenset({_FF, _LF, _FC, _VI, _RV}),
        words_needed=True,
        media_limits={_RI: 3},
        media_limits_with={_VI: {_RI: 1}, _RV: {_RI: 1}},
        fields=_COMMON,
        typical_seconds=300.0,
    )


def _generation_21(prefix: str) -> tuple[ModelCard, ...]:
    """The 2.1 models: `wanx2.1` in mainland China, `wan2.1` on the international site."""
    low = ("480p", "720p")
    high = ("720p",)
    return (
        _text(
            f"{prefix}-t2v-turbo",
            "Wan 2.1 text to video, turbo",
            resolutions=low,
            resolution="720p",
            durations=(5,),
            fields=_TEXT_21,
            seconds=90.0,
        ),
        _text(
            f"{prefix}-t2v-plus",
            "Wan 2.1 text to video, plus",
            resolutions=high,
            resolution="720p",
            durations=(5,),
            fields=_TEXT_21,
            seconds=240.0,
        ),
        _image(
            f"{prefix}-i2v-turbo",
            "Wan 2.1 image to video, turbo",
            resolutions=low,
            resolution="720p",
            durations=(3, 4, 5),
            fields=_IMAGE_21,
            seconds=150.0,
        ),
        _image(
            f"{prefix}-i2v-plus",
            "Wan 2.1 image to video, plus",
            resolutions=high,
            resolution="720p",
            durations=(5,),
            fields=_IMAGE_21,
            seconds=300.0,
        ),
        _image(
            f"{prefix}-kf2v-plus",
            "Wan 2.1 first and last frame",
            resolutions=high,
            resolution="720p",
            durations=(5,),
            fields=_IMAGE_21,
            seconds=300.0,
            last_frame=True,
        ),
        _vace(f"{prefix}-vace-plus"),
    )


GENERATION_26: tuple[ModelCard, ...] = (
    _text(
        "wan2.6-t2v",
        "Wan 2.6 text to video",
        resolutions=TWO,
        resolution="1080p",
        durations=TO_15,
        fields=_TEXT_26,
        seconds=150.0,
    ),
    _image(
        "wan2.6-i2v",
        "Wan 2.6 image to video",
        resolutions=TWO,
        resolution="1080p",
        durations=TO_15,
        fields=_IMAGE_26,
        seconds=150.0,
    ),
    _image(
        "wan2.6-i2v-flash",
        "Wan 2.6 image to video, flash",
        resolutions=TWO,
        resolution="1080p",
        durations=TO_15,
        fields=_IMAGE_26 | {"audio"},
        seconds=90.0,
    ),
    _references_26(
        "wan2.6-r2v",
        "Wan 2.6 reference to video",
        frozenset({"negative_prompt", "shot_type", "watermark", "seed"}),
        180.0,
    ),
    _references_26(
        "wan2.6-r2v-flash",
        "Wan 2.6 reference to video, flash",
        frozenset({"negative_prompt", "shot_type", "audio", "watermark", "seed"}),
        120.0,
    ),
    _text(
        "wan2.6-t2v-us",
        "Wan 2.6 text to video, United States",
        resolutions=TWO,
        resolution="1080p",
        durations=(5, 10),
        fields=_TEXT_26,
        seconds=150.0,
    ),
    _image(
        "wan2.6-i2v-us",
        "Wan 2.6 image to video, United States",
        resolutions=TWO,
        resolution="1080p",
        durations=(5, 10, 15),
        fields=_IMAGE_26,
        seconds=150.0,
    ),
)
"""The default model of the provider first."""

OLDER: tuple[ModelCard, ...] = (
    _text(
        "wan2.5-t2v-preview",
        "Wan 2.5 text to video",
        resolutions=THREE,
        resolution="1080p",
        durations=(5, 10),
        fields=_TEXT_25,
        seconds=150.0,
    ),
    _image(
        "wan2.5-i2v-preview",
        "Wan 2.5 image to video",
        resolutions=THREE,
        resolution="1080p",
        durations=(5, 10),
        fields=_IMAGE_25,
        seconds=150.0,
    ),
    _text(
        "wan2.2-t2v-plus",
        "Wan 2.2 text to video",
        resolutions=("480p", "1080p"),
        resolution="1080p",
        durations=(5,),
        fields=_TEXT_21,
        seconds=120.0,
    ),
    _image(
        "wan2.2-i2v-flash",
        "Wan 2.2 image to video, flash",
        resolutions=THREE,
        resolution="720p",
        durations=(5,),
        fields=_IMAGE_21,
        seconds=60.0,
    ),
    _image(
        "wan2.2-i2v-plus",
        "Wan 2.2 image to video",
        resolutions=("480p", "1080p"),
        resolution="1080p",
        durations=(5,),
        fields=_IMAGE_21,
        seconds=120.0,
    ),
    _image(
        "wan2.2-kf2v-flash",
        "Wan 2.2 first and last frame",
        resolutions=THREE,
        resolution="720p",
        durations=(5,),
        fields=_IMAGE_21,
        seconds=90.0,
        last_frame=True,
    ),
    *_generation_21("wanx2.1"),
    *_generation_21("wan2.1"),
)
