"""Request protocols of DashScope's video models: path, protocol and field names, by the model's name.

Rules for families rather than a list of models, so that a new model gets a request of the right form. Names are matched
case-insensitively.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from providers.contract.media import MediaRole
from providers.dashscope.sizes import (
    NOMINAL,
    NOMINAL_MINIMAX,
    NOMINAL_PIXVERSE,
    NOMINAL_VIDU,
    PIXVERSE,
    SIZES,
    VIDU,
    Sizes,
)

VIDEO_PATH = "/services/aigc/video-generation/video-synthesis"
IMAGE2VIDEO_PATH = "/services/aigc/image2video/video-synthesis"
"""Paths below the base URL. A model sent to the wrong path is rejected with "url error"."""

USER_AGENT = "video-gateway"


class InputStyle(StrEnum):
    """How inputs besides the prompt are sent."""

    NAMED = "named"
    """Up to wan2.6: one field of `input` per input, such as `img_url`."""
    MEDIA = "media"
    """From wan2.7 on: `input.media`, a list of objects with `type` and `url`."""


class SizeStyle(StrEnum):
    """Which parameters set the size of the video."""

    SIZE = "size"
    """`size` in pixels, "1280*720"."""
    RESOLUTION = "resolution"
    """`resolution` as "720P"; the ratio follows the input."""
    RATIO = "ratio"
    """`resolution` as "720P" and `ratio`."""
    ASPECT = "aspect"
    """`resolution` as "720P" and `aspect_ratio`."""
    BOTH = "both"
    """`resolution` as "720P" and `size` in pixels, which is ignored without the other."""
    MODE = "mode"
    """`mode` (std, pro, 4k) and `aspect_ratio`."""
    AS_ASKED = "as_asked"
    """Those of `size`, `resolution` and `ratio` that were given."""


class Files(StrEnum):
    """How a file can be sent in place of a URL."""

    LINKS = "links"
    """As the `oss://` link of a temporary upload."""
    DATA = "data"
    """The same, and images as `data:` URLs as well."""
    NONE = "none"
    """Not at all: these models read `http(s)://` only."""


@dataclass(frozen=True, slots=True)
class RequestProtocol:
    """The request protocol of one model.

    `inputs` maps each role to a field of `input` for NAMED (those in `LIST_FIELDS` take several), to a `type` for
    MEDIA. A role without an entry is rejected with NAMED and keeps its name with MEDIA.
    `in_input` are the fields and options sent in `input` rather than `parameters`, `on_videos` the options sent with
    each video among the media.
    `audio_as` sends the sound as a media item of that role instead of `input.audio_url`, unless validation moved it.
    `watermark` is sent if the request names none: for models that watermark by default.
    `shape_from` are the inputs that determine the ratio: beside them none is sent.
    `files` is how files are sent; DATA only if the model's documentation allows it.
    `sizes` maps resolution and ratio to pixels, for SIZE and BOTH; `nominal_sizes` maps a size back.
    `frame_step` is that of `ModelCard`.
    `required` are the parameters that the family requires, for unlisted models.
    """

    input_style: InputStyle
    size_style: SizeStyle
    path: str = VIDEO_PATH
    inputs: Mapping[MediaRole, str] = field(default_factory=dict)
    in_input: frozenset[str] = frozenset({"negative_prompt", "template"})
    on_videos: frozenset[str] = frozenset()
    audio_as: MediaRole | None = None
    watermark: bool | None = None
    shape_from: frozenset[MediaRole] = frozenset()
    files: Files = Files.LINKS
    sizes: Sizes = field(default_factory=lambda: SIZES)
    nominal_sizes: Mapping[str, tuple[str, str]] = field(default_factory=lambda: NOMINAL)
    frame_step: int = 0
    required: Mapping[str, Any] = field(default_factory=dict)


_WAN_FRAME_STEP = 16
"""The pages of Wan's image to video and first and last frame: the total of pixels comes near that of the resolution,
both sides can be divided by 16, and 750x1000 at 720P gives 816x1104."""

LIST_FIELDS = frozenset({"reference_urls", "ref_images_url"})

_IMAGE_INPUTS = {
    MediaRole.FIRST_FRAME: "img_url",
    MediaRole.REFERENCE_IMAGE: "img_url",
    MediaRole.DRIVING_AUDIO: "audio_url",
    MediaRole.REFERENCE_AUDIO: "audio_url",
}
_PORTRAIT_INPUTS = {
    MediaRole.FIRST_FRAME: "image_url",
    MediaRole.REFERENCE_IMAGE: "image_url",
    MediaRole.VIDEO: "video_url",
    MediaRole.REFERENCE_VIDEO: "video_url",
    MediaRole.FIRST_CLIP: "video_url",
    MediaRole.DRIVING_AUDIO: "audio_url",
    MediaRole.REFERENCE_AUDIO: "audio_url",
}

TEXT_PROTOCOL = RequestProtocol(InputStyle.NAMED, SizeStyle.SIZE, inputs=_IMAGE_INPUTS)
IMAGE_PROTOCOL = RequestProtocol(
    InputStyle.NAMED, SizeStyle.RESOLUTION, inputs=_IMAGE_INPUTS, files=Files.DATA, frame_step=_WAN_FRAME_STEP
)
FRAMES_PROTOCOL = RequestProtocol(
    InputStyle.NAMED,
    SizeStyle.RESOLUTION,
    IMAGE2VIDEO_PATH,
    {MediaRole.FIRST_FRAME: "first_frame_url", MediaRole.LAST_FRAME: "last_frame_url"},
    files=Files.DATA,
    frame_step=_WAN_FRAME_STEP,
)
REFERENCES_PROTOCOL = RequestProtocol(
    InputStyle.NAMED,
    SizeStyle.SIZE,
    inputs={
        MediaRole.REFERENCE_IMAGE: "reference_urls",
        MediaRole.REFERENCE_VIDEO: "reference_urls",
        MediaRole.FIRST_FRAME: "reference_urls",
        MediaRole.LAST_FRAME: "reference_urls",
    },
)
VACE_PROTOCOL = RequestProtocol(
    InputStyle.NAMED,
    SizeStyle.SIZE,
    inputs={
        MediaRole.REFERENCE_IMAGE: "ref_images_url",
        MediaRole.VIDEO: "video_url",
        MediaRole.REFERENCE_VIDEO: "video_url",
        MediaRole.FIRST_FRAME: "first_frame_url",
        MediaRole.LAST_FRAME: "last_frame_url",
        MediaRole.FIRST_CLIP: "first_clip_url",
    },
)
UNKNOWN_TASK_PROTOCOL = RequestProtocol(InputStyle.NAMED, SizeStyle.AS_ASKED, inputs=_IMAGE_INPUTS)
"""A model of the older protocol whose name does not tell its task."""

PORTRAIT_PROTOCOL = RequestProtocol(InputStyle.NAMED, SizeStyle.AS_ASKED, IMAGE2VIDEO_PATH, _PORTRAIT_INPUTS)
ANIMATE_PROTOCOL = RequestProtocol(
    InputStyle.NAMED,
    SizeStyle.AS_ASKED,
    IMAGE2VIDEO_PATH,
    _PORTRAIT_INPUTS,
    in_input=frozenset({"negative_prompt", "template", "watermark"}),
)
LIP_SYNC_PROTOCOL = RequestProtocol(
    InputStyle.NAMED,
    SizeStyle.AS_ASKED,
    IMAGE2VIDEO_PATH,
    {
        **_PORTRAIT_INPUTS,
        MediaRole.FIRST_FRAME: "ref_image_url",
        MediaRole.REFERENCE_IMAGE: "ref_image_url",
    },
)
STYLE_PROTOCOL = RequestProtocol(InputStyle.NAMED, SizeStyle.AS_ASKED, VIDEO_PATH, _PORTRAIT_INPUTS)

MEDIA_PROTOCOL = RequestProtocol(InputStyle.MEDIA, SizeStyle.RATIO, files=Files.DATA)
MEDIA_IMAGE_PROTOCOL = RequestProtocol(
    InputStyle.MEDIA,
    SizeStyle.RESOLUTION,
    audio_as=MediaRole.DRIVING_AUDIO,
    files=Files.DATA,
    frame_step=_WAN_FRAME_STEP,
)
MEDIA_REFERENCES_PROTOCOL = RequestProtocol(
    InputStyle.MEDIA, SizeStyle.RATIO, shape_from=frozenset({MediaRole.FIRST_FRAME, MediaRole.VIDEO}), files=Files.DATA
)
HAPPYHORSE_PROTOCOL = RequestProtocol(InputStyle.MEDIA, SizeStyle.RATIO, watermark=False, files=Files.DATA)
HAPPYHORSE_IMAGE_PROTOCOL = RequestProtocol(InputStyle.MEDIA, SizeStyle.RESOLUTION, watermark=False, files=Files.DATA)
KLING_PROTOCOL = RequestProtocol(
    InputStyle.MEDIA,
    SizeStyle.MODE,
    inputs={
        MediaRole.REFERENCE_IMAGE: "refer",
        MediaRole.REFERENCE_VIDEO: "feature",
        MediaRole.VIDEO: "base",
    },
    in_input=frozenset({"negative_prompt", "template", "multi_shot", "shot_type", "multi_prompt", "element_list"}),
    on_videos=frozenset({"keep_original_sound"}),
    shape_from=frozenset({MediaRole.FIRST_FRAME, MediaRole.VIDEO}),
    files=Files.NONE,
    required={"aspect_ratio": "16:9"},
)
_VIDU_INPUTS = {
    MediaRole.FIRST_FRAME: "image",
    MediaRole.LAST_FRAME: "image",
    MediaRole.REFERENCE_IMAGE: "image",
    MediaRole.REFERENCE_VIDEO: "video",
}
VIDU_PROTOCOL = RequestProtocol(
    InputStyle.MEDIA,
    SizeStyle.BOTH,
    inputs=_VIDU_INPUTS,
    files=Files.NONE,
    sizes=VIDU,
    nominal_sizes=NOMINAL_VIDU,
    required={"duration": 5},
)
"""Text and references. There is no `ratio` parameter: it is sent as a size."""
VIDU_FRAMES_PROTOCOL = RequestProtocol(
    InputStyle.MEDIA,
    SizeStyle.RESOLUTION,
    inputs=_VIDU_INPUTS,
    files=Files.NONE,
    nominal_sizes=NOMINAL_VIDU,
    required={"resolution": "720P", "duration": 5},
)
_PIXVERSE_INPUTS = {
    MediaRole.FIRST_FRAME: "image_url",
    MediaRole.REFERENCE_IMAGE: "image_url",
    MediaRole.REFERENCE_VIDEO: "video_url",
    MediaRole.VIDEO: "video_url",
    MediaRole.FIRST_CLIP: "video_url",
    MediaRole.REFERENCE_AUDIO: "audio_url",
    MediaRole.DRIVING_AUDIO: "audio_url",
}
PIXVERSE_PROTOCOL = RequestProtocol(
    InputStyle.MEDIA,
    SizeStyle.SIZE,
    inputs=_PIXVERSE_INPUTS,
    files=Files.NONE,
    sizes=PIXVERSE,
    nominal_sizes=NOMINAL_PIXVERSE,
    required={"size": "1280*720", "duration": 5},
)
PIXVERSE_IMAGE_PROTOCOL = RequestProtocol(
    InputStyle.MEDIA,
    SizeStyle.RESOLUTION,
    inputs=_PIXVERSE_INPUTS,
    files=Files.NONE,
    nominal_sizes=NOMINAL_PIXVERSE,
    required={"resolution": "720P", "duration": 5},
)
PIXVERSE_FRAMES_PROTOCOL = RequestProtocol(
    InputStyle.MEDIA,
    SizeStyle.RESOLUTION,
    files=Files.NONE,
    nominal_sizes=NOMINAL_PIXVERSE,
    required={"resolution": "720P", "duration": 5},
)
PIXVERSE_OMNI_PROTOCOL = RequestProtocol(
    InputStyle.MEDIA,
    SizeStyle.ASPECT,
    inputs=_PIXVERSE_INPUTS,
    files=Files.NONE,
    nominal_sizes=NOMINAL_PIXVERSE,
    required={"resolution": "720P", "aspect_ratio": "16:9", "duration": 5},
)
PIXVERSE_TOOL_PROTOCOL = RequestProtocol(
    InputStyle.MEDIA, SizeStyle.AS_ASKED, inputs=_PIXVERSE_INPUTS, files=Files.NONE
)
"""Lip sync, motion control, upscaling: they process a video and keep its size."""
MINIMAX_PROTOCOL = RequestProtocol(
    InputStyle.MEDIA,
    SizeStyle.RATIO,
    inputs={
        MediaRole.REFERENCE_IMAGE: "image_url",
        MediaRole.REFERENCE_VIDEO: "feature",
        MediaRole.VIDEO: "feature",
        MediaRole.REFERENCE_AUDIO: "driving_audio",
    },
    audio_as=MediaRole.DRIVING_AUDIO,
    shape_from=frozenset({MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME}),
    files=Files.NONE,
    nominal_sizes=NOMINAL_MINIMAX,
    required={"resolution": "768P", "duration": 5},
)


def _rule(pattern: str, protocol: RequestProtocol) -> tuple[re.Pattern[str], RequestProtocol]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII), protocol


_MEDIA_VERSIONS = r"wanx?(?:2\.(?:[7-9]|\d\d)|(?:[3-9]|\d\d)(?:\.\d+)?)"
"""wan2.7 and everything after it."""

PROTOCOLS: tuple[tuple[re.Pattern[str], RequestProtocol], ...] = (
    _rule(r"kling/.+", KLING_PROTOCOL),
    _rule(r"vidu/.*(?:img2video|start-end2video).*", VIDU_FRAMES_PROTOCOL),
    _rule(r"vidu/.+", VIDU_PROTOCOL),
    _rule(r"pixverse/.*omni.*", PIXVERSE_OMNI_PROTOCOL),
    _rule(r"pixverse/.*(?:lipsync|motioncontrol|upscale).*", PIXVERSE_TOOL_PROTOCOL),
    _rule(r"pixverse/.*kf2v.*", PIXVERSE_FRAMES_PROTOCOL),
    _rule(r"pixverse/.*it?2v.*", PIXVERSE_IMAGE_PROTOCOL),
    _rule(r"pixverse/.+", PIXVERSE_PROTOCOL),
    _rule(r"minimax/.+", MINIMAX_PROTOCOL),
    _rule(r"happyhorse-.*i2v.*", HAPPYHORSE_IMAGE_PROTOCOL),
    _rule(r"happyhorse-.+", HAPPYHORSE_PROTOCOL),
    _rule(r"(?:emo-v|emoji-v|liveportrait|animate-anyone).*", PORTRAIT_PROTOCOL),
    _rule(r"videoretalk.*", LIP_SYNC_PROTOCOL),
    _rule(r"video-style-transform.*", STYLE_PROTOCOL),
    _rule(r"wan.*-s2v.*", PORTRAIT_PROTOCOL),
    _rule(r"wan.*-animate-.*", ANIMATE_PROTOCOL),
    _rule(r"wan.*kf2v.*", FRAMES_PROTOCOL),
    _rule(rf"{_MEDIA_VERSIONS}-.*i2v.*", MEDIA_IMAGE_PROTOCOL),
    _rule(rf"{_MEDIA_VERSIONS}-.*r2v.*", MEDIA_REFERENCES_PROTOCOL),
    _rule(rf"{_MEDIA_VERSIONS}(?:-.*)?", MEDIA_PROTOCOL),
    _rule(r"wan.*-vace.*", VACE_PROTOCOL),
    _rule(r"wan.*i2v.*", IMAGE_PROTOCOL),
    _rule(r"wan.*r2v.*", REFERENCES_PROTOCOL),
    _rule(r"wan.*t2v.*", TEXT_PROTOCOL),
    _rule(r"wan.*", UNKNOWN_TASK_PROTOCOL),
)
"""The families, specific rules first. A name without a match is not a DashScope model."""

_NOT_A_VIDEO = re.compile(
    r".*-(?:detect|template)(?:-.*)?|(?!.*video).*-(?:t2i|i2i|image|imageedit)(?:-.*)?",
    re.IGNORECASE | re.ASCII,
)
"""Helpers of the portrait models, which check a face or create a template on other paths, and image models of the same
families, such as `wan2.5-t2i-preview`."""


def protocol_of(model: str) -> RequestProtocol | None:
    """The request protocol of a model by its name, None for an unknown family."""
    if _NOT_A_VIDEO.fullmatch(model):
        return None
    for pattern, protocol in PROTOCOLS:
        if pattern.fullmatch(model):
            return protocol
    return None
