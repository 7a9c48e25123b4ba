"""Vidu: what each model can do (pages of March to July 2026)."""

from dataclasses import dataclass

from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.dashscope.families.common import PROVIDER, TWO, WIDE_RATIOS, any_of, seconds
from providers.dashscope.sizes import VIDU, of

_FF = MediaRole.FIRST_FRAME
_LF = MediaRole.LAST_FRAME
_RI = MediaRole.REFERENCE_IMAGE
_RV = MediaRole.REFERENCE_VIDEO

_ALL = ("540p", "720p", "1080p")
_PORTRAIT_OR_NOT = ("16:9", "9:16")
_FIELDS = frozenset({"watermark", "seed"})
_REFERENCES = 7
_REFERENCES_BESIDE_CLIPS = 4


@dataclass(frozen=True, slots=True)
class _Row:
    """One model: its name after `vidu/viduq`, its lengths, and where it differs from the others."""

    name: str
    durations: tuple[int, ...]
    resolutions: tuple[str, ...] = _ALL
    resolution: str = "720p"
    ratios: tuple[str, ...] = WIDE_RATIOS
    audio: bool = False
    clips: bool = False
    sounds: bool = False
    """Always with sound, without a switch."""


_ROWS: tuple[_Row, ...] = (
    _Row("3-pro_text2video", seconds(1, 16), audio=True),
    _Row("3-turbo_text2video", seconds(1, 16), audio=True),
    _Row("2_text2video", seconds(1, 10)),
    _Row("3-pro_img2video", seconds(1, 16), audio=True),
    _Row("3-turbo_img2video", seconds(1, 16), audio=True),
    _Row("2-pro-fast_img2video", seconds(1, 10), TWO),
    _Row("2-pro_img2video", seconds(1, 10)),
    _Row("2-turbo_img2video", seconds(1, 10)),
    _Row("3-pro_start-end2video", seconds(1, 16), audio=True),
    _Row("3-turbo_start-end2video", seconds(1, 16), audio=True),
    _Row("2-pro_start-end2video", seconds(1, 10)),
    _Row("2-turbo_start-end2video", seconds(1, 10)),
    _Row("3-ad_reference2video", seconds(3, 15), TWO, audio=True),
    # Of its ratios the page names two.
    _Row("3-drama_reference2video", seconds(2, 15), TWO, "1080p", _PORTRAIT_OR_NOT, sounds=True),
    _Row("3-mix_reference2video", seconds(1, 16), TWO, audio=True),
    _Row("3_reference2video", seconds(1, 16), audio=True),
    _Row("3-turbo_reference2video", seconds(1, 16), audio=True),
    # 0 leaves the length to the model, which then mostly takes that of the clip.
    _Row("2-pro_reference2video", seconds(0, 10), clips=True),
    _Row("2_reference2video", seconds(1, 10)),
)

_SETS: dict[str, tuple[frozenset[MediaRole], ...]] = {
    "text2video": any_of([]),
    "img2video": any_of([_FF]),
    "start-end2video": any_of([_FF, _LF]),
    "reference2video": any_of([_RI]),
}
_TITLES = {
    "text2video": "text to video",
    "img2video": "image to video",
    "start-end2video": "first and last frame",
    "reference2video": "reference to video",
}


def _card(row: _Row) -> ModelCard:
    version, _, task = row.name.partition("_")
    sized = task in ("text2video", "reference2video")
    references = task == "reference2video"
    return ModelCard(
        f"vidu/viduq{row.name}",
        PROVIDER,
        title=f"Vidu Q{version.replace('-', ' ')} {_TITLES[task]}",
        durations=row.durations,
        duration=5,
        resolutions=row.resolutions,
        resolution=row.resolution,
        ratios=row.ratios if sized else (),
        ratio="16:9" if sized else None,
        sizes=of(VIDU, row.resolutions, row.ratios) if sized else {},
        media_sets=any_of([_RI], [_RI, _RV]) if row.clips else _SETS[task],
        media_limits={_RI: _REFERENCES, **({_RV: 2} if row.clips else {})} if references else {},
        media_limits_with={_RV: {_RI: _REFERENCES_BESIDE_CLIPS}} if row.clips else {},
        prompt_needed=task != "img2video",
        words_needed=task in ("start-end2video", "reference2video"),
        fields=_FIELDS | {"audio"} if row.audio else _FIELDS,
        always_on=frozenset({"audio"}) if row.sounds else frozenset(),
        typical_seconds=120.0,
    )


CARDS: tuple[ModelCard, ...] = tuple(map(_card, _ROWS))
