"""The pixels of each family's resolutions and ratios, from the model pages of Alibaba Cloud.

A short side does not tell the resolution: 1024x1024 is Vidu's 540p, 960x960 is PixVerse's and Wan's 720p.
"""

from collections.abc import Mapping

Sizes = Mapping[tuple[str, str], str]
"""Resolution and ratio to "WIDTHxHEIGHT"."""


def _table(**tiers: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """`_1080p={"16:9": "1920x1080"}` and so on as one table."""
    return {(tier.removeprefix("_"), ratio): size for tier, sizes in tiers.items() for ratio, size in sizes.items()}


def of(table: Sizes, resolutions: tuple[str, ...], ratios: tuple[str, ...] | None = None) -> dict[tuple[str, str], str]:
    """The part of a table that a model makes; `ratios` None for all of them."""
    return {
        (tier, ratio): size
        for (tier, ratio), size in table.items()
        if tier in resolutions and (ratios is None or ratio in ratios)
    }


SIZES = _table(
    _480p={"16:9": "832x480", "9:16": "480x832", "1:1": "624x624"},
    _720p={"16:9": "1280x720", "9:16": "720x1280", "1:1": "960x960", "4:3": "1088x832", "3:4": "832x1088"},
    _1080p={"16:9": "1920x1080", "9:16": "1080x1920", "1:1": "1440x1440", "4:3": "1632x1248", "3:4": "1248x1632"},
)
"""Wan up to 2.6, which takes pixels. 480p knows three ratios only."""

SIZES_27: Sizes = SIZES | {
    ("720p", "4:3"): "1104x832",
    ("720p", "3:4"): "832x1104",
    ("1080p", "4:3"): "1648x1248",
    ("1080p", "3:4"): "1248x1648",
}
"""Wan 2.7, which takes resolution and ratio."""

VIDU = _table(
    _540p={"16:9": "1024x576", "9:16": "576x1024", "1:1": "1024x1024", "4:3": "1024x768", "3:4": "768x1024"},
    _720p={"16:9": "1280x720", "9:16": "720x1280", "1:1": "1280x1280", "4:3": "1280x960", "3:4": "960x1280"},
    _1080p={"16:9": "1920x1080", "9:16": "1080x1920", "1:1": "1808x1808", "4:3": "1920x1440", "3:4": "1440x1920"},
)
"""Text and references to video (page of July 2026). It takes size and resolution: a size alone is ignored."""

_PIXVERSE_LOW: dict[str, dict[str, str]] = {
    "_360p": {"16:9": "640x360", "4:3": "640x480", "1:1": "640x640", "3:4": "480x640", "9:16": "360x640"},
    "_540p": {"16:9": "1024x576", "4:3": "1024x768", "1:1": "1024x1024", "3:4": "768x1024", "9:16": "576x1024"},
}
PIXVERSE = _table(
    _360p=_PIXVERSE_LOW["_360p"] | {"3:2": "640x432", "2:3": "432x640", "21:9": "640x288"},
    _540p=_PIXVERSE_LOW["_540p"] | {"3:2": "1024x688", "2:3": "688x1024", "21:9": "1024x448"},
    _720p={
        "16:9": "1280x720",
        "4:3": "1108x832",
        "1:1": "960x960",
        "3:4": "832x1108",
        "9:16": "720x1280",
        "3:2": "1200x800",
        "2:3": "800x1200",
        "21:9": "1280x560",
    },
    _1080p={
        "16:9": "1920x1080",
        "4:3": "1664x1248",
        "1:1": "1440x1440",
        "3:4": "1248x1664",
        "9:16": "1080x1920",
        "3:2": "1776x1184",
        "2:3": "1184x1776",
        "21:9": "1920x832",
    },
)
"""PixVerse c1 and v6, text and references to video (pages of August 2026)."""

PIXVERSE_56_TEXT = _table(
    **_PIXVERSE_LOW,
    _720p={"16:9": "1280x720", "4:3": "1280x960", "1:1": "1280x1280", "3:4": "960x1280", "9:16": "720x1280"},
    _1080p={"16:9": "1920x1080", "4:3": "1920x1440", "1:1": "1808x1808", "3:4": "1440x1920", "9:16": "1080x1920"},
)
PIXVERSE_56_REFERENCES = _table(
    **_PIXVERSE_LOW,
    _720p={"16:9": "1280x720", "4:3": "1108x830", "1:1": "960x960", "3:4": "830x1108", "9:16": "720x1280"},
    _1080p={"16:9": "1920x1080", "4:3": "1662x1246", "1:1": "1440x1440", "3:4": "1246x1662", "9:16": "1080x1920"},
)
"""PixVerse 5.6 has two tables: the pages of text to video and of references to video differ."""


def _read(*tables: Sizes) -> dict[str, tuple[str, str]]:
    """What a size says, by the first table that has it."""
    said: dict[str, tuple[str, str]] = {}
    for table in tables:
        for pair, size in table.items():
            said.setdefault(size, pair)
    return said


NOMINAL = _read(SIZES, SIZES_27)
"""What the sizes of Wan say to every model that takes a resolution: 832x480 and 624x624 are 480p."""
NOMINAL_VIDU = _read(VIDU) | {
    "960x540": ("540p", "16:9"),
    "540x960": ("540p", "9:16"),
    # What it makes of 1024*576, by the usage in its answers.
    "960x528": ("540p", "16:9"),
    "528x960": ("540p", "9:16"),
}
NOMINAL_PIXVERSE = _read(PIXVERSE)
NOMINAL_MINIMAX = {"1344x768": ("768p", "16:9"), "768x1344": ("768p", "9:16")}
"""From the usage in its answers (sample of 2026-08-20)."""
