"""The frames mode of a draft: a prompt, a first frame, an end frame."""

from typing import Any

from providers.sandbox.jimeng.draft_json import as_object
from providers.sandbox.jimeng.errors import DRAFT, Refused, need
from providers.sandbox.jimeng.model_rows import Model
from providers.sandbox.jimeng.models import END, FIRST
from providers.sandbox.jimeng.resources import Resource, Resources, uploaded

Json = dict[str, Any]

_FIELDS = {"first_frame_image": FIRST, "end_frame_image": END}
"""Field of the input → the value of `input_media_type` that offers it."""

ENDING_CONTROL = "1.0"
"""Beside an end frame, and only there: both programs that captured one in autumn 2026 have it. Older ones do not."""


def check_frames(video_input: Json, model: Model, resources: Resources) -> tuple[str, Resource | None]:
    """The prompt, and the first of the frames, None without one. Raises `Refused`."""
    prompt = video_input.get("prompt")
    if not isinstance(prompt, str):
        raise Refused(DRAFT, "prompt is not a text")
    frames: list[Resource] = []
    for field in (field for field in _FIELDS if field in video_input):
        need(_FIELDS[field] in model.inputs, f"{field}: this model does not take one")
        image = as_object(video_input[field], field)
        need(image.get("uri", image.get("image_uri")) == image.get("image_uri"), f"uri of {field}")
        frames.append(uploaded(image.get("image_uri"), "image", resources))
    control = video_input.get("ending_control")
    need(control == (ENDING_CONTROL if "end_frame_image" in video_input else None), "ending_control")
    need(prompt or frames, "neither a prompt nor a frame")
    return prompt, next(iter(frames), None)
