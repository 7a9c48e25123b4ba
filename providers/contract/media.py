"""Inputs of a video: roles of images, videos and audio, and limits of a file."""

from dataclasses import dataclass
from enum import StrEnum

from providers.media_files import MediaKind


class MediaRole(StrEnum):
    """The role of an image, video or audio input. The values are those of DashScope's `media[]` protocol."""

    FIRST_FRAME = "first_frame"
    LAST_FRAME = "last_frame"
    REFERENCE_IMAGE = "reference_image"
    REFERENCE_VIDEO = "reference_video"
    REFERENCE_AUDIO = "reference_audio"
    DRIVING_AUDIO = "driving_audio"
    FIRST_CLIP = "first_clip"
    VIDEO = "video"
    """The video to edit or animate, for models that process one."""

    @property
    def kind(self) -> MediaKind:
        """The kind of media with this role."""
        return _KIND_OF.get(self, MediaKind.IMAGE)


_KIND_OF = {
    MediaRole.REFERENCE_VIDEO: MediaKind.VIDEO,
    MediaRole.FIRST_CLIP: MediaKind.VIDEO,
    MediaRole.VIDEO: MediaKind.VIDEO,
    MediaRole.REFERENCE_AUDIO: MediaKind.AUDIO,
    MediaRole.DRIVING_AUDIO: MediaKind.AUDIO,
}


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """Limits of one input of a kind. Empty or 0 is unlimited here: the upstream validates it.

    `types` are media types, `max_bytes` the file size. Images and videos: `min_side` and `max_side` bound every side in
    pixels, `max_aspect` the ratio of the long side to the short one. `no_alpha` rejects images with an alpha channel.
    Video and audio: `min_seconds` and `max_seconds` bound each file, `max_total_seconds` all of that kind together.
    """

    types: tuple[str, ...] = ()
    max_bytes: int = 0
    min_side: int = 0
    max_side: int = 0
    max_aspect: float = 0.0
    no_alpha: bool = False
    min_seconds: float = 0.0
    max_seconds: float = 0.0
    max_total_seconds: float = 0.0
