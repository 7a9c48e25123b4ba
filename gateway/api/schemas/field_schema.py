"""The fields of `field_aliases` as JSON schema, for the OpenAPI document and its page."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.api.schemas.field_aliases import INPUTS, SCALARS, InputField, names_of

FILE_MARK = "x-takes-file"
"""In the schema of a field: in a form it takes a file as well. The document takes the mark out."""
REF_TEMPLATE = "#/components/schemas/{model}"
_EXAMPLE = "https://example.com/cat.png"
_NULL = {"type": "null"}


class MediaInput(BaseModel):
    """A picture, clip or sound as an object around its address."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    url: str | None = Field(
        None, description="An https address or a `data:` URL; as well under `image_url`, `video_url`, `audio_url`."
    )
    type: str | None = Field(None, description="What the input is for: `first_frame`, `last_frame`, `reference_image`.")


class VideoInput(BaseModel):
    """The video to work on: one of this gateway by `id`, or another one by `url`."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    id: str | None = Field(None, description="The id of a finished video.")
    url: str | None = Field(None, description="An https address.")


OBJECTS: tuple[type[BaseModel], ...] = (MediaInput, VideoInput)
"""The models that the added schemas refer to."""


def show_fields(schema: dict[str, Any]) -> None:
    """Add the inputs to the schema of a submit, and to every field the names it also has."""
    properties = schema["properties"]
    for declared in SCALARS:
        _add_names(properties[declared.name], declared.aliases)
        for name in declared.shown:
            properties[name] = _alias_of(declared.name, properties[declared.name])
    for inputs in INPUTS:
        properties |= _inputs(inputs)


def show_video(schema: dict[str, Any]) -> None:
    """Add the earlier video to the schema of an edit and an extension."""
    schema["properties"]["video"] = _input(
        "`{id}` of a finished video, an https address, or in a form a file.",
        many=False,
        object=VideoInput,
    )
    schema["properties"]["video"]["anyOf"].remove(_NULL)
    schema["required"].append("video")


def _inputs(declared: InputField) -> dict[str, Any]:
    if declared.numbered:
        return {
            name: _input(declared.description.format(number=number), many=False)
            for number, name in enumerate(names_of(declared), 1)
        }
    own = _input(declared.description, many=declared.many)
    _add_names(own, declared.aliases)
    aliases = {name: _input(f"The same as `{declared.name}`.", many=declared.many) for name in declared.shown}
    return {declared.name: own} | aliases


def _input(description: str, *, many: bool, object: type[BaseModel] = MediaInput) -> dict[str, Any]:
    one: list[dict[str, Any]] = [{"type": "string"}, {"$ref": REF_TEMPLATE.format(model=object.__name__)}]
    several = [{"type": "array", "items": {"anyOf": list(one), FILE_MARK: True}}] if many else []
    return {
        "anyOf": [*several, *one, _NULL],
        "default": None,
        "description": f"{description} In a form also a file.",
        "examples": [[_EXAMPLE] if many else _EXAMPLE],
        FILE_MARK: True,
    }


def _alias_of(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    if name == "size":
        whole = {"anyOf": [{"type": "integer"}, _NULL], "default": None}
        return whole | {"description": "Pixels; `width` and `height` together are a `size`."}
    return {key: value for key, value in schema.items() if key != "title"} | {"description": f"The same as `{name}`."}


def _add_names(schema: dict[str, Any], aliases: Iterable[str]) -> None:
    also = ", ".join(aliases)
    if also:
        schema["description"] = f"{schema['description']} Also: {also}."
