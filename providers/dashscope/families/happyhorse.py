"""Happy Horse: what each model can do (pages of July and August 2026)."""

from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.dashscope.families.common import PROVIDER, TEXT_ONLY, THREE, TWO, any_of, seconds

_FF = MediaRole.FIRST_FRAME
_RI = MediaRole.REFERENCE_IMAGE
_VI = MediaRole.VIDEO

_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "4:5", "5:4", "9:21", "21:9")
_FIELDS = frozenset({"watermark", "seed"})
_TASKS: tuple[tuple[str, str, tuple[frozenset[MediaRole], ...]], ...] = (
    ("t2v", "text to video", any_of([])),
    ("i2v", "image to video", any_of([_FF])),
    ("r2v", "reference to video", any_of([_RI])),
)
_RESOLUTIONS: dict[str, tuple[str, ...]] = {
    "1.1": THREE,
    # The pages list 480P for both versions together; of 1.0 alone other clients of the service know 720P and 1080P
    # only (autumn 2026).
    "1.0": TWO,
}


def _card(version: str, task: str, title: str, media: tuple[frozenset[MediaRole], ...]) -> ModelCard:
    ratios = _RATIOS if task != "i2v" else ()
    return ModelCard(
        f"happyhorse-{version}-{task}",
        PROVIDER,
        title=f"Happy Horse {version} {title}",
        durations=seconds(3, 15),
        duration=5,
        resolutions=_RESOLUTIONS[version],
        resolution="1080p",
        ratios=ratios,
        ratio="16:9" if ratios else None,
        media_sets=media,
        media_limits={_RI: 9} if task == "r2v" else {},
        media_hint=TEXT_ONLY if task == "t2v" else None,
        prompt_needed=task != "i2v",
        words_needed=task == "r2v",
        fields=_FIELDS,
        typical_seconds=180.0,
    )


CARDS: tuple[ModelCard, ...] = (
    *(_card(version, *task) for version in _RESOLUTIONS for task in _TASKS),
    ModelCard(
        "happyhorse-1.0-video-edit",
        PROVIDER,
        title="Happy Horse 1.0 video edit",
        resolutions=TWO,
        resolution="1080p",
        media_sets=any_of([_VI], [_VI, _RI]),
        media_limits={_RI: 5},
        words_needed=True,
        fields=_FIELDS,
        typical_seconds=240.0,
    ),
)
