"""What clients send, as models: they validate it, and the OpenAPI document is made of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.api.schemas import shot_prompt
from gateway.api.schemas.field_resolver import ResolvedFields, UnknownFields, refuse_problems, resolve_fields
from gateway.api.schemas.field_schema import show_fields, show_video
from gateway.api.schemas.field_types import (
    MAX_OPTIONS_DEPTH,
    MAX_SEED,
    Duration,
    ModelName,
    Options,
    Resolution,
    ReusedDuration,
    Secret,
    Seed,
    Switch,
    Text,
    WebhookUrl,
)
from gateway.api.schemas.media_fields import InputError, holds_inputs, is_address, read_inputs, shown_value
from gateway.core.errors import invalid
from gateway.core.webhook_secrets import PREFIX
from gateway.prompts.draft import PromptDraft
from gateway.task_ids.signed import MAX_MODEL_BYTES
from gateway.tasks.order import Derivation
from providers.contract.errors import FieldProblem, FieldReason
from providers.contract.localized_text import LocalizedText
from providers.contract.requests import FieldWarning, Media, VideoRequest
from providers.media_files import MediaKind

_WEBHOOK_DESCRIPTION = (
    "A public https:// URL that gets a signed `video.completed` or `video.failed` event (Standard Webhooks) when the "
    "task ends."
)


_ENHANCE_DESCRIPTION = (
    "A language model of the credential rewrites the prompt and the shot description first, in the prompt's language; "
    "the response has `revised_prompt`. On any trouble the prompt stays as it is, and `warnings` says why."
)


class VideoGenerationRequest(BaseModel):
    """A video to make, as JSON or a form. Most fields have other names too; unknown fields that decide nothing are
    ignored with a warning."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True, json_schema_extra=show_fields, defer_build=True)

    model: ModelName | None = Field(
        None, description="A name of GET /v1/models. Absent: the first model the credential can use."
    )
    prompt: str = Field("", description="What to show. May be empty only with an image or a shot description.")
    duration: Duration = Field(None, description="Seconds, whole.")
    ratio: Text = Field(None, description="Width to height, such as 16:9.")
    resolution: Resolution | None = Field(
        None, description="Such as 480p, 720p, 1080p, 2k or 4k, where the model has a choice."
    )
    size: Text = Field(
        None, description="Pixels, 1280x720 or 1280*720: ratio and resolution in one. Also takes one of these alone."
    )
    function_mode: Literal["first_last_frames", "omni_reference"] = Field(
        "first_last_frames",
        alias="functionMode",
        description="What unlabelled images are: frames (the default) or references.",
    )

    negative_prompt: Text = Field(None, description="What not to show.")
    seed: Seed = Field(None, description="The same seed and request give a similar video.")
    prompt_extend: Switch = Field(None, description="The model may rewrite the prompt.")
    watermark: Switch = Field(None, description="A mark in the corner.")
    audio: Switch = Field(None, description="With sound.")
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
    enhance_prompt: Switch = Field(None, description=_ENHANCE_DESCRIPTION)
    provider_options: Options = Field(None, description="Goes into the upstream's own parameters as it is.")
    wait_completion: Switch = Field(
        None, description="Hold the answer until the task ends, at most VIDEO_TIMEOUT; or send `Prefer: wait=N`."
    )
    webhook_url: WebhookUrl = Field(None, description=_WEBHOOK_DESCRIPTION)

    def video_request(self, media: list[Media], sound: Media | None) -> VideoRequest:
        """The request as the providers take it."""
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
            duration=self.duration,
            ratio=self.ratio,
            resolution=self.resolution,
            size=self.size,
            media=tuple(item for item in media if item is not sound) if sound else tuple(media),
            reference_mode=self.function_mode == "omni_reference",
            negative_prompt=self.negative_prompt,
            seed=self.seed,
            prompt_extend=self.prompt_extend,
            watermark=self.watermark,
            audio=self.audio,
            sound=sound,
            shot_type=shot_type if shot_type in shot_prompt.MODEL_SHOT_TYPES else None,
            template=self.template,
            options=self.provider_options or {},
        )

    def draft(self) -> PromptDraft:
        """What the prompt is rewritten from."""
        shot = shot_prompt.described(self.camera_movement, self.shot_type, self.lighting, self.motion_prompt)
        return PromptDraft(self.prompt, shot)


_NO_DRAFT = PromptDraft("")


@dataclass(frozen=True, slots=True)
class Generation:
    """A parsed request for a video. `prompt` is as the client wrote it, `names` are the client's names of our fields,
    `wait` is None where the client says nothing of waiting. `webhook_url` is as the client wrote it. With `enhance` the
    prompt is rewritten from `draft`."""

    request: VideoRequest
    prompt: str
    wait: bool | None
    names: Mapping[str, str]
    warnings: tuple[FieldWarning, ...] = ()
    webhook_url: str | None = None
    draft: PromptDraft = _NO_DRAFT
    enhance: bool = False


class VideoReuseRequest(BaseModel):
    """A video to make of another one."""

    model_config = ConfigDict(extra="ignore", json_schema_extra=show_video, defer_build=True)

    prompt: str = Field(min_length=1, description="What is to change, or how it goes on.")
    model: ModelName | None = None
    duration: ReusedDuration = Field(
        None,
        alias="seconds",
        description="Seconds that are added (extensions), or the length of the result (edits, remixes).",
    )
    enhance_prompt: Switch = Field(None, description=_ENHANCE_DESCRIPTION)
    webhook_url: WebhookUrl = Field(None, description=_WEBHOOK_DESCRIPTION)


class VideoRemixRequest(VideoReuseRequest):
    """A video to make of the one in the path."""

    model_config = ConfigDict(json_schema_extra=None)


class TokenRequest(BaseModel):
    """Credentials to check, in place of those of the bearer."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"token": "<credential>"}]}, defer_build=True)

    token: str | None = Field(None, description="One or more credentials, separated by commas.")


class WebhookTestRequest(BaseModel):
    """Where to send a sample event."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "https://example.com/webhook"}]}, defer_build=True
    )

    url: str = Field(min_length=1, description="A URL as `webhook_url` of a submit.")
    secret: Secret | None = Field(
        None, description="`whsec_…`; by default that of the configuration, else one is made and returned."
    )


@dataclass(frozen=True, slots=True)
class Reuse:
    """A parsed request for a video that is made of another one, which is given by `video_id` or as `clip`. With
    `enhance` a language model rewrites the prompt."""

    prompt: str
    model: str | None
    seconds: int | None
    video_id: str | None
    clip: Media | None
    names: Mapping[str, str]
    warnings: tuple[FieldWarning, ...] = ()
    webhook_url: str | None = None
    enhance: bool = False

    def derivation(self, operation: Literal["remix", "edit", "extend"], video_id: str | None = None) -> Derivation:
        return Derivation(operation, self.prompt, self.model, self.seconds, video_id or self.video_id, self.clip)


Body = TypeVar("Body", bound=BaseModel)

_WANTED: dict[str, str] = {
    "string": "text",
    "int": "1, 2, 3, …",
    "bool": "true, false",
    "dict": "{…}",
    "too_many_bytes": f"≤ {MAX_MODEL_BYTES} bytes",
    "depth": f"≤ {MAX_OPTIONS_DEPTH} levels",
    "webhook_secret": f"{PREFIX}… (base64, 24–64 bytes)",
    "literal_error": "first_last_frames, omni_reference",
}
_RANGES = {"seed": f"0–{MAX_SEED}", "seconds": "1–60"}
_REUSED = frozenset({"prompt", "model", "duration", "enhance_prompt", "webhook_url"})
_NOT_REUSED = LocalizedText(
    "该接口只接受 prompt、model、seconds、video、enhance_prompt 和 webhook_url",
    "This operation takes prompt, model, seconds, video, enhance_prompt and webhook_url only",
)


def parse_generation(body: Mapping[str, Any], unknown: UnknownFields = "check") -> Generation:
    """Parse a request for a video. Raises GatewayError (400) that names every bad field as the client called it."""
    found = resolve_fields(body, unknown)
    media = found.media()
    parsed = _validated(VideoGenerationRequest, found)
    refuse_problems(found)
    request = parsed.video_request(media, _the_sound(found, media))
    warnings = _warnings(found)
    return Generation(
        request,
        parsed.prompt,
        parsed.wait_completion,
        found.names,
        warnings,
        webhook_url=parsed.webhook_url,
        draft=parsed.draft(),
        enhance=bool(parsed.enhance_prompt),
    )


def parse_reuse(body: Mapping[str, Any], unknown: UnknownFields = "check") -> Reuse:
    """Parse a request for a video that is made of another one. Raises GatewayError (400) as `parse_generation` does."""
    found = resolve_fields(body, unknown)
    video_id, clip = _earlier_video(found)
    for name in found.scalars.keys() - _REUSED:
        found.problems.append(FieldProblem(found.names[name], FieldReason.UNKNOWN, hint=_NOT_REUSED))
    if "duration" in found.scalars:
        found.scalars["seconds"], found.names["seconds"] = found.scalars["duration"], found.names["duration"]
    parsed = _validated(VideoReuseRequest, found)
    refuse_problems(found)
    names, warnings = found.names, _warnings(found)
    return Reuse(
        parsed.prompt,
        parsed.model,
        parsed.duration,
        video_id,
        clip,
        names,
        warnings,
        webhook_url=parsed.webhook_url,
        enhance=bool(parsed.enhance_prompt),
    )


def parse_webhook_test(body: Mapping[str, Any]) -> WebhookTestRequest:
    """Parse a request for a sample event. Raises GatewayError (400)."""
    try:
        return WebhookTestRequest.model_validate(body)
    except ValidationError as error:
        # Without values: one may be a secret.
        raise invalid([replace(problem, value="") for problem in _problems(error, {})]) from None


def _the_sound(found: ResolvedFields, media: list[Media]) -> Media | None:
    """The sound that the video is made to: the only one among the inputs that came in a field for sounds."""
    sounds = [item for item in media if item.kind is MediaKind.AUDIO]
    own = {path for declared, path, _ in found.inputs if declared.kind is MediaKind.AUDIO}
    return sounds[0] if len(sounds) == 1 and sounds[0].param in own else None


def _earlier_video(found: ResolvedFields) -> tuple[str | None, Media | None]:
    """The earlier video: its id, or an input. Other inputs are problems."""
    ids: set[str] = set()
    clips: list[Media] = []
    for declared, path, value in found.inputs:
        given = value.get("id") if isinstance(value, dict) else value
        if isinstance(value, dict) and given is not None and not isinstance(given, str):
            found.problems.append(FieldProblem(f"{path}.id", FieldReason.NOT_ALLOWED, ("video_…",), shown_value(given)))
        elif declared.kind is not MediaKind.VIDEO:
            found.problems.append(FieldProblem(path, FieldReason.UNKNOWN, ("video",), hint=_NOT_REUSED))
        elif isinstance(given, str) and not is_address(given.strip()):
            ids.add(given.strip())
            if isinstance(value, dict) and holds_inputs(value):
                found.problems.append(FieldProblem(path, FieldReason.TOO_MANY, ("1",)))
        else:
            try:
                clips += read_inputs(declared, path, value)
            except InputError as error:
                found.problems.append(error.problem(path))
    if len(clips) + len(ids) > 1:
        found.problems.append(FieldProblem("video", FieldReason.TOO_MANY, ("1",)))
    return next(iter(ids), None), clips[0] if clips else None


def _validated(model: type[Body], found: ResolvedFields) -> Body:
    """The scalars of a request, validated. Raises GatewayError with these problems and those found before."""
    try:
        return model.model_validate(found.scalars)
    except ValidationError as error:
        raise invalid([*_problems(error, found.names), *found.problems, *found.conflicts]) from None


def _problems(error: ValidationError, names: Mapping[str, str]) -> Iterator[FieldProblem]:
    for problem in error.errors(include_url=False):
        kind = problem["type"]
        name = str(problem["loc"][0])
        wanted = _WANTED.get(kind) or _RANGES.get(name) or _WANTED.get(kind.partition("_")[0], "")
        param = names.get(name, name)
        if kind == "missing":
            yield FieldProblem(param, FieldReason.MISSING)
        else:
            yield FieldProblem(
                param, FieldReason.NOT_ALLOWED, (wanted,) if wanted else (), shown_value(problem["input"])
            )


def _warnings(found: ResolvedFields) -> tuple[FieldWarning, ...]:
    return tuple(FieldWarning("ignored_field", name) for name in found.ignored)
