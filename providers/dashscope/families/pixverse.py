"""PixVerse: what each model can do (pages of July and August 2026).

Lip sync, motion control and upscaling are no cards: they take inputs of their own, which `provider_options` carry.
"""

from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.dashscope.families.common import PROVIDER, any_of, seconds
from providers.dashscope.sizes import PIXVERSE, PIXVERSE_56_REFERENCES, PIXVERSE_56_TEXT, Sizes

_FF = MediaRole.FIRST_FRAME
_LF = MediaRole.LAST_FRAME
_RI = MediaRole.REFERENCE_IMAGE
_RV = MediaRole.REFERENCE_VIDEO

_TIERS = ("360p", "540p", "720p", "1080p")
_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9")
_RATIOS_56 = _RATIOS[:5]
_FIELDS = frozenset({"audio", "watermark", "seed"})
_TO_15 = seconds(1, 15)
_56_DURATIONS = (5, 8, 10)
_56_DURATIONS_AT = {"1080p": (5, 8)}
_SHOTS = frozenset({"v6-t2v", "v6-it2v"})
"""The models that can be told how many shots to make."""

_TASKS: dict[str, tuple[str, tuple[frozenset[MediaRole], ...]]] = {
    "t2v": ("text to video", any_of([])),
    "it2v": ("image to video", any_of([_FF])),
    "kf2v": ("first and last frame", any_of([_FF, _LF])),
    "r2v": ("reference to video", any_of([_RI])),
}


def _sizes(version: str, task: str) -> Sizes:
    if task not in ("t2v", "r2v"):
        return {}
    if version != "v5.6":
        return PIXVERSE
    return PIXVERSE_56_TEXT if task == "t2v" else PIXVERSE_56_REFERENCES


def _card(version: str, task: str) -> ModelCard:
    """No page names a default of size, resolution or duration: they are required. These are the ones of its samples."""
    title, media = _TASKS[task]
    sizes = _sizes(version, task)
    name = f"{version}-{task}"
    return ModelCard(
        f"pixverse/pixverse-{name}",
        PROVIDER,
        title=f"PixVerse {version} {title}",
        durations=_56_DURATIONS if version == "v5.6" else _TO_15,
        duration=5,
        durations_at=_56_DURATIONS_AT if version == "v5.6" else {},
        resolutions=_TIERS,
        resolution="720p",
        ratios=(_RATIOS_56 if version == "v5.6" else _RATIOS) if sizes else (),
        ratio="16:9" if sizes else None,
        sizes=sizes,
        media_sets=media,
        media_limits={_RI: 7} if task == "r2v" else {},
        prompt_needed=task != "it2v",
        words_needed=task in ("kf2v", "r2v"),
        fields=_FIELDS | {"shot_type"} if name in _SHOTS else _FIELDS,
        typical_seconds=90.0,
    )


CARDS: tuple[ModelCard, ...] = (
    *(_card(version, task) for version in ("v6", "c1", "v5.6") for task in _TASKS),
    ModelCard(
        "pixverse/pixverse-v6-r2v-omni",
        PROVIDER,
        title="PixVerse v6 reference to video, omni",
        durations=_TO_15,
        duration=5,
        # Beside a clip the page demands 0: the video is as long as the longest clip.
        durations_with={_RV: (0,)},
        resolutions=_TIERS,
        resolution="720p",
        ratios=("auto", *_RATIOS),
        ratio="16:9",
        media_sets=any_of([_RI], [_RV], [_RI, _RV]),
        media_limits={_RI: 10, _RV: 2},
        words_needed=True,
        fields=_FIELDS,
        typical_seconds=120.0,
    ),
)
