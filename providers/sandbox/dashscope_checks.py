"""What DashScope looks at in a submit. Pure: path, headers and body in, an order or a refusal out."""

import base64
import binascii
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from providers.sandbox.dashscope_models import SIZES, Model, find_model

Json = dict[str, Any]

URL_ERROR = "url error, please check url！"
NO_ASYNC = "current user api does not support synchronous calls."
TWO_MODES = "The two modes are mutually exclusive: first_frame/last_frame and reference media cannot be mixed."
WRONG_SIZE = "The size is not match the allowed size ['{}']"

_TEXT_MODELS = ("qwen", "qwq", "text-embedding", "deepseek")
_URL_FIELDS = (
    "img_url", "image_url", "first_frame_url", "last_frame_url", "audio_url", "video_url", "first_clip_url",
    "last_clip_url", "mask_image_url", "mask_video_url",
)  # fmt: skip
_URL_LISTS = ("reference_urls", "reference_video_urls", "ref_images_url")
_DATA_FIELDS = {"img_url", "image_url", "first_frame_url", "last_frame_url", "mask_image_url"}
_DATA_FIELDS |= {"first_frame", "last_frame", "reference_image"}
_BOOLEANS = ("prompt_extend", "watermark", "audio")
_MAX_SEED = 2**31 - 1

_VACE_NEEDS: dict[str, tuple[str, ...]] = {
    "image_reference": ("ref_images_url",),
    "video_repainting": ("video_url",),
    "video_edit": ("video_url",),
    "video_extension": (),
    "video_outpainting": ("video_url",),
}
_I2V27_SETS = (
    {"first_frame"},
    {"first_frame", "driving_audio"},
    {"first_frame", "last_frame"},
    {"first_frame", "last_frame", "driving_audio"},
    {"first_clip"},
    {"first_clip", "last_frame"},
)
_MEDIA_LIMITS: dict[str, dict[str, tuple[int, int]]] = {
    "wan2.7-r2v": {"first_frame": (0, 1)},
    "wan2.7-videoedit": {"video": (1, 1), "reference_image": (0, 4)},
    "wan3.0-video": {
        "first_frame": (0, 1), "last_frame": (0, 1), "reference_image": (0, 10), "reference_video": (0, 5),
        "reference_audio": (0, 5), "file": (0, 1), "link": (0, 1),
    },
    "happyhorse-1.0-i2v": {"first_frame": (1, 1)},
    "happyhorse-1.0-r2v": {"reference_image": (1, 9)},
    "happyhorse-1.0-video-edit": {"video": (1, 1), "reference_image": (0, 5)},
}  # fmt: skip
_MEDIA_LIMITS["wan3.0-video-prime"] = _MEDIA_LIMITS["wan3.0-video"]
_MEDIA_LIMITS["happyhorse-1.1-i2v"] = _MEDIA_LIMITS["happyhorse-1.0-i2v"]
_MEDIA_LIMITS["happyhorse-1.1-r2v"] = _MEDIA_LIMITS["happyhorse-1.0-r2v"]


class Refused(Exception):  # noqa: N818
    """The submit is refused with this code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Order:
    """An accepted submit. `fails` is (code, message) of a failure found only once it runs; `seconds` of video."""

    model: Model
    model_name: str
    prompt: str
    seconds: int
    tier: str
    size: str
    ratio: str
    prompt_extend: bool
    audio: bool
    fails: tuple[str, str] | None = None


def _need(condition: object, message: str, code: str = "InvalidParameter") -> None:
    if not condition:
        raise Refused(code, message)


def read_order(path: str, headers: Mapping[str, str], body: Json) -> Order:
    """Check a submit to `/services/aigc/{path}`. Raises `Refused`."""
    name = body.get("model")
    _need(isinstance(name, str) and name, "Field required: model")
    _need(headers.get("x-dashscope-async", "").lower() == "enable", NO_ASYNC, "AccessDenied")
    model = find_model(str(name))
    if model is None:
        raise Refused("InvalidParameter", URL_ERROR if str(name).startswith(_TEXT_MODELS) else "Model not exist.")
    _need(path == model.path, URL_ERROR)
    given = body.get("input")
    if not isinstance(given, dict):
        raise Refused("InvalidParameter", "Field required: input")
    parameters = body.get("parameters") or {}
    _need(isinstance(parameters, dict), "parameters must be an object")
    fields = {key: value for key, value in given.items() if value not in (None, "", [])}
    for needed in model.needs:
        _need(any(one in fields for one in needed.split("|")), f"Field required: input.{needed.split('|')[0]}")
    if model.name == "wanx2.1-vace-plus":
        _check_vace(fields)
    media = _media(model, fields)
    _check_urls(model, fields, media, resolve=headers.get("x-dashscope-ossresourceresolve", "").lower() == "enable")
    return _order(model, str(name), fields, parameters, media)


def _order(model: Model, name: str, fields: Json, parameters: Json, media: list[Json]) -> Order:
    seconds = parameters.get("duration", 0 if model.name == "wan2.7-videoedit" else 5)
    _need(isinstance(seconds, int) and not isinstance(seconds, bool), "duration must be an integer")
    allowed = model.seconds
    if model.name == "wan2.7-r2v" and any(one["type"] == "reference_video" for one in media):
        allowed = frozenset(range(2, 11))
    _need(not allowed or seconds in allowed, f"duration must be in {sorted(allowed)}")
    tier = parameters.get("resolution", model.tier)
    _need(not model.tiers or tier in model.tiers, f"resolution must be in {list(model.tiers)}")
    ratio = parameters.get("ratio", parameters.get("aspect_ratio", model.ratios[0] if model.ratios else "16:9"))
    _need(not model.ratios or ratio in model.ratios, f"ratio must be in {list(model.ratios)}")
    seed = parameters.get("seed", 0)
    _need(isinstance(seed, int) and 0 <= seed <= _MAX_SEED, f"seed must be in [0, {_MAX_SEED}]")
    for key in _BOOLEANS:
        _need(isinstance(parameters.get(key, False), bool), f"{key} must be a boolean")
    prompt = fields.get("prompt", "")
    _need(isinstance(prompt, str), "prompt must be a string")
    _need(len(prompt) <= 2500 or not model.name.startswith("kling/"), "prompt is too long")
    sizes = {size: of for of in model.sizes for size in SIZES[of]}
    size = parameters.get("size", "") if sizes else ""
    fails = None
    if sizes and not size:
        size = "1920*1080" if "1080P" in model.sizes else "1280*720"
    elif sizes and size not in sizes:
        fails = ("InvalidParameter", WRONG_SIZE.format("', '".join(sorted(sizes))))
    if model.name.startswith("wan3.0") and _mixes_modes(media):
        fails = ("InvalidParameter", TWO_MODES)
    return Order(
        model=model,
        model_name=name,
        prompt=prompt,
        seconds=seconds,
        tier=sizes.get(size, str(tier)),
        size=size,
        ratio=str(ratio),
        prompt_extend=parameters.get("prompt_extend", True),
        audio=parameters.get("audio", True),
        fails=fails,
    )


def _check_vace(fields: Json) -> None:
    function = fields["function"]
    _need(function in _VACE_NEEDS, f"function must be in {list(_VACE_NEEDS)}")
    for needed in _VACE_NEEDS[function]:
        _need(needed in fields, f"Field required: input.{needed}")


def _mixes_modes(media: list[Json]) -> bool:
    return len({one["type"] in ("first_frame", "last_frame") for one in media}) == 2


def _media(model: Model, fields: Json) -> list[Json]:
    """`input.media` with its types and counts checked; empty for the legacy protocol."""
    if not model.media:
        return []
    items = fields.get("media", [])
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        raise Refused("InvalidParameter", "input.media must be a list of objects")
    counts = Counter(str(one.get("type")) for one in items)
    for kind in counts:
        _need(kind in model.media, f"input.media.type must be in {list(model.media)}")
    if model.name == "wan2.7-i2v":
        legal = set(counts) in _I2V27_SETS and max(counts.values()) == 1
        _need(legal, "input.media: this combination of types is not supported")
    if model.name == "wan2.7-r2v":
        references = counts["reference_image"] + counts["reference_video"]
        _need(1 <= references <= 5, "input.media: 1 to 5 reference images and videos")
    for kind, (low, high) in _MEDIA_LIMITS.get(model.name, {}).items():
        _need(low <= counts[kind] <= high, f"input.media: {low} to {high} of type {kind}")
    return items


def _urls(fields: Json, media: list[Json]) -> Iterator[tuple[str, object]]:
    """Every (kind of field, URL) of the input."""
    for field in _URL_FIELDS:
        if field in fields:
            yield field, fields[field]
    for field in _URL_LISTS:
        listed = fields.get(field, [])
        _need(isinstance(listed, list), f"input.{field} must be a list")
        yield from ((field, url) for url in listed)
    for one in media:
        yield str(one["type"]), one.get("url")
        if "reference_voice" in one:
            yield "reference_voice", one["reference_voice"]


def media_places(given: Json, model: Model) -> list[tuple[str, str]]:
    """Every (field or media type, URL) of an input that `read_order` has accepted."""
    items = given.get("media") if model.media else None
    fields = {key: value for key, value in given.items() if value not in (None, "", [])}
    return [(kind, str(url)) for kind, url in _urls(fields, items or [])]


def _check_urls(model: Model, fields: Json, media: list[Json], *, resolve: bool) -> None:
    for kind, url in _urls(fields, media):
        if not isinstance(url, str) or not url:
            raise Refused("InvalidParameter", f"Field required: input.{kind}.url")
        scheme = url.partition(":")[0].lower()
        if scheme == "oss" and not resolve:
            message = "Unable to download the media resource during the data inspection process."
            raise Refused("InvalidParameter.DataInspection", message)
        if scheme == "data" and not model.http_only and kind in _DATA_FIELDS:
            _need(_is_data_image(url), "The media data is not valid base64.", "InvalidParameter.DataInspection")
            continue
        reachable = scheme in ("http", "https") or (scheme == "oss" and not model.http_only)
        _need(reachable and len(url) > len(scheme) + 3, "The URL is invalid.", "InvalidURL")


def _is_data_image(url: str) -> bool:
    head, _, data = url.partition(",")
    try:
        base64.b64decode(data, validate=True)
    except binascii.Error:
        return False
    return head.startswith("data:image/") and head.endswith(";base64") and bool(data)
