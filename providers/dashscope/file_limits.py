"""Limits of one image, video or audio file by model: a table of families, from the pages of the models."""

from collections.abc import Mapping
from dataclasses import replace

from providers.contract.media import MediaLimits
from providers.contract.models import SOUND_FIELD, ModelCard
from providers.media_files import MediaKind

_MEGABYTE = 1024 * 1024
_JPEG_PNG = ("image/png", "image/jpeg")
_NO_BMP = ("image/png", "image/jpeg", "image/webp")

_PICTURE = MediaLimits(("image/png", "image/jpeg", "image/bmp", "image/webp"), 20 * _MEGABYTE, 240, 8000, no_alpha=True)
_PICTURE_10 = replace(_PICTURE, max_bytes=10 * _MEGABYTE)
_PICTURE_8_1 = replace(_PICTURE, max_aspect=8.0)
_CLIP = MediaLimits(("video/mp4", "video/quicktime"), 100 * _MEGABYTE)
_CLIP_8_1 = replace(_CLIP, min_side=240, max_side=4096, max_aspect=8.0)
_SOUND = MediaLimits(("audio/wav", "audio/mpeg"), 15 * _MEGABYTE)

_Limits = Mapping[MediaKind, MediaLimits]


def _of(image: MediaLimits, video: MediaLimits = _CLIP, audio: MediaLimits = _SOUND) -> _Limits:
    return {MediaKind.IMAGE: image, MediaKind.VIDEO: video, MediaKind.AUDIO: audio}


_30 = _of(
    _PICTURE_8_1,
    replace(_CLIP_8_1, min_seconds=1.0, max_seconds=15.0, max_total_seconds=15.0),
    replace(_SOUND, min_seconds=1.0, max_seconds=15.0, max_total_seconds=15.0),
)
_27_FRAMES = _of(
    _PICTURE_8_1,
    replace(_CLIP_8_1, min_seconds=2.0, max_seconds=10.0),
    replace(_SOUND, min_seconds=2.0, max_seconds=30.0),
)
_27_REFERENCES = _of(_PICTURE_8_1, replace(_CLIP_8_1, min_seconds=1.0, max_seconds=30.0))
_FROM_25 = _of(
    _PICTURE,
    replace(_CLIP, min_seconds=1.0, max_seconds=30.0),
    replace(_SOUND, min_seconds=3.0, max_seconds=30.0),
)
_UP_TO_22 = _of(_PICTURE_10)
_VACE = _of(
    replace(_PICTURE_10, min_side=360, max_side=2000, no_alpha=False), MediaLimits(("video/mp4",), 50 * _MEGABYTE)
)
_HAPPYHORSE_PICTURE = MediaLimits(_NO_BMP, 20 * _MEGABYTE)
_HAPPYHORSE_FRAME = _of(replace(_HAPPYHORSE_PICTURE, min_side=300, max_aspect=2.5))
_HAPPYHORSE_REFERENCES = _of(replace(_HAPPYHORSE_PICTURE, min_side=400))
_HAPPYHORSE_EDIT = _of(
    replace(_HAPPYHORSE_PICTURE, min_side=300, max_aspect=2.5),
    replace(_CLIP, min_side=360, max_side=4096, max_aspect=2.5, min_seconds=3.0, max_seconds=60.0),
)
_KLING = _of(
    MediaLimits(_JPEG_PNG, 10 * _MEGABYTE, 300, 8000, 2.5, no_alpha=True),
    MediaLimits(_CLIP.types, 200 * _MEGABYTE, 720, 2160, min_seconds=3.0, max_seconds=10.0),
)
_MINIMAX = _of(
    # HEIC and HEIF as well, which the gateway does not read.
    MediaLimits(_NO_BMP, 30 * _MEGABYTE, 256, 5760, 2.5),
    MediaLimits(_CLIP.types, 50 * _MEGABYTE, 256, 5760, 2.5, min_seconds=2.0, max_seconds=15.0, max_total_seconds=15.0),
    replace(_SOUND, min_seconds=2.0, max_seconds=15.0, max_total_seconds=15.0),
)
_VIDU = _of(
    MediaLimits(_NO_BMP, 50 * _MEGABYTE, max_aspect=4.0),
    # Two clips may have 5 s each.
    MediaLimits(_CLIP.types, 50 * _MEGABYTE, max_aspect=4.0, min_seconds=1.0, max_seconds=8.0, max_total_seconds=10.0),
)
_PIXVERSE = _of(
    MediaLimits(_NO_BMP, 20 * _MEGABYTE, max_side=10_000),
    MediaLimits(_CLIP.types, 50 * _MEGABYTE, max_side=1920, max_total_seconds=15.0),
)

_FILES: tuple[tuple[str, _Limits], ...] = (
    ("wan3.0-", _30),
    ("wan2.7-r2v", _27_REFERENCES),
    ("wan2.7-", _27_FRAMES),
    ("wan2.6-", _FROM_25),
    ("wan2.5-", _FROM_25),
    ("wanx2.1-vace", _VACE),
    ("wan2.1-vace", _VACE),
    ("wan2.2-", _UP_TO_22),
    ("wanx2.1-", _UP_TO_22),
    ("wan2.1-", _UP_TO_22),
    ("happyhorse-1.1-i2v", _HAPPYHORSE_FRAME),
    ("happyhorse-1.0-i2v", _HAPPYHORSE_FRAME),
    ("happyhorse-1.0-video-edit", _HAPPYHORSE_EDIT),
    ("happyhorse-", _HAPPYHORSE_REFERENCES),
    # These take addresses only: what is behind them is checked by the upstream.
    ("kling/", _KLING),
    ("MiniMax/", _MINIMAX),
    ("vidu/", _VIDU),
    ("pixverse/", _PIXVERSE),
)
"""What one file may be, by the beginning of a model's name; the first row that fits counts."""


def file_limits(card: ModelCard) -> dict[MediaKind, MediaLimits]:
    """The limits of the kinds that a model takes at all; those of a family that the table lacks are not known."""
    kinds = {role.kind for role in card.roles}
    if SOUND_FIELD in card.fields:
        kinds.add(MediaKind.AUDIO)
    limits = next((limits for prefix, limits in _FILES if card.name.startswith(prefix)), {})
    return {kind: limit for kind, limit in limits.items() if kind in kinds}
