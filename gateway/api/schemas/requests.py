"""What clients send, as models: they validate it, and the OpenAPI document is made of them."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from gateway.api.schemas import shot_prompt
from gateway.api.schemas.body_parser import UnreadableFile
from gateway.api.schemas.media_fields import (
    FILE_MARK,
    MAX_INPUTS,
    WANTED,
    Clip,
    EarlierVideo,
    Given,
    Inputs,
    Picture,
    Sound,
    hint_for,
    is_address,
    kind_of,
    media,
)
from gateway.core.errors import GatewayError, gateway_error, invalid
from gateway.core.messages import ERRORS
from gateway.task_ids.signed import MAX_MODEL_BYTES
from gateway.tasks.order import Derivation
from providers.contract.errors import FieldProblem, FieldReason
from providers.contract.media import MediaRole
from providers.contract.requests import Media, VideoRequest
from providers.media_files import NAMES, MediaFile, MediaKind

MAX_SECONDS = 100_000
"""More are as many. What a model can do is told by its card."""
MAX_OPTIONS_DEPTH = 16
_MAX_SEED = 2**32 - 1
_IMAGE_FIELDS = ("image_url", "image", *(f"image_file_{number}" for number in range(1, 10)))
_VIDEO_FIELDS = ("video_file_1", "video_file_2", "video_file_3")


def _blank_is_absent(value: Any) -> Any:
    """Forms send an empty text for a field that was left empty."""
    return None if isinstance(value, str) and not value.strip() else value


def _object_in_text(value: Any) -> Any:
    """Forms carry an object as JSON text."""
    if isinstance(value, str):
        if not value.strip():
            return None
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def _shallow(value: dict[str, Any]) -> dict[str, Any]:
    """Refuses an object nested deeper than any upstream's parameters are."""
    level: list[Any] = [value]
    for _ in range(MAX_OPTIONS_DEPTH):
        level = [
            item
            for held in level
            for item in (held.values() if isinstance(held, dict) else held)
            if isinstance(item, dict | list)
        ]
        if not level:
            return value
    raise PydanticCustomError("depth", "nested too deeply")


def _resolution(value: str) -> str:
    text = value.strip().lower()
    return f"{text}p" if text.isdigit() else text


def _fits_an_id(value: str) -> str:
    if len(value.encode("utf-8", "surrogateescape")) > MAX_MODEL_BYTES:
        raise PydanticCustomError("too_many_bytes", "at most {limit} bytes", {"limit": MAX_MODEL_BYTES})
    return value.strip()


Text = Annotated[str | None, BeforeValidator(_blank_is_absent)]
Whole = Annotated[
    Annotated[int, Field(ge=-1), AfterValidator(lambda seconds: min(seconds, MAX_SECONDS))] | None,
    BeforeValidator(_blank_is_absent),
]
Switch = Annotated[bool | None, BeforeValidator(_blank_is_absent)]
Resolution = Annotated[str, AfterValidator(_resolution)]
ModelName = Annotated[str, AfterValidator(_fits_an_id)]


def _media_field(description: str) -> Any:
    return Field(
        None,
        description=f"{description} In a form also a file.",
        json_schema_extra={"examples": ["https://example.com/cat.png"]},
    )


class GenerationBody(BaseModel):
    """A wish for a video. JSON or a form; unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True, title="VideoGenerationRequest")

    model: Annotated[ModelName | None, BeforeValidator(_blank_is_absent)] = Field(
        None, description="A name of GET /v1/models. Absent: the first model the credential can use."
    )
    prompt: Annotated[str, BeforeValidator(lambda value: "" if value is None else value)] = Field(
        "", description="What to show. May be empty only with an image or a shot description."
    )
    duration: Whole = Field(None, description="Seconds, whole.")
    seconds: Whole = Field(None, description="The same as `duration`.")
    ratio: Text = Field(None, description="Width to height, such as 16:9.")
    aspect_ratio: Text = Field(None, description="The same as `ratio`.")
    resolution: Annotated[Resolution | None, BeforeValidator(_blank_is_absent)] = Field(
        None, description="Such as 480p, 720p, 1080p, 2k or 4k, where the model has a choice."
    )
    size: Text = Field(None, description="Pixels, 1280x720 or 1280*720; says ratio and resolution in one.")

    image_url: Picture = _media_field("An image: https or data: URL.")
    image: Picture = _media_field("The same as `image_url`.")
    input_reference: Inputs = Field(
        (), description="The same, as OpenAI's libraries call it: a file, an address or `{image_url}`; one or several."
    )
    first_frame: Picture = _media_field("The image that the video starts with.")
    last_frame: Picture = _media_field("The image that it ends with.")
    file_paths: Inputs = Field((), description="Images in order: first frame, last frame, or references.")
    file_paths_camel: Inputs = Field((), alias="filePaths", description="The same as `file_paths`.")
    images: Inputs = Field((), description="The same as `file_paths`.")
    image_file_1: Picture = _media_field("Image 1: the same as a place in `images`.")
    image_file_2: Picture = _media_field("Image 2: the same as a place in `images`.")
    image_file_3: Picture = _media_field("Image 3: the same as a place in `images`.")
    image_file_4: Picture = _media_field("Image 4: the same as a place in `images`.")
    image_file_5: Picture = _media_field("Image 5: the same as a place in `images`.")
    image_file_6: Picture = _media_field("Image 6: the same as a place in `images`.")
    image_file_7: Picture = _media_field("Image 7: the same as a place in `images`.")
    image_file_8: Picture = _media_field("Image 8: the same as a place in `images`.")
    image_file_9: Picture = _media_field("Image 9: the same as a place in `images`.")
    video_file_1: Clip = _media_field("Video 1, for models that work on one or take it as reference.")
    video_file_2: Clip = _media_field("Video 2, for models that work on one or take it as reference.")
    video_file_3: Clip = _media_field("Video 3, for models that work on one or take it as reference.")
    function_mode: Annotated[
        Literal["first_last_frames", "omni_reference"],
        BeforeValidator(lambda value: "first_last_frames" if _blank_is_absent(value) is None else value),
    ] = Field(
        "first_last_frames", alias="functionMode", description="What unlabelled images are: frames or references."
    )

    negative_prompt: Text = Field(None, description="What not to show.")
    seed: Annotated[Annotated[int, Field(ge=0, le=_MAX_SEED)] | None, BeforeValidator(_blank_is_absent)] = Field(
        None, description="The same seed and request give a similar video."
    )
    prompt_extend: Switch = Field(None, description="The model may rewrite the prompt.")
    watermark: Switch = Field(None, description="A mark in the corner.")
    audio: Switch = Field(None, description="With sound.")
    audio_url: Sound = _media_field("A sound for the video: https or data: URL.")
    template: Text = Field(None, description="A named effect of the model.")
    shot_type: Text = Field(
        None,
        description="`single` or `multi` go to the model; "
        + ", ".join(shot_prompt.SHOT_TYPES)
        + " and other words describe the shot in the prompt.",
    )
    camera_movement: Text = Field(None, description="Into the prompt: " + ", ".join(shot_prompt.CAMERA_MOVEMENTS) + ".")
    lighting: Text = Field(None, description="Into the prompt: " + ", ".join(shot_prompt.LIGHTING) + ".")
    motion_prompt: Text = Field(None, description="Into the prompt: how things move.")
    enhance_prompt: Switch = Field(None, description="Not available yet: a language model rewrites the prompt first.")
    provider_options: Annotated[
        Annotated[dict[str, Any], AfterValidator(_shallow)] | None, BeforeValidator(_object_in_text)
    ] = Field(None, description="Goes into the upstream's own parameters as it is.")
    wait_completion: Switch = Field(
        None, description="Hold the answer until the task ends, at most VIDEO_TIMEOUT; or send `Prefer: wait=N`."
    )

    def video_request(self) -> VideoRequest:
        """What is wished, in the words of the providers. Raises GatewayError for what this version cannot do."""
        if self.enhance_prompt:
            raise GatewayError("unsupported_parameter", ERRORS["enhancement_not_supported"], param="enhance_prompt")
        self._refuse_contradictions()
        shot_type = self.shot_type.lower() if self.shot_type else None
        return VideoRequest(
            model=self.model or "",
            prompt=shot_prompt.compose(
                self.prompt,
                self.camera_movement,
                self.shot_type,
                self.lighting,
                self.motion_prompt,
            ),
            duration=self.duration if self.duration is not None else self.seconds,
            ratio=self.ratio or self.aspect_ratio,
            resolution=self.resolution,
            size=self.size,
            media=tuple(self._media()),
            reference_mode=self.function_mode == "omni_reference",
            negative_prompt=self.negative_prompt,
            seed=self.seed,
            prompt_extend=self.prompt_extend,
            watermark=self.watermark,
            audio=self.audio,
            sound=media(MediaKind.AUDIO, self.audio_url, "audio_url") if self.audio_url else None,
            shot_type=shot_type if shot_type in shot_prompt.MODEL_SHOT_TYPES else None,
            template=self.template,
            options=self.provider_options or {},
        )

    def _refuse_contradictions(self) -> None:
        """Two names of one field that say two things."""
        pairs = (
            ("seconds", self.seconds, "duration", self.duration),
            ("aspect_ratio", self.aspect_ratio, "ratio", self.ratio),
        )
        problems = [
            FieldProblem(name, FieldReason.CONFLICT, (f"{other} = {meant}",), str(said))
            for name, said, other, meant in pairs
            if said is not None and meant is not None and said != meant
        ]
        if problems:
            raise invalid(problems)

    def _media(self) -> Iterator[Media]:
        if self.first_frame:
            yield media(MediaKind.IMAGE, self.first_frame, "first_frame", MediaRole.FIRST_FRAME)
        if self.last_frame:
            yield media(MediaKind.IMAGE, self.last_frame, "last_frame", MediaRole.LAST_FRAME)
        # Clients that are not sure of the field's name send one picture under several. Twice in one list it is meant.
        seen = {self.first_frame: "first_frame", self.last_frame: "last_frame"}
        for name, given in self._unlabelled():
            if given and seen.setdefault(given, name) == name:
                yield media(MediaKind.IMAGE if name in _IMAGE_FIELDS else kind_of(given), given, name)
        for name in _VIDEO_FIELDS:
            if given := getattr(self, name):
                yield media(MediaKind.VIDEO, given, name)

    def _unlabelled(self) -> Iterator[tuple[str, Given | None]]:
        for name in _IMAGE_FIELDS:
            yield name, getattr(self, name)
        for name, listed in (
            ("input_reference", self.input_reference),
            ("file_paths", self.file_paths),
            ("filePaths", self.file_paths_camel),
            ("images", self.images),
        ):
            for given in listed:
                yield name, given


class ReuseBody(BaseModel):
    """A wish for a video that is made of another one."""

    model_config = ConfigDict(extra="ignore", title="VideoReuseRequest")

    prompt: str = Field(min_length=1, description="What is to change, or how it goes on.")
    model: Annotated[ModelName | None, BeforeValidator(_blank_is_absent)] = None
    seconds: Annotated[Annotated[int, Field(ge=1, le=60)] | None, BeforeValidator(_blank_is_absent)] = Field(
        None, description="Seconds that are added (extensions), or the length of the result (edits)."
    )
    video: EarlierVideo = Field(None, description="`{id}` of a finished video, an https address, or in a form a file.")

    @property
    def video_id(self) -> str | None:
        """The id of the video, where it is given by one."""
        given = self.video.get("id") if isinstance(self.video, dict) else self.video
        found = given if isinstance(given, str) else None
        return found if found and not is_address(found) else None

    def derivation(self, operation: Literal["edit", "extend"]) -> Derivation:
        """The same in the words of `tasks`."""
        given = self.video.get("url") if isinstance(self.video, dict) else self.video
        clip = media(MediaKind.VIDEO, given, "video") if isinstance(given, MediaFile) or is_address(given) else None
        return Derivation(operation, self.prompt, self.model, self.seconds, self.video_id, clip)


Body = TypeVar("Body", bound=BaseModel)

_WANTED: dict[str, str] = {
    "string": "text",
    "int": "1, 2, 3, …",
    "bool": "true, false",
    "dict": "{…}",
    "tuple": "[…]",
    **WANTED,
    "too_many_bytes": f"≤ {MAX_MODEL_BYTES} bytes",
    "depth": f"≤ {MAX_OPTIONS_DEPTH} levels",
    "literal_error": "first_last_frames, omni_reference",
}


_RANGES = {
    "seed": f"0–{_MAX_SEED}",
    **dict.fromkeys(("images", "file_paths", "filePaths", "input_reference"), f"≤ {MAX_INPUTS}"),
}


def _problems(error: ValidationError) -> Iterator[FieldProblem]:
    for problem in error.errors(include_url=False):
        kind = problem["type"]
        name = str(problem["loc"][0])
        wanted = _WANTED.get(kind) or _RANGES.get(name) or _WANTED.get(kind.partition("_")[0], "")
        value = problem["input"]
        shown = str(value)[:60] if isinstance(value, str | int | float) else type(value).__name__
        if isinstance(value, MediaFile):
            shown = NAMES[value.media_type]
        hint = hint_for(value, kind)
        if value is None or hint:
            shown = ""
        yield FieldProblem(name, FieldReason.NOT_ALLOWED, (wanted,) if wanted else (), shown, hint)


@cache
def _file_fields(model: type[BaseModel]) -> tuple[str, ...]:
    """The fields that take a file, numbered ones once."""
    told = model.model_json_schema()["properties"]
    taking = [name for name, schema in told.items() if FILE_MARK in str(schema)]
    return tuple(re.sub(r"_1$", "_N", name) for name in taking if not re.search(r"_[2-9]$", name))


def _refuse_strange_files(model: type[BaseModel], body: Mapping[str, Any]) -> None:
    """Other fields that nobody knows are ignored. A file was handed in to be used."""
    known = {name for field, told in model.model_fields.items() for name in (field, told.alias)}
    for name in body.keys() - known:
        held = body[name] if isinstance(body[name], list) else [body[name]]
        if any(isinstance(item, MediaFile | UnreadableFile) for item in held):
            raise gateway_error(
                "file_not_accepted", param=name[:64], name=name[:64], fields=", ".join(_file_fields(model))
            )


def parse_generation(body: dict[str, Any]) -> GenerationBody:
    """The body, validated. Raises GatewayError that names every bad field."""
    return _parse(GenerationBody, body)


def parse_reuse(body: dict[str, Any]) -> ReuseBody:
    """The body, validated. Raises GatewayError that names every bad field."""
    return _parse(ReuseBody, body)


def _parse(model: type[Body], body: dict[str, Any]) -> Body:
    _refuse_strange_files(model, body)
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise invalid(list(_problems(error))) from None
