"""Validate `input` of a DashScope submit: media sets, URLs, shots. Pure."""

import base64
import binascii
from collections import Counter
from collections.abc import Iterator
from typing import Any

from providers.sandbox.dashscope.codes import Refused
from providers.sandbox.dashscope.rules import ELEMENT, MediaSet, Model

Json = dict[str, Any]

_URL_FIELDS = (
    "img_url", "image_url", "first_frame_url", "last_frame_url", "audio_url", "video_url", "first_clip_url",
    "last_clip_url", "mask_image_url", "mask_video_url",
)  # fmt: skip
_URL_LISTS = ("reference_urls", "reference_video_urls", "ref_images_url")
_DATA_FIELDS = {"img_url", "image_url", "first_frame_url", "last_frame_url", "mask_image_url"}
_DATA_FIELDS |= {"first_frame", "last_frame", "reference_image"}
_ASSET_PREFIXES = {"reference_image": "ark_asset_img_", "video": "ark_asset_vid_"}
_TEXT_MEDIA = {"lip_sync_tts_speaker_id": "id", "lip_sync_tts_content": "content"}
"""Media types that are not files → the field with their value."""

_VACE_NEEDS: dict[str, tuple[str, ...]] = {
    "image_reference": ("ref_images_url",),
    "video_repainting": ("video_url",),
    "video_edit": ("video_url",),
    "video_extension": ("first_frame_url|last_frame_url|first_clip_url|last_clip_url",),
    "video_outpainting": ("video_url",),
}
_MAX_SHOTS = 6
_NO_TEXT = MediaSet({})


def need(condition: object, message: str, code: str = "InvalidParameter") -> None:
    """Refuse with `message` unless the condition holds. Raises `Refused`."""
    if not condition:
        raise Refused(code, message)


def given_fields(given: Json) -> Json:
    """The fields of an input that hold something: the SDK sends null for what was left out."""
    return {key: value for key, value in given.items() if value not in (None, "", [])}


def check_fields(model: Model, fields: Json, parameters: Json) -> None:
    """Check the required fields. Raises `Refused`."""
    if model.shots and fields.get("multi_shot"):
        _check_shots(fields, parameters)
    else:
        for needed in model.needs:
            need(any(one in fields for one in needed.split("|")), f"Field required: input.{needed.split('|')[0]}")
    if model.name == "wanx2.1-vace-plus":
        function = fields["function"]
        need(function in list(_VACE_NEEDS), f"function must be in {list(_VACE_NEEDS)}")
        for needed in _VACE_NEEDS[function]:
            need(any(one in fields for one in needed.split("|")), f"Field required: input.{needed.split('|')[0]}")


def _check_shots(fields: Json, parameters: Json) -> None:
    """Kling's `multi_shot`: `prompt` counts for "intelligence", `multi_prompt` for "customize"."""
    kind = fields.get("shot_type")
    need(kind in ("intelligence", "customize"), "shot_type must be in ['intelligence', 'customize']")
    if kind == "intelligence":
        need("prompt" in fields, "Field required: input.prompt")
        return
    shots = fields.get("multi_prompt")
    if not isinstance(shots, list) or not all(isinstance(shot, dict) for shot in shots):
        raise Refused("InvalidParameter", "Field required: input.multi_prompt")
    need(len(shots) <= _MAX_SHOTS, f"multi_prompt must have 1 to {_MAX_SHOTS} shots")
    need(
        [shot.get("index") for shot in shots] == list(range(1, len(shots) + 1)), "multi_prompt.index must count from 1"
    )
    longest = parameters.get("duration", 5)
    need(is_integer(longest), "duration must be an integer")
    for shot in shots:
        seconds = shot.get("duration")
        need(isinstance(shot.get("prompt"), str) and shot["prompt"], "Field required: input.multi_prompt.prompt")
        need(is_integer(seconds) and 1 <= seconds <= longest, f"multi_prompt.duration must be in [1, {longest}]")


def is_integer(value: object) -> bool:
    """Whether a JSON value is a whole number; JSON's booleans are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def media_of(model: Model, fields: Json) -> tuple[list[Json], MediaSet]:
    """`input.media` and the legal set it is; nothing and the empty set for the legacy protocol. Raises `Refused`."""
    if not model.sets:
        return [], _NO_TEXT
    items = fields.get("media", [])
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        raise Refused("InvalidParameter", "input.media must be a list of objects")
    counts = Counter(str(one.get("type")) for one in items)
    types = model.media_types
    for kind in counts:
        need(kind in types, f"input.media.type must be in {list(types)}")
    elements = fields.get("element_list", [])
    need(isinstance(elements, list), "input.element_list must be a list")
    if any(ELEMENT in legal.counts for legal in model.sets):
        counts[ELEMENT] = len(elements)
    found = next((legal for legal in model.sets if _is_legal(counts, legal)), None)
    if found is None:
        raise Refused("InvalidParameter", "input.media: this combination of types is not supported")
    return items, found


def _is_legal(counts: Counter[str], legal: MediaSet) -> bool:
    kinds, fewest, most = legal.together
    return (
        all(kind in legal.counts for kind, count in counts.items() if count)
        and all(low <= counts[kind] <= high for kind, (low, high) in legal.counts.items())
        and (not kinds or fewest <= sum(counts[kind] for kind in kinds) <= most)
    )


def _urls(fields: Json, media: list[Json]) -> Iterator[tuple[str, object]]:
    """Every (kind of field, URL) of the input."""
    for field in _URL_FIELDS:
        if field in fields:
            yield field, fields[field]
    for field in _URL_LISTS:
        listed = fields.get(field, [])
        need(isinstance(listed, list), f"input.{field} must be a list")
        yield from ((field, url) for url in listed)
    for one in media:
        kind = str(one["type"])
        if kind in _TEXT_MEDIA:
            text = one.get(_TEXT_MEDIA[kind])
            need(isinstance(text, str) and text, f"Field required: input.media.{_TEXT_MEDIA[kind]}")
        else:
            yield kind, one.get("url")
        if "reference_voice" in one:
            yield "reference_voice", one["reference_voice"]


def media_places(given: Json, model: Model) -> list[tuple[str, str]]:
    """Every (field or media type, URL) of an input that `read_order` has accepted."""
    items = given.get("media") if model.sets else None
    return [(kind, str(url)) for kind, url in _urls(given_fields(given), items or [])]


def check_urls(model: Model, fields: Json, media: list[Json], *, resolve: bool) -> None:
    """Every address of the input; `resolve` says whether the header for `oss://` came. Raises `Refused`."""
    for kind, url in _urls(fields, media):
        if not isinstance(url, str) or not url:
            raise Refused("InvalidParameter", f"Field required: input.{kind}.url")
        if model.assets and kind in _ASSET_PREFIXES and url.startswith(_ASSET_PREFIXES[kind]):
            need(len(url) > len(_ASSET_PREFIXES[kind]), "The URL is invalid.", "InvalidURL")
            continue
        scheme = url.partition(":")[0].lower()
        if scheme == "oss" and not resolve:
            message = "Unable to download the media resource during the data inspection process."
            raise Refused("InvalidParameter.DataInspection", message)
        if scheme == "data" and not model.http_only and kind in _DATA_FIELDS:
            need(_is_data_image(url), "The media data is not valid base64.", "InvalidParameter.DataInspection")
            continue
        reachable = scheme in ("http", "https") or (scheme == "oss" and not model.http_only)
        need(reachable and len(url) > len(scheme) + 3, "The URL is invalid.", "InvalidURL")


def _is_data_image(url: str) -> bool:
    head, _, data = url.partition(",")
    try:
        base64.b64decode(data, validate=True)
    except binascii.Error:
        return False
    return head.startswith("data:image/") and head.endswith(";base64") and bool(data)
