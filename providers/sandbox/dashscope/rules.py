"""What a row of the model tables can say: paths, parameters, legal media sets, sizes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

VIDEO = "video-generation/video-synthesis"
IMAGE = "image2video/video-synthesis"

Usage = Literal[
    "video_ratio", "t2v26", "i2v", "i2v26", "standard", "kf2v22", "r2v26", "wan27", "edit", "wan30", "kling", "vidu",
    "pixverse", "pixverse_shots", "pixverse_video", "minimax", "portrait", "s2v",
]  # fmt: skip

ELEMENT = "element"
"""Stands in `MediaSet.counts` for an entry of `input.element_list`."""


@dataclass(frozen=True, slots=True)
class MediaSet:
    """One legal combination of media types.

    `counts`: type → (fewest, most); a type that is not named may not be there. `together`: types that count as one,
    with their fewest and most. `seconds`: what `duration` may be beside this set, None = what the model says, empty =
    anything. `requires`: parameters that must be sent. `ratios`: what the ratio may be, None = what the model says.
    `silent`: `audio` must not be true.
    """

    counts: Mapping[str, tuple[int, int]]
    together: tuple[tuple[str, ...], int, int] = ((), 0, 0)
    seconds: frozenset[int] | None = None
    requires: tuple[str, ...] = ()
    ratios: tuple[str, ...] | None = None
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Model:
    """`needs`: input fields that must be there, "a|b" = one of the two. `sets`: what `input.media` may hold, empty for
    the legacy protocol; an empty `MediaSet` is text alone. `requires`: parameters that must be sent.

    `sizes`: size → tier for `size` (a wrong one fails the task, not the submit). `tiers`: what `resolution` may be,
    `tier` its default. `sized_by_tier`: `size` counts only beside `resolution`. `modes`: mode → tier, the first is the
    default. `ratios` are the values of the parameter `ratio_name`, the first is the default. `seconds`: what `duration`
    may be, empty = any; `tier_seconds` has the exceptions by tier. `audio` is the default of the parameter.
    `prompt_limit`: characters, more are refused, 0 = more are cut off silently. `shots`: takes `multi_shot`.
    `assets`: media may be ids of the asset centre. `running`: tasks of a key that run at the same time. `results`: the
    URL is in `output.results`. `marked`: with `watermark` there is a second video.
    """

    name: str
    path: str = VIDEO
    needs: tuple[str, ...] = ("prompt",)
    sets: tuple[MediaSet, ...] = ()
    requires: tuple[str, ...] = ()
    sizes: Mapping[str, str] = field(default_factory=dict)
    tiers: tuple[str, ...] = ()
    tier: str = "1080P"
    sized_by_tier: bool = False
    modes: Mapping[str, str] = field(default_factory=dict)
    ratios: tuple[str, ...] = ()
    ratio_name: str = "ratio"
    seconds: frozenset[int] = frozenset()
    tier_seconds: Mapping[str, frozenset[int]] = field(default_factory=dict)
    audio: bool = True
    prompt_limit: int = 0
    shots: bool = False
    usage: Usage = "wan27"
    actual_prompt: bool = False
    results: bool = False
    running: int = 5
    http_only: bool = False
    assets: bool = False
    marked: bool = False

    @property
    def media_types(self) -> tuple[str, ...]:
        """Every type that some legal set has, in the order of the sets."""
        return tuple(dict.fromkeys(kind for legal in self.sets for kind in legal.counts if kind != ELEMENT))


def seconds_from(low: int, high: int) -> frozenset[int]:
    """Whole seconds from `low` to `high`, both allowed."""
    return frozenset(range(low, high + 1))


def sizes_of(table: Mapping[str, tuple[str, ...]], *tiers: str) -> dict[str, str]:
    """Size → tier for the named tiers of a table."""
    return {size: tier for tier in tiers for size in table[tier]}
