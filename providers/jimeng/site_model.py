"""One model as a site describes it, and the card that the gateway makes of it.

The same description comes from two places: the site's live configuration (`configuration`) and the fallback table
(`models`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeVar

from providers.contract.localized_text import LocalizedText
from providers.contract.media import MediaLimits, MediaRole
from providers.contract.models import ModelCard
from providers.jimeng.site.regions import PROVIDER
from providers.media_files import MediaKind

T = TypeVar("T")

RATIOS = ("21:9", "16:9", "4:3", "1:1", "3:4", "9:16")
SECONDS = 5
"""The default length, where the model has it."""
RESOLUTION = "720p"
"""The default resolution, where the model has it. The site's own default for Seedance 2.5 is 480p (2026-08-30), but its
page and every captured client send 720p."""
RATIO = "16:9"

FIRST_FRAME_ONLY = LocalizedText(
    "该模型只接受首帧图片；需要尾帧请改用 jimeng-video-3.0-fast 或 Seedance 2.x 模型，参考素材请用 Seedance 2.x 模型",
    "This model takes a first frame only; for a last frame use jimeng-video-3.0-fast or a Seedance 2.x model, for "
    "references a Seedance 2.x model",
)
REFERENCES_ELSEWHERE = LocalizedText(
    "该模型只接受首帧和尾帧图片；参考图片、视频或音频请改用 Seedance 2.x 模型，例如 jimeng-video-seedance-2.0",
    "This model takes a first and a last frame only; for reference images, videos or audio use a Seedance 2.x model, "
    "such as jimeng-video-seedance-2.0",
)

_MEGABYTE = 1024 * 1024
MEDIA_FILES: Mapping[MediaKind, MediaLimits] = {
    MediaKind.IMAGE: MediaLimits(("image/png", "image/jpeg", "image/webp", "image/bmp"), 20 * _MEGABYTE),
    MediaKind.VIDEO: MediaLimits(("video/mp4", "video/quicktime"), 200 * _MEGABYTE),
    MediaKind.AUDIO: MediaLimits(("audio/mpeg", "audio/wav"), 15 * _MEGABYTE),
}
"""What a file may be where the site says nothing of it. Bounds of ours, for safety."""


@dataclass(frozen=True, slots=True)
class ResolutionBenefit:
    """What a video of one resolution is charged as: made with a clip among its inputs, and without one."""

    with_clip: str
    without_clip: str


@dataclass(frozen=True, slots=True)
class Benefits:
    """The `benefit_type` of a submit: the site's name for what is charged. It depends on the resolution, and on whether
    a clip is among the inputs.

    The rule is read out of the site's configuration of 2026-08-30 and agrees with the submits captured until
    2026-10-09: the list of prices by resolution comes first, then the price of a clip, then the default.
    """

    default: str
    by_resolution: Mapping[str, ResolutionBenefit] = field(default_factory=dict)
    with_clip: str = ""

    def of(self, resolution: str | None, *, clip: bool) -> str:
        """The benefit type of one video. `resolution` is in lower case."""
        price = self.by_resolution.get(resolution or "")
        if price is not None:
            return price.with_clip if clip else price.without_clip
        return (clip and self.with_clip) or self.default


@dataclass(frozen=True, slots=True)
class MaterialLimit:
    """How many materials of one kind a video is made from, and what each may be."""

    count: int
    files: MediaLimits


@dataclass(frozen=True, slots=True)
class Materials:
    """What the reference mode takes: of each kind, and `total` of all together. Of the kinds in `any_of` one has to be
    among them, where it names any."""

    kinds: Mapping[MediaKind, MaterialLimit]
    total: int
    any_of: frozenset[MediaKind] = frozenset()


@dataclass(frozen=True, slots=True)
class ModelWire:
    """What a submit says of a model beyond its card.

    `resolutions` maps ours, in lower case, to the site's spelling. `by_reference` marks a model with the reference
    mode, whose page names that mode also for a video from text alone. `draft_mode` marks the cheap preview of a model.
    """

    benefits: Benefits
    resolutions: Mapping[str, str] = field(default_factory=dict)
    by_reference: bool = False
    draft_mode: bool = False


@dataclass(frozen=True, slots=True)
class SiteModel:
    """A model as the site describes it. `inputs` holds the site's own words: `prompt`, `first_frame`, `end_frame`,
    `unified_edit`. The default length and resolution are those of `site_seconds` and `site_resolution` only where the
    model lacks ours. `offered` is False for a model that the site lists and does not offer; what can be made in
    none of the ways that are known here is not offered either."""

    key: str
    benefits: Benefits
    title: str = ""
    seconds: tuple[int, ...] = ()
    site_seconds: int | None = None
    resolutions: tuple[str, ...] = ()
    site_resolution: str | None = None
    ratios: tuple[str, ...] = RATIOS
    inputs: frozenset[str] = frozenset({"prompt", "first_frame", "end_frame"})
    materials: Materials | None = None
    max_prompt: int = 0
    draft_mode: bool = False
    offered: bool = True
    typical_seconds: float = 120.0

    def card(self, name: str = "", regions: frozenset[str] = frozenset()) -> ModelCard:
        """The card under a public name; without one the site's key is the name. `regions` is for a card of the table.

        With a picture as first frame the output has the picture's shape and the site ignores the ratio.
        """
        materials = self.materials if "unified_edit" in self.inputs else None
        sets = (*_frame_sets(self.inputs), *(_material_sets(materials) if materials else ()))
        resolutions = tuple(word.lower() for word in self.resolutions)
        return ModelCard(
            name=name or self.key,
            provider=PROVIDER,
            key=self.key,
            title=self.title,
            durations=self.seconds,
            duration=_default(SECONDS, self.seconds, self.site_seconds),
            resolutions=resolutions,
            resolution=_default(RESOLUTION, resolutions, (self.site_resolution or "").lower() or None),
            ratios=self.ratios,
            ratio=_default(RATIO, self.ratios, None),
            ratio_ignored_with=frozenset({MediaRole.FIRST_FRAME}),
            media_sets=sets,
            media_limits={_REFERENCE_OF[kind]: limit.count for kind, limit in materials.kinds.items()}
            if materials
            else {},
            media_total=materials.total if materials else None,
            media_hint=_hint(self.inputs, materials),
            media_files=_files(materials),
            fetches_urls=False,
            prompt_needed="prompt" in self.inputs,
            max_prompt=self.max_prompt,
            fields=frozenset({"seed"}),
            regions=regions,
            typical_seconds=self.typical_seconds,
            available=self.offered and bool(sets),
            wire=ModelWire(
                self.benefits,
                dict(zip(resolutions, self.resolutions, strict=True)),
                by_reference=materials is not None,
                draft_mode=self.draft_mode,
            ),
        )


_REFERENCE_OF = {
    MediaKind.IMAGE: MediaRole.REFERENCE_IMAGE,
    MediaKind.VIDEO: MediaRole.REFERENCE_VIDEO,
    MediaKind.AUDIO: MediaRole.REFERENCE_AUDIO,
}


def _default(preferred: T, offered: tuple[T, ...], site: T | None) -> T | None:
    if preferred in offered:
        return preferred
    return site if site in offered else next(iter(offered), None)


def _hint(inputs: frozenset[str], materials: Materials | None) -> LocalizedText | None:
    if materials:
        return None
    return REFERENCES_ELSEWHERE if "end_frame" in inputs else FIRST_FRAME_ONLY


def _frame_sets(inputs: frozenset[str]) -> Iterator[frozenset[MediaRole]]:
    if "prompt" in inputs:
        yield frozenset()
    if "first_frame" in inputs:
        yield frozenset({MediaRole.FIRST_FRAME})
    if {"first_frame", "end_frame"} <= inputs:
        yield frozenset({MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME})


def _material_sets(materials: Materials) -> Iterator[frozenset[MediaRole]]:
    """Every set of kinds that the reference mode takes."""
    kinds = [kind for kind in MediaKind if kind in materials.kinds]
    for size in range(1, len(kinds) + 1):
        for chosen in combinations(kinds, size):
            if not materials.any_of or materials.any_of & set(chosen):
                yield frozenset(_REFERENCE_OF[kind] for kind in chosen)


def _files(materials: Materials | None) -> Mapping[MediaKind, MediaLimits]:
    described = {kind: limit.files for kind, limit in materials.kinds.items()} if materials else {}
    return {**MEDIA_FILES, **described}
