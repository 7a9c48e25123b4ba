"""The request fields and the other names under which clients of other gateways and of the upstreams send them.

One table for all: `resolve_fields` reads requests with it, and the OpenAPI document and its page show it. Names are
matched exactly first, then without case, `_` and `-`, so that `aspectRatio` and `Aspect-Ratio` are `aspect_ratio`.
Sources of the names: the API references of the upstreams, of other gateways (new-api, LiteLLM, OpenRouter, vLLM-Omni)
and the client programs that bug reports quote.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from providers.contract.media import MediaRole
from providers.media_files import MediaKind

MAX_INPUTS = 50
"""Of one list: what Seedance 2.5 takes in all."""


@dataclass(frozen=True, slots=True)
class ScalarField:
    """A field that holds a text, a number, a switch or an object. `shown` are aliases with a property of their own in
    the OpenAPI document."""

    name: str
    aliases: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InputField:
    """A field that holds inputs: addresses, `data:` URLs, files.

    `kind` is None where the content decides, `role` where the model's card does; `reference` makes it the reference of
    its kind. `many` takes a list. A field that is `numbered` has a number at its end, `image_file_1`, and `numbered` is
    how many of them the OpenAPI document shows.
    """

    name: str
    description: str
    kind: MediaKind | None = None
    role: MediaRole | None = None
    many: bool = False
    reference: bool = False
    numbered: int = 0
    aliases: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()


SCALARS: tuple[ScalarField, ...] = (
    ScalarField("model", ("model_name", "model_id")),
    ScalarField("prompt"),
    ScalarField("duration", shown=("seconds",)),
    ScalarField("ratio", ("video_aspect_ratio",), shown=("aspect_ratio",)),
    ScalarField("resolution", ("quality", "mode")),
    ScalarField("size", shown=("width", "height")),
    ScalarField("functionMode"),
    ScalarField("negative_prompt"),
    ScalarField("seed"),
    ScalarField("prompt_extend", ("prompt_optimizer", "prompt_upsampling", "enable_prompt_expansion")),
    ScalarField("watermark"),
    ScalarField("audio", ("generate_audio", "with_audio", "enable_audio", "generate_sound")),
    ScalarField("template"),
    ScalarField("shot_type"),
    ScalarField("camera_movement"),
    ScalarField("lighting"),
    ScalarField("motion_prompt"),
    ScalarField("enhance_prompt"),
    ScalarField("provider_options"),
    ScalarField("wait_completion", ("async", "sync")),
    ScalarField(
        "webhook_url",
        (
            *("webhook", "webhook_uri", "callback_url", "callback_uri", "callback", "hook_url"),
            *("notify_url", "notify_hook", "notification_url", "notification_hook"),
        ),
    ),
)

INPUTS: tuple[InputField, ...] = (
    InputField(
        "first_frame",
        "The image that the video starts with.",
        MediaKind.IMAGE,
        MediaRole.FIRST_FRAME,
        aliases=(
            *("first_frame_url", "first_frame_image", "first_frame_image_url", "first_image", "first_image_url"),
            *("start_frame", "start_frame_url", "start_image", "start_image_url"),
        ),
    ),
    InputField(
        "last_frame",
        "The image that the video ends with.",
        MediaKind.IMAGE,
        MediaRole.LAST_FRAME,
        aliases=(
            *("last_frame_url", "last_frame_image", "last_frame_image_url", "last_image", "last_image_url"),
            *("end_frame", "end_frame_url", "end_frame_image", "end_image", "end_image_url"),
            *("image_tail", "tail_image", "tail_image_url", "tail_frame", "image_end"),
        ),
    ),
    InputField(
        "image_url",
        "An image: https or data: URL.",
        MediaKind.IMAGE,
        aliases=("img_url", "image_file", "input_image", "input_image_url", "img"),
        shown=("image",),
    ),
    InputField("image_file_", "Image {number}: the same as a place in `images`.", MediaKind.IMAGE, numbered=9),
    InputField(
        "input_reference",
        "The same as `images`, as OpenAI's libraries call it: a file, an address or `{image_url}`; one or several.",
        many=True,
    ),
    InputField(
        "images",
        "Images in order: first frame, last frame, or references. Clips and sounds are recognized by their content. An "
        "element may say its role: `{type: first_frame, url}`.",
        many=True,
        aliases=(
            *("image_urls", "image_list", "img_urls", "input_images", "input_image_urls", "input_references"),
            *("files", "file", "file_urls", "media", "frame_images", "pictures", "photos"),
        ),
        shown=("file_paths", "filePaths"),
    ),
    InputField(
        "reference_images",
        "Images that are references, never frames.",
        MediaKind.IMAGE,
        MediaRole.REFERENCE_IMAGE,
        many=True,
        aliases=(
            *("reference_image", "reference_image_url", "reference_image_urls", "image_reference", "image_references"),
            *("ref_image", "ref_images", "ref_image_url", "ref_image_urls", "ref_images_url", "subject_images"),
        ),
    ),
    InputField(
        "references",
        "References of any kind: images, clips, sounds.",
        many=True,
        reference=True,
        aliases=("reference_urls", "reference_files", "reference"),
    ),
    InputField(
        "video_file_",
        "Video {number}, for models that work on one or take it as reference.",
        MediaKind.VIDEO,
        numbered=3,
    ),
    InputField(
        "video_url",
        "Clips, for models that work on one or take it as reference.",
        MediaKind.VIDEO,
        many=True,
        aliases=("video", "video_urls", "video_file", "videos", "video_list", "input_video", "clip", "clips"),
    ),
    InputField(
        "reference_videos",
        "Clips that are references.",
        MediaKind.VIDEO,
        MediaRole.REFERENCE_VIDEO,
        many=True,
        aliases=(
            *("reference_video", "reference_video_url", "reference_video_urls", "video_reference", "video_references"),
            *("ref_video", "ref_videos", "ref_video_url", "ref_video_urls"),
        ),
    ),
    InputField(
        "first_clip",
        "The clip that the video goes on from.",
        MediaKind.VIDEO,
        MediaRole.FIRST_CLIP,
        aliases=("first_clip_url", "first_video", "first_video_url"),
    ),
    InputField("audio_file_", "Sound {number}, for models that take sounds.", MediaKind.AUDIO, numbered=3),
    InputField(
        "audio_url",
        "A sound for the video: https or data: URL.",
        MediaKind.AUDIO,
        many=True,
        aliases=(
            *("audio_file", "audio_urls", "audios", "input_audio", "driving_audio", "driving_audio_url", "sound"),
            *("sound_url", "music_url", "reference_audio", "reference_audios", "reference_audio_url"),
            *("reference_audio_urls", "audio_reference", "audio_references"),
        ),
    ),
)
"""In the order in which inputs of different fields come to the model."""

ROLES: Mapping[str, MediaRole] = {
    **{role.value: role for role in MediaRole if role is not MediaRole.VIDEO},
    "start_frame": MediaRole.FIRST_FRAME,
    "end_frame": MediaRole.LAST_FRAME,
    "refer": MediaRole.REFERENCE_IMAGE,
    "feature": MediaRole.REFERENCE_VIDEO,
    "base": MediaRole.VIDEO,
}
"""What `type`, `role`, `frame_type` and `refer_type` of a listed input may say: the words of several upstreams."""

REFERENCE_WORD = "reference"
"""In the same places: the reference of the input's kind."""

KIND_WORDS: Mapping[str, MediaKind] = {
    f"{start}{kind}{end}": kind
    for kind in MediaKind
    for start, end in (("", ""), ("", "_url"), ("", "_file"), ("input_", ""))
}
"""In the same places: what an input is, and not what it is for."""

CONTAINERS = ("input", "parameters", "extra_body")
"""Objects whose fields are read as if they stood beside them: the two halves of an upstream's own request, and what
clients of OpenAI's library mean to be spread out."""

UPSTREAM_CONTAINERS = frozenset({"input", "parameters"})
"""Those of an upstream's own request: what they hold besides goes to the upstream, as `provider_options` do."""

LABELS = "metadata"
"""Inputs, size, ratio, resolution, duration and CONTAINERS are read of it. The rest are the client's own labels."""

MEANINGLESS = frozenset({"user", "response_format", "metadata", "stream"})
"""Fields of OpenAI's APIs that say nothing about a video."""

COUNTS = frozenset({"n", "num_videos", "number_of_videos", "video_count", "sample_count", "batch_size", "num_outputs"})
"""How many videos are to be made. More than 1 is refused: one task makes one video."""

IGNORED = frozenset({"quality", "fps", "frame_rate", "frames_per_second", "style", "mode", "callback_id"})
"""Fields that are ignored with a warning where the model has no such thing, unless their value holds an input."""

DECIDING_WORDS: Mapping[str, tuple[str, ...]] = {
    "model": ("model", "engine"),
    "prompt": ("prompt", "prompts"),
    "negative_prompt": ("negative",),
    "size": ("size", "width", "height", "dimension", "dimensions", "pixels", "orientation", "shape"),
    "ratio": ("ratio", "aspect"),
    "resolution": ("resolution", "quality", "definition"),
    "duration": ("duration", "seconds", "length", "frames", "sec", "secs"),
    "images": (
        *("image", "images", "img", "pic", "pics", "picture", "photo", "frame", "media", "file", "files", "mask"),
        *("reference", "character", "characters"),
    ),
    "video_url": ("video", "videos", "clip", "clips"),
    "audio_url": ("audio", "sound", "music", "voice"),
}
"""By the field that is meant: words in the name of an unknown field that decide the video or its price."""

_FOLDED = str.maketrans("", "", "_- ")
_NUMBERED = re.compile(r"(image_file_|video_file_|audio_file_)([1-9][0-9]?)", re.IGNORECASE | re.ASCII)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

Field = ScalarField | InputField
Names = tuple[str, ...] | frozenset[str]


def fold(name: str) -> str:
    """A name without case, `_`, `-` and blanks."""
    return name.translate(_FOLDED).lower()


@lru_cache
def _folded(names: Names) -> frozenset[str]:
    return frozenset(map(fold, names))


def is_one_of(name: str, names: Names) -> bool:
    """True for a name of CONTAINERS and the like, matched as the names of fields are."""
    return fold(name) in _folded(names)


def names_of(field: Field) -> Iterator[str]:
    """Every name of a field; of numbered ones those that are shown."""
    if isinstance(field, InputField) and field.numbered:
        yield from (f"{field.name}{number}" for number in range(1, field.numbered + 1))
    else:
        yield from (field.name, *field.shown, *field.aliases)


_FIELDS: tuple[Field, ...] = (*SCALARS, *INPUTS)
_BY_NAME = {name: field for field in _FIELDS for name in names_of(field)}
_BY_FOLDED = {fold(name): field for name, field in _BY_NAME.items()}
_NUMBERED_FIELDS = {field.name: field for field in INPUTS if field.numbered}


def field_of(name: str) -> Field | None:
    """The field that a client's name means, None for an unknown name."""
    found = _BY_NAME.get(name)
    if found is not None:
        return found
    numbered = _NUMBERED.fullmatch(name)
    if numbered is not None and int(numbered[2]) <= MAX_INPUTS:
        return _NUMBERED_FIELDS[numbered[1].lower()]
    return _BY_FOLDED.get(fold(name.removesuffix("[]")))


def all_names() -> Mapping[str, Field]:
    """Every known name with its field, those of numbered fields as far as they are shown."""
    return _BY_NAME


def words_of(name: str) -> frozenset[str]:
    """The words that a name is made of: `numFrames` and `num_frames` are num and frames."""
    return frozenset(word.lower() for word in _WORDS.findall(name))
