"""Inputs of a video: what a picture, a clip or a sound is to it, and what one file may be."""

from dataclasses import dataclass
from enum import StrEnum

from providers.media_files import MediaKind


class MediaRole(StrEnum):
    """What a picture, clip or sound is to the video. The words are those of the `media[]` protocol of DashScope."""

    FIRST_FRAME = "first_frame"
    LAST_FRAME = "last_frame"
    REFERENCE_IMAGE = "reference_image"
    REFERENCE_VIDEO = "reference_video"
    REFERENCE_AUDIO = "reference_audio"
    DRIVING_AUDIO = "driving_audio"
    FIRST_CLIP = "first_clip"
    VIDEO = "video"
    """The clip to be edited or brought to life, for models that work on one."""

    @property
    def kind(self) -> MediaKind:
        """What plays this role."""
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
    """What one input of a kind may be. What is empty or 0 is not limited here: the upstream is the judge.

    `types` are media types, `max_bytes` the size of the file. Of pictures and clips: `min_side` and `max_side` are the
    pixels that every side needs and may have, `max_aspect` how many times longer than the short side the long one may
    be. `no_alpha` refuses pictures with an alpha channel. Of clips and sounds: `min_seconds` and `max_seconds` bound
    each, `max_total_seconds` all of that kind together.
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
