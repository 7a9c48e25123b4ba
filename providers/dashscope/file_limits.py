"""What one picture, clip or sound may be, by the model: a table of families, as the pages of the models tell it."""

from collections.abc import Mapping
from dataclasses import replace

from providers.contract import SOUND_FIELD, MediaLimits, ModelCard
from providers.files import MediaKind

_MEGABYTE = 1024 * 1024

_PICTURE = MediaLimits(("image/png", "image/jpeg", "image/bmp", "image/webp"), 20 * _MEGABYTE, 240, 8000)
_PICTURE_10 = replace(_PICTURE, max_bytes=10 * _MEGABYTE)
_CLIP = MediaLimits(("video/mp4", "video/quicktime"), 100 * _MEGABYTE)
_SOUND = MediaLimits(("audio/wav", "audio/mpeg"), 15 * _MEGABYTE)

_FROM_25 = {MediaKind.IMAGE: _PICTURE, MediaKind.VIDEO: _CLIP, MediaKind.AUDIO: _SOUND}
_UP_TO_22 = {**_FROM_25, MediaKind.IMAGE: _PICTURE_10}
_HAPPYHORSE_FRAME = {MediaKind.IMAGE: replace(_PICTURE, min_side=300, max_aspect=2.5)}
_VACE = {
    MediaKind.IMAGE: replace(_PICTURE_10, min_side=0, max_side=0),
    MediaKind.VIDEO: MediaLimits(("video/mp4",), 50 * _MEGABYTE),
}

_FILES: tuple[tuple[str, Mapping[MediaKind, MediaLimits]], ...] = (
    ("wan3.0-", _FROM_25),
    ("wan2.7-i2v", {**_FROM_25, MediaKind.IMAGE: replace(_PICTURE, max_aspect=8.0)}),
    ("wan2.7-", _FROM_25),
    ("wan2.6-", _FROM_25),
    ("wan2.5-", _FROM_25),
    ("wan2.2-", _UP_TO_22),
    ("wanx2.1-vace", _VACE),
    ("wan2.1-vace", _VACE),
    ("wanx2.1-", _UP_TO_22),
    ("wan2.1-", _UP_TO_22),
    ("happyhorse-1.1-i2v", _HAPPYHORSE_FRAME),
    ("happyhorse-1.0-i2v", _HAPPYHORSE_FRAME),
    ("happyhorse-", _FROM_25),
    # These take addresses only.
    ("kling/", {}),
)
"""What one file may be, by the beginning of a model's name; the first row that fits counts. Of VACE's pictures the
sides are not told."""


def file_limits(card: ModelCard) -> dict[MediaKind, MediaLimits]:
    """The limits of the kinds that a model takes at all; those of a family that the table lacks are not known."""
    kinds = {role.kind for role in card.roles}
    if SOUND_FIELD in card.fields:
        kinds.add(MediaKind.AUDIO)
    limits = next((limits for prefix, limits in _FILES if card.name.startswith(prefix)), {})
    return {kind: limit for kind, limit in limits.items() if kind in kinds}
