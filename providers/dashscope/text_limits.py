"""Limits of a prompt by model: a table of families, from the pages of the models.

Most of them cut what is longer without a word and charge all the same; Kling and MiniMax refuse it.
"""

from typing import NamedTuple


class TextLimits(NamedTuple):
    """Characters, 0 for no limit known. A Chinese character of the prompt counts as `han_weight`."""

    prompt: int = 0
    negative_prompt: int = 0
    han_weight: int = 1


_NEGATIVE = 500

_TEXTS: tuple[tuple[str, TextLimits], ...] = (
    ("wan3.0-", TextLimits(20_000)),
    ("wan2.7-", TextLimits(5000, _NEGATIVE)),
    ("wan2.6-", TextLimits(1500, _NEGATIVE)),
    ("wan2.5-", TextLimits(1500, _NEGATIVE)),
    ("wan2.2-", TextLimits(800, _NEGATIVE)),
    ("wanx2.1-", TextLimits(800, _NEGATIVE)),
    ("wan2.1-", TextLimits(800, _NEGATIVE)),
    # 5000 characters that are not Chinese, or 2500 that are.
    ("happyhorse-", TextLimits(5000, han_weight=2)),
    ("kling/", TextLimits(2500)),
    ("MiniMax/", TextLimits(7000)),
    ("vidu/", TextLimits(5000)),
    ("pixverse/pixverse-v5.6-", TextLimits(2048)),
    ("pixverse/pixverse-v6-r2v-omni", TextLimits(5000)),
    ("pixverse/pixverse-v6-r2v", TextLimits(2048)),
    ("pixverse/", TextLimits(5000)),
)
"""By the beginning of a model's name; the first row that fits counts."""


def text_limits(model: str) -> TextLimits:
    """The limits of a model; none for one of a family that the table lacks."""
    return next((limits for prefix, limits in _TEXTS if model.startswith(prefix)), TextLimits())
