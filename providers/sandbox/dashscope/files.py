"""What one file may be, by model and place: formats, bytes, pixels, shape, length.

From Alibaba's API pages of August 2026; where a page says nothing of a kind, `_ANY` of that kind holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from providers.sandbox.media import Kind

MEGABYTE = 1024 * 1024

PLACES: dict[str, tuple[Kind, ...]] = {
    **dict.fromkeys(("img_url", "image_url", "first_frame_url", "last_frame_url", "mask_image_url"), ("image",)),
    **dict.fromkeys(("ref_images_url", "first_frame", "last_frame", "reference_image", "image", "refer"), ("image",)),
    **dict.fromkeys(("video_url", "first_clip_url", "last_clip_url", "mask_video_url", "base"), ("video",)),
    **dict.fromkeys(("reference_video_urls", "first_clip", "reference_video", "video", "feature"), ("video",)),
    **dict.fromkeys(("audio_url", "driving_audio", "reference_audio", "reference_voice"), ("audio",)),
    "reference_urls": ("image", "video"),
}
"""Field or media type → what may be there. What is in no row is not looked at."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`sides`: fewest and most pixels of each side, 0 = any. `aspect`: most of the longer side over the shorter, 0 =
    any. `seconds` of one file, `total_seconds` of all of this kind, 0 = any. `alpha`: a picture may be transparent."""

    formats: frozenset[str]
    max_bytes: int
    sides: tuple[int, int] = (0, 0)
    aspect: float = 0.0
    seconds: tuple[float, float] = (0.0, 0.0)
    total_seconds: float = 0.0
    alpha: bool = True


_PNG_JPEG = frozenset({"png", "jpeg"})
_NO_BMP = _PNG_JPEG | {"webp"}
_FILMS = frozenset({"mp4", "mov"})
_SOUNDS = frozenset({"mp3", "wav"})

_ANY: dict[Kind, Limits] = {
    "image": Limits(_NO_BMP | {"bmp"}, 20 * MEGABYTE, (240, 8000)),
    "video": Limits(_FILMS, 100 * MEGABYTE),
    "audio": Limits(_SOUNDS, 15 * MEGABYTE),
}
_WAN_IMAGE = replace(_ANY["image"], alpha=False)
_WAN_NEW_IMAGE = replace(_WAN_IMAGE, aspect=8.0)
_WAN_OLD_IMAGE = replace(_WAN_IMAGE, max_bytes=10 * MEGABYTE)
_WAN_FILM = Limits(_FILMS, 100 * MEGABYTE, (240, 4096), 8.0)
_PIXVERSE_IMAGE = Limits(_NO_BMP, 20 * MEGABYTE, (0, 10_000))

ROWS: tuple[tuple[str, Mapping[Kind, Limits]], ...] = (
    (
        "wan3.0-",
        {
            "image": _WAN_NEW_IMAGE,
            "video": replace(_WAN_FILM, seconds=(1, 15), total_seconds=15),
            "audio": replace(_ANY["audio"], seconds=(1, 15), total_seconds=15),
        },
    ),
    (
        "wan2.7-i2v",
        {
            "image": _WAN_NEW_IMAGE,
            "video": replace(_WAN_FILM, seconds=(2, 10)),
            "audio": replace(_ANY["audio"], seconds=(2, 30)),
        },
    ),
    (
        "wan2.7-r2v",
        {
            "image": _WAN_NEW_IMAGE,
            "video": replace(_WAN_FILM, seconds=(1, 30)),
            "audio": replace(_ANY["audio"], seconds=(1, 10)),
        },
    ),
    ("wan2.7-t2v", {"audio": replace(_ANY["audio"], seconds=(2, 30))}),
    ("wan2.7-videoedit", {"image": _WAN_NEW_IMAGE, "video": replace(_WAN_FILM, seconds=(2, 10))}),
    ("wan2.6-r2v", {"image": _WAN_IMAGE, "video": replace(_ANY["video"], seconds=(1, 30))}),
    ("wan2.6-", {"image": _WAN_IMAGE}),
    ("wan2.5-", {"image": _WAN_IMAGE}),
    # Alibaba's pages for s2v and animate say nothing of transparency.
    ("wan2.2-s2v", {"image": replace(_WAN_OLD_IMAGE, alpha=True)}),
    ("wan2.2-animate-", {"image": replace(_WAN_OLD_IMAGE, alpha=True)}),
    ("wan2.2-", {"image": _WAN_OLD_IMAGE}),
    # VACE's page has sides of its own and no word on transparency. It allows TIFF as well, which is not read here.
    ("wanx2.1-vace", {"image": replace(_WAN_OLD_IMAGE, sides=(360, 2000), alpha=True)}),
    ("wanx2.1-", {"image": _WAN_OLD_IMAGE}),
    (
        "happyhorse-1.0-video-edit",
        {
            "image": Limits(_NO_BMP, 20 * MEGABYTE, (300, 0), 2.5),
            "video": Limits(_FILMS, 100 * MEGABYTE, (360, 4096), 2.5, (3, 60)),
        },
    ),
    ("happyhorse-1.0-r2v", {"image": Limits(_NO_BMP, 20 * MEGABYTE, (400, 0))}),
    ("happyhorse-1.1-r2v", {"image": Limits(_NO_BMP, 20 * MEGABYTE, (400, 0))}),
    ("happyhorse-", {"image": Limits(_NO_BMP, 20 * MEGABYTE, (300, 0), 2.5)}),
    (
        "kling/",
        {
            # The list of formats has no WEBP, though a sample of the same page has one.
            "image": Limits(_PNG_JPEG, 10 * MEGABYTE, (300, 8000), 2.5, alpha=False),
            "video": Limits(_FILMS, 200 * MEGABYTE, (720, 2160), seconds=(3, 10)),
        },
    ),
    (
        "vidu/",
        {
            "image": Limits(_NO_BMP, 50 * MEGABYTE, aspect=4.0),
            # The page allows 8 s for one clip and 5 s each for two: `check_media` has the second.
            "video": Limits(_FILMS | {"avi"}, 50 * MEGABYTE, aspect=4.0, seconds=(1, 8)),
        },
    ),
    (
        "pixverse/pixverse-v6-r2v-omni",
        {"image": _PIXVERSE_IMAGE, "video": Limits(_FILMS, 50 * MEGABYTE, (0, 1920), total_seconds=15)},
    ),
    (
        "pixverse/pixverse-lipsync",
        {
            "video": Limits(_FILMS | {"webm"}, 250 * MEGABYTE, seconds=(0, 300)),
            "audio": Limits(_SOUNDS | {"m4a", "aac"}, 100 * MEGABYTE, seconds=(0, 300)),
        },
    ),
    (
        "pixverse/pixverse-upscale",
        {"video": Limits(_FILMS | {"webm"}, 100 * MEGABYTE, (0, 3839), seconds=(0, 30))},
    ),
    ("pixverse/", {"image": _PIXVERSE_IMAGE, "video": Limits(_FILMS, 100 * MEGABYTE, seconds=(0, 30))}),
    (
        "MiniMax/",
        {
            "image": Limits(_NO_BMP | {"heic"}, 30 * MEGABYTE, (256, 5760), 2.5),
            "video": Limits(_FILMS, 50 * MEGABYTE, (256, 5760), 2.5, (2, 15), 15),
            "audio": replace(_ANY["audio"], seconds=(2, 15), total_seconds=15),
        },
    ),
)
"""Beginning of a model's name → limits by kind. The first that fits counts."""

PAIR_SECONDS = {"vidu/": 5.0}
"""Beginning of a model's name → most seconds of each video where there are two."""

MAX_BYTES = max(limits.max_bytes for _, row in ROWS for limits in row.values())
"""The largest file that any model takes."""


def limits_of(model: str, kind: Kind) -> Limits:
    """The limits of a kind of file for the model of this row."""
    row = next((row for start, row in ROWS if model.startswith(start)), {})
    return row.get(kind, _ANY[kind])
